//! From rows to parts that a stream has: built, written, and published by one transaction.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::change::Change;
use super::fault::{self, OrFault};
use super::keys;
use super::manifest::{PartHandle, PartRecord};
use super::part::build::Description;
use super::part::{Identity, file};
use super::rollup;
use super::rows::Rows;
use super::seal::{self, Input, Sealed};
use super::shared::Shared;
use super::stream::{NamespaceId, Stream};
use super::tables::Table;
use super::team::Team;
use super::tiles::Tiles;
use crate::codec::Codecs;
use crate::error::Result;

/// What the parts of some rows have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// First and next number of the L0 values that the rows were in.
    pub(super) l0: (u64, u64),
    /// Greatest commit of the rows.
    pub(super) commit: u64,
    pub(super) codecs: Codecs,
}

/// Builds parts from rows, one a tile. `helps`: whether a second thread may take part now.
pub(super) fn build(
    shared: &Arc<Shared>,
    stream: &Arc<Stream>,
    sources: &[Rows],
    tiles: Tiles,
    width: i64,
    origin: Origin,
    helps: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Sealed>> {
    let (schema_version, made_ns) = (stream.schema().version, shared.options.clock.now());
    let mut describe = |tile, rows| Description {
        store_id: shared.store_id,
        identity: keys::part(stream.namespace, stream.id, stream.take_part_number()),
        tile,
        rows,
        l0: origin.l0,
        commit: origin.commit,
        schema_version,
        made_ns,
        codecs: origin.codecs,
    };
    let mut began = Instant::now();
    let mut rest = || {
        // Cold codecs take their time, in which nothing is sealed.
        let (held, options) = (shared.held_bytes().0, &shared.options);
        if origin.codecs == Codecs::Cold && options.seals && held > options.tail_limit_bytes / 2 {
            return Err(fault::gives_way());
        }
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
        team: Team { helps, rest: &mut rest },
    })
}

/// Writes parts to their files. A failure leaves none.
pub(super) fn write(shared: &Shared, parts: &[Sealed]) -> Result<Vec<(Identity, PartRecord)>> {
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
                codecs: part.codecs,
                rollup: part.rollup,
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

/// Writes parts and their rollups to files. A failure leaves none. `helps`: whether a second thread may take part now.
pub(super) fn write_with_rollups(
    shared: &Arc<Shared>,
    stream: &Arc<Stream>,
    parts: &[Sealed],
    helps: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<(Identity, PartRecord)>> {
    let mut written = write(shared, parts)?;
    match rollup::roll_up(shared, stream, &written, helps) {
        Ok(rollups) => written.extend(rollups),
        Err(error) => {
            remove_files(shared, written.iter().map(|(identity, _)| identity));
            return Err(error);
        }
    }
    Ok(written)
}

/// Publishes parts and rollups in the place of others, and of their rollups, in one transaction with what `also` changes. `next_l0`: number of the first L0 value that
/// stays in the tail. A failure removes the files that were to be published.
pub(super) fn publish(
    shared: &Arc<Shared>,
    stream: &Arc<Stream>,
    parts: &[(Identity, PartRecord)],
    replaced: &[Arc<PartHandle>],
    mut also: impl FnMut(&mut Change<'_>, (NamespaceId, u32)) -> Result<()> + Send + 'static,
    next_l0: u64,
) -> Result<()> {
    let (added, target, gone) = (parts.to_vec(), Arc::clone(stream), with_rollups(stream, replaced));
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
            let files = stream.files();
            let kept = files
                .into_iter()
                .filter(|part| !gone.iter().any(|other| Arc::ptr_eq(other, part)));
            let all = kept.chain(added.iter().map(handle));
            let (rollups, mut parts): (Vec<_>, Vec<_>) = all.partition(|part| part.rollup_of().is_some());
            parts.sort_by_key(|part| (part.record.l0.0, part.record.tile, part.number()));
            let keep = |bytes| shared.keep_past(bytes);
            shared.release(stream.set_parts(parts, rollups, next_l0, keep));
            shared.unlink(&gone);
        });
        Ok(())
    });
    shared.forget_past();
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

/// Parts with their rollups.
fn with_rollups(stream: &Stream, parts: &[Arc<PartHandle>]) -> Vec<Arc<PartHandle>> {
    let is_theirs = |rollup: &&Arc<PartHandle>| {
        let of = rollup.rollup_of().map(|rolled| rolled.part);
        parts
            .iter()
            .any(|part| part.rollup_of().is_none() && Some(part.number()) == of)
    };
    let rollups = stream.rollups();
    let rollups = rollups.iter().filter(is_theirs).cloned();
    parts.iter().cloned().chain(rollups).collect()
}

/// Removes the files of parts whose publication failed. A failed commit may be on the disk all the same: what a record names stays,
/// and where that cannot be told now everything does, until it can: the next seal, or the next opening of the store.
pub(super) fn remove_unnamed(shared: &Shared) -> Result<()> {
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
