//! [`Runtime`]: the ONNX Runtime library, found and loaded once a process.
//!
//! One binary serves CPU and GPU and every version since 1.17, since the library is loaded when it is first needed. It is
//! looked for in this order: the path given, `ORT_DYLIB_PATH`, what the caller can fetch.

mod elf;
mod version;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::inference_error::InferenceError;
use crate::{Error, Result};

/// The environment variable that names the library.
pub const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// ONNX Runtime, loaded. Clones are cheap and name the same library.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    library: PathBuf,
    version: String,
}

impl Runtime {
    /// Finds the library and loads it: `path` if given, else what `ORT_DYLIB_PATH` names, else what `fetch` brings.
    ///
    /// # Errors
    /// No such file, one that can't be loaded or isn't ONNX Runtime, one before 1.17; another library than the one that
    /// this process has loaded; the error of `fetch`.
    pub fn find(path: Option<&Path>, fetch: impl FnOnce() -> limbeck_data::Result<Option<PathBuf>>) -> Result<Self> {
        if let Some(path) = path {
            return Self::load_named(path, "the caller");
        }
        if let Some(path) = std::env::var_os(LIBRARY_VARIABLE).filter(|path| !path.is_empty()) {
            return Self::load_named(Path::new(&path), LIBRARY_VARIABLE);
        }
        if let Some(loaded) = Self::loaded() {
            return Ok(loaded);
        }
        match fetch()? {
            Some(path) => Self::load_named(&path, "the asset"),
            None => Err(InferenceError::NoLibrary.into()),
        }
    }

    /// Loads the library at `path`, see [`Runtime::find`].
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_named(path, "the caller")
    }

    /// The library that this process has loaded, if it has.
    pub fn loaded() -> Option<Self> {
        LOADED.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn load_named(path: &Path, named_by: &'static str) -> Result<Self> {
        // Absolute, since a bare name would be looked for beside the program first.
        let path = match path.canonicalize() {
            Ok(path) if path.is_file() => path,
            _ => return Err(InferenceError::LibraryMissing { path: path.to_owned(), named_by }.into()),
        };
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return match runtime.library == path {
                true => Ok(runtime.clone()),
                false => Err(InferenceError::LibraryLoaded { loaded: runtime.library.clone(), asked: path }.into()),
            };
        }
        let bytes = path.metadata().map_err(Error::io(&path, "open"))?.len();
        let least = elf::least_bytes(&path).map_err(Error::io(&path, "read"))?;
        if let Some(least) = least.filter(|&least| least > bytes) {
            return Err(InferenceError::LibraryCut { path, bytes, least }.into());
        }
        let builder = ort::init_from(&path).map_err(|source| match source {
            LoadDynamicError::BadVersion { version_str, .. } => {
                InferenceError::LibraryTooOld { path: path.clone(), version: version_str }
            }
            source => InferenceError::LibraryBroken { path: path.clone(), source },
        })?;
        // Its own messages would go to stderr, where only the command speaks; what matters comes back as an error.
        let quiet = Arc::new(|_: LogLevel, _: &str, _: &str, _: &str, _: &str| {});
        let environment = builder.with_name("limbeck").with_telemetry(false).with_logger(quiet).build();
        let environment = environment.map_err(|source| InferenceError::Start { path: path.clone(), source })?;
        environment.set_log_level(LogLevel::Fatal);
        let runtime = Self { environment, version: version::of(&path), library: path };
        Ok(loaded.insert(runtime).clone())
    }

    /// The library's version, such as `1.32.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where the library lies.
    pub fn library(&self) -> &Path {
        &self.library
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("library", &self.library)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What computes.
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
        let number = |name: &str| name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
        match name {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            name => number(name).map(Self::Cuda).ok_or_else(|| InferenceError::UnknownDevice(name.to_owned()).into()),
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
