//! What can go wrong with a teacher.

use std::path::{Path, PathBuf};

use limbeck_data::Interrupted;

use crate::inference_error::InferenceError;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with a teacher; each variant names its file or its text.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
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
    /// A folder lacks a file that a teacher must have.
    #[error("{}: no such file", path.display())]
    MissingFile {
        /// The file that was looked for.
        path: PathBuf,
        /// What to do instead.
        #[help]
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
    /// A model of a kind, or with a setting, that this crate does not implement.
    #[error("{}: {what}", path.display())]
    Unsupported {
        /// The file with the setting.
        path: PathBuf,
        /// The setting.
        what: String,
        /// What to do instead.
        #[help]
        hint: String,
    },
    /// A safetensors file is cut short or broken.
    #[error("{}: not a whole safetensors file: {what}", path.display())]
    #[diagnostic(help("fetch {} again; the download may have been cut off", file_name(path)))]
    BrokenWeights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A weights file lacks a tensor.
    #[error("{}: no tensor `{name}`", path.display())]
    #[diagnostic(help("config.json and model.safetensors have to come from the same model"))]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("{}: tensor `{name}` has shape {found:?} where {expected:?} is expected", path.display())]
    #[diagnostic(help("config.json and model.safetensors have to come from the same model"))]
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
    /// A tensor holds values of a type that weights don't have.
    #[error("{}: tensor `{name}` holds {found}; f32, f16, bf16 or f64 is expected", path.display())]
    TensorType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The type in the file.
        found: String,
    },
    /// No pooler has that name.
    #[error("there is no pooler `{name}`")]
    UnknownPooler {
        /// The name.
        name: String,
        /// The names that exist.
        #[help]
        hint: String,
    },
    /// The pooler `cls` needs a dense layer that the model doesn't have.
    #[error("{}: the pooler `cls` needs the tensors pooler.dense.weight and pooler.dense.bias", path.display())]
    #[diagnostic(help("take `cls-before-pooler`, which uses the first token as it is, or `mean`"))]
    NoPoolerWeights {
        /// The weights file.
        path: PathBuf,
    },
    /// The model has no embedding for a token id.
    #[error("text {row} of the batch has the token id {id}, but the model's vocabulary has {vocabulary} tokens")]
    #[diagnostic(help("the tokenizer and the model have to belong together"))]
    TokenId {
        /// The text's place in the batch, from 0.
        row: usize,
        /// The id.
        id: u32,
        /// How many ids there are.
        vocabulary: usize,
    },
    /// A text has more tokens than the model has positions.
    #[error("text {row} of the batch has {tokens} tokens, but the model has {positions} positions")]
    #[diagnostic(help("cut texts to at most {positions} tokens"))]
    TooLong {
        /// The text's place in the batch, from 0.
        row: usize,
        /// Its tokens, special ones included.
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
    /// A setting has a value that is not allowed.
    #[error("{name} is {value}, but must be {allowed}")]
    Setting {
        /// The setting's key in a recipe, or its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// The values that are allowed.
        allowed: String,
    },
    /// The tokenizer can't be loaded, or can't tokenize a text.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tokenizer(#[from] limbeck_encoder::Error),
    /// A file can't be written or hashed, or the cache can't be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] limbeck_data::Error),
    /// A loss, the optimiser, a checkpoint or the metrics log.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Training(Box<limbeck_training::Error>),
    /// ONNX Runtime, a model in it, or the embed job.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Inference(#[from] InferenceError),
    /// The ONNX file can't be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Onnx(#[from] limbeck_onnx::Error),
    /// The caller asked for a stop.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Interrupted(#[from] Interrupted),
}

impl From<limbeck_training::Error> for Error {
    fn from(error: limbeck_training::Error) -> Self {
        Self::Training(Box::new(error))
    }
}

impl Error {
    /// The training error that this error wraps, where it does.
    pub fn training(&self) -> Option<&limbeck_training::Error> {
        match self {
            Self::Training(error) => Some(error),
            _ => None,
        }
    }

    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        miette::Diagnostic::help(self).map(|hint| hint.to_string())
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
