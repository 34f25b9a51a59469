//! A student's folder: `config.json`, `model.safetensors`, `tokenizer.json`, and `lexical.safetensors` where the
//! student has a lexical half.

mod modules;

use std::path::{Path, PathBuf};

use candle_core::Device;
use limbeck_data::files;
use limbeck_encoder::{LexicalHalf, Tokenizer};
use limbeck_training::checkpoint;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{ARCHITECTURE, StudentConfig};
use crate::dense::DenseParameters;
use crate::error::{Error, Result};
use crate::lexical::{self, LexicalConfig};
use crate::model::{TABLE, TextCnn};
use crate::tensors::TensorFile;

pub(crate) use modules::{END_TOKEN, ModuleLayout};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const TOKENIZER: &str = "tokenizer.json";
/// The `model_type` of an ONNX export's config.
pub(crate) const ONNX_MODEL_TYPE: &str = "limbeck-textcnn";

/// A student and its tokenizer.
pub struct StudentFolder {
    /// The student.
    pub model: TextCnn,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The lexical half beside its vectors, if it has one.
    pub lexical: Option<LexicalHalf>,
    /// Where the student comes from, such as its teacher and recipe: the `origin` of `config.json`.
    pub origin: Value,
}

#[derive(Serialize, Deserialize)]
struct ConfigFile {
    #[serde(flatten)]
    config: StudentConfig,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lexical: Option<LexicalConfig>,
    #[serde(default)]
    origin: Value,
}

/// Reads a JSON file.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).map_err(limbeck_data::Error::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::folder(path, format!("is no JSON ({error})")))
}

fn is_students(config: &Value) -> bool {
    config["architecture"] == ARCHITECTURE || modules::is_modules(config)
}

/// Whether `folder` holds a student of limbeck's, in its own files or in modules of sentence-transformers.
pub fn is_student(folder: &Path) -> bool {
    read_json(&folder.join(CONFIG)).is_ok_and(|config| is_students(&config))
}

/// The kind of the cache or model in `folder` that a student's files would overwrite; `None` for a student or its
/// export.
pub fn other_kind(folder: &Path) -> Option<&'static str> {
    if folder.join("cache.json").is_file() {
        return Some("an embedding cache");
    }
    let is_own = read_json(&folder.join(CONFIG))
        .is_ok_and(|config| is_students(&config) || config["model_type"] == ONNX_MODEL_TYPE);
    let is_model = [CONFIG, "modules.json"].into_iter().any(|name| folder.join(name).is_file());
    (is_model && !is_own).then_some("a model of another kind")
}

/// The files that a student is read from.
pub fn files_of(folder: &Path) -> Vec<PathBuf> {
    let own = [CONFIG, WEIGHTS, TOKENIZER].map(|name| folder.join(name));
    let half = Some(folder.join(lexical::FILE)).filter(|file| file.is_file());
    own.into_iter().chain(half).chain(modules::weight_files(folder)).collect()
}

/// Writes the files of a student without a lexical half to `folder`, the config last: a folder with a config is
/// complete.
///
/// # Errors
/// A folder or file that can't be written.
pub fn save_student(folder: &Path, model: &TextCnn, tokenizer: &Tokenizer, origin: &Value) -> Result<()> {
    write_files(folder, model, tokenizer, None, origin)
}

fn write_files(
    folder: &Path,
    model: &TextCnn,
    tokenizer: &Tokenizer,
    half: Option<&LexicalHalf>,
    origin: &Value,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(limbeck_data::Error::io("create the folder", folder))?;
    checkpoint::write(&folder.join(WEIGHTS), &model.weights(), None)?;
    files::write_bytes(&folder.join(TOKENIZER), tokenizer.json())?;
    match half {
        Some(half) => lexical::write(&folder.join(lexical::FILE), half)?,
        // Of a student that lay here before.
        None => files::remove(&folder.join(lexical::FILE))?,
    }
    let described = half.map(LexicalConfig::of);
    let config = ConfigFile { config: model.config.clone(), lexical: described, origin: origin.clone() };
    let path = folder.join(CONFIG);
    let text = serde_json::to_string_pretty(&config).map_err(|error| Error::folder(&path, error))?;
    Ok(files::write_bytes(&path, format!("{text}\n").as_bytes())?)
}

impl StudentFolder {
    /// As [`save_student`], with the lexical half.
    pub fn save(&self, folder: &Path) -> Result<()> {
        write_files(folder, &self.model, &self.tokenizer, self.lexical.as_ref(), &self.origin)
    }

    /// Reads a student's folder, or a student that was exported to modules of sentence-transformers.
    ///
    /// # Errors
    /// A missing or truncated file, a config of another architecture, tensors that don't fit it or aren't finite; each
    /// error names the file.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let path = folder.join(CONFIG);
        let bytes = std::fs::read(&path).map_err(limbeck_data::Error::io("read", &path))?;
        let modules = serde_json::from_slice(&bytes).ok().filter(modules::is_modules);
        let read = match &modules {
            Some(config) => modules::config(config),
            None => serde_json::from_slice(&bytes),
        };
        let ConfigFile { config, lexical, origin } =
            read.map_err(|error| Error::folder(&path, format!("is no student's config ({error})")))?;
        config.check().map_err(|error| Error::folder(&path, error))?;
        let json = folder.join(TOKENIZER);
        let tokenizer = if modules.is_some() { modules::tokenizer(&json)? } else { Tokenizer::from_file(&json)? };
        let tokens = tokenizer.vocabulary() + 1;
        if tokens != config.vocabulary {
            let reason = format!("says {} tokens, the tokenizer makes {tokens}", config.vocabulary);
            return Err(Error::folder(&path, reason));
        }
        let model = match modules {
            Some(_) => modules::read_model(folder, config, device)?,
            None => read_model(folder, config, device)?,
        };
        let lexical = lexical.map(|config| lexical::read(&folder.join(lexical::FILE), config)).transpose()?;
        Ok(Self { model, tokenizer, lexical, origin })
    }
}

fn read_model(folder: &Path, config: StudentConfig, device: &Device) -> Result<TextCnn> {
    let path = folder.join(WEIGHTS);
    let file = TensorFile::open(path.clone(), device)?;
    let table = file.get(TABLE, &[config.vocabulary, config.embedding])?;
    let table = table.flatten_all().and_then(|table| table.to_vec1()).map_err(|error| Error::folder(&path, error))?;
    let dense = DenseParameters::new(&config, |name| file.find(name)).map_err(|error| Error::folder(&path, error))?;
    TextCnn::new(config, table, dense, device.clone())
}
