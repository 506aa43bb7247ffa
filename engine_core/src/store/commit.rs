//! The committer: one thread, the only one that opens write transactions. It has no timer: it commits at once when idle, and
//! what arrives meanwhile forms its next group. It does no work by the row.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::ahead::Ahead;
use super::change::{Base, Change, Failure, Pending};
use super::fault::{self, OrFault};
use super::hot::Hot;
use super::item::{Committed, Queued};
use super::keys;
use super::lock::HOT;
use super::queue::{Control, Next, Work};
use super::sealer;
use super::shared::Shared;
use super::stream::{NamespaceId, Stream};
use super::tables::Table;
use super::tail::TailBatch;
use super::writers::{Outcome, not_open};
use crate::error::{Error, Kind, Result};
use crate::time::Timestamp;
use crate::window::watermark::Watermark;

/// The committer's own state: what is durable.
pub(super) struct Committer {
    shared: Arc<Shared>,
    base: Base,
    ahead: Ahead,
}

/// Runs the committer until the store is closed. A panic ends it: whoever set the hook ends the process.
pub(super) fn run(shared: &Arc<Shared>, base: Base) {
    let mut committer = Committer {
        shared: Arc::clone(shared),
        base,
        ahead: Ahead::of(&shared.directory.file(HOT)),
    };
    if catch_unwind(AssertUnwindSafe(|| committer.work())).is_err() {
        shared.set_failed();
        for work in shared.queue.abandon() {
            let error = Error::internal("the committer has stopped");
            match work {
                Work::Rows(item) => item.tell(Err(error)),
                Work::Control(control) => (control.answer)(Err(error)),
                Work::Stop => {}
            }
        }
        shared.call_hook();
    }
}

/// A stream's part of a group.
struct Share {
    stream: Arc<Stream>,
    items: Vec<usize>,
    commit: u64,
    /// The clock of the transaction: the watermark on the disk and the one in memory are moved by the same instant.
    now: Timestamp,
    mark: Watermark,
    /// Greatest time of its rows; none without rows.
    max_time: Option<i64>,
    /// Number and group of the L0 value that holds its rows.
    l0: (u64, u64),
}

impl Committer {
    fn work(&mut self) {
        loop {
            match self.shared.queue.take(self.shared.options.group_bytes as u64) {
                Next::Group(items) => self.rows(items),
                Next::Control(control) => self.control(control),
                Next::Stop => break,
            }
        }
        self.stop();
    }

    /// Runs one transaction; a broken environment is closed and opened again for the next.
    fn transact<T>(&mut self, write: impl FnOnce(&mut Change<'_>) -> Result<T>) -> Result<(T, Pending)> {
        let clock = Arc::clone(&self.shared.options.clock);
        let began = clock.monotonic_ns();
        let done = match self.attempt(write) {
            Ok(done) => done,
            Err(failure) => {
                if failure.error.kind() == Kind::StoreFull {
                    self.shared.set_full(true);
                }
                if failure.reopen || self.is_broken() {
                    // If it cannot be opened now, the next transaction tries again and says why.
                    let _ = self.reopen();
                }
                return Err(failure.error);
            }
        };
        let took = clock.monotonic_ns().saturating_sub(began);
        self.shared.meters().commit(u64::try_from(took).unwrap_or(0));
        Ok(done)
    }

    fn attempt<T>(&mut self, write: impl FnOnce(&mut Change<'_>) -> Result<T>) -> Result<(T, Pending), Failure> {
        if self.shared.hot().is_none() {
            self.reopen()?;
        }
        let shared = Arc::clone(&self.shared);
        let guard = shared.hot();
        let hot = guard
            .as_ref()
            .ok_or_else(|| fault::store_full("the environment could not be opened again"))?;
        let mut change = Change::begin(&shared, hot, &self.base)?;
        let value = write(&mut change)?;
        Ok((value, change.commit()?))
    }

    /// Whether LMDB refuses every write until the environment is opened again.
    fn is_broken(&self) -> bool {
        let hot = self.shared.hot();
        hot.as_ref()
            .is_some_and(|hot| hot.write().is_err_and(|error| fault::needs_reopening(&error)))
    }

    /// Closes the environment, checks its file and opens it again: what LMDB asks for after a failed write of a meta page.
    /// If that fails it is tried again with the next transaction.
    fn reopen(&mut self) -> Result<()> {
        let mut place = self.shared.hot_mut();
        *place = None;
        // LMDB takes a failed meta page back without a sync: until that is durable nothing may be written over what it names.
        let file = self.shared.directory.file(HOT);
        fs::File::open(file).and_then(|file| file.sync_all()).or_fault()?;
        let hot = Hot::open(&self.shared.directory, self.shared.options.map_size)?;
        let stamp = hot.stamp(&*hot.read()?)?;
        // A commit that was reported as failed and is on the disk all the same: memory would contradict the disk. The process
        // ends by the hook, and the next one reads back what is there.
        assert_eq!(stamp, self.base.stamp, "the disk holds another commit than memory");
        *place = Some(hot);
        Ok(())
    }

    fn rows(&mut self, items: Vec<Queued>) {
        if !self.shared.has_room() {
            self.shared.set_full(true);
            for item in items {
                self.refuse(item, fault::store_full("below the floor of free bytes"));
            }
            return;
        }
        let mut slots: Vec<Option<Queued>> = items.into_iter().map(Some).collect();
        let mut refused = Vec::new();
        let written = self.transact(|change| write_group(change, &mut slots, &mut refused));
        for (item, error) in refused {
            self.refuse(item, error);
        }
        match written {
            Ok((shares, pending)) => {
                self.shared.set_full(false);
                let is_full = self.publish(slots, shares, pending);
                if is_full || self.shared.held_bytes().0 > self.shared.options.tail_limit_bytes / 2 {
                    self.shared.sealer.wake();
                }
                self.write_ahead();
            }
            Err(error) => {
                for item in slots.into_iter().flatten() {
                    self.refuse(item, error.clone());
                }
            }
        }
    }

    /// Once everybody is answered: room for the groups to come, unless the disk is nearly full.
    fn write_ahead(&mut self) {
        let shared = &self.shared;
        let Some(used) = shared.hot().as_ref().map(Hot::used_bytes) else {
            return;
        };
        self.ahead
            .keep(used, || shared.directory.spare_bytes(shared.options.min_free_bytes));
    }

    fn refuse(&self, item: Queued, error: Error) {
        self.shared.settle(item.bytes, 0);
        item.tell(Err(error));
    }

    /// The group is durable: rows into the tails, then the commit numbers, then the answers. Whether a tail is full of rows.
    fn publish(&mut self, mut slots: Vec<Option<Queued>>, shares: Vec<Share>, pending: Pending) -> bool {
        let shared = Arc::clone(&self.shared);
        let tick = shared.options.clock.monotonic_ns();
        let tails = || {
            for share in &shares {
                let (mut rows, mut bytes) = (0, 0);
                for &index in &share.items {
                    let Some(item) = slots[index].as_mut() else { continue };
                    let mut ledger = share.stream.ledger();
                    ledger.received += item.received;
                    ledger.stored += item.stored();
                    ledger.rejected.merge(&item.rejected);
                    ledger.late += item.late;
                    drop(ledger);
                    rows += item.stored();
                    bytes += item.message_bytes;
                    let Some(packed) = item.batch.take() else {
                        shared.settle(item.bytes, 0);
                        continue;
                    };
                    shared.settle(item.bytes, packed.bytes().len() as u64);
                    share.stream.push_batch(TailBatch {
                        commit: share.commit,
                        l0: share.l0,
                        arrived_ns: share.now,
                        packed,
                    });
                }
                shared
                    .meters()
                    .stored(tick, (share.stream.namespace, share.stream.id), rows, bytes);
            }
        };
        pending.apply(&mut self.base, &shared, tails);
        for share in &shares {
            // After the commit is published: whoever sees the watermark sees the rows that moved it.
            if let Some(max_time) = share.max_time {
                let policy = share.stream.policy();
                share.stream.watermark_state().observe(max_time, share.now, &policy);
            }
        }
        let is_full = shares
            .iter()
            .any(|share| share.stream.tail_size().0 >= sealer::FULL_ROWS);
        for share in shares {
            let committed = Committed {
                commit: share.commit,
                watermark_ns: share.mark.reached(),
            };
            for index in share.items {
                if let Some(item) = slots[index].take() {
                    item.tell(Ok(committed));
                }
            }
        }
        is_full
    }

    fn control(&mut self, control: Control) {
        let Control {
            mut run,
            answer,
            makes_room,
        } = control;
        let mut outcome = self.transact(|change| run(change));
        let is_full = |outcome: &Result<_>| matches!(outcome, Err(error) if error.kind() == Kind::StoreFull);
        if makes_room && is_full(&outcome) {
            self.shared.directory.release_reserve();
            outcome = self.transact(|change| run(change));
        }
        let outcome = outcome.map(|((), pending)| {
            let shared = Arc::clone(&self.shared);
            pending.apply(&mut self.base, &shared, || {});
        });
        if outcome.is_ok() {
            if makes_room && self.shared.is_full() {
                self.renew();
            }
            self.shared.directory.make_reserve(self.shared.options.min_free_bytes);
        }
        // What it holds, such as parts that are gone, is let go of before its outcome is known.
        drop(run);
        answer(outcome);
    }

    /// LMDB uses pages again from the second transaction after the one that freed them. On a full disk the one between might
    /// find no room, so that it is written at once, while the reserve is given back.
    fn renew(&mut self) {
        let written = self.transact(|change| {
            change.touch();
            Ok(())
        });
        if let Ok(((), pending)) = written {
            let shared = Arc::clone(&self.shared);
            pending.apply(&mut self.base, &shared, || {});
        }
    }

    /// The last transaction: duplicates counted since their stream's last commit, and the mark of a clean stop.
    fn stop(&mut self) {
        if !self.base.stamp.clean || self.has_uncounted() {
            let streams: Vec<Arc<Stream>> = self.shared.catalog().all_streams().cloned().collect();
            let written = self.transact(|change| {
                for stream in streams.iter().filter(|stream| stream.is_durable()) {
                    let ledger = *stream.ledger();
                    change.stream((stream.namespace, stream.id)).ledger = ledger;
                }
                change.mark_clean();
                Ok(())
            });
            // A disk too full for the mark leaves the store as a crash would: sound, and checked at its next opening.
            if let Ok(((), pending)) = written {
                let shared = Arc::clone(&self.shared);
                pending.apply(&mut self.base, &shared, || {});
            }
        }
        *self.shared.hot_mut() = None;
        self.shared.directory.release();
    }

    fn has_uncounted(&self) -> bool {
        let catalog = self.shared.catalog();
        catalog.all_streams().any(|stream| {
            let durable = self.base.streams.get(&(stream.namespace, stream.id));
            durable.is_some_and(|durable| durable.ledger != *stream.ledger())
        })
    }
}

/// Whether an item may be committed; its writer advances if so.
fn admit(change: &mut Change<'_>, item: &Queued) -> Result<()> {
    let stream = &item.stream;
    if stream.is_deleted() {
        return Err(if stream.is_durable() {
            super::catalog::stream_not_found(&stream.name)
        } else {
            Error::new(
                Kind::VersionConflict,
                "STREAM_REPLACED",
                format!(
                    "stream {:?} was created anew meanwhile; send the batch again",
                    stream.name
                ),
            )
        });
    }
    item.check_ledger()?;
    let now = change.now();
    let writer = match &item.writer {
        None => None,
        Some(advance) => {
            let writer = change
                .writer(stream.namespace, &advance.name)
                .ok_or_else(|| not_open(&advance.name))?;
            if writer.is_expired(now) {
                return Err(super::writers::expired(&advance.name));
            }
            writer.check(advance)?;
            Some((advance, writer.into_owned()))
        }
    };
    let commit = change.commit_number(stream.namespace)?;
    if let Some((advance, mut writer)) = writer {
        let outcome = Outcome {
            sequence: advance.sequence,
            hash: advance.hash,
            commit,
            stored: item.stored(),
            rejected: item.rejected,
            late: item.late,
        };
        writer.advance(now, &outcome);
        change.set_writer(stream.namespace, &advance.name, writer);
    }
    Ok(())
}

/// Writes a group. Items that may not be committed are moved to `refused` and do not sink the others.
fn write_group(
    change: &mut Change<'_>,
    slots: &mut [Option<Queued>],
    refused: &mut Vec<(Queued, Error)>,
) -> Result<Vec<Share>> {
    let mut by_stream: BTreeMap<(NamespaceId, u32), Share> = BTreeMap::new();
    for (index, slot) in slots.iter_mut().enumerate() {
        let Some(item) = slot.take() else { continue };
        if let Err(error) = admit(change, &item) {
            refused.push((item, error));
            continue;
        }
        let (commit, now) = (change.commit_number(item.stream.namespace)?, change.now());
        let share = by_stream
            .entry((item.stream.namespace, item.stream.id))
            .or_insert_with(|| Share {
                stream: Arc::clone(&item.stream),
                items: Vec::new(),
                commit,
                now,
                mark: *item.stream.watermark_state(),
                max_time: None,
                l0: (0, 0),
            });
        share.items.push(index);
        *slot = Some(item);
    }
    let mut shares: Vec<Share> = by_stream.into_values().collect();
    for share in &mut shares {
        write_share(change, share, slots)?;
    }
    Ok(shares)
}

fn write_share(change: &mut Change<'_>, share: &mut Share, slots: &mut [Option<Queued>]) -> Result<()> {
    let stream = &share.stream;
    let id = (stream.namespace, stream.id);
    change.flush_stream(stream)?;
    let policy = stream.policy();
    let mut ledger = *stream.ledger();
    for &index in &share.items {
        let Some(item) = slots[index].as_mut() else { continue };
        ledger.received += item.received;
        ledger.stored += item.stored();
        ledger.rejected.merge(&item.rejected);
        ledger.late += item.late;
        if let Some(batch) = &item.batch {
            share.max_time = share.max_time.max(Some(batch.max_time()));
            share.mark.observe(batch.max_time(), share.now, &policy);
        }
        for chunk in std::mem::take(&mut item.quarantine) {
            quarantine(change, id, chunk)?;
        }
    }
    let batches: Vec<_> = share
        .items
        .iter()
        .filter_map(|&index| slots[index].as_ref()?.batch.as_ref())
        .collect();
    if !batches.is_empty() {
        share.l0 = change.append_l0(id, share.commit, &batches)?;
    }
    let counters = change.stream(id);
    counters.ledger = ledger;
    counters.max_time = share.mark.max_time;
    counters.last_arrival = share.mark.last_arrival;
    counters.watermark = share.mark.reached();
    Ok(())
}

/// Keeps quarantined rows while the namespace has room for them, and counts those it has none for.
fn quarantine(change: &mut Change<'_>, id: (NamespaceId, u32), chunk: super::quarantine::Chunk) -> Result<()> {
    let (rows, bytes) = (chunk.rows, chunk.bytes());
    let limit = change.shared().options.quarantine_limit_bytes;
    let namespace = change.namespace(id.0)?;
    if namespace.quarantine_bytes + bytes > limit {
        namespace.quarantine_overflow += rows;
        change.stream(id).quarantine_overflow += rows;
        return Ok(());
    }
    namespace.quarantine_bytes += bytes;
    let counters = change.stream(id);
    counters.quarantine_bytes += bytes;
    let number = counters.quarantine_next;
    counters.quarantine_next += 1;
    let key = keys::quarantine(id.0, id.1, number);
    change.put(Table::Quarantine, &key, &chunk.seal(&key))
}

impl Shared {
    /// Runs a change on the committer and waits for it. Never from the committer's own thread.
    pub(super) fn change<T: Send + 'static>(
        &self,
        makes_room: bool,
        mut run: impl FnMut(&mut Change<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = crossbeam_channel::bounded(1);
        let value = Arc::new(std::sync::Mutex::new(None));
        let slot = Arc::clone(&value);
        let control = Control {
            run: Box::new(move |change| {
                let made = run(change)?;
                *slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(made);
                Ok(())
            }),
            answer: Box::new(move |outcome| {
                // Whoever asked may have given up.
                let _ = answer.send(outcome);
            }),
            makes_room,
        };
        if self.queue.push(Work::Control(control)).is_err() {
            return Err(fault::shutting_down());
        }
        answered
            .recv()
            .unwrap_or_else(|_| Err(Error::internal("the committer has stopped")))?;
        let mut value = value.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        value.take().ok_or_else(|| Error::internal("a change made no value"))
    }

    /// Reads the environment; the store may be closed, or be opening it again.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Hot) -> Result<T>) -> Result<T> {
        let hot = self.hot();
        read(hot.as_ref().ok_or_else(fault::shutting_down)?)
    }
}
