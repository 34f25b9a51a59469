//! [`Runtime`]: the ONNX Runtime library, found and loaded once a process.
//!
//! One binary serves CPU and GPU and every version since 1.17, because the library is loaded when it is first needed.
//! Three places are searched in this order: the path given, `ORT_DYLIB_PATH`, an asset that the caller can fetch.

mod expected_size;
mod version;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::{Error, Result};

/// The environment variable that names the library.
pub const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// ONNX Runtime, loaded. Clones are cheap and name the same library.
#[derive(Debug, Clone)]
pub struct Runtime {
    pub(crate) environment: Environment,
    /// Where the library lies.
    pub library: PathBuf,
    /// The library's version, such as `1.32.0`.
    pub version: String,
}

impl Runtime {
    /// Finds the library and loads it: `path` if given, else the path in `ORT_DYLIB_PATH`, else the file that `fetch`
    /// brings.
    ///
    /// # Errors
    /// The file is missing, cut short, no ONNX Runtime or older than 1.17; this process has loaded another library;
    /// `fetch` failed.
    pub fn find(path: Option<&Path>, fetch: impl FnOnce() -> limbeck_data::Result<Option<PathBuf>>) -> Result<Self> {
        if let Some(path) = path {
            return Self::load(path);
        }
        if let Some(path) = std::env::var_os(LIBRARY_VARIABLE).filter(|path| !path.is_empty()) {
            return Self::load_named(Path::new(&path), LIBRARY_VARIABLE);
        }
        if let Some(loaded) = Self::loaded() {
            return Ok(loaded);
        }
        match fetch()? {
            Some(path) => Self::load_named(&path, "the asset"),
            None => Err(Error::NoLibrary),
        }
    }

    /// Loads the library at `path`, see [`Runtime::find`].
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_named(path, "the caller")
    }

    /// The library that this process has loaded, if any.
    pub fn loaded() -> Option<Self> {
        LOADED.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn load_named(path: &Path, named_by: &'static str) -> Result<Self> {
        // Absolute, since a bare name would be looked for beside the program first.
        let Some(path) = path.canonicalize().ok().filter(|path| path.is_file()) else {
            let hint = match named_by {
                LIBRARY_VARIABLE => "correct ORT_DYLIB_PATH, or unset it to use the asset that the recipe names",
                _ => "correct the path",
            };
            return Err(Error::LibraryMissing { path: path.to_owned(), named_by, hint });
        };
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return match runtime.library == path {
                true => Ok(runtime.clone()),
                false => Err(Error::LibraryLoaded { loaded: runtime.library.clone(), asked: path }),
            };
        }
        let file = File::open(&path).map_err(limbeck_data::Error::io("open", &path))?;
        let bytes = file.metadata().map_err(limbeck_data::Error::io("open", &path))?.len();
        if let Some(least) = expected_size::least_bytes(file).filter(|&least| least > bytes) {
            return Err(Error::LibraryCut { path, bytes, least });
        }
        let builder = ort::init_from(&path).map_err(|source| match source {
            LoadDynamicError::BadVersion { version_str, .. } => {
                Error::LibraryTooOld { path: path.clone(), version: version_str }
            }
            source => Error::LibraryBroken { path: path.clone(), source },
        })?;
        // The library's own messages would go to stderr, where only the command speaks; failures come back as errors.
        let quiet = Arc::new(|_: LogLevel, _: &str, _: &str, _: &str, _: &str| {});
        let environment = builder.with_name("limbeck").with_telemetry(false).with_logger(quiet).build();
        let environment = environment.map_err(|source| Error::LibraryNotStarted { path: path.clone(), source })?;
        environment.set_log_level(LogLevel::Fatal);
        let runtime = Self { environment, version: version::of(&path), library: path };
        Ok(loaded.insert(runtime).clone())
    }
}

/// The device that runs a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnnxDevice {
    /// The processor.
    #[default]
    Cpu,
    /// The NVIDIA GPU with this number.
    Cuda(u32),
}

impl FromStr for OnnxDevice {
    type Err = Error;

    /// `cpu`, `cuda` (the first GPU) or `cuda:N`.
    fn from_str(name: &str) -> Result<Self> {
        let number = name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
        match (name, number) {
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(number)) => Ok(Self::Cuda(number)),
            _ => Err(Error::UnknownDevice(name.to_owned())),
        }
    }
}

impl fmt::Display for OnnxDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}
