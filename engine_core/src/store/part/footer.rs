//! Footers: where the blocks of a column are, and what is known of each without decoding it. FORMAT.md, "Parts".

use super::array;
use super::filters::{Layout, MOST_CELLS};
use crate::codec::fields::{Fields, put_varint};
use crate::column::packed::{BlockStats, Physical};
use crate::column::{BLOCK_ROWS, ColumnId};

const LOCAL_CODES: u8 = 1;
const SUMS: u8 = 2;
const AGGREGATES: u8 = 4;
const FILTERS: u8 = 8;
/// Aggregates of a column at most: its ends, and a level for each width there may be.
const MAX_AGGREGATES: usize = 13;

/// A block of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::store) struct Entry {
    /// Blob that holds it.
    pub(super) blob: u32,
    /// Where it begins in the blob's payload.
    pub(super) offset: u32,
    /// Its bytes.
    pub(super) length: u32,
    /// Their crc32c.
    pub(super) crc: u32,
    /// Rows that are null.
    pub(super) nulls: u16,
    /// Doubles that are NaN.
    pub(super) nans: u16,
    /// Least value that is neither, as bits of the physical type.
    pub(super) least: u64,
    /// Greatest such value.
    pub(super) greatest: u64,
    /// Sum of such values.
    pub(super) sum: u64,
}

/// Directory of a column.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) struct Footer {
    pub(super) column: ColumnId,
    pub(super) physical: Physical,
    /// Codes are places in the column's list of codes.
    pub(super) local_codes: bool,
    /// Every block's sum is there.
    pub(super) has_sums: bool,
    pub(super) blocks: Vec<Entry>,
    /// crc32c of each value of aggregates of the column; empty: there are none.
    pub(super) aggregates: Vec<u32>,
    /// Cells of each block's filter; 0: there are no filters.
    pub(super) cells: usize,
    /// crc32c of each value of filters of the column.
    pub(super) filters: Vec<u32>,
}

impl Footer {
    /// How the column's filters lie; none: it has none.
    pub(super) fn filter_layout(&self) -> Option<Layout> {
        let (blocks, cells) = (self.blocks.len(), self.cells);
        (cells > 0).then_some(Layout { blocks, cells })
    }

    /// Statistics of a block. Codes are as stored.
    pub(super) fn stats(&self, block: usize) -> BlockStats {
        let entry = &self.blocks[block];
        BlockStats {
            nulls: entry.nulls.into(),
            nans: entry.nans.into(),
            min: entry.least,
            max: entry.greatest,
        }
    }

    /// Bytes of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.blocks.capacity() * size_of::<Entry>()
            + (self.aggregates.capacity() + self.filters.capacity()) * 4
    }

    /// Bytes of the blocks.
    pub(super) fn data_bytes(&self) -> u64 {
        self.blocks.iter().map(|entry| u64::from(entry.length)).sum()
    }

    /// Appends it as it lies in the file.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.column.to_le_bytes());
        let flags = u8::from(self.local_codes) * LOCAL_CODES
            + u8::from(self.has_sums) * SUMS
            + u8::from(!self.aggregates.is_empty()) * AGGREGATES
            + u8::from(self.cells > 0) * FILTERS;
        out.extend_from_slice(&[self.physical as u8, flags]);
        out.extend_from_slice(&(self.blocks.len() as u32).to_le_bytes());
        let pieces = self
            .blocks
            .chunk_by(|left, right| left.blob == right.blob && left.offset + left.length == right.offset);
        put_varint(pieces.clone().count() as u64, out);
        for piece in pieces {
            put_varint(piece[0].blob.into(), out);
            put_varint(piece[0].offset.into(), out);
            put_varint(piece.len() as u64, out);
        }
        array::put_numbers(self.blocks.iter().map(|entry| entry.length), out);
        for entry in &self.blocks {
            out.extend_from_slice(&entry.crc.to_le_bytes());
        }
        array::put_numbers(self.blocks.iter().map(|entry| entry.nulls), out);
        if self.physical == Physical::F64 {
            array::put_numbers(self.blocks.iter().map(|entry| entry.nans), out);
        }
        if self.physical != Physical::Text {
            self.put_values(|entry| entry.least, out);
            self.put_values(|entry| entry.greatest, out);
        }
        if self.has_sums {
            self.put_values(|entry| entry.sum, out);
        }
        if !self.aggregates.is_empty() {
            put_varint(self.aggregates.len() as u64, out);
            self.aggregates
                .iter()
                .for_each(|crc| out.extend_from_slice(&crc.to_le_bytes()));
        }
        if self.cells > 0 {
            put_varint(self.cells as u64, out);
            self.filters
                .iter()
                .for_each(|crc| out.extend_from_slice(&crc.to_le_bytes()));
        }
    }

    fn put_values(&self, value: fn(&Entry) -> u64, out: &mut Vec<u8>) {
        array::put_values(self.blocks.iter().map(value), self.physical, out);
    }

    /// Reads the footer of a column of so many rows; none if the bytes are no such footer.
    pub(super) fn decode(bytes: &[u8], column: ColumnId, physical: Physical, rows: usize) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let blocks = rows.div_ceil(BLOCK_ROWS);
        let head = fields.take(8)?;
        let flags = head[3];
        if head[..2] != column.to_le_bytes()
            || head[2] != physical as u8
            || flags & !(LOCAL_CODES | SUMS | AGGREGATES | FILTERS) != 0
            || head[4..] != (blocks as u32).to_le_bytes()
        {
            return None;
        }
        let mut footer = Self {
            column,
            physical,
            local_codes: flags & LOCAL_CODES != 0,
            has_sums: flags & SUMS != 0,
            blocks: Vec::new(),
            aggregates: Vec::new(),
            cells: 0,
            filters: Vec::new(),
        };
        let mut pieces = Vec::new();
        for _ in 0..fields.number(blocks)? {
            pieces.push((
                fields.number(u32::MAX as usize)?,
                fields.number(u32::MAX as usize)?,
                fields.number(blocks)?,
            ));
        }
        let lengths = array::numbers(&mut fields, blocks, u32::MAX.into())?;
        footer.blocks = vec![Entry::default(); blocks];
        let mut entries = footer.blocks.iter_mut().zip(lengths);
        for (blob, offset, count) in pieces {
            let mut offset = offset as u32;
            for _ in 0..count {
                let (entry, length) = entries.next()?;
                entry.blob = blob as u32;
                entry.offset = offset;
                entry.length = length as u32;
                offset = offset.checked_add(entry.length)?;
            }
        }
        if entries.next().is_some() {
            return None;
        }
        for entry in &mut footer.blocks {
            entry.crc = u32::from_le_bytes(fields.take(4)?.try_into().ok()?);
        }
        let nulls = array::numbers(&mut fields, blocks, BLOCK_ROWS as u64)?;
        for (entry, nulls) in footer.blocks.iter_mut().zip(nulls) {
            entry.nulls = nulls as u16;
        }
        if physical == Physical::F64 {
            let nans = array::numbers(&mut fields, blocks, BLOCK_ROWS as u64)?;
            for (entry, nans) in footer.blocks.iter_mut().zip(nans) {
                entry.nans = nans as u16;
            }
        }
        let mut left = rows;
        for entry in &footer.blocks {
            let block_rows = left.min(BLOCK_ROWS);
            left -= block_rows;
            if usize::from(entry.nulls) + usize::from(entry.nans) > block_rows {
                return None;
            }
        }
        if physical != Physical::Text {
            footer.take_values(&mut fields, |entry| &mut entry.least)?;
            footer.take_values(&mut fields, |entry| &mut entry.greatest)?;
        }
        if footer.has_sums {
            footer.take_values(&mut fields, |entry| &mut entry.sum)?;
        }
        if flags & AGGREGATES != 0 {
            for _ in 0..fields.number(MAX_AGGREGATES).filter(|&n| n > 0)? {
                let crc = u32::from_le_bytes(fields.take(4)?.try_into().ok()?);
                footer.aggregates.push(crc);
            }
        }
        if flags & FILTERS != 0 {
            footer.cells = fields.number(MOST_CELLS).filter(|&cells| cells > 0)?;
            for _ in 0..footer.filter_layout()?.values() {
                let crc = u32::from_le_bytes(fields.take(4)?.try_into().ok()?);
                footer.filters.push(crc);
            }
        }
        fields.is_empty().then_some(footer)
    }

    fn take_values(&mut self, fields: &mut Fields<'_>, place: fn(&mut Entry) -> &mut u64) -> Option<()> {
        let bits = array::values(fields, self.physical, self.blocks.len())?;
        for (entry, bits) in self.blocks.iter_mut().zip(bits) {
            *place(entry) = bits;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn footer(physical: Physical, blocks: Vec<(u16, u32, u64, u64)>) -> Footer {
        let mut offset = 0;
        let blocks = blocks
            .into_iter()
            .enumerate()
            .map(|(at, (nulls, length, least, greatest))| {
                if at % 7 == 6 {
                    offset = 0;
                }
                let is_text = physical == Physical::Text;
                let entry = Entry {
                    blob: (at / 7) as u32 + at as u32 % 7 / 6,
                    offset,
                    length,
                    crc: length.wrapping_mul(7),
                    nulls: nulls % 1021,
                    nans: if physical == Physical::F64 { nulls % 3 } else { 0 },
                    least: if is_text { 0 } else { least },
                    greatest: if is_text { 0 } else { greatest },
                    sum: 0,
                };
                offset += length;
                entry
            });
        Footer {
            column: 9,
            physical,
            local_codes: false,
            has_sums: false,
            blocks: blocks.collect(),
            aggregates: Vec::new(),
            cells: 0,
            filters: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn footers_read_back(
            blocks in prop::collection::vec((any::<u16>(), 0u32..9_000, any::<u64>(), any::<u64>()), 1..40),
            number in 1u8..=5,
        ) {
            let physical = Physical::from_number(number).unwrap();
            let rows = blocks.len() * BLOCK_ROWS - 1;
            let mut footer = footer(physical, blocks);
            let mut bytes = Vec::new();
            footer.encode(&mut bytes);
            prop_assert_eq!(Footer::decode(&bytes, 9, physical, rows), Some(footer.clone()));
            if physical != Physical::Text {
                footer.has_sums = true;
                footer.blocks.iter_mut().for_each(|entry| entry.sum = entry.least ^ 1);
                bytes.clear();
                footer.encode(&mut bytes);
                prop_assert_eq!(Footer::decode(&bytes, 9, physical, rows), Some(footer.clone()));
                footer.aggregates = vec![7, u32::MAX];
                bytes.clear();
                footer.encode(&mut bytes);
                prop_assert_eq!(Footer::decode(&bytes, 9, physical, rows), Some(footer.clone()));
            }
            footer.cells = 1 + usize::from(number) * 7;
            footer.filters = (0..).take(footer.filter_layout().unwrap().values()).collect();
            bytes.clear();
            footer.encode(&mut bytes);
            prop_assert_eq!(Footer::decode(&bytes, 9, physical, rows), Some(footer));
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200), rows in 1usize..9_000) {
            let mut bytes = bytes;
            let head: Vec<u8> = [9, 0, 1, 2].into_iter().chain((rows.div_ceil(BLOCK_ROWS) as u32).to_le_bytes()).collect();
            let _ = Footer::decode(&bytes, 9, Physical::F64, rows);
            bytes.splice(0..0, head);
            let _ = Footer::decode(&bytes, 9, Physical::F64, rows);
        }
    }
}
