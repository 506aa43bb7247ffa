//! What queries need of parts besides blocks, decoded and kept while a budget of memory lasts: the least recently used goes first.
//! Beside it stands what is mapped of parts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::aggregates::{Ends, Level, Nodes, TimeEnds};
use super::footer::Footer;
use super::maps::Maps;
use super::runs::Runs;
use crate::column::ColumnId;
use crate::error::Result;

/// What is kept, of which opened part and column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    Footer(ColumnId),
    Codes(ColumnId),
    Runs,
    TimeEnds,
    Level(u32),
    Ends(ColumnId),
    Nodes(ColumnId, u32),
}

/// A decoded value.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Footer(Arc<Footer>),
    Codes(Arc<Vec<u32>>),
    Runs(Arc<Runs>),
    TimeEnds(Arc<TimeEnds>),
    Level(Arc<Level>),
    Ends(Arc<Ends>),
    Nodes(Arc<Nodes>),
}

impl Kept {
    fn bytes(&self) -> usize {
        match self {
            Self::Footer(footer) => footer.memory_bytes(),
            Self::Codes(codes) => codes.capacity() * 4,
            Self::Runs(runs) => runs.memory_bytes(),
            Self::TimeEnds(ends) => ends.memory_bytes(),
            Self::Level(level) => level.memory_bytes(),
            Self::Ends(ends) => ends.memory_bytes(),
            Self::Nodes(nodes) => nodes.memory_bytes(),
        }
    }
}

#[derive(Debug)]
struct Slot {
    kept: Kept,
    used: u64,
}

#[derive(Debug, Default)]
struct Slots {
    all: HashMap<(u64, What), Slot>,
    bytes: usize,
    clock: u64,
}

/// Decoded values of all parts.
#[derive(Debug)]
pub(in crate::store) struct Cache {
    budget: usize,
    slots: Mutex<Slots>,
    /// Files that are mapped meanwhile.
    pub(in crate::store) maps: Arc<Maps>,
}

impl Cache {
    /// Of at most so many bytes; what is in use stays with whoever uses it.
    pub(in crate::store) fn new(budget: usize) -> Self {
        Self {
            budget,
            slots: Mutex::default(),
            maps: Arc::default(),
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        // Whoever panicked under the lock left sums and slots that agree: nothing between the changes can.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes kept.
    pub(in crate::store) fn bytes(&self) -> usize {
        self.slots().bytes
    }

    /// A value of an opened part, loaded if it is not kept.
    pub(super) fn get(&self, opened: u64, what: What, load: impl FnOnce() -> Result<Kept>) -> Result<Kept> {
        {
            let mut slots = self.slots();
            slots.clock += 1;
            let clock = slots.clock;
            if let Some(slot) = slots.all.get_mut(&(opened, what)) {
                slot.used = clock;
                return Ok(slot.kept.clone());
            }
        }
        let kept = load()?;
        let mut slots = self.slots();
        slots.clock += 1;
        let slot = Slot {
            kept: kept.clone(),
            used: slots.clock,
        };
        slots.bytes += kept.bytes();
        if let Some(other) = slots.all.insert((opened, what), slot) {
            slots.bytes -= other.kept.bytes();
        }
        if slots.bytes > self.budget {
            slots.shrink(self.budget / 8 * 7);
        }
        Ok(kept)
    }

    /// Forgets a part that is closed.
    pub(super) fn forget(&self, opened: u64) {
        let slots = &mut *self.slots();
        slots.all.retain(|key, slot| {
            if key.0 == opened {
                slots.bytes -= slot.kept.bytes();
            }
            key.0 != opened
        });
    }
}

impl Slots {
    fn shrink(&mut self, to: usize) {
        let mut order: Vec<(u64, (u64, What))> = self.all.iter().map(|(&key, slot)| (slot.used, key)).collect();
        order.sort_unstable_by_key(|&(used, _)| used);
        for (_, key) in order {
            if self.bytes <= to {
                break;
            }
            if let Some(slot) = self.all.remove(&key) {
                self.bytes -= slot.kept.bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(n: usize) -> Kept {
        Kept::Codes(Arc::new(vec![0; n]))
    }

    #[test]
    fn the_least_recently_used_goes_first_and_the_budget_holds() {
        let cache = Cache::new(4_000);
        for column in 0..10 {
            cache.get(1, What::Codes(column), || Ok(codes(100))).unwrap();
        }
        cache.get(1, What::Codes(0), || panic!("is kept")).unwrap();
        cache.get(1, What::Codes(10), || Ok(codes(100))).unwrap();
        assert!(cache.bytes() <= 4_000);
        cache.get(1, What::Codes(0), || panic!("is kept")).unwrap();
        let mut loaded = false;
        cache
            .get(1, What::Codes(1), || {
                loaded = true;
                Ok(codes(100))
            })
            .unwrap();
        assert!(loaded);
        cache.forget(1);
        assert_eq!(cache.bytes(), 0);
    }
}
