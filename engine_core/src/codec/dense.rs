//! Numbers that lie close together, some more often than others: what `residual` holds in codes of equal width, in fewer bits for
//! more work. The upper bits of a code, eight at most, are entropy-coded; those below, which are hardly ever worth it, packed.
//! For cold parts. Codecs that end in these bytes:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | lower bits of a code, 0 to 56 |
//! | varint… | exceptions, as in `residual` |
//! | varint, so many | upper bits, a byte a row, as the blocks of a Zstandard frame (RFC 8878, 3.1.1.2) |
//! | rest | lower bits, packed as `bitpack` says |
//!
//! What stands in front of a frame's blocks is left out, since the number of rows tells it: the magic number 0xFD2FB528, a
//! descriptor of one segment and no checksum (0x20 for less than 256 rows, else 0x60), and the content's size, which is the
//! rows (of less than 256 one byte, else two, less 256). A code is upper · 2^lower bits + lower; an exception's is 0.

use super::BLOCK;
use super::bitpack::{Packed, pack, packed_len, width_of};
use super::dispatch::dispatched;
use super::fields::{Fields, put_varint};
use super::residual::{Apart, Codes, Fit, Layout, put_apart};
use super::zstandard;

/// Values of the upper bits.
const UPPER: usize = 256;
/// Greatest share of exceptions.
const MOST_EXCEPTIONS: usize = 8;
/// Widths that are tried above the least.
const TRIES: u32 = 6;
/// Of Zstandard: the first codes the bytes by themselves, the second looks for what comes again.
const LEVELS: [i32; 2] = [1, 19];
/// Bytes of a frame in front of its blocks.
const MOST_HEAD: usize = 7;
/// Bytes of a frame's blocks at most; ours are fewer than the rows.
const MOST_BLOCKS: usize = BLOCK + 32;

/// What a frame of so many rows begins with.
fn head_of(rows: usize) -> ([u8; MOST_HEAD], usize) {
    let [magic_0, magic_1, magic_2, magic_3] = 0xFD2F_B528u32.to_le_bytes();
    match u8::try_from(rows) {
        Ok(rows) => ([magic_0, magic_1, magic_2, magic_3, 0x20, rows, 0], 6),
        Err(_) => {
            let [low, high] = ((rows - 256) as u16).to_le_bytes();
            ([magic_0, magic_1, magic_2, magic_3, 0x60, low, high], 7)
        }
    }
}

/// Where to cut: codes are `lower` packed bits and a byte above the low end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    low: i64,
    lower: u32,
    /// Bytes that it will take, about.
    pub(super) bytes: usize,
}

/// The most values within 2^`bits` from one of them on: the least of these, and how many.
fn fullest(sorted: &[i64], bits: u32) -> (i64, usize) {
    let (mut best, mut end) = ((sorted[0], 0), 0);
    for (start, &low) in sorted.iter().enumerate() {
        while end < sorted.len() && (sorted[end].wrapping_sub(low) as u64) >> bits == 0 {
            end += 1;
        }
        if end - start > best.1 {
            best = (low, end - start);
        }
    }
    best
}

/// Bytes of so many symbols, entropy-coded with their table, about.
fn entropy_bytes(counts: &[u16; UPPER], all: usize) -> usize {
    let (mut bits, mut symbols) = (0.0, 0);
    for &count in counts.iter().filter(|&&count| count > 0) {
        bits += f32::from(count) * (all as f32 / f32::from(count)).log2();
        symbols += 1;
    }
    16 + symbols * 3 / 8 + (bits / 8.0) as usize
}

/// The cheapest cut, if one is likely to take less than `fit`, whose values these are.
pub(super) fn plan(values: &[i64], fit: Fit) -> Option<Plan> {
    let rows = values.len();
    let mut sorted = [0; BLOCK];
    let sorted = &mut sorted[..rows];
    sorted.copy_from_slice(values);
    sorted.sort_unstable();
    let range = sorted[rows - 1].wrapping_sub(sorted[0]) as u64;
    let exception_bytes = 2 + (width_of(range) as usize + 1).div_ceil(8).min(8);
    let least = fit.width.saturating_sub(9);
    let mut best: Option<Plan> = None;
    for lower in (least..least + TRIES).take_while(|&lower| lower <= 56) {
        let (low, within) = fullest(sorted, (lower + 8).min(63));
        let apart = rows - within;
        if apart * MOST_EXCEPTIONS > rows {
            continue;
        }
        let mut counts = [0u16; UPPER];
        for &value in values {
            let upper = value.wrapping_sub(low) as u64 >> lower;
            counts[if upper < UPPER as u64 { upper as usize } else { 0 }] += 1;
        }
        let bytes = 4 + apart * exception_bytes + entropy_bytes(&counts, rows) + packed_len(rows, lower);
        if bytes < best.map_or(fit.bytes, |best| best.bytes) {
            best = Some(Plan { low, lower, bytes });
        }
    }
    best
}

impl Layout for Plan {
    fn low(&self) -> i64 {
        self.low
    }

    fn write(&self, values: &[i64], out: &mut Vec<u8>) {
        let rows = values.len();
        let (mut upper, mut lower, mut apart) = ([0u8; BLOCK], [0u64; BLOCK], Vec::new());
        for (row, &value) in values.iter().enumerate() {
            let code = value.wrapping_sub(self.low) as u64;
            match u8::try_from(code >> self.lower) {
                Ok(byte) => {
                    upper[row] = byte;
                    lower[row] = code & ((1 << self.lower) - 1);
                }
                Err(_) => apart.push((row, code as i64)),
            }
        }
        out.push(self.lower as u8);
        put_apart(&apart, out);
        let (head, head_len) = head_of(rows);
        let frames = LEVELS.iter().filter_map(|&level| {
            let frame = zstandard::compress(&upper[..rows], MOST_BLOCKS, level)?;
            frame.strip_prefix(&head[..head_len]).map(<[u8]>::to_vec)
        });
        // Bytes that nothing shrinks make a frame as well, which is then too long to be chosen.
        let blocks = frames.min_by_key(Vec::len).unwrap_or_default();
        put_varint(blocks.len() as u64, out);
        out.extend_from_slice(&blocks);
        pack(&lower, rows, self.lower, out);
    }
}

/// What [`Plan`] wrote, its bounds checked.
#[derive(Debug)]
pub(super) struct Dense<'a> {
    lower: u32,
    apart: Apart<'a>,
    upper: [u8; BLOCK],
    packed: Packed<'a>,
}

dispatched! {
    fn add_upper(upper: &[u8; BLOCK], scale: i64, out: &mut [i64; BLOCK]) {
        for (out, &upper) in out.iter_mut().zip(upper) {
            *out = out.wrapping_add(i64::from(upper).wrapping_mul(scale));
        }
    }
}

impl<'a> Codes<'a> for Dense<'a> {
    fn read(mut fields: Fields<'a>, rows: usize) -> Option<Self> {
        let lower = u32::from(fields.byte()?);
        if lower > 56 || rows > BLOCK {
            return None;
        }
        let apart = Apart::read(&mut fields, rows)?;
        let blocks = fields.nested()?;
        let mut frame = [0; MOST_HEAD + MOST_BLOCKS];
        let (head, head_len) = head_of(rows);
        let frame = frame.get_mut(..head_len + blocks.len())?;
        frame[..head_len].copy_from_slice(&head[..head_len]);
        frame[head_len..].copy_from_slice(blocks);
        let mut upper = [0; BLOCK];
        if !zstandard::is_one(frame) || zstandard::decompress(frame, &mut upper[..rows])? != rows {
            return None;
        }
        Some(Self {
            lower,
            apart,
            upper,
            packed: Packed::new(fields.rest(), rows, lower)?,
        })
    }

    fn affine(&self, offset: i64, scale: u64, out: &mut [i64; BLOCK]) {
        self.packed.affine(offset, scale, out);
        add_upper(&self.upper, (scale << self.lower) as i64, out);
        self.apart.put(offset, scale, out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::residual;
    use super::*;
    use proptest::prelude::*;

    fn round_trip(values: &[i64]) -> Option<usize> {
        let plan = plan(values, residual::fit(values))?;
        let mut bytes = Vec::new();
        plan.write(values, &mut bytes);
        let mut out = [0; BLOCK];
        Dense::read(Fields::new(&bytes), values.len())
            .expect("sound")
            .affine(plan.low, 1, &mut out);
        assert_eq!(&out[..values.len()], values);
        for len in 0..bytes.len() {
            assert!(
                Dense::read(Fields::new(&bytes[..len]), values.len()).is_none(),
                "{len} bytes"
            );
        }
        Some(bytes.len())
    }

    #[test]
    fn frequent_values_take_fewer_bits_than_rare_ones() {
        // Mostly 0, seldom up to 7, which is 1.5 bits a value, and one that is far away.
        let mut values: Vec<i64> = (0..1024)
            .map(|row| (row * 7_919i64 % 1_021).trailing_zeros() as i64 % 8)
            .collect();
        values[500] = i64::MAX;
        let bytes = round_trip(&values).expect("planned");
        assert!(bytes < 1024 * 2 / 8 + 32, "{bytes}");
    }

    #[test]
    fn codes_that_occur_alike_are_left_to_others() {
        let values: Vec<i64> = (0..1024).map(|row| row * 7_919 % 1_024).collect();
        assert!(plan(&values, residual::fit(&values)).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_values_round_trip(values in prop::collection::vec(any::<i64>(), 1..=1024), shift in 0u32..64, fold in 1u32..4) {
            // Multiplied, small ones are frequent.
            let skewed = |value: &i64| (1..fold).fold(*value >> shift, |all, turn| {
                ((i128::from(all) * i128::from(value.rotate_left(turn * 20) >> shift)) >> (63 - shift)) as i64
            });
            round_trip(&values.iter().map(skewed).collect::<Vec<i64>>());
        }
    }
}
