//! Blocks of booleans and of validity: one bit a row in sixteen words, the least significant bit first.
//!
//! | codec | what follows |
//! |---|---|
//! | 32 none | nothing: all are 0 |
//! | 33 all | nothing: all are 1 |
//! | 34 bits | one bit a row, padded with 0 to whole bytes |
//! | 35 changes | how many (varint), then the rows that differ from the one before (row 0: from 0), an integer block |

use super::BLOCK;
use super::fields::{Fields, put_varint};
use super::integers;

const NONE: u8 = 32;
const ALL: u8 = 33;
const BITS: u8 = 34;
const CHANGES: u8 = 35;

/// Words of a block.
pub const WORDS: usize = BLOCK / 64;
/// Rows per change at least, for changes to be tried.
const CHANGE_ROWS: usize = 16;

/// Ones for each row of the block.
fn mask(rows: usize) -> [u64; WORDS] {
    std::array::from_fn(|word| {
        let rows = rows.saturating_sub(word * 64).min(64);
        u64::MAX.checked_shr(64 - rows as u32).unwrap_or(0)
    })
}

/// Each bit exclusive-or the one before.
fn changes_of(bits: &[u64; WORDS]) -> [u64; WORDS] {
    let before = |word: usize| if word == 0 { 0 } else { bits[word - 1] >> 63 };
    std::array::from_fn(|word| bits[word] ^ (bits[word] << 1 | before(word)))
}

/// Takes [`changes_of`] back.
fn bits_of(mut changes: [u64; WORDS]) -> [u64; WORDS] {
    let mut before = 0u64;
    for word in &mut changes {
        for shift in [1, 2, 4, 8, 16, 32] {
            *word ^= *word << shift;
        }
        *word ^= before;
        before = ((*word as i64) >> 63) as u64;
    }
    changes
}

/// Appends the bits of so many rows; those behind are of no account.
///
/// # Panics
/// If there is no row or more than [`BLOCK`].
pub fn encode(bits: &[u64; WORDS], rows: usize, out: &mut Vec<u8>) {
    assert!((1..=BLOCK).contains(&rows), "a block has 1 to 1,024 values");
    let mask = mask(rows);
    let bits: [u64; WORDS] = std::array::from_fn(|word| bits[word] & mask[word]);
    if bits == [0; WORDS] {
        out.push(NONE);
        return;
    }
    if bits == mask {
        out.push(ALL);
        return;
    }
    let changes = changes_of(&bits);
    let places = (0..rows)
        .filter(|row| changes[row / 64] >> (row % 64) & 1 == 1)
        .map(|row| row as i64);
    let count: u32 = changes.iter().map(|word| word.count_ones()).sum();
    let plain = rows.div_ceil(8);
    if count as usize * CHANGE_ROWS <= rows {
        let start = out.len();
        out.push(CHANGES);
        let places: Vec<i64> = places.collect();
        put_varint(places.len() as u64, out);
        integers::encode_leaf(&places, out);
        if out.len() - start <= plain {
            return;
        }
        out.truncate(start);
    }
    out.push(BITS);
    out.extend(bits.iter().flat_map(|word| word.to_le_bytes()).take(plain));
}

/// Decodes the bits of so many rows, 0 behind them; false, with `out` unspecified, if the bytes are not such a block.
#[must_use]
pub fn decode(bytes: &[u8], rows: usize, out: &mut [u64; WORDS]) -> bool {
    let Some(bits) = read(bytes, rows) else { return false };
    *out = bits;
    true
}

/// How many of the block's rows are 1. None if the bytes are no such block.
pub fn count_ones(bytes: &[u8], rows: usize) -> Option<usize> {
    Some(read(bytes, rows)?.iter().map(|word| word.count_ones() as usize).sum())
}

fn read(bytes: &[u8], rows: usize) -> Option<[u64; WORDS]> {
    let mut fields = Fields::new(bytes);
    let codec = fields.byte().filter(|_| (1..=BLOCK).contains(&rows))?;
    let mask = mask(rows);
    let bits = match codec {
        NONE => [0; WORDS],
        ALL => mask,
        BITS => {
            let mut le = [0u8; BLOCK / 8];
            le[..rows.div_ceil(8)].copy_from_slice(fields.take(rows.div_ceil(8))?);
            let (words, _) = le.as_chunks::<8>();
            std::array::from_fn(|word| u64::from_le_bytes(words[word]))
        }
        CHANGES => {
            let count = fields.number(rows)?;
            let mut places = [0; BLOCK];
            integers::decode_leaf(fields.rest(), count, &mut places)?;
            let mut changes = [0; WORDS];
            for &place in &places[..count] {
                let place = usize::try_from(place).ok().filter(|&place| place < rows)?;
                changes[place / 64] ^= 1 << (place % 64);
            }
            let bits = bits_of(changes);
            std::array::from_fn(|word| bits[word] & mask[word])
        }
        _ => return None,
    };
    let sound = fields.is_empty() && bits.iter().zip(&mask).all(|(bits, mask)| bits & !mask == 0);
    sound.then_some(bits)
}

/// Gives each row whose bit is 0 the value of the last row before that has one, or of the first that has; with no such row,
/// nothing changes. What stands at a null means nothing, and so it may be what compresses best.
pub fn fill_nulls<T: Copy>(values: &mut [T], validity: &[u64; WORDS]) {
    let valid = |row: usize| validity[row / 64] >> (row % 64) & 1 == 1;
    let Some(first) = (0..values.len().min(BLOCK)).find(|&row| valid(row)) else {
        return;
    };
    let mut last = values[first];
    for (row, value) in values.iter_mut().enumerate().take(BLOCK) {
        if valid(row) {
            last = *value;
        } else {
            *value = last;
        }
    }
}
