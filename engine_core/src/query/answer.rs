//! From merged states to columns: finished, ordered, encoded as Arrow IPC, with provenance.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampNanosecondArray,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use hashbrown::HashMap;
use prost::Message;

use super::plan::{Plan, PlannedMeasure};
use super::run::{Merged, QueryLimits};
use super::spec::MeasureKind;
use super::state::States;
use crate::aggregate::Aggregate;
use crate::column::NULL_CODE;
use crate::error::{Error, Kind, Result};
use crate::group::{Grouper, Shape};
use crate::scan::Type;
use crate::scan::strings::Strings;
use crate::sketch::Sketch;
use crate::sketch::exponential::ExponentialHistogram;
use crate::time::TimeRange;
use crate::wire::v1;

/// An answer: its columns, and how it was made.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `start` if windows were asked for, keys, measures.
    pub batch: RecordBatch,
    /// How it was made.
    pub provenance: v1::Provenance,
}

/// What provenance takes from outside the states.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) commit: u64,
    pub(super) watermark_ns: Option<i64>,
    pub(super) schema_version: u64,
    pub(super) range: TimeRange,
    pub(super) rows_scanned: u64,
}

/// One column of the answer, before it is ordered.
struct Output {
    name: String,
    values: OutputValues,
    /// Rows that are not null; none: all are.
    valid: Option<Vec<bool>>,
}

enum OutputValues {
    F64(Vec<f64>),
    I64(Vec<i64>),
    Bool(Vec<bool>),
    Time(Vec<i64>),
    /// Ranks among `texts`, which ascend.
    Text(Vec<u32>, Vec<String>),
}

impl Output {
    fn new(name: &str, values: OutputValues, valid: Vec<bool>) -> Self {
        Self {
            name: name.to_owned(),
            values,
            valid: valid.contains(&false).then_some(valid),
        }
    }

    fn f64s(name: &str, values: impl Iterator<Item = Option<f64>>) -> Self {
        let (values, valid) = values.map(|value| (value.unwrap_or_default(), value.is_some())).unzip();
        Self::new(name, OutputValues::F64(values), valid)
    }

    fn i64s(name: &str, values: impl Iterator<Item = Option<i64>>) -> Self {
        let (values, valid) = values.map(|value| (value.unwrap_or_default(), value.is_some())).unzip();
        Self::new(name, OutputValues::I64(values), valid)
    }

    /// From bits, or codes of texts.
    fn typed(
        name: &str,
        data_type: Type,
        values: impl Iterator<Item = Option<u64>>,
        strings: Option<&Strings>,
    ) -> Result<Self> {
        Ok(match data_type {
            Type::F64 => Self::f64s(name, values.map(|value| value.map(f64::from_bits))),
            Type::I64 => Self::i64s(name, values.map(|value| value.map(|bits| bits as i64))),
            Type::Bool => {
                let (values, valid) = values.map(|value| (value == Some(1), value.is_some())).unzip();
                Self::new(name, OutputValues::Bool(values), valid)
            }
            Type::Timestamp => {
                let (values, valid) = values
                    .map(|value| (value.unwrap_or_default() as i64, value.is_some()))
                    .unzip();
                Self::new(name, OutputValues::Time(values), valid)
            }
            Type::Text => {
                let strings = strings.ok_or_else(|| Error::internal("texts without strings"))?;
                let codes: Vec<u32> = values
                    .map(|value| value.map_or(NULL_CODE, |code| code as u32))
                    .collect();
                let valid = codes.iter().map(|&code| code != NULL_CODE).collect();
                let (ranks, texts) = rank(&codes, strings);
                Self::new(name, OutputValues::Text(ranks, texts), valid)
            }
        })
    }

    fn is_valid(&self, row: usize) -> bool {
        self.valid.as_ref().is_none_or(|valid| valid[row])
    }

    /// Nulls last either way; NaN after every number, or before with the greatest first.
    fn compare(&self, a: usize, b: usize, descending: bool) -> Ordering {
        match (self.is_valid(a), self.is_valid(b)) {
            (true, true) => {}
            (x, y) => return y.cmp(&x),
        }
        let ordering = match &self.values {
            OutputValues::F64(values) => {
                let (x, y) = (values[a], values[b]);
                x.partial_cmp(&y).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()))
            }
            OutputValues::I64(values) | OutputValues::Time(values) => values[a].cmp(&values[b]),
            OutputValues::Bool(values) => values[a].cmp(&values[b]),
            OutputValues::Text(ranks, _) => ranks[a].cmp(&ranks[b]),
        };
        if descending { ordering.reverse() } else { ordering }
    }

    fn bytes(&self, rows: &[u32]) -> u64 {
        let n = rows.len() as u64;
        let valid = if self.valid.is_some() { n.div_ceil(8) } else { 0 };
        valid
            + match &self.values {
                OutputValues::F64(_) | OutputValues::I64(_) | OutputValues::Time(_) => n * 8,
                OutputValues::Bool(_) => n.div_ceil(8),
                OutputValues::Text(ranks, texts) => {
                    let text = |&row: &u32| {
                        self.text(ranks, texts, row as usize)
                            .map_or(0, |text| text.len() as u64)
                    };
                    n * 4 + rows.iter().map(text).sum::<u64>()
                }
            }
    }

    fn text<'a>(&self, ranks: &[u32], texts: &'a [String], row: usize) -> Option<&'a str> {
        self.is_valid(row).then(|| texts[ranks[row] as usize].as_str())
    }

    fn array(&self, rows: &[u32]) -> (Field, ArrayRef) {
        fn pick<T: Copy>(output: &Output, values: &[T], rows: &[u32]) -> Vec<Option<T>> {
            let value = |&row: &u32| output.is_valid(row as usize).then(|| values[row as usize]);
            rows.iter().map(value).collect()
        }
        let (data_type, array): (DataType, ArrayRef) = match &self.values {
            OutputValues::F64(values) => (
                DataType::Float64,
                Arc::new(Float64Array::from(pick(self, values, rows))),
            ),
            OutputValues::I64(values) => (DataType::Int64, Arc::new(Int64Array::from(pick(self, values, rows)))),
            OutputValues::Bool(values) => (
                DataType::Boolean,
                Arc::new(BooleanArray::from(pick(self, values, rows))),
            ),
            OutputValues::Time(values) => (
                DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
                Arc::new(TimestampNanosecondArray::from(pick(self, values, rows)).with_timezone("UTC")),
            ),
            OutputValues::Text(ranks, texts) => (
                DataType::Utf8,
                Arc::new(StringArray::from_iter(
                    rows.iter().map(|&row| self.text(ranks, texts, row as usize)),
                )),
            ),
        };
        (Field::new(&self.name, data_type, true), array)
    }
}

/// The distinct texts of codes, ascending, and each code's rank among them; null has rank 0.
fn rank(codes: &[u32], strings: &Strings) -> (Vec<u32>, Vec<String>) {
    let mut distinct: Vec<u32> = codes.iter().copied().filter(|&code| code != NULL_CODE).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let mut texts: Vec<(String, u32)> = strings.read(|view| {
        distinct
            .iter()
            .map(|&code| (view.text(code).to_owned(), code))
            .collect()
    });
    texts.sort_unstable();
    let ranks: HashMap<u32, u32> = texts
        .iter()
        .enumerate()
        .map(|(rank, (_, code))| (*code, rank as u32))
        .collect();
    let rank = |code: &u32| ranks.get(code).copied().unwrap_or_default();
    (
        codes.iter().map(rank).collect(),
        texts.into_iter().map(|(text, _)| text).collect(),
    )
}

/// Builds the answer from all lanes merged.
pub(super) fn build(plan: &Plan, merged: &Merged, limit: Option<u64>, max_bytes: u64, facts: &Facts) -> Result<Answer> {
    // A query without windows and keys has one row, also over no rows.
    let groups = if plan.shape == Shape::Single {
        1
    } else {
        merged.groups.len()
    };
    let mut outputs = key_columns(plan, &merged.groups, groups)?;
    let by_default = outputs.len();
    let mut measures = Vec::with_capacity(plan.measures.len());
    for measure in &plan.measures {
        let states = &merged.states[measure.slot];
        let grown;
        let states = if plan.shape == Shape::Single {
            let mut one = states.clone();
            one.grow(1);
            grown = one;
            &grown
        } else {
            states
        };
        let (output, relative_error) = finish(plan, measure, states)?;
        outputs.push(output);
        measures.push(v1::MeasureProvenance {
            name: measure.spec.name.clone(),
            exact: relative_error == 0.0,
            relative_error,
        });
    }
    let rows = order(plan, &outputs, by_default, groups, limit);
    let bytes: u64 = outputs.iter().map(|output| output.bytes(&rows)).sum();
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
    let nan_skipped = plan
        .measures
        .iter()
        .filter_map(|measure| plan.slots[measure.slot].column)
        .map(|column| merged.counts.nans[column])
        .sum();
    let tier = if merged.counts.nodes > 0 {
        v1::Tier::Preaggregate
    } else {
        v1::Tier::Raw
    };
    Ok(Answer {
        batch,
        provenance: v1::Provenance {
            commit: facts.commit,
            watermark_ns: facts.watermark_ns,
            definition_version: facts.schema_version,
            tier: tier as i32,
            rows_scanned: facts.rows_scanned,
            rows_matched: merged.counts.matched,
            nan_skipped,
            complete: facts.range.end != i64::MAX && facts.watermark_ns.is_some_and(|mark| mark >= facts.range.end),
            measures,
            elapsed: None,
        },
    })
}

fn key_columns(plan: &Plan, keys: &Grouper, groups: usize) -> Result<Vec<Output>> {
    let mut outputs = Vec::new();
    let mut part = 0;
    if let Some(windows) = plan.windows {
        let start = |group| {
            let index = windows.first.wrapping_add_unsigned(keys.part(group, 0));
            windows.tumbling.start(index)
        };
        let starts: Vec<i64> = (0..groups).map(start).collect();
        outputs.push(Output::new("start", OutputValues::Time(starts), Vec::new()));
        part = 1;
    }
    let null_word = part + plan.keys.len();
    for key in &plan.keys {
        let column = &plan.columns[key.column];
        let values = (0..groups).map(|group| {
            let value = keys.part(group, part);
            let null = match (key.null_bit, column.data_type) {
                (Some(bit), _) => keys.part(group, null_word) >> bit & 1 == 1,
                (None, Type::Bool) => value == 2,
                (None, _) => value == u64::from(NULL_CODE),
            };
            (!null).then_some(value)
        });
        outputs.push(Output::typed(
            &key.name,
            column.data_type,
            values,
            column.strings.as_deref(),
        )?);
        part += 1;
    }
    Ok(outputs)
}

/// The values of a measure, and the bound of their relative error.
fn finish(plan: &Plan, measure: &PlannedMeasure, states: &States) -> Result<(Output, f64)> {
    let name = measure.spec.name.as_str();
    let slot = &plan.slots[measure.slot];
    let data_type = plan.slot_type(slot);
    let strings = slot.column.and_then(|column| plan.columns[column].strings.as_deref());
    let count = |n: u64| Some(i64::try_from(n).unwrap_or(i64::MAX));
    let code = |code: u32| (code != NULL_CODE).then_some(u64::from(code));
    let mut error = 0.0;
    let output = match (states, measure.spec.kind) {
        (States::Count(states), _) => Output::i64s(name, states.iter().map(|state| count(state.finish()))),
        (States::MeanF64(states), MeasureKind::Count) => {
            Output::i64s(name, states.iter().map(|state| count(state.count)))
        }
        (States::MeanI64(states), MeasureKind::Count) => {
            Output::i64s(name, states.iter().map(|state| count(state.count)))
        }
        (States::MeanF64(states), MeasureKind::Sum) => Output::f64s(
            name,
            states.iter().map(|state| (state.count > 0).then(|| state.sum.finish())),
        ),
        (States::MeanI64(states), MeasureKind::Sum) => {
            let sums: Vec<Option<i64>> = states
                .iter()
                .map(|state| {
                    let sum = state.sum.finish();
                    let whole = i64::try_from(sum).map_err(|_| overflow(name, sum))?;
                    Ok((state.count > 0).then_some(whole))
                })
                .collect::<Result<_>>()?;
            Output::i64s(name, sums.into_iter())
        }
        (States::MeanF64(states), _) => Output::f64s(name, states.iter().map(Aggregate::finish)),
        (States::MeanI64(states), _) => Output::f64s(name, states.iter().map(Aggregate::finish)),
        (States::MinF64(states), _) => Output::f64s(name, states.iter().map(Aggregate::finish)),
        (States::MaxF64(states), _) => Output::f64s(name, states.iter().map(Aggregate::finish)),
        (States::MinI64(states), _) => Output::typed(
            name,
            data_type,
            states.iter().map(|state| state.finish().map(|value| value as u64)),
            None,
        )?,
        (States::MaxI64(states), _) => Output::typed(
            name,
            data_type,
            states.iter().map(|state| state.finish().map(|value| value as u64)),
            None,
        )?,
        (States::MinText(states) | States::MaxText(states), _) => {
            Output::typed(name, data_type, states.iter().map(|&state| code(state)), strings)?
        }
        (States::First(states), _) => Output::typed(name, data_type, states.iter().map(Aggregate::finish), strings)?,
        (States::Last(states), _) => Output::typed(name, data_type, states.iter().map(Aggregate::finish), strings)?,
        (States::Sketch(states), MeasureKind::Quantile(q)) => {
            error = states
                .iter()
                .map(ExponentialHistogram::relative_error)
                .fold(0.0, f64::max);
            Output::f64s(name, states.iter().map(|state| state.estimate(q)))
        }
        (States::Sketch(_), _) => return Err(Error::internal("a sketch for another measure")),
        (States::DistinctCodes(states), _) => Output::i64s(name, states.iter().map(|state| count(state.finish()))),
        (States::DistinctBits(states), _) => Output::i64s(name, states.iter().map(|state| count(state.finish()))),
    };
    Ok((output, error))
}

fn overflow(name: &str, sum: i128) -> Error {
    let message = format!("the sum {name:?} of integers fits 64 bits, got {sum}; the mean has no such bound");
    Error::new(Kind::OutOfRange, "SUM_OVERFLOW", message).at(name)
}

/// Rows in order: by the order keys, then by `start` and group keys ascending, nulls last; the first `limit` of them.
fn order(plan: &Plan, outputs: &[Output], by_default: usize, groups: usize, limit: Option<u64>) -> Vec<u32> {
    let compare = |&a: &u32, &b: &u32| {
        let (a, b) = (a as usize, b as usize);
        let asked = plan
            .order
            .iter()
            .map(|&(place, descending)| outputs[place].compare(a, b, descending));
        let default = outputs[..by_default].iter().map(|output| output.compare(a, b, false));
        asked
            .chain(default)
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    };
    let mut rows: Vec<u32> = (0..groups as u32).collect();
    if let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok())
        && limit < rows.len()
    {
        rows.select_nth_unstable_by(limit, compare);
        rows.truncate(limit);
    }
    rows.sort_unstable_by(compare);
    rows
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
