//! Tensors and a small state in one safetensors file, so that both are written or neither.
//!
//! The state is JSON in the file's metadata under the key `limbeck`; every safetensors reader finds the tensors.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use limbeck_data::files::{read_if_present, remove};
use rayon::prelude::*;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors, View};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::number::Number;

const KEY: &str = "limbeck";
/// The safetensors library refuses a longer header.
const MOST_HEADER: usize = 100_000_000;
/// The header of a safetensors file ends at a multiple of so many bytes.
const ALIGNMENT: usize = 8;

/// A tensor to be stored: one of candle's, or rows in memory elsewhere, which are not copied.
#[derive(Debug, Clone)]
pub enum Stored<'a> {
    /// A tensor of candle's.
    Tensor(Tensor),
    /// Rows in memory elsewhere.
    Rows {
        /// The values, row after row.
        bytes: &'a [u8],
        /// Their type, f32 or f64.
        dtype: DType,
        /// Rows and columns.
        shape: [usize; 2],
    },
}

/// Tensors to be stored, by name.
pub type NamedTensors<'a> = Vec<(String, Stored<'a>)>;

impl<'a> Stored<'a> {
    /// Rows of `width` values.
    pub fn rows<T: Number>(values: &'a [T], width: usize) -> Self {
        let shape = [values.len() / width.max(1), width];
        Self::Rows { bytes: bytemuck::cast_slice(values), dtype: T::DTYPE, shape }
    }

    /// As a tensor of candle's; rows become one on the CPU.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn to_tensor(&self) -> Result<Tensor> {
        match self {
            Self::Tensor(tensor) => Ok(tensor.clone()),
            Self::Rows { bytes, dtype, shape } => {
                Tensor::from_raw_buffer(bytes, *dtype, shape, &Device::Cpu).map_err(Error::tensor("stored rows"))
            }
        }
    }

    /// Whether every value is finite.
    pub fn is_finite(&self) -> bool {
        match self {
            // 0 times a value that is not finite is not 0.
            Self::Tensor(tensor) => {
                let zero = tensor.affine(0.0, 0.0).and_then(|zeros| zeros.sum_all()?.to_dtype(DType::F64)?.to_scalar());
                zero.is_ok_and(|zero: f64| zero == 0.0)
            }
            Self::Rows { bytes, dtype: DType::F64, .. } => {
                bytemuck::cast_slice::<u8, f64>(bytes).par_iter().all(|value| value.is_finite())
            }
            Self::Rows { bytes, .. } => {
                bytemuck::cast_slice::<u8, f32>(bytes).par_iter().all(|value| value.is_finite())
            }
        }
    }
}

impl View for &Stored<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Stored::Tensor(tensor) => View::dtype(&tensor),
            Stored::Rows { dtype, .. } => (*dtype).into(),
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Stored::Tensor(tensor) => tensor.dims(),
            Stored::Rows { shape, .. } => shape,
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self {
            Stored::Tensor(tensor) => Cow::Owned(View::data(&tensor).into_owned()),
            Stored::Rows { bytes, .. } => Cow::Borrowed(bytes),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Stored::Tensor(tensor) => tensor.elem_count() * tensor.dtype().size_in_bytes(),
            Stored::Rows { bytes, .. } => bytes.len(),
        }
    }
}

/// The tensors of a checkpoint.
#[derive(Debug)]
pub struct SavedTensors {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl SavedTensors {
    /// Copies of `tensors`, as if they had been saved and loaded.
    ///
    /// # Errors
    /// Tensor errors.
    pub fn copy_of(tensors: &[(String, Stored)]) -> Result<Self> {
        let copy = |(name, stored): &(String, Stored)| -> Result<(String, Tensor)> {
            Ok((name.clone(), stored.to_tensor()?.copy().map_err(Error::tensor("copying tensors"))?))
        };
        Ok(Self { path: "memory".into(), tensors: tensors.iter().map(copy).collect::<Result<_>>()? })
    }

    /// The tensor `name`, if it is there.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// The tensor `name` of this shape and type.
    ///
    /// # Errors
    /// When it is missing, or of another shape or type.
    pub fn fitting(&self, name: &str, shape: &[usize], dtype: DType) -> Result<&Tensor> {
        let fits = |tensor: &&Tensor| tensor.dims() == shape && Tensor::dtype(tensor) == dtype;
        self.get(name).filter(fits).ok_or_else(|| self.missing(name))
    }

    /// The error for a tensor that is missing or does not fit.
    pub fn missing(&self, name: &str) -> Error {
        Error::checkpoint(&self.path, format!("has no fitting {name}"))
    }
}

/// Writes `tensors` and `state` to `path`, whole or not at all. The same content gives the same bytes.
///
/// # Errors
/// Files that can't be written.
pub fn save<S: Serialize>(path: &Path, tensors: &[(String, Stored)], state: &S) -> Result<()> {
    let state = serde_json::to_string(state).map_err(|error| Error::checkpoint(path, error))?;
    write(path, tensors, Some(HashMap::from([(KEY.to_string(), state)])))
}

/// Writes a safetensors file, whole or not at all, one tensor after another. Memory holds a copy of one tensor at a
/// time, while `safetensors::serialize` copies all of them.
///
/// # Errors
/// Files that can't be written, and a header too long for any reader.
pub fn write(path: &Path, tensors: &[(String, Stored)], metadata: Option<HashMap<String, String>>) -> Result<()> {
    let mut sorted: Vec<(&str, &Stored)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    // As that library does: the widest types first, so that all values are aligned.
    sorted.sort_by(|a, b| b.1.dtype().cmp(&a.1.dtype()).then(a.0.cmp(b.0)));
    let mut end = 0;
    let infos = sorted.iter().map(|(name, tensor)| {
        let start = end;
        end += tensor.data_len();
        let (dtype, shape) = (tensor.dtype(), tensor.shape().to_vec());
        ((*name).to_string(), TensorInfo { dtype, shape, data_offsets: (start, end) })
    });
    let header = Metadata::new(metadata, infos.collect()).map_err(|error| Error::checkpoint(path, error))?;
    let mut header = serde_json::to_vec(&header).map_err(|error| Error::checkpoint(path, error))?;
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    if header.len() > MOST_HEADER {
        let reason = format!("its header would have {} bytes, which no reader takes", header.len());
        return Err(Error::checkpoint(path, reason));
    }
    limbeck_data::files::write_atomically(path, |file| {
        let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(limbeck_data::Error::io("write", path));
        write(&(header.len() as u64).to_le_bytes())?;
        write(&header)?;
        Ok(sorted.iter().try_for_each(|(_, tensor)| write(&tensor.data()))?)
    })
}

/// Reads what [`save`] wrote; `None` when there is no file.
///
/// # Errors
/// A file that is truncated or not safetensors, and a state that is missing or has other fields.
pub fn load<S: DeserializeOwned>(path: &Path) -> Result<Option<(HashMap<String, Tensor>, S)>> {
    let Some(bytes) = read_if_present(path)? else { return Ok(None) };
    let state = state_in(&bytes, path)?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(not_whole(path))?;
    Ok(Some((tensors, state)))
}

/// The state in the header of `bytes`, the file at `path`.
fn state_in<S: DeserializeOwned>(bytes: &[u8], path: &Path) -> Result<S> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_whole(path))?;
    let state = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let state = state.ok_or_else(|| Error::checkpoint(path, "has no limbeck state in its metadata"))?;
    serde_json::from_str(state).map_err(|error| Error::checkpoint(path, format!("its state doesn't fit ({error})")))
}

fn not_whole<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> Error {
    move |error| Error::checkpoint(path, format!("no whole safetensors file ({error})"))
}

/// The two checkpoints of a training: its current state, and its best weights so far.
#[derive(Debug, Clone)]
pub struct CheckpointFiles {
    folder: PathBuf,
}

impl CheckpointFiles {
    /// `checkpoint.safetensors` and `best.safetensors` in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// The path of the current state.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    /// The path of the best weights.
    pub fn best(&self) -> PathBuf {
        self.folder.join("best.safetensors")
    }

    /// Saves the current state.
    ///
    /// # Errors
    /// Files that can't be written.
    pub fn save<S: Serialize>(&self, tensors: &[(String, Stored)], state: &S) -> Result<()> {
        save(&self.checkpoint(), tensors, state)
    }

    /// Loads the state that [`CheckpointFiles::save`] saved; `None` when there is none.
    ///
    /// # Errors
    /// As for [`load`].
    pub fn load<S: DeserializeOwned>(&self) -> Result<Option<(SavedTensors, S)>> {
        let path = self.checkpoint();
        Ok(load(&path)?.map(|(tensors, state)| (SavedTensors { path, tensors }, state)))
    }

    /// [`CheckpointFiles::load`] without the tensors.
    ///
    /// # Errors
    /// As for [`load`].
    pub fn state<S: DeserializeOwned>(&self) -> Result<Option<S>> {
        let path = self.checkpoint();
        read_if_present(&path)?.map(|bytes| state_in(&bytes, &path)).transpose()
    }

    /// Saves the weights after `step` as the best so far.
    ///
    /// # Errors
    /// Files that can't be written.
    pub fn save_best(&self, weights: &[(String, Stored)], step: u64) -> Result<()> {
        save(&self.best(), weights, &step)
    }

    /// The best weights, which are those after `step`.
    ///
    /// # Errors
    /// When they are missing or of another step.
    pub fn load_best(&self, step: u64) -> Result<SavedTensors> {
        let path = self.best();
        match load::<u64>(&path)? {
            Some((tensors, found)) if found == step => Ok(SavedTensors { path, tensors }),
            Some(_) => Err(Error::checkpoint(&path, "is of another step than the checkpoint says")),
            None => Err(Error::checkpoint(&path, "is missing")),
        }
    }

    /// Removes both files.
    ///
    /// # Errors
    /// A file that can't be removed.
    pub fn remove(&self) -> Result<()> {
        for path in [self.checkpoint(), self.best()] {
            remove(&path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(path: &Path) -> Tensor {
        let tensor = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu).unwrap();
        let stored = |name: &str| (name.to_string(), Stored::Tensor(tensor.clone()));
        save(path, &[stored("a"), stored("b")], &(7u64, "x")).unwrap();
        tensor
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        assert!(load::<(u64, String)>(&path).unwrap().is_none());
        let tensor = example(&path);
        let (tensors, state) = load::<(u64, String)>(&path).unwrap().unwrap();
        assert_eq!(state, (7, "x".to_string()));
        assert_eq!(tensors["b"].to_vec2::<f32>().unwrap(), tensor.to_vec2::<f32>().unwrap());
    }

    #[test]
    fn the_bytes_are_those_of_the_library_s_own_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let (rows, wide) = ([1f32, 2., 3., 4., 5., 6.], Tensor::new(&[[1f64], [2.]], &Device::Cpu).unwrap());
        let named = |name: &str, stored| (String::from(name), stored);
        let tensors = [
            named("c", Stored::rows(&rows, 3)),
            named("b", Stored::Tensor(wide)),
            named("a", Stored::Tensor(Tensor::new(&[7f32], &Device::Cpu).unwrap())),
        ];
        let metadata = Some(HashMap::from([("made".to_string(), "here".to_string())]));
        write(&path, &tensors, metadata.clone()).unwrap();
        let views = tensors.iter().map(|(name, stored)| (name.as_str(), stored));
        assert_eq!(std::fs::read(&path).unwrap(), safetensors::serialize(views, metadata).unwrap());
        assert_eq!(tensors[0].1.to_tensor().unwrap().to_vec2::<f32>().unwrap(), [[1., 2., 3.], [4., 5., 6.]]);
    }

    #[test]
    fn every_bit_of_a_states_numbers_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let numbers: Vec<f64> = (1..2000).map(|at| (f64::from(at) * 0.7371).sin().powi(3) / 3.0).collect();
        let tensor = Tensor::new(&[1f32], &Device::Cpu).unwrap();
        save(&path, &[("a".into(), Stored::Tensor(tensor))], &numbers).unwrap();
        let (_, found) = load::<Vec<f64>>(&path).unwrap().unwrap();
        assert!(numbers.iter().zip(&found).all(|(a, b)| a.to_bits() == b.to_bits()));
    }

    #[test]
    fn a_truncated_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        example(&path);
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 4, 9, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let message = load::<(u64, String)>(&path).unwrap_err().to_string();
            assert!(message.contains("checkpoint.safetensors"), "{message}");
        }
    }
}
