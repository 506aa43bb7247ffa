//! Columns of an answer before they are ordered and encoded.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampNanosecondArray};
use arrow_schema::{DataType, Field, TimeUnit};
use hashbrown::HashMap;

use super::nested;
use crate::column::NULL_CODE;
use crate::error::{Error, Result};
use crate::scan::Type;
use crate::scan::strings::Strings;

/// One column of the answer, before it is ordered.
#[derive(Clone, Debug)]
pub struct Output {
    pub name: String,
    pub values: OutputValues,
    /// Rows that are not null; none: all are.
    pub valid: Option<Vec<bool>>,
}

#[derive(Clone, Debug)]
pub enum OutputValues {
    F64(Vec<f64>),
    I64(Vec<i64>),
    Bool(Vec<bool>),
    Time(Vec<i64>),
    /// Ranks among `texts`, which ascend.
    Text(Vec<u32>, Vec<String>),
    /// Structs, or lists of them, and the place of each row's.
    Nested(ArrayRef, Vec<Option<u32>>),
}

/// A value of a column that is made of another's rows.
#[derive(Clone, Copy, Debug)]
pub enum Cell {
    /// That of a row.
    Row(u32),
    /// A number, in a column of numbers; rounded where they are integers.
    Number(f64),
    /// Null.
    Null,
}

impl Output {
    /// A column of the same name and type.
    pub fn of_cells(&self, cells: &[Cell]) -> Self {
        fn pick<T: Copy + Default>(values: &[T], cells: &[Cell], of: impl Fn(f64) -> T) -> Vec<T> {
            let value = |cell: &Cell| match cell {
                Cell::Row(row) => values[*row as usize],
                Cell::Number(number) => of(*number),
                Cell::Null => T::default(),
            };
            cells.iter().map(value).collect()
        }
        let values = match &self.values {
            OutputValues::F64(values) => OutputValues::F64(pick(values, cells, |number| number)),
            OutputValues::I64(values) => OutputValues::I64(pick(values, cells, |number| number.round() as i64)),
            OutputValues::Bool(values) => OutputValues::Bool(pick(values, cells, |_| false)),
            OutputValues::Time(values) => OutputValues::Time(pick(values, cells, |_| 0)),
            OutputValues::Text(ranks, texts) => OutputValues::Text(pick(ranks, cells, |_| 0), texts.clone()),
            OutputValues::Nested(array, places) => {
                OutputValues::Nested(Arc::clone(array), nested::of_cells(places, cells))
            }
        };
        let is_valid = |cell: &Cell| match cell {
            Cell::Row(row) => self.is_valid(*row as usize),
            Cell::Number(_) => true,
            Cell::Null => false,
        };
        Self::new(&self.name, values, cells.iter().map(is_valid).collect())
    }

    /// Some of its rows.
    pub fn picked(&self, rows: &[u32]) -> Self {
        let cells: Vec<Cell> = rows.iter().map(|&row| Cell::Row(row)).collect();
        self.of_cells(&cells)
    }

    /// Has a text stand in some rows of a column of texts.
    pub fn put_text(&mut self, rows: impl Iterator<Item = usize>, text: &str) {
        let OutputValues::Text(ranks, texts) = &mut self.values else {
            return;
        };
        let place = texts
            .binary_search_by(|known| known.as_str().cmp(text))
            .unwrap_or_else(|place| {
                texts.insert(place, text.to_owned());
                let behind = ranks.iter_mut().filter(|rank| **rank as usize >= place);
                behind.for_each(|rank| *rank += 1);
                place
            });
        for row in rows {
            ranks[row] = place as u32;
            if let Some(valid) = &mut self.valid {
                valid[row] = true;
            }
        }
    }

    /// Whether a row has a value that can be compared: neither null nor NaN.
    pub fn is_known(&self, row: usize) -> bool {
        let is_nan = matches!(&self.values, OutputValues::F64(values) if values[row].is_nan());
        self.is_valid(row) && !is_nan
    }

    pub fn new(name: &str, values: OutputValues, valid: Vec<bool>) -> Self {
        Self {
            name: name.to_owned(),
            values,
            valid: valid.contains(&false).then_some(valid),
        }
    }

    pub fn f64s(name: &str, values: impl Iterator<Item = Option<f64>>) -> Self {
        let (values, valid) = values.map(|value| (value.unwrap_or_default(), value.is_some())).unzip();
        Self::new(name, OutputValues::F64(values), valid)
    }

    pub fn i64s(name: &str, values: impl Iterator<Item = Option<i64>>) -> Self {
        let (values, valid) = values.map(|value| (value.unwrap_or_default(), value.is_some())).unzip();
        Self::new(name, OutputValues::I64(values), valid)
    }

    /// From bits, or codes of texts.
    pub fn typed(
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

    /// The number of a row; none: null, or no number.
    pub fn number(&self, row: usize) -> Option<f64> {
        let value = match &self.values {
            OutputValues::F64(values) => values[row],
            OutputValues::I64(values) => values[row] as f64,
            _ => return None,
        };
        self.is_valid(row).then_some(value)
    }

    pub fn is_valid(&self, row: usize) -> bool {
        self.valid.as_ref().is_none_or(|valid| valid[row])
    }

    /// Nulls last either way; NaN after every number, or before with the greatest first.
    pub fn compare(&self, a: usize, b: usize, descending: bool) -> Ordering {
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
            // Nobody may ask.
            OutputValues::Nested(..) => Ordering::Equal,
        };
        if descending { ordering.reverse() } else { ordering }
    }

    pub fn bytes(&self, rows: &[u32]) -> u64 {
        let n = rows.len() as u64;
        let valid = if self.valid.is_some() { n.div_ceil(8) } else { 0 };
        valid
            + match &self.values {
                OutputValues::F64(_) | OutputValues::I64(_) | OutputValues::Time(_) => n * 8,
                OutputValues::Bool(_) => n.div_ceil(8),
                OutputValues::Nested(array, places) => {
                    let picked = nested::picked(array, places, rows);
                    let bytes = picked.and_then(|picked| picked.to_data().get_slice_memory_size().ok());
                    bytes.map_or(u64::MAX, |bytes| bytes as u64)
                }
                OutputValues::Text(ranks, texts) => {
                    let text = |&row: &u32| {
                        self.text(ranks, texts, row as usize)
                            .map_or(0, |text| text.len() as u64)
                    };
                    n * 4 + rows.iter().map(text).sum::<u64>()
                }
            }
    }

    pub fn text<'a>(&self, ranks: &[u32], texts: &'a [String], row: usize) -> Option<&'a str> {
        self.is_valid(row).then(|| texts[ranks[row] as usize].as_str())
    }

    pub fn array(&self, rows: &[u32]) -> (Field, ArrayRef) {
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
            OutputValues::Nested(array, places) => {
                // Whose bytes are not known is too large, and has been refused.
                let picked = nested::picked(array, places, rows);
                let picked = picked.unwrap_or_else(|| arrow_array::new_null_array(array.data_type(), rows.len()));
                (picked.data_type().clone(), picked)
            }
        };
        (Field::new(&self.name, data_type, true), array)
    }
}

/// The distinct texts of codes, ascending, and each code's rank among them; null has rank 0.
fn rank(codes: &[u32], strings: &Strings) -> (Vec<u32>, Vec<String>) {
    let mut places = HashMap::new();
    let mut distinct = Vec::new();
    let mut place = |&code: &u32| {
        if code == NULL_CODE {
            return None;
        }
        let place = places.entry(code).or_insert_with(|| {
            distinct.push(code);
            distinct.len() - 1
        });
        Some(*place)
    };
    let by_row: Vec<Option<usize>> = codes.iter().map(&mut place).collect();
    let mut texts: Vec<(String, usize)> = strings.read(|view| {
        let texts = distinct.iter().map(|&code| view.text(code).to_owned());
        texts.zip(0..).collect()
    });
    texts.sort_unstable();
    let mut ranks = vec![0; distinct.len()];
    for (rank, (_, place)) in texts.iter().enumerate() {
        ranks[*place] = rank as u32;
    }
    (
        by_row
            .into_iter()
            .map(|place| place.map_or(0, |place| ranks[place]))
            .collect(),
        texts.into_iter().map(|(text, _)| text).collect(),
    )
}
