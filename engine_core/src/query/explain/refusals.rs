//! Rollups of a stream: what they stand for, and why they do not.

use std::collections::HashSet;

use crate::column::Schema;
use crate::column::rollup::Tier;
use crate::query::answer::duration;
use crate::query::plan::Plan;
use crate::query::rollups::{self, Refused};
use crate::query::spec::{Spec, WindowSpec};
use crate::scan::tiers::{Fate, Fates};
use crate::store::{Rows, Snapshot};
use crate::time::SECOND_NS;
use crate::wire::v1;
use crate::wire::v1::RollupReason as Reason;

/// The rollups of a stream's definition, then others that parts still have, and what became of each.
pub(super) fn rollups(spec: &Spec, schema: &Schema, snapshot: &Snapshot, plan: &Plan) -> Vec<v1::PlannedRollup> {
    let mut tiers: Vec<Tier> = Vec::new();
    let declared = schema
        .settings
        .rollups
        .iter()
        .filter_map(|declared| declared.tier(schema));
    let kept = snapshot.rollups().iter().filter_map(|rollup| rollup.rollup_of());
    for tier in declared.chain(kept.map(|of| of.tier)) {
        if !tiers.contains(&tier) {
            tiers.push(tier);
        }
    }
    if tiers.is_empty() {
        return Vec::new();
    }
    let asked = rollups::asked(spec, schema, snapshot);
    let general: Vec<v1::RollupRefusal> = asked.as_ref().err().into_iter().flatten().map(refused).collect();
    let of_tier = |tier: &Tier| {
        let mut rollup = v1::PlannedRollup {
            width: Some(duration(tier.width_ns)),
            group_by: tier.keys().iter().map(|&key| schema.name_of(key).to_owned()).collect(),
            sketches: tier.sketches,
            refusals: general.clone(),
            ..v1::PlannedRollup::default()
        };
        if let Ok((wanted, names)) = &asked {
            if !wanted.fits_windows(tier) {
                rollup.refusals.push(cuts(spec, tier));
            }
            let untold = wanted
                .untold(tier)
                .map(|at| unkept(&names[at], at < spec.group_by.len()));
            rollup.refusals.extend(untold);
        }
        let fates = plan.scan.fates.iter().find(|fates| fates.tier == *tier);
        rollup.parts_with = fates.map_or(0, Fates::parts);
        let mut used = HashSet::new();
        for (at, (rows, share)) in plan.scan.sources.iter().zip(&plan.scan.shares).enumerate() {
            if let Rows::Part(_, handle) = rows
                && share.is_rollup
                && let Some(of) = handle.rollup_of()
                && of.tier == *tier
            {
                used.insert(of.part);
                let (groups, rows) = plan.marks.as_ref().map_or((0, 0), |marks| marks.groups(at));
                rollup.groups_read += groups;
                rollup.rows_replaced += rows;
            }
        }
        rollup.parts_used = used.len() as u64;
        if rollup.parts_with == 0 {
            rollup.refusals.push(refusal(
                Reason::NotThere,
                "",
                0,
                "no part in the range has it: rows get it when they are sealed",
            ));
        }
        let Some(fates) = fates else { return rollup };
        let ends = !spec.hints.no_rollups;
        let without_rows = fates.with(Fate::Used).saturating_sub(rollup.parts_used);
        for (reason, parts, message) in [
            (
                Reason::Hint,
                if ends { 0 } else { fates.with(Fate::RowsPreferred) },
                "the query asks for none where rows are there",
            ),
            (
                Reason::Ends,
                if ends { fates.with(Fate::RowsPreferred) } else { 0 },
                "the ends of entities' rows tell as much and are fewer",
            ),
            (
                Reason::Large,
                fates.with(Fate::Large),
                "it has more than a group for four rows, which are read as fast",
            ),
            (
                Reason::Order,
                fates.with(Fate::Unordered),
                "its keys part rows of one instant, of which the first or last is asked for",
            ),
            (
                Reason::State,
                fates.with(Fate::Lacking),
                "it was made without a state that a measure is read from",
            ),
            (
                Reason::Range,
                fates.with(Fate::Narrow),
                "none of its windows lies whole in what is left of the range",
            ),
            (
                Reason::Coarser,
                fates.with(Fate::Coarser),
                "a coarser one stands for all",
            ),
            (
                Reason::Entity,
                without_rows,
                "it has no rows of the entities that the filter leaves",
            ),
        ] {
            if parts > 0 {
                rollup.refusals.push(refusal(reason, "", parts, message));
            }
        }
        rollup
    };
    tiers.iter().map(of_tier).collect()
}

fn refusal(reason: Reason, subject: &str, parts: u64, message: &str) -> v1::RollupRefusal {
    v1::RollupRefusal {
        reason: reason.into(),
        subject: subject.to_owned(),
        parts,
        message: message.to_owned(),
    }
}

fn refused(why: &Refused) -> v1::RollupRefusal {
    let (reason, subject, message) = match why {
        Refused::MeasureFilter(name) => (
            Reason::MeasureFilter,
            name,
            format!("measure {name:?} has a filter of its own"),
        ),
        Refused::WindowKind => {
            let message = "sessions and sliding windows depend on the times of rows";
            return refusal(Reason::WindowKind, "", 0, message);
        }
        Refused::MadeKey(name) => (
            Reason::MadeKey,
            name,
            format!("key {name:?} is made of a column's values"),
        ),
        Refused::Key(name) => (
            Reason::Key,
            name,
            format!("key {name:?} is of a column that no rollup tells apart"),
        ),
        Refused::Filter(name) => (
            Reason::Filter,
            name,
            format!("the filter asks {name:?}, which no rollup tells apart"),
        ),
        Refused::State(name) => (
            Reason::State,
            name,
            format!("measure {name:?} is read from a state that rollups do not have"),
        ),
    };
    refusal(reason, subject, 0, &message)
}

fn cuts(spec: &Spec, tier: &Tier) -> v1::RollupRefusal {
    let width = length(tier.width_ns);
    let message = match &spec.window {
        Some(WindowSpec::Tumbling(windows)) => {
            format!("windows of {} are no multiple of {width}", length(windows.width_ns()))
        }
        Some(WindowSpec::Hopping(hopping)) => {
            let pane = length(hopping.pane.width_ns());
            format!("windows are made of panes of {pane}, which are no multiple of {width}")
        }
        _ => format!("windows begin at instants that are no multiple of {width}"),
    };
    refusal(Reason::WindowWidth, "", 0, &message)
}

fn unkept(name: &str, is_key: bool) -> v1::RollupRefusal {
    if is_key {
        refusal(Reason::Key, name, 0, &format!("key {name:?} is not among its own"))
    } else {
        let message = format!("the filter asks {name:?}, which is not among its keys");
        refusal(Reason::Filter, name, 0, &message)
    }
}

/// A length of time in the greatest unit that divides it.
fn length(ns: i64) -> String {
    const UNITS: [(i64, &str); 6] = [
        (86_400 * SECOND_NS, "d"),
        (3_600 * SECOND_NS, "h"),
        (60 * SECOND_NS, "min"),
        (SECOND_NS, "s"),
        (SECOND_NS / 1_000, "ms"),
        (SECOND_NS / 1_000_000, "µs"),
    ];
    let unit = UNITS.iter().find(|(unit, _)| ns % unit == 0);
    unit.map_or_else(|| format!("{ns} ns"), |(unit, name)| format!("{} {name}", ns / unit))
}
