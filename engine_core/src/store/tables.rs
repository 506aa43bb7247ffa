//! Every table of the hot environment: name, number, keys and values. The format version stands here.

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env};

use super::fault;
use crate::error::Result;

/// Version of everything on disk. A store of a newer one is refused.
pub const FORMAT_VERSION: u32 = 1;

/// A table. Its number stands in the frame of its records and is never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Table {
    /// `format` and `stamp` → what the store is, and its last transaction.
    Meta = 1,
    /// Namespace → name and settings.
    Namespaces = 2,
    /// Namespace, stream → name and schema.
    Streams = 3,
    /// Group, namespace, stream → the rows of one commit: the log.
    L0 = 4,
    /// Namespace, stream, column, first code → texts of codes in a row.
    Dictionaries = 5,
    /// Namespace, writer's name → epoch, next sequence, last outcomes.
    Writers = 6,
    /// Namespace, room, id → a feature's document.
    Documents = 7,
    /// Namespace, or namespace and stream, or those and column → counters.
    Counters = 8,
    /// Namespace, stream, number → rows that broke a rule.
    Quarantine = 9,
    /// Namespace, stream → what of it is sealed.
    Manifests = 10,
    /// Namespace, stream, number → a part, and what proves it whole.
    Parts = 11,
}

impl Table {
    /// Every table, in ascending order of number.
    pub(super) const ALL: [Self; 11] = [
        Self::Meta,
        Self::Namespaces,
        Self::Streams,
        Self::L0,
        Self::Dictionaries,
        Self::Writers,
        Self::Documents,
        Self::Counters,
        Self::Quarantine,
        Self::Manifests,
        Self::Parts,
    ];

    /// Its name in LMDB.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Namespaces => "namespaces",
            Self::Streams => "streams",
            Self::L0 => "l0",
            Self::Dictionaries => "dictionaries",
            Self::Writers => "writers",
            Self::Documents => "documents",
            Self::Counters => "counters",
            Self::Quarantine => "quarantine",
            Self::Manifests => "manifests",
            Self::Parts => "parts",
        }
    }
}

/// An open table: keys and values are bytes, laid out by `keys`, `records` and `blob`.
pub(super) type Handle = Database<'static, Bytes, Bytes>;

/// The open tables.
#[derive(Clone)]
pub(super) struct Tables([Handle; 11]);

impl Tables {
    /// Opens every table, making those that are missing. Writes nothing if all are there.
    pub(super) fn open(env: &Env) -> Result<Self> {
        let txn = env.write_txn().map_err(fault::classify)?;
        let opened = env.create_databases_and_commit(txn, |opener, txn| {
            let mut handles = Vec::with_capacity(Table::ALL.len());
            for table in Table::ALL {
                handles.push(opener.create_database::<Bytes, Bytes>(txn, Some(table.name()))?);
            }
            let handles: [Database<'_, Bytes, Bytes>; Table::ALL.len()] =
                handles.try_into().unwrap_or_else(|_| unreachable!("one a table"));
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(handles))
        });
        Ok(Self(opened.map_err(fault::classify)?.unwrap_commit()))
    }

    /// Opens every table of an environment that is only read. None: one is missing.
    pub(super) fn open_for_reading(env: &Env) -> Result<Option<Self>> {
        let txn = env.read_txn().map_err(fault::classify)?;
        let opened = env.open_databases_and_commit(txn, |opener, txn| {
            let mut handles = Vec::with_capacity(Table::ALL.len());
            for table in Table::ALL {
                handles.extend(opener.open_database::<Bytes, Bytes>(txn, Some(table.name()))?);
            }
            let handles: Result<[Database<'_, Bytes, Bytes>; Table::ALL.len()], _> = handles.try_into();
            Ok::<_, heed::Error>(match handles {
                Ok(handles) => CommitOrAbort::Commit(handles),
                Err(_) => CommitOrAbort::Abort(()),
            })
        });
        Ok(match opened.map_err(fault::classify)? {
            CommitOrAbort::Commit(handles) => Some(Self(handles)),
            CommitOrAbort::Abort(()) => None,
        })
    }

    /// A table.
    pub(super) fn get(&self, table: Table) -> &Handle {
        &self.0[table as usize - 1]
    }
}
