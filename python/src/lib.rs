//! The private module `_limbeck` of the Python package `limbeck`: a student, texts of Python and of Arrow, and errors
//! as exceptions. What its users see is written in Python, in `python/limbeck/`.

mod arrow;
mod error;
mod model;
mod texts;
mod threads;

use pyo3::prelude::*;

#[pymodule]
mod _limbeck {
    #[pymodule_export]
    use crate::arrow::{ArrowStream, ArrowTexts, array_of, stream_of};
    #[pymodule_export]
    use crate::model::Model;
}
