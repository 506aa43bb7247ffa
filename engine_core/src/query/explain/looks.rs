//! What was understood of a query, and what a look at one range came to.

use super::counts::{self, Counted};
use super::{refusals, text_of};
use crate::column::Schema;
use crate::error::Result;
use crate::group::Shape;
use crate::query::answer::duration;
use crate::query::plan::{After, Plan};
use crate::query::run::Seen;
use crate::query::spec::{KeySpec, Spec};
use crate::query::state::Keep;
use crate::store::Snapshot;
use crate::wire::v1;
use crate::wire::v1::GroupLayout as Layout;

/// A key as it was understood.
pub(super) fn key(key: &KeySpec) -> v1::PlannedKey {
    v1::PlannedKey {
        name: key.name.clone(),
        column: key.column.clone(),
        made: key.made.is_some(),
    }
}

/// Measures as they were understood.
pub(super) fn measures(spec: &Spec, schema: &Schema, plan: &Plan) -> Vec<v1::PlannedMeasure> {
    let name = |column: Option<usize>| column.map(|at| column_name(schema, plan, at)).unwrap_or_default();
    let state = |&slot: &usize| {
        let slot = &plan.slots[slot];
        v1::PlannedState {
            keeps: match slot.keep {
                Keep::Count => "count",
                Keep::Mean => "sum",
                Keep::Min => "min",
                Keep::Max => "max",
                Keep::First => "first",
                Keep::Last => "last",
                Keep::Own(own) => own.name,
            }
            .to_owned(),
            column: name(slot.column),
            second_column: name(slot.second),
        }
    };
    let measures = plan.measures.iter().map(|measure| v1::PlannedMeasure {
        name: measure.spec.name.clone(),
        filter: text_of(measure.spec.filter.map(|at| &spec.measure_filters[at])),
        states: measure.slots.iter().map(state).collect(),
    });
    measures.collect()
}

/// Name of a column that a query reads.
fn column_name(schema: &Schema, plan: &Plan, at: usize) -> String {
    let column = &plan.columns[at];
    // Labels are stored as the entity that has them.
    let label = column.strings.as_ref().and_then(|strings| strings.label());
    schema.name_of(label.unwrap_or(column.stored)).to_owned()
}

/// What a look came to; lanes are known to whoever ran it.
pub(super) fn look(
    spec: &Spec,
    schema: &Schema,
    snapshot: &Snapshot,
    seen: &Seen,
    executed: bool,
) -> Result<v1::QueryLook> {
    let plan = seen.plan();
    let Counted {
        parts,
        batches,
        blocks,
        rows_decoded,
    } = counts::counted(snapshot, plan, executed)?;
    let range = spec.range;
    let (layout, places) = match &plan.shape {
        Shape::Single => (Layout::Single, 0),
        Shape::Dense(_) => (Layout::Dense, plan.shape.slots()),
        Shape::Hashed(_) => (Layout::Hashed, 0),
    };
    let pane_ns = match plan.after {
        After::Nothing => None,
        After::Hop(_) | After::Slide(_) | After::Sessions { .. } => {
            plan.windows.as_ref().map(|windows| windows.cut.least_width())
        }
    };
    let counts = &seen.merged.counts;
    Ok(v1::QueryLook {
        range: Some(v1::TimeRange {
            start_ns: (range.start != i64::MIN).then_some(range.start),
            end_ns: (range.end != i64::MAX).then_some(range.end),
        }),
        filter: text_of(spec.filter.as_ref()),
        windows: plan.windows.as_ref().map_or(1, |windows| windows.count),
        pane: pane_ns.map(duration),
        layout: layout.into(),
        places,
        partitions: plan.partitions as u32,
        lanes: 0,
        groups: if executed { seen.groups() as u64 } else { 0 },
        reads_ends: plan.reads_ends,
        reads_aggregates: plan.reads_nodes && !plan.reads_ends,
        entities: plan.entities.as_ref().map(|codes| codes.len() as u64),
        parts: Some(parts),
        batches: Some(batches),
        blocks: Some(blocks),
        rollups: refusals::rollups(spec, schema, snapshot, plan),
        rows_scanned: seen.rows_scanned(),
        rows_matched: counts.matched,
        rows_decoded,
        values_decoded: counts.decoded,
        aggregates_read: counts.nodes,
        rows_unavailable: plan.scan.rows_unavailable,
    })
}
