//! Arrays of numbers of any length as blocks of the codecs, each behind its length.

use crate::codec::fields::{Fields, put_varint};
use crate::codec::{BLOCK, floats, integers};
use crate::column::packed::Physical;

fn put<T>(values: &[T], encode: impl Fn(&[T], &mut Vec<u8>), out: &mut Vec<u8>) {
    let mut block = Vec::new();
    for values in values.chunks(BLOCK) {
        block.clear();
        encode(values, &mut block);
        put_varint(block.len() as u64, out);
        out.extend_from_slice(&block);
    }
}

/// Appends integers.
pub(super) fn put_integers(values: &[i64], out: &mut Vec<u8>) {
    put(values, integers::encode, out);
}

/// Appends doubles.
pub(super) fn put_doubles(values: &[f64], out: &mut Vec<u8>) {
    put(values, floats::encode, out);
}

/// Appends counts.
pub(super) fn put_numbers<T: Copy + Into<u64>>(values: impl Iterator<Item = T>, out: &mut Vec<u8>) {
    let values: Vec<i64> = values.map(|value| value.into() as i64).collect();
    put_integers(&values, out);
}

/// Appends values given as bits of a physical type: doubles as doubles, all others as integers.
pub(super) fn put_values(values: impl Iterator<Item = u64>, physical: Physical, out: &mut Vec<u8>) {
    if physical == Physical::F64 {
        put_doubles(&values.map(f64::from_bits).collect::<Vec<_>>(), out);
    } else {
        put_integers(&values.map(|value| value as i64).collect::<Vec<_>>(), out);
    }
}

fn take<T: Copy + Default>(
    fields: &mut Fields<'_>,
    n: usize,
    decode: impl Fn(&[u8], usize, &mut [T; BLOCK]) -> bool,
) -> Option<Vec<T>> {
    // What memory it takes is bounded by the bytes there are: a block has two at the least.
    let mut values = Vec::new();
    let mut block = [T::default(); BLOCK];
    while values.len() < n {
        let rows = BLOCK.min(n - values.len());
        if !decode(fields.nested()?, rows, &mut block) {
            return None;
        }
        values.extend_from_slice(&block[..rows]);
    }
    Some(values)
}

/// Reads so many integers; none if the bytes are no such array.
pub(super) fn integers(fields: &mut Fields<'_>, n: usize) -> Option<Vec<i64>> {
    take(fields, n, integers::decode)
}

/// Reads so many doubles.
pub(super) fn doubles(fields: &mut Fields<'_>, n: usize) -> Option<Vec<f64>> {
    take(fields, n, floats::decode)
}

/// Reads so many counts of at most `most`.
pub(super) fn numbers(fields: &mut Fields<'_>, n: usize, most: u64) -> Option<Vec<u64>> {
    let values = integers(fields, n)?;
    let counts: Vec<u64> = values.into_iter().map(|value| value as u64).collect();
    counts.iter().all(|&count| count <= most).then_some(counts)
}

/// Reads so many values of a physical type, as bits.
pub(super) fn values(fields: &mut Fields<'_>, physical: Physical, n: usize) -> Option<Vec<u64>> {
    Some(if physical == Physical::F64 {
        doubles(fields, n)?.into_iter().map(f64::to_bits).collect()
    } else {
        integers(fields, n)?.into_iter().map(|value| value as u64).collect()
    })
}

/// Reads so many numbers of rows, none 0, which come to `rows`: where each begins, and behind them `rows`.
pub(super) fn starts(fields: &mut Fields<'_>, n: usize, rows: usize) -> Option<Vec<u32>> {
    let lengths = numbers(fields, n, rows as u64)?;
    let (mut starts, mut start) = (Vec::with_capacity(lengths.len() + 1), 0u64);
    for length in lengths {
        starts.push(u32::try_from(start).ok()?);
        start += length;
        if length == 0 {
            return None;
        }
    }
    starts.push(u32::try_from(start).ok()?);
    (start == rows as u64).then_some(starts)
}
