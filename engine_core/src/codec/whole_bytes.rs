//! Values as they are, less a base, in so many whole bytes each: what is left for blocks too short or too wild for anything else.
//!
//! base (zig-zag varint), bytes of a value (one byte, 0 to 8), then each value less the base, little-endian.

use super::BLOCK;
use super::bitpack::width_of;
use super::fields::{Fields, put_signed, varint_len, zigzag};

/// Bytes of a value, `range` being the greatest difference to the least; a base that saves nothing is left out.
fn plan(least: i64, range: u64) -> (i64, usize) {
    let size = width_of(range).div_ceil(8) as usize;
    let without = width_of(least.wrapping_add(range as i64) as u64).div_ceil(8) as usize;
    if least >= 0 && without == size || size == 8 {
        (0, size)
    } else {
        (least, size)
    }
}

/// Bytes that it will take.
pub(super) fn len(rows: usize, least: i64, range: u64) -> usize {
    let (base, size) = plan(least, range);
    varint_len(zigzag(base)) + 1 + rows * size
}

pub(super) fn write(values: &[i64], least: i64, range: u64, out: &mut Vec<u8>) {
    let (base, size) = plan(least, range);
    put_signed(base, out);
    out.push(size as u8);
    for value in values {
        out.extend_from_slice(&value.wrapping_sub(base).to_le_bytes()[..size]);
    }
}

pub(super) fn decode(mut fields: Fields<'_>, rows: usize, out: &mut [i64; BLOCK]) -> Option<()> {
    let base = fields.signed()?;
    let size = usize::from(fields.byte()?);
    let bytes = fields.rest();
    if size > 8 || bytes.len() != rows * size {
        return None;
    }
    match size {
        0 => out[..rows].fill(base),
        1 => widen::<1>(bytes, base, out),
        2 => widen::<2>(bytes, base, out),
        3 => widen::<3>(bytes, base, out),
        4 => widen::<4>(bytes, base, out),
        5 => widen::<5>(bytes, base, out),
        6 => widen::<6>(bytes, base, out),
        7 => widen::<7>(bytes, base, out),
        _ => widen::<8>(bytes, base, out),
    }
    Some(())
}

fn widen<const SIZE: usize>(bytes: &[u8], base: i64, out: &mut [i64; BLOCK]) {
    for (out, value) in out.iter_mut().zip(bytes.as_chunks::<SIZE>().0) {
        let mut le = [0; 8];
        le[..SIZE].copy_from_slice(value);
        *out = base.wrapping_add(i64::from_le_bytes(le));
    }
}
