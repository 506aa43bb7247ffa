//! The index of a dictionary: codes by hash. It grows by splitting one small table at a time, so that nothing waits for the whole of it,
//! and is filled at once at its final size where all entries are known.

use super::NULL_CODE;
use crate::codec::entries::Entry;

/// Entries of a table at which it is split in two, in a fraction of a millisecond.
const SPLIT: usize = 1 << 14;
/// Most bits of a hash that choose a table: texts whose hashes are all alike make one grow instead.
const MOST_DEPTH: u32 = 20;
/// Slots of the smallest table.
const LEAST_SLOTS: usize = 8;
/// Most entries of a table, on average, that is made for those there will be: far enough from [`SPLIT`] that none is split for a few more.
const MADE_FOR: usize = SPLIT / 4 * 3;
/// A slot without an entry: null is in no table.
const EMPTY: Entry = Entry {
    hash: 0,
    code: NULL_CODE,
};

/// Codes by hash: tables chosen by the first bits of a hash, as many as each table needs.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// Bits that choose a place in `places`.
    depth: u32,
    /// The table of each, a power of two of them.
    places: Vec<u32>,
    tables: Vec<Table>,
}

/// Open addressing: an entry stands in the first slot that was free from the one on that its hash says.
#[derive(Clone, Debug, Default)]
struct Table {
    /// Bits of the hash that all entries have in common.
    depth: u32,
    entries: usize,
    slots: Vec<Entry>,
}

impl Default for Index {
    fn default() -> Self {
        Self::with_room(0)
    }
}

impl Index {
    /// An empty one that does not grow for so many entries.
    pub(super) fn with_room(entries: usize) -> Self {
        let mut depth = 0;
        while entries >> depth > MADE_FOR && depth < MOST_DEPTH {
            depth += 1;
        }
        let a_table = entries.div_ceil(1 << depth);
        let table = Table {
            depth,
            entries: 0,
            slots: vec![EMPTY; a_table.div_ceil(3) * 4],
        };
        Self {
            depth,
            places: (0..1 << depth).collect(),
            tables: vec![table; 1 << depth],
        }
    }

    /// Code of the entry with this hash that is the one.
    #[inline]
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.tables[self.table(hash)].find(hash, is_it).ok()
    }

    /// Bytes of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        let of_table = |table: &Table| table.slots.capacity() * size_of::<Entry>();
        self.tables.iter().map(of_table).sum::<usize>()
            + self.tables.capacity() * size_of::<Table>()
            + self.places.capacity() * size_of::<u32>()
    }

    /// Which table entries with this hash are in.
    fn table(&self, hash: u32) -> usize {
        self.places[((u64::from(hash) << self.depth) >> 32) as usize] as usize
    }

    /// Adds an entry.
    pub(super) fn insert(&mut self, entry: Entry) {
        let mut at = self.table(entry.hash);
        if self.tables[at].entries >= SPLIT && self.tables[at].depth < MOST_DEPTH {
            self.split(at);
            at = self.table(entry.hash);
        }
        self.tables[at].insert(entry);
    }

    /// Moves the entries with the next bit of their hash set to a table of their own.
    fn split(&mut self, at: usize) {
        if self.tables[at].depth == self.depth {
            self.places = self.places.iter().flat_map(|&table| [table, table]).collect();
            self.depth += 1;
        }
        let whole = std::mem::take(&mut self.tables[at]);
        let depth = whole.depth + 1;
        let bit = 1 << (32 - depth);
        let upper = whole.entries().filter(|entry| entry.hash & bit != 0).count();
        let mut halves = [whole.entries - upper, upper].map(|entries| Table::with_room(depth, entries));
        for &entry in whole.entries() {
            halves[usize::from(entry.hash & bit != 0)].put(entry);
        }
        let [lower, upper] = halves;
        self.tables[at] = lower;
        let new = self.tables.len() as u32;
        self.tables.push(upper);
        // Of the places in a row that the table had, the upper half.
        let had = 1usize << (self.depth - (depth - 1));
        let places = self.places.iter().position(|&table| table as usize == at);
        let first = places.expect("a table has a place");
        self.places[first + had / 2..first + had].fill(new);
    }
}

impl Table {
    /// An empty one with room for so many entries and some more.
    fn with_room(depth: u32, entries: usize) -> Self {
        Self {
            depth,
            entries: 0,
            slots: vec![EMPTY; (entries * 25 / 16).max(LEAST_SLOTS)],
        }
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().filter(|slot| slot.code != NULL_CODE)
    }

    /// The slot at which entries with this hash begin: in order of what bits the tables leave of it.
    fn home(&self, hash: u32) -> usize {
        let rest = u64::from((u64::from(hash) << self.depth) as u32);
        ((rest * self.slots.len() as u64) >> 32) as usize
    }

    /// Code of the entry with this hash that is the one, or the slot where it would be put.
    fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Result<u32, usize> {
        let mut at = self.home(hash);
        loop {
            let Some(slot) = self.slots.get(at) else {
                if self.slots.is_empty() {
                    return Err(0);
                }
                at = 0;
                continue;
            };
            if slot.code == NULL_CODE {
                return Err(at);
            }
            if slot.hash == hash && is_it(slot.code) {
                return Ok(slot.code);
            }
            at += 1;
        }
    }

    /// Adds an entry; at four fifths the table is made a quarter larger.
    fn insert(&mut self, entry: Entry) {
        if (self.entries + 1) * 5 > self.slots.len() * 4 {
            let mut larger = Self::with_room(self.depth, self.entries + 1);
            for &entry in self.entries() {
                larger.put(entry);
            }
            *self = larger;
        }
        self.put(entry);
    }

    fn put(&mut self, entry: Entry) {
        let at = self.find(entry.hash, |_| false).expect_err("none is the one");
        self.slots[at] = entry;
        self.entries += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_with_one_hash_are_told_apart() {
        let mut index = Index::default();
        let hash = 0xffff_ffff;
        let most = SPLIT as u32 + 100;
        for code in 1..=most {
            index.insert(Entry { hash, code });
        }
        index.insert(Entry {
            hash: 0,
            code: most + 1,
        });
        assert_eq!(index.depth, MOST_DEPTH);
        let find = |hash, code| index.find(hash, |found| found == code);
        assert!((1..=most).all(|code| find(hash, code) == Some(code)));
        assert_eq!(find(hash, most + 1), None);
        assert_eq!(find(0, most + 1), Some(most + 1));
        assert_eq!(find(7, most + 1), None);
    }

    #[test]
    fn an_index_with_room_neither_grows_nor_splits() {
        for entries in [0, 1, 7, 1_000, MADE_FOR + 1, 300_000] {
            let mut index = Index::with_room(entries);
            let (tables, bytes) = (index.tables.len(), index.memory_bytes());
            for code in 1..=entries as u32 {
                // Spread as hashes are.
                let hash = code.wrapping_mul(0x9e37_79b1);
                index.insert(Entry { hash, code });
            }
            assert_eq!((index.tables.len(), index.memory_bytes()), (tables, bytes), "{entries}");
            assert!(bytes <= entries * 11 + tables * 64 + 64, "{entries}: {bytes} bytes");
            let find = |code: u32| index.find(code.wrapping_mul(0x9e37_79b1), |found| found == code);
            assert!((1..=entries as u32).all(|code| find(code) == Some(code)));
            assert_eq!(find(entries as u32 + 1), None);
            // And it goes on from there.
            for code in entries as u32 + 1..=entries as u32 * 2 {
                let hash = code.wrapping_mul(0x9e37_79b1);
                index.insert(Entry { hash, code });
            }
            let find = |code: u32| index.find(code.wrapping_mul(0x9e37_79b1), |found| found == code);
            assert!((1..=entries as u32 * 2).all(|code| find(code) == Some(code)));
        }
    }

    proptest! {
        #[test]
        fn an_index_finds_every_entry_whatever_its_hash(
            hashes in prop::collection::vec(prop_oneof![0u32..4, u32::MAX - 4..=u32::MAX, any::<u32>()], 1..2_000),
        ) {
            let mut table = Table::default();
            for (hash, code) in hashes.iter().zip(1..) {
                table.insert(Entry { hash: *hash, code });
            }
            for (hash, code) in hashes.iter().zip(1..) {
                prop_assert_eq!(table.find(*hash, |found| found == code), Ok(code));
            }
            prop_assert_eq!(table.entries, hashes.len());
        }
    }
}
