//! Which rollups parts have and should have: made with them, later where a stream has come to want them, and gone where it wants them
//! no more.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::make;
use crate::column::rollup::Tier;
use crate::error::Result;
use crate::store::Store;
use crate::store::keys;
use crate::store::manifest::{PartHandle, PartRecord};
use crate::store::part::Identity;
use crate::store::part::build::Description;
use crate::store::publish;
use crate::store::seal::Sealed;
use crate::store::shared::Shared;
use crate::store::stream::Stream;
use crate::store::team::Team;

/// Tiers that a stream declares, with how long each is kept.
fn declared(stream: &Stream) -> Vec<(Tier, Option<i64>)> {
    let schema = stream.schema();
    let rollups = schema.settings.rollups.iter();
    rollups
        .filter_map(|rollup| Some((rollup.tier(&schema)?, rollup.keep_for_ns)))
        .collect()
}

fn is_kept(last: i64, keep_for: Option<i64>, now: i64) -> bool {
    keep_for.is_none_or(|keep_for| last >= now.saturating_sub(keep_for))
}

/// Writes the rollups that parts should have, which have been written. A failure leaves none. `helps`: whether a second
/// thread may take part now.
pub(in crate::store) fn roll_up(
    shared: &Arc<Shared>,
    stream: &Arc<Stream>,
    parts: &[(Identity, PartRecord)],
    helps: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<(Identity, PartRecord)>> {
    let (declared, now) = (declared(stream), shared.options.clock.now());
    let mut rollups = Vec::new();
    for (identity, record) in parts {
        let wanted = declared.iter();
        let wanted = wanted.filter(|(_, keep_for)| is_kept(record.times.1, *keep_for, now));
        let wanted: Vec<Tier> = wanted.map(|(tier, _)| *tier).collect();
        rollups.extend(of_part(shared, stream, (*identity, *record), &wanted, helps)?);
    }
    publish::write(shared, &rollups)
}

fn of_part(
    shared: &Arc<Shared>,
    stream: &Arc<Stream>,
    (identity, record): (Identity, PartRecord),
    tiers: &[Tier],
    helps: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Sealed>> {
    if tiers.is_empty() {
        return Ok(Vec::new());
    }
    let (schema_version, made_ns) = (stream.schema().version, shared.options.clock.now());
    let mut describe = |rows| Description {
        store_id: shared.store_id,
        identity: keys::part(stream.namespace, stream.id, stream.take_part_number()),
        tile: record.tile,
        rows,
        l0: record.l0,
        commit: record.commit,
        schema_version,
        made_ns,
        codecs: record.codecs,
    };
    let mut began = Instant::now();
    let mut rest = || {
        shared.sealer.pause(began.elapsed())?;
        began = Instant::now();
        Ok(())
    };
    let mut team = Team { helps, rest: &mut rest };
    // Where it is not published yet, who publishes it opens it anew.
    let known = stream.parts();
    let known = known.iter().find(|part| part.identity == identity).cloned();
    let is_new = known.is_none();
    let part = known.unwrap_or_else(|| Arc::new(PartHandle::new(identity, record, &stream.name, &shared.registry)));
    let made = make(stream, &part, tiers, &mut describe, &mut team);
    if is_new {
        shared.registry.forget(&part);
    }
    made.map_err(|error| part.explain_if_damaged(error))
}

/// A part that lacks rollups it should have, and these.
type Due = (Arc<PartHandle>, Vec<Tier>);

/// The part of a stream that lacks rollups it should have, and these, if there is one; those in `unreadable` stay as they are.
pub(in crate::store) fn due(stream: &Stream, now: i64, unreadable: &HashSet<Identity>) -> Option<Due> {
    all_due(stream, now, |part| !unreadable.contains(&part.identity))
        .into_iter()
        .next()
}

/// Those of the parts of a stream that lack rollups they should have, and these.
pub(in crate::store) fn all_due(stream: &Stream, now: i64, is_meant: impl Fn(&PartHandle) -> bool) -> Vec<Due> {
    let declared = declared(stream);
    if declared.is_empty() {
        return Vec::new();
    }
    let rollups = stream.rollups();
    let there: HashSet<(u64, Tier)> = rollups
        .iter()
        .filter_map(|rollup| rollup.rollup_of())
        .flat_map(|rolled| {
            // One with sketches is also one without.
            [
                (rolled.part, rolled.tier),
                (rolled.part, rolled.tier.without_sketches()),
            ]
        })
        .collect();
    let lacking = |part: &Arc<PartHandle>| {
        let lacks = |(tier, keep_for): &&(Tier, Option<i64>)| {
            is_kept(part.times().1, *keep_for, now) && !there.contains(&(part.number(), *tier))
        };
        let lacking: Vec<Tier> = declared.iter().filter(lacks).map(|(tier, _)| *tier).collect();
        (!lacking.is_empty() && is_meant(part)).then(|| (Arc::clone(part), lacking))
    };
    stream.parts().iter().filter_map(lacking).collect()
}

/// Rollups that a stream keeps no longer, or not at all.
pub(in crate::store) fn undeclared(stream: &Stream, now: i64) -> Vec<Arc<PartHandle>> {
    let declared = declared(stream);
    let goes = |rollup: &&Arc<PartHandle>| {
        rollup.rollup_of().is_none_or(|rolled| {
            let found = declared.iter().find(|(tier, _)| tier.is_like(&rolled.tier));
            found.is_none_or(|(_, keep_for)| !is_kept(rolled.times.1, *keep_for, now))
        })
    };
    stream.rollups().iter().filter(goes).cloned().collect()
}

/// Makes the rollups that a part lacks. Nothing that is asked changes by it.
pub(in crate::store) fn catch_up(shared: &Arc<Shared>, stream: &Arc<Stream>, due: &Due) -> Result<()> {
    let (part, tiers) = due;
    let _turn = shared.sealer.turn.lock().unwrap_or_else(PoisonError::into_inner);
    publish::remove_unnamed(shared)?;
    if !stream.parts().iter().any(|other| Arc::ptr_eq(part, other)) {
        return Ok(());
    }
    // They are hardly ever larger than what they are made of.
    shared.has_room_for(part.bytes())?;
    let made = of_part(shared, stream, (part.identity, part.record), tiers, &|| false)?;
    let written = publish::write(shared, &made)?;
    let is_replaced = |rollup: &&Arc<PartHandle>| {
        rollup
            .rollup_of()
            .is_some_and(|rolled| rolled.part == part.number() && tiers.iter().any(|tier| tier.is_like(&rolled.tier)))
    };
    let replaced: Vec<Arc<PartHandle>> = stream.rollups().iter().filter(is_replaced).cloned().collect();
    publish::publish(shared, stream, &written, &replaced, |_, _| Ok(()), 0)
}

impl Store {
    /// Makes the rollups that parts of a stream lack, since it has come to want them after these were made. The background does the
    /// same. Answers of how many parts.
    ///
    /// # Errors
    /// As [`Store::seal`].
    pub fn roll_up(&self, stream: &Arc<Stream>) -> Result<u64> {
        let mut parts = 0;
        while let Some(due) = due(stream, self.shared.options.clock.now(), &HashSet::new()) {
            catch_up(&self.shared, stream, &due)?;
            parts += 1;
        }
        Ok(parts)
    }
}
