//! Durable storage over LMDB: the only module that names heed.

pub mod stream;
pub mod tail;

pub use stream::{CommitCounter, Entities, Ledger, NamespaceId, Stream, Symbols};
pub use tail::{Tail, TailBatch, TailSnapshot};
