//! How many values lie below, at and above a threshold: exact, whatever their number.

/// Values by where they lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// Below the threshold.
    pub below: u64,
    /// Equal to it.
    pub at: u64,
    /// All.
    pub count: u64,
}

impl Sides {
    /// Takes values that are no NaN.
    pub fn insert_all(&mut self, values: &[f64], threshold: f64) {
        let (mut below, mut at) = (0u64, 0u64);
        for &value in values {
            below += u64::from(value < threshold);
            at += u64::from(value == threshold);
        }
        self.merge(&Self {
            below,
            at,
            count: values.len() as u64,
        });
    }

    /// Takes those of another.
    pub fn merge(&mut self, other: &Self) {
        self.below += other.below;
        self.at += other.at;
        self.count += other.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_by_side() {
        let mut sides = Sides::default();
        sides.insert_all(&[1.0, 2.0, f64::INFINITY, f64::NEG_INFINITY], 2.0);
        let mut others = Sides::default();
        others.insert_all(&[-0.0, 2.0], 2.0);
        sides.merge(&others);
        let expected = Sides {
            below: 3,
            at: 2,
            count: 6,
        };
        assert_eq!(sides, expected);
    }
}
