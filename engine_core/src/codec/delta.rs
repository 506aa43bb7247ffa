//! Differences from one value to the next, for what wanders or grows unevenly.
//!
//! first value (zig-zag varint), scale (varint), low end of the steps (zig-zag varint), codes as in `residual` or, of codec 8, `dense`, the first 0;
//! value = the one before + scale · (low end + code), wrapping. Codes are interleaved like all others, so that unpacking runs
//! at full width; the running sum behind it is one addition a value.

use super::BLOCK;
use super::dispatch::dispatched;
use super::fields::{Fields, put_signed, put_varint};
use super::residual::{Codes, Layout};
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
