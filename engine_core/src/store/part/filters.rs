//! Filters of the blocks of a column of texts in the making (FORMAT.md, "Parts"). All blocks of a column have filters of as many
//! cells, and the cells that one text may have set in each of them stand side by side, in a **band**: whoever looks for a text
//! reads one band and no other.

use std::collections::BTreeMap;

use super::block::{Valid, is_valid};
use super::bloom::{Bits, CELL_BITS, CELL_BYTES, cell_of, text_hash};
use crate::codec::BLOCK;

/// Bits for each distinct text of the block that has most: of the texts that a block does not have, one in fifty passes.
const BITS: usize = 9;
/// With fewer bits for each on average, more than one in three would pass: there are no filters then.
const LEAST_BITS: usize = 4;
/// Filters take at most one in so many bytes of the column's blocks.
const SHARE: u64 = 16;
/// Texts that lie in more than one block, and in more than one in so many, are not worth a filter.
const SPREAD: u64 = 4;
/// Of so many distinct texts it is counted how many blocks have them.
const SAMPLE: usize = 256;
/// Cells of a filter at most.
pub(super) const MOST_CELLS: usize = (BLOCK * BITS).div_ceil(CELL_BITS);
/// A value has as many whole bands as fit in so many bytes, and one at least.
const VALUE_BYTES: usize = 64 << 10;

/// How the bands of a column lie in values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) blocks: usize,
    pub(super) cells: usize,
}

impl Layout {
    fn band_bytes(self) -> usize {
        self.blocks * CELL_BYTES
    }

    fn bands_in_value(self) -> usize {
        (VALUE_BYTES / self.band_bytes()).max(1)
    }

    /// How many values there are.
    pub(super) fn values(self) -> usize {
        self.cells.div_ceil(self.bands_in_value())
    }

    /// Bytes of a value.
    pub(super) fn value_bytes(self, value: usize) -> usize {
        let before = value * self.bands_in_value();
        self.bands_in_value().min(self.cells - before) * self.band_bytes()
    }

    /// Value that has the band of a cell, and where in it.
    pub(super) fn place(self, cell: usize) -> (usize, std::ops::Range<usize>) {
        let (value, band) = (cell / self.bands_in_value(), cell % self.bands_in_value());
        (value, band * self.band_bytes()..(band + 1) * self.band_bytes())
    }
}

/// Filters of a column, encoded.
#[derive(Debug)]
pub(super) struct Encoded {
    /// Cells of each.
    pub(super) cells: usize,
    /// Payloads of the values.
    pub(super) values: Vec<Vec<u8>>,
}

/// Hashes of the distinct texts of a block, ascending.
pub(super) fn distinct_hashes(texts: &[&str], valid: Option<&Valid>) -> Vec<u64> {
    let rows = texts.iter().enumerate().filter(|(row, _)| is_valid(valid, *row));
    let mut hashes: Vec<u64> = rows.map(|(_, text)| text_hash(text)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// Takes the texts of a column block by block.
#[derive(Debug, Default)]
pub(super) struct Filterer {
    /// Hashes of the distinct texts of each block.
    hashes: Vec<u64>,
    /// Where those of each block end.
    ends: Vec<usize>,
    /// The least hashes of all and how many blocks have each: a fair sample of the column's distinct texts.
    sample: BTreeMap<u64, u64>,
}

impl Filterer {
    /// Takes the hashes of a block's distinct texts.
    pub(super) fn block(&mut self, hashes: &[u64]) {
        for &hash in hashes {
            if self.sample.len() >= SAMPLE && self.sample.last_key_value().is_some_and(|(&most, _)| hash > most) {
                break;
            }
            // What is among the least of all was so when it came first: no block that has it goes uncounted.
            *self.sample.entry(hash).or_insert(0) += 1;
            if self.sample.len() > SAMPLE {
                self.sample.pop_last();
            }
        }
        self.hashes.extend_from_slice(hashes);
        self.ends.push(self.hashes.len());
    }

    /// The filters, if they are worth their room beside blocks of so many bytes.
    pub(super) fn finish(self, bytes: u64) -> Option<Encoded> {
        let blocks = self.ends.len();
        let counts = self
            .ends
            .iter()
            .scan(0, |before, &end| Some(end - std::mem::replace(before, end)));
        let most = counts.max().unwrap_or(0);
        let in_blocks: u64 = self.sample.values().sum();
        // Most blocks have what is asked for, whichever of the texts it is.
        if in_blocks > self.sample.len() as u64 * (blocks as u64 / SPREAD).max(1) {
            return None;
        }
        let room = (bytes / SHARE) as usize / (blocks * CELL_BYTES).max(1);
        let cells = (most * BITS).div_ceil(CELL_BITS).min(room);
        if cells == 0 || cells * CELL_BITS * blocks < self.hashes.len() * LEAST_BITS {
            return None;
        }
        let layout = Layout { blocks, cells };
        let mut values: Vec<Vec<u8>> = (0..layout.values())
            .map(|value| vec![0; layout.value_bytes(value)])
            .collect();
        let mut start = 0;
        for (block, &end) in self.ends.iter().enumerate() {
            for &hash in &self.hashes[start..end] {
                let (value, band) = layout.place(cell_of(hash, cells));
                Bits::of(hash).set(&mut values[value][band][block * CELL_BYTES..][..CELL_BYTES]);
            }
            start = end;
        }
        Some(Encoded { cells, values })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::part::block::first;

    /// Texts like UUIDs, a different one for each number (splitmix64).
    fn uuid(number: u64) -> String {
        let mixed = |seed: u64| {
            let mut mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        };
        let (high, low) = (mixed(number * 2 + 1), mixed(number * 2 + 2));
        let (b, c) = (high >> 16 & 0xFFFF, high & 0xFFFF);
        format!(
            "{:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}",
            high >> 32,
            low >> 48,
            low & 0xFFFF_FFFF_FFFF
        )
    }

    fn filters_of<T: AsRef<str>>(blocks: &[Vec<T>], bytes: u64) -> Option<Encoded> {
        let mut filterer = Filterer::default();
        for block in blocks {
            let texts: Vec<&str> = block.iter().map(AsRef::as_ref).collect();
            filterer.block(&distinct_hashes(&texts, None));
        }
        filterer.finish(bytes)
    }

    fn has(encoded: &Encoded, blocks: usize, block: usize, text: &str) -> bool {
        let layout = Layout {
            blocks,
            cells: encoded.cells,
        };
        let (value, band) = layout.place(cell_of(text_hash(text), encoded.cells));
        Bits::of(text_hash(text)).are_in(&encoded.values[value][band].as_chunks().0[block])
    }

    #[test]
    fn of_texts_that_a_block_does_not_have_one_in_fifty_passes() {
        // What a block of UUIDs takes, about.
        let blocks: Vec<Vec<String>> = (0..40)
            .map(|block| (0..1_024).map(|row| uuid(block * 1_024 + row)).collect())
            .collect();
        let encoded = filters_of(&blocks, 40 * 1_024 * 19).unwrap();
        assert_eq!(encoded.cells, MOST_CELLS);
        let passed = (1_000_000..1_005_000u64)
            .map(|other| (0..40).filter(|&block| has(&encoded, 40, block, &uuid(other))).count())
            .sum::<usize>();
        assert!((2_000..5_000).contains(&passed), "{passed} of 200,000");
    }

    #[test]
    fn filters_take_their_share_and_no_more() {
        let blocks: Vec<Vec<String>> = (0..9)
            .map(|block| (0..1_024).map(|row| uuid(block * 1_024 + row)).collect())
            .collect();
        let mut cells = Vec::new();
        for bytes in [30, 19, 14, 8, 7, 4].map(|width| 9 * 1_024 * width) {
            let encoded = filters_of(&blocks, bytes);
            let taken: usize = encoded.iter().flat_map(|encoded| &encoded.values).map(Vec::len).sum();
            assert!(taken as u64 <= bytes / SHARE);
            cells.push(encoded.map_or(0, |encoded| encoded.cells));
        }
        assert_eq!(cells, [36, 36, 28, 16, 0, 0]);
    }

    #[test]
    fn texts_that_most_blocks_have_get_no_filters() {
        let blocks = |distinct: u64, shift: u64| -> Vec<Vec<String>> {
            let texts = move |block| {
                (0..1_024)
                    .map(move |row| uuid(block * shift + row % distinct))
                    .collect()
            };
            (0..16).map(texts).collect()
        };
        assert!(filters_of(&blocks(9, 0), 1 << 20).is_none(), "the same nine in all");
        assert!(filters_of(&blocks(90, 15), 1 << 20).is_none(), "most in six of sixteen");
        assert_eq!(filters_of(&blocks(90, 45), 1 << 20).unwrap().cells, 4, "each in two");
        assert_eq!(filters_of(&blocks(9, 9), 1 << 20).unwrap().cells, 1);
        // Of a single block it cannot be said; texts that are not there are ruled out by it.
        assert_eq!(filters_of(&blocks(90, 0)[..1], 1 << 16).unwrap().cells, 4);
        assert!(filters_of(&vec![vec![""; 0]; 3], 0).is_none(), "no text at all");
    }

    proptest! {
        #[test]
        fn every_text_of_a_block_is_in_its_filter(
            blocks in prop::collection::vec(prop::collection::vec("[a-f]{0,5}|[a-z0-9-]{20,40}|\\PC{1,9}", 1..200), 1..6),
            valid in any::<[u64; 4]>(),
            bytes in 20_000u64..200_000,
        ) {
            let mut some = first(0);
            some[..4].copy_from_slice(&valid);
            let mut filterer = Filterer::default();
            for texts in &blocks {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                filterer.block(&distinct_hashes(&texts, Some(&some)));
            }
            if let Some(encoded) = filterer.finish(bytes) {
                for (block, texts) in blocks.iter().enumerate() {
                    for (_, text) in texts.iter().enumerate().filter(|(row, _)| is_valid(Some(&some), *row)) {
                        prop_assert!(has(&encoded, blocks.len(), block, text));
                    }
                }
            }
        }

        #[test]
        fn values_hold_each_band_once(blocks in 1usize..20_000, cells in 1..=MOST_CELLS) {
            let layout = Layout { blocks, cells };
            let mut next = (0, 0);
            for cell in 0..cells {
                let (value, band) = layout.place(cell);
                if value != next.0 {
                    prop_assert_eq!(layout.value_bytes(next.0), next.1);
                    next = (next.0 + 1, 0);
                }
                prop_assert_eq!((value, band.start, band.len()), (next.0, next.1, blocks * CELL_BYTES));
                next.1 = band.end;
            }
            prop_assert_eq!((layout.values(), layout.value_bytes(next.0)), (next.0 + 1, next.1));
        }
    }
}
