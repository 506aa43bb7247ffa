//! Columns of an answer whose values are structs, or lists of structs.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, ListArray, StructArray, UInt32Array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, Field, Fields};
use arrow_select::take::take;

use super::output::{Cell, Output, OutputValues};
use crate::error::{Error, Result};

/// A column of structs, one a row of these columns, null where not `valid`.
pub(super) fn structs(name: &str, fields: &[Output], valid: &[bool]) -> Result<Output> {
    let array = struct_array(fields, valid.len(), Some(NullBuffer::from(valid.to_vec())))?;
    Ok(of(name, Arc::new(array)))
}

/// A column of lists of structs: so many of the rows of these columns each, in order; none: null.
pub(super) fn lists(name: &str, fields: &[Output], lengths: &[Option<usize>]) -> Result<Output> {
    let rows = lengths.iter().map(|length| length.unwrap_or_default());
    let in_all = rows.clone().sum();
    if i32::try_from(in_all).is_err() {
        let message = format!("lists of {name:?} have {in_all} values in all, more than an Arrow column takes");
        return Err(Error::new(
            crate::error::Kind::LimitExceeded,
            "QUERY_BYTES_EXCEEDED",
            message,
        ));
    }
    let items = struct_array(fields, in_all, None)?;
    let item = Arc::new(Field::new_list_field(items.data_type().clone(), false));
    let valid = NullBuffer::from(lengths.iter().map(Option::is_some).collect::<Vec<_>>());
    let array = ListArray::try_new(item, OffsetBuffer::from_lengths(rows), Arc::new(items), Some(valid));
    Ok(of(name, Arc::new(array.map_err(|error| broken(&error))?)))
}

fn struct_array(fields: &[Output], rows: usize, valid: Option<NullBuffer>) -> Result<StructArray> {
    let all: Vec<u32> = (0..rows as u32).collect();
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = fields.iter().map(|field| field.array(&all)).unzip();
    StructArray::try_new(Fields::from(fields), arrays, valid).map_err(|error| broken(&error))
}

fn of(name: &str, array: ArrayRef) -> Output {
    let valid = (0..array.len()).map(|row| array.is_valid(row)).collect();
    let places = (0..array.len() as u32).map(Some).collect();
    Output::new(name, OutputValues::Nested(array, places), valid)
}

/// Places of the values that cells stand for; none: null.
pub(super) fn of_cells(places: &[Option<u32>], cells: &[Cell]) -> Vec<Option<u32>> {
    let place = |cell: &Cell| match cell {
        Cell::Row(row) => places[*row as usize],
        Cell::Number(_) | Cell::Null => None,
    };
    cells.iter().map(place).collect()
}

/// The values of some rows, by their places; none: more than an Arrow column takes.
pub(super) fn picked(array: &ArrayRef, places: &[Option<u32>], rows: &[u32]) -> Option<ArrayRef> {
    let places: UInt32Array = rows.iter().map(|&row| places[row as usize]).collect();
    take(array, &places, None).ok()
}

/// Refusal of a nested column where single values are wanted.
pub(super) fn refused(name: &str, doing: &str, field: String) -> Error {
    let message = format!("{doing} wants single values, {name:?} has lists or structs");
    Error::invalid("NESTED_COLUMN", field, message)
}

fn broken(error: &ArrowError) -> Error {
    Error::internal(format!("arrow: {error}"))
}
