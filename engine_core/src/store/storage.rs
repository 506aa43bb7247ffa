//! What a stream takes on the disk: by column, and by the codecs of its blocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::manifest::PartHandle;
use super::part::{Part, PartColumn};
use super::stream::Stream;
use crate::codec;
use crate::column::ColumnId;
use crate::column::packed::Physical;
use crate::error::Result;

/// Name that a block goes by which holds no value, since all are null.
const NO_CODEC: &str = "null";

/// What a stream takes on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// Its parts.
    pub parts: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of their files: columns, and what finds and describes them.
    pub bytes: u64,
    /// Rows that are not sealed.
    pub lag_rows: u64,
    /// Bytes of these.
    pub lag_bytes: u64,
    /// Since when the oldest of these has been there, nanoseconds.
    pub lag_ns: i64,
    /// Time and entity first, the others in order of creation. One that turned from symbols to texts is there twice.
    pub columns: Vec<ColumnStorage>,
}

/// What the blocks of a column take, of all parts that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnStorage {
    /// The column.
    pub id: ColumnId,
    /// How it lies in memory.
    pub physical: Physical,
    /// Rows of the parts that hold it; in others it is null throughout and takes nothing.
    pub rows: u64,
    /// Those of them that are null.
    pub nulls: u64,
    /// Its blocks.
    pub blocks: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Bytes that its rows would take one after the other: 8 a number or a time, 4 a code, a bit a boolean (whole bytes a block),
    /// of a text its own.
    pub plain_bytes: u64,
    /// By codec, most bytes first.
    pub codecs: Vec<CodecStorage>,
}

/// What the blocks of a codec take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodecStorage {
    /// Its name.
    pub codec: &'static str,
    /// Blocks in it.
    pub blocks: u64,
    /// Bytes of these, with the bitmaps of their nulls.
    pub bytes: u64,
}

/// What the stream takes, at one moment.
pub(super) fn of(stream: &Stream, now: i64) -> Result<Storage> {
    loop {
        let parts = stream.parts();
        let oldest = stream.oldest_arrival();
        let (lag_rows, lag_bytes) = stream.tail_size();
        let lag_ns = oldest.map_or(0, |arrived| now.saturating_sub(arrived).max(0));
        let is_current = || Arc::ptr_eq(&parts, &stream.parts());
        match columns(&parts) {
            Ok(columns) => {
                return Ok(Storage {
                    parts: parts.len() as u64,
                    rows: parts.iter().map(|part| part.rows()).sum(),
                    bytes: parts.iter().map(|part| part.bytes()).sum(),
                    lag_rows,
                    lag_bytes,
                    lag_ns,
                    columns,
                });
            }
            // A part that was replaced meanwhile may be gone.
            Err(_) if !is_current() => {}
            Err(error) => return Err(error),
        }
    }
}

fn columns(parts: &[Arc<PartHandle>]) -> Result<Vec<ColumnStorage>> {
    let mut found = BTreeMap::new();
    for handle in parts {
        let part = handle.open()?;
        add(&part, &mut found).map_err(|error| handle.explain(&error))?;
    }
    let mut columns: Vec<ColumnStorage> = found.into_values().collect();
    for column in &mut columns {
        column
            .codecs
            .sort_by_key(|one| (std::cmp::Reverse(one.bytes), one.codec));
    }
    Ok(columns)
}

fn add(part: &Part, found: &mut BTreeMap<(ColumnId, u8), ColumnStorage>) -> Result<()> {
    for (id, physical) in part.columns() {
        let Some(column) = part.column(id)? else { continue };
        let sum = found.entry((id, physical as u8)).or_insert_with(|| ColumnStorage {
            id,
            physical,
            rows: 0,
            nulls: 0,
            blocks: 0,
            bytes: 0,
            plain_bytes: 0,
            codecs: Vec::new(),
        });
        for block in 0..part.blocks() {
            sum.add(&column, block, part.block_rows(block))?;
        }
    }
    Ok(())
}

impl ColumnStorage {
    fn add(&mut self, column: &PartColumn<'_>, block: usize, rows: usize) -> Result<()> {
        let (bytes, nulls, values) = column.encoded(block)?;
        let name = values.map_or(Some(NO_CODEC), |values| codec::name(values[0]));
        let name = name.ok_or_else(|| column.broken(block))?;
        self.rows += rows as u64;
        self.nulls += u64::from(nulls);
        self.blocks += 1;
        self.bytes += bytes;
        self.plain_bytes += match (self.physical, values) {
            (Physical::F64 | Physical::I64, _) => rows as u64 * 8,
            (Physical::Code, _) => rows as u64 * 4,
            (Physical::Bool, _) => rows.div_ceil(8) as u64,
            (Physical::Text, None) => 0,
            (Physical::Text, Some(values)) => {
                codec::text::plain_bytes(values, rows).ok_or_else(|| column.broken(block))?
            }
        };
        let at = self.codecs.iter().position(|one| one.codec == name).unwrap_or_else(|| {
            self.codecs.push(CodecStorage {
                codec: name,
                ..CodecStorage::default()
            });
            self.codecs.len() - 1
        });
        self.codecs[at].blocks += 1;
        self.codecs[at].bytes += bytes;
        Ok(())
    }
}
