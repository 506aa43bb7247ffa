//! Ids of events: tokens made from the row alone, so that nothing is stored for them and equal rows share one.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

/// Bytes of an id.
pub const EVENT_ID_BYTES: usize = 24;

/// A column's value by its logical type; symbols and texts are both strings, so a column that turned to text keeps its ids.
#[derive(Clone, Copy, Debug)]
pub enum Logical<'a> {
    /// Double, by its bits.
    F64(f64),
    /// Integer.
    I64(i64),
    /// Boolean.
    Bool(bool),
    /// Unix nanoseconds.
    Timestamp(i64),
    /// Symbol or text.
    Text(&'a str),
}

/// Hashes the columns of one row under the namespace's secret: SipHash-1-3 with 128 bits, cut to 64.
#[derive(Debug)]
pub struct RowHasher(SipHasher13);

impl RowHasher {
    /// Begins a row.
    pub fn new(secret: &[u8; 16]) -> Self {
        Self(SipHasher13::new_with_key(secret))
    }

    /// Adds a column that is not null; columns come in ascending order of name.
    pub fn add(&mut self, name: &str, value: Logical<'_>) {
        self.text(name);
        match value {
            Logical::F64(value) => self.tagged(1, &value.to_bits().to_le_bytes()),
            Logical::I64(value) => self.tagged(2, &value.to_le_bytes()),
            Logical::Bool(value) => self.tagged(3, &[value.into()]),
            Logical::Timestamp(value) => self.tagged(4, &value.to_le_bytes()),
            Logical::Text(value) => {
                self.0.write(&[5]);
                self.text(value);
            }
        }
    }

    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.0.write(&[tag]);
        self.0.write(bytes);
    }

    fn text(&mut self, text: &str) {
        self.0.write(&(text.len() as u32).to_le_bytes());
        self.0.write(text.as_bytes());
    }

    /// The token: stream, entity code, time and hash, all big-endian.
    pub fn finish(&self, stream: u32, entity: u32, time: i64) -> [u8; EVENT_ID_BYTES] {
        let mut id = [0; EVENT_ID_BYTES];
        id[..4].copy_from_slice(&stream.to_be_bytes());
        id[4..8].copy_from_slice(&entity.to_be_bytes());
        id[8..16].copy_from_slice(&time.to_be_bytes());
        id[16..].copy_from_slice(&self.0.finish128().h1.to_be_bytes());
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(secret: u8, columns: &[(&str, Logical<'_>)]) -> [u8; EVENT_ID_BYTES] {
        let mut hasher = RowHasher::new(&[secret; 16]);
        columns.iter().for_each(|(name, value)| hasher.add(name, *value));
        hasher.finish(7, 9, -1)
    }

    #[test]
    fn ids_name_the_row_and_hash_its_values() {
        let base = id(1, &[("a", Logical::I64(1))]);
        assert_eq!(
            base[..16],
            [0, 0, 0, 7, 0, 0, 0, 9, 255, 255, 255, 255, 255, 255, 255, 255]
        );
        assert_eq!(base, id(1, &[("a", Logical::I64(1))]));
        for other in [
            id(2, &[("a", Logical::I64(1))]),
            id(1, &[("a", Logical::I64(2))]),
            id(1, &[("b", Logical::I64(1))]),
            id(1, &[("a", Logical::Timestamp(1))]),
            id(1, &[("a", Logical::F64(f64::from_bits(1)))]),
            id(1, &[("a", Logical::I64(1)), ("b", Logical::Bool(true))]),
            id(1, &[]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn names_and_values_do_not_run_together() {
        let one = id(1, &[("ab", Logical::Text("c"))]);
        assert_ne!(one, id(1, &[("a", Logical::Text("bc"))]));
    }
}
