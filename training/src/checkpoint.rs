//! Tensors and a small state in one safetensors file, so that both are written or neither.
//!
//! The state is JSON in the file's metadata under the key `limbeck`; anyone's safetensors reader finds the tensors.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

const KEY: &str = "limbeck";

/// Writes `tensors` and `state` to `path`, whole or not at all. The same content gives the same bytes.
pub fn save<'a, S: Serialize>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    state: &S,
) -> Result<()> {
    let broken = |reason: String| Error::Checkpoint { path: path.to_path_buf(), reason };
    let state = serde_json::to_string(state).map_err(|error| broken(error.to_string()))?;
    let metadata = HashMap::from([(KEY.to_string(), state)]);
    let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|error| broken(error.to_string()))?;
    Ok(limbeck_data::files::write_bytes(path, &bytes)?)
}

/// Reads what [`save`] wrote. A file that isn't there is `None`.
///
/// # Errors
/// When the file is truncated, isn't safetensors, or its state is missing or of another make.
pub fn load<S: DeserializeOwned>(path: &Path) -> Result<Option<(HashMap<String, Tensor>, S)>> {
    let broken = |reason: String| Error::Checkpoint { path: path.to_path_buf(), reason };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::File { path: path.to_path_buf(), operation: "reading", source }),
    };
    let (_, header) =
        SafeTensors::read_metadata(&bytes).map_err(|error| broken(format!("no whole safetensors file ({error})")))?;
    let state = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let state = state.ok_or_else(|| broken("has no limbeck state in its metadata".into()))?;
    let state = serde_json::from_str(state).map_err(|error| broken(format!("its state doesn't fit ({error})")))?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
    Ok(Some((tensors.map_err(|error| broken(format!("no whole safetensors file ({error})")))?, state)))
}

/// The two checkpoints of a training: where it stands, and its best weights so far.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// Those in `folder`: `checkpoint.safetensors` and `best.safetensors`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// Where the training as it stands is kept.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    /// Where the best weights are kept.
    pub fn best(&self) -> PathBuf {
        self.folder.join("best.safetensors")
    }

    /// Whether a checkpoint lies there, of whatever training.
    pub fn any(&self) -> bool {
        self.checkpoint().exists()
    }

    /// Saves the training as it stands.
    pub fn save<S: Serialize>(&self, tensors: &[(String, Tensor)], state: &S) -> Result<()> {
        save(&self.checkpoint(), named(tensors), state)
    }

    /// Where a training stood; `None` where there is none.
    pub fn load<S: DeserializeOwned>(&self) -> Result<Option<(HashMap<String, Tensor>, S)>> {
        load(&self.checkpoint())
    }

    /// Saves the weights that `step` left as the best so far.
    pub fn save_best(&self, weights: &[(String, Tensor)], step: u64) -> Result<()> {
        save(&self.best(), named(weights), &step)
    }

    /// The best weights.
    ///
    /// # Errors
    /// When they are missing, or of another step than `step`.
    pub fn load_best(&self, step: u64) -> Result<HashMap<String, Tensor>> {
        let broken = |reason: &str| Error::Checkpoint { path: self.best(), reason: reason.into() };
        let (weights, found) = load::<u64>(&self.best())?.ok_or_else(|| broken("is missing"))?;
        if found != step {
            return Err(broken("is of another step than the checkpoint says"));
        }
        Ok(weights)
    }

    /// Removes both.
    pub fn remove(&self) -> Result<()> {
        for path in [self.checkpoint(), self.best()] {
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::File { path, operation: "removing", source });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn named(tensors: &[(String, Tensor)]) -> impl Iterator<Item = (&str, &Tensor)> {
    tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(path: &Path) -> Tensor {
        let tensor = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu).unwrap();
        save(path, [("a", &tensor), ("b", &tensor)], &(7u64, "x")).unwrap();
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
    fn every_bit_of_a_states_numbers_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let numbers: Vec<f64> = (1..2000).map(|at| (f64::from(at) * 0.7371).sin().powi(3) / 3.0).collect();
        let tensor = Tensor::new(&[1f32], &Device::Cpu).unwrap();
        save(&path, [("a", &tensor)], &numbers).unwrap();
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
