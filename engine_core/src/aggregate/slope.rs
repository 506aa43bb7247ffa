//! Slope of values over time, by least squares.

use super::Aggregate;
use super::ends::Timed;

/// Means, and sums of products of deviations from them, of time and value (Chan, Golub and LeVeque 1983). Times are seconds from
/// the first that was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slope {
    count: u64,
    origin_ns: i64,
    mean_time: f64,
    mean_value: f64,
    /// Σ (time − mean)².
    times: f64,
    /// Σ (time − mean)(value − mean).
    products: f64,
}

fn seconds(from_ns: i64, to_ns: i64) -> f64 {
    (i128::from(to_ns) - i128::from(from_ns)) as f64 / 1e9
}

impl Aggregate for Slope {
    /// Value as bits of a double.
    type Input = Timed;
    type Output = Option<f64>;

    #[inline]
    fn insert(&mut self, row: Timed) {
        self.merge(&Self {
            count: 1,
            origin_ns: row.time,
            mean_value: f64::from_bits(row.value),
            ..Self::default()
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
        let later_time = later.mean_time + seconds(self.origin_ns, later.origin_ns);
        let (off_time, off_value) = (later_time - self.mean_time, later.mean_value - self.mean_value);
        let share = theirs / (mine + theirs);
        self.times += later.times + off_time * off_time * mine * share;
        self.products += later.products + off_time * off_value * mine * share;
        self.mean_time += off_time * share;
        self.mean_value += off_value * share;
        self.count += later.count;
    }

    /// Change of the value a second. None unless there are two times.
    fn finish(&self) -> Option<f64> {
        (self.times > 0.0).then(|| self.products / self.times)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::laws::whole_and_split;
    use super::*;

    fn rows(points: &[(i64, f64)]) -> Vec<Timed> {
        let row = |&(time, value): &(i64, f64)| Timed {
            time,
            entity: 1,
            value: value.to_bits(),
        };
        points.iter().map(row).collect()
    }

    #[test]
    fn a_line_has_its_slope() {
        let points: Vec<(i64, f64)> = (0..100).map(|i| (i * 500_000_000, 7.0 + 1.5 * i as f64)).collect();
        let (whole, split) = whole_and_split::<Slope>(&rows(&points), &[30, 60]);
        for state in [whole, split] {
            assert!((state.finish().unwrap() - 3.0).abs() < 1e-12, "{state:?}");
        }
    }

    #[test]
    fn one_instant_has_none() {
        let (whole, _) = whole_and_split::<Slope>(&rows(&[(5, 1.0), (5, 2.0)]), &[]);
        assert_eq!(whole.finish(), None);
        assert_eq!(Slope::default().finish(), None);
    }

    proptest! {
        #[test]
        fn splits_agree(
            points in prop::collection::vec((0i64..1_000_000_000_000, -100.0f64..100.0), 2..200),
            cuts in prop::collection::vec(any::<usize>(), 0..6),
        ) {
            let (whole, split) = whole_and_split::<Slope>(&rows(&points), &cuts);
            match (whole.finish(), split.finish()) {
                // Values up to 100 over a spread of times whose square is `times`.
                (Some(a), Some(b)) => prop_assert!((a - b).abs() <= 1e-9 * (1.0 + a.abs() + 100.0 / whole.times.sqrt())),
                (a, b) => prop_assert_eq!(a, b),
            }
        }
    }
}
