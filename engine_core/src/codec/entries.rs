//! Entries of an index: hashes of texts with the codes of these, ascending by hash and, where that is equal, by code. Their number
//! (varint, at least 1), then for each 1,024 of them (the last may be fewer) two integer blocks (`integers`), each behind its length
//! (varint): the hashes, then the codes.
//!
//! Hashes that are sorted lie near each other, and codes are as wide as there are codes: a bit less in the one is a bit more in the
//! other, so that an entry takes about 35 bits, however many there are.

use super::fields::{Fields, put_varint};
use super::{BLOCK, integers};

/// A hash, and a code whose text has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Half a hash of the text.
    pub hash: u32,
    /// The text's code.
    pub code: u32,
}

/// Encodes entries that ascend.
///
/// # Panics
/// If there is none.
pub fn encode(entries: &[Entry]) -> Vec<u8> {
    assert!(!entries.is_empty(), "an index has an entry");
    debug_assert!(entries.is_sorted_by(|left, right| left < right), "entries ascend");
    let mut out = Vec::new();
    put_varint(entries.len() as u64, &mut out);
    let mut block = Vec::new();
    for entries in entries.chunks(BLOCK) {
        for field in [|entry: &Entry| entry.hash, |entry: &Entry| entry.code] {
            let values: Vec<u32> = entries.iter().map(field).collect();
            block.clear();
            integers::encode_codes(&values, &mut block);
            put_varint(block.len() as u64, &mut out);
            out.extend_from_slice(&block);
        }
    }
    out
}

/// Appends the entries, at most so many, to those before them; none, with some of them appended, if the bytes are no such entries or do
/// not ascend.
#[must_use]
pub fn decode(bytes: &[u8], most: usize, out: &mut Vec<Entry>) -> Option<()> {
    let mut fields = Fields::new(bytes);
    let mut left = fields.number(most).filter(|&count| count > 0)?;
    let (mut hashes, mut codes) = ([0; BLOCK], [0; BLOCK]);
    let mut last = out.last().copied();
    while left > 0 {
        let rows = left.min(BLOCK);
        for values in [&mut hashes, &mut codes] {
            if !integers::decode_codes(fields.nested()?, rows, values) {
                return None;
            }
        }
        for (&hash, &code) in hashes[..rows].iter().zip(&codes) {
            let entry = Entry { hash, code };
            if last.is_some_and(|last| last >= entry) {
                return None;
            }
            last = Some(entry);
            out.push(entry);
        }
        left -= rows;
    }
    fields.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Option<Vec<Entry>> {
        let mut out = Vec::new();
        decode(bytes, 1 << 20, &mut out).map(|()| out)
    }

    /// As many as asked for, spread as hashes are.
    fn entries(count: u32) -> Vec<Entry> {
        let entry = |code: u32| Entry {
            hash: (u64::from(code).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) >> 7) as u32,
            code,
        };
        let mut entries: Vec<Entry> = (1..=count).map(entry).collect();
        entries.sort_unstable();
        entries
    }

    #[test]
    fn bytes_are_as_described() {
        let entry = |hash, code| Entry { hash, code };
        // Both blocks constant: of zig-zag varints.
        assert_eq!(encode(&[entry(5, 3)]), [1, 2, 0, 10, 2, 0, 6]);
        let most = entry(u32::MAX, u32::MAX);
        assert_eq!(read(&encode(&[entry(0, 0), most])).unwrap(), [entry(0, 0), most]);
    }

    #[test]
    fn an_entry_takes_less_than_five_bytes_however_many_there_are() {
        for count in [4_096, 65_536, 1 << 20] {
            let entries = entries(count);
            let bytes = encode(&entries);
            assert_eq!(read(&bytes).unwrap(), entries);
            assert!(bytes.len() * 10 < entries.len() * 47, "{count}: {} bytes", bytes.len());
        }
    }

    #[test]
    fn what_does_not_ascend_or_is_cut_is_refused() {
        let entries = entries(3_000);
        let bytes = encode(&entries);
        for end in (0..bytes.len()).step_by(7) {
            assert!(read(&bytes[..end]).is_none(), "cut at {end}");
        }
        assert!(read(&[&bytes[..], &[0]].concat()).is_none());
        assert!(read(&[0]).is_none(), "there is an entry");
        assert!(decode(&bytes, 2_999, &mut Vec::new()).is_none());
        let mut following = entries[10..].to_vec();
        assert!(decode(&encode(&entries[..10]), 10, &mut following).is_none());
        let mut before = entries[..10].to_vec();
        assert!(decode(&encode(&entries[10..]), 2_990, &mut before).is_some());
        assert_eq!(before, entries);
        // The same entry twice.
        assert!(read(&[2, 2, 0, 10, 2, 0, 6]).is_none());
    }

    proptest! {
        #[test]
        fn entries_come_back(pairs in prop::collection::btree_set(
            (prop_oneof![0u32..9, any::<u32>()], any::<u32>()), 1..2_100)
        ) {
            let entries: Vec<Entry> = pairs.into_iter().map(|(hash, code)| Entry { hash, code }).collect();
            prop_assert_eq!(read(&encode(&entries)).unwrap(), entries);
        }

        #[test]
        fn any_bytes_are_entries_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn a_changed_byte_is_noticed_or_still_ascends(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = encode(&entries(2_000));
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Some(read) = read(&bytes) {
                prop_assert!(read.is_sorted_by(|left, right| left < right));
            }
        }
    }
}
