//! Columns as they are stored, of the rows that are kept.

use super::columns::{FieldColumn, Source};
use super::faults::Keep;
use crate::column::batch::{BatchColumn, Bitmap, ColumnData, TextData};
use crate::column::{ColumnId, ColumnType};

/// Packed integers of the kept rows.
pub(super) fn i64s(values: &[[u8; 8]], keep: Keep<'_>) -> Vec<i64> {
    match keep {
        Keep::All(_) => values.iter().map(|le| i64::from_le_bytes(*le)).collect(),
        Keep::Some(_) => keep.collect(|row| i64::from_le_bytes(values[row])),
    }
}

fn f64s(values: &[[u8; 8]], keep: Keep<'_>) -> Vec<f64> {
    match keep {
        Keep::All(_) => values.iter().map(|le| f64::from_le_bytes(*le)).collect(),
        Keep::Some(_) => keep.collect(|row| f64::from_le_bytes(values[row])),
    }
}

/// A column of codes.
pub(super) fn codes(id: ColumnId, codes: Vec<u32>) -> BatchColumn {
    BatchColumn {
        id,
        data: ColumnData::Code(codes),
        validity: None,
    }
}

/// A field column with its own values; strings become texts.
pub(super) fn field(id: ColumnId, field: &FieldColumn<'_>, keep: Keep<'_>) -> BatchColumn {
    let validity = field.validity.as_ref().map(|bits| keep.bits(bits));
    let data = match (&field.source, field.target) {
        (Source::F64(_), ColumnType::I64) => ColumnData::I64(vec![0; keep.len()]),
        (Source::F64(values), _) => ColumnData::F64(f64s(values, keep)),
        (Source::I64(values), ColumnType::F64) => {
            ColumnData::F64(i64s(values, keep).into_iter().map(|value| value as f64).collect())
        }
        (Source::I64(values) | Source::Timestamp(values), _) => ColumnData::I64(i64s(values, keep)),
        (Source::Bool(bytes), _) => ColumnData::Bool(match keep {
            Keep::All(rows) => Bitmap::from_bytes(bytes, rows),
            Keep::Some(_) => {
                let mut bits = Bitmap::default();
                keep.for_each(|row| bits.push(bytes[row / 8] >> (row % 8) & 1 == 1));
                bits
            }
        }),
        (Source::Strings(strings, codes), _) => {
            let mut texts = TextData::default();
            keep.for_each(|row| {
                let valid = field.validity.as_ref().is_none_or(|bits| bits.get(row));
                texts.push(if valid {
                    strings.values[codes.get(row) as usize]
                } else {
                    ""
                });
            });
            ColumnData::Text(texts)
        }
    };
    BatchColumn { id, data, validity }
}
