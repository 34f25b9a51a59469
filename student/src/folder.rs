//! A trained student's folder, written, and read into candle. Its files are [`limbeck_fold::folder`]'s.

use std::path::Path;

use candle_core::{Device, Tensor};
use limbeck_data::files;
use limbeck_encoder::{LexicalHalf, Tokenizer};
use limbeck_fold::folder::{CONFIG, ConfigFile, StudentFiles, StudentWeights, TOKENIZER, WEIGHTS};
use limbeck_training::checkpoint;
use serde_json::Value;

use crate::dense::DenseParameters;
use crate::error::{Error, Result};
use crate::lexical::{self, LexicalConfig};
use crate::model::TextCnn;

pub(crate) use limbeck_fold::folder::{END_TOKEN, ModuleLayout, ONNX_MODEL_TYPE};
pub use limbeck_fold::folder::{files_of, is_student, other_kind};

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
        let StudentFiles { weights, tokenizer, lexical, origin } = StudentFiles::open(folder)?;
        Ok(Self { model: model(weights, device)?, tokenizer, lexical, origin })
    }
}

/// The student of these weights on `device`.
fn model(weights: StudentWeights, device: &Device) -> Result<TextCnn> {
    let StudentWeights { config, table, dense } = weights;
    let mut tensors = std::collections::HashMap::new();
    for (name, shape) in config.dense_shapes() {
        let Some(values) = dense.get(&name) else { continue };
        let tensor = Tensor::from_slice(values, shape, device).map_err(Error::tensor("reading the student's weights"));
        tensors.insert(name, tensor?);
    }
    let dense = DenseParameters::new(&config, |name| tensors.remove(name))?;
    TextCnn::new(config, table, dense, device.clone())
}
