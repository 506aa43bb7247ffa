//! What a question is answered by looking at rows one by one, and how an answer is compared with that.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::questions::Test;
use super::rows::{Row, Sealed, labels, text_of};
use crate::query_support::{Cell, table};
use marigram_core::scan::pool::Pool;
use marigram_core::wire::v1;
use marigram_core::wire::v1::MeasureKind::{Count, First, Last, Max, Mean, Min, Sum};

pub(crate) fn text_cell(text: Option<String>) -> Cell {
    text.map_or(Cell::Null, Cell::Text)
}

pub(crate) fn cell_of(row: &Row, column: &str) -> Cell {
    match column {
        "entity" => Cell::Text(text_of(row.series)),
        "host" => text_cell(labels(row.series).0),
        "zone" => text_cell(labels(row.series).1),
        "f" => row.f.map_or(Cell::Null, Cell::F64),
        "wild" => row.wild.map_or(Cell::Null, Cell::F64),
        "i" => row.i.map_or(Cell::Null, Cell::I64),
        "far" => row.far.map_or(Cell::Null, Cell::I64),
        "b" => row.b.map_or(Cell::Null, Cell::Bool),
        "time" => Cell::Time(row.time),
        other => panic!("{other}"),
    }
}

/// A measured number may differ by so much from the true one.
#[derive(Clone, Debug)]
pub(crate) struct Expected(pub(crate) Cell, pub(crate) f64);

pub(crate) fn plain(cell: Cell) -> Cell {
    match cell {
        Cell::F64(value) => Cell::F64(value + 0.0),
        other => other,
    }
}

/// Sum as two doubles, and of magnitudes.
pub(crate) fn sum_of(values: &[f64]) -> (f64, f64) {
    let (mut high, mut low, mut magnitude) = (0.0f64, 0.0, 0.0);
    for &value in values {
        let sum = high + value;
        let of_value = sum - high;
        low += (high - (sum - of_value)) + (value - of_value);
        high = sum;
        magnitude += value.abs();
    }
    if high.is_finite() {
        (high + low, magnitude)
    } else {
        (values.iter().filter(|value| value.is_infinite()).sum(), 0.0)
    }
}

/// What values of one type are ordered by.
pub(crate) fn order(cell: &Cell) -> (f64, i64, &str) {
    match cell {
        Cell::F64(value) => (*value + 0.0, 0, ""),
        Cell::I64(value) | Cell::Time(value) => (0.0, *value, ""),
        Cell::Bool(value) => (0.0, i64::from(*value), ""),
        Cell::Text(text) => (0.0, 0, text),
        other @ (Cell::Null | Cell::Struct(_) | Cell::List(_)) => panic!("{other:?} has no order"),
    }
}

pub(crate) fn compute(measure: &v1::Measure, rows: &[&Row]) -> Expected {
    let exact = |cell| Expected(plain(cell), 0.0);
    if measure.column.is_empty() {
        return exact(Cell::I64(rows.len() as i64));
    }
    let cells = rows.iter().map(|row| (*row, cell_of(row, &measure.column)));
    let present: Vec<(&Row, Cell)> = cells
        .filter(|(_, cell)| *cell != Cell::Null && !matches!(cell, Cell::F64(value) if value.is_nan()))
        .collect();
    let f64s = || -> Vec<f64> {
        let values = present.iter().map(|(_, cell)| match cell {
            Cell::F64(value) => *value,
            Cell::I64(value) => *value as f64,
            other => panic!("{other:?}"),
        });
        values.collect()
    };
    let exact_sum = || -> i128 {
        let values = present.iter().map(|(_, cell)| {
            if let Cell::I64(value) = cell {
                i128::from(*value)
            } else {
                0
            }
        });
        values.sum()
    };
    let better = |left: &&Cell, right: &&Cell| order(left).partial_cmp(&order(right)).unwrap();
    let in_time = |(row, _): &&(&Row, Cell)| (row.time, row.series);
    let n = present.len() as f64;
    match measure.kind() {
        Count => exact(Cell::I64(present.len() as i64)),
        _ if present.is_empty() => exact(Cell::Null),
        Sum if measure.column == "i" => exact(Cell::I64(exact_sum() as i64)),
        Sum => {
            let (sum, magnitude) = sum_of(&f64s());
            Expected(Cell::F64(sum), magnitude * 2f64.powi(-50))
        }
        Mean if measure.column == "i" || measure.column == "far" => exact(Cell::F64(exact_sum() as f64 / n)),
        Mean => {
            let (sum, magnitude) = sum_of(&f64s());
            Expected(Cell::F64(sum / n), magnitude / n * 2f64.powi(-49))
        }
        Min => exact(present.iter().map(|(_, cell)| cell).min_by(better).unwrap().clone()),
        Max => exact(present.iter().map(|(_, cell)| cell).max_by(better).unwrap().clone()),
        First => Expected(present.iter().min_by_key(in_time).unwrap().1.clone(), 0.0),
        Last => Expected(present.iter().max_by_key(in_time).unwrap().1.clone(), 0.0),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn is_near(got: &Cell, Expected(wanted, bound): &Expected) -> bool {
    match (got, wanted) {
        (Cell::F64(got), Cell::F64(wanted)) => {
            got == wanted || got.is_nan() && wanted.is_nan() || (got - wanted).abs() <= *bound
        }
        _ => got == wanted,
    }
}

pub(crate) struct Question {
    pub(crate) query: v1::QuerySpec,
    pub(crate) range: Range<i64>,
    pub(crate) width: Option<i64>,
    pub(crate) test: Test,
    /// Rows that measures alone take, one a measure.
    pub(crate) filters: Vec<Test>,
}

impl Question {
    /// Compares, and says from what the answer was made.
    pub(crate) fn check(&self, sealed: &Sealed, pool: Option<Arc<Pool>>) -> v1::Tier {
        let query = &self.query;
        let in_range: Vec<&Row> = sealed
            .rows
            .iter()
            .filter(|row| self.range.contains(&row.time))
            .collect();
        let taken: Vec<&Row> = in_range.iter().copied().filter(|row| (self.test.1)(row)).collect();
        let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for row in &taken {
            let start = self.width.map(|width| Cell::Time(row.time.div_euclid(width) * width));
            let keys = query.group_by.iter().map(|key| cell_of(row, &key.column));
            let key: Vec<Cell> = start.into_iter().chain(keys).collect();
            groups.entry(format!("{key:?}")).or_default().push(row);
        }
        if self.width.is_none() && query.group_by.is_empty() {
            groups.entry("[]".to_owned()).or_default();
        }
        let answer = sealed
            .ask(query, pool)
            .unwrap_or_else(|error| panic!("{error} of {query:?}"));
        let (names, found) = table(&answer.batch);
        let keys = names.len() - query.measures.len();
        assert_eq!(found.len(), groups.len(), "{query:?}");
        for line in found {
            let rows = groups
                .remove(&format!("{:?}", &line[..keys]))
                .unwrap_or_else(|| panic!("{line:?} of {query:?}"));
            for ((got, measure), filter) in line[keys..].iter().zip(&query.measures).zip(&self.filters) {
                let rows: Vec<&Row> = rows.iter().copied().filter(|row| (filter.1)(row)).collect();
                let wanted = compute(measure, &rows);
                assert!(
                    is_near(got, &wanted),
                    "{got:?} for {wanted:?}: {measure:?} of {line:?} of {query:?}"
                );
            }
        }
        let provenance = &answer.provenance;
        assert_eq!(provenance.rows_matched, taken.len() as u64, "{query:?}");
        assert!(provenance.rows_scanned >= taken.len() as u64 && provenance.rows_scanned <= in_range.len() as u64);
        if query.filter.is_none() {
            assert_eq!(provenance.rows_scanned, in_range.len() as u64, "{query:?}");
        }
        let nans = |(measure, filter): (&v1::Measure, &Test)| {
            let is_nan = |row: &&&Row| matches!(cell_of(row, &measure.column), Cell::F64(value) if value.is_nan());
            if measure.column.is_empty() {
                0
            } else {
                taken.iter().filter(|row| (filter.1)(row)).filter(is_nan).count() as u64
            }
        };
        assert_eq!(
            provenance.nan_skipped,
            query.measures.iter().zip(&self.filters).map(nans).sum::<u64>(),
            "{query:?}"
        );
        provenance.tier()
    }
}
