//! What can go wrong with a teacher.

use std::path::{Path, PathBuf};

use crate::Pooler;
use crate::inference_error::InferenceError;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, where, and from what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading or writing failed.
    #[error("{}: cannot {operation}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a verb: `read`, `create`.
        operation: &'static str,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A folder lacks a file that a teacher has to have.
    #[error("{}: no such file", path.display())]
    MissingFile {
        /// The file that was looked for.
        path: PathBuf,
        /// What to do instead.
        hint: String,
    },
    /// A JSON file is broken or lacks a key.
    #[error("{}: not the JSON that is expected there", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// A model of a kind, or with a setting, that is not implemented here.
    #[error("{}: {what}", path.display())]
    Unsupported {
        /// The file that says so.
        path: PathBuf,
        /// What it says.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// A safetensors file is cut short or broken.
    #[error("{}: not a whole safetensors file: {what}", path.display())]
    BrokenWeights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A weights file lacks a tensor.
    #[error("{}: no tensor `{name}`", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("{}: tensor `{name}` has shape {found:?} where {expected:?} is expected", path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The shape by config.json.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor holds numbers of a kind that weights don't have.
    #[error("{}: tensor `{name}` holds {found}; f32, f16, bf16 or f64 is expected", path.display())]
    TensorType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The type in the file.
        found: String,
    },
    /// A pooler of that name doesn't exist.
    #[error("there is no pooler `{0}`")]
    UnknownPooler(String),
    /// A precision of that name doesn't exist.
    #[error("there is no precision `{0}` for an ONNX file")]
    UnknownPrecision(String),
    /// The pooler needs weights that the model doesn't have.
    #[error("{}: the pooler `cls` needs the tensors pooler.dense.weight and pooler.dense.bias", path.display())]
    NoPoolerWeights {
        /// The weights file.
        path: PathBuf,
    },
    /// A token id that the model has no embedding for.
    #[error("text {row} of the batch has the token id {id}, but the model's vocabulary has {vocabulary} tokens")]
    TokenId {
        /// The text's place in the batch, from 0.
        row: usize,
        /// The id.
        id: u32,
        /// How many ids there are.
        vocabulary: usize,
    },
    /// A text of more tokens than the model has positions.
    #[error("text {row} of the batch has {tokens} tokens, but the model has {positions} positions")]
    TooLong {
        /// The text's place in the batch, from 0.
        row: usize,
        /// Its tokens, special ones too.
        tokens: usize,
        /// How many positions the model has.
        positions: usize,
    },
    /// The tensor library failed.
    #[error("{operation} failed")]
    Candle {
        /// What was computed.
        operation: &'static str,
        /// The library's reason.
        #[source]
        source: Box<candle_core::Error>,
    },
    /// The tokenizer can't be loaded, or can't tokenize a text.
    #[error(transparent)]
    Tokenizer(#[from] limbeck_encoder::Error),
    /// Writing or hashing a file failed.
    #[error(transparent)]
    Data(#[from] limbeck_data::Error),
    /// A setting of a training can't be.
    #[error("{name} is {value}, but must be {allowed}")]
    Setting {
        /// The setting's key in a recipe.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// A loss, the optimiser, a checkpoint or the metrics log.
    #[error(transparent)]
    Training(Box<limbeck_training::Error>),
    /// Something about ONNX Runtime, a model in it, or the embed job.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// The ONNX file could not be written.
    #[error(transparent)]
    Onnx(#[from] limbeck_onnx::Error),
}

impl From<limbeck_training::Error> for Error {
    fn from(error: limbeck_training::Error) -> Self {
        Self::Training(Box::new(error))
    }
}

impl Error {
    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::MissingFile { hint, .. } | Self::Unsupported { hint, .. } => {
                Some(hint.clone()).filter(|hint| !hint.is_empty())
            }
            Self::BrokenWeights { path, .. } => {
                Some(format!("fetch {} again; the download may have been cut off", file_name(path)))
            }
            Self::MissingTensor { .. } | Self::TensorShape { .. } => {
                Some("config.json and model.safetensors have to come from the same model".to_owned())
            }
            Self::UnknownPooler(_) => {
                let names: Vec<_> = Pooler::ALL.iter().map(|pooler| pooler.name()).collect();
                Some(format!("the poolers are {}", names.join(", ")))
            }
            Self::UnknownPrecision(_) => Some("the precisions are f32 and int8".to_owned()),
            Self::Training(error) => error.hint(),
            Self::Tokenizer(error) => error.hint(),
            Self::Data(error) => error.hint(),
            Self::Inference(error) => error.hint(),
            Self::NoPoolerWeights { .. } => Some(format!(
                "take `{}`, which uses the first token as it is, or `{}`",
                Pooler::ClsBeforePooler,
                Pooler::Mean
            )),
            Self::TokenId { .. } => Some("the tokenizer and the model have to belong together".to_owned()),
            Self::TooLong { positions, .. } => Some(format!("cut texts to at most {positions} tokens")),
            Self::Onnx(error) => error.hint(),
            Self::Io { .. }
            | Self::Json { .. }
            | Self::TensorType { .. }
            | Self::Candle { .. }
            | Self::Setting { .. } => None,
        }
    }

    /// An error of the file system: `Error::io(path, "read")` serves `map_err`.
    pub(crate) fn io(path: &Path, operation: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, operation, source }
    }

    /// An error of candle during `operation`, for `map_err`.
    pub(crate) fn candle(operation: &'static str) -> impl FnOnce(candle_core::Error) -> Self {
        move |source| Self::Candle { operation, source: Box::new(source) }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
