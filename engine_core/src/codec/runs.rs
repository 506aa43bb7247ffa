//! Runs of equal values: how many (varint), their values as a nested block behind its length (varint), and their lengths as
//! another that takes all bytes that are left. Nested blocks are none that nest themselves.

use super::BLOCK;
use super::dispatch::dispatched;
use super::fields::{Fields, put_varint};
use super::integers;

dispatched! {
    /// Number of runs; 0 of no values.
    pub(super) fn count(values: &[i64]) -> usize {
        let rows = values.len();
        let mut changes = 0u64;
        for (left, right) in values.iter().zip(&values[1.min(rows)..]) {
            changes += u64::from(left != right);
        }
        changes as usize + 1.min(rows)
    }
}

pub(super) fn write(values: &[i64], out: &mut Vec<u8>) {
    let (mut heads, mut lengths) = (Vec::new(), Vec::new());
    for run in values.chunk_by(|left, right| left == right) {
        heads.push(run[0]);
        lengths.push(run.len() as i64);
    }
    put_varint(heads.len() as u64, out);
    integers::encode_nested(&heads, out);
    integers::encode_leaf(&lengths, out);
}

/// Reads values and lengths of the runs.
fn read<'a>(
    mut fields: Fields<'_>,
    rows: usize,
    heads: &'a mut [i64; BLOCK],
    lengths: &'a mut [i64; BLOCK],
) -> Option<impl Iterator<Item = (i64, usize)> + 'a> {
    let runs = fields.number(rows)?;
    integers::decode_leaf(fields.nested()?, runs, heads)?;
    integers::decode_leaf(fields.rest(), runs, lengths)?;
    let fits = |&length: &i64| (1..=rows as i64).contains(&length);
    let all = lengths[..runs].iter().filter(|length| fits(length)).sum::<i64>();
    if all != rows as i64 || !lengths[..runs].iter().all(fits) {
        return None;
    }
    let lengths = lengths[..runs].iter().map(|&length| length as usize);
    Some(heads[..runs].iter().copied().zip(lengths))
}

pub(super) fn decode(fields: Fields<'_>, rows: usize, out: &mut [i64; BLOCK]) -> Option<()> {
    let (mut heads, mut lengths) = ([0; BLOCK], [0; BLOCK]);
    let mut at = 0;
    for (head, length) in read(fields, rows, &mut heads, &mut lengths)? {
        out[at..at + length].fill(head);
        at += length;
    }
    Some(())
}

/// Exact sum, run by run.
pub(super) fn sum(fields: Fields<'_>, rows: usize) -> Option<i128> {
    let (mut heads, mut lengths) = ([0; BLOCK], [0; BLOCK]);
    let runs = read(fields, rows, &mut heads, &mut lengths)?;
    Some(runs.map(|(head, length)| i128::from(head) * length as i128).sum())
}
