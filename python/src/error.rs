//! Errors of the crates as exceptions of Python.

use std::error::Error;
use std::io;

use miette::Diagnostic;
use pyo3::PyErr;
use pyo3::exceptions::{PyFileNotFoundError, PyOSError, PyValueError};

/// The exception of `error`: FileNotFoundError for a missing file, OSError for another refusal of the system, else
/// ValueError. Its text is the error's, the causes' and the hint.
pub(crate) fn exception(error: &dyn Diagnostic) -> PyErr {
    let mut message = error.to_string();
    let mut refusal = None;
    let mut cause = error.source();
    while let Some(found) = cause {
        message += &format!(": {found}");
        refusal = refusal.or(found.downcast_ref::<io::Error>().map(io::Error::kind));
        cause = Error::source(found);
    }
    if let Some(hint) = error.help() {
        message += &format!("\nhint: {hint}");
    }
    match refusal {
        Some(io::ErrorKind::NotFound) => PyFileNotFoundError::new_err(message),
        Some(_) => PyOSError::new_err(message),
        None => PyValueError::new_err(message),
    }
}
