//! The tail of a stream: the batches of L0 in memory, in order of arrival.

use std::sync::Arc;

use crate::column::PackedBatch;

/// A batch in the tail.
#[derive(Debug)]
pub struct TailBatch {
    /// Commit that holds it.
    pub commit: u64,
    /// Its rows.
    pub packed: PackedBatch,
}

/// Batches in a segment: a snapshot copies one pointer a segment.
const SEGMENT: usize = 256;

/// The batches of a stream in order of arrival.
#[derive(Debug, Default)]
pub struct Tail {
    full: Vec<Arc<Vec<Arc<TailBatch>>>>,
    open: Vec<Arc<TailBatch>>,
    rows: u64,
    bytes: u64,
}

impl Tail {
    /// Adds a batch that is durable.
    pub fn push(&mut self, batch: TailBatch) {
        self.rows += batch.packed.rows() as u64;
        self.bytes += batch.packed.bytes().len() as u64;
        self.open.push(Arc::new(batch));
        if self.open.len() == SEGMENT {
            self.full.push(Arc::new(std::mem::take(&mut self.open)));
        }
    }

    /// Drops every batch; who holds a snapshot keeps them. Returns their bytes.
    pub(super) fn clear(&mut self) -> u64 {
        std::mem::take(self).bytes
    }

    /// Rows in it.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes in it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is in it up to and with `commit`.
    pub fn snapshot(&self, commit: u64) -> TailSnapshot {
        TailSnapshot {
            full: self.full.clone(),
            open: self.open.clone(),
            commit,
        }
    }
}

/// The batches of a stream at one commit; nothing done to the stream afterwards changes it.
#[derive(Clone, Debug, Default)]
pub struct TailSnapshot {
    full: Vec<Arc<Vec<Arc<TailBatch>>>>,
    open: Vec<Arc<TailBatch>>,
    /// Commit it is as of.
    pub commit: u64,
}

impl TailSnapshot {
    /// Batches in order of arrival.
    pub fn batches(&self) -> impl Iterator<Item = &Arc<TailBatch>> {
        self.full
            .iter()
            .flat_map(|segment| segment.iter())
            .chain(&self.open)
            .filter(|batch| batch.commit <= self.commit)
    }
}
