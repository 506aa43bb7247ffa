//! Least and greatest value.

use super::Aggregate;

/// Least of doubles. NaN is the caller's to drop; −0.0 counts as 0.0, so that order never shows.
/// NaN inside stands for "none yet".
#[derive(Clone, Copy, Debug)]
pub struct MinF64(f64);

/// Greatest of doubles, by the same rules.
#[derive(Clone, Copy, Debug)]
pub struct MaxF64(f64);

impl Default for MinF64 {
    fn default() -> Self {
        Self(f64::NAN)
    }
}

impl Default for MaxF64 {
    fn default() -> Self {
        Self(f64::NAN)
    }
}

/// Independent extremes in the block loop, so that the compiler vectorises it.
const LANES: usize = 8;

macro_rules! f64_extreme {
    ($name:ident, $start:expr, $better:tt) => {
        impl Aggregate for $name {
            type Input = f64;
            type Output = Option<f64>;

            #[inline(always)]
            fn insert(&mut self, value: f64) {
                // Adding 0.0 turns −0.0 to 0.0. The comparison is written so that "none yet" always gives way.
                let value = value + 0.0;
                self.0 = if value $better self.0 || self.0.is_nan() { value } else { self.0 };
            }

            fn insert_all(&mut self, values: &[f64]) {
                if values.is_empty() {
                    return;
                }
                let mut best = [$start; LANES];
                let chunks = values.chunks_exact(LANES);
                let rest = chunks.remainder();
                for chunk in chunks {
                    for lane in 0..LANES {
                        best[lane] = if chunk[lane] $better best[lane] { chunk[lane] } else { best[lane] };
                    }
                }
                for (best, &value) in best.iter_mut().zip(rest) {
                    *best = if value $better *best { value } else { *best };
                }
                best.into_iter().for_each(|value| self.insert(value));
            }

            fn merge(&mut self, later: &Self) {
                if !later.0.is_nan() {
                    self.insert(later.0);
                }
            }

            /// None of no values.
            fn finish(&self) -> Option<f64> {
                (!self.0.is_nan()).then_some(self.0)
            }
        }
    };
}

f64_extreme!(MinF64, f64::INFINITY, <);
f64_extreme!(MaxF64, f64::NEG_INFINITY, >);

/// Least of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinI64 {
    value: i64,
    seen: bool,
}

/// Greatest of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxI64 {
    value: i64,
    seen: bool,
}

macro_rules! i64_extreme {
    ($name:ident, $start:expr, $choose:ident) => {
        impl Default for $name {
            fn default() -> Self {
                Self {
                    value: $start,
                    seen: false,
                }
            }
        }

        impl Aggregate for $name {
            type Input = i64;
            type Output = Option<i64>;

            #[inline(always)]
            fn insert(&mut self, value: i64) {
                self.value = self.value.$choose(value);
                self.seen = true;
            }

            fn insert_all(&mut self, values: &[i64]) {
                self.value = values.iter().fold(self.value, |best, &value| best.$choose(value));
                self.seen |= !values.is_empty();
            }

            fn merge(&mut self, later: &Self) {
                self.value = self.value.$choose(later.value);
                self.seen |= later.seen;
            }

            /// None of no values.
            fn finish(&self) -> Option<i64> {
                self.seen.then_some(self.value)
            }
        }
    };
}

i64_extreme!(MinI64, i64::MAX, min);
i64_extreme!(MaxI64, i64::MIN, max);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::laws::whole_and_split;
    use super::*;

    fn bits(value: Option<f64>) -> Option<u64> {
        value.map(f64::to_bits)
    }

    proptest! {
        #[test]
        fn extremes_do_not_depend_on_split_or_order(
            mut values in prop::collection::vec(prop_oneof![
                Just(0.0), Just(-0.0), Just(f64::INFINITY), Just(f64::NEG_INFINITY), -1e300..1e300f64,
            ], 0..100),
            cuts in prop::collection::vec(any::<usize>(), 0..6),
        ) {
            let (min, split_min) = whole_and_split::<MinF64>(&values, &cuts);
            let (max, split_max) = whole_and_split::<MaxF64>(&values, &cuts);
            prop_assert_eq!(bits(min.finish()), bits(split_min.finish()));
            prop_assert_eq!(bits(max.finish()), bits(split_max.finish()));
            values.reverse();
            prop_assert_eq!(bits(whole_and_split::<MinF64>(&values, &cuts).1.finish()), bits(min.finish()));
            prop_assert_eq!(min.finish(), values.iter().copied().reduce(f64::min));
            prop_assert_eq!(max.finish(), values.iter().copied().reduce(f64::max));
        }

        #[test]
        fn integer_extremes_are_those_of_one_pass(
            values in prop::collection::vec(any::<i64>(), 0..100), cuts in prop::collection::vec(any::<usize>(), 0..6),
        ) {
            let (min, split_min) = whole_and_split::<MinI64>(&values, &cuts);
            let (max, split_max) = whole_and_split::<MaxI64>(&values, &cuts);
            prop_assert_eq!((min, max), (split_min, split_max));
            prop_assert_eq!(min.finish(), values.iter().copied().min());
            prop_assert_eq!(max.finish(), values.iter().copied().max());
        }
    }

    #[test]
    fn the_extreme_that_stands_for_nothing_is_still_a_value() {
        assert_eq!(whole_and_split::<MinI64>(&[i64::MAX], &[]).1.finish(), Some(i64::MAX));
        assert_eq!(
            whole_and_split::<MinF64>(&[f64::INFINITY], &[]).1.finish(),
            Some(f64::INFINITY)
        );
        assert_eq!(MaxF64::default().finish(), None);
    }
}
