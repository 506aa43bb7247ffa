//! Merging: parts of one tile become one, so that a tile has few however its rows came.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError};

use super::manifest::PartHandle;
use super::part::Identity;
use super::publish::{self, Origin};
use super::rows::Rows;
use super::shared::Shared;
use super::stream::Stream;
use super::tiles::Tiles;
use crate::codec::Codecs;
use crate::error::Result;

/// Parts of like size that make one, at least.
const LIKE: usize = 4;
/// Parts of whatever size that make one.
const MANY: usize = 16;
/// Rows of a merged part at most.
const MOST_ROWS: u64 = 16 << 20;

/// Size class: parts of one class differ by less than a factor of four.
fn class(rows: u64) -> u32 {
    rows.max(1).ilog2() / 2
}

/// The parts to merge next, if any are due: neighbours in order of arrival, so that rows of equal time keep theirs. `parts` are
/// all of a stream, in that order; those in `unreadable` stay as they are.
pub(super) fn due(parts: &[Arc<PartHandle>], unreadable: &HashSet<Identity>) -> Option<Vec<Arc<PartHandle>>> {
    let mut by_tile: BTreeMap<(i64, i64), Vec<&Arc<PartHandle>>> = BTreeMap::new();
    for part in parts {
        by_tile.entry(part.record.tile).or_default().push(part);
    }
    for parts in by_tile.values().filter(|parts| parts.len() >= LIKE) {
        let fits = |parts: &[&Arc<PartHandle>]| {
            parts.iter().map(|part| part.rows()).sum::<u64>() <= MOST_ROWS
                && !parts.iter().any(|part| unreadable.contains(&part.identity))
        };
        let like = parts.chunk_by(|left, right| class(left.rows()) == class(right.rows()));
        let like = like
            .filter(|run| run.len() >= LIKE)
            .map(|run| &run[..run.len().min(MANY)])
            .find(|run| fits(run));
        if let Some(run) = like.or_else(|| parts.windows(MANY).find(|run| fits(run))) {
            return Some(run.iter().map(|part| Arc::clone(part)).collect());
        }
    }
    None
}

/// Merges parts of one tile, neighbours in order of arrival. Nothing that is asked changes by it.
pub(super) fn merge(shared: &Arc<Shared>, stream: &Arc<Stream>, parts: &[Arc<PartHandle>]) -> Result<()> {
    let _turn = shared.sealer.turn.lock().unwrap_or_else(PoisonError::into_inner);
    publish::remove_unnamed(shared)?;
    let current = stream.parts();
    if !parts
        .iter()
        .all(|part| current.iter().any(|other| Arc::ptr_eq(part, other)))
    {
        return Ok(());
    }
    shared.has_room_for(parts.iter().map(|part| part.bytes()).sum())?;
    let sources: Vec<Rows> = parts
        .iter()
        .map(|part| Ok(Rows::Part(part.open()?, Arc::clone(part))))
        .collect::<Result<_>>()?;
    let tile = parts[0].record.tile;
    let l0 = (
        parts.iter().map(|part| part.record.l0.0).min().unwrap_or(0),
        parts.iter().map(|part| part.record.l0.1).max().unwrap_or(0),
    );
    let commit = parts.iter().map(|part| part.commit()).max().unwrap_or(0);
    let tiles = Tiles::new([tile].into_iter());
    // What is read often is among the rows that came last.
    let codecs = if parts.iter().all(|part| part.codecs() == Codecs::Cold) {
        Codecs::Cold
    } else {
        Codecs::Hot
    };
    let origin = Origin { l0, commit, codecs };
    let merged = publish::build(shared, stream, &sources, tiles, tile.1, origin, &|| false)?;
    let written = publish::write_with_rollups(shared, stream, &merged, &|| false)?;
    publish::publish(shared, stream, &written, parts, |_, _| Ok(()), 0)
}
