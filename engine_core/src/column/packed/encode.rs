//! From rows to blocks: each column in the cheapest of its codecs.

use super::{
    BLOCK_ROWS, BYTES, COLUMN_BYTES, DIRECTORY_FIXED, ENTRY_BYTES, Entry, FORMAT, HEADER_BYTES, INTERLEAVED,
    KIND_BATCH, MAX_ROWS, Physical, RAW, header_crc,
};
use crate::codec::bitpack::{pack_u32, pack_u64, width_of};
use crate::codec::checksum::crc32c;
use crate::column::batch::{Bitmap, ColumnData, RowBatch};
use crate::column::schema::{ENTITY, TIME};
use crate::column::{ColumnId, NULL_CODE};

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
