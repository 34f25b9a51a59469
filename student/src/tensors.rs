//! Tensors of a safetensors file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;

use crate::error::{Error, Result};

/// A safetensors file, read into memory.
pub(crate) struct TensorFile {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl TensorFile {
    /// Reads the tensors of `path` as f32.
    ///
    /// # Errors
    /// A missing or truncated file, values that aren't finite; each error names the file.
    pub(crate) fn open(path: PathBuf, device: &Device) -> Result<Self> {
        let bytes = std::fs::read(&path).map_err(limbeck_data::Error::io("read", &path))?;
        SafeTensors::read_metadata(&bytes).map_err(|error| truncated(&path, &error))?;
        let mut tensors =
            candle_core::safetensors::load_buffer(&bytes, device).map_err(|error| truncated(&path, &error))?;
        for (name, tensor) in &mut tensors {
            *tensor = tensor.to_dtype(DType::F32).map_err(|error| Error::folder(&path, error))?;
            if !is_finite(tensor).map_err(|error| Error::folder(&path, error))? {
                return Err(Error::folder(&path, format!("{name} holds numbers that aren't finite")));
            }
        }
        Ok(Self { path, tensors })
    }

    /// The tensor `name`, if the file has it.
    pub(crate) fn find(&self, name: &str) -> Option<Tensor> {
        self.tensors.get(name).cloned()
    }

    /// The tensor `name`, which must have this shape.
    pub(crate) fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let found = self.find(name).filter(|tensor| tensor.dims() == shape);
        found.ok_or_else(|| Error::folder(&self.path, format!("has no {name} of shape {shape:?}")))
    }
}

/// The error of a file that is no safetensors file, or a truncated one.
pub(crate) fn truncated(path: &Path, error: &dyn std::error::Error) -> Error {
    Error::folder(path, format!("is no whole safetensors file ({error})"))
}

/// Whether every value of a float tensor is finite. A finite value times 0 is 0; NaN and infinities give NaN.
pub(crate) fn is_finite(tensor: &Tensor) -> candle_core::Result<bool> {
    let zeros = tensor.affine(0.0, 0.0)?.sum_all()?.to_dtype(DType::F64)?;
    Ok(zeros.to_scalar::<f64>()? == 0.0)
}
