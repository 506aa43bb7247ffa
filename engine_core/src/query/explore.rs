//! What a column holds: its distinct values, most frequent first, or of each column of a stream how many it has. Made of queries over
//! one snapshot.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::answer::Answer;
use super::page::{Tokens, page_size};
use super::run::{Context, QueryLimits, run};
use super::spec::Spec;
use crate::column::{ColumnType, Schema};
use crate::error::{Error, Result};
use crate::store::Stream;
use crate::time::TimeRange;
use crate::wire::v1;
use crate::wire::v1::MeasureKind::{Count, DistinctSketch};

/// A checked ExploreDimensionRequest.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// Stream id.
    pub stream: String,
    /// Range of event time.
    pub range: TimeRange,
    column: String,
    /// Which rows, at which cost.
    of: v1::QuerySpec,
    page_size: usize,
    tokens: Tokens,
    /// Commit of the first page, and how many values or columns there were on pages so far.
    after: Option<(u64, u64)>,
}

impl Exploration {
    /// Checks a message, under the secret of its namespace.
    pub fn new(mut message: v1::ExploreDimensionRequest, secret: [u8; 16]) -> Result<Self> {
        let token = std::mem::take(&mut message.page_token);
        let tokens = Tokens::new(secret, "ExploreDimension", &message);
        let v1::ExploreDimensionRequest {
            stream,
            column,
            range,
            filter,
            filter_text,
            page_size: size,
            page_token: _,
            budget,
        } = message;
        let of = v1::QuerySpec {
            stream,
            range,
            filter,
            filter_text,
            budget,
            ..Default::default()
        };
        let checked = spec(&of, vec![measure(Count, "", "")])?;
        let after = tokens.read::<16>(&token)?.map(|position| {
            let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| position[at + byte]));
            (word(0), word(8))
        });
        Ok(Self {
            stream: checked.stream,
            range: checked.range,
            column,
            of,
            page_size: page_size(size)?,
            tokens,
            after,
        })
    }

    /// The page of a stream.
    pub fn page(&self, stream: &Arc<Stream>, context: &Context) -> Result<v1::ExploreDimensionResponse> {
        let pinned = self.after.and_then(|(commit, _)| stream.as_of(commit).ok());
        let snapshot = pinned.unwrap_or_else(|| stream.snapshot());
        let commit = snapshot.commit;
        let context = Context {
            snapshot: Some(snapshot),
            ..context.clone()
        };
        let before = self.after.map_or(0, |(_, before)| before);
        let (mut response, all) = if self.column.is_empty() {
            self.columns(stream, &context, before)?
        } else {
            self.values(stream, &context, before)?
        };
        response.commit = commit;
        let listed = before + (response.values.len() + response.columns.len()) as u64;
        if listed < all {
            let mut position = [0; 16];
            position[..8].copy_from_slice(&commit.to_be_bytes());
            position[8..].copy_from_slice(&listed.to_be_bytes());
            response.next_page_token = self.tokens.make(position);
        }
        Ok(response)
    }

    /// The values behind so many, and how many there are.
    fn values(
        &self,
        stream: &Arc<Stream>,
        context: &Context,
        before: u64,
    ) -> Result<(v1::ExploreDimensionResponse, u64)> {
        // A name that is not the column's.
        let rows = format!("{} rows", self.column);
        let mut of = self.of.clone();
        of.group_by = vec![v1::GroupKey {
            column: self.column.clone(),
            ..Default::default()
        }];
        let order = |column: &str, descending| v1::OrderBy {
            column: column.to_owned(),
            descending,
        };
        of.order_by = vec![order(&rows, true), order(&self.column, false)];
        // The nulls are among them, and are none of the values.
        of.limit = before + self.page_size as u64 + 1;
        let grouped = run(stream, &spec(&of, vec![measure(Count, "", &rows)])?, context)?;
        let matched = grouped.provenance.rows_matched;
        let counted = Context {
            limits: QueryLimits {
                max_rows: left(&self.of, context, grouped.provenance.rows_scanned),
                ..context.limits
            },
            ..context.clone()
        };
        let present = run(
            stream,
            &spec(&self.of, vec![measure(Count, &self.column, "")])?,
            &counted,
        )?;
        let nulls = matched - number(&present, 0) - present.provenance.nan_skipped;
        let cardinality = grouped.groups as u64 - u64::from(nulls > 0);
        let (keys, counts) = (
            grouped.batch.column(0),
            grouped.batch.column(1).as_primitive::<Int64Type>(),
        );
        let known = (0..keys.len()).filter(|&row| keys.is_valid(row));
        let page = known.skip(before as usize).take(self.page_size);
        let values = page.map(|row| {
            let count = counts.value(row) as u64;
            v1::DimensionValue {
                value: Some(value(keys, row)),
                count,
                share: count as f64 / matched as f64,
            }
        });
        let response = v1::ExploreDimensionResponse {
            cardinality,
            rows: matched,
            nulls,
            values: values.collect(),
            ..Default::default()
        };
        Ok((response, cardinality))
    }

    /// The columns behind so many, and how many there are.
    fn columns(
        &self,
        stream: &Arc<Stream>,
        context: &Context,
        before: u64,
    ) -> Result<(v1::ExploreDimensionResponse, u64)> {
        let all = columns_of(&stream.schema());
        let mut response = v1::ExploreDimensionResponse::default();
        let mut scanned = 0;
        for (name, column_type) in all.iter().skip(before as usize).take(self.page_size) {
            let context = Context {
                limits: QueryLimits {
                    max_rows: left(&self.of, context, scanned),
                    ..context.limits
                },
                ..context.clone()
            };
            let measures = vec![measure(Count, name, "count"), measure(DistinctSketch, name, "distinct")];
            let answer = run(stream, &spec(&self.of, measures)?, &context)?;
            let made = &answer.provenance;
            scanned += made.rows_scanned;
            response.rows = made.rows_matched;
            // Each of the two has skipped them.
            let nans = made.nan_skipped / 2;
            let nulls = made.rows_matched - number(&answer, 0) - nans;
            response.columns.push(v1::DimensionColumn {
                name: name.clone(),
                r#type: *column_type as i32,
                cardinality: number(&answer, 1),
                exact: made.measures.iter().all(|measure| measure.exact),
                nulls_share: if made.rows_matched == 0 {
                    0.0
                } else {
                    nulls as f64 / made.rows_matched as f64
                },
            });
        }
        Ok((response, all.len() as u64))
    }
}

/// Columns and labels with their types, in order of name.
fn columns_of(schema: &Schema) -> Vec<(String, ColumnType)> {
    let declared = schema
        .columns
        .iter()
        .map(|column| (column.name.clone(), column.column_type));
    let mut all = vec![("entity".to_owned(), ColumnType::Symbol)];
    all.extend(declared.filter(|(_, column_type)| *column_type != ColumnType::State));
    all.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    all
}

/// Rows that may still be scanned.
fn left(of: &v1::QuerySpec, context: &Context, scanned: u64) -> u64 {
    let asked = of.budget.map_or(0, |budget| budget.max_rows);
    let most = if asked == 0 { u64::MAX } else { asked };
    most.min(context.limits.max_rows).saturating_sub(scanned)
}

fn spec(of: &v1::QuerySpec, measures: Vec<v1::Measure>) -> Result<Spec> {
    Spec::new(v1::QuerySpec { measures, ..of.clone() })
}

fn measure(kind: v1::MeasureKind, column: &str, name: &str) -> v1::Measure {
    v1::Measure {
        kind: kind as i32,
        column: column.to_owned(),
        name: name.to_owned(),
        ..Default::default()
    }
}

/// The count in a column of an answer of one row.
fn number(answer: &Answer, column: usize) -> u64 {
    answer.batch.column(column).as_primitive::<Int64Type>().value(0) as u64
}

fn value(column: &ArrayRef, row: usize) -> v1::Value {
    use v1::value::Kind;
    let kind = match column.data_type() {
        DataType::Float64 => Kind::F64(column.as_primitive::<Float64Type>().value(row)),
        DataType::Int64 => Kind::I64(column.as_primitive::<Int64Type>().value(row)),
        DataType::Boolean => Kind::Boolean(column.as_boolean().value(row)),
        DataType::Timestamp(..) => Kind::TimestampNs(column.as_primitive::<TimestampNanosecondType>().value(row)),
        _ => Kind::Text(column.as_string::<i32>().value(row).to_owned()),
    };
    v1::Value { kind: Some(kind) }
}

/// The field of the request that an error of one of its queries is about.
pub(super) fn explain(error: Error) -> Error {
    match error.field() {
        "spec.group_by[0].column" | "spec.measures[0].column" => error.at("column"),
        _ => error,
    }
}
