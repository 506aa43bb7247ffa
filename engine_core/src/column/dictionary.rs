//! Dictionaries: strings to dense codes, append-only. Nothing of one is ever moved or hashed again at once, however large it is:
//! texts lie in chunks, and `index` grows table by table.

use xxhash_rust::xxh3::xxh3_64;

use super::index::Index;
use crate::codec::entries::Entry;

/// Codes of a chunk.
const CHUNK: usize = 1 << 12;

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

impl Default for Dictionary {
    fn default() -> Self {
        let null = Chunk {
            text: String::new(),
            ends: vec![0],
        };
        Self {
            chunks: vec![null],
            index: Index::default(),
        }
    }
}

/// Hash by which the index finds a text: the upper half of its XXH3-64.
pub fn hash_of(text: &str) -> u32 {
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
        self.index
            .find(hash, |code| self.text(code).as_bytes() == text.as_bytes())
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
        self.index.insert(Entry { hash, code });
        code
    }

    /// Adds the text of the next code without its entry: until it has one it is not found.
    pub(crate) fn push(&mut self, text: &str) {
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

    /// Makes the index, which has no entries yet, as large as so many need.
    pub(crate) fn make_room(&mut self, entries: usize) {
        self.index = Index::with_room(entries);
    }

    /// Adds entries of texts that have none: their hashes are those of the texts, whose codes have been given out.
    pub(crate) fn add_entries(&mut self, entries: &[Entry]) {
        for &entry in entries {
            self.index.insert(entry);
        }
    }

    /// Makes entries of the texts from a code on, which have none. False, at the first of them, if a text has two codes.
    #[must_use]
    pub(crate) fn hash_from(&mut self, first: u32) -> bool {
        (first..self.len()).all(|code| {
            let text = self.text(code);
            let hash = hash_of(text);
            let is_new = self.find(hash, text).is_none();
            if is_new {
                self.index.insert(Entry { hash, code });
            }
            is_new
        })
    }

    /// Texts of the codes from `first` on.
    pub fn texts_from(&self, first: u32) -> impl Iterator<Item = &str> {
        (first..self.len()).map(|code| self.text(code))
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        let of_chunk = |chunk: &Chunk| chunk.text.capacity() + chunk.ends.capacity() * size_of::<u32>();
        self.chunks.iter().map(of_chunk).sum::<usize>()
            + self.chunks.capacity() * size_of::<Chunk>()
            + self.index.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::column::NULL_CODE;

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

    }
}
