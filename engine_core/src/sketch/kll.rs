//! Quantiles within a share of ranks, whatever the values: KLL.

/// Values of the topmost level, and values that are kept as they are.
pub const K: usize = 1_024;
/// Fewest values of a level.
const LEAST: usize = 8;

/// Values in levels: one of level `h` stands for 2^h. A level that is full is sorted, and every other of its values rises to the next,
/// beginning with the first or the second as a coin says. Levels hold 2/3 as much as the one above.
///
/// The coin is a hash of the level, of how often it was thrown, and of a value: the same values in the same order and split make the
/// same state. Unlike other states the tree of merges shows, within the bound: [`Kll::rank_error`], which counts what each throw can
/// move a rank by. Below [`K`] values it is 0, and any tree makes the same state.
/// (Karnin, Lang & Liberty 2016, FOCS.)
#[derive(Clone, Debug, Default)]
pub struct Kll {
    levels: Vec<Vec<f64>>,
    count: u64,
    throws: u64,
    /// Standard deviation of the error of a rank, at most.
    deviation: f64,
    /// Least and greatest value.
    ends: Option<(f64, f64)>,
}

/// Where a level compacts: it holds so many of `levels`.
fn capacity(level: usize, levels: usize) -> usize {
    let share = (2.0f64 / 3.0).powi((levels - 1 - level) as i32);
    ((K as f64 * share).ceil() as usize).max(LEAST)
}

/// A bit of these numbers that looks random (finaliser of SplitMix64).
fn coin(level: usize, throws: u64, value: f64) -> usize {
    let mut hash = value.to_bits() ^ throws.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (level as u64) << 56;
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((hash ^ hash >> 31) >> 63) as usize
}

impl Kll {
    /// Number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Takes values that are no NaN.
    pub fn insert_all(&mut self, values: &[f64]) {
        if values.is_empty() {
            return;
        }
        for &value in values {
            self.widen((value, value));
        }
        self.count += values.len() as u64;
        if self.levels.is_empty() {
            self.levels.push(Vec::new());
        }
        self.levels[0].extend(values.iter().map(|value| value + 0.0));
        self.compact();
    }

    /// Takes the values of a state that arrived after this one's.
    pub fn merge(&mut self, later: &Self) {
        if let Some(ends) = later.ends {
            self.widen(ends);
        }
        self.count += later.count;
        self.throws += later.throws;
        // As if errors went the same way: two states of the same values have thrown the same coins.
        self.deviation += later.deviation;
        if self.levels.len() < later.levels.len() {
            self.levels.resize(later.levels.len(), Vec::new());
        }
        for (mine, theirs) in self.levels.iter_mut().zip(&later.levels) {
            mine.extend_from_slice(theirs);
        }
        self.compact();
    }

    fn widen(&mut self, (least, greatest): (f64, f64)) {
        let (from, to) = self.ends.unwrap_or((least, greatest));
        self.ends = Some((from.min(least) + 0.0, to.max(greatest) + 0.0));
    }

    /// Compacts levels that are too full, the lowest first.
    fn compact(&mut self) {
        while let Some(level) =
            (0..self.levels.len()).find(|&level| self.levels[level].len() > capacity(level, self.levels.len()))
        {
            if level + 1 == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let mut values = std::mem::take(&mut self.levels[level]);
            values.sort_unstable_by(f64::total_cmp);
            if values.len() % 2 == 1 {
                self.levels[level].extend(values.pop());
            }
            let first = coin(level, self.throws, values[values.len() / 2]);
            self.throws += 1;
            self.deviation = self.deviation.hypot(2f64.powi(level as i32));
            self.levels[level + 1].extend(values.iter().skip(first).step_by(2));
        }
    }

    /// The value at the quantile `q` in [0, 1] by the rule of exact ones: that of rank ⌊q (n − 1)⌋; none of no values.
    pub fn estimate(&self, q: f64) -> Option<f64> {
        let (least, greatest) = self.ends?;
        let last = self.count - 1;
        let rank = ((q.clamp(0.0, 1.0) * last as f64) as u64).min(last);
        if rank == 0 || rank == last {
            return Some(if rank == 0 { least } else { greatest });
        }
        let levels = self.levels.iter().enumerate();
        let mut all: Vec<(f64, u64)> = levels
            .flat_map(|(level, values)| values.iter().map(move |&value| (value, 1 << level)))
            .collect();
        all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut below = 0;
        let found = all.iter().find(|(_, weight)| {
            below += weight;
            below > rank
        });
        Some(found.map_or(greatest, |(value, _)| *value))
    }

    /// Three standard deviations of the error of a rank as a share of the number of values; 0: exact.
    pub fn rank_error(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        3.0 * self.deviation / self.count as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> Kll {
        let mut sketch = Kll::default();
        values.chunks(1_024).for_each(|values| sketch.insert_all(values));
        sketch
    }

    fn random(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed | 1;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    fn distributions(n: usize) -> Vec<(&'static str, Vec<f64>)> {
        let mut next = random(42);
        vec![
            ("uniform", (0..n).map(|_| next()).collect()),
            ("log-normal", {
                let mut next = random(5);
                (0..n).map(|_| (0..12).map(|_| next()).sum::<f64>().exp()).collect()
            }),
            ("ascending", (0..n).map(|i| i as f64).collect()),
            ("descending", (0..n).rev().map(|i| i as f64 - 1e5).collect()),
            ("few", (0..n).map(|i| (i * 7919 % 13) as f64).collect()),
            (
                "two ends",
                (0..n)
                    .map(|i| if i % 2 == 0 { -1e300 } else { 1e-300 * i as f64 })
                    .collect(),
            ),
            ("saw", (0..n).map(|i| (i % 1_000) as f64).collect()),
        ]
    }

    /// Greatest error of a rank, as a share of the number of values.
    fn worst(sketch: &Kll, values: &[f64]) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let error = |q: f64| {
            let estimate = sketch.estimate(q).unwrap();
            let rank = (q * (n - 1) as f64) as usize;
            let first = sorted.partition_point(|&value| value < estimate);
            let last = sorted.partition_point(|&value| value <= estimate).saturating_sub(1);
            assert!(first <= last, "an estimate is one of the values");
            rank.saturating_sub(last).max(first.saturating_sub(rank)) as f64 / n as f64
        };
        (0..=200).map(|q| error(f64::from(q) / 200.0)).fold(0.0, f64::max)
    }

    #[test]
    fn ranks_stay_within_the_bound_over_distributions_and_trees_of_merges() {
        let mut greatest = 0.0f64;
        for n in [2_000, 50_000, 300_000] {
            for (name, values) in distributions(n) {
                let one_pass = of(&values);
                let mut trees = vec![one_pass];
                for size in [1_500, 70_000] {
                    let parts: Vec<Kll> = values.chunks(size).map(of).collect();
                    let mut left = Kll::default();
                    parts.iter().for_each(|part| left.merge(part));
                    let mut right = Kll::default();
                    for part in parts.iter().rev() {
                        let mut part = part.clone();
                        part.merge(&right);
                        right = part;
                    }
                    trees.extend([left, right]);
                }
                for (tree, sketch) in trees.iter().enumerate() {
                    assert_eq!(sketch.count(), n as u64);
                    let weight: u64 = sketch
                        .levels
                        .iter()
                        .enumerate()
                        .map(|(h, l)| (l.len() as u64) << h)
                        .sum();
                    assert_eq!(weight, n as u64);
                    let (error, bound) = (worst(sketch, &values), sketch.rank_error());
                    assert!(error <= bound, "{name} of {n}, tree {tree}: {error} past {bound}");
                    greatest = greatest.max(error);
                }
                assert!(trees[0].rank_error() <= 0.006, "{name}: {}", trees[0].rank_error());
            }
        }
        assert!(greatest <= 0.006, "{greatest}");
    }

    #[test]
    fn memory_stays_bounded() {
        let sketch = of(&distributions(300_000)[0].1);
        let kept: usize = sketch.levels.iter().map(Vec::len).sum();
        assert!(kept <= 3 * K + LEAST * sketch.levels.len(), "{kept}");
    }

    #[test]
    fn ends_are_exact() {
        let mut values = distributions(10_000)[0].1.clone();
        values.extend([f64::INFINITY, f64::NEG_INFINITY, -0.0]);
        let sketch = of(&values);
        assert_eq!(sketch.estimate(0.0), Some(f64::NEG_INFINITY));
        assert_eq!(sketch.estimate(1.0), Some(f64::INFINITY));
        assert_eq!(Kll::default().estimate(0.5), None);
        assert_eq!(of(&[-0.0]).estimate(0.5).unwrap().to_bits(), 0);
    }

    proptest! {
        #[test]
        fn few_values_are_exact_by_any_tree(
            values in prop::collection::vec(-1e9f64..1e9, 1..=K), cut in any::<prop::sample::Index>(), q in 0.0f64..=1.0,
        ) {
            let cut = cut.index(values.len());
            let mut merged = of(&values[..cut]);
            merged.merge(&of(&values[cut..]));
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let exact = sorted[(q * (values.len() - 1) as f64) as usize];
            prop_assert_eq!(merged.estimate(q), Some(exact));
            prop_assert_eq!(merged.rank_error(), 0.0);
        }

        #[test]
        fn the_same_values_make_the_same_state(values in prop::collection::vec(-1e3f64..1e3, 1..6_000)) {
            prop_assert_eq!(of(&values).levels, of(&values).levels);
        }
    }
}
