//! What can go wrong with assets.

use std::path::PathBuf;

use miette::Diagnostic;

/// Why an asset cannot be fetched.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum AssetError {
    /// A string that names no asset.
    #[error("`{uri}` is no asset: {why}")]
    BadUri {
        /// The string.
        uri: String,
        /// What was expected.
        why: &'static str,
        /// What the user could write instead.
        #[help]
        hint: Option<String>,
    },
    /// An asset with another sha256 than the recipe says.
    #[error("{uri}: the sha256 is {found}, not {expected}")]
    #[diagnostic(help(
        "if the new bytes are right, put their sha256 into the recipe; else name a revision or version that has \
         the old ones"
    ))]
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
    #[diagnostic(help("{}", names_help("nearest are", nearest, "the wheel holds no files")))]
    NoMember {
        /// The wheel.
        archive: PathBuf,
        /// The file or folder asked for.
        member: String,
        /// The most similar names in it.
        nearest: Vec<String>,
    },
    /// A wheel with an entry that would be written outside its folder, or is no plain file.
    #[error("{}: the entry `{member}` is no plain file within it", archive.display())]
    #[diagnostic(help("don't trust this wheel"))]
    UnsafeMember {
        /// The wheel.
        archive: PathBuf,
        /// The entry.
        member: String,
    },
    /// A wheel that is no zip file, or a broken one.
    #[error("cannot read the wheel {}", archive.display())]
    #[diagnostic(help("start again: it will be fetched anew"))]
    Archive {
        /// The wheel.
        archive: PathBuf,
        /// Why.
        #[source]
        source: zip::result::ZipError,
    },
    /// The Python interpreter does not start.
    #[error("cannot fetch {package}: `{python}` doesn't start")]
    #[diagnostic(help(
        "install Python 3 with pip, or set LIMBECK_PYTHON to an interpreter; Python only downloads here"
    ))]
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
    #[diagnostic(forward(why))]
    Pip {
        /// The package and version.
        package: String,
        /// How pip failed.
        why: PipFailure,
    },
    /// The hub cannot be reached, or refuses.
    #[error("cannot fetch {what} from {endpoint}: {why}")]
    #[diagnostic(forward(why))]
    Hub {
        /// The repository or file.
        what: String,
        /// The hub's address.
        endpoint: String,
        /// How the hub failed.
        why: HubFailure,
        /// The error of the hub's client.
        #[source]
        source: Box<hf_hub::api::sync::ApiError>,
    },
    /// A repository without a file that a model needs.
    #[error("{repository} has no {file}")]
    #[diagnostic(help("{}", names_help("it has", files, "check the name and the revision")))]
    NoHubFile {
        /// The repository.
        repository: String,
        /// The file.
        file: String,
        /// The files of the repository, if the hub lists them.
        files: Vec<String>,
    },
    /// A download of another size or hash than the hub announced.
    #[error("{file} came as {found}, not {expected}")]
    #[diagnostic(help("start again: it will be fetched anew"))]
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
    #[diagnostic(help("set ORT_DYLIB_PATH to an ONNX Runtime library built for this machine"))]
    NoRuntime {
        /// The operating system.
        system: &'static str,
        /// The processor.
        processor: &'static str,
    },
    /// There is no home directory, and so no place for a store.
    #[error("no cache directory: no home directory is known")]
    #[diagnostic(help("set LIMBECK_CACHE to a folder"))]
    NoHome,
}

/// How pip failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
pub enum PipFailure {
    /// Python has no pip.
    #[error("`{0}` has no pip")]
    #[diagnostic(help("try `{0} -m ensurepip`, or set LIMBECK_PYTHON to an interpreter that has pip"))]
    NoPip(String),
    /// The package index cannot be reached.
    #[error("the package index can't be reached: {0}")]
    #[diagnostic(help("{}; PIP_INDEX_URL names a mirror", NETWORK))]
    NoNetwork(String),
    /// No such package, version, or no wheel for this machine.
    #[error("no such version, or no wheel of it for this machine: {0}")]
    #[diagnostic(help("look the version up on https://pypi.org, and see that Python is recent"))]
    NoWheel(String),
    /// The disk is full.
    #[error("the disk is full")]
    #[diagnostic(help("free some space, or set LIMBECK_CACHE to a folder on a larger disk"))]
    NoSpace,
    /// Any other failure, with the last line that pip printed.
    #[error("pip failed: {0}")]
    Other(String),
}

/// How the hub failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Diagnostic)]
pub enum HubFailure {
    /// The hub does not answer.
    #[error("it can't be reached")]
    #[diagnostic(help("{}; HF_ENDPOINT names a mirror", NETWORK))]
    NoNetwork,
    /// Access is denied. The hub also gives this answer for repositories that do not exist.
    #[error("it isn't there, or is closed to you")]
    #[diagnostic(help("check the name; for a closed repository set HF_TOKEN"))]
    Refused,
    /// The repository or file does not exist.
    #[error("it isn't there")]
    #[diagnostic(help("check the name and the revision"))]
    Missing,
    /// Every connection ended before the file did.
    #[error("the connection broke off again and again")]
    #[diagnostic(help("start again: it goes on from where it broke off"))]
    Broken,
    /// Any other failure.
    #[error("it failed")]
    Other,
}

const NETWORK: &str = "check the network and the proxy settings; what was fetched before needs none";

/// The names after a word that leads to them, or else `none`.
fn names_help(lead: &str, names: &[String], none: &str) -> String {
    if names.is_empty() { none.to_owned() } else { format!("{lead}: {}", names.join(", ")) }
}
