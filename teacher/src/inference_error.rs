//! What can go wrong with ONNX Runtime, a model in it, and the embed job.

use std::path::{Path, PathBuf};

/// What went wrong with a library, a model or a text.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum InferenceError {
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
    Start {
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
    Model {
        /// The model.
        path: PathBuf,
        /// The library's reason.
        #[source]
        source: ort::Error,
    },
    /// The model's inputs or outputs aren't those of a text encoder.
    #[error("{}: {problem}", path.display())]
    Signature {
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
    Run {
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
    /// The model gave NaN or infinity.
    #[error("{}: the vector of text {row} is not finite", path.display())]
    #[diagnostic(help("the model overflows; use one in f32"))]
    NotFinite {
        /// The model.
        path: PathBuf,
        /// The text's place among the texts to encode, from 0.
        row: usize,
    },
    /// The embed job had no text at all.
    #[error("there is no text to embed")]
    NoText,
    /// A thread of the embed job died.
    #[error("the {0} thread of the embed job panicked")]
    Panicked(&'static str),
    /// The embed job was stopped from outside.
    #[error("stopped; {shards} finished shards are kept in {}", folder.display())]
    #[diagnostic(code(limbeck::interrupted), help("run the same command again to go on"))]
    Interrupted {
        /// The cache.
        folder: PathBuf,
        /// How many shards the cache lists, of this run and earlier ones.
        shards: usize,
        /// The request to stop.
        #[source]
        source: limbeck_data::Interrupted,
    },
}

impl InferenceError {
    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        miette::Diagnostic::help(self).map(|hint| hint.to_string())
    }

    pub(crate) fn model(path: &Path) -> impl FnOnce(ort::Error) -> Self {
        move |source| Self::Model { path: path.to_owned(), source }
    }
}
