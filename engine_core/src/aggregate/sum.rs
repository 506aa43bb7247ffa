//! Sums: of doubles compensated, of integers exact.

use super::Aggregate;
use crate::codec::dispatch::dispatched;

/// Values from here on, and infinities, are summed apart: the plain sum of fewer than 2⁶³ values below it is finite.
pub const HUGE: f64 = f64::from_bits((1023 + 960) << 52);
/// Scale of the huge part, 2⁻¹⁰⁰: the sum of fewer than 2⁶³ finite doubles is finite under it.
const SCALE: f64 = f64::from_bits((1023 - 100) << 52);
const UNSCALE: f64 = f64::from_bits((1023 + 100) << 52);

/// Sum of doubles within 2⁻⁵⁰·Σ|x| of the true one, whatever the order, split and merges. NaN is the caller's to drop.
/// Opposite infinities make NaN, one sign of them that infinity; finite values never overflow on the way.
///
/// Insert: Knuth's two-sum with the errors summed apart (Ogita, Rump & Oishi 2005, SIAM J. Sci. Comput. 26(6), Sum2): the
/// error is at most 2⁻⁵³·|s| + n²·2⁻¹⁰⁶·Σ|x|, so a state takes up to 2²⁶ single inserts between merges; a merge
/// renormalises.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sum {
    high: f64,
    low: f64,
    huge: Option<Box<HugePart>>,
}

/// Values of at least [`HUGE`] magnitude.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct HugePart {
    high: f64,
    low: f64,
    positive_infinities: u64,
    negative_infinities: u64,
}

#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    let of_a = sum - of_b;
    (sum, (a - of_a) + (b - of_b))
}

/// Independent sums in the block loop, so that the compiler vectorises it; part of the result's definition.
const LANES: usize = 16;

dispatched! {
    /// Adds values to the sums of the lanes and what is lost to their errors; false, and nothing is added, if one of them is huge.
    fn add_to_lanes(values: &[f64], highs: &mut [f64; LANES], lows: &mut [f64; LANES]) -> bool {
        let mut is_huge = false;
        for value in values {
            is_huge |= value.abs() >= HUGE;
        }
        if is_huge {
            return false;
        }
        let chunks = values.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for lane in 0..LANES {
                let (sum, error) = two_sum(highs[lane], chunk[lane]);
                highs[lane] = sum;
                lows[lane] += error;
            }
        }
        for (lane, &value) in rest.iter().enumerate() {
            let (sum, error) = two_sum(highs[lane], value);
            highs[lane] = sum;
            lows[lane] += error;
        }
        true
    }
}

impl Sum {
    /// Takes the sums of blocks that were summed apart, each within 2⁻⁵¹·Σ|x| of its true sum and finite. The errors of the
    /// blocks come to 2⁻⁵¹ of all magnitudes, those of adding fewer than 2²⁶ such sums to 2⁻⁵³ + 2⁻⁵⁴ of hardly more:
    /// together less than 2⁻⁵⁰.
    pub fn insert_sum(&mut self, sum: f64) {
        self.insert(sum);
    }

    #[cold]
    fn insert_huge(&mut self, value: f64) {
        let huge = self.huge.get_or_insert_default();
        if value == f64::INFINITY {
            huge.positive_infinities += 1;
        } else if value == f64::NEG_INFINITY {
            huge.negative_infinities += 1;
        } else {
            let (sum, error) = two_sum(huge.high, value * SCALE);
            huge.high = sum;
            huge.low += error;
        }
    }

    #[inline(always)]
    fn insert_moderate(&mut self, value: f64) {
        let (sum, error) = two_sum(self.high, value);
        self.high = sum;
        self.low += error;
    }

    fn merge_moderate(&mut self, high: f64, low: f64) {
        let (sum, error) = two_sum(self.high, high);
        let (sum, error) = two_sum(sum, error + (self.low + low));
        self.high = sum;
        self.low = error;
    }

    /// The sum divided by `2^100` and whether it is within reach of doubles without that; or what infinities make of it.
    fn scaled(&self) -> Result<f64, f64> {
        let Some(huge) = &self.huge else {
            return Err(self.high + self.low);
        };
        match (huge.positive_infinities > 0, huge.negative_infinities > 0) {
            (true, true) => Err(f64::NAN),
            (true, false) => Err(f64::INFINITY),
            (false, true) => Err(f64::NEG_INFINITY),
            (false, false) if huge.high == 0.0 && huge.low == 0.0 => Err(self.high + self.low),
            (false, false) => {
                let (sum, error) = two_sum(huge.high, self.high * SCALE);
                Ok(sum + (error + (huge.low + self.low * SCALE)))
            }
        }
    }

    /// The sum divided by a count above zero; it overflows only if the quotient does.
    pub fn divided_by(&self, count: u64) -> f64 {
        match self.scaled() {
            Ok(scaled) => scaled / count as f64 * UNSCALE,
            Err(plain) => plain / count as f64,
        }
    }
}

impl Aggregate for Sum {
    type Input = f64;
    type Output = f64;

    #[inline(always)]
    fn insert(&mut self, value: f64) {
        if value.abs() < HUGE {
            self.insert_moderate(value);
        } else {
            self.insert_huge(value);
        }
    }

    fn insert_all(&mut self, values: &[f64]) {
        let (mut highs, mut lows) = ([0.0; LANES], [0.0; LANES]);
        if !add_to_lanes(values, &mut highs, &mut lows) {
            values.iter().for_each(|&value| self.insert(value));
            return;
        }
        let mut block = Self::default();
        for lane in 0..LANES {
            block.insert_moderate(highs[lane]);
            block.low += lows[lane];
        }
        self.merge_moderate(block.high, block.low);
    }

    fn merge(&mut self, later: &Self) {
        self.merge_moderate(later.high, later.low);
        if let Some(theirs) = &later.huge {
            let huge = self.huge.get_or_insert_default();
            let (sum, error) = two_sum(huge.high, theirs.high);
            let (sum, error) = two_sum(sum, error + (huge.low + theirs.low));
            huge.high = sum;
            huge.low = error;
            huge.positive_infinities += theirs.positive_infinities;
            huge.negative_infinities += theirs.negative_infinities;
        }
    }

    fn finish(&self) -> f64 {
        match self.scaled() {
            Ok(scaled) => scaled * UNSCALE,
            Err(plain) => plain,
        }
    }
}

/// Sum of integers, exact in 128 bits: no number of 64-bit rows overflows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegerSum(i128);

impl IntegerSum {
    /// Takes the sum of values.
    pub fn insert_sum(&mut self, sum: i128) {
        self.0 += sum;
    }
}

impl Aggregate for IntegerSum {
    type Input = i64;
    type Output = i128;

    #[inline(always)]
    fn insert(&mut self, value: i64) {
        self.0 += i128::from(value);
    }

    fn insert_all(&mut self, values: &[i64]) {
        // Halves are summed apart: 2³¹ of either fit 64 bits, and plain 64-bit adds vectorise.
        for part in values.chunks(1 << 20) {
            let (mut high, mut low) = (0i64, 0u64);
            for &value in part {
                high += value >> 32;
                low += value as u64 & 0xffff_ffff;
            }
            self.0 += (i128::from(high) << 32) + i128::from(low);
        }
    }

    fn merge(&mut self, later: &Self) {
        self.0 += later.0;
    }

    fn finish(&self) -> i128 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::laws::whole_and_split;
    use super::*;

    /// The exact sum of doubles of magnitude 2⁻²⁰⁰ to 2²⁰⁰ and of their magnitudes, as fixed-point numbers in 32-bit limbs.
    struct Exact {
        limbs: [i128; 20],
    }

    impl Exact {
        const ONE_AT: i32 = 272;

        fn new() -> Self {
            Self { limbs: [0; 20] }
        }

        fn add(&mut self, value: f64, sign: i128) {
            if value == 0.0 {
                return;
            }
            let bits = value.to_bits();
            let exponent = (bits >> 52 & 0x7ff) as i32 - 1075;
            let mantissa = i128::from(bits & ((1 << 52) - 1) | 1 << 52) * if value < 0.0 { -sign } else { sign };
            let at = exponent + Self::ONE_AT;
            assert!(at >= 0);
            self.limbs[at as usize / 32] += mantissa << (at % 32);
        }

        /// Nearest double to within a few units of the last place of the greatest limb: enough to measure an error.
        fn approximate(&self) -> f64 {
            let mut limbs = self.limbs;
            for i in 0..limbs.len() - 1 {
                let carry = limbs[i] >> 32;
                limbs[i] -= carry << 32;
                limbs[i + 1] += carry;
            }
            limbs
                .iter()
                .enumerate()
                .map(|(i, limb)| *limb as f64 * 2f64.powi(32 * i as i32 - Self::ONE_AT))
                .sum()
        }
    }

    fn within_bound(values: &[f64], got: f64) -> bool {
        let mut difference = Exact::new();
        values.iter().for_each(|&value| difference.add(value, 1));
        difference.add(got, -1);
        let magnitude: f64 = values.iter().map(|value| value.abs()).sum();
        difference.approximate().abs() <= magnitude * 2f64.powi(-50)
    }

    fn wild() -> impl Strategy<Value = f64> {
        (-60i32..60, any::<bool>(), 1.0f64..2.0).prop_map(|(e, negative, m)| {
            let value = m * 2f64.powi(e);
            if negative { -value } else { value }
        })
    }

    proptest! {
        #[test]
        fn any_split_stays_within_the_bound(
            mut values in prop::collection::vec(wild(), 0..400),
            cuts in prop::collection::vec(any::<usize>(), 0..9),
            cancels: bool,
        ) {
            if cancels {
                let opposite: Vec<f64> = values.iter().rev().map(|value| -value).collect();
                values.extend(opposite);
            }
            let (whole, split) = whole_and_split::<Sum>(&values, &cuts);
            prop_assert!(within_bound(&values, whole.finish()), "{} off", whole.finish());
            prop_assert!(within_bound(&values, split.finish()), "{} off", split.finish());
        }

        #[test]
        fn integers_are_exact(values in prop::collection::vec(any::<i64>(), 0..300), cuts in prop::collection::vec(any::<usize>(), 0..6)) {
            let (whole, split) = whole_and_split::<IntegerSum>(&values, &cuts);
            prop_assert_eq!(whole, split);
            prop_assert_eq!(whole.finish(), values.iter().map(|&value| i128::from(value)).sum::<i128>());
        }
    }

    fn sum_of(values: &[f64]) -> f64 {
        let (whole, split) = whole_and_split::<Sum>(values, &[1, 3]);
        let (whole, split) = (whole.finish(), split.finish());
        assert!(
            whole == split || whole.is_nan() && split.is_nan(),
            "{whole} against {split}"
        );
        whole
    }

    #[test]
    fn infinities_follow_arithmetic() {
        assert_eq!(sum_of(&[1.0, f64::INFINITY, 2.0]), f64::INFINITY);
        assert_eq!(sum_of(&[1.0, f64::NEG_INFINITY, f64::MAX]), f64::NEG_INFINITY);
        assert!(sum_of(&[f64::INFINITY, 1.0, f64::NEG_INFINITY]).is_nan());
    }

    #[test]
    fn finite_values_never_overflow_on_the_way() {
        assert_eq!(sum_of(&[f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
        assert_eq!(sum_of(&[f64::MAX, f64::MAX, -f64::MAX, -f64::MAX, 3.0]), 3.0);
        assert_eq!(sum_of(&[f64::MAX, f64::MAX]), f64::INFINITY);
        let (mean, _) = whole_and_split::<Sum>(&[f64::MAX, f64::MAX], &[]);
        assert_eq!(mean.divided_by(2), f64::MAX);
    }

    #[test]
    fn what_plain_addition_loses_is_kept() {
        assert_eq!(sum_of(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum_of(&[]), 0.0);
        assert_eq!(sum_of(&[-0.0]), 0.0);
        assert_eq!(sum_of(&[5e-324, 5e-324]), 1e-323);
    }
}
