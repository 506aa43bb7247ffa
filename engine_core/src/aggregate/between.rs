//! How many values lie between bounds, exact: of integers too, also where a double cannot tell them apart.

/// Bounds, ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    doubles: Vec<f64>,
    /// The greatest integer not above each.
    integers: Vec<i128>,
}

impl Bounds {
    /// Of finite doubles, each above the one before; else none.
    pub fn new(doubles: Vec<f64>) -> Option<Self> {
        let is_ascending = doubles.windows(2).all(|pair| pair[0] < pair[1]);
        let are_bounds = is_ascending && doubles.iter().all(|bound| bound.is_finite());
        are_bounds.then(|| Self {
            // All integers lie far within those of 128 bits, which is where this ends.
            integers: doubles.iter().map(|bound| bound.floor() as i128).collect(),
            doubles,
        })
    }

    /// The bounds.
    pub fn doubles(&self) -> &[f64] {
        &self.doubles
    }

    /// Number of bounds below a value, which is the bucket it lies in.
    #[inline]
    pub fn below(&self, value: f64) -> usize {
        self.doubles.partition_point(|&bound| bound < value)
    }

    /// The same of an integer.
    #[inline]
    pub fn below_integer(&self, value: i64) -> usize {
        self.integers.partition_point(|&bound| bound < i128::from(value))
    }
}

/// Counts of values by how many bounds are below them; empty of no values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Between(Vec<u64>);

impl Between {
    /// Takes a value with so many of all bounds below it.
    #[inline]
    pub fn insert(&mut self, below: usize, bounds: usize) {
        if self.0.is_empty() {
            self.0 = vec![0; bounds + 1];
        }
        self.0[below] += 1;
    }

    /// Takes the values of another of the same bounds.
    pub fn merge(&mut self, later: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&later.0);
            return;
        }
        for (mine, theirs) in self.0.iter_mut().zip(&later.0) {
            *mine += theirs;
        }
    }

    /// Values up to the first bound, between it and the second, and so on, above the last.
    pub fn counts(&self, bounds: usize) -> Vec<u64> {
        if self.0.is_empty() {
            vec![0; bounds + 1]
        } else {
            self.0.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bound_belongs_to_the_bucket_below_it() {
        let bounds = Bounds::new(vec![-1.5, 0.0, 2.0]).unwrap();
        let below = [
            f64::NEG_INFINITY,
            -1.5,
            -1.0,
            -0.0,
            0.0,
            2.0,
            2.0f64.next_up(),
            f64::INFINITY,
        ];
        assert_eq!(below.map(|value| bounds.below(value)), [0, 0, 1, 1, 1, 2, 3, 3]);
        assert_eq!(
            [-2, -1, 0, 1, 2, 3].map(|value| bounds.below_integer(value)),
            [0, 1, 1, 2, 2, 3]
        );
    }

    #[test]
    fn integers_that_doubles_mix_up_are_told_apart() {
        let bounds = Bounds::new(vec![-1e300, 2f64.powi(53), 2f64.powi(63), 1e300]).unwrap();
        assert_eq!(bounds.below_integer((1 << 53) + 1), 2);
        assert_eq!(bounds.below_integer(1 << 53), 1);
        assert_eq!(bounds.below_integer(i64::MAX), 2);
        assert_eq!(bounds.below_integer(i64::MIN), 1);
    }

    #[test]
    fn bounds_ascend_and_are_finite() {
        for bounds in [
            vec![1.0, 1.0],
            vec![-0.0, 0.0],
            vec![2.0, 1.0],
            vec![f64::INFINITY],
            vec![f64::NAN],
        ] {
            assert_eq!(Bounds::new(bounds), None);
        }
    }

    proptest! {
        #[test]
        fn any_split_makes_the_same_counts(
            values in prop::collection::vec(-4i64..5, 0..40), cut in any::<prop::sample::Index>(),
        ) {
            let bounds = Bounds::new(vec![-2.0, 0.5, 3.0]).unwrap();
            let of = |values: &[i64]| {
                let mut between = Between::default();
                values.iter().for_each(|&value| between.insert(bounds.below_integer(value), 3));
                between
            };
            let cut = cut.index(values.len() + 1);
            let mut merged = of(&values[..cut]);
            merged.merge(&of(&values[cut..]));
            prop_assert_eq!(&merged, &of(&values));
            let doubles = values.iter().map(|&value| bounds.below(value as f64));
            let mut wanted = vec![0; 4];
            doubles.for_each(|below| wanted[below] += 1);
            prop_assert_eq!(merged.counts(3), wanted);
        }
    }
}
