//! From merged states to columns: finished, ordered, encoded as Arrow IPC, with provenance.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Field, Schema};
use prost::Message;

use super::compare::{self, Side};
use super::explain::Step;
use super::fill::Filled;
use super::having::Having;
use super::layout::Layout;
use super::measures::{Found, Of, Read};
use super::merge::Merged;
use super::order;
use super::output::{Output, OutputValues};
use super::plan::{Plan, Slot, Windows};
use super::regroup::Starts;
use super::run::{Context, QueryLimits, Seen};
use super::spec::{FillSpec, Spec};
use super::state::States;
use super::top::OTHER;
use crate::column::NULL_CODE;
use crate::error::{Error, Kind, Result};
use crate::group::{Grouper, Shape};
use crate::scan::Type;
use crate::time::SECOND_NS;
use crate::wire::v1;

/// An answer: its columns, and how it was made.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `start` if windows were asked for, keys, measures.
    pub batch: RecordBatch,
    /// Rows that there were before `having` and the limit.
    pub groups: usize,
    /// How it was made.
    pub provenance: v1::Provenance,
}

/// A length of time in nanoseconds; one below zero, of a clock that was set, is none.
pub(super) fn duration(ns: i64) -> prost_types::Duration {
    let ns = ns.max(0);
    prost_types::Duration {
        seconds: ns / SECOND_NS,
        nanos: (ns % SECOND_NS) as i32,
    }
}

/// Columns of all rows, in no order.
pub(super) struct Table {
    /// Windows, keys, measures.
    outputs: Vec<Output>,
    /// How many are of windows and keys.
    keys: usize,
    /// Columns that only tell groups apart.
    hidden: Vec<Output>,
    /// Whether windows have an `end` beside their `start`.
    has_ends: bool,
    pub(super) rows: usize,
    /// How many rows there are with those that were left out, as they surely do not come first.
    all: usize,
    measures: Vec<v1::MeasureProvenance>,
}

impl Table {
    /// What rows are ordered by: the order keys, then `start`, group keys and `end` ascending.
    fn order_keys(&self, plan: &Plan) -> Vec<order::Key<'_>> {
        let asked = plan.order.iter();
        let asked = asked.map(|&(place, descending)| (&self.outputs[place], descending));
        let (windows, keys) = self.outputs[..self.keys].split_at(if self.has_ends { 2 } else { 0 });
        let (starts, ends) = windows.split_at(windows.len().min(1));
        let default = starts.iter().chain(keys).chain(ends).chain(&self.hidden);
        asked.chain(default.map(|output| (output, false))).collect()
    }

    /// Some rows, in order, the first `limit` of them.
    pub(super) fn ordered(&self, plan: &Plan, rows: Vec<u32>, limit: Option<u64>) -> Vec<u32> {
        order::ordered(&self.order_keys(plan), rows, limit)
    }

    /// Rows that are kept, in order, the first `limit` of them.
    fn order(&self, plan: &Plan, having: Option<&Having<'_>>, limit: Option<u64>) -> Vec<u32> {
        let is_kept = |row: &u32| having.is_none_or(|having| having.holds(&self.outputs, *row as usize) == Some(true));
        self.ordered(plan, (0..self.rows as u32).filter(is_kept).collect(), limit)
    }

    /// Rows as they are compared.
    fn side(&self, windows: Option<&Windows>) -> Side<'_> {
        let first = usize::from(windows.is_some());
        let window = |row: usize| match (windows, &self.outputs.first().map(|output| &output.values)) {
            (Some(windows), Some(OutputValues::Time(starts))) => windows.number_of_start(starts[row]),
            _ => 0,
        };
        Side {
            windows: (0..self.rows).map(window).collect(),
            keys: &self.outputs[first..self.keys],
            measures: &self.outputs[self.keys..],
        }
    }

    /// With windows without rows put in.
    fn filled(mut self, plan: &Plan, merged: &Merged, windows: &Windows, fill: FillSpec, most: u64) -> Result<Self> {
        let layout = Layout::new(plan, &merged.groups, self.rows);
        let filled = Filled::new(&layout, windows, fill, plan, most)?;
        for (at, output) in self.outputs.iter_mut().enumerate() {
            *output = if at == 0 {
                Output::new(&output.name, OutputValues::Time(filled.starts(windows)), Vec::new())
            } else if at < self.keys {
                filled.key(output)
            } else {
                filled.measure(output)
            };
        }
        self.rows = filled.len();
        self.all = self.rows;
        Ok(self)
    }
}

/// The columns that groups and states come to. With `most`, groups that surely do not come first in the answer's order, so many rows
/// of it, may be left out.
pub(super) fn finished(plan: &Plan, merged: &Merged, starts: &Starts, most: Option<u64>) -> Result<Table> {
    // A query without windows and keys has one row, also over no rows.
    let rows = if plan.shape == Shape::Single {
        1
    } else {
        merged.groups.len()
    };
    let layout = Layout::new(plan, &merged.groups, rows);
    let (mut finished, measures) = finish(plan, &merged.states, &layout)?;
    let mut groups: Vec<u32> = (0..rows as u32).collect();
    if let Some(most) = most.filter(|&most| most < rows as u64) {
        groups = likely_first(plan, starts, &finished, groups, most);
        finished.iter_mut().for_each(|output| *output = output.picked(&groups));
    }
    // Texts of keys are looked up and sorted last, of those that are left.
    let (mut outputs, hidden) = key_columns(plan, &merged.groups, starts, &groups)?;
    let keys = outputs.len();
    outputs.extend(finished);
    Ok(Table {
        outputs,
        keys,
        hidden,
        has_ends: matches!(starts, Starts::Spans(_)),
        rows: groups.len(),
        all: rows,
        measures,
    })
}

/// Groups that may be among the first so many, by the order keys that come before one that is no measure.
fn likely_first(plan: &Plan, starts: &Starts, measures: &[Output], groups: Vec<u32>, most: u64) -> Vec<u32> {
    let windows = match starts {
        Starts::Nowhere => 0,
        Starts::Cut(_) => 1,
        Starts::Spans(_) => 2,
    };
    let keys = windows + plan.keys.iter().filter(|key| !key.is_hidden).count();
    let of_measure = |&(place, descending): &(usize, bool)| {
        let output = place.checked_sub(keys).and_then(|place| measures.get(place))?;
        Some((output, descending))
    };
    let leading: Vec<order::Key<'_>> = plan.order.iter().map_while(of_measure).collect();
    order::likely_first(&leading, groups, most)
}

/// Builds the answer from all lanes merged, beside that of an earlier period. When it is of is for the caller to say.
pub(super) fn build(
    seen: &Seen,
    before: Option<&Seen>,
    spec: &Spec,
    limits: &QueryLimits,
    schema_version: u64,
    context: &Context,
) -> Result<Answer> {
    let (plan, merged) = (seen.plan(), &seen.merged);
    let windows = seen.starts.windows();
    let is_plain = spec.fill.is_none() && spec.having.is_none() && before.is_none();
    let mut table = finished(plan, merged, &seen.starts, spec.limit.filter(|_| is_plain))?;
    if let (Some(fill), Some(windows)) = (spec.fill, windows) {
        table = table.filled(plan, merged, windows, fill, limits.max_groups)?;
    }
    if let Some(before) = before {
        let earlier = finished(before.plan(), &before.merged, &before.starts, None)?;
        let compared = table.side(windows).beside(&earlier.side(before.starts.windows()));
        table.outputs.extend(compared);
        let made = compare::provenance(&table.measures, &earlier.measures);
        table.measures.extend(made);
    }
    context.lap(Step::Finish);
    let having = spec.having.as_ref();
    let having = having.map(|having| Having::new(having, &table.outputs)).transpose()?;
    let rows = table.order(plan, having.as_ref(), spec.limit);
    let Table { outputs, measures, .. } = &table;
    let max_bytes = limits.max_result_bytes;
    let bytes = outputs
        .iter()
        .map(|output| output.bytes(&rows))
        .fold(0, u64::saturating_add);
    // Texts of one column share 31-bit offsets.
    let max_bytes = max_bytes.min(i32::MAX as u64);
    if bytes > max_bytes {
        return Err(Error::new(
            Kind::LimitExceeded,
            "QUERY_BYTES_EXCEEDED",
            format!("an answer has at most {max_bytes} bytes, this one has {bytes}; limit it or group by less"),
        )
        .at("spec.budget.max_bytes"));
    }
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = outputs.iter().map(|output| output.array(&rows)).unzip();
    let fields: Vec<Field> = fields
        .into_iter()
        .enumerate()
        .map(|(at, field)| {
            if at == 0 && plan.windows.is_some() {
                field.with_nullable(false)
            } else {
                field
            }
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| encoding(&error))?;
    context.lap(Step::Order);
    let seen = || std::iter::once(seen).chain(before);
    let nodes: u64 = seen().map(|seen| seen.merged.counts.nodes).sum();
    let rolled: u64 = seen().map(|seen| seen.merged.counts.rolled).sum();
    let tier = if rolled > 0 {
        v1::Tier::Rollup
    } else if nodes > 0 {
        v1::Tier::Preaggregate
    } else {
        v1::Tier::Raw
    };
    Ok(Answer {
        batch,
        groups: table.all,
        provenance: v1::Provenance {
            definition_version: schema_version,
            tier: tier as i32,
            rows_scanned: seen().map(Seen::rows_scanned).sum(),
            rows_matched: seen().map(|seen| seen.merged.counts.matched).sum(),
            nan_skipped: seen().map(nan_skipped).sum(),
            measures: measures.clone(),
            rows_unavailable: seen().map(|seen| seen.plan().scan.rows_unavailable).sum(),
            ..v1::Provenance::default()
        },
    })
}

/// NaN that measures skipped, each in its columns.
fn nan_skipped(seen: &Seen) -> u64 {
    let plan = seen.plan();
    let of_measure = |slots: &[usize]| -> u64 {
        let places = |slot: &Slot| {
            let filter = slot.filter;
            let columns = [slot.column, slot.second].into_iter().flatten();
            columns.map(move |column| plan.nan_place(column, filter))
        };
        let mut places: Vec<usize> = slots.iter().flat_map(|&slot| places(&plan.slots[slot])).collect();
        places.sort_unstable();
        places.dedup();
        places.iter().map(|&place| seen.merged.counts.nans[place]).sum()
    };
    plan.measures.iter().map(|measure| of_measure(&measure.slots)).sum()
}

/// The measures' columns, in order, and how each was made.
fn finish(plan: &Plan, states: &[States], layout: &Layout<'_>) -> Result<(Vec<Output>, Vec<v1::MeasureProvenance>)> {
    let read = |&slot: &usize| {
        let (states, slot) = (&states[slot], &plan.slots[slot]);
        Read {
            states,
            data_type: plan.slot_type(slot),
            strings: plan.slot_strings(slot),
        }
    };
    // Formulas come after what they are of.
    let mut order: Vec<usize> = (0..plan.measures.len()).collect();
    order.sort_by_key(|&at| plan.measures[at].spec.kind.of == Of::Measures);
    let (mut finished, mut made) = (Vec::new(), Vec::new());
    for &at in &order {
        let measure = &plan.measures[at];
        let found = Found {
            name: &measure.spec.name,
            states: measure.slots.iter().map(read).collect(),
            layout,
            others: &finished,
        };
        let output = measure.spec.measure.finish(&found)?;
        let mut relative_error = measure.spec.measure.relative_error(&found)?;
        let rank_error = measure.spec.measure.rank_error(&found)?;
        // What is made of estimates is one; by how much it may be off depends on the formula.
        let reads = measure.spec.measure.reads();
        let of_estimates = made
            .iter()
            .any(|(_, made): &(usize, v1::MeasureProvenance)| !made.exact && reads.contains(&made.name.as_str()));
        if of_estimates {
            relative_error = f64::INFINITY;
        }
        finished.push(output);
        made.push((
            at,
            v1::MeasureProvenance {
                name: measure.spec.name.clone(),
                exact: relative_error == 0.0,
                relative_error,
                rank_error,
            },
        ));
    }
    let mut both: Vec<_> = made.into_iter().zip(finished).collect();
    both.sort_by_key(|((at, _), _)| *at);
    Ok(both.into_iter().map(|((_, made), output)| (output, made)).unzip())
}

/// Columns of windows and keys, and those that only tell groups apart.
fn key_columns(plan: &Plan, keys: &Grouper, starts: &Starts, groups: &[u32]) -> Result<(Vec<Output>, Vec<Output>)> {
    let groups = || groups.iter().map(|&group| group as usize);
    let (mut outputs, mut hidden) = (Vec::new(), Vec::new());
    let mut times =
        |name: &str, times: Vec<i64>| outputs.push(Output::new(name, OutputValues::Time(times), Vec::new()));
    let mut part = 1;
    match starts {
        Starts::Nowhere => part = 0,
        Starts::Cut(windows) => {
            let start = |group| {
                let index = windows.first.wrapping_add_unsigned(keys.part(group, 0));
                windows.cut.start(index)
            };
            times("start", groups().map(start).collect());
        }
        Starts::Spans(bounds) => {
            times("start", groups().map(|group| bounds[group].0).collect());
            times("end", groups().map(|group| bounds[group].1).collect());
        }
    }
    let null_word = part + plan.keys.len();
    let has_other = plan.top.is_some_and(|top| top.has_other);
    for key in &plan.keys {
        let column = &plan.columns[key.column];
        let is_text = column.data_type == Type::Text;
        let is_other = |group, part| has_other && is_text && keys.part(group, part) == OTHER;
        let values = groups().map(|group| {
            let value = keys.part(group, part);
            let null = match (key.null_bit, column.data_type) {
                (Some(bit), _) => keys.part(group, null_word) >> bit & 1 == 1,
                // Null, or of the others.
                (None, Type::Bool) => value >= 2,
                (None, _) => value == u64::from(NULL_CODE),
            };
            (!null && !is_other(group, part)).then_some(value)
        });
        let mut output = Output::typed(&key.name, column.data_type, values, column.strings.as_deref())?;
        let others = groups().enumerate().filter(|&(_, group)| is_other(group, part));
        output.put_text(others.map(|(row, _)| row), "other");
        if key.is_hidden {
            hidden.push(output);
        } else {
            outputs.push(output);
        }
        part += 1;
    }
    Ok((outputs, hidden))
}

fn encoding(error: &ArrowError) -> Error {
    Error::internal(format!("arrow: {error}"))
}

/// Room in a frame for what stands beside the bytes of Arrow, provenance of 64 measures included.
const FRAME_ROOM: usize = 32 << 10;

impl Answer {
    /// The Arrow IPC stream, in record batches of about `batch_bytes`.
    pub fn to_arrow(&self, batch_bytes: usize) -> Result<Vec<u8>> {
        let bytes = self.batch.get_array_memory_size().max(1);
        let rows = self.batch.num_rows();
        let step = (rows as u128 * batch_bytes as u128 / bytes as u128).max(1) as usize;
        let mut writer = StreamWriter::try_new(Vec::new(), &self.batch.schema()).map_err(|error| encoding(&error))?;
        for start in (0..rows).step_by(step) {
            let part = self.batch.slice(start, step.min(rows - start));
            writer.write(&part).map_err(|error| encoding(&error))?;
        }
        writer.into_inner().map_err(|error| encoding(&error))
    }

    /// One encoded QueryResponse.
    pub fn into_response(self, limits: &QueryLimits) -> Result<Vec<u8>> {
        let arrow = self.to_arrow(limits.unary_bytes)?;
        let response = v1::QueryResponse {
            answer: Some(v1::query_response::Answer::Arrow(arrow)),
            provenance: Some(self.provenance),
        };
        let bytes = response.encoded_len();
        if bytes > limits.unary_bytes {
            return Err(Error::new(
                Kind::LimitExceeded,
                "RESULT_TOO_LARGE",
                format!(
                    "an answer in one message has at most {} bytes, this one has {bytes}; use StreamQuery",
                    limits.unary_bytes
                ),
            ));
        }
        Ok(response.encode_to_vec())
    }

    /// Encoded StreamQueryResponses, the provenance in the last.
    pub fn into_frames(self, limits: &QueryLimits) -> Result<Vec<Vec<u8>>> {
        let room = limits.frame_bytes.saturating_sub(FRAME_ROOM).max(1);
        let arrow = self.to_arrow(room)?;
        let mut frames: Vec<v1::StreamQueryResponse> = arrow
            .chunks(room)
            .map(|part| v1::StreamQueryResponse {
                arrow: part.to_vec(),
                provenance: None,
            })
            .collect();
        if let Some(last) = frames.last_mut() {
            last.provenance = Some(self.provenance);
        }
        Ok(frames.iter().map(Message::encode_to_vec).collect())
    }
}
