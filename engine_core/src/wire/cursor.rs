//! Protobuf's wire format over a byte slice, read as upb (the parser under the generated Python classes) reads it.
//!
//! Tags and lengths have at most five bytes, integers ten, of which the surplus bits of the last are dropped; a field whose
//! wire type is not its own is unknown; unknown fields are skipped, unknown groups to a depth of 100 messages and groups.

use crate::error::{Error, Result};

/// Most messages and groups around one another.
const MAX_DEPTH: u32 = 100;

/// One value as the wire types it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 3, skipped as a whole.
    Group,
    /// Wire type 5.
    Fixed32(u32),
}

/// The error of bytes that are no message of this type; `field` is the innermost message or field that could be told.
pub fn malformed(field: &str, what: &str) -> Error {
    Error::invalid(
        "MALFORMED_MESSAGE",
        field,
        format!("a message is well-formed protobuf: {what}"),
    )
}

/// Reads the fields of one message.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
    /// Messages around this one, itself counted.
    depth: u32,
}

impl<'a> Fields<'a> {
    /// The fields of a message that lies inside `depth` others.
    pub fn new(bytes: &'a [u8], depth: u32) -> Self {
        Self { rest: bytes, depth }
    }

    /// The next field's number and value; none at the end. `Err` is what is wrong with the bytes.
    #[inline]
    pub fn read(&mut self) -> Result<Option<(u32, Wire<'a>)>, &'static str> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint32("a tag has at most 5 bytes")?;
        let number = tag >> 3;
        if number == 0 {
            return Err("no field has the number 0");
        }
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => Wire::Bytes(self.bytes()?),
            3 => {
                self.skip_group(number)?;
                Wire::Group
            }
            4 => return Err("a group ends that has not begun"),
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err("wire types 6 and 7 do not exist"),
        };
        Ok(Some((number, value)))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, &'static str> {
        if let [byte, rest @ ..] = self.rest
            && *byte < 0x80
        {
            self.rest = rest;
            return Ok((*byte).into());
        }
        let mut value = 0u64;
        for (i, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err("an integer has at most 10 bytes and ends inside its message")
    }

    /// A tag or length: at most five bytes and 32 bits.
    #[inline]
    fn varint32(&mut self, rule: &'static str) -> Result<u32, &'static str> {
        let before = self.rest.len();
        let value = self.varint()?;
        if before - self.rest.len() > 5 {
            return Err(rule);
        }
        u32::try_from(value).map_err(|_| rule)
    }

    #[inline]
    fn bytes(&mut self) -> Result<&'a [u8], &'static str> {
        const RULE: &str = "a length has at most 5 bytes and lies inside its message";
        let length = self.varint32(RULE)? as usize;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(RULE)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk()
            .ok_or("a number lies inside its message")?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Skips to the end of a group whose start has been read, and of those inside it, without recursion. Like upb it does not
    /// mind fields with the number 0 in there.
    fn skip_group(&mut self, number: u32) -> Result<(), &'static str> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            if self.depth + open.len() as u32 > MAX_DEPTH {
                return Err("messages and groups nest at most 100 deep");
            }
            let tag = self.varint32("a tag has at most 5 bytes")?;
            match (tag >> 3, tag & 7) {
                (_, 0) => drop(self.varint()?),
                (_, 1) => drop(self.array::<8>()?),
                (_, 2) => drop(self.bytes()?),
                (inner, 3) => open.push(inner),
                (end, 4) if end == innermost => drop(open.pop()),
                (_, 4) => return Err("a group ends that has not begun"),
                (_, 5) => drop(self.array::<4>()?),
                _ => return Err("wire types 6 and 7 do not exist"),
            }
        }
        Ok(())
    }
}

/// A string field: UTF-8, else the whole message is malformed.
pub fn text<'a>(bytes: &'a [u8], field: &dyn Fn() -> String) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let what = format!("a string is UTF-8, got other bytes after {}", error.valid_up_to());
        malformed(&field(), &what)
    })
}

/// Calls `each` with every field of a message; `path` names the message in errors.
#[inline]
pub fn visit<'a>(
    bytes: &'a [u8],
    depth: u32,
    path: &dyn Fn() -> String,
    mut each: impl FnMut(u32, Wire<'a>) -> Result<()>,
) -> Result<()> {
    let mut fields = Fields::new(bytes, depth);
    loop {
        match fields.read() {
            Ok(Some((number, value))) => each(number, value)?,
            Ok(None) => return Ok(()),
            Err(what) => return Err(malformed(&path(), what)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u32, Wire<'_>)>, &'static str> {
        let mut fields = Fields::new(bytes, 0);
        let mut out = Vec::new();
        while let Some(field) = fields.read()? {
            out.push(field);
        }
        Ok(out)
    }

    #[test]
    fn surplus_bits_of_a_ten_byte_integer_are_dropped() {
        for (last, value) in [(0x01, u64::MAX), (0x02, u64::MAX >> 1), (0x7f, u64::MAX)] {
            let mut bytes = vec![0x28];
            bytes.extend([0xff; 9]);
            bytes.push(last);
            assert_eq!(all(&bytes), Ok(vec![(5, Wire::Varint(value))]));
        }
        assert!(all(&[[0x28].as_slice(), &[0xff; 10], &[1]].concat()).is_err());
    }

    #[test]
    fn tags_and_lengths_have_at_most_five_bytes() {
        assert_eq!(all(b"\xa8\x80\x80\x80\x00\x05"), Ok(vec![(5, Wire::Varint(5))]));
        assert!(all(b"\xa8\x80\x80\x80\x80\x00\x05").is_err());
        assert!(all(b"\xf8\xff\xff\xff\x1f\x05").is_err());
        assert_eq!(all(b"\x0a\x81\x80\x80\x80\x00a"), Ok(vec![(1, Wire::Bytes(b"a"))]));
        assert!(all(b"\x0a\x81\x80\x80\x80\x80\x00a").is_err());
        assert!(all(b"\x0a\xff\xff\xff\xff\x0f").is_err());
    }

    #[test]
    fn groups_are_skipped_to_a_depth_of_a_hundred() {
        let nested = |n| [b"\xa3\x01".repeat(n), b"\xa4\x01".repeat(n)].concat();
        assert_eq!(all(&nested(100)), Ok(vec![(20, Wire::Group)]));
        assert!(all(&nested(101)).is_err());
        assert!(Fields::new(&nested(100), 1).read().is_err());
        assert!(all(b"\xa3\x01\xac\x01").is_err());
        assert!(all(b"\xa4\x01").is_err());
        assert!(all(b"\xa3\x01\x08\x05").is_err());
        assert_eq!(all(b"\xa3\x01\x00\x05\xa4\x01"), Ok(vec![(20, Wire::Group)]));
        assert!(all(b"\xa3\x01\x04\xa4\x01").is_err());
    }

    #[test]
    fn what_is_no_field_is_refused() {
        for bytes in [
            &b"\x00\x05"[..],
            b"\x2e\x05",
            b"\x2f\x05",
            b"\xa1\x01\x00",
            b"\x0a\x05a",
            b"\x80",
        ] {
            assert!(all(bytes).is_err(), "{bytes:?}");
        }
    }
}
