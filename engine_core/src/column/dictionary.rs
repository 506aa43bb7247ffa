//! Dictionaries: strings to dense codes, append-only. Nothing of one is ever moved or hashed again at once, however large it is:
//! texts lie in chunks, and the index grows by splitting one small table at a time.

use xxhash_rust::xxh3::xxh3_64;

use super::NULL_CODE;

/// Codes of a chunk.
const CHUNK: usize = 1 << 12;
/// Entries of a table at which it is split in two, in a fraction of a millisecond.
const SPLIT: usize = 1 << 14;
/// Most bits of a hash that choose a table: texts whose hashes are all alike make one grow instead.
const MOST_DEPTH: u32 = 20;
/// Slots of the smallest table.
const LEAST_SLOTS: usize = 8;
/// A slot without an entry: null is in no table.
const EMPTY: Slot = Slot {
    hash: 0,
    code: NULL_CODE,
};

/// Strings with dense codes from 1 in order of first sight; code 0 is null and has the empty text.
/// Codes are never reused nor rewound. About 15 bytes an entry beside the text.
#[derive(Clone, Debug)]
pub struct Dictionary {
    chunks: Vec<Chunk>,
    index: Index,
}

/// Texts of codes in a row, end to end.
#[derive(Clone, Debug, Default)]
struct Chunk {
    text: String,
    /// Where each ends.
    ends: Vec<u32>,
}

/// Codes by hash: tables chosen by the first bits of a hash, as many as each table needs.
#[derive(Clone, Debug)]
struct Index {
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
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    code: u32,
}

impl Default for Dictionary {
    fn default() -> Self {
        let null = Chunk {
            text: String::new(),
            ends: vec![0],
        };
        let index = Index {
            depth: 0,
            places: vec![0],
            tables: vec![Table::default()],
        };
        Self {
            chunks: vec![null],
            index,
        }
    }
}

fn hash_of(text: &str) -> u32 {
    (xxh3_64(text.as_bytes()) >> 32) as u32
}

impl Dictionary {
    /// Number of codes, null among them: codes are `0..len()`.
    #[expect(clippy::len_without_is_empty, reason = "null is always there")]
    pub fn len(&self) -> u32 {
        let whole = (self.chunks.len() - 1) * CHUNK;
        (whole + self.chunks[self.chunks.len() - 1].ends.len()) as u32
    }

    /// Text of a code; empty for null.
    ///
    /// # Panics
    /// If the code was never given out.
    pub fn text(&self, code: u32) -> &str {
        let (chunk, at) = (&self.chunks[code as usize / CHUNK], code as usize % CHUNK);
        let start = if at == 0 { 0 } else { chunk.ends[at - 1] };
        &chunk.text[start as usize..chunk.ends[at] as usize]
    }

    /// Code of a text, if it has one. The empty text is a text like any other.
    pub fn get(&self, text: &str) -> Option<u32> {
        self.find(hash_of(text), text)
    }

    fn find(&self, hash: u32, text: &str) -> Option<u32> {
        let table = &self.index.tables[self.index.table(hash)];
        table
            .find(hash, |code| self.text(code).as_bytes() == text.as_bytes())
            .ok()
    }

    /// Code of a text, given out now if it had none.
    ///
    /// # Panics
    /// If there are 2³² codes.
    pub fn intern(&mut self, text: &str) -> u32 {
        let hash = hash_of(text);
        if let Some(code) = self.find(hash, text) {
            return code;
        }
        let code = self.len();
        assert_ne!(code, u32::MAX, "a dictionary has fewer than 2³² codes");
        self.push(text);
        self.index.insert(Slot { hash, code });
        code
    }

    fn push(&mut self, text: &str) {
        let last = self.chunks.len() - 1;
        let mut chunk = &mut self.chunks[last];
        if chunk.ends.len() == CHUNK {
            chunk.text.shrink_to_fit();
            chunk.ends.shrink_to_fit();
            self.chunks.push(Chunk::default());
            chunk = &mut self.chunks[last + 1];
        }
        chunk.text.push_str(text);
        let end = u32::try_from(chunk.text.len()).expect("texts of a chunk take less than 4 GiB");
        chunk.ends.push(end);
    }

    /// Texts of the codes from `first` on.
    pub fn texts_from(&self, first: u32) -> impl Iterator<Item = &str> {
        (first..self.len()).map(|code| self.text(code))
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        let of_chunk = |chunk: &Chunk| chunk.text.capacity() + chunk.ends.capacity() * size_of::<u32>();
        let of_table = |table: &Table| table.slots.capacity() * size_of::<Slot>();
        self.chunks.iter().map(of_chunk).sum::<usize>()
            + self.index.tables.iter().map(of_table).sum::<usize>()
            + self.chunks.capacity() * size_of::<Chunk>()
            + self.index.tables.capacity() * size_of::<Table>()
            + self.index.places.capacity() * size_of::<u32>()
    }
}

impl Index {
    /// Which table entries with this hash are in.
    fn table(&self, hash: u32) -> usize {
        self.places[((u64::from(hash) << self.depth) >> 32) as usize] as usize
    }

    fn insert(&mut self, entry: Slot) {
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

    fn entries(&self) -> impl Iterator<Item = &Slot> {
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
    fn insert(&mut self, entry: Slot) {
        if (self.entries + 1) * 5 > self.slots.len() * 4 {
            let mut larger = Self::with_room(self.depth, self.entries + 1);
            for &entry in self.entries() {
                larger.put(entry);
            }
            *self = larger;
        }
        self.put(entry);
    }

    fn put(&mut self, entry: Slot) {
        let at = self.find(entry.hash, |_| false).expect_err("none is the one");
        self.slots[at] = entry;
        self.entries += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_are_dense_and_stable() {
        let mut dictionary = Dictionary::default();
        assert_eq!(dictionary.intern("a"), 1);
        assert_eq!(dictionary.intern(""), 2);
        assert_eq!(dictionary.intern("b"), 3);
        assert_eq!(dictionary.intern("a"), 1);
        assert_eq!(dictionary.intern(""), 2);
        assert_eq!(dictionary.get("c"), None);
        assert_eq!(dictionary.text(NULL_CODE), "");
        assert_eq!(dictionary.texts_from(2).collect::<Vec<_>>(), ["", "b"]);
    }

    #[test]
    fn many_texts_find_their_codes_again() {
        let mut dictionary = Dictionary::default();
        for i in 0..200_000u32 {
            assert_eq!(dictionary.get(&format!("user-{i}")), None);
            assert_eq!(dictionary.intern(&format!("user-{i}")), i + 1);
        }
        for i in 0..200_000u32 {
            assert_eq!(dictionary.get(&format!("user-{i}")), Some(i + 1));
            assert_eq!(dictionary.text(i + 1), format!("user-{i}"));
        }
        assert!(dictionary.index.tables.len() > 8, "tables are split");
        assert!(dictionary.index.tables.iter().all(|table| table.entries <= SPLIT));
    }

    #[test]
    fn an_entry_takes_sixteen_bytes_beside_its_text_at_most() {
        let mut dictionary = Dictionary::default();
        let mut text_bytes = 0;
        for i in 0..300_000u32 {
            let text = i.to_string();
            text_bytes += text.len();
            dictionary.intern(&text);
            if i >= 10_000 && i % 10_000 == 0 {
                let beside = dictionary.memory_bytes() - text_bytes;
                // The chunk that is filled has room for twice its own, and the list of tables for twice as many.
                assert!(beside <= 16 * i as usize + 120_000, "{i}: {beside}");
            }
        }
    }

    #[test]
    fn entries_with_one_hash_are_told_apart() {
        let mut index = Index {
            depth: 0,
            places: vec![0],
            tables: vec![Table::default()],
        };
        let hash = 0xffff_ffff;
        let most = SPLIT as u32 + 100;
        for code in 1..=most {
            index.insert(Slot { hash, code });
        }
        index.insert(Slot {
            hash: 0,
            code: most + 1,
        });
        assert_eq!(index.depth, MOST_DEPTH);
        let find = |hash, code| index.tables[index.table(hash)].find(hash, |found| found == code).ok();
        assert!((1..=most).all(|code| find(hash, code) == Some(code)));
        assert_eq!(find(hash, most + 1), None);
        assert_eq!(find(0, most + 1), Some(most + 1));
        assert_eq!(find(7, most + 1), None);
    }

    proptest! {
        #[test]
        fn it_is_what_a_map_is(texts in prop::collection::vec("[ab]{0,6}|\\PC{0,3}", 0..400)) {
            let (mut dictionary, mut map) = (Dictionary::default(), HashMap::new());
            for text in &texts {
                let next = map.len() as u32 + 1;
                prop_assert_eq!(dictionary.get(text), map.get(text).copied());
                prop_assert_eq!(dictionary.intern(text), *map.entry(text.clone()).or_insert(next));
            }
            prop_assert_eq!(dictionary.len() as usize, map.len() + 1);
            for (text, code) in map {
                prop_assert_eq!(dictionary.text(code), text);
            }
        }

        #[test]
        fn an_index_finds_every_entry_whatever_its_hash(
            hashes in prop::collection::vec(prop_oneof![0u32..4, u32::MAX - 4..=u32::MAX, any::<u32>()], 1..2_000),
        ) {
            let mut table = Table::default();
            for (hash, code) in hashes.iter().zip(1..) {
                table.insert(Slot { hash: *hash, code });
            }
            for (hash, code) in hashes.iter().zip(1..) {
                prop_assert_eq!(table.find(*hash, |found| found == code), Ok(code));
            }
            prop_assert_eq!(table.entries, hashes.len());
        }
    }
}
