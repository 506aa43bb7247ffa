//! How the groups of an answer lie to each other: which are of one window, and which are the same group in others.

use std::cell::OnceCell;

use hashbrown::HashMap;

use super::plan::{After, Plan};
use crate::group::Grouper;

/// Groups of an answer. What few measures ask for is worked out when the first does.
pub struct Layout<'a> {
    groups: &'a Grouper,
    len: usize,
    has_windows: bool,
    /// Parts of a key.
    parts: usize,
    /// The part that tells sessions apart which begin at one time.
    entity: Option<usize>,
    chains: OnceCell<Vec<Vec<u32>>>,
    windows: OnceCell<Vec<Vec<u32>>>,
}

impl<'a> Layout<'a> {
    /// Of so many groups.
    pub(super) fn new(plan: &Plan, groups: &'a Grouper, len: usize) -> Self {
        Self {
            groups,
            len,
            has_windows: plan.windows.is_some(),
            parts: plan.key_parts(),
            entity: match plan.after {
                After::Sessions { entity, .. } => Some(1 + entity),
                After::Nothing | After::Hop(_) | After::Slide(_) => None,
            },
            chains: OnceCell::new(),
            windows: OnceCell::new(),
        }
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Number of a group's window, from the plan's first.
    pub fn window(&self, group: u32) -> u64 {
        if self.has_windows {
            self.groups.part(group as usize, 0)
        } else {
            0
        }
    }

    /// The groups that differ in nothing but their window, in order of it.
    pub fn chains(&self) -> &[Vec<u32>] {
        self.chains.get_or_init(|| {
            let keys: Vec<usize> = (usize::from(self.has_windows)..self.parts).collect();
            let mut chains = self.together(&keys);
            for chain in &mut chains {
                chain.sort_unstable_by_key(|&group| self.window(group));
            }
            chains
        })
    }

    /// The groups of each window; a session is one of its entity.
    pub fn windows(&self) -> &[Vec<u32>] {
        self.windows.get_or_init(|| {
            let window = self.has_windows.then_some(0);
            self.together(&window.into_iter().chain(self.entity).collect::<Vec<_>>())
        })
    }

    /// Groups with these parts in common.
    fn together(&self, parts: &[usize]) -> Vec<Vec<u32>> {
        let mut places: HashMap<Vec<u64>, usize> = HashMap::new();
        let mut all: Vec<Vec<u32>> = Vec::new();
        for group in 0..self.len {
            let key: Vec<u64> = parts.iter().map(|&part| self.groups.part(group, part)).collect();
            let place = *places.entry(key).or_insert_with(|| {
                all.push(Vec::new());
                all.len() - 1
            });
            all[place].push(group as u32);
        }
        all
    }
}
