//! Frame of reference: the least value, what divides all differences to it, and their codes.
//!
//! base (zig-zag varint), scale (varint), codes as in `residual` or, of codec 7, `dense`; value = base + scale · code.

use super::BLOCK;
use super::fields::{Fields, put_signed, put_varint};
use super::residual::{Codes, Layout, Residuals};
use super::scaled::Scaled;

pub(super) fn write(scaled: &Scaled, fit: &impl Layout, out: &mut Vec<u8>) {
    put_signed(scaled.value(fit.low()), out);
    put_varint(scaled.scale, out);
    fit.write(scaled.quotients(), out);
}

/// A block's fields, its bounds checked.
pub(super) struct Frame<C> {
    base: i64,
    scale: u64,
    codes: C,
}

impl<'a, C: Codes<'a>> Frame<C> {
    pub(super) fn read(mut fields: Fields<'a>, rows: usize) -> Option<Self> {
        Some(Self {
            base: fields.signed()?,
            scale: fields.varint()?,
            codes: C::read(fields, rows)?,
        })
    }

    pub(super) fn decode(&self, out: &mut [i64; BLOCK]) {
        self.codes.affine(self.base, self.scale, out);
    }
}

impl Frame<Residuals<'_>> {
    /// Decodes values that are within 32 bits, if no multiplication is needed.
    pub(super) fn decode_narrow(&self, out: &mut [u32; BLOCK]) -> bool {
        if self.scale == 1 {
            self.codes.narrow(self.base as u32, out);
        }
        self.scale == 1
    }

    /// Exact sum, without decoding; none if that cannot tell.
    pub(super) fn sum(&self, rows: usize) -> Option<i128> {
        self.codes.sum(rows, self.base, self.scale)
    }

    /// Exact sums of stretches; none likewise.
    pub(super) fn stretch_sums(&self, ends: &[u32], sums: &mut Vec<i128>) -> Option<()> {
        self.codes.stretch_sums(ends, self.base, self.scale, sums)
    }
}
