//! Arrow data of any library, by the capsules of Arrow's C data interface.

#![expect(unsafe_code, reason = "Arrow's C structures are taken out of Python's capsules")]

use std::ffi::CStr;
use std::sync::{Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{ArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::{Array, ArrayRef, make_array};
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

/// An Arrow array of texts.
#[pyclass(frozen, module = "limbeck._limbeck")]
pub(crate) struct ArrowTexts(ArrayRef);

#[pymethods]
impl ArrowTexts {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// `length` texts from the text `start` on, without a copy.
    fn slice(&self, start: usize, length: usize) -> PyResult<Self> {
        if start.checked_add(length).is_none_or(|end| end > self.0.len()) {
            return Err(PyIndexError::new_err("a slice beyond the array's end"));
        }
        Ok(Self(self.0.slice(start, length)))
    }
}

impl ArrowTexts {
    pub(crate) fn array(&self) -> ArrayRef {
        ArrayRef::clone(&self.0)
    }

    /// The texts of `array`, which may be the only column of a table.
    fn of(array: ArrayRef) -> PyResult<Self> {
        let Some(table) = array.as_struct_opt() else { return Ok(Self(array)) };
        match table.columns() {
            [column] if table.null_count() == 0 => Ok(Self(ArrayRef::clone(column))),
            columns => {
                let names = table.column_names().join(", ");
                let what = format!("a table of {} columns ({names}), where texts are needed", columns.len());
                Err(PyTypeError::new_err(format!("{what}\nhint: give the column of the texts alone")))
            }
        }
    }
}

/// The arrays of an Arrow stream, one after another.
#[pyclass(frozen, module = "limbeck._limbeck")]
pub(crate) struct ArrowStream(Mutex<ArrayStreamReader>);

#[pymethods]
impl ArrowStream {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<ArrowTexts>> {
        // The producer may need the GIL itself.
        let next = py.detach(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).next());
        next.transpose().map_err(|error| wrong(&error))?.map(ArrowTexts::of).transpose()
    }
}

fn wrong(error: &arrow_schema::ArrowError) -> PyErr {
    PyValueError::new_err(format!("Arrow data that can't be read: {error}"))
}

/// The texts of an object's `__arrow_c_array__`.
#[pyfunction]
pub(crate) fn array_of(object: &Bound<'_, PyAny>) -> PyResult<ArrowTexts> {
    let capsules = object.call_method0("__arrow_c_array__")?.cast_into::<PyTuple>()?;
    let (schema, array) = (capsules.get_item(0)?, capsules.get_item(1)?);
    let schema = address::<FFI_ArrowSchema>(&schema, c"arrow_schema")?;
    let array = address::<FFI_ArrowArray>(&array, c"arrow_array")?;
    // SAFETY: by Arrow's PyCapsule interface capsules of these names hold valid structures of the C data interface,
    // which are moved out: an empty one, whose release does nothing, takes the place of each.
    let data = unsafe { from_ffi(FFI_ArrowArray::from_raw(array), &FFI_ArrowSchema::from_raw(schema)) };
    ArrowTexts::of(make_array(data.map_err(|error| wrong(&error))?))
}

/// The arrays of an object's `__arrow_c_stream__`.
#[pyfunction]
pub(crate) fn stream_of(object: &Bound<'_, PyAny>) -> PyResult<ArrowStream> {
    let capsule = object.call_method0("__arrow_c_stream__")?;
    let stream = address::<FFI_ArrowArrayStream>(&capsule, c"arrow_array_stream")?;
    // SAFETY: by Arrow's PyCapsule interface a capsule of this name holds a valid stream, which is moved out: an empty
    // one, whose release does nothing, takes its place.
    let reader = unsafe { ArrayStreamReader::from_raw(stream) };
    Ok(ArrowStream(Mutex::new(reader.map_err(|error| wrong(&error))?)))
}

/// The address in a capsule of this name.
fn address<T>(capsule: &Bound<'_, PyAny>, name: &CStr) -> PyResult<*mut T> {
    let address = capsule.cast::<PyCapsule>()?.pointer_checked(Some(name))?;
    Ok(address.as_ptr().cast())
}
