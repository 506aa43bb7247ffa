//! Backups, and the store as it was: documented in `_core.pyi`.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::engine::PyEngine;
use crate::store::backup as store;
use crate::store::backup::BackupReport;
use crate::store::{StoreOptions, VerifyReport};

fn contents(dict: &Bound<'_, PyDict>, report: &VerifyReport) -> PyResult<()> {
    dict.set_item("records", report.records)?;
    dict.set_item("unsealed_rows", report.rows)?;
    dict.set_item("parts", report.parts)?;
    dict.set_item("sealed_rows", report.part_rows)
}

fn to_dict<'py>(py: Python<'py>, report: &BackupReport) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("store_id", format!("{:032x}", report.store_id))?;
    dict.set_item("created_ns", report.created_ns)?;
    dict.set_item("commits", report.namespaces.clone())?;
    dict.set_item("files", report.files)?;
    dict.set_item("bytes", report.bytes)?;
    dict.set_item("shared_parts", report.shared_parts)?;
    dict.set_item("shared_bytes", report.shared_bytes)?;
    contents(&dict, &report.contents)?;
    Ok(dict)
}

#[pyfunction]
#[pyo3(signature = (engine, target, base = None))]
fn backup<'py>(
    py: Python<'py>,
    engine: &Bound<'py, PyEngine>,
    target: PathBuf,
    base: Option<PathBuf>,
) -> PyResult<Bound<'py, PyDict>> {
    let open = &engine.get().engine.store;
    let report = py.detach(move || open.backup(&target, base.as_deref()))?;
    to_dict(py, &report)
}

#[pyfunction]
#[pyo3(signature = (directory, target, base = None))]
fn backup_offline(
    py: Python<'_>,
    directory: PathBuf,
    target: PathBuf,
    base: Option<PathBuf>,
) -> PyResult<Bound<'_, PyDict>> {
    let options = StoreOptions::default();
    let report = py.detach(move || store::backup_offline(&directory, options, &target, base.as_deref()))?;
    to_dict(py, &report)
}

#[pyfunction]
fn verify_backup(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let report = py.detach(move || store::verify_backup(&path))?;
    to_dict(py, &report)
}

#[pyfunction]
fn look_at_backup(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let report = py.detach(move || store::look_at_backup(&path))?;
    to_dict(py, &report)
}

#[pyfunction]
fn restore_backup(py: Python<'_>, path: PathBuf, target: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let report = py.detach(move || store::restore(&path, &target))?;
    to_dict(py, &report)
}

#[pyfunction]
fn rollback_to_previous(py: Python<'_>, directory: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let report = py.detach(move || store::rollback_to_previous(&directory))?;
    let dict = PyDict::new(py);
    dict.set_item("transaction", report.transaction)?;
    dict.set_item("kept", report.kept)?;
    contents(&dict, &report.contents)?;
    Ok(dict)
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(backup, module)?)?;
    module.add_function(wrap_pyfunction!(backup_offline, module)?)?;
    module.add_function(wrap_pyfunction!(verify_backup, module)?)?;
    module.add_function(wrap_pyfunction!(look_at_backup, module)?)?;
    module.add_function(wrap_pyfunction!(restore_backup, module)?)?;
    module.add_function(wrap_pyfunction!(rollback_to_previous, module)?)
}
