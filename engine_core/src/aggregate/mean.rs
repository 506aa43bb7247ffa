//! Arithmetic mean: a sum and a count, which are also the answers to `sum` and `count` of the same column.

use super::Aggregate;
use super::sum::{IntegerSum, Sum};

/// Sum and count of values. Means are never averaged: sums and counts are merged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mean<S> {
    /// Sum of the values.
    pub sum: S,
    /// Number of the values.
    pub count: u64,
}

impl Aggregate for Mean<Sum> {
    type Input = f64;
    type Output = Option<f64>;

    #[inline(always)]
    fn insert(&mut self, value: f64) {
        self.sum.insert(value);
        self.count += 1;
    }

    fn insert_all(&mut self, values: &[f64]) {
        self.sum.insert_all(values);
        self.count += values.len() as u64;
    }

    fn merge(&mut self, later: &Self) {
        self.sum.merge(&later.sum);
        self.count += later.count;
    }

    /// None of no values.
    fn finish(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.divided_by(self.count))
    }
}

impl Aggregate for Mean<IntegerSum> {
    type Input = i64;
    type Output = Option<f64>;

    #[inline(always)]
    fn insert(&mut self, value: i64) {
        self.sum.insert(value);
        self.count += 1;
    }

    fn insert_all(&mut self, values: &[i64]) {
        self.sum.insert_all(values);
        self.count += values.len() as u64;
    }

    fn merge(&mut self, later: &Self) {
        self.sum.merge(&later.sum);
        self.count += later.count;
    }

    /// None of no values.
    fn finish(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.finish() as f64 / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::laws::whole_and_split;
    use super::*;

    #[test]
    fn a_mean_is_of_all_values_however_they_were_split() {
        let (whole, split) = whole_and_split::<Mean<Sum>>(&[1.0, 2.0, 6.0], &[1]);
        assert_eq!((whole.finish(), split.finish()), (Some(3.0), Some(3.0)));
        let (whole, split) = whole_and_split::<Mean<IntegerSum>>(&[i64::MAX, i64::MAX, 1, 1], &[1, 3]);
        assert_eq!(whole, split);
        assert_eq!(whole.finish(), Some(4_611_686_018_427_387_904.0));
    }

    #[test]
    fn no_values_have_no_mean() {
        assert_eq!(Mean::<Sum>::default().finish(), None);
        assert_eq!(Mean::<IntegerSum>::default().finish(), None);
    }
}
