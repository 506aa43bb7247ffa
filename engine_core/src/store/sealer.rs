//! When rows are sealed, and how a seal is published. One thread, in the background; one seal at a time, whoever asks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::fault::{self, OrFault};
use super::keys;
use super::manifest::{PartHandle, PartRecord};
use super::part::build::Description;
use super::part::{Identity, file};
use super::rows::Rows;
use super::seal::{self, Input, Sealed};
use super::shared::Shared;
use super::stream::{NamespaceId, Stream};
use super::tables::Table;
use super::tail::TailBatch;
use super::tiles::{self, Tiles};
use crate::error::{Error, Result};
use crate::time::SECOND_NS;

/// Rows of a tail at which they are sealed.
const FULL_ROWS: u64 = 4 << 20;
/// Rows of a tail at which they are sealed once their tile is behind the watermark.
const DONE_ROWS: u64 = 256 << 10;
/// Age of the oldest row at which a tail is sealed however small it is.
const OLD_NS: i64 = 24 * 3_600 * SECOND_NS;
/// Rows of a seal at most, up to the L0 value that reaches them.
const MOST_ROWS: u64 = 8 << 20;
/// How often the rules are looked at that time alone can fulfil.
const LOOK: Duration = Duration::from_secs(1);
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
    doubtful: Mutex<Vec<Identity>>,
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

    fn is_stopped(&self) -> bool {
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

    /// Lets queries have half a core: after work while any runs or waits, as long a pause.
    fn pause(&self, worked: Duration) -> Result<()> {
        if self.is_stopped() {
            return Err(fault::shutting_down());
        }
        if self.queries.load(Ordering::Relaxed) > 0 {
            std::thread::sleep(worked.min(Duration::from_millis(50)));
        }
        Ok(())
    }
}

/// Runs until the sealer is stopped.
pub(super) fn run(shared: &Arc<Shared>) {
    let mut wait = LOOK;
    while shared.sealer.wait(wait) {
        wait = LOOK;
        while let Some(stream) = due(shared) {
            if let Err(error) = seal_once(shared, &stream, u64::MAX) {
                shared.note_seal_failure(&error);
                wait = RETRY;
                break;
            }
        }
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

/// Seals the oldest rows of a stream, those of L0 values up to number `through`. None: there were none.
pub(super) fn seal_once(shared: &Arc<Shared>, stream: &Arc<Stream>, through: u64) -> Result<Option<SealReport>> {
    let _turn = shared.sealer.turn.lock().unwrap_or_else(PoisonError::into_inner);
    remove_unnamed(shared)?;
    let snapshot = stream.snapshot();
    let Some(prefix) = prefix_of(snapshot.batches(), through) else {
        return Ok(None);
    };
    let bytes: u64 = prefix
        .batches
        .iter()
        .map(|batch| batch.packed.bytes().len() as u64)
        .sum();
    // Never larger than the batches, but for headers: a disk that has no room for them is not written to.
    let spare = shared.directory.spare_bytes(shared.options.min_free_bytes);
    if spare < bytes + (1 << 20) {
        return Err(fault::store_full("no room for a part"));
    }
    let width = width_of(&prefix.batches);
    let sources: Vec<Rows> = prefix
        .batches
        .iter()
        .map(|batch| Rows::Batch(Arc::clone(batch)))
        .collect();
    let tiles = Tiles::new(snapshot.parts().iter().map(|part| part.record.tile));
    let parts = build(shared, stream, &sources, tiles, width, prefix.l0, prefix.commit)?;
    let written = write(shared, &parts)?;
    let report = SealReport {
        rows: prefix.rows,
        parts: written.len() as u64,
        bytes: written.iter().map(|(_, record)| record.bytes).sum(),
    };
    let (l0, groups, rows) = (prefix.l0, prefix.groups, prefix.rows);
    publish(
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
    Ok(Some(report))
}

/// Builds parts from rows, one a tile.
fn build(
    shared: &Arc<Shared>,
    stream: &Arc<Stream>,
    sources: &[Rows],
    tiles: Tiles,
    width: i64,
    l0: (u64, u64),
    commit: u64,
) -> Result<Vec<Sealed>> {
    let (schema_version, made_ns) = (stream.schema().version, shared.options.clock.now());
    let mut describe = |tile, rows| Description {
        store_id: shared.store_id,
        identity: keys::part(stream.namespace, stream.id, stream.take_part_number()),
        tile,
        rows,
        l0,
        commit,
        schema_version,
        made_ns,
    };
    let mut began = Instant::now();
    let mut rest = || {
        shared.sealer.pause(began.elapsed())?;
        began = Instant::now();
        Ok(())
    };
    seal::seal(Input {
        stream,
        sources,
        tiles,
        width,
        describe: &mut describe,
        rest: &mut rest,
    })
}

/// Writes parts to their files. A failure leaves none.
fn write(shared: &Shared, parts: &[Sealed]) -> Result<Vec<(Identity, PartRecord)>> {
    let mut written = Vec::new();
    let mut write_all = || {
        for part in parts {
            let root = &part.built.root;
            let identity = part.built.identity;
            let (new, path) = (
                shared.registry.path(&identity, true),
                shared.registry.path(&identity, false),
            );
            let bytes = file::write(&part.built, &new, &path)?;
            let record = PartRecord {
                tile: part.tile,
                rows: root.rows,
                bytes,
                times: root.times,
                entities: part.entities,
                l0: root.l0,
                commit: root.commit,
                root_crc: part.built.root_crc,
                made_ns: root.made_ns,
            };
            written.push((identity, record));
            shared.sealer.pause(Duration::ZERO)?;
        }
        shared.registry.sync()
    };
    let outcome = write_all();
    if outcome.is_err() {
        remove_files(shared, written.iter().map(|(identity, _)| identity));
    }
    outcome.map(|()| written)
}

/// Publishes parts in the place of others in one transaction with what `also` changes. `next_l0`: number of the first L0 value that
/// stays in the tail. A failure removes the files that were to be published.
fn publish(
    shared: &Arc<Shared>,
    stream: &Arc<Stream>,
    parts: &[(Identity, PartRecord)],
    replaced: &[Arc<PartHandle>],
    mut also: impl FnMut(&mut super::change::Change<'_>, (NamespaceId, u32)) -> Result<()> + Send + 'static,
    next_l0: u64,
) -> Result<()> {
    let (added, target, gone) = (parts.to_vec(), Arc::clone(stream), replaced.to_vec());
    let outcome = shared.change(false, move |change| {
        if target.is_deleted() {
            return Err(super::catalog::stream_not_found(&target.name));
        }
        let id = (target.namespace, target.id);
        also(change, id)?;
        let replaced: Vec<(Identity, PartRecord)> = gone.iter().map(|part| (part.identity, part.record)).collect();
        change.remove_parts(id, &replaced)?;
        change.add_parts(id, &added)?;
        let (stream, added, gone) = (Arc::clone(&target), added.clone(), gone.clone());
        change.after(move |shared| {
            let handle = |(identity, record): &(Identity, PartRecord)| {
                Arc::new(PartHandle::new(*identity, *record, &stream.name, &shared.registry))
            };
            let kept = stream.parts();
            let kept = kept
                .iter()
                .filter(|part| !gone.iter().any(|other| Arc::ptr_eq(other, part)));
            let mut parts: Vec<Arc<PartHandle>> = kept.cloned().chain(added.iter().map(handle)).collect();
            parts.sort_by_key(|part| (part.record.l0.0, part.record.tile, part.number()));
            shared.release(stream.set_parts(parts, next_l0));
            shared.unlink(&gone);
        });
        Ok(())
    });
    if outcome.is_err() {
        let identities = parts.iter().map(|(identity, _)| *identity);
        let mut doubtful = shared.sealer.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
        doubtful.extend(identities);
        drop(doubtful);
        // What cannot be removed now is looked at before the next seal.
        let _ = remove_unnamed(shared);
    }
    outcome
}

/// Removes the files of parts whose publication failed. A failed commit may be on the disk all the same: what a record names stays,
/// and where that cannot be told now everything does, until it can: the next seal, or the next opening of the store.
fn remove_unnamed(shared: &Shared) -> Result<()> {
    let mut doubtful = shared.sealer.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
    if doubtful.is_empty() {
        return Ok(());
    }
    if shared.hot().is_none() {
        // A change that changes nothing has the environment opened again.
        shared.change(false, |_| Ok(()))?;
    }
    let unnamed = shared.read(|hot| {
        let (txn, table) = (hot.read()?, hot.table(Table::Parts));
        let mut unnamed = Vec::new();
        for identity in &*doubtful {
            if table.get(&txn, identity).or_fault()?.is_none() {
                unnamed.push(*identity);
            }
        }
        Ok(unnamed)
    })?;
    remove_files(shared, unnamed.iter());
    doubtful.clear();
    Ok(())
}

fn remove_files<'a>(shared: &Shared, parts: impl Iterator<Item = &'a Identity>) {
    for identity in parts {
        // One that cannot be removed now is named by no record, and goes at the next opening.
        let _ = file::remove(&shared.registry.path(identity, false));
    }
}

/// Seals all rows of a stream that are committed by now.
pub(super) fn seal_all(shared: &Arc<Shared>, stream: &Arc<Stream>) -> Result<SealReport> {
    let through = stream.snapshot().batches().map(|batch| batch.l0.0).max();
    let mut all = SealReport::default();
    while let Some(through) = through
        && let Some(report) = seal_once(shared, stream, through)?
    {
        all.rows += report.rows;
        all.parts += report.parts;
        all.bytes += report.bytes;
    }
    Ok(all)
}
