//! First and last value by event time; ties by entity code, then by arrival.

use super::Aggregate;

/// A value with what orders it. The value is the bits of its type, or a code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timed {
    /// Event time, Unix nanoseconds.
    pub time: i64,
    /// Entity code.
    pub entity: u32,
    /// Bits of the value.
    pub value: u64,
}

/// Value at the least time; of equal times that of the least entity code, then the first to arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct First(Timed, bool);

/// Value at the greatest time; of equal times that of the greatest entity code, then the last to arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Last(Timed, bool);

macro_rules! end {
    ($name:ident, $better:tt) => {
        impl $name {
            /// The value with what orders it; none of no values.
            pub fn timed(&self) -> Option<Timed> {
                self.1.then_some(self.0)
            }
        }

        impl Aggregate for $name {
            type Input = Timed;
            type Output = Option<u64>;

            #[inline(always)]
            fn insert(&mut self, value: Timed) {
                if !self.1 || (value.time, value.entity) $better (self.0.time, self.0.entity) {
                    *self = Self(value, true);
                }
            }

            fn merge(&mut self, later: &Self) {
                if later.1 {
                    self.insert(later.0);
                }
            }

            /// Bits of the value; none of no values.
            fn finish(&self) -> Option<u64> {
                self.1.then_some(self.0.value)
            }
        }
    };
}

end!(First, <);
end!(Last, >=);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::laws::whole_and_split;
    use super::*;

    #[test]
    fn ties_go_by_entity_then_arrival() {
        let rows =
            [(5, 2, 10), (5, 1, 11), (5, 1, 12), (5, 2, 13)].map(|(time, entity, value)| Timed { time, entity, value });
        assert_eq!(whole_and_split::<First>(&rows, &[2]).1.finish(), Some(11));
        assert_eq!(whole_and_split::<Last>(&rows, &[3]).1.finish(), Some(13));
        assert_eq!(First::default().finish(), None);
    }

    proptest! {
        #[test]
        fn the_ends_are_those_of_a_stable_sort(
            rows in prop::collection::vec((prop_oneof![Just(i64::MIN), Just(i64::MAX), -3i64..3], 0u32..3), 0..60),
            cuts in prop::collection::vec(any::<usize>(), 0..6),
        ) {
            let rows: Vec<Timed> = rows
                .into_iter()
                .enumerate()
                .map(|(i, (time, entity))| Timed { time, entity, value: i as u64 })
                .collect();
            let mut sorted = rows.clone();
            sorted.sort_by_key(|row| (row.time, row.entity));
            let (first, split_first) = whole_and_split::<First>(&rows, &cuts);
            let (last, split_last) = whole_and_split::<Last>(&rows, &cuts);
            prop_assert_eq!((first, last), (split_first, split_last));
            prop_assert_eq!(first.finish(), sorted.first().map(|row| row.value));
            prop_assert_eq!(last.finish(), sorted.last().map(|row| row.value));
        }
    }
}
