//! Blocks of doubles: one byte for the codec, then what its file describes. Every bit comes back, NaN payloads and −0 included.
//!
//! | codec | file | for |
//! |---|---|---|
//! | 16 bits | here | the bits as an integer block: constants, runs, and what nothing else shrinks |
//! | 17 decimals | `alp` | numbers that people or sensors wrote |
//! | 18 real doubles | `alp_rd` | numbers that were computed |

use super::alp::{self, Alp};
use super::dispatch::dispatched;
use super::fields::Fields;
use super::{BLOCK, Codecs, alp_rd, integers};

const BITS: u8 = 16;
const DECIMALS: u8 = 17;
const REAL: u8 = 18;

/// Bytes a value up to which decimals are taken without a look at the rest.
const GOOD_BYTES: usize = 5;

/// Appends the block in the codec that takes least room; between nearly equals, the faster. Never more than 49 bytes above eight
/// for each.
///
/// # Panics
/// If there is no value or more than [`BLOCK`].
pub fn encode(values: &[f64], out: &mut Vec<u8>) {
    encode_as(values, Codecs::Hot, out);
}

/// [`encode`] in these codecs.
///
/// # Panics
/// As [`encode`].
pub fn encode_as(values: &[f64], codecs: Codecs, out: &mut Vec<u8>) {
    let rows = values.len();
    assert!((1..=BLOCK).contains(&rows), "a block has 1 to 1,024 values");
    let mut bits = [0; BLOCK];
    let bits = &mut bits[..rows];
    let same = bits_of(values, bits);
    let start = out.len();
    if !same && let Some(decimal) = alp::choose(values) {
        out.push(DECIMALS);
        alp::write(values, decimal, codecs, out);
        if out.len() - start <= GOOD_BYTES * rows {
            return;
        }
    }
    let mut other = vec![BITS];
    integers::encode_as(bits, codecs, &mut other);
    let mut real = Vec::new();
    if other.len() > GOOD_BYTES * rows {
        real.push(REAL);
        alp_rd::write(values, &mut real);
    }
    // A real double takes two look-ups more than a frame of bits.
    for one in [&other, &real] {
        let margin = if one[..].first() == Some(&REAL) { rows / 16 } else { 0 };
        if !one.is_empty() && (out.len() == start || one.len() + margin < out.len() - start) {
            out.truncate(start);
            out.extend_from_slice(one);
        }
    }
}

dispatched! {
    /// Bits of the values; true if all are the same.
    fn bits_of(values: &[f64], out: &mut [i64]) -> bool {
        let first = values[0].to_bits();
        let mut differ = 0;
        for (out, value) in out.iter_mut().zip(values) {
            *out = value.to_bits() as i64;
            differ |= value.to_bits() ^ first;
        }
        differ == 0
    }
}

dispatched! {
    fn doubles_of(bits: &[i64; BLOCK], out: &mut [f64; BLOCK]) {
        for (out, &bits) in out.iter_mut().zip(bits) {
            *out = f64::from_bits(bits as u64);
        }
    }
}

/// Decodes a block of so many rows; false, with `out` unspecified, if the bytes are not one. Rows past the block's are unspecified.
#[must_use]
pub fn decode(bytes: &[u8], rows: usize, out: &mut [f64; BLOCK]) -> bool {
    decode_any(bytes, rows, out).is_some()
}

fn open(bytes: &[u8], rows: usize) -> Option<(u8, Fields<'_>)> {
    let mut fields = Fields::new(bytes);
    let codec = fields.byte()?;
    (1..=BLOCK).contains(&rows).then_some((codec, fields))
}

fn decode_any(bytes: &[u8], rows: usize, out: &mut [f64; BLOCK]) -> Option<()> {
    let (codec, mut fields) = open(bytes, rows)?;
    match codec {
        BITS => {
            let mut bits = [0; BLOCK];
            if !integers::decode(fields.rest(), rows, &mut bits) {
                return None;
            }
            doubles_of(&bits, out);
            Some(())
        }
        DECIMALS => Alp::read(fields, rows)?.decode(rows, out),
        REAL => alp_rd::decode(fields, rows, out),
        _ => None,
    }
}

/// Sum of a block without nulls, if it is to be had from whole numbers: these are added exactly, without making doubles of them,
/// and rounded at the end, which is within 2⁻⁵¹·Σ|x| of the true sum. All values are finite then and below 2⁵¹ in magnitude.
/// None means that the block must be decoded, which tells as well whether it is sound.
pub fn encoded_sum(bytes: &[u8], rows: usize) -> Option<f64> {
    let (codec, fields) = open(bytes, rows)?;
    if codec != DECIMALS {
        return None;
    }
    Alp::read(fields, rows)?.sum(rows)
}

/// [`encoded_sum`] of the stretches of a block, as [`integers::stretch_sums`] has them, in place of what `sums` held; `whole` is room.
pub fn encoded_stretch_sums(
    bytes: &[u8],
    rows: usize,
    ends: &[u32],
    whole: &mut Vec<i128>,
    sums: &mut Vec<f64>,
) -> Option<()> {
    let (codec, fields) = open(bytes, rows)?;
    sums.clear();
    if codec != DECIMALS {
        return None;
    }
    Alp::read(fields, rows)?.stretch_sums(rows, ends, whole, sums)
}

/// Least and greatest value of a block without nulls, if they are to be had from whole numbers; none as for [`encoded_sum`].
pub fn encoded_extrema(bytes: &[u8], rows: usize) -> Option<(f64, f64)> {
    let (codec, fields) = open(bytes, rows)?;
    if codec != DECIMALS {
        return None;
    }
    Alp::read(fields, rows)?.extrema(rows)
}
