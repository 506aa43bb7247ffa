//! The header of every value of a part: what it is, and a checksum that ties it to its part and its key.

use super::damaged;
use crate::codec::checksum::crc32c_of;
use crate::error::Result;

/// Bytes before the payload, so that it is 64-byte aligned behind LMDB's page header of 16.
pub(super) const HEADER_BYTES: usize = 48;
const FORMAT: u8 = 1;
/// Values longer than this lie in pages of their own, whatever their key: they are padded to whole ones.
const INLINE_BYTES: usize = 1_900;
const PAGE_BYTES: usize = 4_096;
const LMDB_HEADER_BYTES: usize = 16;

/// A key of a part.
pub(in crate::store) type Key = [u8; 7];

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::store) enum Kind {
    /// Encoded blocks end to end.
    Blob = 3,
    /// Where a column's blocks are, and what is known of them.
    Footer = 4,
    /// The dictionary codes of a column.
    Codes = 5,
    /// The rows of each entity.
    Runs = 6,
    /// Ends and nodes of a column.
    Aggregates = 7,
    /// What the part is.
    Root = 8,
    /// Filters of the blocks of a column of texts.
    Filters = 9,
}

/// Key of a value.
pub(in crate::store) fn key(kind: Kind, column: u16, number: u32) -> Key {
    let (column, number) = (column.to_be_bytes(), number.to_be_bytes());
    [
        kind as u8, column[0], column[1], number[0], number[1], number[2], number[3],
    ]
}

/// Which part a value belongs to: the key of its record in the table `parts`.
pub(in crate::store) type Identity = [u8; 16];

fn checksum(identity: &Identity, key: Key, header: &[u8], payload: &[u8]) -> u32 {
    let payload = if key[0] == Kind::Blob as u8 { &[] } else { payload };
    crc32c_of(&[identity, &key, &header[..12], &header[16..HEADER_BYTES], payload])
}

/// A value in the making: room for its header, then the payload.
pub(super) fn begin() -> Vec<u8> {
    vec![0; HEADER_BYTES]
}

/// Fills in the header of a value and pads it. Returns its checksum.
pub(super) fn seal(identity: &Identity, key: Key, value: &mut Vec<u8>) -> u32 {
    let length = value.len() - HEADER_BYTES;
    let (header, payload) = value.split_at_mut(HEADER_BYTES);
    header[0] = FORMAT;
    header[1] = key[0];
    header[4..8].copy_from_slice(&(length as u32).to_le_bytes());
    let crc = checksum(identity, key, header, payload);
    header[12..16].copy_from_slice(&crc.to_le_bytes());
    if value.len() > INLINE_BYTES {
        let pages = (value.len() + LMDB_HEADER_BYTES).div_ceil(PAGE_BYTES);
        value.resize(pages * PAGE_BYTES - LMDB_HEADER_BYTES, 0);
    }
    crc
}

/// Payload and checksum of a value, its header checked and, but for blobs, its payload.
pub(super) fn open<'a>(identity: &Identity, key: Key, value: &'a [u8]) -> Result<(&'a [u8], u32)> {
    let wrong = |what: &str| damaged(identity, &format!("key {key:02x?}: {what}"));
    let (header, rest) = value
        .split_at_checked(HEADER_BYTES)
        .ok_or_else(|| wrong("shorter than its header"))?;
    if header[..4] != [FORMAT, key[0], 0, 0] {
        return Err(wrong("not a value of this kind and format"));
    }
    let u32_at = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let payload = rest.get(..u32_at(4) as usize).ok_or_else(|| wrong("length"))?;
    if u32_at(12) != checksum(identity, key, header, payload) {
        return Err(wrong("checksum"));
    }
    if rest[payload.len()..].iter().any(|&byte| byte != 0) {
        return Err(wrong("padding"));
    }
    Ok((payload, u32_at(12)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Identity = [7; 16];

    #[test]
    fn values_fill_whole_pages_and_read_back() {
        for (length, total) in [(0, 48), (1_852, 1_900), (1_853, 4_080), (4_032, 4_080), (4_033, 8_176)] {
            let mut value = begin();
            value.resize(HEADER_BYTES + length, 9);
            let key = key(Kind::Footer, 3, 1);
            let crc = seal(&PART, key, &mut value);
            assert_eq!(value.len(), total);
            let (payload, found) = open(&PART, key, &value).unwrap();
            assert_eq!((payload.len(), found), (length, crc));
            assert!(open(&[8; 16], key, &value).is_err(), "another part's");
            assert!(
                open(&PART, super::key(Kind::Footer, 3, 2), &value).is_err(),
                "another key's"
            );
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let mut value = begin();
        value.resize(2_000, 5);
        let key = key(Kind::Root, 0, 0);
        seal(&PART, key, &mut value);
        for bit in 0..value.len() * 8 {
            value[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&PART, key, &value).is_err(), "bit {bit}");
            value[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
