//! The Python module `marigram.engine._core`, the only place that names pyo3.

use pyo3::prelude::*;

/// The compiled core of Marigram.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    Ok(())
}
