//! Tensors of a safetensors file, in host memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};

/// A tensor's shape and its values, row-major.
#[derive(Debug, Clone)]
pub(crate) struct HostTensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// A safetensors file, read into memory.
pub(crate) struct TensorFile {
    path: PathBuf,
    tensors: HashMap<String, HostTensor>,
}

impl TensorFile {
    /// Reads the tensors of `path` as f32.
    ///
    /// # Errors
    /// A missing or truncated file, values that aren't finite; each error names the file.
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        let bytes = std::fs::read(&path).map_err(Error::read(&path))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| truncated(&path, &error))?;
        let mut tensors = HashMap::new();
        for (name, view) in file.iter() {
            let values = values(&view).map_err(|what| Error::folder(&path, format!("{name} {what}")))?;
            if !values.iter().all(|value| value.is_finite()) {
                return Err(Error::folder(&path, format!("{name} holds numbers that aren't finite")));
            }
            tensors.insert(name.to_owned(), HostTensor { shape: view.shape().to_vec(), values });
        }
        Ok(Self { path, tensors })
    }

    /// Takes the tensor `name` out, if the file has it in this shape.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Option<Vec<f32>> {
        self.tensors.remove(name).filter(|tensor| tensor.shape == shape).map(|tensor| tensor.values)
    }

    /// The values of the tensor `name`, which must have this shape; the file no longer has them.
    pub(crate) fn get(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let found = self.take(name, shape);
        found.ok_or_else(|| Error::folder(&self.path, format!("has no {name} of shape {shape:?}")))
    }
}

/// The tensor's values as f32, or what is wrong with its type.
fn values(tensor: &TensorView<'_>) -> std::result::Result<Vec<f32>, String> {
    fn each<const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.as_chunks::<N>().0.iter().map(|&bytes| of(bytes)).collect()
    }
    let bytes = tensor.data();
    Ok(match tensor.dtype() {
        Dtype::F32 => each(bytes, f32::from_le_bytes),
        Dtype::F16 => each(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Dtype::BF16 => each(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Dtype::F64 => each(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        other => return Err(format!("is of type {other:?}; F64, F32, F16 and BF16 are read")),
    })
}

/// The error of a file that is no safetensors file, or a truncated one.
pub(crate) fn truncated(path: &Path, error: &dyn std::error::Error) -> Error {
    Error::folder(path, format!("is no whole safetensors file ({error})"))
}
