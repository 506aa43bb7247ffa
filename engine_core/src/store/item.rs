//! What ingest hands to the committer, and what comes back.

use std::sync::Arc;

use super::quarantine::{self, QuarantinedRow};
use super::stream::Stream;
use super::writers::WriterAdvance;
use crate::column::{PackedBatch, RejectCounts};
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// Told what became of an item, on the committer's thread, or at once when it is refused. It must not wait for the store.
pub type ItemDone = Box<dyn FnOnce(Result<Committed>) + Send>;

/// One decoded, validated and packed batch.
pub struct CommitItem {
    /// Stream it belongs to, which carries the namespace.
    pub stream: Arc<Stream>,
    /// Its rows; none: every row was rejected.
    pub batch: Option<PackedBatch>,
    /// Rows of the batch as received.
    pub received: u64,
    /// Rows quarantined by reason.
    pub rejected: RejectCounts,
    /// Rows stored that were late.
    pub late: u64,
    /// The quarantined rows.
    pub quarantine: Vec<QuarantinedRow>,
    /// Advances its writer, if it has one.
    pub writer: Option<WriterAdvance>,
    /// Bytes of the message, for the rates.
    pub message_bytes: u64,
    /// Told the outcome.
    pub done: ItemDone,
}

/// An item is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The namespace's commit that holds it.
    pub commit: u64,
    /// The stream's watermark then.
    pub watermark_ns: Option<Timestamp>,
}

/// Sees to it that an outcome is told, whatever happens to the item.
struct Ticket(Option<ItemDone>);

impl Ticket {
    fn tell(mut self, outcome: Result<Committed>) {
        if let Some(done) = self.0.take() {
            done(outcome);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(Err(Error::internal("the committer dropped an item")));
        }
    }
}

/// An item in the queue. All that costs time by the row has been done.
pub(super) struct Queued {
    pub(super) stream: Arc<Stream>,
    pub(super) batch: Option<PackedBatch>,
    pub(super) received: u64,
    pub(super) rejected: RejectCounts,
    pub(super) late: u64,
    pub(super) quarantine: Vec<quarantine::Chunk>,
    pub(super) writer: Option<WriterAdvance>,
    pub(super) message_bytes: u64,
    /// Bytes it holds of the tail's bound.
    pub(super) bytes: u64,
    ticket: Ticket,
}

impl Queued {
    pub(super) fn new(item: CommitItem, now: Timestamp) -> Self {
        let quarantine = quarantine::encode(&item.quarantine, now);
        let batch_bytes = item.batch.as_ref().map_or(0, |batch| batch.bytes().len() as u64);
        Self {
            bytes: batch_bytes + quarantine.iter().map(quarantine::Chunk::bytes).sum::<u64>(),
            stream: item.stream,
            batch: item.batch,
            received: item.received,
            rejected: item.rejected,
            late: item.late,
            quarantine,
            writer: item.writer,
            message_bytes: item.message_bytes,
            ticket: Ticket(Some(item.done)),
        }
    }

    /// Rows to store.
    pub(super) fn stored(&self) -> u64 {
        self.batch.as_ref().map_or(0, |batch| batch.rows() as u64)
    }

    /// Every row received must be stored or rejected; an item of which that is not true is refused.
    pub(super) fn check_ledger(&self) -> Result<()> {
        let stored = self.stored();
        if self.received != stored + self.rejected.total() || self.late > stored {
            return Err(Error::internal(format!(
                "ledger of an item: received {}, stored {stored}, rejected {}, late {}",
                self.received,
                self.rejected.total(),
                self.late
            )));
        }
        Ok(())
    }

    /// Tells the outcome.
    pub(super) fn tell(self, outcome: Result<Committed>) {
        self.ticket.tell(outcome);
    }
}
