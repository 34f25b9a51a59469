//! The files that sentence-transformers puts into a model's folder, for a folder with safetensors and for an ONNX file
//! alike.
//!
//! | file | what is read |
//! |---|---|
//! | `modules.json` | the modules, in order |
//! | `1_Pooling/config.json` | the poolers, and whether a prompt's tokens count |
//! | `2_Dense/config.json` | the activation, the bias and the residual; `model.safetensors` there has the weights |
//! | `sentence_bert_config.json` | the longest input, and whether texts are lower-cased |
//! | `tokenizer_config.json` | the longest input, where no other file states it |
//! | `config_sentence_transformers.json` | the prompts and the default one |
//!
//! The modules are Transformer, WeightedLayerPooling, Pooling, Dense, LayerNorm and Normalize; Dropout does nothing.
//! Their folders are called as `modules.json` says.

mod layers;
mod limits;
mod modules;
mod pooling;
mod prompts;

use std::path::{Path, PathBuf};

use limits::Limits;
use modules::Modules;
pub use prompts::{Prompts, SearchPrompts};

use crate::{Error, Result};

/// What the files in a model's folder say.
pub(crate) struct FolderFiles {
    pub modules: Modules,
    pub limits: Limits,
    pub prompts: Prompts,
}

impl FolderFiles {
    /// Reads the files in `folder`; what is missing there says nothing.
    ///
    /// # Errors
    /// A module or a setting that isn't supported; a file that is broken, or that a module needs and lacks.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let modules = Modules::read(folder)?;
        let limits = Limits::read(folder, &modules.transformer)?;
        let prompts = Prompts::read(folder, modules.prompt_left_out.clone())?;
        Ok(Self { modules, limits, prompts })
    }
}

/// The error for a setting in the file at `path` that can't be followed here.
fn unsupported(path: &Path, what: String) -> Error {
    let hint = "embed the texts with sentence-transformers and use the vectors as a cache".to_owned();
    Error::Unsupported { path: path.to_owned(), what, hint }
}

/// The folder of the model that the ONNX file at `path` belongs to: the file's own, or the one above where the file
/// lies in a folder of ONNX files.
pub fn folder_of_onnx(path: &Path) -> PathBuf {
    let beside = path.parent().unwrap_or(Path::new("."));
    let is_model = |folder: &Path| {
        ["modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "tokenizer.json"]
            .iter()
            .any(|name| folder.join(name).is_file())
    };
    match beside.parent() {
        Some(above) if beside.file_name().is_some_and(|name| name == "onnx") => above.to_owned(),
        Some(above) if !is_model(beside) && is_model(above) => above.to_owned(),
        _ => beside.to_owned(),
    }
}
