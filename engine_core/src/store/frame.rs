//! The frame of every small record: a checksum that covers its table, its key and its bytes. FORMAT.md, "Records".

use super::tables::Table;
use crate::codec::checksum::crc32c_of;
use crate::error::{Error, Result};

/// Bytes of the frame before a record's own.
pub(super) const FRAME_BYTES: usize = 8;
/// Version of the frame and of the records in it.
const FORMAT: u8 = 1;
/// That of records whose content is packed: pages of dictionaries alone.
const PACKED: u8 = 2;

const NOT_ONE: &str = "not a record of this table and format";

/// Writes one record.
pub(super) struct Encoder(Vec<u8>);

impl Encoder {
    /// A record of this table.
    pub(super) fn new(table: Table) -> Self {
        Self(vec![0, 0, 0, 0, FORMAT, table as u8, 0, 0])
    }

    /// A record of this table whose content is packed.
    pub(super) fn packed(table: Table) -> Self {
        let mut record = Self::new(table);
        record.0[4] = PACKED;
        record
    }

    /// The record, sealed for this key.
    pub(super) fn seal(mut self, key: &[u8]) -> Vec<u8> {
        let crc = crc32c_of(&[key, &self.0[4..]]);
        self.0[..4].copy_from_slice(&crc.to_le_bytes());
        self.0
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u128(&mut self, value: u128) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Seven bits a byte, least significant first.
    pub(super) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// One byte 0, or one byte 1 and the number.
    pub(super) fn optional_i64(&mut self, value: Option<i64>) {
        self.u8(value.is_some().into());
        if let Some(value) = value {
            self.i64(value);
        }
    }

    /// Length, then bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Bytes up to the record's end.
    pub(super) fn rest(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// Reads one record.
pub(super) struct Decoder<'a> {
    table: Table,
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// The record under this key, once its checksum is right.
    pub(super) fn open(table: Table, key: &[u8], value: &'a [u8]) -> Result<Self> {
        match Self::open_plain_or_packed(table, key, value)? {
            (record, false) => Ok(record),
            (_, true) => Err(damaged(table, key, NOT_ONE)),
        }
    }

    /// Whether the content of a record is packed, by its frame, which is not checked.
    pub(super) fn is_packed(value: &[u8]) -> bool {
        value.get(4) == Some(&PACKED)
    }

    /// As [`Decoder::open`], of records that may be packed; whether this one is.
    pub(super) fn open_plain_or_packed(table: Table, key: &[u8], value: &'a [u8]) -> Result<(Self, bool)> {
        if value.len() < FRAME_BYTES {
            return Err(damaged(table, key, "shorter than its frame"));
        }
        let stored = u32::from_le_bytes([value[0], value[1], value[2], value[3]]);
        if stored != crc32c_of(&[key, &value[4..]]) {
            return Err(damaged(table, key, "checksum"));
        }
        if !matches!(value[4], FORMAT | PACKED) || value[5..8] != [table as u8, 0, 0] {
            return Err(damaged(table, key, NOT_ONE));
        }
        let record = Self {
            table,
            rest: &value[FRAME_BYTES..],
        };
        Ok((record, Self::is_packed(value)))
    }

    fn short(&self) -> Error {
        damaged(self.table, &[], "a record ends early")
    }

    /// A record whose checksum is right and whose content is not.
    pub(super) fn wrong(&self, what: &str) -> Error {
        damaged(self.table, &[], what)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        if n > self.rest.len() {
            return Err(self.short());
        }
        let (taken, rest) = self.rest.split_at(n);
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("as long as asked for"))
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(super) fn u128(&mut self) -> Result<u128> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    pub(super) fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.wrong("a number is too long"))
    }

    pub(super) fn optional_i64(&mut self) -> Result<Option<i64>> {
        Ok(if self.u8()? == 0 { None } else { Some(self.i64()?) })
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.varint()?;
        self.take(usize::try_from(n).unwrap_or(usize::MAX))
    }

    pub(super) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| self.wrong("a text is not UTF-8"))
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Whether all has been read.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.wrong("a record is longer than what it holds"))
        }
    }
}

/// A damaged record; table and key are for the log.
pub(super) fn damaged(table: Table, key: &[u8], what: &str) -> Error {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    Error::corrupt(
        "a stored record is damaged",
        format!("table {}, key {key}: {what}", table.name()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Vec<u8> {
        let mut record = Encoder::new(Table::Meta);
        record.u8(1);
        record.u32(2);
        record.varint(u64::MAX);
        record.varint(127);
        record.optional_i64(Some(-3));
        record.optional_i64(None);
        record.u128(1 << 100);
        record.bytes(b"abc");
        record.rest(b"rest");
        record.seal(b"key")
    }

    #[test]
    fn what_was_written_reads_back() {
        let value = record();
        let mut record = Decoder::open(Table::Meta, b"key", &value).unwrap();
        assert_eq!(record.u8().unwrap(), 1);
        assert_eq!(record.u32().unwrap(), 2);
        assert_eq!(record.varint().unwrap(), u64::MAX);
        assert_eq!(record.varint().unwrap(), 127);
        assert_eq!(record.optional_i64().unwrap(), Some(-3));
        assert_eq!(record.optional_i64().unwrap(), None);
        assert_eq!(record.u128().unwrap(), 1 << 100);
        assert_eq!(record.text().unwrap(), "abc");
        assert_eq!(record.rest(), b"rest");
        assert!(record.u8().is_err());
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let value = record();
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Decoder::open(Table::Meta, b"key", &flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn another_key_or_table_is_noticed() {
        let value = record();
        assert!(Decoder::open(Table::Meta, b"kez", &value).is_err());
        assert!(Decoder::open(Table::Streams, b"key", &value).is_err());
    }

    #[test]
    fn a_record_cut_short_or_with_more_behind_it_is_refused() {
        let value = record();
        for end in 0..value.len() {
            assert!(Decoder::open(Table::Meta, b"key", &value[..end]).is_err());
        }
        assert!(Decoder::open(Table::Meta, b"key", &value).unwrap().end().is_err());
    }
}
