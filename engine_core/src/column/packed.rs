//! Packed batches: the bytes of rows as they lie in L0 and in the tail. Laid out in FORMAT.md, "Batch".
//!
//! A batch is packed once, off the committer, and decoded a block of 1,024 rows at a time. Every block carries its crc32c,
//! checked just before each decode; the directory of blocks is covered by the header's.

use super::batch::{Bitmap, ColumnData, RowBatch};
use super::schema::{ENTITY, TIME};
use super::{BLOCK_ROWS, ColumnId, NULL_CODE};
use crate::codec::bitpack::{pack_u32, pack_u64, unpack_u32, unpack_u64, width_of};
use crate::codec::checksum::{crc32c, crc32c_of};
use crate::error::{Error, Result};

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
    fn from_number(number: u8) -> Option<Self> {
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

/// Which rows of a decoded block are not null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validity {
    /// All of them.
    All,
    /// None of them.
    None,
    /// Those with a one, least significant first.
    Some(Box<[u64; 16]>),
}

impl Validity {
    /// Whether the row is not null.
    pub fn get(&self, row: usize) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some(words) => words[row / 64] >> (row % 64) & 1 == 1,
        }
    }
}

/// Texts of a decoded block.
#[derive(Debug)]
pub struct TextBlock<'a> {
    ends: Vec<u32>,
    bytes: &'a [u8],
}

impl<'a> TextBlock<'a> {
    /// Text of a row of the block; empty at a null.
    pub fn get(&self, row: usize) -> &'a str {
        let Some(&end) = self.ends.get(row) else {
            return "";
        };
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        std::str::from_utf8(&self.bytes[start as usize..end as usize]).unwrap_or_default()
    }
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

/// Packs rows into the bytes of a batch.
///
/// # Panics
/// If there is no row, more than [`MAX_ROWS`], or columns differ in length: the validator saw to it.
pub fn pack(batch: &RowBatch) -> Vec<u8> {
    let rows = batch.rows();
    assert!(rows > 0 && rows <= MAX_ROWS && batch.entity.len() == rows);
    let blocks = rows.div_ceil(BLOCK_ROWS);
    let columns = batch.columns.len() + 2;
    let directory_len = DIRECTORY_FIXED + columns * (COLUMN_BYTES + blocks * ENTRY_BYTES);
    let mut out = Vec::with_capacity(HEADER_BYTES + directory_len + rows * 8 * columns / 2 + 64);
    out.resize((HEADER_BYTES + directory_len).next_multiple_of(16), 0);
    let (mut min_time, mut max_time) = (i64::MAX, i64::MIN);
    for &time in &batch.time {
        min_time = min_time.min(time);
        max_time = max_time.max(time);
    }
    let mut directory = Vec::with_capacity(directory_len);
    directory.extend_from_slice(&(rows as u32).to_le_bytes());
    directory.extend_from_slice(&(columns as u32).to_le_bytes());
    directory.extend_from_slice(&min_time.to_le_bytes());
    directory.extend_from_slice(&max_time.to_le_bytes());
    let mut column = |id: ColumnId, physical: Physical| {
        directory.extend_from_slice(&id.to_le_bytes());
        directory.extend_from_slice(&[physical as u8, 0, 0, 0, 0, 0]);
    };
    column(TIME, Physical::I64);
    column(ENTITY, Physical::Code);
    for one in &batch.columns {
        assert_eq!(one.data.len(), rows);
        column(
            one.id,
            match one.data {
                ColumnData::F64(_) => Physical::F64,
                ColumnData::I64(_) => Physical::I64,
                ColumnData::Bool(_) => Physical::Bool,
                ColumnData::Code(_) => Physical::Code,
                ColumnData::Text(_) => Physical::Text,
            },
        );
    }
    let mut pack_column = |out: &mut Vec<u8>, encode: &mut dyn FnMut(usize, usize, &mut Vec<u8>) -> Entry| {
        for start in (0..rows).step_by(BLOCK_ROWS) {
            let n = BLOCK_ROWS.min(rows - start);
            let at = out.len();
            let entry = encode(start, n, out);
            let crc = crc32c(&out[at..]);
            directory.extend_from_slice(&(at as u32).to_le_bytes());
            directory.extend_from_slice(&((out.len() - at) as u32).to_le_bytes());
            directory.extend_from_slice(&crc.to_le_bytes());
            directory.extend_from_slice(&entry.nulls.to_le_bytes());
            directory.extend_from_slice(&entry.nans.to_le_bytes());
            directory.extend_from_slice(&[entry.codec, entry.width, entry.scale, 0, 0, 0, 0, 0]);
            directory.extend_from_slice(&entry.min.to_le_bytes());
            directory.extend_from_slice(&entry.max.to_le_bytes());
            out.resize(out.len().next_multiple_of(8), 0);
        }
    };
    pack_column(&mut out, &mut |start, n, out| {
        encode_i64(&batch.time[start..start + n], None, true, out)
    });
    pack_column(&mut out, &mut |start, n, out| {
        encode_codes(&batch.entity[start..start + n], out)
    });
    for one in &batch.columns {
        let validity = one.validity.as_ref();
        pack_column(&mut out, &mut |start, n, out| {
            let range = start..start + n;
            let validity = validity.map(|bits| (bits, start));
            match &one.data {
                ColumnData::F64(values) => encode_f64(&values[range], validity, out),
                ColumnData::I64(values) => encode_i64(&values[range], validity, false, out),
                ColumnData::Bool(values) => encode_bool(values, start, n, validity, out),
                ColumnData::Code(values) => encode_codes(&values[range], out),
                ColumnData::Text(values) => encode_text(range.map(|row| values.get(row)), n, validity, out),
            }
        });
    }
    out.resize(out.len().next_multiple_of(16), 0);
    debug_assert_eq!(directory.len(), directory_len);
    out[HEADER_BYTES..HEADER_BYTES + directory_len].copy_from_slice(&directory);
    out[0] = FORMAT;
    out[1] = KIND_BATCH;
    let total = out.len() as u32;
    out[4..8].copy_from_slice(&(directory_len as u32).to_le_bytes());
    out[8..12].copy_from_slice(&total.to_le_bytes());
    let crc = header_crc(&out, directory_len);
    out[12..16].copy_from_slice(&crc.to_le_bytes());
    // The tail's bound counts the bytes of batches; room that was reserved for worse data must not come on top.
    out.shrink_to_fit();
    out
}

fn header_crc(bytes: &[u8], directory_len: usize) -> u32 {
    crc32c_of(&[&bytes[..12], &bytes[16..HEADER_BYTES + directory_len]])
}

type BlockValidity<'a> = Option<(&'a Bitmap, usize)>;

/// Appends the validity bitmap if the block has nulls besides values; returns their number.
fn encode_validity(validity: BlockValidity<'_>, n: usize, out: &mut Vec<u8>) -> usize {
    let Some((bits, start)) = validity else {
        return 0;
    };
    let nulls = n - bits.count_ones_in(start, start + n);
    if nulls > 0 && nulls < n {
        let bytes = bits.block_bytes(start, n);
        out.extend_from_slice(&bytes);
        out.resize(out.len() + bytes.len().next_multiple_of(8) - bytes.len(), 0);
    }
    nulls
}

/// Appends unsigned differences at the least width: interleaved for whole blocks, whole bytes for others.
fn encode_unsigned(values: &[u64], width: u32, out: &mut Vec<u8>) -> (u8, u8) {
    if let Ok(block) = values.try_into() {
        pack_u64(block, width, out);
        return (INTERLEAVED, width as u8);
    }
    let bytes = (width as usize).div_ceil(8);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes()[..bytes]);
    }
    (BYTES, bytes as u8)
}

/// Divides all values by a constant; false, with `out` unspecified, if one of them is no multiple.
fn divide<const BY: u64>(values: &[u64], out: &mut [u64]) -> bool {
    // Almost every clock ticks in a power of ten; a look at the first few spares most blocks the whole test.
    if values.iter().take(8).any(|value| value % BY != 0) {
        return false;
    }
    let mut remainders = 0;
    for (out, &value) in out.iter_mut().zip(values) {
        let quotient = value / BY;
        remainders |= value - quotient * BY;
        *out = quotient;
    }
    remainders == 0
}

/// A way to divide by a power of ten.
type Divide = fn(&[u64], &mut [u64]) -> bool;

/// Powers of ten, by their exponent, that times are often multiples of: from seconds down to microseconds.
const SCALES: [(u8, Divide); 3] = [
    (9, divide::<1_000_000_000>),
    (6, divide::<1_000_000>),
    (3, divide::<1_000>),
];

fn encode_i64(values: &[i64], validity: BlockValidity<'_>, is_time: bool, out: &mut Vec<u8>) -> Entry {
    let n = values.len();
    let nulls = encode_validity(validity, n, out);
    if nulls == n {
        return Entry::constant(nulls, 0);
    }
    let holes = validity.filter(|_| nulls > 0);
    let (mut min, mut max) = (i64::MAX, i64::MIN);
    match holes {
        None => {
            for &value in values {
                min = min.min(value);
                max = max.max(value);
            }
        }
        Some((bits, start)) => {
            for (_, &value) in values.iter().enumerate().filter(|(row, _)| bits.get(start + row)) {
                min = min.min(value);
                max = max.max(value);
            }
        }
    }
    if min == max && nulls == 0 {
        return Entry::constant(0, min as u64);
    }
    let mut differences = [0u64; BLOCK_ROWS];
    for (difference, &value) in differences.iter_mut().zip(values) {
        *difference = value.wrapping_sub(min) as u64;
    }
    if let Some((bits, start)) = holes {
        for (row, difference) in differences[..n].iter_mut().enumerate() {
            *difference = if bits.get(start + row) { *difference } else { 0 };
        }
    }
    let (mut scaled, mut scale) = ([0u64; BLOCK_ROWS], 0);
    if is_time {
        let found = SCALES.iter().find(|(_, divide)| divide(&differences[..n], &mut scaled));
        scale = found.map_or(0, |(exponent, _)| *exponent);
    }
    let packed = if scale == 0 { &differences[..n] } else { &scaled[..n] };
    let widest = packed.iter().fold(0, |all, &value| all | value);
    let (codec, width) = encode_unsigned(packed, width_of(widest), out);
    Entry {
        nulls: nulls as u16,
        nans: 0,
        codec,
        width,
        scale,
        min: min as u64,
        max: max as u64,
    }
}

fn encode_codes(values: &[u32], out: &mut Vec<u8>) -> Entry {
    let (mut min, mut max, mut nulls) = (u32::MAX, 0, 0usize);
    for &value in values {
        min = min.min(value);
        max = max.max(value);
        nulls += usize::from(value == NULL_CODE);
    }
    if min == max {
        return Entry::constant(nulls, min.into());
    }
    let width = width_of((max - min).into());
    let (codec, width) = if values.len() == BLOCK_ROWS {
        let block: [u32; BLOCK_ROWS] = std::array::from_fn(|row| values[row] - min);
        pack_u32(&block, width, out);
        (INTERLEAVED, width as u8)
    } else {
        let bytes = (width as usize).div_ceil(8);
        for value in values {
            out.extend_from_slice(&(value - min).to_le_bytes()[..bytes]);
        }
        (BYTES, bytes as u8)
    };
    Entry {
        nulls: nulls as u16,
        nans: 0,
        codec,
        width,
        scale: 0,
        min: min.into(),
        max: max.into(),
    }
}

fn encode_f64(values: &[f64], validity: BlockValidity<'_>, out: &mut Vec<u8>) -> Entry {
    let n = values.len();
    let nulls = encode_validity(validity, n, out);
    if nulls == n {
        return Entry::constant(nulls, 0);
    }
    let (mut min, mut max, mut nans) = (f64::INFINITY, f64::NEG_INFINITY, 0u16);
    let mut same = true;
    for (row, &value) in values.iter().enumerate() {
        if nulls > 0 && !validity.is_some_and(|(bits, start)| bits.get(start + row)) {
            continue;
        }
        // A comparison with NaN is false, so that it changes neither.
        min = if value < min { value } else { min };
        max = if value > max { value } else { max };
        nans += u16::from(value.is_nan());
        same &= value.to_bits() == values[0].to_bits();
    }
    if same && nulls == 0 {
        return Entry {
            nans,
            ..Entry::constant(0, values[0].to_bits())
        };
    }
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
    Entry {
        nulls: nulls as u16,
        nans,
        codec: RAW,
        width: 64,
        scale: 0,
        min: min.to_bits(),
        max: max.to_bits(),
    }
}

fn encode_bool(values: &Bitmap, start: usize, n: usize, validity: BlockValidity<'_>, out: &mut Vec<u8>) -> Entry {
    let nulls = encode_validity(validity, n, out);
    let ones = (start..start + n)
        .filter(|&row| values.get(row) && validity.is_none_or(|(bits, _)| bits.get(row)))
        .count();
    let (min, max) = (u64::from(ones == n - nulls), u64::from(ones > 0));
    if nulls == n || (nulls == 0 && min == max) {
        return Entry::constant(nulls, max);
    }
    out.extend_from_slice(&values.block_bytes(start, n));
    Entry {
        nulls: nulls as u16,
        nans: 0,
        codec: RAW,
        width: 1,
        scale: 0,
        min,
        max,
    }
}

fn encode_text<'a>(
    texts: impl Iterator<Item = &'a str> + Clone,
    n: usize,
    validity: BlockValidity<'_>,
    out: &mut Vec<u8>,
) -> Entry {
    let nulls = encode_validity(validity, n, out);
    if nulls == n {
        return Entry::constant(nulls, 0);
    }
    for text in texts.clone() {
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    }
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
    Entry {
        nulls: nulls as u16,
        nans: 0,
        codec: RAW,
        width: 0,
        scale: 0,
        min: 0,
        max: 0,
    }
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

    /// Checks a block and splits off its validity.
    fn checked(&self, column: usize, block: usize) -> Result<(Entry, Validity, &[u8])> {
        let at = self.entry_at(column, block);
        let (offset, length) = (u32_at(&self.bytes, at) as usize, u32_at(&self.bytes, at + 4) as usize);
        let bytes = &self.bytes[offset..offset + length];
        if crc32c(bytes) != u32_at(&self.bytes, at + 8) {
            return Err(damaged("checksum of a block"));
        }
        let entry = self.entry(column, block);
        let (n, nulls) = (self.block_rows(block), usize::from(entry.nulls));
        if nulls == 0 || self.physical(column) == Physical::Code {
            return Ok((entry, Validity::All, bytes));
        }
        if nulls >= n {
            return Ok((entry, Validity::None, &[]));
        }
        let prefix = n.div_ceil(8).next_multiple_of(8);
        if bytes.len() < prefix {
            return Err(damaged("validity of a block"));
        }
        let mut words = Box::new([0u64; 16]);
        for (word, le) in words.iter_mut().zip(bytes[..prefix].chunks_exact(8)) {
            *word = u64::from_le_bytes(le.try_into().expect("eight bytes"));
        }
        Ok((entry, Validity::Some(words), &bytes[prefix..]))
    }

    fn wrong_codec(entry: &Entry) -> Error {
        damaged(&format!("codec {} width {}", entry.codec, entry.width))
    }

    /// Decodes a block of integers, timestamps or event time; rows past the block's are unspecified.
    pub fn decode_i64(&self, column: usize, block: usize, out: &mut [i64; BLOCK_ROWS]) -> Result<Validity> {
        debug_assert_eq!(self.physical(column), Physical::I64);
        let (entry, validity, bytes) = self.checked(column, block)?;
        let n = self.block_rows(block);
        if validity == Validity::None || entry.codec == CONSTANT {
            out[..n].fill(entry.min as i64);
            return Ok(validity);
        }
        let scale = 10u64
            .checked_pow(entry.scale.into())
            .ok_or_else(|| Self::wrong_codec(&entry))?;
        let finish = |difference: u64| entry.min.wrapping_add(difference.wrapping_mul(scale)) as i64;
        let width = usize::from(entry.width);
        match entry.codec {
            INTERLEAVED => {
                let mut differences = [0u64; BLOCK_ROWS];
                if n != BLOCK_ROWS || !unpack_u64(bytes, entry.width.into(), &mut differences) {
                    return Err(Self::wrong_codec(&entry));
                }
                for (out, difference) in out.iter_mut().zip(differences) {
                    *out = finish(difference);
                }
            }
            BYTES if width <= 8 && bytes.len() == n * width => {
                for (row, out) in out[..n].iter_mut().enumerate() {
                    *out = finish(le_bytes(&bytes[row * width..][..width]));
                }
            }
            _ => return Err(Self::wrong_codec(&entry)),
        }
        Ok(validity)
    }

    /// Decodes a block of dictionary codes, 0 being null.
    pub fn decode_codes(&self, column: usize, block: usize, out: &mut [u32; BLOCK_ROWS]) -> Result<()> {
        debug_assert_eq!(self.physical(column), Physical::Code);
        let (entry, _, bytes) = self.checked(column, block)?;
        let n = self.block_rows(block);
        let (base, width) = (entry.min as u32, usize::from(entry.width));
        match entry.codec {
            CONSTANT => out[..n].fill(base),
            INTERLEAVED => {
                if n != BLOCK_ROWS || !unpack_u32(bytes, entry.width.into(), out) {
                    return Err(Self::wrong_codec(&entry));
                }
                for code in out.iter_mut() {
                    *code = code.wrapping_add(base);
                }
            }
            BYTES if width <= 4 && bytes.len() == n * width => {
                for (row, out) in out[..n].iter_mut().enumerate() {
                    *out = base.wrapping_add(le_bytes(&bytes[row * width..][..width]) as u32);
                }
            }
            _ => return Err(Self::wrong_codec(&entry)),
        }
        Ok(())
    }

    /// Decodes a block of doubles.
    pub fn decode_f64(&self, column: usize, block: usize, out: &mut [f64; BLOCK_ROWS]) -> Result<Validity> {
        debug_assert_eq!(self.physical(column), Physical::F64);
        let (entry, validity, bytes) = self.checked(column, block)?;
        let n = self.block_rows(block);
        if validity == Validity::None || entry.codec == CONSTANT {
            out[..n].fill(f64::from_bits(entry.min));
        } else if entry.codec == RAW && bytes.len() == n * 8 {
            for (out, le) in out.iter_mut().zip(bytes.chunks_exact(8)) {
                *out = f64::from_le_bytes(le.try_into().expect("eight bytes"));
            }
        } else {
            return Err(Self::wrong_codec(&entry));
        }
        Ok(validity)
    }

    /// Decodes a block of booleans.
    pub fn decode_bool(&self, column: usize, block: usize, out: &mut [bool; BLOCK_ROWS]) -> Result<Validity> {
        debug_assert_eq!(self.physical(column), Physical::Bool);
        let (entry, validity, bytes) = self.checked(column, block)?;
        let n = self.block_rows(block);
        if validity == Validity::None || entry.codec == CONSTANT {
            out[..n].fill(entry.min == 1);
        } else if entry.codec == RAW && bytes.len() == n.div_ceil(8) {
            for (row, out) in out[..n].iter_mut().enumerate() {
                *out = bytes[row / 8] >> (row % 8) & 1 == 1;
            }
        } else {
            return Err(Self::wrong_codec(&entry));
        }
        Ok(validity)
    }

    /// Decodes a block of texts.
    pub fn decode_text(&self, column: usize, block: usize) -> Result<(TextBlock<'_>, Validity)> {
        debug_assert_eq!(self.physical(column), Physical::Text);
        let (entry, validity, bytes) = self.checked(column, block)?;
        let n = self.block_rows(block);
        if validity == Validity::None {
            return Ok((
                TextBlock {
                    ends: Vec::new(),
                    bytes: &[],
                },
                validity,
            ));
        }
        if entry.codec != RAW || bytes.len() < n * 4 {
            return Err(Self::wrong_codec(&entry));
        }
        let (lengths, texts) = bytes.split_at(n * 4);
        let mut end = 0u32;
        let mut ends = Vec::with_capacity(n);
        for length in lengths.chunks_exact(4) {
            let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
            end = end.checked_add(length).ok_or_else(|| damaged("lengths of texts"))?;
            ends.push(end);
        }
        if end as usize != texts.len() {
            return Err(damaged("lengths of texts"));
        }
        Ok((TextBlock { ends, bytes: texts }, validity))
    }

    /// Checks every block, as a verification does.
    pub fn verify(&self) -> Result<()> {
        for column in 0..self.columns {
            for block in 0..self.blocks {
                self.checked(column, block)?;
            }
        }
        Ok(())
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn le_bytes(bytes: &[u8]) -> u64 {
    let mut le = [0u8; 8];
    le[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(le)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::column::batch::{BatchColumn, TextData};

    fn batch_of(rows: usize, seed: u64, nulls: bool) -> RowBatch {
        let mut state = seed | 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let unit = [1, 1_000, 1_000_000, 1_000_000_000][(next() % 4) as usize];
        let start = next() as i64 / 4;
        let time = (0..rows).map(|_| start + (next() % 5_000) as i64 * unit).collect();
        let entity = (0..rows).map(|_| (next() % 300) as u32).collect();
        let validity = nulls.then(|| {
            let mut bits = Bitmap::default();
            (0..rows).for_each(|row| bits.push(row / 1024 % 3 != 1 && next() % 3 > 0));
            bits
        });
        let f64s = (0..rows).map(|_| {
            if next() % 50 == 0 {
                f64::NAN
            } else {
                next() as f64 / 7.0
            }
        });
        let data = vec![
            ColumnData::F64(f64s.collect()),
            ColumnData::I64((0..rows).map(|_| next() as i64 >> (next() % 64)).collect()),
            ColumnData::Bool({
                let mut bits = Bitmap::default();
                (0..rows).for_each(|_| bits.push(next() % 2 == 0));
                bits
            }),
            ColumnData::Code((0..rows).map(|_| (next() % 5) as u32).collect()),
            ColumnData::Text({
                let mut texts = TextData::default();
                (0..rows).for_each(|_| texts.push(&"é".repeat((next() % 4) as usize)));
                texts
            }),
            ColumnData::F64(vec![f64::NAN; rows]),
            ColumnData::I64(vec![i64::MIN; rows]),
        ];
        let columns = data
            .into_iter()
            .enumerate()
            .map(|(i, data)| BatchColumn {
                id: 2 + i as ColumnId,
                validity: if matches!(data, ColumnData::Code(_)) {
                    None
                } else {
                    validity.clone()
                },
                data,
            })
            .collect();
        RowBatch { time, entity, columns }
    }

    fn check(batch: &RowBatch) {
        let packed = PackedBatch::open(pack(batch)).unwrap();
        packed.verify().unwrap();
        assert_eq!(packed.rows(), batch.rows());
        assert_eq!(packed.min_time(), *batch.time.iter().min().unwrap());
        assert_eq!(packed.max_time(), *batch.time.iter().max().unwrap());
        let (mut i64s, mut codes) = ([0; BLOCK_ROWS], [0; BLOCK_ROWS]);
        let (mut f64s, mut bools) = ([0.0; BLOCK_ROWS], [false; BLOCK_ROWS]);
        for block in 0..packed.blocks() {
            let rows = block * BLOCK_ROWS..block * BLOCK_ROWS + packed.block_rows(block);
            packed.decode_i64(0, block, &mut i64s).unwrap();
            assert_eq!(i64s[..rows.len()], batch.time[rows.clone()]);
            packed.decode_codes(1, block, &mut codes).unwrap();
            assert_eq!(codes[..rows.len()], batch.entity[rows.clone()]);
            for column in &batch.columns {
                let at = packed.find(column.id).unwrap();
                let valid = |row: usize| column.validity.as_ref().is_none_or(|bits| bits.get(row));
                let nulls = rows.clone().filter(|&row| !valid(row)).count();
                match &column.data {
                    ColumnData::F64(values) => {
                        let validity = packed.decode_f64(at, block, &mut f64s).unwrap();
                        let mut nans = 0;
                        for (i, row) in rows.clone().enumerate() {
                            assert_eq!(validity.get(i), valid(row));
                            if valid(row) {
                                assert_eq!(f64s[i].to_bits(), values[row].to_bits());
                                nans += u32::from(values[row].is_nan());
                            }
                        }
                        assert_eq!(packed.stats(at, block).nans, nans);
                    }
                    ColumnData::I64(values) => {
                        let validity = packed.decode_i64(at, block, &mut i64s).unwrap();
                        for (i, row) in rows.clone().enumerate() {
                            assert_eq!(validity.get(i), valid(row));
                            assert!(!valid(row) || i64s[i] == values[row]);
                        }
                    }
                    ColumnData::Bool(values) => {
                        let validity = packed.decode_bool(at, block, &mut bools).unwrap();
                        for (i, row) in rows.clone().enumerate() {
                            assert_eq!(validity.get(i), valid(row));
                            assert!(!valid(row) || bools[i] == values.get(row));
                        }
                    }
                    ColumnData::Code(values) => {
                        packed.decode_codes(at, block, &mut codes).unwrap();
                        assert_eq!(codes[..rows.len()], values[rows.clone()]);
                        continue;
                    }
                    ColumnData::Text(values) => {
                        let (texts, validity) = packed.decode_text(at, block).unwrap();
                        for (i, row) in rows.clone().enumerate() {
                            assert_eq!(validity.get(i), valid(row));
                            assert!(!valid(row) || texts.get(i) == values.get(row));
                        }
                    }
                }
                assert_eq!(packed.stats(at, block).nulls as usize, nulls);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_is_packed_is_unpacked(rows in 1usize..3_000, seed: u64, nulls: bool) {
            check(&batch_of(rows, seed, nulls));
        }

        #[test]
        fn a_flipped_bit_never_passes(rows in 1usize..1_500, seed: u64, at: prop::sample::Index, bit in 0u32..8) {
            let good = pack(&batch_of(rows, seed, true));
            let mut bad = good.clone();
            let at = at.index(bad.len());
            bad[at] ^= 1 << bit;
            // Padding between blocks is covered by nothing and means nothing.
            if let Ok(batch) = PackedBatch::open(bad)
                && batch.verify().is_ok()
            {
                let good = PackedBatch::open(good).unwrap();
                let inside = (0..good.columns()).any(|column| (0..good.blocks()).any(|block| {
                    let entry = good.entry_at(column, block);
                    let start = u32_at(&good.bytes, entry) as usize;
                    (start..start + u32_at(&good.bytes, entry + 4) as usize).contains(&at)
                }));
                prop_assert!(!inside, "a flip at {} went unnoticed", at);
            }
        }
    }

    #[test]
    fn whole_blocks_and_one_row_round_trip() {
        check(&batch_of(1, 1, false));
        check(&batch_of(1, 2, true));
        check(&batch_of(1024, 3, true));
        check(&batch_of(2048, 4, false));
    }

    #[test]
    fn extreme_times_round_trip() {
        let batch = RowBatch {
            time: vec![i64::MIN, i64::MAX, 0],
            entity: vec![0, u32::MAX, 1],
            columns: vec![],
        };
        check(&batch);
    }
}
