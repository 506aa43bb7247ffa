//! Properties of events against the columns they go to: names, types, values.

use super::build;
use super::columns::{MAX_EXACT, show};
use super::event_id::Logical;
use super::faults::{Faults, Keep, excerpt};
use super::intern::{self, Distinct};
use crate::column::batch::{BatchColumn, Bitmap, ColumnData, TextData};
use crate::column::schema::{MAX_SYMBOL_BYTES, MAX_TEXT_BYTES, check_name};
use crate::column::{ColumnId, ColumnType, Reject, Schema};
use crate::error::Result;
use crate::store::Stream;
use crate::wire::events::{Property, Scalar};

/// The columns every event stream begins with; each is a field of an event, not a property.
pub(super) const OWN: [&str; 3] = ["event", "session", "service"];

/// A row's value as it is stored.
pub(super) fn logical<'a>(
    property: &Property<'a>,
    column_type: Option<ColumnType>,
    row: usize,
    next: &mut usize,
) -> Option<Logical<'a>> {
    while property.rows.get(*next).is_some_and(|&at| (at as usize) < row) {
        *next += 1;
    }
    if property.rows.get(*next).copied() != Some(row as u32) {
        return None;
    }
    match property.values[*next] {
        Scalar::Null => None,
        Scalar::F64(value) => Some(Logical::F64(value)),
        Scalar::I64(value) if column_type == Some(ColumnType::F64) => Some(Logical::F64(value as f64)),
        Scalar::I64(value) => Some(Logical::I64(value)),
        Scalar::Bool(value) => Some(Logical::Bool(value)),
        Scalar::Text(value) => Some(Logical::Text(value)),
        Scalar::Timestamp(value) => Some(Logical::Timestamp(value)),
    }
}

/// Why no property may have this name.
pub(super) fn refused_name(name: &str, schema: &Schema) -> Option<(Reject, String)> {
    if check_name("", name).is_err() {
        Some((Reject::BadName, excerpt(name)))
    } else if name == "time" || schema.is_entity(name) {
        Some((Reject::ReservedName, excerpt(name)))
    } else if OWN.contains(&name) {
        Some((Reject::DuplicateColumn, format!("{name:?} as a property too")))
    } else {
        None
    }
}

/// Rejects every row that has the property.
pub(super) fn reject_all<'a>(property: &Property<'a>, reason: Reject, found: &str, faults: &mut Faults<'a>) {
    for &row in &property.rows {
        faults.add(row as usize, reason, property.name, || found.to_owned());
    }
}

/// Type of a new column: that of the first value that is not null in a row without fault.
pub(super) fn infer(property: &Property<'_>, faults: &Faults<'_>) -> Option<ColumnType> {
    let mut values = property.rows.iter().zip(&property.values);
    let (_, value) = values.find(|&(&row, &value)| value != Scalar::Null && !faults.has(row as usize))?;
    match value {
        Scalar::Null => None,
        Scalar::F64(_) | Scalar::I64(_) => Some(ColumnType::F64),
        Scalar::Bool(_) => Some(ColumnType::Bool),
        Scalar::Text(_) => Some(ColumnType::Symbol),
        Scalar::Timestamp(_) => Some(ColumnType::Timestamp),
    }
}

/// Rejects rows whose value does not fit the column.
pub(super) fn check_values<'a>(property: &Property<'a>, column_type: ColumnType, faults: &mut Faults<'a>) {
    use ColumnType::{Bool, F64, I64, Symbol, Text, Timestamp};
    for (&row, &value) in property.rows.iter().zip(&property.values) {
        let reason = match (column_type, value) {
            (_, Scalar::Null)
            | (F64, Scalar::F64(_))
            | (I64, Scalar::I64(_))
            | (Bool, Scalar::Bool(_))
            | (Timestamp, Scalar::Timestamp(_)) => continue,
            (F64, Scalar::I64(value)) if (-MAX_EXACT..=MAX_EXACT).contains(&value) => continue,
            (F64, Scalar::I64(_)) => Reject::IntegerTooLarge,
            (Symbol, Scalar::Text(text)) if text.len() <= MAX_SYMBOL_BYTES => continue,
            (Symbol, Scalar::Text(_)) => Reject::SymbolTooLong,
            (Text, Scalar::Text(text)) if text.len() <= MAX_TEXT_BYTES => continue,
            (Text, Scalar::Text(_)) => Reject::TextTooLong,
            _ => Reject::TypeMismatch,
        };
        faults.add(row as usize, reason, property.name, || match (reason, value) {
            (Reject::SymbolTooLong | Reject::TextTooLong, Scalar::Text(text)) => format!("{} bytes", text.len()),
            _ => format!("{} in a {} column", show(value), column_type.name()),
        });
    }
}

/// The column of a property, null where a kept row lacks it.
pub(super) fn build_property(
    id: ColumnId,
    column_type: ColumnType,
    property: &Property<'_>,
    stream: &Stream,
    keep: Keep<'_>,
) -> Result<BatchColumn> {
    let mut next = 0;
    let values = keep.collect(|row| {
        while property.rows.get(next).is_some_and(|&at| (at as usize) < row) {
            next += 1;
        }
        match property.rows.get(next) {
            Some(&at) if at as usize == row => property.values[next],
            _ => Scalar::Null,
        }
    });
    if column_type.is_string() {
        let texts: Vec<Option<&str>> = values
            .iter()
            .map(|value| match value {
                Scalar::Text(text) => Some(*text),
                _ => None,
            })
            .collect();
        return build_strings(id, column_type, &texts, stream);
    }
    let data = match column_type {
        ColumnType::F64 => ColumnData::F64(values.iter().map(|value| as_f64(*value)).collect()),
        ColumnType::Bool => {
            let mut bits = Bitmap::default();
            values.iter().for_each(|value| bits.push(*value == Scalar::Bool(true)));
            ColumnData::Bool(bits)
        }
        _ => ColumnData::I64(values.iter().map(|value| as_i64(*value)).collect()),
    };
    let validity = validity(values.iter().map(|value| *value != Scalar::Null));
    Ok(BatchColumn { id, data, validity })
}

fn as_f64(value: Scalar<'_>) -> f64 {
    match value {
        Scalar::F64(value) => value,
        Scalar::I64(value) => value as f64,
        _ => 0.0,
    }
}

fn as_i64(value: Scalar<'_>) -> i64 {
    match value {
        Scalar::I64(value) | Scalar::Timestamp(value) => value,
        _ => 0,
    }
}

fn validity(valid: impl Iterator<Item = bool>) -> Option<Bitmap> {
    let mut bits = Bitmap::default();
    valid.for_each(|valid| bits.push(valid));
    (bits.count_ones() < bits.len()).then_some(bits)
}

/// A column of strings, as codes or, if it is a text column or its dictionary is full, as texts.
pub(super) fn build_strings(
    id: ColumnId,
    column_type: ColumnType,
    texts: &[Option<&str>],
    stream: &Stream,
) -> Result<BatchColumn> {
    if column_type == ColumnType::Symbol {
        let distinct = Distinct::of(texts.iter().copied());
        if let Some(codes) = intern::symbols(stream, id, &distinct.texts) {
            return Ok(build::codes(id, distinct.codes(&codes)));
        }
        intern::turn_to_text(stream, id)?;
    }
    let mut data = TextData::default();
    texts.iter().for_each(|text| data.push(text.unwrap_or_default()));
    Ok(BatchColumn {
        id,
        data: ColumnData::Text(data),
        validity: validity(texts.iter().map(Option::is_some)),
    })
}
