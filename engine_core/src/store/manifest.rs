//! The manifest: which parts a stream has, and what proves each whole. FORMAT.md, "Records".

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::fault::OrFault;
use super::frame::{Decoder, Encoder};
use super::keys;
use super::part::cache::Cache;
use super::part::{self, Identity, Part, file};
use super::rollup::Rolled;
use super::stream::NamespaceId;
use super::sys;
use super::tables::Table;
use crate::codec::Codecs;
use crate::error::{Error, Kind, Result};
use crate::time::format_ns;

/// What of a stream is sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// Changes to the stream's parts so far.
    pub(super) generation: u64,
    /// Next number of a part.
    pub(super) next_part: u64,
    pub(super) parts: u32,
    /// Rows in them.
    pub(super) rows: u64,
    /// Bytes of their files.
    pub(super) bytes: u64,
    /// Commit up to which all rows are in parts, or were dropped.
    pub(super) sealed_through: u64,
    /// What retention has dropped.
    pub(super) dropped_parts: u64,
    pub(super) dropped_rows: u64,
    pub(super) dropped_bytes: u64,
    /// Rollups beside parts that are there or not, and bytes of their files.
    pub(super) rollups: u32,
    pub(super) rollup_bytes: u64,
    /// Commit at which rows, or rollups that had outlived theirs, were last dropped by retention; 0: never.
    pub(super) dropped_through: u64,
}

impl Manifest {
    pub(super) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut record = Encoder::new(Table::Manifests);
        record.u64(self.generation);
        record.u64(self.next_part);
        record.u32(self.parts);
        record.u64(self.rows);
        record.u64(self.bytes);
        record.u64(self.sealed_through);
        record.u64(self.dropped_parts);
        record.u64(self.dropped_rows);
        record.u64(self.dropped_bytes);
        if self.rollups > 0 || self.dropped_through > 0 {
            record.u32(self.rollups);
            record.u64(self.rollup_bytes);
        }
        if self.dropped_through > 0 {
            record.u64(self.dropped_through);
        }
        record.seal(key)
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut record = Decoder::open(Table::Manifests, key, value)?;
        let mut manifest = Self {
            generation: record.u64()?,
            next_part: record.u64()?,
            parts: record.u32()?,
            rows: record.u64()?,
            bytes: record.u64()?,
            sealed_through: record.u64()?,
            dropped_parts: record.u64()?,
            dropped_rows: record.u64()?,
            dropped_bytes: record.u64()?,
            rollups: 0,
            rollup_bytes: 0,
            dropped_through: 0,
        };
        if !record.is_empty() {
            manifest.rollups = record.u32()?;
            manifest.rollup_bytes = record.u64()?;
        }
        if !record.is_empty() {
            manifest.dropped_through = record.u64()?;
        }
        record.end()?;
        Ok(manifest)
    }
}

/// Flags at the end of the record of a part.
const COLD: u8 = 1;
const ROLLUP: u8 = 2;

/// A part as the manifest knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PartRecord {
    /// Start and width of its tile, nanoseconds.
    pub(super) tile: (i64, i64),
    pub(super) rows: u64,
    /// Bytes of its file.
    pub(super) bytes: u64,
    /// Least and greatest event time.
    pub(super) times: (i64, i64),
    /// Least and greatest entity code.
    pub(super) entities: (u32, u32),
    /// First and next number of the L0 values whose rows it holds.
    pub(super) l0: (u64, u64),
    /// Greatest commit of its rows.
    pub(super) commit: u64,
    /// crc32c of its root.
    pub(super) root_crc: u32,
    pub(super) made_ns: i64,
    pub(super) codecs: Codecs,
    /// What it is of, if it is a rollup: then rows are groups, and times starts of their windows.
    pub(super) rollup: Option<Rolled>,
}

impl PartRecord {
    pub(super) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut record = Encoder::new(Table::Parts);
        record.i64(self.tile.0);
        record.i64(self.tile.1);
        record.u64(self.rows);
        record.u64(self.bytes);
        record.i64(self.times.0);
        record.i64(self.times.1);
        record.u32(self.entities.0);
        record.u32(self.entities.1);
        record.u64(self.l0.0);
        record.u64(self.l0.1);
        record.u64(self.commit);
        record.u32(self.root_crc);
        record.i64(self.made_ns);
        let cold = if self.codecs == Codecs::Cold { COLD } else { 0 };
        if let Some(rolled) = &self.rollup {
            record.u8(cold | ROLLUP);
            rolled.encode(&mut record);
        } else if cold > 0 {
            record.u8(cold);
        }
        record.seal(key)
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut record = Decoder::open(Table::Parts, key, value)?;
        let mut part = Self {
            tile: (record.i64()?, record.i64()?),
            rows: record.u64()?,
            bytes: record.u64()?,
            times: (record.i64()?, record.i64()?),
            entities: (record.u32()?, record.u32()?),
            l0: (record.u64()?, record.u64()?),
            commit: record.u64()?,
            root_crc: record.u32()?,
            made_ns: record.i64()?,
            codecs: Codecs::Hot,
            rollup: None,
        };
        if !record.is_empty() {
            let flags = record.u8()?;
            if flags == 0 || flags & !(COLD | ROLLUP) != 0 {
                return Err(record.wrong("flags of a part"));
            }
            if flags & COLD != 0 {
                part.codecs = Codecs::Cold;
            }
            if flags & ROLLUP != 0 {
                part.rollup = Some(Rolled::decode(&mut record)?);
            }
        }
        record.end()?;
        Ok(part)
    }
}

/// Parts that are kept open although nobody reads them.
const KEPT_OPEN: usize = 512;

/// Where parts lie, and those opened last.
#[derive(Debug)]
pub(super) struct Registry {
    folder: PathBuf,
    pub(super) cache: Arc<Cache>,
    recent: Mutex<VecDeque<Arc<Part>>>,
    pinned: Mutex<Pinned>,
}

/// How many hold every file that is there, and those whose removal waits for it.
#[derive(Debug, Default)]
struct Pinned {
    pins: usize,
    waiting: Vec<PathBuf>,
}

/// Keeps the files of parts where they are: one that is removed meanwhile goes when the last pin is dropped. A crash leaves it to
/// the next opening, which knows from the records that it is nobody's.
#[derive(Debug)]
pub(super) struct Pin(Arc<Registry>);

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pinned = self.0.pinned();
        pinned.pins -= 1;
        let waiting = if pinned.pins == 0 {
            std::mem::take(&mut pinned.waiting)
        } else {
            Vec::new()
        };
        drop(pinned);
        for path in waiting {
            // One that cannot be removed now goes at the next opening.
            let _ = file::remove(&path);
        }
    }
}

impl Registry {
    pub(super) fn new(folder: PathBuf, cache: Cache) -> Self {
        Self {
            folder,
            cache: Arc::new(cache),
            recent: Mutex::default(),
            pinned: Mutex::default(),
        }
    }

    fn pinned(&self) -> MutexGuard<'_, Pinned> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps every file that is there until the pin is dropped.
    pub(super) fn pin(self: &Arc<Self>) -> Pin {
        self.pinned().pins += 1;
        Pin(Arc::clone(self))
    }

    /// Has the file of a part that no record names any more removed when its last handle goes: who holds a snapshot may open it yet.
    pub(super) fn remove(&self, part: &PartHandle) {
        self.forget(part);
        part.is_gone.store(true, Ordering::Release);
    }

    /// Removes a file, now or when the last pin goes.
    fn remove_file(&self, path: PathBuf) {
        let mut pinned = self.pinned();
        if pinned.pins > 0 {
            pinned.waiting.push(path);
            return;
        }
        drop(pinned);
        // One that cannot be removed now goes at the next opening.
        let _ = file::remove(&path);
    }

    /// Path of a part's file, or of the part in the making.
    pub(super) fn path(&self, identity: &Identity, in_the_making: bool) -> PathBuf {
        self.folder.join(file_name(identity, in_the_making))
    }

    /// Makes everything done to its entries durable.
    pub(super) fn sync(&self) -> Result<()> {
        sync(&self.folder)
    }

    /// Makes the folder, durable before anything in it is, and removes from it what a crash left behind: files that are none of
    /// these parts. Nothing is removed if a part of another store than `store_id` is among them.
    pub(super) fn prepare(&self, parts: &HashSet<Identity>, store_id: u128) -> Result<()> {
        match fs::symlink_metadata(&self.folder) {
            // What a link points to may be another store's, of whose parts no record is known here.
            Ok(found) if !found.is_dir() => {
                return Err(Error::new(
                    Kind::FailedPrecondition,
                    "NOT_A_DIRECTORY",
                    "the store's folder of parts is a link or a file",
                ));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => fs::create_dir(&self.folder).or_fault()?,
            Err(error) => return Err(error).or_fault(),
        }
        // Also where it was there: whoever made it may have died before this.
        if let Some(above) = self.folder.parent() {
            sync(above)?;
        }
        let left = self.left_behind(parts, store_id)?;
        left.iter().try_for_each(fs::remove_file).or_fault()
    }

    /// What a crash left behind in the folder: files that are none of these parts. An error, if another store's part is among them.
    pub(super) fn left_behind(&self, parts: &HashSet<Identity>, store_id: u128) -> Result<Vec<PathBuf>> {
        let mut left = Vec::new();
        for entry in fs::read_dir(&self.folder).or_fault()? {
            let entry = entry.or_fault()?;
            let Some((identity, in_the_making)) = identity_of(&entry.file_name().to_string_lossy()) else {
                continue;
            };
            if in_the_making || !parts.contains(&identity) {
                // A crash leaves parts of this store alone: those of another lie here because its data file does not.
                if !in_the_making && part::store_of(&entry.path(), identity).is_some_and(|found| found != store_id) {
                    return Err(Error::new(
                        Kind::FailedPrecondition,
                        "STORE_FOREIGN",
                        format!(
                            "parts/{} belongs to another store than hot.mdb; put the data file back that belongs to it, or move \
                             the folder of parts away",
                            file_name(&identity, false)
                        ),
                    ));
                }
                left.push(entry.path());
            }
        }
        Ok(left)
    }

    fn keep(&self, part: &Arc<Part>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back(Arc::clone(part));
        // Dropped outside the lock: the last owner closes the file.
        let oldest = (recent.len() > KEPT_OPEN).then(|| recent.pop_front());
        drop(recent);
        drop(oldest);
    }

    /// Lets go of all parts: a file that nobody reads any more is closed, so that this process may open it again.
    pub(super) fn close(&self) {
        let recent = std::mem::take(&mut *self.recent.lock().unwrap_or_else(PoisonError::into_inner));
        // Dropped outside the lock.
        drop(recent);
    }

    /// Lets go of a part that is none of the stream's any more.
    pub(super) fn forget(&self, handle: &PartHandle) {
        let open = handle.open.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(part) = open {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.retain(|other| !Arc::ptr_eq(other, &part));
        }
    }
}

/// Name of a part's file: namespace, stream and number, decimal.
pub(super) fn file_name(identity: &Identity, in_the_making: bool) -> String {
    let (namespace, stream, part) = keys::split_part(identity);
    let suffix = if in_the_making { "new" } else { "mdb" };
    format!("{}-{stream}-{part}.{suffix}", namespace.0)
}

/// The part whose file, or whose file in the making, is called so; none if no part's is.
fn identity_of(name: &str) -> Option<(Identity, bool)> {
    let (numbers, suffix) = name.split_once('.')?;
    let mut each = numbers.split('-');
    let mut next = || each.next()?.parse::<u64>().ok();
    let (namespace, stream, part) = (next()?, next()?, next()?);
    let identity = keys::part(NamespaceId(namespace.try_into().ok()?), stream.try_into().ok()?, part);
    let in_the_making = suffix == "new";
    (file_name(&identity, in_the_making) == name).then_some((identity, in_the_making))
}

fn sync(folder: &Path) -> Result<()> {
    fs::File::open(folder).and_then(|folder| folder.sync_all()).or_fault()
}

/// A part of a stream, opened when it is first read.
#[derive(Debug)]
pub struct PartHandle {
    pub(super) identity: Identity,
    pub(super) record: PartRecord,
    /// Name of the stream.
    stream: String,
    registry: Arc<Registry>,
    open: Mutex<Weak<Part>>,
    /// Whether no record names it any more.
    is_gone: AtomicBool,
}

impl Drop for PartHandle {
    fn drop(&mut self) {
        if *self.is_gone.get_mut() {
            self.registry.remove_file(self.registry.path(&self.identity, false));
        }
    }
}

impl PartHandle {
    pub(super) fn new(identity: Identity, record: PartRecord, stream: &str, registry: &Arc<Registry>) -> Self {
        Self {
            identity,
            record,
            stream: stream.to_owned(),
            registry: Arc::clone(registry),
            open: Mutex::default(),
            is_gone: AtomicBool::new(false),
        }
    }

    /// Has the system read what opening will read, if the part is not open: that goes on meanwhile, for many parts at once. The pages of a
    /// file's tree lie at its front and between its values, the last of which are what queries read first.
    pub fn read_ahead(&self) {
        const FRONT: u64 = 64 << 10;
        const LEAST_BACK: u64 = 64 << 10;
        const MOST_BACK: u64 = 4 << 20;
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.strong_count() == 0 {
            let (path, bytes) = (self.registry.path(&self.identity, false), self.record.bytes);
            sys::read_ends_ahead(&path, bytes, FRONT, (bytes / 16).clamp(LEAST_BACK, MOST_BACK));
        }
    }

    /// The part, opened if it was not.
    ///
    /// # Errors
    /// Corrupt: its file is missing or not what was published.
    pub fn open(&self) -> Result<Arc<Part>> {
        // Held while it opens, so that a file is opened once.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = open.upgrade() {
            return Ok(part);
        }
        let path = self.registry.path(&self.identity, false);
        let cache = Arc::clone(&self.registry.cache);
        let part = Part::open(&path, self.identity, self.record.bytes, self.record.root_crc, cache);
        // What the process may not have at the moment is no damage.
        let part = Arc::new(part.map_err(|error| match error.kind() {
            Kind::Corrupt | Kind::FailedPrecondition => self.explain(&error),
            _ => error,
        })?);
        let root = part.root();
        let record = &self.record;
        if (root.rows, root.times, root.tile, root.l0, root.commit)
            != (record.rows, record.times, record.tile, record.l0, record.commit)
        {
            return Err(self.explain(&Error::corrupt("", "the manifest's record is of another part")));
        }
        *open = Arc::downgrade(&part);
        self.registry.keep(&part);
        Ok(part)
    }

    /// Number of the part in its stream.
    pub fn number(&self) -> u64 {
        keys::split_part(&self.identity).2
    }

    /// Rows of the part.
    pub fn rows(&self) -> u64 {
        self.record.rows
    }

    /// Bytes of its file.
    pub fn bytes(&self) -> u64 {
        self.record.bytes
    }

    /// Greatest commit of its rows.
    pub fn commit(&self) -> u64 {
        self.record.commit
    }

    /// What orders parts by arrival: the first L0 value that its rows were in, its tile, its number.
    pub fn arrival(&self) -> (u64, i64, u64) {
        (self.record.l0.0, self.record.tile.0, self.number())
    }

    /// Codecs that its blocks may have.
    pub fn codecs(&self) -> Codecs {
        self.record.codecs
    }

    /// Least and greatest event time.
    pub fn times(&self) -> (i64, i64) {
        self.record.times
    }

    /// What it is of, if it is a rollup.
    pub fn rollup_of(&self) -> Option<&Rolled> {
        self.record.rollup.as_ref()
    }

    /// Least and greatest entity code.
    pub fn entities(&self) -> (u32, u32) {
        self.record.entities
    }

    /// An error, explained if it says that the part is damaged.
    pub(super) fn explain_if_damaged(&self, error: Error) -> Error {
        match error.kind() {
            Kind::Corrupt => self.explain(&error),
            _ => error,
        }
    }

    /// The error of a query that needs the part, which is damaged.
    pub fn explain(&self, error: &Error) -> Error {
        let (first, last) = self.record.rollup.map_or(self.record.times, |rolled| rolled.times);
        let part = self.number();
        Error::corrupt(
            format!(
                "rows of stream {:?} between {} and {} are damaged on the disk (part {part}); other ranges answer. Restore the \
                 part from a backup, or export what is readable with `marigram inspect --salvage` on a copy",
                self.stream,
                format_ns(first),
                format_ns(last)
            ),
            error.detail(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::rollup::Tier;

    #[test]
    fn records_read_back_whole() {
        let manifest = Manifest {
            generation: 1,
            next_part: 2,
            parts: 3,
            rows: 4,
            bytes: 5,
            sealed_through: 6,
            dropped_parts: 7,
            dropped_rows: 8,
            dropped_bytes: 9,
            rollups: 10,
            rollup_bytes: 11,
            dropped_through: 12,
        };
        assert_eq!(Manifest::decode(b"key", &manifest.encode(b"key")).unwrap(), manifest);
        let part = PartRecord {
            tile: (-1, 2),
            rows: 3,
            bytes: 4,
            times: (-5, 6),
            entities: (7, 8),
            l0: (9, 10),
            commit: 11,
            root_crc: 12,
            made_ns: 13,
            codecs: Codecs::Hot,
            rollup: None,
        };
        assert_eq!(PartRecord::decode(b"key", &part.encode(b"key")).unwrap(), part);
        let cold = PartRecord {
            codecs: Codecs::Cold,
            ..part
        };
        assert_eq!(PartRecord::decode(b"key", &cold.encode(b"key")).unwrap(), cold);
        let rolled = Rolled {
            tier: Tier::new(60, vec![1], false).unwrap(),
            part: 14,
            rows: 15,
            times: (16, 17),
        };
        for part in [part, cold] {
            let rollup = PartRecord {
                rollup: Some(rolled),
                ..part
            };
            assert_eq!(PartRecord::decode(b"key", &rollup.encode(b"key")).unwrap(), rollup);
        }
        assert!(PartRecord::decode(b"kez", &part.encode(b"key")).is_err());
    }

    #[test]
    fn a_pinned_file_goes_with_the_last_pin() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Arc::new(Registry::new(dir.path().to_owned(), Cache::new(0)));
        let identity = keys::part(NamespaceId(1), 2, 3);
        let record = PartRecord {
            tile: (0, 1),
            rows: 1,
            bytes: 1,
            times: (0, 0),
            entities: (0, 0),
            l0: (0, 1),
            commit: 1,
            root_crc: 0,
            made_ns: 0,
            codecs: Codecs::Hot,
            rollup: None,
        };
        let part = || Arc::new(PartHandle::new(identity, record, "rows", &registry));
        let path = registry.path(&identity, false);
        let (first, second) = (registry.pin(), registry.pin());
        fs::write(&path, b"part").unwrap();
        registry.remove(&part());
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
        fs::write(&path, b"part").unwrap();
        let (held, of_a_snapshot) = (part(), part());
        drop(of_a_snapshot);
        assert!(path.exists(), "it is still named");
        let of_a_snapshot = Arc::clone(&held);
        registry.remove(&held);
        drop(held);
        assert!(path.exists(), "a snapshot may open it yet");
        drop(of_a_snapshot);
        assert!(!path.exists(), "without pin and snapshot it goes at once");
    }

    #[test]
    fn a_part_is_named_after_its_key() {
        let identity = keys::part(NamespaceId(1), 20, 300);
        assert_eq!(file_name(&identity, false), "1-20-300.mdb");
        assert_eq!(file_name(&identity, true), "1-20-300.new");
        for in_the_making in [false, true] {
            let found = identity_of(&file_name(&identity, in_the_making));
            assert_eq!(found, Some((identity, in_the_making)));
        }
        for name in [
            "backup.mdb",
            "1-20.mdb",
            "1-20-.mdb",
            "1-2-3-4.mdb",
            "1-2-x.new",
            "1-2-03.mdb",
            "1-2-3.mdb.old",
        ] {
            assert_eq!(identity_of(name), None, "{name}");
        }
    }
}
