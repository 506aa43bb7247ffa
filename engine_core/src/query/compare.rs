//! An answer beside that of an earlier period: windows and groups met one by one.

use hashbrown::HashMap;

use super::output::{Cell, Output, OutputValues};
use super::plan::Windows;
use super::spec::{Period, Spec, WindowSpec};
use crate::error::{Error, Result};
use crate::group::too_many;
use crate::scan::control::Control;
use crate::time::TimeRange;
use crate::window::calendar::Calendar;
use crate::wire::v1;

/// Behind the name of a measure: its value in the period before.
const BEFORE: &str = "_before";
/// Behind the name of a measure of numbers: by how much of that it has changed.
const CHANGE: &str = "_change";

/// How many edges of windows are moved between two looks at whether the caller gave up.
const EDGES_A_CHECK: u64 = 1 << 14;

/// How far back the period lies.
pub(super) enum Shift {
    /// Nanoseconds.
    By(i64),
    /// Days and months on the calendar of a time zone.
    Dates(Calendar, i64, i64),
}

impl Shift {
    /// Of a period; `range` is that of the query.
    pub(super) fn new(period: Period, range: TimeRange, window: Option<&WindowSpec>) -> Result<Self> {
        let calendar = || match window {
            Some(WindowSpec::Calendar(calendar)) => calendar.clone(),
            _ => Calendar::utc(),
        };
        Ok(match period {
            Period::Previous => {
                let length = range.end.checked_sub(range.start);
                let length = length.filter(|_| range.start != i64::MIN && range.end != i64::MAX);
                Self::By(length.ok_or_else(|| {
                    let rule =
                        "the period before is as long as the range, which has a start and an end within 292 years";
                    Error::invalid("BAD_COMPARISON", "spec.compare.period", rule)
                })?)
            }
            Period::SameWeekday => Self::Dates(calendar(), 7, 0),
            Period::YearAgo => Self::Dates(calendar(), 0, 12),
        })
    }

    /// The instant that far back.
    fn back(&self, time: i64) -> i64 {
        match self {
            _ if time == i64::MIN || time == i64::MAX => time,
            Self::By(length) => time.saturating_sub(*length),
            Self::Dates(calendar, days, months) => calendar.back(time, *days, *months),
        }
    }

    /// The query of the earlier period. `windows` are those of the answer, at most `most`.
    pub(super) fn spec(&self, spec: &Spec, windows: Option<&Windows>, control: &Control, most: u64) -> Result<Spec> {
        let mut earlier = Spec {
            order_by: Vec::new(),
            limit: None,
            having: None,
            fill: None,
            compare: None,
            range: TimeRange {
                start: self.back(spec.range.start),
                end: self.back(spec.range.end),
            },
            ..spec.clone()
        };
        if let Some(windows) = windows {
            // Each has an edge of its own, also those without rows.
            if windows.count > most {
                return Err(too_many(most));
            }
            let edge = |index: u64| {
                if index.is_multiple_of(EDGES_A_CHECK) {
                    control.check()?;
                }
                Ok(self.back(windows.cut.start(windows.first.saturating_add_unsigned(index))))
            };
            let edges = ascending((0..=windows.count).map(edge).collect::<Result<_>>()?);
            // What lies outside of these windows meets none of the answer's.
            earlier.range.start = earlier.range.start.max(edges[0]);
            earlier.range.end = earlier.range.end.min(edges[edges.len() - 1]).max(earlier.range.start);
            earlier.window = Some(WindowSpec::Edges(edges));
        }
        Ok(earlier)
    }
}

/// Edges in order: a day that the earlier period does not have, such as the 29th of February, is empty there.
fn ascending(mut edges: Vec<i64>) -> Vec<i64> {
    let mut greatest = None;
    let goes_back: Vec<bool> = edges
        .iter()
        .map(|&edge| {
            let goes_back = greatest.is_some_and(|greatest| edge <= greatest);
            greatest = greatest.max(Some(edge));
            goes_back
        })
        .collect();
    let mut next = greatest.unwrap_or_default();
    for (edge, goes_back) in edges.iter_mut().zip(goes_back).rev() {
        if goes_back {
            *edge = next;
        }
        next = *edge;
    }
    edges
}

/// Names of the columns that a comparison adds to those of measures; whether all measures are of numbers is not known yet.
pub(super) fn names(measures: &[&str]) -> Vec<String> {
    let with = |end: &str| -> Vec<String> { measures.iter().map(|name| format!("{name}{end}")).collect() };
    [with(BEFORE), with(CHANGE)].concat()
}

/// How the columns that a comparison adds were made: those of the earlier period as these, changes without a bound where either is an
/// estimate.
pub(super) fn provenance(
    now: &[v1::MeasureProvenance],
    before: &[v1::MeasureProvenance],
) -> Vec<v1::MeasureProvenance> {
    let earlier = before.iter().map(|made| v1::MeasureProvenance {
        name: format!("{}{BEFORE}", made.name),
        ..made.clone()
    });
    let changes = now.iter().zip(before).map(|(now, before)| {
        let exact = now.exact && before.exact;
        v1::MeasureProvenance {
            name: format!("{}{CHANGE}", now.name),
            exact,
            relative_error: if exact { 0.0 } else { f64::INFINITY },
            rank_error: 0.0,
        }
    });
    earlier.chain(changes).collect()
}

/// What tells a row of one answer in another: its window's number, and its keys.
type Key = (u64, Vec<Option<Vec<u8>>>);

/// Rows of an answer: the number of each one's window, its keys, its measures.
pub(super) struct Side<'a> {
    pub(super) windows: Vec<u64>,
    pub(super) keys: &'a [Output],
    pub(super) measures: &'a [Output],
}

impl Side<'_> {
    fn key(&self, row: usize) -> Key {
        let key = |output: &Output| output.is_valid(row).then(|| output.bytes_of(row));
        (self.windows[row], self.keys.iter().map(key).collect())
    }

    /// The columns that compare these rows with others.
    pub(super) fn beside(&self, before: &Side<'_>) -> Vec<Output> {
        let places: HashMap<Key, u32> = (0..before.windows.len())
            .map(|row| (before.key(row), row as u32))
            .collect();
        let cells: Vec<Cell> = (0..self.windows.len())
            .map(|row| places.get(&self.key(row)).map_or(Cell::Null, |&row| Cell::Row(row)))
            .collect();
        let earlier: Vec<Output> = before.measures.iter().map(|output| output.of_cells(&cells)).collect();
        let changes = self.measures.iter().zip(&earlier).map(|(now, before)| {
            let change = |row| {
                let before = before.number(row).filter(|&before| before != 0.0)?;
                Some((now.number(row)? - before) / before.abs())
            };
            let name = format!("{}{CHANGE}", now.name);
            Output::f64s(&name, (0..self.windows.len()).map(change))
        });
        let changes: Vec<Output> = changes.collect();
        let named = earlier.into_iter().map(|output| Output {
            name: format!("{}{BEFORE}", output.name),
            ..output
        });
        named.chain(changes).collect()
    }
}

impl Output {
    /// Bytes that are equal for equal values.
    fn bytes_of(&self, row: usize) -> Vec<u8> {
        match &self.values {
            OutputValues::F64(values) => values[row].to_bits().to_le_bytes().to_vec(),
            OutputValues::I64(values) | OutputValues::Time(values) => values[row].to_le_bytes().to_vec(),
            OutputValues::Bool(values) => vec![values[row].into()],
            OutputValues::Text(ranks, texts) => texts[ranks[row] as usize].as_bytes().to_vec(),
            // Of keys alone, which are none.
            OutputValues::Nested(..) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_the_earlier_period_lacks_are_empty() {
        assert_eq!(ascending(vec![1, 2, 3]), [1, 2, 3]);
        assert_eq!(ascending(vec![27, 28, 28, 31, 32]), [27, 28, 31, 31, 32]);
        assert_eq!(ascending(vec![1, 2, 3, 1, 2, 3, 4]), [1, 2, 3, 4, 4, 4, 4]);
        assert_eq!(ascending(vec![1, 2, 2]), [1, 2, 2]);
    }
}
