//! Quarantined rows: kept with the rule they broke, up to a bound a namespace; what is over it is counted alone.

use super::frame::{Decoder, Encoder, FRAME_BYTES};
use super::tables::Table;
use crate::column::Reject;
use crate::error::Result;
use crate::time::Timestamp;

/// Most bytes of rows in one record, unless one row is longer.
const CHUNK_BYTES: usize = 64 * 1024;

/// A row that broke a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// The rule.
    pub reason: Reject,
    /// Its place in the batch.
    pub row: u32,
    /// Column concerned; empty when none is.
    pub column: String,
    /// What was found, cut to a readable length by whoever found it.
    pub found: String,
    /// The row as bytes of a `marigram.v1.Event` or the like.
    pub values: Vec<u8>,
}

/// Quarantined rows of one batch, as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedBatch {
    /// When, Unix nanoseconds.
    pub at_ns: Timestamp,
    /// The rows.
    pub rows: Vec<QuarantinedRow>,
}

/// Some rows of an item, encoded off the committer; sealed when their key is known.
pub(super) struct Chunk {
    pub(super) rows: u64,
    record: Encoder,
    bytes: usize,
}

impl Chunk {
    /// Bytes of the record.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    /// The record under this key.
    pub(super) fn seal(self, key: &[u8]) -> Vec<u8> {
        self.record.seal(key)
    }
}

/// Encodes rows into chunks.
pub(super) fn encode(rows: &[QuarantinedRow], now: Timestamp) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for row in rows {
        let fits = chunks
            .last()
            .is_some_and(|chunk| chunk.bytes + row.values.len() <= CHUNK_BYTES);
        if !fits {
            let mut record = Encoder::new(Table::Quarantine);
            record.i64(now);
            chunks.push(Chunk {
                rows: 0,
                record,
                bytes: FRAME_BYTES + 8,
            });
        }
        let chunk = chunks.last_mut().expect("pushed when it was missing");
        chunk.record.u8(row.reason as u8);
        chunk.record.u32(row.row);
        chunk.record.bytes(row.column.as_bytes());
        chunk.record.bytes(row.found.as_bytes());
        chunk.record.bytes(&row.values);
        chunk.rows += 1;
        chunk.bytes += 16 + row.column.len() + row.found.len() + row.values.len();
    }
    chunks
}

/// What [`encode`] wrote.
pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<QuarantinedBatch> {
    let mut record = Decoder::open(Table::Quarantine, key, value)?;
    let at_ns = record.i64()?;
    let mut rows = Vec::new();
    while !record.is_empty() {
        rows.push(QuarantinedRow {
            reason: Reject::from_number(record.u8()?).ok_or_else(|| record.wrong("reason of a rejection"))?,
            row: record.u32()?,
            column: record.text()?.to_owned(),
            found: record.text()?.to_owned(),
            values: record.bytes()?.to_vec(),
        });
    }
    Ok(QuarantinedBatch { at_ns, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back_and_large_ones_are_split() {
        let rows: Vec<QuarantinedRow> = (0..5)
            .map(|row| QuarantinedRow {
                reason: Reject::TypeMismatch,
                row,
                column: "value".into(),
                found: "text".into(),
                values: vec![row as u8; 30_000],
            })
            .collect();
        let mut read = Vec::new();
        let chunks = encode(&rows, 9);
        assert_eq!(chunks.len(), 3);
        for chunk in chunks {
            let batch = decode(b"k", &chunk.seal(b"k")).unwrap();
            assert_eq!(batch.at_ns, 9);
            read.extend(batch.rows);
        }
        assert_eq!(read, rows);
    }
}
