//! Values that are kept while a budget of memory lasts: the least recently used go first.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug)]
struct Slot<V> {
    value: V,
    bytes: usize,
    used: u64,
}

/// Values by key.
#[derive(Debug)]
pub struct Lru<K, V> {
    all: HashMap<K, Slot<V>>,
    budget: usize,
    bytes: usize,
    clock: u64,
}

impl<K: Clone + Eq + Hash, V> Lru<K, V> {
    /// Of at most so many bytes.
    pub fn new(budget: usize) -> Self {
        Self {
            all: HashMap::new(),
            budget,
            bytes: 0,
            clock: 0,
        }
    }

    /// Bytes kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Values kept.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A value, which is then the last used.
    pub fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.clock += 1;
        let slot = self.all.get_mut(key)?;
        slot.used = self.clock;
        Some(&slot.value)
    }

    /// Keeps a value of so many bytes in the place of another of its key. Past the budget an eighth of it is given back.
    pub fn insert(&mut self, key: K, value: V, bytes: usize) {
        self.clock += 1;
        let used = self.clock;
        self.bytes += bytes;
        if let Some(other) = self.all.insert(key, Slot { value, bytes, used }) {
            self.bytes -= other.bytes;
        }
        if self.bytes > self.budget {
            self.shrink(self.budget / 8 * 7);
        }
    }

    /// Forgets a value.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some(slot) = self.all.remove(key) {
            self.bytes -= slot.bytes;
        }
    }

    /// Forgets all but some.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&K) -> bool) {
        let bytes = &mut self.bytes;
        self.all.retain(|key, slot| {
            let keeps = is_kept(key);
            if !keeps {
                *bytes -= slot.bytes;
            }
            keeps
        });
    }

    fn shrink(&mut self, to: usize) {
        let mut order: Vec<(u64, K)> = self.all.iter().map(|(key, slot)| (slot.used, key.clone())).collect();
        order.sort_unstable_by_key(|&(used, _)| used);
        for (_, key) in order {
            if self.bytes <= to {
                break;
            }
            self.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_go_first() {
        let mut kept = Lru::new(80);
        for key in 0..8 {
            kept.insert(key, key, 10);
        }
        assert_eq!(kept.get(&0), Some(&0));
        kept.insert(8, 8, 10);
        assert_eq!((kept.bytes(), kept.len()), (70, 7));
        assert_eq!(
            [0, 1, 2, 3].map(|key| kept.get(&key).copied()),
            [Some(0), None, None, Some(3)]
        );
    }

    #[test]
    fn bytes_are_those_of_what_is_there() {
        let mut kept = Lru::new(100);
        kept.insert("a", 1, 60);
        kept.insert("a", 2, 10);
        kept.insert("b", 3, 20);
        assert_eq!(kept.bytes(), 30);
        kept.retain(|&key| key != "a");
        kept.remove("c");
        assert_eq!(
            (kept.bytes(), kept.get("a").copied(), kept.get("b").copied()),
            (20, None, Some(3))
        );
        kept.insert("c", 4, 101);
        assert!(
            kept.is_empty() && kept.bytes() == 0,
            "what is larger than the budget is not kept"
        );
    }
}
