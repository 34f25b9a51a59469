//! What can go wrong with a teacher.

use std::path::{Path, PathBuf};

use limbeck_data::Interrupted;

use crate::api::ApiError;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with a teacher; each variant names its file or its text.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
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
    /// A layer after the pooling takes vectors of another width than it gets.
    #[error("{}: the layer takes vectors of {expected} dimensions, but gets {found}", path.display())]
    #[diagnostic(help(
        "the pooling, or the pooler that was asked for, has to be the one that the layer was trained on"
    ))]
    HeadWidth {
        /// The folder of the layer.
        path: PathBuf,
        /// The width that the layer takes.
        expected: usize,
        /// The width of the vectors before it.
        found: usize,
    },
    /// A teacher that is pooled in this way can't be trained.
    #[error("{}: a teacher pooled by `{pooling}` can't be trained", path.display())]
    #[diagnostic(help("choose one pooler of a model without layers after the pooling; `max` can't be trained"))]
    NotTrainable {
        /// The folder.
        path: PathBuf,
        /// Its poolers and layers.
        pooling: String,
    },
    /// A tokenizer has ids that the model has no vector for.
    #[error("{}: the tokenizer has the id {id} (`{token}`), the model vectors of {vectors} ids", path.display())]
    #[diagnostic(help("the tokenizer and the model have to belong together"))]
    TokenWithoutVector {
        /// The tokenizer's file.
        path: PathBuf,
        /// The largest id.
        id: u32,
        /// Its token.
        token: String,
        /// How many ids the model has a vector for.
        vectors: usize,
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
    /// Nothing says where the library is.
    #[error("no ONNX Runtime library is given")]
    #[diagnostic(help(
        "give the path of libonnxruntime, set ORT_DYLIB_PATH, or name an asset such as pypi:onnxruntime==1.32.0"
    ))]
    NoLibrary,
    /// The library isn't at the path given.
    #[error("there is no ONNX Runtime library at {}, which {named_by} names", path.display())]
    LibraryMissing {
        /// The path.
        path: PathBuf,
        /// Who named the path.
        named_by: &'static str,
        /// What to correct.
        #[help]
        hint: &'static str,
    },
    /// The system can't load the file, or the file is no ONNX Runtime.
    #[error("cannot load {} as ONNX Runtime", path.display())]
    #[diagnostic(help("it has to be libonnxruntime itself, whole, and built for this system and processor"))]
    LibraryBroken {
        /// The file.
        path: PathBuf,
        /// The loader's reason.
        #[source]
        source: ort::LoadDynamicError,
    },
    /// The library is cut short; loading it would end the process.
    #[error("{} is cut short: it has {bytes} bytes and needs at least {least}", path.display())]
    #[diagnostic(help("fetch it again"))]
    LibraryCut {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The size that its own headers ask for.
        least: u64,
    },
    /// The library is older than this program can use.
    #[error("{} is ONNX Runtime {version}; at least 1.{} is needed", path.display(), ort::MINOR_VERSION)]
    #[diagnostic(help("pip download onnxruntime==1.32.0 has a newer one"))]
    LibraryTooOld {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// A process can load one library only, and has loaded another.
    #[error("{} is loaded already, so {} can't be", loaded.display(), asked.display())]
    LibraryLoaded {
        /// The library that is loaded.
        loaded: PathBuf,
        /// The library that is asked for now.
        asked: PathBuf,
    },
    /// The library didn't start.
    #[error("ONNX Runtime at {} did not start", path.display())]
    LibraryNotStarted {
        /// The library.
        path: PathBuf,
        /// Its reason.
        #[source]
        source: ort::Error,
    },
    /// No device has that name.
    #[error("there is no device `{0}`")]
    #[diagnostic(help("the devices are cpu, cuda and cuda:N"))]
    UnknownDevice(String),
    /// The library was built for the CPU only.
    #[error("the device `cuda` is asked for, but {} was built without CUDA", library.display())]
    #[diagnostic(help("take the library of the package onnxruntime-gpu, or the device cpu"))]
    NoCudaInLibrary {
        /// The library.
        library: PathBuf,
    },
    /// The library has CUDA but can't use it here.
    #[error("the device `cuda` is asked for, but {} cannot use it", library.display())]
    #[diagnostic(help(
        "the usual cause is a library built for another CUDA major version than the driver's, or \
         libonnxruntime_providers_cuda or cuDNN not being found; nvidia-smi shows the driver's version"
    ))]
    NoCuda {
        /// The library.
        library: PathBuf,
        /// Its reason.
        #[source]
        source: ort::Error,
    },
    /// The model file isn't there, is cut short, or is no ONNX model that this library reads.
    #[error("cannot load the ONNX model {}", path.display())]
    #[diagnostic(help("export the teacher again; the file may be cut short, or newer than this library reads"))]
    OnnxModel {
        /// The model.
        path: PathBuf,
        /// The library's reason.
        #[source]
        source: ort::Error,
    },
    /// The model's inputs or outputs aren't those of a text encoder.
    #[error("{}: {problem}", path.display())]
    OnnxSignature {
        /// The model.
        path: PathBuf,
        /// Which input or output is unfit, and what the model has.
        problem: String,
    },
    /// The library failed on a batch.
    #[error("{}: a batch of {rows} texts of up to {tokens} tokens failed", path.display())]
    #[diagnostic(help(
        "the tokenizer and the model have to belong together, and texts must not be longer than the model's positions"
    ))]
    OnnxRun {
        /// The model.
        path: PathBuf,
        /// Texts in the batch.
        rows: usize,
        /// Tokens of the longest text.
        tokens: usize,
        /// The library's reason.
        #[source]
        source: ort::Error,
    },
    /// The tokenizer has ids that the model has no vector for.
    #[error("{}: the model fails on the id {id} (`{token}`), the last of its tokenizer", path.display())]
    #[diagnostic(help("the tokenizer and the model have to belong together"))]
    OnnxVocabulary {
        /// The model.
        path: PathBuf,
        /// The id.
        id: u32,
        /// Its token.
        token: String,
        /// The library's reason.
        #[source]
        source: ort::Error,
    },
    /// The model gave NaN or infinity.
    #[error("{}: the vector of text {row} is not finite", path.display())]
    #[diagnostic(help("the model overflows; use one in f32"))]
    NotFinite {
        /// The model.
        path: PathBuf,
        /// The text's place among the texts to encode, from 0.
        row: usize,
    },
    /// The model gave NaN or infinity for a text of an embed job.
    #[error("{}: the vector of text {row} is not finite: {text:?}", path.display())]
    #[diagnostic(help("the model overflows on this text: use one in f32, or leave the text out"))]
    TextNotFinite {
        /// The model.
        path: PathBuf,
        /// The text's place among all texts, from 1.
        row: u64,
        /// The text's beginning.
        text: String,
    },
    /// The embed job had no text at all.
    #[error("there is no text to embed")]
    NoText,
    /// A thread of the embed job died.
    #[error("the {0} thread of the embed job panicked")]
    ThreadPanicked(&'static str),
    /// The embed job was stopped from outside.
    #[error("stopped; {shards} finished shards are kept in {}", folder.display())]
    #[diagnostic(code(limbeck::interrupted), help("run the same command again to go on"))]
    EmbedInterrupted {
        /// The cache.
        folder: PathBuf,
        /// How many shards the cache lists, of this run and earlier ones.
        shards: usize,
        /// The request to stop.
        #[source]
        source: Interrupted,
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
    /// A teacher behind an API.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Api(#[from] ApiError),
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
    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        miette::Diagnostic::help(self).map(|hint| hint.to_string())
    }

    /// An error of ONNX Runtime with the model at `path`, for `map_err`.
    pub(crate) fn model(path: &Path) -> impl FnOnce(ort::Error) -> Self {
        move |source| Self::OnnxModel { path: path.to_owned(), source }
    }

    /// An error of candle during `operation`, for `map_err`.
    pub(crate) fn candle(operation: &'static str) -> impl FnOnce(candle_core::Error) -> Self {
        move |source| Self::Candle { operation, source: Box::new(source) }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
