//! What a codec of doubles cannot hold: how many (varint) and, if there are any, their rows as an integer block behind its
//! length and a part of each, which is the codec's to choose, as another.

use super::BLOCK;
use super::fields::{Fields, put_varint};
use super::integers;

/// Appends them; `rows` and `parts` are as long.
pub(super) fn write(rows: &[i64], parts: &[i64], out: &mut Vec<u8>) {
    put_varint(rows.len() as u64, out);
    if !rows.is_empty() {
        integers::encode_nested(rows, out);
        integers::encode_nested(parts, out);
    }
}

/// The exceptions of a block.
pub(super) struct Exceptions<'a> {
    count: usize,
    rows: &'a [u8],
    parts: &'a [u8],
}

impl<'a> Exceptions<'a> {
    /// Those of a block of so many rows.
    pub(super) fn read(fields: &mut Fields<'a>, rows: usize) -> Option<Self> {
        let count = fields.number(rows)?;
        let mut nested = || if count == 0 { Some(&[][..]) } else { fields.nested() };
        Some(Self {
            count,
            rows: nested()?,
            parts: nested()?,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Calls back with row and part of each; None if a row is not one of so many.
    pub(super) fn each(&self, rows: usize, mut put: impl FnMut(usize, i64)) -> Option<()> {
        if self.is_empty() {
            return Some(());
        }
        let (mut places, mut parts) = ([0; BLOCK], [0; BLOCK]);
        integers::decode_leaf(self.rows, self.count, &mut places)?;
        integers::decode_leaf(self.parts, self.count, &mut parts)?;
        for (&place, &part) in places.iter().zip(&parts).take(self.count) {
            put(usize::try_from(place).ok().filter(|&place| place < rows)?, part);
        }
        Some(())
    }
}
