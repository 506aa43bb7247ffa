//! Earlier answers, given again while the rows that they were made of are the same.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prost::Message;

use super::answer::Answer;
use super::spec::Spec;
use crate::lru::Lru;
use crate::store::{NamespaceId, Snapshot, Stream};
use crate::time::{SECOND_NS, TimeRange};
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
    answers: Mutex<Lru<Key, Kept>>,
    budget: usize,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A question: of a stream, and as its message says it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key(NamespaceId, u32, Arc<[u8]>);

impl Key {
    fn of(stream: &Stream, spec: &Spec) -> Self {
        Self(stream.namespace, stream.id, Arc::clone(&spec.message))
    }
}

#[derive(Debug)]
struct Kept {
    answer: Answer,
    rows: RowsSeen,
    made_ns: i64,
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

    fn answers(&self) -> MutexGuard<'_, Lru<Key, Kept>> {
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

    /// An earlier answer of the same rows, and when it was made; its commit and watermark are those of then.
    pub(super) fn find(&self, stream: &Stream, spec: &Spec, rows: impl FnOnce() -> RowsSeen) -> Option<(Answer, i64)> {
        let key = Key::of(stream, spec);
        let mut answers = self.answers();
        let found = answers.get(&key)?;
        let (answer, seen, made_ns) = (found.answer.clone(), found.rows.clone(), found.made_ns);
        drop(answers);
        if seen != rows() {
            return None;
        }
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some((answer, made_ns))
    }

    /// Keeps an answer that took a while to make and is not large, in the place of the last of its question.
    pub(super) fn keep(
        &self,
        stream: &Stream,
        spec: &Spec,
        answer: &Answer,
        rows: impl FnOnce() -> RowsSeen,
        made_ns: i64,
    ) {
        if answer.provenance.rows_scanned < LEAST_ROWS {
            return;
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let rows = rows();
        let key = Key::of(stream, spec);
        let bytes = answer.batch.get_array_memory_size()
            + answer.provenance.encoded_len()
            + rows.bytes()
            + key.2.len()
            + size_of::<Kept>();
        let mut answers = self.answers();
        if bytes > self.budget / MOST_SHARE {
            answers.remove(&key);
            return;
        }
        let answer = answer.clone();
        answers.insert(key, Kept { answer, rows, made_ns }, bytes);
    }
}

/// What of an earlier answer's provenance is said anew.
pub(super) fn again(earlier: v1::Provenance, age_ns: i64) -> v1::Provenance {
    v1::Provenance {
        tier: v1::Tier::Cache.into(),
        cached_tier: earlier.tier,
        cache_age: Some(prost_types::Duration {
            seconds: age_ns / SECOND_NS,
            nanos: (age_ns % SECOND_NS) as i32,
        }),
        ..earlier
    }
}
