//! Models from the Hugging Face hub, through the `hf-hub` crate and into the folder that the hub's own tools share.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use super::AssetError;
use super::error::HubFailure;
use super::uri::is_member;
use crate::error::{Error, Result};
use crate::files::sha256_file;
use crate::interrupt::Interrupt;
use crate::progress::{Bar, Progress};

/// The files without which a model is none.
const NEEDED: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];
/// The files that say how to tokenize and pool, where there are any.
const WANTED: [&str; 5] = [
    "tokenizer_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
];
/// How often a download is taken up again, and how long the first pause is; each later one is twice as long.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = if cfg!(test) { Duration::from_millis(1) } else { Duration::from_millis(300) };

/// Where the hub is and what it's told.
#[derive(Debug, Clone, Default)]
pub struct HubSettings {
    /// The address, `https://huggingface.co` if not given.
    pub endpoint: Option<String>,
    /// The folder for what is fetched, `~/.cache/huggingface/hub` if not given.
    pub cache: Option<PathBuf>,
    /// The token for closed repositories; not given, the one that the hub's own tools have saved.
    pub token: Option<String>,
}

impl HubSettings {
    /// From `HF_ENDPOINT`, `HF_HOME` and `HF_TOKEN`.
    pub fn from_env() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let cache = text("HF_HOME").map(|home| Path::new(&home).join("hub"));
        Self { endpoint: text("HF_ENDPOINT"), cache, token: text("HF_TOKEN") }
    }
}

/// What the hub gave: files below the folder of one commit.
pub(super) struct Snapshot {
    pub folder: PathBuf,
    pub files: Vec<String>,
}

/// A repository on the hub at one revision.
pub(super) struct Hub<'a> {
    api: Api,
    cache: Cache,
    endpoint: String,
    repository: &'a str,
    interrupt: &'a Interrupt,
    progress: &'a dyn Progress,
}

impl<'a> Hub<'a> {
    pub fn new(
        settings: &HubSettings,
        repository: &'a str,
        interrupt: &'a Interrupt,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let endpoint =
            settings.endpoint.as_deref().unwrap_or("https://huggingface.co").trim_end_matches('/').to_owned();
        let usual = || etcetera::home_dir().ok().map(|home| home.join(".cache/huggingface/hub"));
        let folder = settings.cache.clone().or_else(usual).ok_or(AssetError::NoHome)?;
        let cache = Cache::new(std::path::absolute(&folder).map_err(Error::io("find", &folder))?);
        let mut builder = ApiBuilder::from_cache(cache.clone())
            .with_endpoint(endpoint.clone())
            .with_progress(false)
            .with_user_agent("limbeck", env!("CARGO_PKG_VERSION"))
            // Its own retries would, when a connection fails before the first byte, append the file to its own part.
            .with_retries(0);
        if let Some(token) = &settings.token {
            builder = builder.with_token(Some(token.trim().to_owned()));
        }
        let api = builder.build().map_err(|error| failed(repository, &endpoint, error))?;
        Ok(Self { api, cache, endpoint, repository, interrupt, progress })
    }

    /// Fetches a model's files, or the one named.
    pub fn fetch(&self, revision: Option<&str>, path: Option<&str>) -> Result<Snapshot> {
        let named = self.repo(revision.unwrap_or("main"));
        let (repo, listed) = match self.api.repo(named.clone()).info() {
            // All files at this one commit, though the branch may move meanwhile.
            Ok(info) if is_member(&info.sha) => {
                (self.repo(&info.sha), Some(info.siblings.into_iter().map(|file| file.rfilename).collect()))
            }
            Ok(_) => return Err(self.failed(self.repository, ApiError::InvalidHeader("sha"))),
            // A mirror that has files and no lists: each file is asked for.
            Err(error) if status(&error) == Some(404) => (named, None),
            Err(error) => {
                let kept = if status(&error).is_none() { self.offline(&named, path) } else { None };
                return kept.ok_or_else(|| self.failed(self.repository, error));
            }
        };
        let download = Download { hub: self, repo: self.api.repo(repo.clone()), kept: self.cache.repo(repo), listed };
        if let Some(path) = path {
            let file = download.file(path)?.ok_or_else(|| download.missing(path))?;
            return Ok(snapshot(&file, path, vec![path.to_owned()]));
        }
        let mut files = Vec::new();
        let mut config = PathBuf::new();
        for name in NEEDED {
            let file = download.file(name)?.ok_or_else(|| download.missing(name))?;
            if name == "config.json" {
                config = file;
            }
            files.push(name.to_owned());
        }
        for name in WANTED {
            if download.file(name)?.is_some() {
                files.push(name.to_owned());
            }
        }
        Ok(snapshot(&config, "config.json", files))
    }

    /// What the hub's folder has of `repo` already, if that is enough.
    fn offline(&self, repo: &Repo, path: Option<&str>) -> Option<Snapshot> {
        let kept = self.cache.repo(repo.clone());
        if let Some(path) = path {
            return Some(snapshot(&kept.get(path)?, path, vec![path.to_owned()]));
        }
        let has = |name: &&str| kept.get(name).is_some();
        let files = NEEDED.iter().chain(&WANTED).copied().filter(has).map(str::to_owned).collect();
        let enough = NEEDED.iter().all(has);
        if enough { Some(snapshot(&kept.get("config.json")?, "config.json", files)) } else { None }
    }

    fn repo(&self, revision: &str) -> Repo {
        Repo::with_revision(self.repository.to_owned(), RepoType::Model, revision.to_owned())
    }

    fn failed(&self, what: &str, error: ApiError) -> Error {
        match error {
            ApiError::IoError(error) if error.kind() == ErrorKind::StorageFull => {
                Error::io("write below", self.cache.path())(error)
            }
            error => failed(what, &self.endpoint, error),
        }
    }
}

/// The files of one revision, one by one.
struct Download<'a> {
    hub: &'a Hub<'a>,
    repo: ApiRepo,
    kept: CacheRepo,
    listed: Option<HashSet<String>>,
}

impl Download<'_> {
    /// Where the file lies, fetched now or before; `None` if the repository hasn't got it.
    fn file(&self, name: &str) -> Result<Option<PathBuf>> {
        if self.listed.as_ref().is_some_and(|listed| !listed.contains(name)) {
            return Ok(None);
        }
        let mut pause = PAUSE;
        for attempt in 1.. {
            self.hub.interrupt.check()?;
            match self.attempt(name) {
                Ok(path) => return Ok(Some(path)),
                Err(Failure::Client(error)) if status(&error) == Some(404) => return Ok(None),
                Err(failure) if attempt == ATTEMPTS || !failure.may_pass() => {
                    return Err(match failure {
                        Failure::Client(error) => self.hub.failed(&format!("{}/{name}", self.hub.repository), error),
                        Failure::Ours(error) => error,
                    });
                }
                Err(_) => {
                    self.hub.progress.note(&format!("fetching {name} broke off; taking it up again"));
                    sleep(pause);
                    pause *= 2;
                }
            }
        }
        Ok(None)
    }

    fn attempt(&self, name: &str) -> std::result::Result<PathBuf, Failure> {
        let metadata = self.hub.api.metadata(&self.repo.url(name)).map_err(Failure::Client)?;
        // Both become parts of paths.
        if !is_member(metadata.etag()) {
            return Err(Failure::Client(ApiError::InvalidHeader("etag")));
        }
        if !is_member(metadata.commit_hash()) {
            return Err(Failure::Client(ApiError::InvalidHeader("x-repo-commit")));
        }
        let kept = self.kept.pointer_path(metadata.commit_hash()).join(name);
        if kept.exists() {
            return Ok(kept);
        }
        let blob = self.kept.blob_path(metadata.etag());
        let part = blob.with_extension("part");
        // A part that is whole was killed before it got its name; what follows its end would be refused.
        if fs::metadata(&part).is_ok_and(|part| part.len() >= metadata.size() as u64) {
            fs::remove_file(&part).map_err(Error::io("remove", &part)).map_err(Failure::Ours)?;
        }
        let meter = Meter { progress: self.hub.progress, bar: None, here: 0, shown: 0 };
        let path = self.repo.download_with_progress(name, meter).map_err(Failure::Client)?;
        check(&path, name, &metadata).inspect_err(|_| {
            // So that it is fetched anew, and not taken for whole.
            let _ = fs::remove_file(&path);
            let _ = fs::remove_file(&blob);
        })?;
        Ok(path)
    }

    fn missing(&self, name: &str) -> Error {
        let mut files: Vec<_> = self.listed.iter().flatten().cloned().collect();
        files.sort();
        files.truncate(20);
        AssetError::NoHubFile { repository: self.hub.repository.to_owned(), file: name.to_owned(), files }.into()
    }
}

/// Sees that a file has the size announced, and the sha256 where the hub's tag for it is one.
fn check(path: &Path, name: &str, metadata: &hf_hub::api::sync::Metadata) -> std::result::Result<(), Failure> {
    let wrong = |expected: String, found: String| {
        Err(Failure::Ours(AssetError::Download { file: name.to_owned(), expected, found }.into()))
    };
    let size = fs::metadata(path).map_err(Error::io("read", path)).map_err(Failure::Ours)?.len();
    if size != metadata.size() as u64 {
        return wrong(format!("{} bytes", metadata.size()), format!("{size} bytes"));
    }
    if metadata.etag().len() == 64 {
        let found = sha256_file(path).map_err(Failure::Ours)?;
        if found != metadata.etag() {
            return wrong(format!("sha256 {}", metadata.etag()), format!("sha256 {found}"));
        }
    }
    Ok(())
}

/// Why one attempt failed.
enum Failure {
    Client(ApiError),
    Ours(Error),
}

impl Failure {
    /// Whether another attempt may succeed.
    fn may_pass(&self) -> bool {
        match self {
            Self::Ours(error) => matches!(error, Error::Asset(AssetError::Download { .. })),
            Self::Client(ApiError::IoError(error)) => error.kind() != ErrorKind::StorageFull,
            Self::Client(error) => status(error).is_none_or(|status| status == 429 || status >= 500),
        }
    }
}

/// The HTTP status of a refusal.
fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::RequestError(error) => match **error {
            ureq::Error::StatusCode(status) => Some(status),
            _ => None,
        },
        _ => None,
    }
}

fn failed(what: &str, endpoint: &str, error: ApiError) -> Error {
    let why = match (&error, status(&error)) {
        (_, Some(401 | 403)) => HubFailure::Refused,
        (_, Some(404)) => HubFailure::Missing,
        (ApiError::RequestError(_), None) => HubFailure::NoNetwork,
        (ApiError::IoError(_), None) => HubFailure::Broken,
        _ => HubFailure::Other,
    };
    let (what, endpoint) = (what.to_owned(), endpoint.to_owned());
    AssetError::Hub { what, endpoint, why, source: Box::new(error) }.into()
}

/// The folder that `name`, which may have parts, lies below.
fn snapshot(file: &Path, name: &str, files: Vec<String>) -> Snapshot {
    let folder = file.ancestors().nth(name.split('/').count()).unwrap_or(file).to_owned();
    Snapshot { folder, files }
}

/// Shows a download as ours; one taken up again begins where it broke off.
struct Meter<'a> {
    progress: &'a dyn Progress,
    bar: Option<Box<dyn Bar + 'a>>,
    here: u64,
    shown: u64,
}

impl hf_hub::api::Progress for Meter<'_> {
    fn init(&mut self, size: usize, name: &str) {
        let progress = self.progress;
        self.bar.get_or_insert_with(|| progress.stage(&format!("fetching {name}"), Some(size as u64), "bytes"));
        self.here = 0;
    }

    fn update(&mut self, bytes: usize) {
        self.here += bytes as u64;
        if let (Some(bar), true) = (&self.bar, self.here > self.shown) {
            bar.add(self.here - self.shown);
            self.shown = self.here;
        }
    }

    fn finish(&mut self) {
        self.bar = None;
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
