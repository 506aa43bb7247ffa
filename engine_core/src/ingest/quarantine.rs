//! Rows that were refused, with their values as the bytes of a `marigram.v1.Event`: labels and columns are its properties.

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::faults::Fault;
use crate::store::QuarantinedRow;
use crate::wire::events::Scalar;

/// Most bytes of quarantined values one batch hands on; rows past it are counted, without their values.
const MAX_BATCH_BYTES: usize = 16 << 20;

/// Quarantined rows of a batch; `encode` writes the values of a row.
pub(super) fn rows(faults: &[Fault<'_>], mut encode: impl FnMut(usize, &mut EventBytes)) -> Vec<QuarantinedRow> {
    let mut bytes = 0;
    faults
        .iter()
        .map(|fault| {
            let mut values = EventBytes::default();
            if bytes < MAX_BATCH_BYTES {
                encode(fault.row as usize, &mut values);
                bytes += values.0.len();
            }
            QuarantinedRow {
                reason: fault.reason,
                row: fault.row,
                column: fault.column.to_owned(),
                found: fault.found.clone(),
                values: values.0,
            }
        })
        .collect()
}

/// An event being encoded, straight into bytes.
#[derive(Debug, Default)]
pub(super) struct EventBytes(Vec<u8>);

impl EventBytes {
    /// A string field by its number; the empty one is left out.
    pub(super) fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            put_text(field, text, &mut self.0);
        }
    }

    /// The event time.
    pub(super) fn time(&mut self, time: i64) {
        put_varint(2, time as u64, &mut self.0);
    }

    /// A property; null ones are left out.
    pub(super) fn property(&mut self, name: &str, value: Scalar<'_>) {
        let mut scalar = Vec::with_capacity(16);
        match value {
            Scalar::Null => return,
            Scalar::F64(value) => {
                encode_key(1, WireType::SixtyFourBit, &mut scalar);
                scalar.extend_from_slice(&value.to_le_bytes());
            }
            Scalar::I64(value) => put_varint(2, value as u64, &mut scalar),
            Scalar::Bool(value) => put_varint(3, value.into(), &mut scalar),
            Scalar::Text(text) => put_text(4, text, &mut scalar),
            Scalar::Timestamp(value) => put_varint(5, value as u64, &mut scalar),
        }
        let length = 2
            + encoded_len_varint(name.len() as u64)
            + name.len()
            + encoded_len_varint(scalar.len() as u64)
            + scalar.len();
        encode_key(6, WireType::LengthDelimited, &mut self.0);
        encode_varint(length as u64, &mut self.0);
        put_text(1, name, &mut self.0);
        encode_key(2, WireType::LengthDelimited, &mut self.0);
        encode_varint(scalar.len() as u64, &mut self.0);
        self.0.extend_from_slice(&scalar);
    }
}

fn put_text(field: u32, text: &str, out: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn put_varint(field: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(field, WireType::Varint, out);
    encode_varint(value, out);
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::wire::describe::to_v1;
    use crate::wire::v1;

    #[test]
    fn values_read_back_as_an_event() {
        let mut bytes = EventBytes::default();
        bytes.text(1, "buy");
        bytes.time(-5);
        bytes.text(3, "");
        let values = [
            ("a", Scalar::F64(1.5)),
            ("b", Scalar::I64(-1)),
            ("c", Scalar::Bool(true)),
            ("d", Scalar::Text("é")),
            ("e", Scalar::Timestamp(7)),
            ("f", Scalar::Null),
        ];
        values.iter().for_each(|(name, value)| bytes.property(name, *value));
        let event = v1::Event::decode(&*bytes.0).unwrap();
        assert_eq!(
            (event.event.as_str(), event.time_ns, event.properties.len()),
            ("buy", Some(-5), 5)
        );
        for (name, value) in &values[..5] {
            assert_eq!(event.properties[*name], to_v1(*value));
        }
    }
}
