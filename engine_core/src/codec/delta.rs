//! Differences from one value to the next, for what wanders or grows unevenly.
//!
//! first value (zig-zag varint), scale (varint), low end of the steps (zig-zag varint), codes as in `residual` or, of codec 8, `dense`, the first 0;
//! value = the one before + scale · (low end + code), wrapping. Codes are interleaved like all others, so that unpacking runs
//! at full width; the running sum behind it is one addition a value.

use super::BLOCK;
use super::dispatch::dispatched;
use super::fields::{Fields, put_signed, put_varint};
use super::residual::{Codes, Layout, Residuals};
use super::scaled::Scaled;
use super::stretches::{Total, stretches};

/// Steps between quotients; the first is unspecified.
pub(super) fn steps(scaled: &Scaled) -> [i64; BLOCK] {
    let mut steps = [0; BLOCK];
    differences(scaled.quotients(), &mut steps);
    steps
}

dispatched! {
    fn differences(values: &[i64], out: &mut [i64; BLOCK]) {
        let rows = values.len();
        for ((out, &left), &right) in out[1..].iter_mut().zip(values).zip(&values[1.min(rows)..]) {
            *out = right.wrapping_sub(left);
        }
    }
}

/// `steps` are the block's, `fit` is that of all but the first.
pub(super) fn write(scaled: &Scaled, steps: &mut [i64; BLOCK], fit: &impl Layout, out: &mut Vec<u8>) {
    put_signed(scaled.value(scaled.quotients[0]), out);
    put_varint(scaled.scale, out);
    put_signed(fit.low(), out);
    steps[0] = fit.low();
    fit.write(&steps[..scaled.rows], out);
}

pub(super) fn decode<'a, C: Codes<'a>>(mut fields: Fields<'a>, rows: usize, out: &mut [i64; BLOCK]) -> Option<()> {
    let first = fields.signed()?;
    let scale = fields.varint()?;
    let low = fields.signed()?;
    C::read(fields, rows)?.affine(low.wrapping_mul(scale as i64), scale, out);
    out[0] = first;
    let mut sum = 0i64;
    for out in out {
        sum = sum.wrapping_add(*out);
        *out = sum;
    }
    Some(())
}

/// Exact sum, each step counted as often as values come after it; none if the bytes are no such block, codes are wide or the running sum
/// might wrap.
pub(super) fn sum(fields: Fields<'_>, rows: usize) -> Option<i128> {
    let mut sum = 0;
    let mut totals = [Total::default()];
    each_stretch(fields, rows, &[rows as u32], &mut totals, |whole| sum = whole)?;
    Some(sum)
}

/// Exact sums of stretches; none as for [`sum`].
pub(super) fn stretch_sums(fields: Fields<'_>, rows: usize, ends: &[u32], sums: &mut Vec<i128>) -> Option<()> {
    let mut totals = vec![Total::default(); ends.len()];
    each_stretch(fields, rows, ends, &mut totals, |sum| sums.push(sum))
}

/// Calls with the sum of each stretch; `totals` is room for as many.
fn each_stretch(
    mut fields: Fields<'_>,
    rows: usize,
    ends: &[u32],
    totals: &mut [Total],
    mut take: impl FnMut(i128),
) -> Option<()> {
    let first = fields.signed()?;
    let scale = fields.varint()?;
    let low = fields.signed()?;
    let codes = Residuals::read(fields, rows)?;
    let greatest = codes.totals(1, ends, totals)?;
    let (first, scale, low) = (i128::from(first), i128::from(scale), i128::from(low));
    let farthest_step = scale.checked_mul(low.abs() + i128::from(greatest))?;
    let farthest = farthest_step.checked_mul(rows as i128)?.checked_add(first.abs())?;
    if farthest > i64::MAX.into() {
        return None;
    }
    let mut exceptions = codes.exceptions().filter(|&(row, _)| row > 0).peekable();
    // The value before the stretch; before the first row it is what the first step leads to the first value from.
    let mut before = first - scale * low;
    for (stretch, total) in stretches(ends).zip(totals) {
        let (mut sum, mut falling) = (i128::from(total.sum), i128::from(total.falling));
        while let Some((row, code)) = exceptions.next_if(|&(row, _)| row < stretch.end) {
            sum += i128::from(code);
            falling += i128::from(code) * (stretch.end - row) as i128;
        }
        let rows = stretch.len() as i128;
        take(rows * before + scale * (low * (rows * (rows + 1) / 2) + falling));
        before += scale * (rows * low + sum);
    }
    Some(())
}
