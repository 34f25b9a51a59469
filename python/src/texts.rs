//! Texts of a Python list or of an Arrow array, without a copy where their bytes are UTF-8.

use std::borrow::Cow;

use arrow_array::array::AnyDictionaryArray;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyList, PyString};

use crate::arrow::ArrowTexts;

/// Texts that stay alive, and unchanged, while they are encoded without the GIL.
pub(crate) enum HeldTexts<'py> {
    /// Strings of a list, which may lose them meanwhile.
    Strings(Vec<Bound<'py, PyString>>),
    /// An Arrow array.
    Arrow(ArrayRef),
}

impl<'py> HeldTexts<'py> {
    /// The texts of a `list` of `str`, or of an [`ArrowTexts`]; the first of them is row `first` of the user's.
    pub(crate) fn of(texts: &Bound<'py, PyAny>, first: usize) -> PyResult<Self> {
        if let Ok(texts) = texts.cast::<ArrowTexts>() {
            return Ok(Self::Arrow(texts.get().array()));
        }
        let list = texts.cast::<PyList>()?;
        let mut strings = Vec::with_capacity(list.len());
        for item in list {
            match item.cast_into::<PyString>() {
                Ok(text) => strings.push(text),
                Err(error) => return Err(not_a_text(&error.into_inner(), first + strings.len())),
            }
        }
        Ok(Self::Strings(strings))
    }

    /// The texts themselves.
    pub(crate) fn texts(&self, first: usize) -> PyResult<Vec<Cow<'_, str>>> {
        match self {
            Self::Strings(strings) => strings.iter().map(text).collect(),
            Self::Arrow(array) => of_array(array, first),
        }
    }
}

/// A string's text; a surrogate that is no half of a pair is replaced by U+FFFD.
fn text<'a>(string: &'a Bound<'_, PyString>) -> PyResult<Cow<'a, str>> {
    match string.to_str() {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) => {
            let bytes: Vec<u8> = string.call_method1("encode", ("utf-16-le", "surrogatepass"))?.extract()?;
            let units: Vec<u16> = bytes.as_chunks().0.iter().map(|&unit| u16::from_le_bytes(unit)).collect();
            Ok(Cow::Owned(String::from_utf16_lossy(&units)))
        }
    }
}

/// The exception for an item of a list that is no `str`: None, NaN and NA stand for a missing text.
fn not_a_text(item: &Bound<'_, PyAny>, row: usize) -> PyErr {
    let name = item.get_type().name().map_or_else(|_| "object".into(), |name| name.to_string());
    let is_nan = item.cast::<PyFloat>().is_ok_and(|number| number.extract::<f64>().is_ok_and(f64::is_nan));
    if item.is_none() || is_nan || matches!(name.as_str(), "NAType" | "NaTType") {
        return null(row);
    }
    PyTypeError::new_err(format!("row {row} is of type {name}, not str\nhint: convert it first, as by str(x)"))
}

fn null(row: usize) -> PyErr {
    let hint = "leave such rows out, or put \"\" in their place";
    PyValueError::new_err(format!("row {row} is null: it has no text\nhint: {hint}"))
}

fn of_array(array: &ArrayRef, first: usize) -> PyResult<Vec<Cow<'_, str>>> {
    if array.null_count() > 0 {
        let row = (0..array.len()).find(|&row| array.is_null(row)).unwrap_or_default();
        return Err(null(first + row));
    }
    match array.data_type() {
        DataType::Utf8 => Ok(array.as_string::<i32>().iter().flatten().map(Cow::Borrowed).collect()),
        DataType::LargeUtf8 => Ok(array.as_string::<i64>().iter().flatten().map(Cow::Borrowed).collect()),
        DataType::Utf8View => Ok(array.as_string_view().iter().flatten().map(Cow::Borrowed).collect()),
        DataType::Dictionary(..) => of_dictionary(array.as_any_dictionary(), first),
        DataType::Null if array.is_empty() => Ok(Vec::new()),
        DataType::Null => Err(null(first)),
        other => Err(no_strings(other)),
    }
}

/// The texts of an array of keys, none of which is null; a value may be.
fn of_dictionary(array: &dyn AnyDictionaryArray, first: usize) -> PyResult<Vec<Cow<'_, str>>> {
    let values = array.values();
    if array.is_empty() {
        return Ok(Vec::new());
    }
    let text = |(row, key): (usize, usize)| match values.data_type() {
        _ if values.is_null(key) => Err(null(first + row)),
        DataType::Utf8 => Ok(Cow::Borrowed(values.as_string::<i32>().value(key))),
        DataType::LargeUtf8 => Ok(Cow::Borrowed(values.as_string::<i64>().value(key))),
        DataType::Utf8View => Ok(Cow::Borrowed(values.as_string_view().value(key))),
        _ => Err(no_strings(array.data_type())),
    };
    array.normalized_keys().into_iter().enumerate().map(text).collect()
}

fn no_strings(found: &DataType) -> PyErr {
    PyTypeError::new_err(format!("Arrow data of type {found}, where strings are needed\nhint: cast it to string first"))
}
