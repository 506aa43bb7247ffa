//! Borrowed views of the batch of a write: its columns as they were sent. Nothing is copied, and no object is made per row.
//!
//! Views merge as protobuf does: a field said twice counts as said last, a message said twice is merged, of a oneof the last
//! one stands.

use super::cursor::{Wire, text, visit};
use super::envelope::Envelope;
use crate::error::{Error, Result};

/// Dictionary-coded strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings<'a> {
    /// Distinct values.
    pub values: Vec<&'a str>,
    /// Packed codes.
    pub codes: &'a [u8],
    /// Bytes a code as said; 0 stands for 4.
    pub code_width: u32,
}

impl<'a> Strings<'a> {
    /// Of a oneof that is set again to the same message: merged with what it was.
    fn merged(same: Option<Self>, bytes: &'a [u8], path: &dyn Fn() -> String) -> Result<Self> {
        let mut strings = same.unwrap_or_default();
        strings.merge(bytes, path)?;
        Ok(strings)
    }

    fn merge(&mut self, bytes: &'a [u8], path: &dyn Fn() -> String) -> Result<()> {
        visit(bytes, 3, path, |number, value| {
            match (number, value) {
                (1, Wire::Bytes(bytes)) => {
                    let at = self.values.len();
                    self.values.push(text(bytes, &|| format!("{}.values[{at}]", path()))?);
                }
                (2, Wire::Bytes(bytes)) => self.codes = bytes,
                (3, Wire::Varint(value)) => self.code_width = value as u32,
                _ => {}
            }
            Ok(())
        })
    }
}

/// Values of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values<'a> {
    /// Packed doubles.
    F64(&'a [u8]),
    /// Packed integers.
    I64(&'a [u8]),
    /// Bitmap.
    Boolean(&'a [u8]),
    /// Packed Unix nanoseconds.
    Timestamp(&'a [u8]),
    /// Strings of a symbol column.
    Symbol(Strings<'a>),
    /// Strings of a text column.
    Text(Strings<'a>),
    /// Values of a label.
    Label(Strings<'a>),
    /// States, which are not served.
    State(Strings<'a>),
}

impl Values<'_> {
    /// Name of the field that was set.
    pub fn field(&self) -> &'static str {
        match self {
            Self::F64(_) => "f64",
            Self::I64(_) => "i64",
            Self::Boolean(_) => "boolean",
            Self::Timestamp(_) => "timestamp",
            Self::Symbol(_) => "symbol",
            Self::Text(_) => "text",
            Self::Label(_) => "label",
            Self::State(_) => "state",
        }
    }
}

/// One column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its values; none if none were set.
    pub values: Option<Values<'a>>,
    /// Bitmap of the rows that are not null; empty: none is null.
    pub validity: &'a [u8],
}

impl<'a> ColumnView<'a> {
    fn merge(&mut self, bytes: &'a [u8], at: usize) -> Result<()> {
        visit(bytes, 2, &|| format!("batch.columns[{at}]"), |number, value| {
            let Wire::Bytes(bytes) = value else {
                return Ok(());
            };
            let path = |field: &'static str| move || format!("batch.columns[{at}].{field}");
            match number {
                1 => self.name = text(bytes, &path("name"))?,
                2 => self.values = Some(Values::F64(bytes)),
                3 => self.values = Some(Values::I64(bytes)),
                4 => self.values = Some(Values::Boolean(bytes)),
                5 => self.values = Some(Values::Timestamp(bytes)),
                6 => {
                    let same = match self.values.take() {
                        Some(Values::Symbol(strings)) => Some(strings),
                        _ => None,
                    };
                    self.values = Some(Values::Symbol(Strings::merged(same, bytes, &path("symbol"))?));
                }
                7 => {
                    let same = match self.values.take() {
                        Some(Values::Text(strings)) => Some(strings),
                        _ => None,
                    };
                    self.values = Some(Values::Text(Strings::merged(same, bytes, &path("text"))?));
                }
                8 => {
                    let same = match self.values.take() {
                        Some(Values::Label(strings)) => Some(strings),
                        _ => None,
                    };
                    self.values = Some(Values::Label(Strings::merged(same, bytes, &path("label"))?));
                }
                9 => {
                    let same = match self.values.take() {
                        Some(Values::State(strings)) => Some(strings),
                        _ => None,
                    };
                    self.values = Some(Values::State(Strings::merged(same, bytes, &path("state"))?));
                }
                10 => self.validity = bytes,
                _ => {}
            }
            Ok(())
        })
    }
}

/// Labels of several series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSets<'a> {
    /// Labels of all series end to end.
    labels: Vec<(&'a str, &'a str)>,
    /// Where each series' labels end.
    ends: Vec<u32>,
}

impl<'a> LabelSets<'a> {
    /// Number of series.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Labels of a series.
    pub fn labels(&self, series: usize) -> &[(&'a str, &'a str)] {
        let start = if series == 0 { 0 } else { self.ends[series - 1] };
        &self.labels[start as usize..self.ends[series] as usize]
    }

    /// Adds a label to the series that is being added.
    pub fn push_label(&mut self, name: &'a str, value: &'a str) {
        self.labels.push((name, value));
    }

    /// Ends the series that is being added.
    pub fn push_series(&mut self) {
        self.ends.push(self.labels.len() as u32);
    }
}

/// The encoded series of a table: equal ones hold the same series in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EncodedSeries<'a> {
    /// Length of the first, from which on the rest is told apart.
    pub first: usize,
    /// From the first byte of the first to the last byte of the last, and what lies between them.
    pub bytes: &'a [u8],
}

/// Series and the one of each row. Series are read when they are asked for: most tables have been seen before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesView<'a> {
    series: Vec<&'a [u8]>,
    encoded: Option<EncodedSeries<'a>>,
    /// Packed indices.
    pub index: &'a [u8],
    /// Bytes an index as said; 0 stands for 4.
    pub index_width: u32,
}

impl<'a> SeriesView<'a> {
    /// Number of series.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The series as they are encoded; none if there are none, or if the table was said in parts.
    pub fn encoded(&self) -> Option<EncodedSeries<'a>> {
        self.encoded
    }

    /// Labels of every series.
    pub fn label_sets(&self) -> Result<LabelSets<'a>> {
        let mut sets = LabelSets::default();
        for at in 0..self.len() {
            self.read(at, |name, value| sets.push_label(name, value))?;
            sets.push_series();
        }
        Ok(sets)
    }

    /// Gives each label of a series.
    pub fn read(&self, at: usize, mut each: impl FnMut(&'a str, &'a str)) -> Result<()> {
        let path = || format!("batch.series.series[{at}]");
        visit(self.series[at], 3, &path, |number, value| {
            if let (1, Wire::Bytes(bytes)) = (number, value) {
                let (name, value) = label(bytes, &|| format!("{}.labels", path()))?;
                each(name, value);
            }
            Ok(())
        })
    }

    fn merge(&mut self, table: &'a [u8]) -> Result<()> {
        let is_first = self.series.is_empty();
        visit(table, 2, &|| "batch.series".into(), |number, value| {
            match (number, value) {
                (1, Wire::Bytes(bytes)) => self.series.push(bytes),
                (2, Wire::Bytes(bytes)) => self.index = bytes,
                (3, Wire::Varint(value)) => self.index_width = value as u32,
                _ => {}
            }
            Ok(())
        })?;
        self.encoded = match (is_first, self.series.first(), self.series.last()) {
            (true, Some(first), Some(last)) => {
                let offset = |part: &[u8]| part.as_ptr().addr() - table.as_ptr().addr();
                Some(EncodedSeries {
                    first: first.len(),
                    bytes: &table[offset(first)..offset(last) + last.len()],
                })
            }
            _ => None,
        };
        Ok(())
    }
}

fn label<'a>(bytes: &'a [u8], path: &dyn Fn() -> String) -> Result<(&'a str, &'a str)> {
    let (mut name, mut label_value) = ("", "");
    visit(bytes, 4, path, |number, value| {
        match (number, value) {
            (1, Wire::Bytes(bytes)) => name = text(bytes, &|| format!("{}.name", path()))?,
            (2, Wire::Bytes(bytes)) => label_value = text(bytes, &|| format!("{}.value", path()))?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((name, label_value))
}

/// Rows as columns, as they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchView<'a> {
    /// Number of rows.
    pub rows: u32,
    /// Packed event times.
    pub time: &'a [u8],
    /// The columns.
    pub columns: Vec<ColumnView<'a>>,
    /// The series table, if there is one.
    pub series: Option<SeriesView<'a>>,
    /// An Arrow record batch, which is not served.
    pub arrow: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch of an envelope; none if it has none.
    pub fn of(envelope: &Envelope<'a>) -> Result<Option<Self>> {
        let parts = envelope.rows.as_slice();
        if parts.is_empty() {
            return Ok(None);
        }
        let mut batch = Self::default();
        for part in parts {
            batch.merge(part)?;
        }
        Ok(Some(batch))
    }

    fn merge(&mut self, bytes: &'a [u8]) -> Result<()> {
        visit(bytes, 1, &|| "batch".into(), |number, value| {
            match (number, value) {
                (1, Wire::Varint(value)) => self.rows = value as u32,
                (2, Wire::Bytes(bytes)) => self.time = bytes,
                (3, Wire::Bytes(bytes)) => {
                    let mut column = ColumnView::default();
                    column.merge(bytes, self.columns.len())?;
                    self.columns.push(column);
                }
                (4, Wire::Bytes(bytes)) => self.series.get_or_insert_default().merge(bytes)?,
                (5, Wire::Bytes(bytes)) => self.arrow = bytes,
                _ => {}
            }
            Ok(())
        })
    }
}

/// Refuses a write without a batch.
pub fn require<'a>(batch: Option<BatchView<'a>>) -> Result<BatchView<'a>> {
    batch.ok_or_else(|| Error::invalid("BATCH_MISSING", "batch", "a write has a batch, got none"))
}
