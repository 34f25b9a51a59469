//! What can go wrong with ONNX Runtime, a model in it, and the embed job.

use std::path::{Path, PathBuf};

use limbeck_data::Interrupted;

/// What went wrong between a library, a model and a text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InferenceError {
    /// Nothing says where the library is.
    #[error("no ONNX Runtime library is given")]
    NoLibrary,
    /// The library isn't where it was said to be.
    #[error("there is no ONNX Runtime library at {}, which {named_by} names", path.display())]
    LibraryMissing {
        /// Where it should be.
        path: PathBuf,
        /// Who said so.
        named_by: &'static str,
    },
    /// The system can't load the file, or it is no ONNX Runtime.
    #[error("cannot load {} as ONNX Runtime", path.display())]
    LibraryBroken {
        /// The file.
        path: PathBuf,
        /// The loader's reason.
        #[source]
        source: ort::LoadDynamicError,
    },
    /// The library is cut short; loading it would end the process.
    #[error("{} is cut short: it has {bytes} bytes and needs at least {least}", path.display())]
    LibraryCut {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// What its own headers say it has.
        least: u64,
    },
    /// The library is older than this program can use.
    #[error("{} is ONNX Runtime {version}; at least 1.{} is needed", path.display(), ort::MINOR_VERSION)]
    LibraryTooOld {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// A process can load one library only, and has loaded another.
    #[error("{} is loaded already, so {} can't be", loaded.display(), asked.display())]
    LibraryLoaded {
        /// The one loaded.
        loaded: PathBuf,
        /// The one asked for now.
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
    /// A device of that name doesn't exist.
    #[error("there is no device `{0}`")]
    UnknownDevice(String),
    /// The library was built for the CPU only.
    #[error("the device `cuda` is asked for, but {} was built without CUDA", library.display())]
    NoCudaInLibrary {
        /// The library.
        library: PathBuf,
    },
    /// The library has CUDA but can't use it here.
    #[error("the device `cuda` is asked for, but {} cannot use it", library.display())]
    NoCuda {
        /// The library.
        library: PathBuf,
        /// Its reason.
        #[source]
        source: ort::Error,
    },
    /// The model file isn't there, is cut short, or is no ONNX model that this library reads.
    #[error("cannot load the ONNX model {}", path.display())]
    Model {
        /// The model.
        path: PathBuf,
        /// The library's reason.
        #[source]
        source: ort::Error,
    },
    /// Inputs or outputs that aren't those of a text encoder.
    #[error("{}: {problem}", path.display())]
    Signature {
        /// The model.
        path: PathBuf,
        /// What is unfit, and what there is.
        problem: String,
    },
    /// The library failed on a batch.
    #[error("{}: a batch of {rows} texts of up to {tokens} tokens failed", path.display())]
    Run {
        /// The model.
        path: PathBuf,
        /// Texts in the batch.
        rows: usize,
        /// Tokens of the longest.
        tokens: usize,
        /// The library's reason.
        #[source]
        source: ort::Error,
    },
    /// The model gave NaN or infinity.
    #[error("{}: the vector of text {row} is not finite", path.display())]
    NotFinite {
        /// The model.
        path: PathBuf,
        /// The text's place in what was to be encoded, from 0.
        row: usize,
    },
    /// Tokenizing failed.
    #[error(transparent)]
    Tokenizer(#[from] limbeck_encoder::Error),
    /// The embed job had no text at all.
    #[error("there is no text to embed")]
    NoText,
    /// A thread of the embed job died.
    #[error("the {0} thread of the embed job panicked")]
    Panicked(&'static str),
    /// The embed job was stopped from outside.
    #[error("stopped; {shards} finished shards are kept in {}", folder.display())]
    Interrupted {
        /// The cache.
        folder: PathBuf,
        /// How many shards are listed there, of this run and earlier ones.
        shards: usize,
        /// Who stopped it.
        #[source]
        source: Interrupted,
    },
}

impl InferenceError {
    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoLibrary => {
                "give the path of libonnxruntime, set ORT_DYLIB_PATH, or name an asset such as \
                 pypi:onnxruntime==1.32.0"
            }
            Self::LibraryMissing { named_by: "ORT_DYLIB_PATH", .. } => {
                "correct ORT_DYLIB_PATH, or unset it to use the asset that the recipe names"
            }
            Self::LibraryMissing { .. } => "correct the path",
            Self::LibraryBroken { .. } => {
                "it has to be libonnxruntime itself, whole, and built for this system and processor"
            }
            Self::LibraryCut { .. } => "fetch it again",
            Self::LibraryTooOld { .. } => "pip download onnxruntime==1.32.0 has a newer one",
            Self::UnknownDevice(_) => "the devices are cpu, cuda and cuda:N",
            Self::NoCudaInLibrary { .. } => "take the library of the package onnxruntime-gpu, or the device cpu",
            Self::NoCuda { .. } => {
                "the usual cause is a library built for another CUDA major version than the driver's, or \
                 libonnxruntime_providers_cuda or cuDNN not being found; nvidia-smi shows the driver's version"
            }
            Self::Model { .. } => {
                "export the teacher again; the file may be cut short, or newer than this library reads"
            }
            Self::Run { .. } => {
                "the tokenizer and the model have to belong together, and texts must not be longer than the model's positions"
            }
            Self::NotFinite { .. } => "the model overflows; use one in f32",
            Self::Interrupted { .. } => "run the same command again to go on",
            _ => return None,
        };
        Some(text.to_owned())
    }

    pub(crate) fn model(path: &Path) -> impl FnOnce(ort::Error) -> Self {
        move |source| Self::Model { path: path.to_owned(), source }
    }
}
