//! What a verification has seen, as a dict; `_core.pyi` lists the keys.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{Error, Kind, Result};
use crate::store::{self, Store, StoreOptions, VerifyReport};

/// What was seen, or the damage. Whoever verifies is told what is damaged: the detail is part of the message.
pub(super) fn to_dict(py: Python<'_>, seen: Result<VerifyReport>) -> PyResult<Bound<'_, PyDict>> {
    let seen = seen.map_err(|error| match error.kind() {
        Kind::Corrupt => Error::corrupt(format!("{error}: {}", error.detail()), error.detail()),
        _ => error,
    })?;
    let dict = PyDict::new(py);
    dict.set_item("records", seen.records)?;
    dict.set_item("l0_values", seen.l0_values)?;
    dict.set_item("batches", seen.batches)?;
    dict.set_item("blocks", seen.blocks)?;
    dict.set_item("rows", seen.rows)?;
    dict.set_item("bytes", seen.l0_bytes)?;
    dict.set_item("parts", seen.parts)?;
    dict.set_item("part_blocks", seen.part_blocks)?;
    dict.set_item("part_rows", seen.part_rows)?;
    dict.set_item("part_bytes", seen.part_bytes)?;
    Ok(dict)
}

#[pyfunction]
fn verify_directory(py: Python<'_>, path: PathBuf, allow_network_filesystem: bool) -> PyResult<Bound<'_, PyDict>> {
    let options = StoreOptions {
        allow_network_filesystem,
        ..StoreOptions::default()
    };
    to_dict(py, py.detach(move || Store::verify_directory(&path, options)))
}

#[pyfunction]
fn stopped_uncleanly(py: Python<'_>, path: PathBuf) -> bool {
    py.detach(move || store::stopped_uncleanly(&path))
}

/// Kind and text of the damage, not raised: the process that asks has this module and no other.
#[pyfunction]
fn check_after_crash(py: Python<'_>, path: PathBuf, allow_network_filesystem: bool) -> Option<(bool, String, String)> {
    let error = py
        .detach(move || store::check_after_crash(&path, allow_network_filesystem))
        .err()?;
    Some((
        error.kind() == Kind::Corrupt,
        error.to_string(),
        error.detail().to_owned(),
    ))
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(verify_directory, module)?)?;
    module.add_function(wrap_pyfunction!(stopped_uncleanly, module)?)?;
    module.add_function(wrap_pyfunction!(check_after_crash, module)?)
}
