//! Earlier answers, given again while the rows that they were made of are the same.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prost::Message;

use super::answer::{Answer, duration};
use super::run::QueryLimits;
use super::spec::Spec;
use crate::lru::Lru;
use crate::store::{NamespaceId, Snapshot, Stream};
use crate::time::TimeRange;
use crate::wire::v1;

/// Answers of fewer rows are as quickly made again.
const LEAST_ROWS: u64 = 1 << 16;
/// An answer takes at most such a part of the cache.
const MOST_SHARE: usize = 16;

/// What the cache holds, and how often it helped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheFigures {
    /// Answers kept.
    pub answers: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Bytes that they may take; 0: none are kept.
    pub limit_bytes: u64,
    /// Queries that were answered from it.
    pub hits: u64,
    /// Queries that it might have answered and that had to be computed.
    pub misses: u64,
}

/// Answers of all streams.
#[derive(Debug)]
pub struct ResultCache {
    answers: Mutex<Lru<Key, Arc<Kept>>>,
    budget: usize,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A question: of a stream, as its message says it, within limits that might have refused it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    namespace: NamespaceId,
    stream: u32,
    message: Arc<[u8]>,
    /// Rows, groups and bytes.
    limits: [u64; 3],
}

impl Key {
    pub(super) fn of(stream: &Stream, spec: &Spec, limits: &QueryLimits) -> Self {
        Self {
            namespace: stream.namespace,
            stream: stream.id,
            message: Arc::clone(&spec.message),
            limits: [limits.max_rows, limits.max_groups, limits.max_result_bytes],
        }
    }
}

/// An answer that is kept; its commit and watermark are those of when it was made.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) answer: Answer,
    rows: RowsSeen,
    made_ns: i64,
}

impl Kept {
    /// The answer as it is given again, with what of its provenance is of now and not of the rows still to be said.
    pub(super) fn again(&self, now_ns: i64) -> Answer {
        let made = &self.answer.provenance;
        Answer {
            provenance: v1::Provenance {
                tier: v1::Tier::Cache.into(),
                cached_tier: made.tier,
                cache_age: Some(duration(now_ns.saturating_sub(self.made_ns))),
                ..made.clone()
            },
            ..self.answer.clone()
        }
    }
}

/// The rows that an answer is made of: parts, rollups and values of L0 never change, so that the numbers of those that have rows in the
/// range tell them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowsSeen {
    schema: u64,
    parts: Vec<u64>,
    rollups: Vec<u64>,
    tail: Vec<u64>,
}

impl RowsSeen {
    /// Of a query that is asked of a snapshot.
    pub(super) fn of(snapshot: &Snapshot, schema: u64, spec: &Spec) -> Self {
        // The earlier period of a comparison lies anywhere before the range.
        let range = if spec.compare.is_some() {
            TimeRange {
                start: i64::MIN,
                end: spec.range.end,
            }
        } else {
            spec.range
        };
        let parts = snapshot.parts().iter();
        let parts = parts.filter(|part| range.meets(part.times().0, part.times().1));
        let rollups = snapshot.rollups().iter();
        let rollups = rollups.filter(|rollup| {
            let of = rollup.rollup_of();
            of.is_none_or(|of| range.meets(of.times.0, of.times.1))
        });
        let batches = snapshot.batches();
        let batches = batches.filter(|batch| range.meets(batch.packed.min_time(), batch.packed.max_time()));
        let mut rollups: Vec<u64> = rollups.map(|rollup| rollup.number()).collect();
        rollups.sort_unstable();
        let mut tail: Vec<u64> = batches.map(|batch| batch.l0.0).collect();
        tail.dedup();
        Self {
            schema,
            parts: parts.map(|part| part.number()).collect(),
            rollups,
            tail,
        }
    }

    fn bytes(&self) -> usize {
        (self.parts.capacity() + self.rollups.capacity() + self.tail.capacity()) * size_of::<u64>()
    }
}

impl ResultCache {
    /// Of at most so many bytes.
    pub fn new(budget: usize) -> Self {
        Self {
            answers: Mutex::new(Lru::new(budget)),
            budget,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    fn answers(&self) -> MutexGuard<'_, Lru<Key, Arc<Kept>>> {
        // Nothing that may panic runs between changes of one lock.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it holds, and how often it helped.
    pub fn figures(&self) -> CacheFigures {
        let answers = self.answers();
        CacheFigures {
            answers: answers.len() as u64,
            bytes: answers.bytes() as u64,
            limit_bytes: self.budget as u64,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }

    /// An earlier answer to the question, of the same rows.
    pub(super) fn find(&self, key: &Key, rows: impl FnOnce() -> RowsSeen) -> Option<Arc<Kept>> {
        let found = self.answers().get(key).cloned();
        let kept = found.filter(|kept| kept.rows == rows())?;
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(kept)
    }

    /// Keeps an answer that took a while to make and is not large, in the place of the last to its question.
    pub(super) fn keep(&self, key: Key, answer: &Answer, rows: impl FnOnce() -> RowsSeen, made_ns: i64) {
        if answer.provenance.rows_scanned < LEAST_ROWS {
            return;
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let kept = Kept {
            answer: answer.clone(),
            rows: rows(),
            made_ns,
        };
        let bytes = answer.batch.get_array_memory_size()
            + answer.provenance.encoded_len()
            + kept.rows.bytes()
            + key.message.len()
            + size_of::<(Key, Kept)>();
        let mut answers = self.answers();
        if bytes > self.budget / MOST_SHARE {
            answers.remove(&key);
        } else {
            answers.insert(key, Arc::new(kept), bytes);
        }
    }
}
