//! What can go wrong with assets.

use std::path::PathBuf;

/// Why an asset can't be had.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// A string that names no asset.
    #[error("`{uri}` is no asset: {why}")]
    BadUri {
        /// The string.
        uri: String,
        /// What was expected.
        why: &'static str,
    },
    /// Bytes other than the recipe says.
    #[error("{uri}: the sha256 is {found}, not {expected}")]
    Hash {
        /// The asset.
        uri: String,
        /// The hash wanted.
        expected: String,
        /// The hash found.
        found: String,
    },
    /// A wheel without the file or folder named.
    #[error("{} has no file or folder `{member}`", archive.display())]
    NoMember {
        /// The wheel.
        archive: PathBuf,
        /// What was looked for.
        member: String,
        /// The names in it that come nearest.
        nearest: Vec<String>,
    },
    /// A wheel that would write outside its folder, or whose entry is no plain file.
    #[error("{}: the entry `{member}` is no plain file within it", archive.display())]
    UnsafeMember {
        /// The wheel.
        archive: PathBuf,
        /// The entry.
        member: String,
    },
    /// A wheel that is no zip file, or a broken one.
    #[error("cannot read the wheel {}", archive.display())]
    Archive {
        /// The wheel.
        archive: PathBuf,
        /// Why.
        #[source]
        source: zip::result::ZipError,
    },
    /// The Python interpreter doesn't start.
    #[error("cannot fetch {package}: `{python}` doesn't start")]
    NoPython {
        /// The package and version.
        package: String,
        /// The interpreter tried.
        python: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// pip ran and failed.
    #[error("cannot fetch {package}: {why}")]
    Pip {
        /// The package and version.
        package: String,
        /// What kind of failure.
        why: PipFailure,
    },
    /// The hub can't be reached, or says no.
    #[error("cannot fetch {what} from {endpoint}: {why}")]
    Hub {
        /// The repository or file.
        what: String,
        /// The hub's address.
        endpoint: String,
        /// What kind of failure.
        why: HubFailure,
        /// What the client says.
        #[source]
        source: Box<hf_hub::api::sync::ApiError>,
    },
    /// A repository without a file that a model needs.
    #[error("{repository} has no {file}")]
    NoHubFile {
        /// The repository.
        repository: String,
        /// The file.
        file: String,
        /// The files there are, if the hub tells.
        files: Vec<String>,
    },
    /// A download that came out other than announced.
    #[error("{file} came as {found}, not {expected}")]
    Download {
        /// The file.
        file: String,
        /// The size or hash announced.
        expected: String,
        /// The size or hash found.
        found: String,
    },
    /// No ONNX Runtime is published for this machine.
    #[error("no ONNX Runtime wheel is known for {system} on {processor}")]
    NoRuntime {
        /// The operating system.
        system: &'static str,
        /// The processor.
        processor: &'static str,
    },
    /// No home directory, so no place for a store.
    #[error("no cache directory: no home directory is known")]
    NoHome,
}

/// How pip failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PipFailure {
    /// Python has no pip.
    #[error("`{0}` has no pip")]
    NoPip(String),
    /// The index can't be reached.
    #[error("the package index can't be reached: {0}")]
    NoNetwork(String),
    /// No such package, version, or no wheel for this machine.
    #[error("no such version, or no wheel of it for this machine: {0}")]
    NoWheel(String),
    /// The disk is full.
    #[error("the disk is full")]
    NoSpace,
    /// Anything else: pip's last words.
    #[error("pip failed: {0}")]
    Other(String),
}

/// How the hub failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HubFailure {
    /// No answer.
    #[error("it can't be reached")]
    NoNetwork,
    /// Not allowed, which the hub also says of what isn't there.
    #[error("it isn't there, or is closed to you")]
    Refused,
    /// It isn't there.
    #[error("it isn't there")]
    Missing,
    /// Connections that end before the file does.
    #[error("the connection broke off again and again")]
    Broken,
    /// Anything else.
    #[error("it failed")]
    Other,
}

impl AssetError {
    /// What the user could do next, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        const NETWORK: &str = "check the network and the proxy settings; what was fetched before needs none";
        let hint = match self {
            Self::BadUri { uri, .. } if uri.starts_with("hf:") && !uri.contains('/') => {
                format!("name the owner too, as in hf:google-bert/{}", &uri[3..])
            }
            Self::BadUri { .. } => return None,
            Self::Hash { .. } => {
                "if the new bytes are right, put their sha256 into the recipe; else name a revision or \
                 version that has the old ones"
                    .into()
            }
            Self::NoMember { nearest, .. } if nearest.is_empty() => return None,
            Self::NoMember { nearest, .. } => format!("nearest are: {}", nearest.join(", ")),
            Self::UnsafeMember { .. } => "don't trust this wheel".into(),
            Self::Archive { .. } | Self::Download { .. } => "start again: it will be fetched anew".into(),
            Self::NoPython { .. } => {
                "install Python 3 with pip, or set LIMBECK_PYTHON to an interpreter; Python only downloads here".into()
            }
            Self::Pip { why, .. } => match why {
                PipFailure::NoPip(python) => {
                    format!("try `{python} -m ensurepip`, or set LIMBECK_PYTHON to an interpreter that has pip")
                }
                PipFailure::NoNetwork(_) => format!("{NETWORK}; PIP_INDEX_URL names a mirror"),
                PipFailure::NoWheel(_) => {
                    "look the version up on https://pypi.org, and see that Python is recent".into()
                }
                PipFailure::NoSpace => "free some space, or set LIMBECK_CACHE to a folder on a larger disk".into(),
                PipFailure::Other(_) => return None,
            },
            Self::Hub { why, .. } => match why {
                HubFailure::NoNetwork => format!("{NETWORK}; HF_ENDPOINT names a mirror"),
                HubFailure::Refused => "check the name; for a closed repository set HF_TOKEN".into(),
                HubFailure::Missing => "check the name and the revision".into(),
                HubFailure::Broken => "start again: it goes on from where it broke off".into(),
                HubFailure::Other => return None,
            },
            Self::NoHubFile { files, .. } if !files.is_empty() => format!("it has: {}", files.join(", ")),
            Self::NoHubFile { .. } => "check the name and the revision".into(),
            Self::NoRuntime { .. } => "set ORT_DYLIB_PATH to an ONNX Runtime library built for this machine".into(),
            Self::NoHome => "set LIMBECK_CACHE to a folder".into(),
        };
        Some(hint)
    }
}
