//! The tail of a stream: the batches of L0 in memory, in order of arrival; and, with the parts, all its rows at one commit.

use std::sync::Arc;

use super::manifest::PartHandle;
use super::past::{self, Past};
use crate::column::PackedBatch;
use crate::error::Result;

/// A batch in the tail.
#[derive(Debug)]
pub struct TailBatch {
    /// Commit that holds it.
    pub commit: u64,
    /// Number among the stream's L0 values of the one that it is in, and the group whose transaction wrote that.
    pub l0: (u64, u64),
    /// When it arrived, or was read back: Unix nanoseconds.
    pub arrived_ns: i64,
    /// Its rows.
    pub packed: PackedBatch,
}

impl TailBatch {
    /// A batch in an L0 value of its own, for streams without a store.
    pub fn alone(commit: u64, packed: PackedBatch) -> Self {
        Self {
            commit,
            l0: (commit, commit),
            arrived_ns: 0,
            packed,
        }
    }
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
        self.push_shared(Arc::new(batch));
    }

    fn push_shared(&mut self, batch: Arc<TailBatch>) {
        self.rows += batch.packed.rows() as u64;
        self.bytes += batch.packed.bytes().len() as u64;
        self.open.push(batch);
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

    /// Commit of the newest batch; 0 without one.
    pub fn newest_commit(&self) -> u64 {
        let last_full = || self.full.last().and_then(|segment| segment.last());
        self.open.last().or_else(last_full).map_or(0, |batch| batch.commit)
    }

    /// Batches in order of arrival.
    fn all(&self) -> impl Iterator<Item = &Arc<TailBatch>> {
        self.full.iter().flat_map(|segment| segment.iter()).chain(&self.open)
    }

    /// The batch that came first.
    pub(super) fn oldest(&self) -> Option<&Arc<TailBatch>> {
        self.all().next()
    }

    /// Drops the batches of the L0 values below `next`: they are sealed. Returns their bytes.
    pub(super) fn drop_below(&mut self, next: u64) -> u64 {
        let left: Vec<Arc<TailBatch>> = self.all().filter(|batch| batch.l0.0 >= next).map(Arc::clone).collect();
        let before = self.bytes;
        *self = Self::default();
        for batch in left {
            self.push_shared(batch);
        }
        before - self.bytes
    }
}

/// All rows of a stream in memory: its parts and its tail, which change together.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) tail: Tail,
    /// In order of arrival of the first of their rows.
    pub(super) parts: Arc<Vec<Arc<PartHandle>>>,
    /// Their rollups, and those that have outlived their parts.
    pub(super) rollups: Arc<Vec<Arc<PartHandle>>>,
    /// Greatest commit that any part has had rows of.
    pub(super) sealed_through: u64,
    /// Commit from which on rows were neither sealed with later ones nor dropped.
    pub(super) changed_through: u64,
    /// What is kept of the time before, by commit.
    pub(super) past: Vec<Past>,
}

impl Stored {
    /// Puts other parts in the place of those there are.
    pub(super) fn set_parts(&mut self, parts: Vec<Arc<PartHandle>>) {
        let newest = parts.iter().map(|part| part.commit()).max();
        self.sealed_through = self.sealed_through.max(newest.unwrap_or(0));
        self.changed_through = self.changed_through.max(self.sealed_through);
        self.parts = Arc::new(parts);
    }

    /// What was there at `commit`, which has been published.
    pub(super) fn as_of(&self, commit: u64) -> Result<Snapshot> {
        if commit >= self.changed_through {
            return Ok(self.snapshot(commit));
        }
        match self.past.iter().find(|past| past.commits.contains(&commit)) {
            Some(past) => Ok(Snapshot {
                commit,
                ..past.view.clone()
            }),
            None => {
                let served = self.past.iter().map(|past| past.commits.clone());
                Err(past::not_kept(
                    commit,
                    served.chain(std::iter::once(self.changed_through..u64::MAX)),
                ))
            }
        }
    }

    /// What is there up to and with `commit`. Parts hold nothing later than what was published when they were made.
    pub(super) fn snapshot(&self, commit: u64) -> Snapshot {
        Snapshot {
            parts: Arc::clone(&self.parts),
            rollups: Arc::clone(&self.rollups),
            full: self.tail.full.clone(),
            open: self.tail.open.clone(),
            commit,
        }
    }
}

/// The rows of a stream at one commit; nothing done to the stream afterwards changes it.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    parts: Arc<Vec<Arc<PartHandle>>>,
    rollups: Arc<Vec<Arc<PartHandle>>>,
    full: Vec<Arc<Vec<Arc<TailBatch>>>>,
    open: Vec<Arc<TailBatch>>,
    /// Commit it is as of.
    pub commit: u64,
}

impl Snapshot {
    /// Parts in order of arrival of the first of their rows.
    pub fn parts(&self) -> &[Arc<PartHandle>] {
        &self.parts
    }

    /// Greatest event time, and when the newest batch of the tail arrived; none of what is not there.
    pub fn newest(&self) -> (Option<i64>, Option<i64>) {
        let of_parts = self.parts.iter().map(|part| part.times().1);
        let of_batches = self.batches().map(|batch| batch.packed.max_time());
        let arrived = self.batches().last().map(|batch| batch.arrived_ns);
        (of_parts.chain(of_batches).max(), arrived)
    }

    /// Rollups of these parts and of others that are gone, in no order.
    pub fn rollups(&self) -> &[Arc<PartHandle>] {
        &self.rollups
    }

    /// Batches of the tail in order of arrival, later than all rows of parts.
    pub fn batches(&self) -> impl Iterator<Item = &Arc<TailBatch>> {
        let all = self.full.iter().flat_map(|segment| segment.iter()).chain(&self.open);
        all.filter(|batch| batch.commit <= self.commit)
    }
}
