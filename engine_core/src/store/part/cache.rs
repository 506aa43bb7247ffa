//! What queries need of parts besides blocks, decoded and kept while a budget of memory lasts: the least recently used goes first.
//! Beside it stands what is mapped of parts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::aggregates::{Ends, Level, Nodes, TimeEnds};
use super::footer::Footer;
use super::maps::Maps;
use super::runs::Runs;
use crate::column::ColumnId;
use crate::error::Result;
use crate::lru::Lru;

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

/// Decoded values of all parts.
#[derive(Debug)]
pub(in crate::store) struct Cache {
    slots: Mutex<Lru<(u64, What), Kept>>,
    /// Files that are mapped meanwhile.
    pub(in crate::store) maps: Arc<Maps>,
}

impl Cache {
    /// Of at most so many bytes; what is in use stays with whoever uses it.
    pub(in crate::store) fn new(budget: usize) -> Self {
        Self {
            slots: Mutex::new(Lru::new(budget)),
            maps: Arc::default(),
        }
    }

    fn slots(&self) -> MutexGuard<'_, Lru<(u64, What), Kept>> {
        // Whoever panicked under the lock left sums and slots that agree: nothing between the changes can.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes kept.
    pub(in crate::store) fn bytes(&self) -> usize {
        self.slots().bytes()
    }

    /// A value of an opened part, loaded if it is not kept.
    pub(super) fn get(&self, opened: u64, what: What, load: impl FnOnce() -> Result<Kept>) -> Result<Kept> {
        if let Some(kept) = self.slots().get(&(opened, what)) {
            return Ok(kept.clone());
        }
        let kept = load()?;
        self.slots().insert((opened, what), kept.clone(), kept.bytes());
        Ok(kept)
    }

    /// Forgets a part that is closed.
    pub(super) fn forget(&self, opened: u64) {
        self.slots().retain(|key| key.0 != opened);
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
