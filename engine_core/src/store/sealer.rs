//! When rows are sealed, and how a seal is published. One thread, in the background, which another helps if there is haste; one
//! seal at a time, whoever asks.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault;
use super::manifest::PartHandle;
use super::merge;
use super::pages;
use super::part::Identity;
use super::publish::{self, Origin};
use super::recode;
use super::retention;
use super::rollup;
use super::rows::Rows;
use super::shared::Shared;
use super::stream::Stream;
use super::tail::TailBatch;
use super::tiles::{self, Tiles};
use crate::codec::Codecs;
use crate::error::{Error, Kind, Result};
use crate::time::SECOND_NS;

/// Rows of a tail at which they are sealed.
pub(super) const FULL_ROWS: u64 = 4 << 20;
/// Rows of a tail at which they are sealed once their tile is behind the watermark.
const DONE_ROWS: u64 = 256 << 10;
/// Age of the oldest row at which a tail is sealed however small it is.
const OLD_NS: i64 = 24 * 3_600 * SECOND_NS;
/// Rows of a seal at most, up to the L0 value that reaches them.
const MOST_ROWS: u64 = 8 << 20;
/// How often the rules are looked at that time alone can fulfil.
const LOOK: Duration = Duration::from_secs(1);
/// How often parts are looked at for their age.
const RETENTION_EVERY_NS: i64 = 60 * SECOND_NS;
/// How long a failed seal waits for the next try.
const RETRY: Duration = Duration::from_secs(5);

/// What sealing came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealReport {
    /// Rows that were sealed.
    pub rows: u64,
    /// Parts that hold them.
    pub parts: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    is_woken: bool,
    is_stopped: bool,
}

/// What the sealing thread and those who wake it share.
#[derive(Debug, Default)]
pub(super) struct Sealer {
    state: Mutex<State>,
    ready: Condvar,
    /// Held by whoever changes the parts of a stream.
    pub(super) turn: Mutex<()>,
    /// Parts whose publication failed, and whose files are still there.
    pub(super) doubtful: Mutex<Vec<Identity>>,
    /// Queries that run or wait: sealing leaves them half a core.
    queries: AtomicUsize,
}

/// Counts a query for as long as it lives.
#[derive(Debug)]
pub struct QueryGuard(Arc<Shared>);

impl QueryGuard {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        shared.sealer.queries.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for QueryGuard {
    fn drop(&mut self) {
        self.0.sealer.queries.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Sealer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the rules looked at now.
    pub(super) fn wake(&self) {
        self.state().is_woken = true;
        self.ready.notify_all();
    }

    /// Ends the thread at its next rest.
    pub(super) fn stop(&self) {
        self.state().is_stopped = true;
        self.ready.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state().is_stopped
    }

    /// Waits until it is woken, or for a while. False once it is stopped.
    fn wait(&self, at_most: Duration) -> bool {
        let waiting = self
            .ready
            .wait_timeout_while(self.state(), at_most, |state| !state.is_woken && !state.is_stopped);
        let (mut state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        state.is_woken = false;
        !state.is_stopped
    }

    /// Waits for a while, or until it is stopped.
    pub(super) fn sleep(&self, at_most: Duration) {
        drop(
            self.ready
                .wait_timeout_while(self.state(), at_most, |state| !state.is_stopped),
        );
    }

    /// Lets queries have half a core: after work while any runs or waits, as long a pause.
    pub(super) fn pause(&self, worked: Duration) -> Result<()> {
        if self.is_stopped() {
            return Err(fault::shutting_down());
        }
        if self.queries.load(Ordering::Relaxed) > 0 {
            self.sleep(worked.min(Duration::from_millis(50)));
        }
        Ok(())
    }
}

/// Runs until the sealer is stopped.
pub(super) fn run(shared: &Arc<Shared>) {
    let (mut wait, mut upkeep) = (LOOK, Upkeep::default());
    while shared.sealer.wait(wait) {
        wait = LOOK;
        shared.forget_past();
        while let Some(stream) = due(shared) {
            if let Err(error) = seal_once(shared, &stream, u64::MAX, false) {
                shared.note_seal_failure(&error);
                wait = RETRY;
                break;
            }
        }
        match upkeep.look(shared) {
            // Between two parts rows are looked at that may have to be sealed.
            Ok(true) if wait == LOOK => wait = Duration::ZERO,
            Ok(_) => {}
            Err(error) if error.reason() == fault::GIVES_WAY => {}
            Err(error) => {
                shared.note_seal_failure(&error);
                wait = RETRY;
            }
        }
    }
}

/// What is done to parts in the background besides making them.
#[derive(Default)]
struct Upkeep {
    /// Parts that could not be read: merging or recoding them is not tried again until the store is opened again.
    unreadable: HashSet<Identity>,
    last_retention_ns: i64,
}

impl Upkeep {
    /// Retention first, of all streams: it makes the room that merging may lack. At the end a part that lacks rollups or
    /// has become cold, if no other is to be merged; true if there may be more of these.
    fn look(&mut self, shared: &Arc<Shared>) -> Result<bool> {
        let mut streams: Vec<Arc<Stream>> = shared.catalog().all_streams().cloned().collect();
        streams.retain(|stream| stream.is_durable() && !stream.is_deleted());
        let now = shared.options.clock.now();
        if now.saturating_sub(self.last_retention_ns) >= RETENTION_EVERY_NS {
            for stream in &streams {
                retention::apply(shared, stream, false, &self.unreadable)?;
            }
            self.last_retention_ns = now;
        }
        for stream in &streams {
            while let Some(parts) = merge::due(&stream.parts(), &self.unreadable) {
                match merge::merge(shared, stream, &parts) {
                    Err(error) if error.kind() == Kind::Corrupt => self.note_unreadable(shared, &parts, &error),
                    other => other?,
                }
            }
        }
        for stream in &streams {
            if let Some(due) = rollup::due(stream, now, &self.unreadable) {
                match rollup::catch_up(shared, stream, &due) {
                    Err(error) if error.kind() == Kind::Corrupt => self.note_unreadable(shared, &[due.0], &error),
                    other => other?,
                }
                return Ok(true);
            }
        }
        for stream in &streams {
            if let Some(part) = recode::due(stream, now, &self.unreadable) {
                match recode::recode(shared, stream, &part) {
                    Err(error) if error.kind() == Kind::Corrupt => self.note_unreadable(shared, &[part], &error),
                    other => drop(other?),
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn note_unreadable(&mut self, shared: &Shared, parts: &[Arc<PartHandle>], error: &Error) {
        self.unreadable.extend(parts.iter().map(|part| part.identity));
        shared.note_seal_failure(error);
    }
}

/// The stream to seal next, if any is due.
fn due(shared: &Shared) -> Option<Arc<Stream>> {
    let now = shared.options.clock.now();
    let streams: Vec<Arc<Stream>> = shared.catalog().all_streams().cloned().collect();
    let mut largest: Option<(u64, Arc<Stream>)> = None;
    let mut all_bytes = 0;
    for stream in streams
        .into_iter()
        .filter(|stream| stream.is_durable() && !stream.is_deleted())
    {
        let (rows, bytes) = stream.tail_size();
        if rows == 0 {
            continue;
        }
        let is_old = || {
            stream
                .oldest_arrival()
                .is_some_and(|arrived| now.saturating_sub(arrived) >= OLD_NS)
        };
        if rows >= FULL_ROWS || is_old() || (rows >= DONE_ROWS && is_done(&stream, now)) {
            return Some(stream);
        }
        all_bytes += bytes;
        if largest.as_ref().is_none_or(|(most, _)| bytes > *most) {
            largest = Some((bytes, stream));
        }
    }
    largest
        .filter(|_| all_bytes > shared.options.tail_limit_bytes / 2)
        .map(|(_, stream)| stream)
}

/// Whether the tile of the oldest row in a stream's tail is behind its watermark.
fn is_done(stream: &Stream, now: i64) -> bool {
    let Some(watermark) = stream.watermark(now) else {
        return false;
    };
    let batches: Vec<Arc<TailBatch>> = stream.snapshot().batches().cloned().collect();
    let Some(first) = batches.iter().map(|batch| batch.packed.min_time()).min() else {
        return false;
    };
    let width = width_of(&batches);
    let (start, width) = Tiles::new(stream.parts().iter().map(|part| part.record.tile)).tile(first, width);
    i128::from(start) + i128::from(width) <= i128::from(watermark)
}

/// Width of new tiles for these batches, from the rate of their rows: a tenth of them at either end in time does not count, so that
/// a row of long ago changes nothing.
fn width_of(batches: &[Arc<TailBatch>]) -> i64 {
    let mut spans: Vec<(i64, i64, u64)> = Vec::new();
    for batch in batches {
        let packed = &batch.packed;
        spans.extend((0..packed.blocks()).map(|block| {
            let (least, greatest) = packed.time_bounds(block);
            (least, greatest, packed.block_rows(block) as u64)
        }));
    }
    let all: u64 = spans.iter().map(|span| span.2).sum();
    let mut at = |key: fn(&(i64, i64, u64)) -> i64, share: u64| {
        spans.sort_unstable_by_key(key);
        let mut before = 0;
        let found = spans.iter().find(|span| {
            before += span.2;
            before * 10 >= all * share
        });
        found.map_or(0, key)
    };
    let (first, last) = (at(|span| span.0, 1), at(|span| span.1, 9));
    tiles::width_for(all / 10 * 8 + 1, first, last.max(first))
}

/// The oldest batches of a tail, whole L0 values, up to so many rows; with the first and the next number of the values, and the
/// groups that wrote them.
struct Prefix {
    batches: Vec<Arc<TailBatch>>,
    l0: (u64, u64),
    groups: Vec<u64>,
    rows: u64,
    commit: u64,
}

fn prefix_of<'a>(batches: impl Iterator<Item = &'a Arc<TailBatch>>, through: u64) -> Option<Prefix> {
    let mut prefix: Option<Prefix> = None;
    for batch in batches {
        let (number, group) = batch.l0;
        let taken = prefix.get_or_insert_with(|| Prefix {
            batches: Vec::new(),
            l0: (number, number),
            groups: Vec::new(),
            rows: 0,
            commit: 0,
        });
        if number == taken.l0.1 {
            if taken.rows >= MOST_ROWS || number > through {
                break;
            }
            taken.l0.1 += 1;
            taken.groups.push(group);
        }
        taken.rows += batch.packed.rows() as u64;
        taken.commit = taken.commit.max(batch.commit);
        taken.batches.push(Arc::clone(batch));
    }
    prefix.filter(|prefix| prefix.rows > 0)
}

/// Whether a second thread may help with a seal now: somebody waits for it, or tails are so full that writers will soon be held up;
/// and no query wants the core.
fn helps(shared: &Shared, is_awaited: bool) -> bool {
    let is_urgent = || is_awaited || shared.held_bytes().0 > shared.options.tail_limit_bytes / 2;
    shared.options.seal_threads > 1
        && shared.sealer.queries.load(Ordering::Relaxed) == 0
        && is_urgent()
        && !shared.sealer.is_stopped()
}

/// Seals the oldest rows of a stream, those of L0 values up to number `through`; `is_awaited`: somebody waits for it. None: there
/// were none.
fn seal_once(shared: &Arc<Shared>, stream: &Arc<Stream>, through: u64, is_awaited: bool) -> Result<Option<SealReport>> {
    let _turn = shared.sealer.turn.lock().unwrap_or_else(PoisonError::into_inner);
    publish::remove_unnamed(shared)?;
    let snapshot = stream.snapshot();
    let Some(prefix) = prefix_of(snapshot.batches(), through) else {
        return Ok(None);
    };
    let bytes: u64 = prefix
        .batches
        .iter()
        .map(|batch| batch.packed.bytes().len() as u64)
        .sum();
    // Parts are hardly ever larger than the batches they are made of.
    shared.has_room_for(bytes)?;
    let width = width_of(&prefix.batches);
    let sources: Vec<Rows> = prefix
        .batches
        .iter()
        .map(|batch| Rows::Batch(Arc::clone(batch)))
        .collect();
    let tiles = Tiles::new(snapshot.parts().iter().map(|part| part.record.tile));
    let origin = Origin {
        l0: prefix.l0,
        commit: prefix.commit,
        codecs: Codecs::Hot,
    };
    let helps = || helps(shared, is_awaited);
    let parts = publish::build(shared, stream, &sources, tiles, width, origin, &helps)?;
    let written = publish::write_with_rollups(shared, stream, &parts, &helps)?;
    let of_rows = || written.iter().filter(|(_, record)| record.rollup.is_none());
    let report = SealReport {
        rows: prefix.rows,
        parts: of_rows().count() as u64,
        bytes: of_rows().map(|(_, record)| record.bytes).sum(),
    };
    let (l0, groups, rows) = (prefix.l0, prefix.groups, prefix.rows);
    publish::publish(
        shared,
        stream,
        &written,
        &[],
        move |change, id| {
            if change.stream(id).l0_first != l0.0 {
                return Err(Error::internal("the first L0 value is not the one that was sealed"));
            }
            change.remove_l0(id, &groups, rows)
        },
        l0.1,
    )?;
    shared.note_seal(&report);
    if let Err(error) = pages::pack(shared, stream) {
        // The rows are sealed all the same, and texts lie where they lay.
        shared.note_seal_failure(&error);
    }
    Ok(Some(report))
}

/// Seals all rows of a stream that are committed by now.
pub(super) fn seal_all(shared: &Arc<Shared>, stream: &Arc<Stream>) -> Result<SealReport> {
    let through = stream.snapshot().batches().map(|batch| batch.l0.0).max();
    let mut all = SealReport::default();
    while let Some(through) = through
        && let Some(report) = seal_once(shared, stream, through, true)?
    {
        all.rows += report.rows;
        all.parts += report.parts;
        all.bytes += report.bytes;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, StoreOptions};

    #[test]
    fn a_second_thread_helps_where_there_is_haste_and_no_query() {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            map_size: 1 << 24,
            reserve_bytes: 0,
            min_free_bytes: 0,
            seals: false,
            scrub_bytes_per_second: 0,
            seal_threads: 2,
            ..StoreOptions::default()
        };
        let store = Store::open(dir.path(), options).unwrap();
        let shared = &store.shared;
        assert!(helps(shared, true) && !helps(shared, false));
        let half = shared.options.tail_limit_bytes / 2;
        shared.reserve(half).unwrap();
        assert!(!helps(shared, false));
        shared.reserve(1).unwrap();
        assert!(helps(shared, false));
        let queries = [store.query_guard(), store.query_guard()];
        assert!(!helps(shared, true) && !helps(shared, false));
        drop(queries);
        assert!(helps(shared, true));
        store.close().unwrap();
        assert!(!helps(shared, true));
    }
}
