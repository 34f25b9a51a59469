//! What can go wrong with assets.

use std::path::PathBuf;

use miette::Diagnostic;

use super::http::HttpFailure;

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
        /// The failed request.
        #[source]
        source: Box<HttpFailure>,
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
    /// A repository without weights that can be read.
    #[error("{repository} has neither model.safetensors nor model.onnx")]
    #[diagnostic(help("{}", weights_help(repository, onnx.as_deref(), files)))]
    NoWeights {
        /// The repository.
        repository: String,
        /// Files of the repository, if the hub lists them.
        files: Vec<String>,
        /// One of its ONNX files.
        onnx: Option<String>,
    },
    /// A pattern of files' paths that can't be read.
    #[error("`{pattern}` is no pattern of paths")]
    #[diagnostic(help("`*` and `?` stand for characters of one name, `**` for any folders, as in data/**/*.parquet"))]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// Why.
        #[source]
        source: Box<globset::Error>,
    },
    /// A list of modules or of shards that names a file outside its folder.
    #[error("{repository}: {list} names `{name}`, which is no path within its folder")]
    #[diagnostic(help("don't trust this repository"))]
    UnsafeName {
        /// The repository.
        repository: String,
        /// The list.
        list: String,
        /// The path.
        name: String,
    },
    /// A list of modules or of shards that can't be read.
    #[error("cannot read the list {}", path.display())]
    #[diagnostic(help("it must be as sentence-transformers and transformers write it"))]
    BadList {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The hub must not be asked, and what was fetched before doesn't suffice.
    #[error("{what} isn't whole in {}, and HF_HUB_OFFLINE forbids to fetch it: {lacking} is missing", cache.display())]
    #[diagnostic(help(
        "unset HF_HUB_OFFLINE, or set HF_HUB_CACHE to a folder that has it, or copy it from a machine that has it"
    ))]
    Offline {
        /// The repository.
        what: String,
        /// The folder of the hub's files.
        cache: PathBuf,
        /// What is missing.
        lacking: String,
    },
    /// An address without the sha256 of what lies there.
    #[error("{uri}: an https: source needs its sha256")]
    #[diagnostic(help("append #sha256=HEX; `curl -L {uri} | sha256sum` prints the hash of what lies there now"))]
    NoHash {
        /// The address.
        uri: String,
    },
    /// A file that can't be fetched from its address.
    #[error("cannot fetch {url}")]
    #[diagnostic(help("{}", web_help(source)))]
    Web {
        /// The address.
        url: String,
        /// The failed request.
        #[source]
        source: Box<HttpFailure>,
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
    #[diagnostic(help("set LIMBECK_CACHE and HF_HOME to folders"))]
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
    /// The hub has too much to do, and asks for a longer pause than is made.
    #[error("it has too much to do now")]
    #[diagnostic(help("try again later; with HF_TOKEN the hub grants more requests"))]
    Busy,
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

fn weights_help(repository: &str, onnx: Option<&str>, files: &[String]) -> String {
    match onnx {
        Some(name) => format!("name one of its ONNX files, as in hf:{repository}/{name}"),
        None => names_help("only safetensors and ONNX are read; it has", files, "check the name and the revision"),
    }
}

fn web_help(failure: &HttpFailure) -> &'static str {
    match failure {
        HttpFailure::Status(401 | 403) => "it is closed to you: fetch it by hand, and name the file's path instead",
        HttpFailure::Status(404 | 410) => "check the address",
        HttpFailure::Unsafe(_) => "name the address that it leads to, if that is safe",
        HttpFailure::Status(_) | HttpFailure::Header(_) | HttpFailure::Redirects => "try again later",
        _ => NETWORK,
    }
}
