//! Sum of values by their weights.

use super::Aggregate;
use super::sum::Sum;

/// Σ value·weight and Σ weight.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weighted {
    values: Sum,
    weights: Sum,
}

impl Aggregate for Weighted {
    /// Value and weight.
    type Input = (f64, f64);
    type Output = Option<f64>;

    fn insert(&mut self, (value, weight): (f64, f64)) {
        self.values.insert(value * weight);
        self.weights.insert(weight);
    }

    fn merge(&mut self, later: &Self) {
        self.values.merge(&later.values);
        self.weights.merge(&later.weights);
    }

    /// The mean. None where weights come to nothing.
    fn finish(&self) -> Option<f64> {
        let weight = self.weights.finish();
        (weight != 0.0).then(|| self.values.finish() / weight)
    }
}

#[cfg(test)]
mod tests {
    use super::super::laws::whole_and_split;
    use super::*;

    #[test]
    fn values_count_by_their_weights() {
        let (whole, split) = whole_and_split::<Weighted>(&[(1.0, 1.0), (2.0, 3.0), (9.0, 0.0)], &[1]);
        assert_eq!((whole.finish(), split.finish()), (Some(1.75), Some(1.75)));
        assert_eq!(whole_and_split::<Weighted>(&[(1.0, 0.0)], &[]).0.finish(), None);
        assert_eq!(Weighted::default().finish(), None);
    }
}
