//! The Python module `marigram.engine._core`, the only place that names pyo3. Each call releases the interpreter for its
//! whole length and does no arithmetic of its own.

mod backup;
mod completions;
mod engine;
mod error;
mod reencode;
mod status;
mod storage;
mod streams;
mod verify;

use pyo3::prelude::*;

/// The compiled core of Marigram.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    module.add("WRITE", engine::WRITE)?;
    module.add("WRITE_STREAM", engine::WRITE_STREAM)?;
    module.add("TRACK_EVENTS", engine::TRACK_EVENTS)?;
    module.add("QUERY", engine::QUERY)?;
    module.add("STREAM_QUERY", engine::STREAM_QUERY)?;
    module.add("LIST_EVENTS", engine::LIST_EVENTS)?;
    module.add("GET_EVENT", engine::GET_EVENT)?;
    module.add("EXPLORE_DIMENSION", engine::EXPLORE_DIMENSION)?;
    module.add("EXPLAIN_QUERY", engine::EXPLAIN_QUERY)?;
    module.add_class::<engine::PyEngine>()?;
    module.add_class::<engine::PyWriteSession>()?;
    backup::register(module)?;
    verify::register(module)?;
    reencode::register(module)
}
