//! What a stream takes on the disk, as a dict; `_core.pyi` lists the keys.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::column::ColumnId;
use crate::column::schema::{ENTITY, TIME};
use crate::store::{Storage, Stream};

pub(super) fn to_dict<'py>(py: Python<'py>, stream: &Stream, found: &Storage) -> PyResult<Bound<'py, PyDict>> {
    let schema = stream.schema();
    let name = |id: ColumnId| match id {
        TIME => "time".to_owned(),
        ENTITY => "entity".to_owned(),
        _ => {
            let column = schema.columns.iter().find(|column| column.id == id);
            column.map_or_else(String::new, |column| column.name.clone())
        }
    };
    let columns = PyList::empty(py);
    for column in &found.columns {
        let item = PyDict::new(py);
        item.set_item("name", name(column.id))?;
        item.set_item("layout", column.physical as u8)?;
        item.set_item("rows", column.rows)?;
        item.set_item("nulls", column.nulls)?;
        item.set_item("blocks", column.blocks)?;
        item.set_item("bytes", column.bytes)?;
        item.set_item("plain_bytes", column.plain_bytes)?;
        let codecs = column.codecs.iter().map(|one| (one.codec, one.blocks, one.bytes));
        item.set_item("codecs", codecs.collect::<Vec<_>>())?;
        columns.append(item)?;
    }
    let dict = PyDict::new(py);
    dict.set_item("name", &stream.name)?;
    dict.set_item("parts", found.parts)?;
    dict.set_item("sealed_rows", found.rows)?;
    dict.set_item("sealed_bytes", found.bytes)?;
    dict.set_item("lag_rows", found.lag_rows)?;
    dict.set_item("lag_bytes", found.lag_bytes)?;
    dict.set_item("lag_ns", found.lag_ns)?;
    dict.set_item("columns", columns)?;
    Ok(dict)
}
