//! A student's folder: `config.json`, `model.safetensors`, `tokenizer.json`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use limbeck_data::files;
use limbeck_encoder::Tokenizer;
use limbeck_training::checkpoint;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{ARCHITECTURE, StudentConfig};
use crate::error::{Error, Result};
use crate::export::read;
use crate::model::{Dense, TABLE, TextCnn, is_finite};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const TOKENIZER: &str = "tokenizer.json";
/// What the config of an export to ONNX calls its model.
pub(crate) const ONNX_MODEL_TYPE: &str = "limbeck-textcnn";

/// A student with what it needs to read text.
pub struct StudentFolder {
    pub model: TextCnn,
    pub tokenizer: Tokenizer,
    /// Where the student comes from: its teacher, recipe and the like, as it stands in `config.json`.
    pub origin: Value,
}

#[derive(Serialize, Deserialize)]
struct ConfigFile {
    #[serde(flatten)]
    config: StudentConfig,
    #[serde(default)]
    origin: Value,
}

/// Whether `folder` holds a student of ours, be it in modules of sentence-transformers.
pub fn is_student(folder: &Path) -> bool {
    let config = std::fs::read(folder.join(CONFIG)).ok();
    let config: Option<Value> = config.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    config.is_some_and(|config| config["architecture"] == ARCHITECTURE || read::is_modules(&config))
}

/// What of another kind lies in `folder`, which a student's files there would write over: a cache, or a model that is no student.
pub fn other_kind(folder: &Path) -> Option<&'static str> {
    if folder.join("cache.json").is_file() {
        return Some("an embedding cache");
    }
    let config = std::fs::read(folder.join(CONFIG)).ok();
    let config: Option<Value> = config.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let is_ours = is_student(folder) || config.is_some_and(|config| config["model_type"] == ONNX_MODEL_TYPE);
    let is_model = [CONFIG, "modules.json"].into_iter().any(|name| folder.join(name).is_file());
    (is_model && !is_ours).then_some("a model of another kind")
}

/// The files that a student's folder is read from.
pub fn files_of(folder: &Path) -> Vec<PathBuf> {
    [CONFIG, WEIGHTS, TOKENIZER].into_iter().map(|name| folder.join(name)).chain(read::weights(folder)).collect()
}

impl StudentFolder {
    /// Writes the three files to `folder`, the config last: a folder with a config is whole.
    pub fn save(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(failed(folder, "making the folder"))?;
        checkpoint::write(&folder.join(WEIGHTS), &self.model.weights(), None)?;
        files::write_bytes(&folder.join(TOKENIZER), self.tokenizer.json())?;
        let config = ConfigFile { config: self.model.config.clone(), origin: self.origin.clone() };
        let path = folder.join(CONFIG);
        let mut text = serde_json::to_string_pretty(&config)
            .map_err(|error| Error::Folder { path: path.clone(), reason: error.to_string() })?;
        text.push('\n');
        Ok(files::write_bytes(&path, text.as_bytes())?)
    }

    /// Reads a student's folder, also one exported for sentence-transformers.
    ///
    /// # Errors
    /// A missing or truncated file, a config of another architecture, tensors that don't fit it or aren't finite; each
    /// error names the file.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let path = folder.join(CONFIG);
        let bytes = std::fs::read(&path).map_err(failed(&path, "reading"))?;
        if let Some(config) = serde_json::from_slice(&bytes).ok().filter(read::is_modules) {
            return read::open(folder, &config, device);
        }
        let ConfigFile { config, origin } = serde_json::from_slice(&bytes).map_err(|error| Error::Folder {
            path: path.clone(),
            reason: format!("is no student's config ({error})"),
        })?;
        config.check().map_err(|error| Error::Folder { path: path.clone(), reason: error.to_string() })?;
        let tokenizer = Tokenizer::from_file(&folder.join(TOKENIZER))?;
        if tokenizer.vocabulary() + 1 != config.vocabulary {
            let reason =
                format!("says {} tokens, the tokenizer makes {}", config.vocabulary, tokenizer.vocabulary() + 1);
            return Err(Error::Folder { path, reason });
        }
        let model = read_weights(&folder.join(WEIGHTS), config, device)?;
        Ok(Self { model, tokenizer, origin })
    }
}

/// The tensors of a safetensors file, as f32.
///
/// # Errors
/// A missing or truncated file, numbers that aren't finite; each error names the file.
pub(crate) fn tensors(path: &Path, device: &Device) -> Result<HashMap<String, Tensor>> {
    let broken = |reason: String| Error::Folder { path: path.to_path_buf(), reason };
    let bytes = std::fs::read(path).map_err(failed(path, "reading"))?;
    SafeTensors::read_metadata(&bytes).map_err(|error| broken(format!("is no whole safetensors file ({error})")))?;
    let mut tensors = candle_core::safetensors::load_buffer(&bytes, device)
        .map_err(|error| broken(format!("is no whole safetensors file ({error})")))?;
    for (name, tensor) in &mut tensors {
        *tensor = tensor.to_dtype(DType::F32).map_err(|error| broken(error.to_string()))?;
        if !is_finite(tensor).map_err(|error| broken(error.to_string()))? {
            return Err(broken(format!("{name} holds numbers that aren't finite")));
        }
    }
    Ok(tensors)
}

fn read_weights(path: &Path, config: StudentConfig, device: &Device) -> Result<TextCnn> {
    let broken = |reason: String| Error::Folder { path: path.to_path_buf(), reason };
    let tensors = tensors(path, device)?;
    let table = tensors.get(TABLE).filter(|table| table.dims() == [config.vocabulary, config.embedding]);
    let table = table
        .ok_or_else(|| broken(format!("has no {TABLE} of shape [{}, {}]", config.vocabulary, config.embedding)))?;
    let table = table.flatten_all().and_then(|table| table.to_vec1()).map_err(|error| broken(error.to_string()))?;
    let dense = Dense::new(&config, |name| tensors.get(name).cloned()).map_err(|error| broken(error.to_string()))?;
    TextCnn::new(config, table, dense, device.clone())
}

fn failed(path: &Path, operation: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    let path: PathBuf = path.to_path_buf();
    move |source| Error::File { path, operation, source }
}
