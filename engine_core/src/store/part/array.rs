//! Arrays of numbers of any length as blocks of the codecs, each behind its length.

use crate::codec::fields::{Fields, put_varint};
use crate::codec::{BLOCK, floats, integers};

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
