//! The envelope of a write: what is said around its rows, read in a few steps while the rows are skipped.

use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128_with_seed};

use super::cursor::{Wire, text, visit};
use crate::error::{Error, Result};

/// Most top-level fields of a request: what a batch of events needs and ample room, so that an envelope is read in bounded time.
const MAX_FIELDS: usize = 200_000;

/// The parts of a field that may be said several times, where once is what everybody does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Parts<'a> {
    /// Never said.
    #[default]
    Absent,
    /// Said once.
    One(&'a [u8]),
    /// Said several times: to be merged or, where the field is repeated, listed.
    Many(Vec<&'a [u8]>),
}

impl<'a> Parts<'a> {
    pub(super) fn push(&mut self, bytes: &'a [u8]) {
        match self {
            Self::Absent => *self = Self::One(bytes),
            Self::One(first) => *self = Self::Many(vec![first, bytes]),
            Self::Many(all) => all.push(bytes),
        }
    }

    /// In the order they were said.
    pub fn as_slice(&self) -> &[&'a [u8]] {
        match self {
            Self::Absent => &[],
            Self::One(bytes) => std::slice::from_ref(bytes),
            Self::Many(all) => all,
        }
    }
}

/// What is said around the rows of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Stream id.
    pub stream: &'a str,
    /// Number of the stream's kind.
    pub kind: i32,
    /// Writer; empty for none.
    pub writer: &'a str,
    /// Its epoch.
    pub epoch: u64,
    /// Number of the batch.
    pub sequence: u64,
    /// Refuse the batch for one bad row.
    pub atomic: bool,
    /// Number of the durability asked for.
    pub durability: i32,
    /// The batch, or the events, undecoded.
    pub rows: Parts<'a>,
}

impl<'a> Envelope<'a> {
    /// The envelope of a WriteRequest or a WriteStreamRequest, which have the same fields.
    pub fn of_write(bytes: &'a [u8]) -> Result<Self> {
        let mut envelope = Self::default();
        let mut fields = 0;
        visit(bytes, 0, &String::new, |number, value| {
            match (number, value) {
                (1, Wire::Bytes(bytes)) => envelope.stream = text(bytes, &|| "stream".into())?,
                (2, Wire::Varint(value)) => envelope.kind = value as i32,
                (3, Wire::Bytes(bytes)) => envelope.rows.push(bytes),
                (4, Wire::Bytes(bytes)) => envelope.writer = text(bytes, &|| "writer".into())?,
                (5, Wire::Varint(value)) => envelope.epoch = value,
                (6, Wire::Varint(value)) => envelope.sequence = value,
                (7, Wire::Varint(value)) => envelope.atomic = value != 0,
                (8, Wire::Varint(value)) => envelope.durability = value as i32,
                _ => {}
            }
            count_field(&mut fields)
        })?;
        Ok(envelope)
    }

    /// The envelope of a TrackEventsRequest.
    pub fn of_events(bytes: &'a [u8]) -> Result<Self> {
        let mut envelope = Self::default();
        let mut fields = 0;
        visit(bytes, 0, &String::new, |number, value| {
            match (number, value) {
                (1, Wire::Bytes(bytes)) => envelope.stream = text(bytes, &|| "stream".into())?,
                (2, Wire::Bytes(bytes)) => envelope.rows.push(bytes),
                (3, Wire::Bytes(bytes)) => envelope.writer = text(bytes, &|| "writer".into())?,
                (4, Wire::Varint(value)) => envelope.epoch = value,
                (5, Wire::Varint(value)) => envelope.sequence = value,
                (6, Wire::Varint(value)) => envelope.atomic = value != 0,
                (7, Wire::Varint(value)) => envelope.durability = value as i32,
                _ => {}
            }
            count_field(&mut fields)
        })?;
        Ok(envelope)
    }

    /// XXH3-128 of the rows' bytes as received, seeded with the stream's id: what tells a repeat from a reused sequence.
    pub fn hash(&self) -> u128 {
        let seed = xxh3_64(self.stream.as_bytes());
        match self.rows.as_slice() {
            [one] => xxh3_128_with_seed(one, seed),
            parts => {
                let mut hash = Xxh3::with_seed(seed);
                for part in parts {
                    // The length keeps two parts from standing for two others of the same bytes.
                    hash.update(&(part.len() as u64).to_le_bytes());
                    hash.update(part);
                }
                hash.digest128()
            }
        }
    }

    /// Number of rows a write claims, without decoding it; for a batch that is not decoded again.
    pub fn claimed_rows(&self) -> Result<u64> {
        let mut rows = 0;
        for part in self.rows.as_slice() {
            visit(part, 1, &|| "batch".into(), |number, value| {
                if let (1, Wire::Varint(value)) = (number, value) {
                    rows = value as u32;
                }
                Ok(())
            })?;
        }
        Ok(rows.into())
    }
}

fn count_field(fields: &mut usize) -> Result<()> {
    *fields += 1;
    if *fields > MAX_FIELDS {
        return Err(Error::invalid(
            "TOO_MANY_FIELDS",
            "",
            format!("a request has at most {MAX_FIELDS} top-level fields"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_tells_streams_and_parts_apart() {
        let of = |stream, rows| {
            Envelope {
                stream,
                rows,
                ..Envelope::default()
            }
            .hash()
        };
        let one = of("a", Parts::One(b"xy"));
        assert_eq!(one, of("a", Parts::One(b"xy")));
        assert_ne!(one, of("b", Parts::One(b"xy")));
        assert_ne!(
            of("a", Parts::Many(vec![b"x", b"y"])),
            of("a", Parts::Many(vec![b"xy", b""]))
        );
    }
}
