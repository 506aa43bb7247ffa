//! Blocks of a part: up to 1,024 values of one column, nulls before them, encoded by the codec that takes least room
//! among those that the part may have.

use super::filters;
use crate::aggregate::Aggregate;
use crate::aggregate::sum::{HUGE, IntegerSum, Sum};
use crate::codec::bitmap::{self, WORDS};
use crate::codec::checksum::crc32c;
use crate::codec::fields::{Fields, put_varint};
use crate::codec::{BLOCK, Codecs, floats, integers, text};
use crate::column::packed::Physical;

/// Rows of a block that are not null, least significant bit first.
pub(in crate::store) type Valid = [u64; WORDS];

/// Values of a block, one a row. At a null the value is arbitrary, but a code is 0.
#[derive(Debug)]
pub(in crate::store) enum Values<'a> {
    F64(Vec<f64>),
    I64(Vec<i64>),
    Code(Vec<u32>),
    Bool(Valid, usize),
    Text(Vec<&'a str>),
}

/// A block that is encoded but in no part yet, with the values it was made of.
#[derive(Debug)]
pub(in crate::store) struct Block<'a> {
    pub(super) values: Values<'a>,
    pub(super) valid: Option<Valid>,
    pub(super) bytes: Vec<u8>,
    pub(super) crc: u32,
    pub(super) facts: Facts,
    /// Of its texts; none of other values.
    pub(super) hashes: Vec<u64>,
}

impl<'a> Block<'a> {
    /// Encodes values, one a row. None: no row is null.
    pub(in crate::store) fn of(mut values: Values<'a>, valid: Option<Valid>, codecs: Codecs) -> Self {
        let mut bytes = Vec::new();
        let facts = encode(&mut values, valid.as_ref(), codecs, &mut bytes);
        let hashes = match &values {
            Values::Text(texts) => filters::distinct_hashes(texts, valid.as_ref()),
            _ => Vec::new(),
        };
        Self {
            hashes,
            crc: crc32c(&bytes),
            values,
            valid,
            bytes,
            facts,
        }
    }
}

/// What is known of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Facts {
    pub(super) nulls: u16,
    pub(super) nans: u16,
    pub(super) least: u64,
    pub(super) greatest: u64,
    /// Sum of the values; none where it does not fit its type.
    pub(super) sum: Option<u64>,
}

/// The first so many rows.
pub(in crate::store) fn first(rows: usize) -> Valid {
    std::array::from_fn(|word| {
        let rows = rows.saturating_sub(word * 64).min(64) as u32;
        u64::MAX.checked_shr(64 - rows).unwrap_or(0)
    })
}

fn ones(bits: &Valid) -> usize {
    bits.iter().map(|word| word.count_ones() as usize).sum()
}

/// Appends a block. Values at nulls are changed to what compresses best.
fn encode(values: &mut Values<'_>, valid: Option<&Valid>, codecs: Codecs, out: &mut Vec<u8>) -> Facts {
    let rows = match &*values {
        Values::F64(values) => values.len(),
        Values::I64(values) => values.len(),
        Values::Code(values) => values.len(),
        Values::Bool(_, rows) => *rows,
        Values::Text(values) => values.len(),
    };
    let all = first(rows);
    let valid: Valid = valid.map_or(all, |valid| std::array::from_fn(|word| valid[word] & all[word]));
    let nulls = rows - ones(&valid);
    let mut facts = Facts {
        nulls: nulls as u16,
        ..Facts::default()
    };
    if nulls == rows {
        facts.sum = Some(0);
        return facts;
    }
    if nulls > 0 {
        let mut bits = Vec::new();
        bitmap::encode(&valid, rows, &mut bits);
        put_varint(bits.len() as u64, out);
        out.extend_from_slice(&bits);
    }
    match values {
        Values::F64(values) => {
            describe_doubles(values, (nulls > 0).then_some(&valid), &mut facts);
            if nulls > 0 {
                bitmap::fill_nulls(values, &valid);
            }
            floats::encode_as(values, codecs, out);
        }
        Values::I64(values) => {
            if nulls > 0 {
                // First, so that values at nulls are among the least and the greatest of the others.
                describe_integers(values, Some(&valid), &mut facts);
                bitmap::fill_nulls(values, &valid);
            } else {
                describe_integers(values, None, &mut facts);
            }
            integers::encode_as(values, codecs, out);
        }
        Values::Code(codes) => {
            let (mut least, mut greatest, mut nulls) = (u32::MAX, 0, 0);
            for &code in &*codes {
                least = least.min(code);
                greatest = greatest.max(code);
                nulls += u16::from(code == 0);
            }
            facts = Facts {
                nulls,
                least: least.into(),
                greatest: greatest.into(),
                ..facts
            };
            integers::encode_codes_as(codes, codecs, out);
        }
        Values::Bool(bits, _) => {
            let bits: Valid = std::array::from_fn(|word| bits[word] & valid[word]);
            let ones = ones(&bits);
            facts.least = u64::from(ones == rows - nulls);
            facts.greatest = u64::from(ones > 0);
            bitmap::encode(&bits, rows, out);
        }
        Values::Text(texts) => text::encode_as(texts, codecs, out),
    }
    facts
}

/// Whether a row is not null.
pub(super) fn is_valid(valid: Option<&Valid>, row: usize) -> bool {
    valid.is_none_or(|valid| valid[row / 64] >> (row % 64) & 1 == 1)
}

fn describe_doubles(values: &[f64], valid: Option<&Valid>, facts: &mut Facts) {
    let (mut least, mut greatest, mut nans) = (f64::INFINITY, f64::NEG_INFINITY, 0u16);
    for (row, &value) in values.iter().enumerate() {
        if is_valid(valid, row) {
            // A comparison with NaN is false, so that it changes neither.
            least = if value < least { value } else { least };
            greatest = if value > greatest { value } else { greatest };
            nans += u16::from(value.is_nan());
        }
    }
    (facts.nans, facts.least, facts.greatest) = (nans, least.to_bits(), greatest.to_bits());
    if least.abs() < HUGE && greatest.abs() < HUGE {
        let mut sum = Sum::default();
        if valid.is_none() && nans == 0 {
            sum.insert_all(values);
        } else {
            let rows = values.iter().enumerate();
            let known = rows.filter(|&(row, value)| is_valid(valid, row) && !value.is_nan());
            known.for_each(|(_, &value)| sum.insert(value));
        }
        facts.sum = Some(sum.finish().to_bits());
    } else if usize::from(nans + facts.nulls) == values.len() {
        facts.sum = Some(0);
    }
}

fn describe_integers(values: &[i64], valid: Option<&Valid>, facts: &mut Facts) {
    let (mut least, mut greatest) = (i64::MAX, i64::MIN);
    let mut sum = IntegerSum::default();
    match valid {
        None => {
            for &value in values {
                least = least.min(value);
                greatest = greatest.max(value);
            }
            sum.insert_all(values);
        }
        Some(_) => {
            for (_, &value) in values.iter().enumerate().filter(|&(row, _)| is_valid(valid, row)) {
                least = least.min(value);
                greatest = greatest.max(value);
                sum.insert(value);
            }
        }
    }
    (facts.least, facts.greatest) = (least as u64, greatest as u64);
    facts.sum = i64::try_from(sum.finish()).ok().map(|sum| sum as u64);
}

/// A block taken apart: rows that are not null, where some are, and the encoded values; without these every row is null.
pub(super) type Opened<'a> = (Option<Box<Valid>>, Option<&'a [u8]>);

/// Takes a block with so many nulls apart; none if the bytes are no such block.
pub(super) fn open(bytes: &[u8], rows: usize, nulls: u16, physical: Physical) -> Option<Opened<'_>> {
    let nulls = usize::from(nulls);
    if nulls == rows && bytes.is_empty() {
        return Some((None, None));
    }
    if nulls == 0 || physical == Physical::Code {
        return Some((None, Some(bytes)));
    }
    let mut fields = Fields::new(bytes);
    let mut valid = Box::new([0; WORDS]);
    let is_sound = bitmap::decode(fields.nested()?, rows, &mut valid) && ones(&valid) == rows - nulls;
    is_sound.then(|| (Some(valid), Some(fields.rest())))
}

const _: () = assert!(BLOCK == crate::column::BLOCK_ROWS);
