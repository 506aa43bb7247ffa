//! Borrowed views of WriteRequest and WriteStreamRequest: the envelope alone in a few steps, then the batch's columns.
//!
//! Views merge as protobuf does: a field said twice counts as said last, a message said twice is merged, of a oneof the last
//! one stands. Nothing is copied, and no object is made per row.

use std::borrow::Cow;

use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128_with_seed};

use super::cursor::{Wire, text, visit};
use super::v1;
use crate::error::{Error, Result};

/// Most top-level fields of a request: what a batch of events needs and ample room, so that an envelope is read in bounded time.
const MAX_FIELDS: usize = 200_000;

/// The parts of a field that may be said several times, where once is what everybody does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Parts<'a> {
    /// Never said.
    #[default]
    Absent,
    /// Said once.
    One(&'a [u8]),
    /// Said several times: to be merged or, where the field is repeated, listed.
    Many(Vec<&'a [u8]>),
}

impl<'a> Parts<'a> {
    pub(super) fn push(&mut self, bytes: &'a [u8]) {
        match self {
            Self::Absent => *self = Self::One(bytes),
            Self::One(first) => *self = Self::Many(vec![first, bytes]),
            Self::Many(all) => all.push(bytes),
        }
    }

    /// In the order they were said.
    pub fn as_slice(&self) -> &[&'a [u8]] {
        match self {
            Self::Absent => &[],
            Self::One(bytes) => std::slice::from_ref(bytes),
            Self::Many(all) => all,
        }
    }
}

/// What is said around the rows of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Stream id.
    pub stream: &'a str,
    /// Number of the stream's kind.
    pub kind: i32,
    /// Writer; empty for none.
    pub writer: &'a str,
    /// Its epoch.
    pub epoch: u64,
    /// Number of the batch.
    pub sequence: u64,
    /// Refuse the batch for one bad row.
    pub atomic: bool,
    /// Number of the durability asked for.
    pub durability: i32,
    /// The batch, or the events, undecoded.
    pub rows: Parts<'a>,
}

impl<'a> Envelope<'a> {
    /// The envelope of a WriteRequest or a WriteStreamRequest, which have the same fields.
    pub fn of_write(bytes: &'a [u8]) -> Result<Self> {
        let mut envelope = Self::default();
        let mut fields = 0;
        visit(bytes, 0, &String::new, |number, value| {
            match (number, value) {
                (1, Wire::Bytes(bytes)) => envelope.stream = text(bytes, &|| "stream".into())?,
                (2, Wire::Varint(value)) => envelope.kind = value as i32,
                (3, Wire::Bytes(bytes)) => envelope.rows.push(bytes),
                (4, Wire::Bytes(bytes)) => envelope.writer = text(bytes, &|| "writer".into())?,
                (5, Wire::Varint(value)) => envelope.epoch = value,
                (6, Wire::Varint(value)) => envelope.sequence = value,
                (7, Wire::Varint(value)) => envelope.atomic = value != 0,
                (8, Wire::Varint(value)) => envelope.durability = value as i32,
                _ => {}
            }
            count_field(&mut fields)
        })?;
        Ok(envelope)
    }

    /// The envelope of a TrackEventsRequest.
    pub fn of_events(bytes: &'a [u8]) -> Result<Self> {
        let mut envelope = Self::default();
        let mut fields = 0;
        visit(bytes, 0, &String::new, |number, value| {
            match (number, value) {
                (1, Wire::Bytes(bytes)) => envelope.stream = text(bytes, &|| "stream".into())?,
                (2, Wire::Bytes(bytes)) => envelope.rows.push(bytes),
                (3, Wire::Bytes(bytes)) => envelope.writer = text(bytes, &|| "writer".into())?,
                (4, Wire::Varint(value)) => envelope.epoch = value,
                (5, Wire::Varint(value)) => envelope.sequence = value,
                (6, Wire::Varint(value)) => envelope.atomic = value != 0,
                (7, Wire::Varint(value)) => envelope.durability = value as i32,
                _ => {}
            }
            count_field(&mut fields)
        })?;
        Ok(envelope)
    }

    /// XXH3-128 of the rows' bytes as received, seeded with the stream's id: what tells a repeat from a reused sequence.
    pub fn hash(&self) -> u128 {
        let seed = xxh3_64(self.stream.as_bytes());
        match self.rows.as_slice() {
            [one] => xxh3_128_with_seed(one, seed),
            parts => {
                let mut hash = Xxh3::with_seed(seed);
                for part in parts {
                    // The length keeps two parts from standing for two others of the same bytes.
                    hash.update(&(part.len() as u64).to_le_bytes());
                    hash.update(part);
                }
                hash.digest128()
            }
        }
    }

    /// Number of rows a write claims, without decoding it; for a batch that is not decoded again.
    pub fn claimed_rows(&self) -> Result<u64> {
        let mut rows = 0;
        for part in self.rows.as_slice() {
            visit(part, 1, &|| "batch".into(), |number, value| {
                if let (1, Wire::Varint(value)) = (number, value) {
                    rows = value as u32;
                }
                Ok(())
            })?;
        }
        Ok(rows.into())
    }
}

fn count_field(fields: &mut usize) -> Result<()> {
    *fields += 1;
    if *fields > MAX_FIELDS {
        return Err(Error::invalid(
            "TOO_MANY_FIELDS",
            "",
            format!("a request has at most {MAX_FIELDS} top-level fields"),
        ));
    }
    Ok(())
}

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

    fn to_v1(&self) -> v1::StringColumn {
        v1::StringColumn {
            values: self.values.iter().map(|&value| value.to_owned()).collect(),
            codes: self.codes.to_vec(),
            code_width: self.code_width,
        }
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
                    let mut strings = match self.values.take() {
                        Some(Values::Symbol(strings)) => strings,
                        _ => Strings::default(),
                    };
                    strings.merge(bytes, &path("symbol"))?;
                    self.values = Some(Values::Symbol(strings));
                }
                7 => {
                    let mut strings = match self.values.take() {
                        Some(Values::Text(strings)) => strings,
                        _ => Strings::default(),
                    };
                    strings.merge(bytes, &path("text"))?;
                    self.values = Some(Values::Text(strings));
                }
                8 => {
                    let mut strings = match self.values.take() {
                        Some(Values::Label(strings)) => strings,
                        _ => Strings::default(),
                    };
                    strings.merge(bytes, &path("label"))?;
                    self.values = Some(Values::Label(strings));
                }
                9 => {
                    let mut strings = match self.values.take() {
                        Some(Values::State(strings)) => strings,
                        _ => Strings::default(),
                    };
                    strings.merge(bytes, &path("state"))?;
                    self.values = Some(Values::State(strings));
                }
                10 => self.validity = bytes,
                _ => {}
            }
            Ok(())
        })
    }
}

/// Series and the one of each row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesView<'a> {
    /// Labels of all series end to end.
    labels: Vec<(&'a str, &'a str)>,
    /// Where each series' labels end.
    ends: Vec<u32>,
    /// Packed indices.
    pub index: Cow<'a, [u8]>,
    /// Bytes an index as said; 0 stands for 4.
    pub index_width: u32,
}

impl<'a> SeriesView<'a> {
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

    fn merge(&mut self, bytes: &'a [u8]) -> Result<()> {
        visit(bytes, 2, &|| "batch.series".into(), |number, value| {
            match (number, value) {
                (1, Wire::Bytes(bytes)) => self.add_series(bytes)?,
                (2, Wire::Bytes(bytes)) => self.index = Cow::Borrowed(bytes),
                (3, Wire::Varint(value)) => self.index_width = value as u32,
                _ => {}
            }
            Ok(())
        })
    }

    fn add_series(&mut self, bytes: &'a [u8]) -> Result<()> {
        let at = self.len();
        visit(bytes, 3, &|| format!("batch.series.series[{at}]"), |number, value| {
            if let (1, Wire::Bytes(bytes)) = (number, value) {
                let path = || format!("batch.series.series[{at}].labels");
                let label = label(bytes, &path)?;
                self.labels.push(label);
            }
            Ok(())
        })?;
        self.push_series();
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

    fn to_v1(&self) -> v1::Batch {
        use v1::batch_column::Values as V;
        let column = |column: &ColumnView<'_>| v1::BatchColumn {
            name: column.name.to_owned(),
            validity: column.validity.to_vec(),
            values: column.values.as_ref().map(|values| match values {
                Values::F64(bytes) => V::F64(bytes.to_vec()),
                Values::I64(bytes) => V::I64(bytes.to_vec()),
                Values::Boolean(bytes) => V::Boolean(bytes.to_vec()),
                Values::Timestamp(bytes) => V::Timestamp(bytes.to_vec()),
                Values::Symbol(strings) => V::Symbol(strings.to_v1()),
                Values::Text(strings) => V::Text(strings.to_v1()),
                Values::Label(strings) => V::Label(strings.to_v1()),
                Values::State(strings) => V::State(strings.to_v1()),
            }),
        };
        let series = |table: &SeriesView<'_>, at| v1::Series {
            labels: table
                .labels(at)
                .iter()
                .map(|&(name, value)| v1::Label {
                    name: name.to_owned(),
                    value: value.to_owned(),
                })
                .collect(),
        };
        v1::Batch {
            rows: self.rows,
            time: self.time.to_vec(),
            columns: self.columns.iter().map(column).collect(),
            series: self.series.as_ref().map(|table| v1::SeriesTable {
                series: (0..table.len()).map(|at| series(table, at)).collect(),
                index: table.index.to_vec(),
                index_width: table.index_width,
            }),
            arrow: self.arrow.to_vec(),
        }
    }
}

/// What was understood of a WriteRequest (or WriteStreamRequest), for comparison with other parsers.
pub fn describe_write(bytes: &[u8]) -> Result<v1::WriteRequest> {
    let envelope = Envelope::of_write(bytes)?;
    let batch = BatchView::of(&envelope)?;
    Ok(v1::WriteRequest {
        stream: envelope.stream.to_owned(),
        kind: envelope.kind,
        batch: batch.map(|batch| batch.to_v1()),
        writer: envelope.writer.to_owned(),
        epoch: envelope.epoch,
        sequence: envelope.sequence,
        atomic: envelope.atomic,
        durability: envelope.durability,
    })
}

/// Refuses a write without a batch.
pub fn require<'a>(batch: Option<BatchView<'a>>) -> Result<BatchView<'a>> {
    batch.ok_or_else(|| Error::invalid("BATCH_MISSING", "batch", "a write has a batch, got none"))
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn a_batch_said_twice_is_merged() {
        let part = |rows, name: &str| v1::WriteRequest {
            batch: Some(v1::Batch {
                rows,
                columns: vec![v1::BatchColumn {
                    name: name.into(),
                    ..v1::BatchColumn::default()
                }],
                ..v1::Batch::default()
            }),
            ..v1::WriteRequest::default()
        };
        let bytes = [part(1, "a").encode_to_vec(), part(2, "b").encode_to_vec()].concat();
        let seen = describe_write(&bytes).unwrap();
        assert_eq!(seen, v1::WriteRequest::decode(&*bytes).unwrap());
        assert_eq!(seen.batch.unwrap().columns.len(), 2);
    }

    #[test]
    fn bad_utf8_names_the_field() {
        let error = describe_write(b"\x1a\x05\x1a\x03\x0a\x01\xff").unwrap_err();
        assert_eq!(
            (error.reason(), error.field()),
            ("MALFORMED_MESSAGE", "batch.columns[0].name")
        );
    }

    #[test]
    fn the_hash_tells_streams_and_parts_apart() {
        let of = |stream, rows| {
            Envelope {
                stream,
                rows,
                ..Envelope::default()
            }
            .hash()
        };
        let one = of("a", Parts::One(b"xy"));
        assert_eq!(one, of("a", Parts::One(b"xy")));
        assert_ne!(one, of("b", Parts::One(b"xy")));
        assert_ne!(
            of("a", Parts::Many(vec![b"x", b"y"])),
            of("a", Parts::Many(vec![b"xy", b""]))
        );
    }
}
