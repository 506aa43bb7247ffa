//! Errors as Python sees them: a table from kind to the class of `marigram.errors`, read as a table.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{Error, Kind};

/// Name of the class in `marigram.errors`.
fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidArgument => "InvalidArgument",
        Kind::NotFound => "NotFound",
        Kind::AlreadyExists => "AlreadyExists",
        Kind::OutOfRange => "OutOfRange",
        Kind::FailedPrecondition => "FailedPrecondition",
        Kind::VersionConflict => "VersionConflict",
        Kind::LimitExceeded => "LimitExceeded",
        Kind::StoreFull => "StoreFull",
        Kind::Overloaded => "Overloaded",
        Kind::PermissionDenied => "PermissionDenied",
        Kind::Fenced => "Fenced",
        Kind::Corrupt => "Corrupt",
        Kind::Unsupported => "Unsupported",
        Kind::DeadlineExceeded => "DeadlineExceeded",
        Kind::Cancelled => "Cancelled",
        Kind::Internal => "Internal",
    }
}

/// The exception object for an error.
pub(super) fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let details = PyDict::new(py);
    details.set_item("reason", error.reason())?;
    details.set_item("field", error.field())?;
    details.set_item(
        "retry_after",
        error.retry_delay_ms().map(|delay| f64::from(delay) / 1_000.0),
    )?;
    details.set_item("detail", error.detail())?;
    py.import("marigram.errors")?
        .getattr(class(error.kind()))?
        .call((error.message(),), Some(&details))
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        Python::attach(|py| match exception(py, &error) {
            Ok(exception) => Self::from_value(exception),
            Err(failure) => failure,
        })
    }
}
