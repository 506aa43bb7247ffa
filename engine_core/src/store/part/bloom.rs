//! Split-block Bloom filters (Putze, Sanders & Singler, "Cache-, hash-, and space-efficient Bloom filters", JEA 14, 2009; in the form
//! of Apache Parquet's specification, but for the hash): a filter is **cells** of eight words, and a text sets one bit in each word of
//! one cell.

use xxhash_rust::xxh3::xxh3_64;

/// Bits of a cell.
pub(super) const CELL_BITS: usize = 256;
/// Bytes of a cell.
pub(super) const CELL_BYTES: usize = CELL_BITS / 8;
const WORDS: usize = CELL_BITS / 32;
/// Odd factors, one a word, by which it is chosen which of its bits is set.
const SALT: [u32; WORDS] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// What a filter is told of a text.
pub fn text_hash(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

/// The cell of a hash among so many.
pub(super) fn cell_of(hash: u64, cells: usize) -> usize {
    (((hash >> 32) * cells as u64) >> 32) as usize
}

/// The bits of a text in its cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits([u32; WORDS]);

impl Bits {
    /// Those of a hash.
    pub(super) fn of(hash: u64) -> Self {
        Self(SALT.map(|salt| 1 << ((hash as u32).wrapping_mul(salt) >> 27)))
    }

    /// Sets them in a cell.
    pub(super) fn set(self, cell: &mut [u8]) {
        for (bytes, bits) in cell.as_chunks_mut().0.iter_mut().zip(self.0) {
            *bytes = (u32::from_le_bytes(*bytes) | bits).to_le_bytes();
        }
    }

    /// Whether all are set in a cell.
    pub(super) fn are_in(self, cell: &[u8; CELL_BYTES]) -> bool {
        let words = cell.as_chunks().0.iter().zip(self.0);
        // Without a branch in between, so that words are compared side by side.
        words.fold(0, |missing, (bytes, bits)| {
            missing | (bits & !u32::from_le_bytes(*bytes))
        }) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_sets_one_bit_in_each_word_of_one_cell() {
        // The words as the specification's formula has them, written out once.
        let hash = 0x8000_0001_0000_0003;
        assert_eq!((cell_of(hash, 10), cell_of(hash, 1), cell_of(u64::MAX, 10)), (5, 0, 9));
        let mut cell = [0; CELL_BYTES];
        Bits::of(hash).set(&mut cell);
        let words = cell.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
        let wanted = SALT.map(|salt| 1u32 << (((3 * u64::from(salt)) & 0xFFFF_FFFF) >> 27));
        assert!(words.eq(wanted));
        assert!(Bits::of(hash).are_in(&cell));
        cell[..4].fill(0);
        assert!(!Bits::of(hash).are_in(&cell));
    }

    #[test]
    fn the_hash_is_the_one_that_the_format_names() {
        // XXH3's own test vector of no bytes, seed 0.
        assert_eq!(text_hash(""), 0x2D06_8005_38D3_94C2);
    }
}
