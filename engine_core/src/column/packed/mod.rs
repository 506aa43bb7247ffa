//! Packed batches: the bytes of rows as they lie in L0 and in the tail. Laid out in FORMAT.md, "Batch".
//!
//! A batch is packed once, off the committer, and decoded a block of 1,024 rows at a time. Every block carries its crc32c,
//! checked just before each decode; the directory of blocks is covered by the header's.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use super::schema::{ENTITY, TIME};
use super::{BLOCK_ROWS, ColumnId};
use crate::codec::checksum::crc32c_of;
use crate::error::{Error, Result};

pub use decode::{TextBlock, Validity};
pub use encode::pack;

/// Bytes of the header of every blob.
pub const HEADER_BYTES: usize = 48;
/// Version of the batch layout.
pub const FORMAT: u8 = 1;
/// What the blob is: a batch.
pub const KIND_BATCH: u8 = 1;
/// Most rows of a batch.
pub const MAX_ROWS: usize = 1 << 20;

const DIRECTORY_FIXED: usize = 24;
const COLUMN_BYTES: usize = 8;
const ENTRY_BYTES: usize = 40;

/// How values lie in memory, whatever they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Physical {
    /// Doubles.
    F64 = 1,
    /// Integers, timestamps and event time.
    I64 = 2,
    /// Booleans.
    Bool = 3,
    /// Dictionary codes, 0 being null.
    Code = 4,
    /// Texts.
    Text = 5,
}

impl Physical {
    /// The type of this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::F64,
            2 => Self::I64,
            3 => Self::Bool,
            4 => Self::Code,
            5 => Self::Text,
            _ => return None,
        })
    }
}

const CONSTANT: u8 = 0;
const RAW: u8 = 1;
const INTERLEAVED: u8 = 2;
const BYTES: u8 = 3;

/// What is known of a block without decoding it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockStats {
    /// Rows that are null.
    pub nulls: u32,
    /// Doubles that are NaN.
    pub nans: u32,
    /// Least value that is neither null nor NaN, as bits of the physical type.
    pub min: u64,
    /// Greatest such value.
    pub max: u64,
}

struct Entry {
    nulls: u16,
    nans: u16,
    codec: u8,
    width: u8,
    scale: u8,
    min: u64,
    max: u64,
}

impl Entry {
    fn constant(nulls: usize, value: u64) -> Self {
        Self {
            nulls: nulls as u16,
            nans: 0,
            codec: CONSTANT,
            width: 0,
            scale: 0,
            min: value,
            max: value,
        }
    }
}

fn header_crc(bytes: &[u8], directory_len: usize) -> u32 {
    crc32c_of(&[&bytes[..12], &bytes[16..HEADER_BYTES + directory_len]])
}

/// A packed batch whose header and directory are sound. Blocks are checked when they are decoded.
#[derive(Clone, Debug)]
pub struct PackedBatch {
    bytes: Vec<u8>,
    rows: usize,
    columns: usize,
    blocks: usize,
}

fn damaged(what: &str) -> Error {
    Error::corrupt("a stored batch is damaged", format!("batch: {what}"))
}

impl PackedBatch {
    /// Takes the bytes of one batch, after checking header, directory and that every block lies inside.
    pub fn open(bytes: Vec<u8>) -> Result<Self> {
        let len = Self::length(&bytes)?;
        if len != bytes.len() {
            return Err(damaged("length differs"));
        }
        let directory_len = u32_at(&bytes, 4) as usize;
        if directory_len < DIRECTORY_FIXED || HEADER_BYTES + directory_len > bytes.len() {
            return Err(damaged("directory does not fit"));
        }
        if u32_at(&bytes, 12) != header_crc(&bytes, directory_len) {
            return Err(damaged("checksum of header and directory"));
        }
        let rows = u32_at(&bytes, HEADER_BYTES) as usize;
        let columns = u32_at(&bytes, HEADER_BYTES + 4) as usize;
        let blocks = rows.div_ceil(BLOCK_ROWS);
        if rows == 0
            || rows > MAX_ROWS
            || !(2..=usize::from(u16::MAX)).contains(&columns)
            || directory_len != DIRECTORY_FIXED + columns * (COLUMN_BYTES + blocks * ENTRY_BYTES)
        {
            return Err(damaged("rows and columns do not fit the directory"));
        }
        let batch = Self {
            bytes,
            rows,
            columns,
            blocks,
        };
        for column in 0..columns {
            batch.physical_number(column).ok_or_else(|| damaged("physical type"))?;
            for block in 0..blocks {
                let at = batch.entry_at(column, block);
                let (offset, length) = (u32_at(&batch.bytes, at), u32_at(&batch.bytes, at + 4));
                if offset as usize + length as usize > batch.bytes.len() {
                    return Err(damaged("a block lies outside"));
                }
            }
        }
        if batch.column_id(0) != TIME
            || batch.column_id(1) != ENTITY
            || batch.physical(0) != Physical::I64
            || batch.physical(1) != Physical::Code
        {
            return Err(damaged("time and entity do not come first"));
        }
        Ok(batch)
    }

    /// Length of the batch that begins `bytes`, as its header says.
    pub fn length(bytes: &[u8]) -> Result<usize> {
        if bytes.len() < HEADER_BYTES {
            return Err(damaged("shorter than a header"));
        }
        if bytes[0] != FORMAT || bytes[1] != KIND_BATCH {
            return Err(damaged("not a batch of this format"));
        }
        let len = u32_at(bytes, 8) as usize;
        if len < HEADER_BYTES || len > bytes.len() {
            return Err(damaged("length"));
        }
        Ok(len)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Rows of the batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Blocks of the batch: all but the last have [`BLOCK_ROWS`] rows.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Rows of a block.
    pub fn block_rows(&self, block: usize) -> usize {
        BLOCK_ROWS.min(self.rows - block * BLOCK_ROWS)
    }

    /// Least event time.
    pub fn min_time(&self) -> i64 {
        i64_at(&self.bytes, HEADER_BYTES + 8)
    }

    /// Greatest event time.
    pub fn max_time(&self) -> i64 {
        i64_at(&self.bytes, HEADER_BYTES + 16)
    }

    /// Columns stored, time and entity first.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number in the stream of the `column`-th column stored.
    pub fn column_id(&self, column: usize) -> ColumnId {
        let at = HEADER_BYTES + DIRECTORY_FIXED + column * COLUMN_BYTES;
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    /// Place among the columns stored of a column of the stream; none: null throughout.
    pub fn find(&self, id: ColumnId) -> Option<usize> {
        (0..self.columns).find(|&column| self.column_id(column) == id)
    }

    fn physical_number(&self, column: usize) -> Option<Physical> {
        Physical::from_number(self.bytes[HEADER_BYTES + DIRECTORY_FIXED + column * COLUMN_BYTES + 2])
    }

    /// How the `column`-th column lies in memory.
    pub fn physical(&self, column: usize) -> Physical {
        self.physical_number(column).expect("checked when opened")
    }

    fn entry_at(&self, column: usize, block: usize) -> usize {
        HEADER_BYTES + DIRECTORY_FIXED + self.columns * COLUMN_BYTES + (column * self.blocks + block) * ENTRY_BYTES
    }

    fn entry(&self, column: usize, block: usize) -> Entry {
        let at = self.entry_at(column, block);
        let u16_at = |at: usize| u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]);
        Entry {
            nulls: u16_at(at + 12),
            nans: u16_at(at + 14),
            codec: self.bytes[at + 16],
            width: self.bytes[at + 17],
            scale: self.bytes[at + 18],
            min: i64_at(&self.bytes, at + 24) as u64,
            max: i64_at(&self.bytes, at + 32) as u64,
        }
    }

    /// What is known of a block without decoding it.
    pub fn stats(&self, column: usize, block: usize) -> BlockStats {
        let entry = self.entry(column, block);
        BlockStats {
            nulls: entry.nulls.into(),
            nans: entry.nans.into(),
            min: entry.min,
            max: entry.max,
        }
    }

    /// Least and greatest event time of a block.
    pub fn time_bounds(&self, block: usize) -> (i64, i64) {
        let entry = self.entry(0, block);
        (entry.min as i64, entry.max as i64)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
