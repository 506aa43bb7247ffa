//! From blocks to values. Each block's checksum is compared just before; whatever the bytes are, nothing here panics.

use super::{BLOCK_ROWS, BYTES, CONSTANT, Entry, INTERLEAVED, PackedBatch, Physical, RAW, damaged, u32_at};
use crate::codec::bitpack::{unpack_u32, unpack_u64};
use crate::codec::checksum::crc32c;
use crate::error::{Error, Result};

/// Which rows of a decoded block are not null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validity {
    /// All of them.
    All,
    /// None of them.
    None,
    /// Those with a one, least significant first.
    Some(Box<[u64; 16]>),
}

impl Validity {
    /// Whether the row is not null.
    pub fn get(&self, row: usize) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some(words) => words[row / 64] >> (row % 64) & 1 == 1,
        }
    }
}

/// Texts of a decoded block.
#[derive(Debug)]
pub struct TextBlock<'a> {
    ends: Vec<u32>,
    bytes: &'a [u8],
}

impl<'a> TextBlock<'a> {
    /// Text of a row of the block; empty at a null.
    pub fn get(&self, row: usize) -> &'a str {
        let Some(&end) = self.ends.get(row) else {
            return "";
        };
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        std::str::from_utf8(&self.bytes[start as usize..end as usize]).unwrap_or_default()
    }
}

impl PackedBatch {
    /// Checks a block and splits off its validity.
    fn checked(&self, column: usize, block: usize) -> Result<(Entry, Validity, &[u8])> {
        let at = self.entry_at(column, block);
        let (offset, length) = (u32_at(&self.bytes, at) as usize, u32_at(&self.bytes, at + 4) as usize);
        let bytes = &self.bytes[offset..offset + length];
        if crc32c(bytes) != u32_at(&self.bytes, at + 8) {
            return Err(damaged("checksum of a block"));
        }
        let entry = self.entry(column, block);
        let (n, nulls) = (self.block_rows(block), usize::from(entry.nulls));
        if nulls == 0 || self.physical(column) == Physical::Code {
            return Ok((entry, Validity::All, bytes));
        }
        if nulls >= n {
            return Ok((entry, Validity::None, &[]));
        }
        let prefix = n.div_ceil(8).next_multiple_of(8);
        if bytes.len() < prefix {
            return Err(damaged("validity of a block"));
        }
        let mut words = Box::new([0u64; 16]);
        for (word, le) in words.iter_mut().zip(bytes[..prefix].chunks_exact(8)) {
            *word = u64::from_le_bytes(le.try_into().expect("eight bytes"));
        }
        Ok((entry, Validity::Some(words), &bytes[prefix..]))
    }

    fn wrong_codec(entry: &Entry) -> Error {
        damaged(&format!("codec {} width {}", entry.codec, entry.width))
    }

    /// Decodes a block of integers, timestamps or event time; rows past the block's are unspecified.
    pub fn decode_i64(&self, column: usize, block: usize, out: &mut [i64; BLOCK_ROWS]) -> Result<Validity> {
        debug_assert_eq!(self.physical(column), Physical::I64);
        let (entry, validity, bytes) = self.checked(column, block)?;
        let n = self.block_rows(block);
        if validity == Validity::None || entry.codec == CONSTANT {
            out[..n].fill(entry.min as i64);
            return Ok(validity);
        }
        let scale = 10u64
            .checked_pow(entry.scale.into())
            .ok_or_else(|| Self::wrong_codec(&entry))?;
        let finish = |difference: u64| entry.min.wrapping_add(difference.wrapping_mul(scale)) as i64;
        let width = usize::from(entry.width);
        match entry.codec {
            INTERLEAVED => {
                let mut differences = [0u64; BLOCK_ROWS];
                if n != BLOCK_ROWS || !unpack_u64(bytes, entry.width.into(), &mut differences) {
                    return Err(Self::wrong_codec(&entry));
                }
                for (out, difference) in out.iter_mut().zip(differences) {
                    *out = finish(difference);
                }
            }
            BYTES if width <= 8 && bytes.len() == n * width => {
                for (row, out) in out[..n].iter_mut().enumerate() {
                    *out = finish(le_bytes(&bytes[row * width..][..width]));
                }
            }
            _ => return Err(Self::wrong_codec(&entry)),
        }
        Ok(validity)
    }

    /// Decodes a block of dictionary codes, 0 being null.
    pub fn decode_codes(&self, column: usize, block: usize, out: &mut [u32; BLOCK_ROWS]) -> Result<()> {
        debug_assert_eq!(self.physical(column), Physical::Code);
        let (entry, _, bytes) = self.checked(column, block)?;
        let n = self.block_rows(block);
        let (base, width) = (entry.min as u32, usize::from(entry.width));
        match entry.codec {
            CONSTANT => out[..n].fill(base),
            INTERLEAVED => {
                if n != BLOCK_ROWS || !unpack_u32(bytes, entry.width.into(), out) {
                    return Err(Self::wrong_codec(&entry));
                }
                for code in out.iter_mut() {
                    *code = code.wrapping_add(base);
                }
            }
            BYTES if width <= 4 && bytes.len() == n * width => {
                for (row, out) in out[..n].iter_mut().enumerate() {
                    *out = base.wrapping_add(le_bytes(&bytes[row * width..][..width]) as u32);
                }
            }
            _ => return Err(Self::wrong_codec(&entry)),
        }
        Ok(())
    }

    /// Decodes a block of doubles.
    pub fn decode_f64(&self, column: usize, block: usize, out: &mut [f64; BLOCK_ROWS]) -> Result<Validity> {
        debug_assert_eq!(self.physical(column), Physical::F64);
        let (entry, validity, bytes) = self.checked(column, block)?;
        let n = self.block_rows(block);
        if validity == Validity::None || entry.codec == CONSTANT {
            out[..n].fill(f64::from_bits(entry.min));
        } else if entry.codec == RAW && bytes.len() == n * 8 {
            for (out, le) in out.iter_mut().zip(bytes.chunks_exact(8)) {
                *out = f64::from_le_bytes(le.try_into().expect("eight bytes"));
            }
        } else {
            return Err(Self::wrong_codec(&entry));
        }
        Ok(validity)
    }

    /// Decodes a block of booleans.
    pub fn decode_bool(&self, column: usize, block: usize, out: &mut [bool; BLOCK_ROWS]) -> Result<Validity> {
        debug_assert_eq!(self.physical(column), Physical::Bool);
        let (entry, validity, bytes) = self.checked(column, block)?;
        let n = self.block_rows(block);
        if validity == Validity::None || entry.codec == CONSTANT {
            out[..n].fill(entry.min == 1);
        } else if entry.codec == RAW && bytes.len() == n.div_ceil(8) {
            for (row, out) in out[..n].iter_mut().enumerate() {
                *out = bytes[row / 8] >> (row % 8) & 1 == 1;
            }
        } else {
            return Err(Self::wrong_codec(&entry));
        }
        Ok(validity)
    }

    /// Decodes a block of texts.
    pub fn decode_text(&self, column: usize, block: usize) -> Result<(TextBlock<'_>, Validity)> {
        debug_assert_eq!(self.physical(column), Physical::Text);
        let (entry, validity, bytes) = self.checked(column, block)?;
        let n = self.block_rows(block);
        if validity == Validity::None {
            return Ok((
                TextBlock {
                    ends: Vec::new(),
                    bytes: &[],
                },
                validity,
            ));
        }
        if entry.codec != RAW || bytes.len() < n * 4 {
            return Err(Self::wrong_codec(&entry));
        }
        let (lengths, texts) = bytes.split_at(n * 4);
        let mut end = 0u32;
        let mut ends = Vec::with_capacity(n);
        for length in lengths.chunks_exact(4) {
            let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
            end = end.checked_add(length).ok_or_else(|| damaged("lengths of texts"))?;
            ends.push(end);
        }
        if end as usize != texts.len() {
            return Err(damaged("lengths of texts"));
        }
        Ok((TextBlock { ends, bytes: texts }, validity))
    }

    /// Checks every block, as a verification does.
    pub fn verify(&self) -> Result<()> {
        for column in 0..self.columns {
            for block in 0..self.blocks {
                self.checked(column, block)?;
            }
        }
        Ok(())
    }
}

fn le_bytes(bytes: &[u8]) -> u64 {
    let mut le = [0u8; 8];
    le[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(le)
}
