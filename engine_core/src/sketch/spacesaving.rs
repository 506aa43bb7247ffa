//! The most frequent values of a stream in bounded memory: SpaceSaving.

use hashbrown::HashMap;

/// Values that are kept when there is no room for more.
pub const KEPT: usize = 4_096;
/// Values there is room for; up to here counts are exact.
pub const ROOM: usize = 2 * KEPT;

/// Counts of values: exact up to [`ROOM`] distinct ones, then at most [`SpaceSaving::floor`] too high and never too low, and the floor
/// is at most a [`KEPT`]th of the number of values.
///
/// A value without a count may have come as often as the floor says, which is what it begins with when it comes. Where there is no
/// room, the floor rises to the count of rank [`KEPT`] + 1, and what is not above it is dropped: of equal counts all or none, so that
/// nothing depends on an order of values. Each rise takes as much from at least [`KEPT`] counts above the floor, and each value adds
/// 1 to one of these: hence the bound, which sums of floors keep when states merge.
///
/// Law: the same values in the same order and split make the same state, any tree of merges one within the bound, and below [`ROOM`]
/// distinct values the exact one. (Metwally, Agrawal & El Abbadi 2005, ICDT; Agarwal et al. 2012, PODS, for merging.)
#[derive(Clone, Debug, Default)]
pub struct SpaceSaving {
    counts: HashMap<u64, Counted>,
    floor: u64,
}

/// How often a value came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// At most so often.
    pub count: u64,
    /// At least so many times less.
    pub error: u64,
}

impl SpaceSaving {
    /// Takes a value, by what stands for it.
    pub fn insert(&mut self, value: u64) {
        let floor = self.floor;
        let new = Counted {
            count: floor,
            error: floor,
        };
        self.counts.entry(value).or_insert(new).count += 1;
        self.make_room();
    }

    /// Takes the values of a state that arrived after this one's.
    pub fn merge(&mut self, later: Self) {
        let (mine, theirs) = (self.floor, later.floor);
        if theirs > 0 {
            for (value, counted) in &mut self.counts {
                if !later.counts.contains_key(value) {
                    counted.count += theirs;
                    counted.error += theirs;
                }
            }
        }
        let new = Counted {
            count: mine,
            error: mine,
        };
        for (value, more) in later.counts {
            let counted = self.counts.entry(value).or_insert(new);
            counted.count += more.count;
            counted.error += more.error;
        }
        self.floor = mine + theirs;
        self.make_room();
    }

    fn make_room(&mut self) {
        if self.counts.len() <= ROOM {
            return;
        }
        let mut counts: Vec<u64> = self.counts.values().map(|counted| counted.count).collect();
        let (_, floor, _) = counts.select_nth_unstable_by(KEPT, |a, b| b.cmp(a));
        self.floor = *floor;
        self.counts.retain(|_, counted| counted.count > self.floor);
    }

    /// How often a value may have come that has no count; 0: all have theirs, and exact.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// The values that have a count, in no order.
    pub fn counted(&self) -> impl Iterator<Item = (u64, Counted)> {
        self.counts.iter().map(|(value, counted)| (*value, *counted))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> SpaceSaving {
        let mut state = SpaceSaving::default();
        values.iter().for_each(|&value| state.insert(value));
        state
    }

    fn exact(values: &[u64]) -> HashMap<u64, u64> {
        let mut counts = HashMap::new();
        values.iter().for_each(|&value| *counts.entry(value).or_default() += 1);
        counts
    }

    fn check(state: &SpaceSaving, values: &[u64]) {
        let exact = exact(values);
        assert!(state.floor() <= values.len() as u64 / KEPT as u64);
        for (value, counted) in state.counted() {
            let true_count = exact[&value];
            assert!(counted.count >= true_count && counted.count - counted.error <= true_count);
            assert!(counted.error <= state.floor());
        }
        let kept: HashMap<u64, Counted> = state.counted().collect();
        let lost = exact.iter().filter(|(value, _)| !kept.contains_key(*value));
        lost.for_each(|(_, &count)| assert!(count <= state.floor()));
    }

    /// Values of which small ones are far more frequent (Zipf with exponent 1, about).
    fn skewed(n: u64, distinct: u64, seed: u64) -> Vec<u64> {
        let mut random = seed | 1;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..n).map(|_| (distinct as f64).powf(next()) as u64).collect()
    }

    #[test]
    fn few_distinct_values_are_counted_exactly_by_any_tree_of_merges() {
        let values = skewed(60_000, ROOM as u64 - 1, 7);
        let mut merged = SpaceSaving::default();
        values.chunks(7_001).for_each(|part| merged.merge(of(part)));
        assert_eq!(merged.floor(), 0);
        let counts: HashMap<u64, u64> = merged
            .counted()
            .map(|(value, counted)| (value, counted.count))
            .collect();
        assert_eq!(counts, exact(&values));
    }

    #[test]
    fn many_distinct_values_stay_within_the_bound() {
        for (values, name) in [
            (skewed(200_000, 100_000, 3), "skewed"),
            ((0..50_000).collect(), "each once"),
            ((0..90_000).map(|value| value % 30_000).collect(), "all alike"),
            (
                (0..90_000).map(|value| value % 30_000 * (value % 2)).collect(),
                "half one",
            ),
        ] {
            let one_pass = of(&values);
            assert!(one_pass.floor() > 0, "{name}");
            check(&one_pass, &values);
            for size in [999, 20_000, 70_000] {
                let mut parts: Vec<SpaceSaving> = values.chunks(size).map(of).collect();
                let mut left = SpaceSaving::default();
                parts.iter().for_each(|part| left.merge(part.clone()));
                check(&left, &values);
                while parts.len() > 1 {
                    let later = parts.pop().unwrap_or_default();
                    parts.last_mut().unwrap().merge(later);
                }
                check(&parts[0], &values);
            }
        }
    }

    #[test]
    fn the_most_frequent_of_many_are_found() {
        let mut values = skewed(100_000, 90_000, 11);
        values.extend([1_000_000; 500]);
        let state = of(&values);
        let found = state.counted().find(|(value, _)| *value == 1_000_000).unwrap().1;
        assert!(found.count >= 500 && found.count - found.error <= 500);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn the_same_values_make_the_same_state(seed in any::<u64>()) {
            let values = skewed(40_000, 40_000, seed);
            let sorted = |state: &SpaceSaving| {
                let mut all: Vec<(u64, u64, u64)> = state.counted().map(|(v, c)| (v, c.count, c.error)).collect();
                all.sort_unstable();
                all
            };
            prop_assert_eq!(sorted(&of(&values)), sorted(&of(&values)));
        }
    }
}
