//! Dictionaries: strings to dense codes, append-only.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::NULL_CODE;

/// Strings with dense codes from 1 in order of first sight; code 0 is null and has the empty text.
/// Codes are never reused nor rewound. About 27 bytes an entry beside the text.
#[derive(Clone, Debug)]
pub struct Dictionary {
    arena: Vec<u8>,
    ends: Vec<u64>,
    index: HashTable<u32>,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self {
            arena: Vec::new(),
            ends: vec![0],
            index: HashTable::new(),
        }
    }
}

impl Dictionary {
    /// Number of codes, null among them: codes are `0..len()`.
    #[expect(clippy::len_without_is_empty, reason = "null is always there")]
    pub fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    /// Text of a code; empty for null.
    ///
    /// # Panics
    /// If the code was never given out.
    pub fn text(&self, code: u32) -> &str {
        std::str::from_utf8(self.bytes(code)).expect("only UTF-8 is interned")
    }

    fn bytes(&self, code: u32) -> &[u8] {
        let code = code as usize;
        let start = if code == 0 { 0 } else { self.ends[code - 1] };
        &self.arena[start as usize..self.ends[code] as usize]
    }

    /// Code of a text, if it has one. The empty text is a text like any other.
    pub fn get(&self, text: &str) -> Option<u32> {
        let bytes = text.as_bytes();
        self.index
            .find(xxh3_64(bytes), |&code| self.bytes(code) == bytes)
            .copied()
    }

    /// Code of a text, given out now if it had none.
    pub fn intern(&mut self, text: &str) -> u32 {
        if let Some(code) = self.get(text) {
            return code;
        }
        let code = self.len();
        debug_assert_ne!(code, NULL_CODE);
        self.arena.extend_from_slice(text.as_bytes());
        self.ends.push(self.arena.len() as u64);
        let (arena, ends) = (&self.arena, &self.ends);
        self.index.insert_unique(xxh3_64(text.as_bytes()), code, |&other| {
            let other = other as usize;
            xxh3_64(&arena[ends[other - 1] as usize..ends[other] as usize])
        });
        code
    }

    /// Texts of the codes from `first` on.
    pub fn texts_from(&self, first: u32) -> impl Iterator<Item = &str> {
        (first..self.len()).map(|code| self.text(code))
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.arena.capacity() + self.ends.capacity() * 8 + self.index.capacity() * 5
    }
}

#[cfg(test)]
mod tests {
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
        for i in 0..10_000u32 {
            assert_eq!(dictionary.intern(&format!("user-{i}")), i + 1);
        }
        for i in 0..10_000u32 {
            assert_eq!(dictionary.get(&format!("user-{i}")), Some(i + 1));
            assert_eq!(dictionary.text(i + 1), format!("user-{i}"));
        }
    }
}
