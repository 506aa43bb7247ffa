//! What the visitors understood of a hot message, encoded again: the tests compare it with other parsers.

use prost::Message;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::wire::describe;

#[pyfunction]
fn reencode_write<'py>(py: Python<'py>, message: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &describe::describe_write(message)?.encode_to_vec()))
}

#[pyfunction]
fn reencode_track_events<'py>(py: Python<'py>, message: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &describe::describe_events(message)?.encode_to_vec()))
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(reencode_write, module)?)?;
    // A message of WriteStream has the fields of WriteRequest.
    module.add("reencode_write_stream", module.getattr("reencode_write")?)?;
    module.add_function(wrap_pyfunction!(reencode_track_events, module)?)
}
