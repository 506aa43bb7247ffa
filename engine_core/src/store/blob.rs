//! L0 values: what one commit added to one stream. FORMAT.md, "L0 value".

use std::io::{self, Write};

use crate::codec::checksum::crc32c_of;
use crate::column::PackedBatch;
use crate::column::packed::HEADER_BYTES as BATCH_HEADER_BYTES;
use crate::error::{Error, Result};

/// Bytes before the first batch; a multiple of 16, as a batch's length is.
pub(super) const HEADER_BYTES: usize = 64;
const FORMAT: u8 = 1;
const KIND_L0: u8 = 2;

/// What an L0 value's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct L0Header {
    /// Batches that follow.
    pub(super) batches: u32,
    /// Bytes of the value.
    pub(super) total: u32,
    /// The namespace's commit.
    pub(super) commit: u64,
    /// Its place among the stream's values.
    pub(super) number: u64,
}

impl L0Header {
    /// The header's bytes, its checksum over key, header and the header of each batch.
    fn seal<'a>(&self, key: &[u8], batches: impl Iterator<Item = &'a [u8]>) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[0] = FORMAT;
        header[1] = KIND_L0;
        header[4..8].copy_from_slice(&self.batches.to_le_bytes());
        header[8..12].copy_from_slice(&self.total.to_le_bytes());
        header[48..56].copy_from_slice(&self.commit.to_le_bytes());
        header[56..64].copy_from_slice(&self.number.to_le_bytes());
        let crc = checksum(key, &header, batches);
        header[12..16].copy_from_slice(&crc.to_le_bytes());
        header
    }
}

fn checksum<'a>(key: &[u8], header: &[u8], batches: impl Iterator<Item = &'a [u8]>) -> u32 {
    let mut pieces = vec![key, &header[..12], &header[16..HEADER_BYTES]];
    pieces.extend(batches.map(|batch| &batch[..BATCH_HEADER_BYTES]));
    crc32c_of(&pieces)
}

/// Bytes of a value of these batches; none beyond what its header can say.
pub(super) fn len<'a>(batches: impl Iterator<Item = &'a PackedBatch>) -> Option<u32> {
    u32::try_from(HEADER_BYTES + batches.map(|batch| batch.bytes().len()).sum::<usize>()).ok()
}

/// Writes a value: header, then the batches end to end.
pub(super) fn write(header: &L0Header, key: &[u8], batches: &[&PackedBatch], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&header.seal(key, batches.iter().map(|batch| batch.bytes())))?;
    for batch in batches {
        out.write_all(batch.bytes())?;
    }
    Ok(())
}

fn damaged(what: &str) -> Error {
    Error::corrupt("stored rows are damaged", format!("table l0: {what}"))
}

/// Takes a value apart after checking its header; the batches are sliced, not checked.
pub(super) fn open<'a>(key: &[u8], value: &'a [u8]) -> Result<(L0Header, Vec<&'a [u8]>)> {
    if value.len() < HEADER_BYTES {
        return Err(damaged("shorter than its header"));
    }
    if value[0] != FORMAT || value[1] != KIND_L0 {
        return Err(damaged("not an L0 value of this format"));
    }
    let u32_at = |at: usize| u32::from_le_bytes([value[at], value[at + 1], value[at + 2], value[at + 3]]);
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    let header = L0Header {
        batches: u32_at(4),
        total: u32_at(8),
        commit: u64_at(48),
        number: u64_at(56),
    };
    if header.total as usize != value.len() || header.batches as usize > value.len() / BATCH_HEADER_BYTES {
        return Err(damaged("length"));
    }
    let mut batches = Vec::with_capacity(header.batches as usize);
    let mut rest = &value[HEADER_BYTES..];
    for _ in 0..header.batches {
        let (batch, behind) = rest.split_at(PackedBatch::length(rest)?);
        batches.push(batch);
        rest = behind;
    }
    if !rest.is_empty() {
        return Err(damaged("more bytes than batches"));
    }
    if u32_at(12) != checksum(key, value, batches.iter().copied()) {
        return Err(damaged("checksum of the header"));
    }
    Ok((header, batches))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::RowBatch;
    use crate::column::packed::pack;

    fn batch(rows: i64) -> PackedBatch {
        let batch = RowBatch {
            time: (0..rows).collect(),
            entity: vec![1; rows as usize],
            columns: Vec::new(),
        };
        PackedBatch::open(pack(&batch)).unwrap()
    }

    fn value() -> Vec<u8> {
        let batches = [&batch(3), &batch(2_000)];
        let header = L0Header {
            batches: 2,
            total: len(batches.into_iter()).unwrap(),
            commit: 7,
            number: 11,
        };
        let mut value = Vec::new();
        write(&header, b"key", &batches, &mut value).unwrap();
        value
    }

    #[test]
    fn batches_come_back_as_they_went_in_and_aligned() {
        let value = value();
        let (header, batches) = open(b"key", &value).unwrap();
        assert_eq!((header.commit, header.number, header.batches), (7, 11, 2));
        assert_eq!(batches[0], batch(3).bytes());
        assert_eq!(batches[1], batch(2_000).bytes());
        for batch in batches {
            assert_eq!((batch.as_ptr() as usize - value.as_ptr() as usize) % 16, 0);
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed_or_changes_nothing() {
        let value = value();
        let whole = |value: &[u8]| -> Result<Vec<i64>> {
            let mut times = Vec::new();
            for bytes in open(b"key", value)?.1 {
                let batch = PackedBatch::open(bytes.to_vec())?;
                batch.verify()?;
                let mut block = [0; 1024];
                for at in 0..batch.blocks() {
                    batch.decode_i64(0, at, &mut block)?;
                    times.extend_from_slice(&block[..batch.block_rows(at)]);
                }
            }
            Ok(times)
        };
        let before = whole(&value).unwrap();
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(after) = whole(&flipped) {
                assert_eq!(before, after, "bit {bit}");
            }
        }
    }

    #[test]
    fn another_key_is_noticed() {
        assert!(open(b"kex", &value()).is_err());
    }
}
