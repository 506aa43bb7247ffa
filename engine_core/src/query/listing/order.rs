//! The order in which rows are listed, and the first few rows in it: a heap of so many, over blocks by their least and greatest times.

use std::collections::BinaryHeap;

/// Where a row stands among all: by time, then entity, then arrival, which is that of its source and, within it, its place.
/// Backwards every word is complemented, so that the least place comes first either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) time: i64,
    pub(super) entity: u32,
    pub(super) source: u32,
    pub(super) row: u32,
}

impl Place {
    /// The same place in the other direction.
    pub(super) fn turned(self) -> Self {
        Self {
            time: !self.time,
            entity: !self.entity,
            source: !self.source,
            row: !self.row,
        }
    }

    /// Turned if the order runs backwards.
    pub(super) fn directed(self, is_ascending: bool) -> Self {
        if is_ascending { self } else { self.turned() }
    }
}

/// The least of all times between two, in the direction of the order.
pub(super) fn bound((min, max): (i64, i64), is_ascending: bool) -> i64 {
    if is_ascending { min } else { !max }
}

/// The first places that were offered, at most so many.
#[derive(Debug)]
pub(super) struct First {
    heap: BinaryHeap<Place>,
    most: usize,
}

impl First {
    /// None yet.
    pub(super) fn new(most: usize) -> Self {
        Self {
            heap: BinaryHeap::with_capacity(most + 1),
            most,
        }
    }

    /// Whether a row of this time, in the direction of the order, may still be among them.
    pub(super) fn wants(&self, time: i64) -> bool {
        self.heap.len() < self.most || self.heap.peek().is_some_and(|worst| time <= worst.time)
    }

    /// Offers a place.
    pub(super) fn offer(&mut self, place: Place) {
        if self.heap.len() < self.most {
            self.heap.push(place);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && place < *worst
        {
            *worst = place;
        }
    }

    /// The places in order.
    pub(super) fn into_places(self) -> Vec<Place> {
        self.heap.into_sorted_vec()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place((time, entity, source, row): (i64, u32, u32, u32)) -> Place {
        Place {
            time,
            entity,
            source,
            row,
        }
    }

    proptest! {
        #[test]
        fn the_first_are_those_of_all_sorted(
            all in prop::collection::vec((-3i64..3, 0u32..3, 0u32..3, any::<u32>()), 0..60),
            most in 1usize..20,
            is_ascending: bool,
        ) {
            let mut all: Vec<Place> = all.into_iter().map(place).collect();
            let mut first = First::new(most);
            for place in &all {
                let directed = place.directed(is_ascending);
                if first.wants(directed.time) {
                    first.offer(directed);
                }
            }
            all.sort_unstable();
            if !is_ascending {
                all.reverse();
            }
            all.truncate(most);
            let found: Vec<Place> = first.into_places().into_iter().map(|place| place.directed(is_ascending)).collect();
            prop_assert_eq!(found, all);
        }
    }

    #[test]
    fn the_ends_of_time_turn_into_each_other() {
        assert_eq!(
            place((i64::MIN, 0, 0, 0)).turned(),
            place((i64::MAX, u32::MAX, u32::MAX, u32::MAX))
        );
        assert_eq!(bound((i64::MIN, i64::MAX), true), i64::MIN);
        assert_eq!(bound((i64::MIN, i64::MAX), false), i64::MIN);
    }
}
