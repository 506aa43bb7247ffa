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
pub(super) fn sum(mut fields: Fields<'_>, rows: usize) -> Option<i128> {
    let first = fields.signed()?;
    let scale = fields.varint()?;
    let low = fields.signed()?;
    let (codes, greatest) = Residuals::read(fields, rows)?.falling_sum(rows)?;
    let rows = rows as i128;
    let (scale, low) = (i128::from(scale), i128::from(low));
    let farthest_step = scale.checked_mul(low.abs() + i128::from(greatest))?;
    let farthest = farthest_step.checked_mul(rows)?.checked_add(i128::from(first).abs())?;
    (farthest <= i64::MAX.into()).then(|| rows * i128::from(first) + scale * (low * (rows * (rows - 1) / 2) + codes))
}
