//! Count, mean and sum of squared deviations, for variance.

use super::Aggregate;

/// Mean and squared deviations from it of values. Blocks are taken in two passes; single values and merges follow Chan, Golub and
/// LeVeque 1983 ("Algorithms for computing the sample variance", The American Statistician 37(3)): the relative error of the
/// variance stays within about n·2⁻⁵³·κ, where κ² = 1 + mean²/variance. Infinite values make it NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    count: u64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
}

impl Moments {
    /// Values taken.
    pub fn count(&self) -> u64 {
        self.count
    }
}

impl Aggregate for Moments {
    type Input = f64;
    type Output = Option<f64>;

    #[inline]
    fn insert(&mut self, value: f64) {
        self.count += 1;
        let off = value - self.mean;
        self.mean += off / self.count as f64;
        self.squares += off * (value - self.mean);
    }

    fn insert_all(&mut self, values: &[f64]) {
        if values.is_empty() {
            return;
        }
        let count = values.len() as f64;
        // From the first value on, so that the sum is of small numbers where values lie far from zero.
        let base = values[0];
        let mean = sum(values, |value| value - base) / count;
        let squares = sum(values, |value| (value - base - mean) * (value - base - mean));
        self.merge(&Self {
            count: values.len() as u64,
            mean: base + mean,
            squares,
        });
    }

    fn merge(&mut self, later: &Self) {
        if later.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *later;
            return;
        }
        let (mine, theirs) = (self.count as f64, later.count as f64);
        let off = later.mean - self.mean;
        let share = theirs / (mine + theirs);
        self.mean += off * share;
        self.squares += later.squares + off * off * mine * share;
        self.count += later.count;
    }

    /// Variance of the sample: squared deviations over n − 1. None of fewer than two values.
    fn finish(&self) -> Option<f64> {
        (self.count > 1).then(|| self.squares / (self.count - 1) as f64)
    }
}

/// Independent sums, so that the compiler vectorises the loop; part of the result's definition.
const LANES: usize = 8;

fn sum(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    for (sum, &value) in sums.iter_mut().zip(chunks.remainder()) {
        *sum = of(value);
    }
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += of(chunk[lane]);
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::laws::whole_and_split;
    use super::*;

    #[test]
    fn the_variance_is_of_a_sample() {
        let (whole, split) = whole_and_split::<Moments>(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0], &[3]);
        assert!((whole.finish().unwrap() - 32.0 / 7.0).abs() < 1e-14);
        assert!((split.finish().unwrap() - 32.0 / 7.0).abs() < 1e-14);
        assert_eq!(whole_and_split::<Moments>(&[3.0], &[]).0.finish(), None);
        assert_eq!(Moments::default().finish(), None);
    }

    proptest! {
        #[test]
        fn any_split_stays_within_the_bound(
            values in prop::collection::vec(-1000.0f64..1000.0, 2..400),
            base in prop_oneof![Just(0.0), Just(1e6), Just(-1e9)],
            cuts in prop::collection::vec(any::<usize>(), 0..6),
        ) {
            let values: Vec<f64> = values.iter().map(|value| value + base).collect();
            let (whole, split) = whole_and_split::<Moments>(&values, &cuts);
            let n = values.len() as f64;
            // Exact enough: deviations from the first value have few bits lost.
            let mean = values.iter().map(|value| value - values[0]).sum::<f64>() / n;
            let squares: f64 = values.iter().map(|value| (value - values[0] - mean).powi(2)).sum();
            let true_variance = squares / (n - 1.0);
            let condition = (1.0 + (values[0] + mean).powi(2) / (squares / n).max(f64::MIN_POSITIVE)).sqrt();
            let bound = 4.0 * n * f64::EPSILON * condition * true_variance + f64::MIN_POSITIVE;
            for state in [whole, split] {
                let found = state.finish().unwrap();
                prop_assert!((found - true_variance).abs() <= bound, "{found} {true_variance} {bound}");
            }
        }
    }
}
