//! Writers: who sends batches in sequence, and what became of the last of them. Durable with the rows they sent.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::frame::{Decoder, Encoder};
use super::records::{decode_rejects, encode_rejects};
use super::stream::NamespaceId;
use super::tables::Table;
use crate::column::RejectCounts;
use crate::error::{Error, Kind, Result};
use crate::time::{SECOND_NS, Timestamp};

/// Outcomes kept of each writer.
pub(super) const OUTCOMES: usize = 64;
/// Idle time after which a writer is refused until it is opened again.
pub(super) const IDLE_NS: i64 = 30 * 86_400 * SECOND_NS;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its sequence.
    pub sequence: u64,
    /// XXH3-128 of its bytes as received.
    pub hash: u128,
    /// Commit that holds it.
    pub commit: u64,
    /// Rows stored.
    pub stored: u64,
    /// Rows quarantined.
    pub rejected: RejectCounts,
    /// Rows stored that were late.
    pub late: u64,
}

/// A writer as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterState {
    /// Grows with each opening; a lower one is fenced.
    pub epoch: u64,
    /// Sequence of the batch it sends next.
    pub next_sequence: u64,
    /// The last 64 outcomes, oldest first.
    pub outcomes: VecDeque<Outcome>,
    /// When it was last opened or had a batch committed, Unix nanoseconds.
    pub last_used_ns: Timestamp,
}

/// How a batch advances its writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterAdvance {
    /// The writer's name.
    pub name: String,
    /// Epoch it was opened with.
    pub epoch: u64,
    /// The batch's sequence.
    pub sequence: u64,
    /// XXH3-128 of the batch's bytes as received.
    pub hash: u128,
}

/// An outcome in few bytes: most batches have no rejected row.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    hash: u128,
    commit: u64,
    stored: u64,
    late: u64,
    rejected: Option<Box<RejectCounts>>,
}

/// A writer as the store keeps it. Outcomes are of the sequences just before the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Writer {
    pub(super) epoch: u64,
    pub(super) next_sequence: u64,
    pub(super) last_used_ns: Timestamp,
    kept: VecDeque<Kept>,
}

impl Writer {
    /// Opened again: earlier holders of the name are fenced.
    pub(super) fn open(&mut self, now: Timestamp) {
        self.epoch += 1;
        self.next_sequence = self.next_sequence.max(1);
        self.last_used_ns = now;
    }

    /// Whether it has been idle too long.
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        now.saturating_sub(self.last_used_ns) > IDLE_NS
    }

    /// Whether this batch is the next one of the epoch in force.
    pub(super) fn check(&self, advance: &WriterAdvance) -> Result<()> {
        if advance.epoch < self.epoch {
            return Err(Error::new(
                Kind::Fenced,
                "WRITER_FENCED",
                format!(
                    "writer {:?} has been opened again: its epoch is {}, the batch has {}; open the writer again",
                    advance.name, self.epoch, advance.epoch
                ),
            ));
        }
        if advance.epoch > self.epoch {
            return Err(not_open(&advance.name));
        }
        if advance.sequence != self.next_sequence {
            return Err(Error::new(
                Kind::OutOfRange,
                "SEQUENCE_GAP",
                format!(
                    "batches of a writer come in sequence: expected {}, got {}",
                    self.next_sequence, advance.sequence
                ),
            ));
        }
        Ok(())
    }

    /// Takes note of a batch.
    pub(super) fn advance(&mut self, now: Timestamp, outcome: &Outcome) {
        self.next_sequence = outcome.sequence + 1;
        self.last_used_ns = self.last_used_ns.max(now);
        if self.kept.len() == OUTCOMES {
            self.kept.pop_front();
        }
        let rejected = (outcome.rejected.total() > 0).then(|| Box::new(outcome.rejected));
        self.kept.push_back(Kept {
            hash: outcome.hash,
            commit: outcome.commit,
            stored: outcome.stored,
            late: outcome.late,
            rejected,
        });
    }

    fn outcome_at(&self, index: usize) -> Option<Outcome> {
        let kept = self.kept.get(index)?;
        Some(Outcome {
            sequence: self.next_sequence - (self.kept.len() - index) as u64,
            hash: kept.hash,
            commit: kept.commit,
            stored: kept.stored,
            rejected: kept.rejected.as_deref().copied().unwrap_or_default(),
            late: kept.late,
        })
    }

    /// What became of a batch, if it is among the last.
    pub(super) fn outcome(&self, sequence: u64) -> Option<Outcome> {
        let back = self.next_sequence.checked_sub(sequence)?;
        let index = self.kept.len().checked_sub(usize::try_from(back).ok()?)?;
        self.outcome_at(index)
    }

    /// The same, spelt out.
    pub(super) fn state(&self) -> WriterState {
        WriterState {
            epoch: self.epoch,
            next_sequence: self.next_sequence,
            outcomes: (0..self.kept.len())
                .filter_map(|index| self.outcome_at(index))
                .collect(),
            last_used_ns: self.last_used_ns,
        }
    }

    pub(super) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut record = Encoder::new(Table::Writers);
        record.u64(self.epoch);
        record.u64(self.next_sequence);
        record.i64(self.last_used_ns);
        record.u8(self.kept.len() as u8);
        let mut before = 0u64;
        for kept in &self.kept {
            record.u128(kept.hash);
            record.varint(kept.commit.wrapping_sub(before));
            before = kept.commit;
            record.varint(kept.stored);
            record.varint(kept.late);
            encode_rejects(
                &mut record,
                kept.rejected.as_deref().unwrap_or(&RejectCounts::default()),
            );
        }
        record.seal(key)
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut record = Decoder::open(Table::Writers, key, value)?;
        let mut writer = Self {
            epoch: record.u64()?,
            next_sequence: record.u64()?,
            last_used_ns: record.i64()?,
            kept: VecDeque::new(),
        };
        let mut before = 0u64;
        for _ in 0..record.u8()? {
            let hash = record.u128()?;
            before = before.wrapping_add(record.varint()?);
            let (stored, late) = (record.varint()?, record.varint()?);
            let rejected = decode_rejects(&mut record)?;
            writer.kept.push_back(Kept {
                hash,
                commit: before,
                stored,
                late,
                rejected: (rejected.total() > 0).then(|| Box::new(rejected)),
            });
        }
        if writer.kept.len() as u64 > writer.next_sequence {
            return Err(record.wrong("more outcomes than batches"));
        }
        record.end()?;
        Ok(writer)
    }
}

/// Writers in memory, as they are durable.
pub(super) type Writers = HashMap<NamespaceId, HashMap<String, Arc<Writer>>>;

/// There is no writer of this name.
pub(super) fn not_open(name: &str) -> Error {
    Error::new(
        Kind::NotFound,
        "WRITER_NOT_OPEN",
        format!("writer {name:?} is not open; open it first"),
    )
}

/// The writer has been idle too long.
pub(super) fn expired(name: &str) -> Error {
    Error::new(
        Kind::FailedPrecondition,
        "WRITER_EXPIRED",
        format!("writer {name:?} was idle for more than 30 days; open it again"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Reject;

    fn outcome(sequence: u64) -> Outcome {
        let mut rejected = RejectCounts::default();
        if sequence.is_multiple_of(3) {
            rejected.add(Reject::TypeMismatch, sequence);
        }
        Outcome {
            sequence,
            hash: u128::from(sequence) << 90,
            commit: sequence * 2,
            stored: 1_000,
            rejected,
            late: sequence % 2,
        }
    }

    fn writer(batches: u64) -> Writer {
        let mut writer = Writer::default();
        writer.open(5);
        for sequence in 1..=batches {
            writer.advance(sequence as i64, &outcome(sequence));
        }
        writer
    }

    #[test]
    fn it_remembers_the_last_64_outcomes() {
        let writer = writer(100);
        assert_eq!(writer.next_sequence, 101);
        assert_eq!(writer.outcome(36), None);
        for sequence in 37..=100 {
            assert_eq!(writer.outcome(sequence), Some(outcome(sequence)));
        }
        assert_eq!(writer.outcome(101), None);
        assert_eq!(writer.state().outcomes.len(), 64);
    }

    #[test]
    fn it_reads_back_whole() {
        for batches in [0, 1, 64, 100] {
            let writer = writer(batches);
            assert_eq!(Writer::decode(b"k", &writer.encode(b"k")).unwrap(), writer);
        }
    }

    #[test]
    fn a_full_ring_fits_a_leaf_page() {
        let mut writer = Writer::default();
        writer.open(0);
        for sequence in 1..=64 {
            let rejected = RejectCounts::default();
            writer.advance(
                0,
                &Outcome {
                    rejected,
                    ..outcome(sequence)
                },
            );
        }
        assert!(writer.encode(b"k").len() < 2_000, "{}", writer.encode(b"k").len());
    }

    #[test]
    fn only_the_next_batch_of_the_epoch_in_force_passes() {
        let writer = writer(3);
        let advance = |epoch, sequence| WriterAdvance {
            name: "w".into(),
            epoch,
            sequence,
            hash: 0,
        };
        writer.check(&advance(1, 4)).unwrap();
        assert_eq!(writer.check(&advance(0, 4)).unwrap_err().kind(), Kind::Fenced);
        assert_eq!(writer.check(&advance(2, 4)).unwrap_err().reason(), "WRITER_NOT_OPEN");
        for sequence in [3, 5] {
            let error = writer.check(&advance(1, sequence)).unwrap_err();
            assert_eq!(error.kind(), Kind::OutOfRange);
            assert!(error.message().contains("expected 4"));
        }
    }
}
