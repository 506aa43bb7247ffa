//! How many.

use super::{Aggregate, GroupRun, Groups};

/// Number of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(u64);

impl Aggregate for Count {
    type Input = ();
    type Output = u64;

    fn insert(&mut self, (): ()) {
        self.0 += 1;
    }

    fn merge(&mut self, later: &Self) {
        self.0 += later.0;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Counts `n` values into their groups.
///
/// # Panics
/// If a group has no state.
pub fn count_into(states: &mut [Count], groups: Groups<'_>, n: usize) {
    match groups {
        Groups::One(group) => states[group as usize].0 += n as u64,
        Groups::Each(groups) => {
            for &group in &groups[..n] {
                states[group as usize].0 += 1;
            }
        }
        Groups::Runs(runs) => {
            for (group, range) in GroupRun::ranges(runs) {
                states[group].0 += range.len() as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_by_group() {
        let mut states = vec![Count::default(); 3];
        count_into(&mut states, Groups::Each(&[2, 0, 2]), 3);
        count_into(&mut states, Groups::One(1), 5);
        assert_eq!(states.iter().map(Count::finish).collect::<Vec<_>>(), [1, 5, 2]);
        let runs = [GroupRun { group: 2, end: 3 }, GroupRun { group: 0, end: 4 }];
        let mut others = vec![Count::default(); 3];
        count_into(&mut others, Groups::Runs(&runs), 4);
        assert_eq!(others.iter().map(Count::finish).collect::<Vec<_>>(), [1, 0, 3]);
        let mut all = states[0];
        all.merge(&states[1]);
        assert_eq!(all.finish(), 6);
    }
}
