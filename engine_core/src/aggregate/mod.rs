//! Exact mergeable states: values in, one value out. A file a kind.

pub mod between;
pub mod count;
pub mod course;
pub mod distinct;
pub mod ends;
pub mod extrema;
pub mod mean;
pub mod moments;
pub mod slope;
pub mod sum;
pub mod threshold;
pub mod weighted;

/// A state over values. Law: whatever the split of the values and the tree of merges that keeps their order, the state
/// is that of one pass; float sums, whose last bits may differ, stay within 2⁻⁵⁰·Σ|x|.
pub trait Aggregate: Clone + Default {
    /// One value.
    type Input: Copy;
    /// What it comes to.
    type Output;

    /// Takes one value. Nulls and NaN are the caller's to drop.
    fn insert(&mut self, value: Self::Input);

    /// Takes values in their order; the same as inserting each, and faster where a kind can.
    fn insert_all(&mut self, values: &[Self::Input]) {
        for &value in values {
            self.insert(value);
        }
    }

    /// Takes the values of a state that arrived after this one's.
    fn merge(&mut self, later: &Self);

    /// What it comes to.
    fn finish(&self) -> Self::Output;
}

/// Which group each value of a block belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Groups<'a> {
    /// All to one.
    One(u32),
    /// Each to its own.
    Each(&'a [u32]),
    /// Neighbours together.
    Runs(&'a [GroupRun]),
}

/// Values in a row that belong to one group. The first run begins with the first value, each other where the one before ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupRun {
    /// Their group.
    pub group: u32,
    /// Place behind the last of them.
    pub end: u32,
}

impl GroupRun {
    /// Each run's group and values.
    pub fn ranges(runs: &[Self]) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
        let mut start = 0;
        runs.iter().map(move |run| {
            let range = start..run.end as usize;
            start = range.end;
            (run.group as usize, range)
        })
    }
}

/// Values from which on a state that takes many at once is faster than one that takes each.
const MANY: usize = 24;

/// Inserts values into the states of their groups.
///
/// # Panics
/// If a group has no state.
pub fn scatter<A: Aggregate>(states: &mut [A], groups: Groups<'_>, values: &[A::Input]) {
    match groups {
        Groups::One(group) => states[group as usize].insert_all(values),
        Groups::Each(groups) => {
            for (&group, &value) in groups.iter().zip(values) {
                states[group as usize].insert(value);
            }
        }
        Groups::Runs(runs) => {
            for (group, range) in GroupRun::ranges(runs) {
                let (state, values) = (&mut states[group], &values[range]);
                if values.len() < MANY {
                    values.iter().for_each(|&value| state.insert(value));
                } else {
                    state.insert_all(values);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::extrema::MaxI64;
    use super::*;

    #[test]
    fn neighbours_go_where_each_would() {
        let values: Vec<i64> = (0..100).map(|value| value * 37 % 91).collect();
        let runs = [(2, 3), (0, 70), (2, 71), (1, 100)].map(|(group, end)| GroupRun { group, end });
        let each: Vec<u32> = GroupRun::ranges(&runs)
            .flat_map(|(group, range)| range.map(move |_| group as u32))
            .collect();
        let mut states = [[MaxI64::default(); 3]; 2];
        scatter(&mut states[0], Groups::Runs(&runs), &values);
        scatter(&mut states[1], Groups::Each(&each), &values);
        assert_eq!(states[0], states[1]);
    }
}

#[cfg(test)]
pub(crate) mod laws {
    use super::Aggregate;

    /// The state of one pass, and that of the same values cut at `cuts`, each part a state, merged as a tree.
    pub(crate) fn whole_and_split<A: Aggregate>(values: &[A::Input], cuts: &[usize]) -> (A, A) {
        let mut whole = A::default();
        for &value in values {
            whole.insert(value);
        }
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (values.len() + 1)).collect();
        at.extend([0, values.len()]);
        at.sort_unstable();
        let mut parts: Vec<A> = at
            .windows(2)
            .map(|range| {
                let mut part = A::default();
                part.insert_all(&values[range[0]..range[1]]);
                part
            })
            .collect();
        while parts.len() > 1 {
            parts = parts
                .chunks(2)
                .map(|pair| {
                    let mut left = pair[0].clone();
                    if let Some(right) = pair.get(1) {
                        left.merge(right);
                    }
                    left
                })
                .collect();
        }
        (whole, parts.swap_remove(0))
    }
}
