//! Sums of stretches of a block: neighbours that belong together, as the rows of an entity in a window do.

use std::ops::Range;

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

dispatched! {
    /// What the codes of each stretch come to. Those of a block are below 2⁵².
    pub(super) fn total(codes: &[u32], ends: &[u32], totals: &mut [Total]) {
        let mut start = 0;
        for (total, &end) in totals.iter_mut().zip(ends) {
            let (mut sum, mut falling, mut left) = (0u64, 0u64, end - start);
            // Nothing wraps: the loop says so in order to be vectorised with checks as well.
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
