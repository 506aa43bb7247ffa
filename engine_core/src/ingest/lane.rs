//! Lanes: the batches of each writer that are under way, in sequence.
//!
//! A batch reserves its place on the thread that submits it, is decoded on any, and is sent to the committer only after the
//! one before it. If one fails, it has not consumed its sequence, and all that is reserved behind it fails with it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Kind, Result};
use crate::store::NamespaceId;
use crate::wire::v1;

/// What became of a batch, as every asker is told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answer {
    /// As Write answers.
    pub outcome: v1::WriteResponse,
    /// Verdicts of events, encoded as the fields they are in the answer.
    pub results: Vec<u8>,
}

/// Tells one asker.
pub(super) type Finish = Box<dyn FnOnce(Result<Arc<Answer>>) + Send>;

/// Hands a batch to the committer.
pub(super) type Dispatch = Box<dyn FnOnce() + Send>;

/// A writer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct WriterKey {
    /// Its namespace.
    pub namespace: NamespaceId,
    /// Its name.
    pub name: String,
}

#[derive(Default)]
struct Progress {
    hash: Option<u128>,
    outcome: Option<Result<Arc<Answer>>>,
    waiting: Vec<(Option<u128>, Finish)>,
}

/// A batch's place in its writer's lane, and all who wait for its outcome.
pub(super) struct Slot {
    key: WriterKey,
    /// Its sequence.
    pub sequence: u64,
    progress: Mutex<Progress>,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the hash of the batch.
    pub(super) fn set_hash(&self, hash: u128) {
        self.lock().hash = Some(hash);
    }

    /// Whether the outcome is known: the batch need not be decoded any more.
    pub(super) fn is_settled(&self) -> bool {
        self.lock().outcome.is_some()
    }

    /// Tells `finish` the outcome, now or when it is known; a resend says by its hash what it believes the batch to be.
    pub(super) fn attach(&self, hash: Option<u128>, finish: Finish) {
        let mut progress = self.lock();
        match progress.outcome.clone() {
            None => progress.waiting.push((hash, finish)),
            Some(outcome) => {
                let known = progress.hash;
                drop(progress);
                finish(self.judge(outcome, known, hash));
            }
        }
    }

    fn judge(&self, outcome: Result<Arc<Answer>>, known: Option<u128>, hash: Option<u128>) -> Result<Arc<Answer>> {
        if outcome.is_ok() && hash.is_some() && hash != known {
            return Err(reused(&self.key.name, self.sequence));
        }
        outcome
    }

    /// Tells everybody; a second outcome is not heard.
    fn settle(&self, outcome: &Result<Arc<Answer>>) {
        let mut progress = self.lock();
        if progress.outcome.is_some() {
            return;
        }
        progress.outcome = Some(outcome.clone());
        let (known, waiting) = (progress.hash, std::mem::take(&mut progress.waiting));
        drop(progress);
        for (hash, finish) in waiting {
            finish(self.judge(outcome.clone(), known, hash));
        }
    }
}

/// The error of a sequence that other bytes have been sent under.
pub(super) fn reused(writer: &str, sequence: u64) -> Error {
    Error::new(
        Kind::AlreadyExists,
        "SEQUENCE_REUSED",
        format!("writer {writer:?} sent batch {sequence} before, with other bytes"),
    )
    .at("sequence")
}

fn gap(writer: &str, expected: u64, found: u64) -> Error {
    Error::new(
        Kind::OutOfRange,
        "SEQUENCE_GAP",
        format!("batches of writer {writer:?} come in sequence: expected {expected}, got {found}"),
    )
    .at("sequence")
}

/// The error of a writer that has been opened again.
pub(super) fn fenced(writer: &str, epoch: u64, found: u64) -> Error {
    Error::new(
        Kind::Fenced,
        "WRITER_FENCED",
        format!("writer {writer:?} has been opened again: its epoch is {epoch}, the batch has {found}; open it again"),
    )
    .at("epoch")
}

enum Stage {
    Decoding,
    Ready(Dispatch),
    Sent,
}

struct Lane {
    epoch: u64,
    /// Sequence that the next batch reserves.
    next: u64,
    places: VecDeque<(Arc<Slot>, Stage)>,
    /// Some thread is sending; it looks again before it stops.
    draining: bool,
}

/// Where a batch stands.
pub(super) enum Place {
    /// Next in sequence: its place is reserved.
    Next(Arc<Slot>),
    /// Under way already: a resend.
    UnderWay(Arc<Slot>),
    /// Consumed before.
    Old,
}

/// The lanes of all writers with batches under way.
#[derive(Default)]
pub(super) struct Lanes(Mutex<HashMap<WriterKey, Lane>>);

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, HashMap<WriterKey, Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds a batch its place. `durable` answers the writer's epoch and next sequence as they are stored, `admits` whether
    /// there is room for another batch.
    pub(super) fn place(
        &self,
        key: &WriterKey,
        epoch: u64,
        sequence: u64,
        durable: impl FnOnce() -> Result<(u64, u64)>,
        admits: impl FnOnce() -> Result<()>,
    ) -> Result<Place> {
        let mut lanes = self.lock();
        let (current, durable_next) = durable()?;
        if epoch < current {
            return Err(fenced(&key.name, current, epoch));
        }
        if epoch > current {
            return Err(Error::new(
                Kind::FailedPrecondition,
                "WRITER_NOT_OPEN",
                format!(
                    "epoch {epoch} of writer {:?} was never given out, the newest is {current}",
                    key.name
                ),
            )
            .at("epoch"));
        }
        let mut orphans = VecDeque::new();
        let lane = lanes.entry(key.clone()).or_insert_with(|| Lane {
            epoch,
            next: durable_next,
            places: VecDeque::new(),
            draining: false,
        });
        if lane.epoch != epoch {
            orphans = std::mem::take(&mut lane.places);
            lane.epoch = epoch;
        }
        if lane.places.is_empty() {
            lane.next = durable_next;
        }
        let first = lane.next - lane.places.len() as u64;
        let place = if sequence == lane.next {
            admits().map(|()| {
                let slot = Arc::new(Slot {
                    key: key.clone(),
                    sequence,
                    progress: Mutex::default(),
                });
                lane.places.push_back((Arc::clone(&slot), Stage::Decoding));
                lane.next += 1;
                Place::Next(slot)
            })
        } else if sequence > lane.next {
            Err(gap(&key.name, lane.next, sequence))
        } else if sequence < first {
            Ok(Place::Old)
        } else {
            Ok(Place::UnderWay(Arc::clone(&lane.places[(sequence - first) as usize].0)))
        };
        forget_if_idle(&mut lanes, key);
        drop(lanes);
        for (slot, _) in orphans {
            slot.settle(&Err(fenced(&key.name, current, current - 1)));
        }
        place
    }

    /// A batch is ready for the committer: sends it, and those ready behind it, unless one before it is not.
    pub(super) fn ready(&self, slot: &Arc<Slot>, send: Dispatch) {
        let mut lanes = self.lock();
        let Some(lane) = lanes.get_mut(&slot.key) else {
            return;
        };
        let Some((_, stage)) = lane.places.iter_mut().find(|(other, _)| Arc::ptr_eq(other, slot)) else {
            return;
        };
        *stage = Stage::Ready(send);
        if lane.draining {
            return;
        }
        lane.draining = true;
        loop {
            // The lane stays while it is being drained, and is sent from by this thread alone.
            let Some(lane) = lanes.get_mut(&slot.key) else {
                return;
            };
            let unsent = lane
                .places
                .iter_mut()
                .map(|(_, stage)| stage)
                .find(|stage| !matches!(stage, Stage::Sent));
            let send = match unsent {
                Some(stage @ Stage::Ready(_)) => match std::mem::replace(stage, Stage::Sent) {
                    Stage::Ready(send) => Some(send),
                    Stage::Decoding | Stage::Sent => None,
                },
                _ => None,
            };
            let Some(send) = send else {
                lane.draining = false;
                forget_if_idle(&mut lanes, &slot.key);
                return;
            };
            // The committer may answer at once, and its answer comes back here.
            drop(lanes);
            send();
            lanes = self.lock();
        }
    }

    /// A batch is durable.
    pub(super) fn done(&self, slot: &Arc<Slot>, answer: Arc<Answer>) {
        let mut lanes = self.lock();
        if let Some(lane) = lanes.get_mut(&slot.key)
            && let Some(at) = position(lane, slot)
        {
            lane.places.drain(..=at);
            forget_if_idle(&mut lanes, &slot.key);
        }
        drop(lanes);
        slot.settle(&Ok(answer));
    }

    /// A batch failed and has not consumed its sequence: what is behind it fails too.
    pub(super) fn fail(&self, slot: &Arc<Slot>, error: Error) {
        let mut lanes = self.lock();
        let mut behind = VecDeque::new();
        if let Some(lane) = lanes.get_mut(&slot.key)
            && let Some(at) = position(lane, slot)
        {
            behind = lane.places.split_off(at);
            lane.next = slot.sequence;
            forget_if_idle(&mut lanes, &slot.key);
        }
        drop(lanes);
        slot.settle(&Err(error));
        for (other, _) in behind.into_iter().skip(1) {
            other.settle(&Err(gap(&slot.key.name, slot.sequence, other.sequence)));
        }
    }
}

fn position(lane: &Lane, slot: &Arc<Slot>) -> Option<usize> {
    lane.places.iter().position(|(other, _)| Arc::ptr_eq(other, slot))
}

fn forget_if_idle(lanes: &mut HashMap<WriterKey, Lane>, key: &WriterKey) {
    if lanes
        .get(key)
        .is_some_and(|lane| lane.places.is_empty() && !lane.draining)
    {
        lanes.remove(key);
    }
}

#[cfg(test)]
mod tests;
