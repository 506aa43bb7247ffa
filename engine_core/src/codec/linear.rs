//! A straight line per piece of the block and what the values differ from it: times of a steady clock, with jitter or without.
//! A new piece begins where the clock jumps, as it does at gaps and where the next entity's rows begin.
//!
//! base (zig-zag varint), scale (varint), slope (varint), shift (one byte, 0 to 63), further pieces (varint) and for each: rows
//! since the last one began (varint, not 0), change of intercept (zig-zag varint); codes as in `residual` or, of codec 9, `dense`. With `k` rows since
//! its piece began, value = base + scale · (intercept + (slope · k >> shift) + code), all modulo 2⁶⁴; the first intercept is 0.
//! The slope is a fraction in fixed point: floats choose it, integers alone apply it.

use std::ops::Range;

use super::BLOCK;
use super::bitpack::width_of;
use super::dispatch::dispatched;
use super::fields::{Fields, put_signed, put_varint, varint_len, zigzag};
use super::residual::{self, Codes, Fit, Layout, Residuals};
use super::scaled::Scaled;

/// Bits of a slope's fraction: errors add up to less than a unit over a block.
const FRACTION: u32 = 12;
/// Pieces of a block up to which single values are had by themselves.
const FEW_PIECES: usize = 16;
/// Rows per piece at least, on average.
const PIECE_ROWS: usize = 16;

/// A block as lines and residuals.
pub(super) struct Lines {
    slope: u64,
    shift: u32,
    /// First row and intercept of each piece.
    pieces: Vec<(usize, i64)>,
    pub(super) residuals: [i64; BLOCK],
    pub(super) fit: Fit,
    /// Bytes that it will take, about.
    pub(super) bytes: usize,
}

/// Rows where a step is far from what is usual, as the fit of the steps says; none if there are too many.
fn jumps(steps: &[i64], usual: Fit) -> Option<Vec<usize>> {
    // Twice the usual spread on either side is still jitter.
    let span = if usual.width == 0 {
        0
    } else {
        1u64.checked_shl(usual.width)?
    };
    let span_low = usual.low.wrapping_sub(span as i64);
    let most = span.checked_mul(3)?;
    let mut jumps = Vec::new();
    for (row, &step) in steps.iter().enumerate().skip(1) {
        if step.wrapping_sub(span_low) as u64 > most {
            if (jumps.len() + 1) * PIECE_ROWS > steps.len() {
                return None;
            }
            jumps.push(row);
        }
    }
    Some(jumps)
}

/// Least squares over all pieces with one slope; none if it falls or rises too steeply.
fn slope_of(quotients: &[i64], starts: &[usize]) -> Option<f64> {
    let (mut xy, mut xx) = (0.0, 0.0);
    for (piece, &start) in starts.iter().enumerate() {
        let values = &quotients[start..starts.get(piece + 1).copied().unwrap_or(quotients.len())];
        let rows = values.len() as f64;
        let middle = (rows - 1.0) / 2.0;
        // Independent partial sums, since one would wait for each addition.
        let mut sums = [0.0f64; 8];
        for (row, chunk) in values.chunks(8).enumerate() {
            for (at, value) in chunk.iter().enumerate() {
                sums[at] += ((row * 8 + at) as f64 - middle) * value.wrapping_sub(values[0]) as f64;
            }
        }
        xy += sums.iter().sum::<f64>();
        xx += rows * (rows * rows - 1.0) / 12.0;
    }
    let slope = xy / xx;
    (0.0..1e15).contains(&slope).then_some(slope)
}

/// Fits lines to the quotients, given their steps and the fit of these; none if lines make no sense.
pub(super) fn fit(scaled: &Scaled, steps: &[i64], usual: Fit) -> Option<Lines> {
    let quotients = scaled.quotients();
    let mut starts = jumps(&steps[..scaled.rows], usual)?;
    starts.insert(0, 0);
    let real = slope_of(quotients, &starts)?;
    // A clock's step is most often a whole number of its units.
    let whole = (real - real.round()).abs() * (scaled.rows as f64) < 1.0;
    let shift = if whole {
        0
    } else {
        FRACTION.min(52u32.saturating_sub(width_of(real as u64)))
    };
    let slope = (real * f64::from(1u32 << shift)).round() as u64;
    let mut lines = Lines {
        slope,
        shift,
        pieces: Vec::with_capacity(starts.len()),
        residuals: [0; BLOCK],
        fit: usual,
        bytes: 0,
    };
    for (piece, &start) in starts.iter().enumerate() {
        let end = starts.get(piece + 1).copied().unwrap_or(scaled.rows);
        let residuals = &mut lines.residuals[start..end];
        residuals.copy_from_slice(&quotients[start..end]);
        let intercept = take_line(residuals, slope, shift);
        shift_all(residuals, intercept);
        lines.pieces.push((start, intercept));
    }
    lines.fit = residual::fit(&lines.residuals[..scaled.rows]);
    let further = lines
        .pieces
        .windows(2)
        .map(|two| 2 + varint_len(zigzag(two[1].1.wrapping_sub(two[0].1))));
    lines.bytes = 4 + varint_len(slope) + further.sum::<usize>() + lines.fit.bytes;
    Some(lines)
}

dispatched! {
    /// Subtracts the line; answers the least that remains.
    fn take_line(values: &mut [i64], slope: u64, shift: u32) -> i64 {
        let mut least = i64::MAX;
        for (row, value) in (0u64..).zip(values) {
            *value = value.wrapping_sub((slope.wrapping_mul(row) >> shift) as i64);
            least = least.min(*value);
        }
        least
    }
}

dispatched! {
    fn shift_all(values: &mut [i64], by: i64) {
        for value in values {
            *value = value.wrapping_sub(by);
        }
    }
}

dispatched! {
    fn add_line(values: &mut [i64], slope: u64, shift: u32, scale: u64, offset: i64) {
        for (row, value) in (0u64..).zip(values) {
            let line = (slope.wrapping_mul(row) >> shift).wrapping_mul(scale) as i64;
            *value = value.wrapping_add(offset).wrapping_add(line);
        }
    }
}

dispatched! {
    fn add_whole_line(values: &mut [i64], slope: i64, offset: i64) {
        let mut line = offset;
        for value in values {
            *value = value.wrapping_add(line);
            line = line.wrapping_add(slope);
        }
    }
}

pub(super) fn write(scaled: &Scaled, lines: &Lines, fit: &impl Layout, out: &mut Vec<u8>) {
    let (mut last_start, mut last_intercept) = lines.pieces[0];
    put_signed(scaled.value(last_intercept.wrapping_add(fit.low())), out);
    put_varint(scaled.scale, out);
    put_varint(lines.slope, out);
    out.push(lines.shift as u8);
    put_varint(lines.pieces.len() as u64 - 1, out);
    for &(start, intercept) in &lines.pieces[1..] {
        put_varint((start - last_start) as u64, out);
        put_signed(intercept.wrapping_sub(last_intercept), out);
        (last_start, last_intercept) = (start, intercept);
    }
    fit.write(&lines.residuals[..scaled.rows], out);
}

/// A block's fields.
struct Opened<'a, C> {
    base: i64,
    scale: u64,
    slope: u64,
    shift: u32,
    further: usize,
    /// Of the pieces behind the first.
    pieces: Fields<'a>,
    codes: C,
}

impl<'a, C: Codes<'a>> Opened<'a, C> {
    fn read(mut fields: Fields<'a>, rows: usize) -> Option<Self> {
        let base = fields.signed()?;
        let scale = fields.varint()?;
        let slope = fields.varint()?;
        let shift = u32::from(fields.byte()?);
        if shift > 63 {
            return None;
        }
        let further = fields.number(rows)?;
        let pieces = fields;
        for _ in 0..further {
            fields.varint()?;
            fields.signed()?;
        }
        let codes = C::read(fields, rows)?;
        Some(Self {
            base,
            scale,
            slope,
            shift,
            further,
            pieces,
            codes,
        })
    }

    /// Calls with the rows of each piece and what its line begins with, base left out; none if they are not those of so many rows.
    fn each_piece(&self, rows: usize, mut take: impl FnMut(Range<usize>, i64)) -> Option<()> {
        let mut pieces = self.pieces;
        let (mut start, mut offset) = (0, 0i64);
        for piece in 0..=self.further {
            let (end, change) = if piece == self.further {
                (rows, 0)
            } else {
                (start + pieces.number(rows)?, pieces.signed()?)
            };
            if start >= end || end > rows {
                return None;
            }
            take(start..end, offset);
            start = end;
            offset = offset.wrapping_add(change.wrapping_mul(self.scale as i64));
        }
        Some(())
    }
}

pub(super) fn decode<'a, C: Codes<'a>>(fields: Fields<'a>, rows: usize, out: &mut [i64; BLOCK]) -> Option<()> {
    let block = Opened::<C>::read(fields, rows)?;
    let (slope, shift, scale) = (block.slope, block.shift, block.scale);
    block.codes.affine(block.base, scale, out);
    block.each_piece(rows, |piece, offset| {
        if shift == 0 {
            add_whole_line(&mut out[piece], slope.wrapping_mul(scale) as i64, offset);
        } else {
            add_line(&mut out[piece], slope, shift, scale, offset);
        }
    })
}

/// Single values of a block, each had by itself.
#[derive(Debug)]
pub(super) struct Points<'a> {
    slope: u64,
    shift: u32,
    scale: u64,
    codes: Residuals<'a>,
    /// First row of each piece and what its line begins with.
    pieces: Vec<(usize, i64)>,
}

impl<'a> Points<'a> {
    /// None if the bytes are no such block, some values lie apart, or it has many pieces: then it had better be decoded.
    pub(super) fn read(fields: Fields<'a>, rows: usize) -> Option<Self> {
        let block = Opened::<Residuals<'a>>::read(fields, rows)?;
        if block.further >= FEW_PIECES {
            return None;
        }
        let mut pieces = Vec::with_capacity(block.further + 1);
        block.each_piece(rows, |piece, offset| {
            pieces.push((piece.start, block.base.wrapping_add(offset)));
        })?;
        block.codes.is_whole().then_some(Self {
            slope: block.slope,
            shift: block.shift,
            scale: block.scale,
            codes: block.codes,
            pieces,
        })
    }

    /// Value of a row, which must be one of the block's.
    pub(super) fn get(&self, row: usize) -> i64 {
        let behind = self.pieces.partition_point(|&(start, _)| start <= row);
        let (start, offset) = self.pieces[behind - 1];
        let line = self.slope.wrapping_mul((row - start) as u64) >> self.shift;
        let units = line.wrapping_add(self.codes.code(row));
        offset.wrapping_add(units.wrapping_mul(self.scale) as i64)
    }
}
