//! Documents of features: bytes under (namespace, room, id), changed by compare-and-set on a version.

use super::Store;
use super::change::Change;
use super::fault::OrFault;
use super::frame::{Decoder, Encoder};
use super::keys;
use super::stream::NamespaceId;
use super::tables::Table;
use crate::error::{Error, Kind, Result};

/// Longest name of a room in bytes.
const MAX_ROOM_BYTES: usize = 64;
/// Longest id of a document in bytes; with the room it fits a key.
const MAX_ID_BYTES: usize = 400;
/// Longest document in bytes.
const MAX_DOCUMENT_BYTES: usize = 4 << 20;

/// The documents of a store. Versions grow within a namespace and are never used again, so that a document made anew is
/// told from the one that was.
pub struct Documents<'a> {
    store: &'a Store,
}

fn encode(version: u64, bytes: &[u8], key: &[u8]) -> Vec<u8> {
    let mut record = Encoder::new(Table::Documents);
    record.u64(version);
    record.rest(bytes);
    record.seal(key)
}

/// Version and bytes of a stored document.
pub(super) fn decode<'a>(key: &[u8], value: &'a [u8]) -> Result<(u64, &'a [u8])> {
    let mut record = Decoder::open(Table::Documents, key, value)?;
    Ok((record.u64()?, record.rest()))
}

fn key(namespace: NamespaceId, room: &str, id: &str) -> Result<Vec<u8>> {
    if room.is_empty() || room.len() > MAX_ROOM_BYTES || room.contains('\0') {
        return Err(Error::invalid(
            "BAD_ROOM",
            "room",
            format!("a room has 1 to {MAX_ROOM_BYTES} bytes and no NUL, got {}", room.len()),
        ));
    }
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(Error::invalid(
            "BAD_DOCUMENT_ID",
            "id",
            format!("an id has 1 to {MAX_ID_BYTES} bytes, got {}", id.len()),
        ));
    }
    Ok(keys::document(namespace, room, id))
}

/// Compares versions; `Some(0)` means that there must be none.
fn compare(change: &Change<'_>, key: &[u8], expected: Option<u64>, room: &str, id: &str) -> Result<Option<u64>> {
    let found = match change.get(Table::Documents, key)? {
        None => None,
        Some(value) => Some(decode(key, value)?.0),
    };
    match (expected, found) {
        (Some(0), Some(_)) => Err(Error::new(
            Kind::AlreadyExists,
            "DOCUMENT_EXISTS",
            format!("{room} has {id:?} already"),
        )),
        (Some(expected), None) if expected != 0 => Err(not_found(room, id)),
        (Some(expected), Some(found)) if expected != found => Err(Error::new(
            Kind::VersionConflict,
            "VERSION_CONFLICT",
            format!("{room} {id:?} has version {found}, not {expected}; read it again"),
        )),
        _ => Ok(found),
    }
}

fn not_found(room: &str, id: &str) -> Error {
    Error::new(Kind::NotFound, "DOCUMENT_NOT_FOUND", format!("{room} has no {id:?}"))
}

impl<'a> Documents<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store }
    }

    /// Bytes and version of a document.
    pub fn get(&self, namespace: NamespaceId, room: &str, id: &str) -> Result<Option<(Vec<u8>, u64)>> {
        let key = key(namespace, room, id)?;
        self.store.shared.read(|hot| {
            let txn = hot.read()?;
            let Some(value) = hot.table(Table::Documents).get(&txn, &key).or_fault()? else {
                return Ok(None);
            };
            let (version, bytes) = decode(&key, value)?;
            Ok(Some((bytes.to_vec(), version)))
        })
    }

    /// Writes a document and returns its version. `expected`: none takes any, `Some(0)` means that it must be new.
    pub fn put(
        &self,
        namespace: NamespaceId,
        room: &str,
        id: &str,
        bytes: &[u8],
        expected: Option<u64>,
    ) -> Result<u64> {
        let key = key(namespace, room, id)?;
        if bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(Error::new(
                Kind::LimitExceeded,
                "DOCUMENT_TOO_LARGE",
                format!("a document has at most {MAX_DOCUMENT_BYTES} bytes, got {}", bytes.len()),
            ));
        }
        let (room, id, bytes) = (room.to_owned(), id.to_owned(), bytes.to_vec());
        self.store.shared.change(false, move |change| {
            let found = compare(change, &key, expected, &room, &id)?;
            let counters = change.namespace(namespace)?;
            counters.documents += u64::from(found.is_none());
            counters.document_version += 1;
            let version = counters.document_version;
            change.put(Table::Documents, &key, &encode(version, &bytes, &key))?;
            Ok(version)
        })
    }

    /// Deletes a document. `expected`: none takes any version.
    pub fn delete(&self, namespace: NamespaceId, room: &str, id: &str, expected: Option<u64>) -> Result<()> {
        let key = key(namespace, room, id)?;
        let (room, id) = (room.to_owned(), id.to_owned());
        self.store.shared.change(true, move |change| {
            compare(change, &key, expected, &room, &id)?.ok_or_else(|| not_found(&room, &id))?;
            change.namespace(namespace)?.documents -= 1;
            change.delete(Table::Documents, &key)
        })
    }

    /// Documents of a room in ascending order of id, those after `after`, at most `limit`.
    pub fn list(
        &self,
        namespace: NamespaceId,
        room: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>, u64)>> {
        let prefix = keys::document(namespace, room, "");
        let start = keys::document(namespace, room, after);
        self.store.shared.read(|hot| {
            let txn = hot.read()?;
            let mut listed = Vec::new();
            let from = (std::ops::Bound::Excluded(&start[..]), std::ops::Bound::Unbounded);
            for found in hot.table(Table::Documents).range(&txn, &from).or_fault()? {
                let (key, value) = found.or_fault()?;
                let Some(id) = key.strip_prefix(&prefix[..]) else { break };
                if listed.len() == limit {
                    break;
                }
                let (version, bytes) = decode(key, value)?;
                listed.push((String::from_utf8_lossy(id).into_owned(), bytes.to_vec(), version));
            }
            Ok(listed)
        })
    }
}
