//! Sums of stretches of a block: neighbours that belong together, as the rows of an entity in a window do.

use std::ops::Range;

use super::BLOCK;
use super::dispatch::dispatched;

/// The rows of each stretch, of which each begins where the one before ends, the first with the first row.
pub(super) fn stretches(ends: &[u32]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    ends.iter().map(move |&end| {
        let stretch = start..end as usize;
        start = stretch.end;
        stretch
    })
}

/// What the codes of a stretch come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    /// Their sum.
    pub(super) sum: u64,
    /// Sum of each times the number of rows from it to the end of the stretch, which is what the running sums in it add up to.
    pub(super) falling: u64,
}

/// Codes of a block of which neither sum can pass 32 bits are at most this: as many of them, each times its place from the end.
const MOST_NARROW: u64 = u32::MAX as u64 / (BLOCK * (BLOCK + 1) / 2) as u64;

/// What the codes of each stretch come to; none is above `greatest`.
pub(super) fn total(codes: &[u32; BLOCK], greatest: u64, ends: &[u32], totals: &mut [Total]) {
    if greatest <= MOST_NARROW {
        total_narrow(codes, ends, totals);
    } else {
        total_wide(codes, ends, totals);
    }
}

dispatched! {
    /// Twice as many at once as of [`total_wide`], and products that take a fraction of the time.
    fn total_narrow(codes: &[u32; BLOCK], ends: &[u32], totals: &mut [Total]) {
        let mut start = 0;
        for (total, &end) in totals.iter_mut().zip(ends) {
            let (mut sum, mut falling, mut left) = (0u32, 0u32, end - start);
            for &code in &codes[start as usize..end as usize] {
                sum = sum.wrapping_add(code);
                falling = falling.wrapping_add(code.wrapping_mul(left));
                left = left.wrapping_sub(1);
            }
            *total = Total { sum: sum.into(), falling: falling.into() };
            start = end;
        }
    }
}

dispatched! {
    fn total_wide(codes: &[u32; BLOCK], ends: &[u32], totals: &mut [Total]) {
        let mut start = 0;
        for (total, &end) in totals.iter_mut().zip(ends) {
            let (mut sum, mut falling, mut left) = (0u64, 0u64, end - start);
            // Nothing wraps: the loop says so in order to be vectorised with checks as well. Those of a block are below 2⁵².
            for &code in &codes[start as usize..end as usize] {
                sum = sum.wrapping_add(code.into());
                falling = falling.wrapping_add(u64::from(code).wrapping_mul(left.into()));
                left = left.wrapping_sub(1);
            }
            *total = Total { sum, falling };
            start = end;
        }
    }
}

/// Exact sum.
pub(super) fn sum_of(values: &[i64]) -> i128 {
    let (low, high) = sum_halves(values);
    i128::from(low) + (i128::from(high) << 32)
}

dispatched! {
    /// Sums of the lower halves and, signed, of the upper halves.
    fn sum_halves(values: &[i64]) -> (i64, i64) {
        let (mut low, mut high) = (0i64, 0i64);
        for &value in values {
            low = low.wrapping_add(value & 0xFFFF_FFFF);
            high = high.wrapping_add(value >> 32);
        }
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_the_same_however_wide() {
        for greatest in [0, 1, MOST_NARROW, MOST_NARROW + 1, u32::MAX.into()] {
            let codes: [u32; BLOCK] = std::array::from_fn(|row| if row % 7 == 3 { 0 } else { greatest as u32 });
            for ends in [&[BLOCK as u32][..], &[1, 2, 17, 17, 600, BLOCK as u32], &[]] {
                let mut totals = vec![Total::default(); ends.len()];
                total(&codes, greatest, ends, &mut totals);
                for (stretch, total) in stretches(ends).zip(totals) {
                    let codes = || codes[stretch.clone()].iter().map(|&code| u64::from(code));
                    let falling = codes().rev().zip(1..).map(|(code, left)| code * left).sum();
                    assert_eq!(
                        total,
                        Total {
                            sum: codes().sum(),
                            falling
                        },
                        "{greatest} {stretch:?}"
                    );
                }
            }
        }
    }
}
