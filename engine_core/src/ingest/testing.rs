//! Batches and streams for tests, and stored rows as something that can be read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use prost::Message;

use super::prepare::{Prepared, Streams, Terms};
use super::tables::KnownTables;
use crate::column::packed::Physical;
use crate::column::{BLOCK_ROWS, ColumnType, PackedBatch, Schema, StreamKind, StreamSettings};
use crate::error::Result;
use crate::store::{NamespaceId, Stream};
use crate::wire::batch::BatchView;
use crate::wire::envelope::Envelope;
use crate::wire::v1::{self, batch_column::Values};

/// The clock of these tests.
pub(super) const NOW: i64 = 1_700_000_000_000_000_000;

/// One stream, in memory, and the series tables it has seen.
#[derive(Default)]
pub(super) struct OneStream(pub(super) Mutex<Option<Arc<Stream>>>, KnownTables);

impl OneStream {
    /// With a stream that is there.
    pub(super) fn with(kind: StreamKind, settings: StreamSettings, columns: &[(&str, ColumnType)]) -> Self {
        let mut schema = Schema::new(kind, settings);
        for (name, column_type) in columns {
            schema.add_column("", name, *column_type, "", "").unwrap();
        }
        let stream = Stream::new(7, NamespaceId(1), "s", 0, schema, Arc::default());
        Self(Mutex::new(Some(Arc::new(stream))), KnownTables::default())
    }

    pub(super) fn stream(&self) -> Arc<Stream> {
        self.0.lock().unwrap().clone().unwrap()
    }

    /// Names and types of the columns.
    pub(super) fn columns(&self) -> Vec<(String, ColumnType)> {
        let schema = self.stream().schema();
        schema
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.column_type))
            .collect()
    }
}

impl Streams for OneStream {
    fn find(&self) -> Result<Option<Arc<Stream>>> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn make(&self, kind: StreamKind) -> Result<Arc<Stream>> {
        let mut stream = self.0.lock().unwrap();
        let new = || {
            let schema = Schema::new(kind, StreamSettings::default());
            Arc::new(Stream::new(7, NamespaceId(1), "s", 0, schema, Arc::default()))
        };
        Ok(Arc::clone(stream.get_or_insert_with(new)))
    }
}

pub(super) fn terms(streams: &OneStream, atomic: bool) -> Terms<'_> {
    Terms {
        streams,
        now: NOW,
        atomic,
        secret: [3; 16],
        tables: &streams.1,
    }
}

/// A batch at these offsets from the clock.
pub(super) fn batch(offsets: &[i64], columns: Vec<v1::BatchColumn>) -> v1::Batch {
    v1::Batch {
        rows: offsets.len() as u32,
        time: offsets.iter().flat_map(|offset| (NOW + offset).to_le_bytes()).collect(),
        columns,
        ..v1::Batch::default()
    }
}

pub(super) fn column(name: &str, values: Values) -> v1::BatchColumn {
    v1::BatchColumn {
        name: name.into(),
        values: Some(values),
        validity: Vec::new(),
    }
}

pub(super) fn f64s(name: &str, values: &[f64]) -> v1::BatchColumn {
    column(
        name,
        Values::F64(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
    )
}

pub(super) fn i64s(name: &str, values: &[i64]) -> v1::BatchColumn {
    column(
        name,
        Values::I64(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
    )
}

/// Strings, each its own value.
pub(super) fn strings(values: &[&str]) -> v1::StringColumn {
    v1::StringColumn {
        values: values.iter().map(|&value| value.to_owned()).collect(),
        codes: (0..values.len() as u16).flat_map(u16::to_le_bytes).collect(),
        code_width: 2,
    }
}

pub(super) fn symbols(name: &str, values: &[&str]) -> v1::BatchColumn {
    column(name, Values::Symbol(strings(values)))
}

pub(super) fn labels(name: &str, values: &[&str]) -> v1::BatchColumn {
    column(name, Values::Label(strings(values)))
}

/// With nulls where the bits are zero.
pub(super) fn valid(mut column: v1::BatchColumn, bits: u8) -> v1::BatchColumn {
    column.validity = vec![bits];
    column
}

/// A series table of these labels and an index.
pub(super) fn table(series: &[&[(&str, &str)]], index: &[u8]) -> v1::SeriesTable {
    let label = |&(name, value): &(&str, &str)| v1::Label {
        name: name.into(),
        value: value.into(),
    };
    v1::SeriesTable {
        series: series
            .iter()
            .map(|labels| v1::Series {
                labels: labels.iter().map(label).collect(),
            })
            .collect(),
        index: index.to_vec(),
        index_width: 1,
    }
}

/// Sends a batch through the validator.
pub(super) fn write(streams: &OneStream, batch: &v1::Batch, kind: Option<StreamKind>) -> Result<Prepared> {
    send(streams, batch, kind, false)
}

pub(super) fn send(streams: &OneStream, batch: &v1::Batch, kind: Option<StreamKind>, atomic: bool) -> Result<Prepared> {
    let bytes = v1::WriteRequest {
        batch: Some(batch.clone()),
        ..v1::WriteRequest::default()
    }
    .encode_to_vec();
    let view = BatchView::of(&Envelope::of_write(&bytes)?)?.unwrap();
    super::validate::write("s", &view, kind, &terms(streams, atomic))
}

/// Rows refused, as (row, reason, column).
pub(super) fn refused(prepared: &Prepared) -> Vec<(u32, &'static str, String)> {
    let rows = prepared.quarantine.iter();
    rows.map(|row| (row.row, row.reason.name(), row.column.clone()))
        .collect()
}

/// Stored rows by column as texts; `~` is null.
pub(super) fn stored(prepared: &Prepared) -> BTreeMap<String, Vec<String>> {
    let mut out = BTreeMap::new();
    if let Some(packed) = &prepared.batch {
        let schema = prepared.stream.schema();
        for at in 0..packed.columns() {
            let name = match packed.column_id(at) {
                0 => "time".to_owned(),
                1 => "entity".to_owned(),
                id => schema.column_by_id(id).unwrap().name.clone(),
            };
            out.insert(name, column_texts(packed, at, &prepared.stream));
        }
    }
    out
}

fn column_texts(packed: &PackedBatch, at: usize, stream: &Stream) -> Vec<String> {
    let (id, mut out) = (packed.column_id(at), Vec::new());
    for block in 0..packed.blocks() {
        let rows = 0..packed.block_rows(block);
        let mut put = |valid: bool, text: String| out.push(if valid { text } else { "~".into() });
        match packed.physical(at) {
            Physical::I64 => {
                let mut values = [0; BLOCK_ROWS];
                let validity = packed.decode_i64(at, block, &mut values).unwrap();
                let shown = |row: usize| if id == 0 { values[row] - NOW } else { values[row] };
                rows.for_each(|row| put(validity.get(row), shown(row).to_string()));
            }
            Physical::F64 => {
                let mut values = [0.0; BLOCK_ROWS];
                let validity = packed.decode_f64(at, block, &mut values).unwrap();
                rows.for_each(|row| put(validity.get(row), values[row].to_string()));
            }
            Physical::Bool => {
                let mut values = [false; BLOCK_ROWS];
                let validity = packed.decode_bool(at, block, &mut values).unwrap();
                rows.for_each(|row| put(validity.get(row), values[row].to_string()));
            }
            Physical::Code => {
                let mut codes = [0; BLOCK_ROWS];
                packed.decode_codes(at, block, &mut codes).unwrap();
                let symbols = stream.symbols(id);
                for row in rows {
                    let text = match id {
                        1 => stream.entities().dictionary.text(codes[row]).to_owned(),
                        _ => symbols.dictionary.read().unwrap().text(codes[row]).to_owned(),
                    };
                    put(codes[row] != 0, text);
                }
            }
            Physical::Text => {
                let (texts, validity) = packed.decode_text(at, block).unwrap();
                rows.for_each(|row| put(validity.get(row), texts.get(row).to_owned()));
            }
        }
    }
    out
}
