//! Streams in memory and specifications in short, for the tests of queries.
#![allow(dead_code, reason = "each test file uses its share")]

pub(crate) mod cuts;
pub(crate) mod filter_text;
pub(crate) mod keys;
pub(crate) mod nested;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType};
use arrow_schema::DataType;
use marigram_core::column::batch::BatchColumn;
use marigram_core::column::{
    Bitmap, ColumnData, ColumnId, ColumnType, PackedBatch, RowBatch, Schema, StreamKind, StreamSettings, TextData,
    packed,
};
use marigram_core::error::Result;
use marigram_core::query::{Answer, Context, Spec, run};
use marigram_core::store::{CommitCounter, NamespaceId, Stream, TailBatch};
use marigram_core::time::ManualClock;
use marigram_core::wire::v1;

/// A value of a cell, and of a cell of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    F64(f64),
    I64(i64),
    Bool(bool),
    Text(String),
    Time(i64),
    Struct(Vec<Cell>),
    List(Vec<Cell>),
}

impl Cell {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// One row: time, entity (empty: null), cells by declared column.
pub(crate) type Row = (i64, String, Vec<Cell>);

/// An event stream with `event`, `session`, `service` and these columns after them.
pub(crate) fn stream(columns: &[(&str, ColumnType)]) -> Arc<Stream> {
    let mut schema = Schema::new(StreamKind::Event, StreamSettings::default());
    for (name, column_type) in columns {
        schema.add_column("", name, *column_type, "", "").unwrap();
    }
    Arc::new(Stream::new(
        1,
        NamespaceId(1),
        "rows",
        0,
        schema,
        Arc::new(CommitCounter::at(0)),
    ))
}

/// Commits rows as one batch; `as_text` stores symbols as texts, as a column past its bound does.
pub(crate) fn push(stream: &Stream, rows: &[Row], as_text: bool) {
    let schema = stream.schema();
    let entity = rows
        .iter()
        .map(|(_, entity, _)| {
            if entity.is_empty() {
                0
            } else {
                stream.intern_users([entity.as_str()].into_iter())[0]
            }
        })
        .collect();
    let columns = (0..rows[0].2.len()).map(|at| {
        let spec = &schema.columns[at + 3];
        let cells: Vec<&Cell> = rows.iter().map(|row| &row.2[at]).collect();
        column(stream, spec.id, spec.column_type, &cells, as_text)
    });
    let batch = RowBatch {
        time: rows.iter().map(|row| row.0).collect(),
        entity,
        columns: columns.collect(),
    };
    push_batch(stream, &batch);
}

/// Commits a batch.
pub(crate) fn push_batch(stream: &Stream, batch: &RowBatch) {
    let packed = PackedBatch::open(packed::pack(batch)).unwrap();
    let commit = stream.commits.published() + 1;
    let policy = stream.policy();
    stream
        .watermark_state()
        .observe(packed.max_time(), packed.max_time(), &policy);
    stream.push_batch(TailBatch::alone(commit, packed));
    stream.commits.publish(commit);
}

fn column(stream: &Stream, id: ColumnId, column_type: ColumnType, cells: &[&Cell], as_text: bool) -> BatchColumn {
    let mut valid = Bitmap::default();
    cells.iter().for_each(|cell| valid.push(**cell != Cell::Null));
    let data = match column_type {
        ColumnType::F64 => ColumnData::F64(
            cells
                .iter()
                .map(|cell| if let Cell::F64(value) = cell { *value } else { 7.0 })
                .collect(),
        ),
        ColumnType::I64 | ColumnType::Timestamp => ColumnData::I64(
            cells
                .iter()
                .map(|cell| {
                    if let Cell::I64(value) | Cell::Time(value) = cell {
                        *value
                    } else {
                        7
                    }
                })
                .collect(),
        ),
        ColumnType::Bool => {
            let mut bits = Bitmap::default();
            cells.iter().for_each(|cell| bits.push(**cell == Cell::Bool(true)));
            ColumnData::Bool(bits)
        }
        ColumnType::Symbol if !as_text => {
            let symbols = stream.symbols(id);
            let code = |cell: &&Cell| {
                if let Cell::Text(text) = cell {
                    symbols.intern([text.as_str()].into_iter())[0]
                } else {
                    0
                }
            };
            let codes = cells.iter().map(code).collect();
            return BatchColumn {
                id,
                data: ColumnData::Code(codes),
                validity: None,
            };
        }
        _ => {
            let mut texts = TextData::default();
            cells
                .iter()
                .for_each(|cell| texts.push(if let Cell::Text(text) = cell { text } else { "" }));
            ColumnData::Text(texts)
        }
    };
    BatchColumn {
        id,
        data,
        validity: Some(valid),
    }
}

/// A measure.
pub(crate) fn measure(kind: v1::MeasureKind, column: &str) -> v1::Measure {
    v1::Measure {
        kind: kind as i32,
        column: column.to_owned(),
        ..Default::default()
    }
}

/// A query of measures over everything.
pub(crate) fn spec(measures: Vec<v1::Measure>) -> v1::QuerySpec {
    v1::QuerySpec {
        stream: "rows".to_owned(),
        measures,
        ..Default::default()
    }
}

/// Tumbling windows.
fn duration(ns: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration {
        seconds: ns / 1_000_000_000,
        nanos: (ns % 1_000_000_000) as i32,
    })
}

pub(crate) fn tumbling(width_ns: i64) -> Option<v1::Window> {
    let width = duration(width_ns);
    let kind = Some(v1::window::Kind::Tumbling(v1::TumblingWindow { width }));
    Some(v1::Window { kind })
}

pub(crate) fn hopping(width_ns: i64, step_ns: i64) -> Option<v1::Window> {
    let (width, step) = (duration(width_ns), duration(step_ns));
    let kind = Some(v1::window::Kind::Hopping(v1::HoppingWindow { width, step }));
    Some(v1::Window { kind })
}

pub(crate) fn session(gap_ns: i64) -> Option<v1::Window> {
    session_within(gap_ns, None)
}

pub(crate) fn sliding(width_ns: i64) -> Option<v1::Window> {
    let width = duration(width_ns);
    let kind = Some(v1::window::Kind::Sliding(v1::SlidingWindow { width }));
    Some(v1::Window { kind })
}

pub(crate) fn session_within(gap_ns: i64, longest_ns: Option<i64>) -> Option<v1::Window> {
    let (gap, max_length) = (duration(gap_ns), longest_ns.and_then(duration));
    let kind = Some(v1::window::Kind::Session(v1::SessionWindow { gap, max_length }));
    Some(v1::Window { kind })
}

pub(crate) fn by(columns: &[&str]) -> Vec<v1::GroupKey> {
    columns
        .iter()
        .map(|column| v1::GroupKey {
            column: (*column).to_owned(),
            ..Default::default()
        })
        .collect()
}

pub(crate) fn value(cell: &Cell) -> Option<v1::Value> {
    use v1::value::Kind;
    Some(v1::Value {
        kind: Some(match cell {
            Cell::Null | Cell::Struct(_) | Cell::List(_) => return None,
            Cell::F64(value) => Kind::F64(*value),
            Cell::I64(value) => Kind::I64(*value),
            Cell::Bool(value) => Kind::Boolean(*value),
            Cell::Text(text) => Kind::Text(text.clone()),
            Cell::Time(value) => Kind::TimestampNs(*value),
        }),
    })
}

pub(crate) fn filter(condition: v1::filter::Condition) -> v1::Filter {
    v1::Filter {
        condition: Some(condition),
    }
}

pub(crate) fn compare(column: &str, operator: v1::ComparisonOperator, with: &Cell) -> v1::Filter {
    filter(v1::filter::Condition::Compare(v1::Comparator {
        column: column.to_owned(),
        operator: operator as i32,
        value: value(with),
    }))
}

/// Whether a column is null, or is not.
pub(crate) fn is_null(column: &str, is_null: bool) -> v1::Filter {
    filter(v1::filter::Condition::Null(v1::NullTest {
        column: column.to_owned(),
        is_null,
    }))
}

/// A string against a pattern.
pub(crate) fn like(column: &str, kind: v1::TextMatchKind, pattern: &str) -> v1::Filter {
    filter(v1::filter::Condition::Match(v1::TextMatch {
        column: column.to_owned(),
        kind: kind as i32,
        pattern: pattern.to_owned(),
    }))
}

/// A context on this thread, the clock at 0.
pub(crate) fn context() -> Context {
    Context::new(Arc::new(ManualClock::at(0)))
}

/// Runs a query on this thread.
pub(crate) fn ask(stream: &Arc<Stream>, spec: v1::QuerySpec) -> Result<Answer> {
    run(stream, &Spec::new(spec)?, &context())
}

/// Names of an answer's columns, and its rows.
pub(crate) fn table(batch: &RecordBatch) -> (Vec<String>, Vec<Vec<Cell>>) {
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name().clone()).collect();
    let rows = (0..batch.num_rows()).map(|row| batch.columns().iter().map(|column| cell(column, row)).collect());
    (names, rows.collect())
}

fn cell(column: &arrow_array::ArrayRef, row: usize) -> Cell {
    use arrow_array::Array;
    if column.is_null(row) {
        return Cell::Null;
    }
    match column.data_type() {
        DataType::Float64 => Cell::F64(column.as_primitive::<Float64Type>().value(row)),
        DataType::Int64 => Cell::I64(column.as_primitive::<Int64Type>().value(row)),
        DataType::Boolean => Cell::Bool(column.as_boolean().value(row)),
        DataType::Utf8 => Cell::text(column.as_string::<i32>().value(row)),
        DataType::Timestamp(_, zone) => {
            assert_eq!(zone.as_deref(), Some("UTC"));
            Cell::Time(column.as_primitive::<TimestampNanosecondType>().value(row))
        }
        DataType::Struct(_) => {
            let fields = column.as_struct().columns().iter();
            Cell::Struct(fields.map(|field| cell(field, row)).collect())
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            Cell::List((0..items.len()).map(|item| cell(&items, item)).collect())
        }
        other => panic!("no column is {other}"),
    }
}
