//! Fetches models from the Hugging Face hub with the `hf-hub` crate, into the folder that the hub's own tools share.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo, Metadata};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use super::AssetError;
use super::error::HubFailure;
use super::uri::is_member;
use crate::error::{Error, Result};
use crate::files::sha256_file;
use crate::monitor::Monitor;
use crate::progress::Bar;

/// The files that every model needs.
const NEEDED: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];
/// The files that say how to tokenize and pool, which a model may have.
const WANTED: [&str; 5] = [
    "tokenizer_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
];
/// How often a download is tried, and the first pause between tries. Each later pause is twice as long.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = if cfg!(test) { Duration::from_millis(1) } else { Duration::from_millis(300) };

/// The address of the hub, the folder of its files, and a token.
#[derive(Debug, Clone, Default)]
pub struct HubSettings {
    /// The address; `None` is `https://huggingface.co`.
    pub endpoint: Option<String>,
    /// The folder for fetched files; `None` is `~/.cache/huggingface/hub`.
    pub cache: Option<PathBuf>,
    /// The token for closed repositories; `None` is the one that the hub's own tools have saved.
    pub token: Option<String>,
}

impl HubSettings {
    /// Reads `HF_ENDPOINT`, `HF_HOME` and `HF_TOKEN`.
    pub fn from_env() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let cache = text("HF_HOME").map(|home| Path::new(&home).join("hub"));
        Self { endpoint: text("HF_ENDPOINT"), cache, token: text("HF_TOKEN") }
    }
}

/// The files that must be fetched and those that may be: of a model, or the one file at `path`.
fn files_of<'a, 'p>(path: &'a Option<&'p str>) -> (&'a [&'p str], &'a [&'p str]) {
    match path {
        Some(path) => (std::slice::from_ref(path), &[]),
        None => (&NEEDED, &WANTED),
    }
}

/// Files of a repository, below the folder of one commit.
pub(super) struct HubSnapshot {
    pub folder: PathBuf,
    pub files: Vec<String>,
}

/// A repository on the hub at one revision.
pub(super) struct Hub<'a> {
    api: Api,
    cache: Cache,
    endpoint: String,
    repository: &'a str,
    monitor: Monitor<'a>,
}

impl<'a> Hub<'a> {
    pub(super) fn new(settings: &HubSettings, repository: &'a str, monitor: Monitor<'a>) -> Result<Self> {
        let endpoint =
            settings.endpoint.as_deref().unwrap_or("https://huggingface.co").trim_end_matches('/').to_owned();
        let usual = || etcetera::home_dir().ok().map(|home| home.join(".cache/huggingface/hub"));
        let folder = settings.cache.clone().or_else(usual).ok_or(AssetError::NoHome)?;
        let cache = Cache::new(std::path::absolute(&folder).map_err(Error::io("find", &folder))?);
        let mut builder = ApiBuilder::from_cache(cache.clone())
            .with_endpoint(endpoint.clone())
            .with_progress(false)
            .with_user_agent("limbeck", env!("CARGO_PKG_VERSION"))
            // The client's own retry after a connection that fails before its first byte appends the file to its own
            // part.
            .with_retries(0);
        if let Some(token) = &settings.token {
            builder = builder.with_token(Some(token.trim().to_owned()));
        }
        let api = builder.build().map_err(|error| failed(repository, &endpoint, error))?;
        Ok(Self { api, cache, endpoint, repository, monitor })
    }

    /// Fetches the files of a model, or the one file at `path`.
    pub(super) fn fetch(&self, revision: Option<&str>, path: Option<&str>) -> Result<HubSnapshot> {
        let named = self.repo(revision.unwrap_or("main"));
        let (repo, listed) = match self.api.repo(named.clone()).info() {
            // All files come from this commit, though the branch may move meanwhile.
            Ok(info) if is_member(&info.sha) => {
                (self.repo(&info.sha), Some(info.siblings.into_iter().map(|file| file.rfilename).collect()))
            }
            Ok(_) => return Err(self.failed(self.repository, ApiError::InvalidHeader("sha"))),
            // A mirror without lists: each file is asked for.
            Err(error) if status(&error) == Some(404) => (named, None),
            Err(error) => {
                let cached = if status(&error).is_none() { self.offline(&named, path) } else { None };
                return cached.ok_or_else(|| self.failed(self.repository, error));
            }
        };
        let download = Download { hub: self, repo: self.api.repo(repo.clone()), cached: self.cache.repo(repo), listed };
        let (needed, wanted) = files_of(&path);
        let mut found = Vec::new();
        for &name in needed {
            found.push((name, download.file(name)?.ok_or_else(|| download.missing(name))?));
        }
        for &name in wanted {
            found.extend(download.file(name)?.map(|file| (name, file)));
        }
        Ok(snapshot(&found))
    }

    /// The files of `repo` that were fetched before, if they suffice.
    fn offline<'p>(&self, repo: &Repo, path: Option<&'p str>) -> Option<HubSnapshot> {
        let cached = self.cache.repo(repo.clone());
        let (needed, wanted) = files_of(&path);
        let file = |&name: &&'p str| Some((name, cached.get(name)?));
        let mut found = needed.iter().map(file).collect::<Option<Vec<_>>>()?;
        found.extend(wanted.iter().filter_map(file));
        Some(snapshot(&found))
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
    cached: CacheRepo,
    listed: Option<HashSet<String>>,
}

impl Download<'_> {
    /// The path of a file, fetched now or before; `None` if the repository does not have it.
    fn file(&self, name: &str) -> Result<Option<PathBuf>> {
        if self.listed.as_ref().is_some_and(|listed| !listed.contains(name)) {
            return Ok(None);
        }
        let mut pause = PAUSE;
        for attempt in 1.. {
            self.hub.monitor.check()?;
            match self.attempt(name) {
                Ok(path) => return Ok(Some(path)),
                Err(Error::Asset(AssetError::Hub { why: HubFailure::Missing, .. })) => return Ok(None),
                Err(error) if attempt == ATTEMPTS || !may_pass(&error) => return Err(error),
                Err(_) => {
                    self.hub.monitor.note(&format!("fetching {name} broke off; taking it up again"));
                    sleep(pause);
                    pause *= 2;
                }
            }
        }
        Ok(None)
    }

    fn attempt(&self, name: &str) -> Result<PathBuf> {
        let failed = |error| self.hub.failed(&format!("{}/{name}", self.hub.repository), error);
        let metadata = self.hub.api.metadata(&self.repo.url(name)).map_err(failed)?;
        // Both become parts of paths, so they must not leave the folder.
        for (header, value) in [("etag", metadata.etag()), ("x-repo-commit", metadata.commit_hash())] {
            if !is_member(value) {
                return Err(failed(ApiError::InvalidHeader(header)));
            }
        }
        let fetched = self.cached.pointer_path(metadata.commit_hash()).join(name);
        if fetched.exists() {
            return Ok(fetched);
        }
        let blob = self.cached.blob_path(metadata.etag());
        let part = blob.with_extension("part");
        // A part that is whole belongs to a process that was killed before it renamed the part. The hub would refuse to
        // give what follows its end.
        if fs::metadata(&part).is_ok_and(|part| part.len() >= metadata.size() as u64) {
            fs::remove_file(&part).map_err(Error::io("remove", &part))?;
        }
        let meter = Meter { monitor: self.hub.monitor, bar: None, done: 0, shown: 0 };
        let path = self.repo.download_with_progress(name, meter).map_err(failed)?;
        check(&path, name, &metadata).inspect_err(|_| {
            // Otherwise the file would be taken for whole the next time.
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

/// Checks that a file has the announced size, and the announced sha256 where the hub's tag is one.
fn check(path: &Path, name: &str, metadata: &Metadata) -> Result<()> {
    let wrong =
        |expected: String, found: String| Err(AssetError::Download { file: name.to_owned(), expected, found }.into());
    let size = fs::metadata(path).map_err(Error::io("read", path))?.len();
    if size != metadata.size() as u64 {
        return wrong(format!("{} bytes", metadata.size()), format!("{size} bytes"));
    }
    if metadata.etag().len() == 64 {
        let found = sha256_file(path)?;
        if found != metadata.etag() {
            return wrong(format!("sha256 {}", metadata.etag()), format!("sha256 {found}"));
        }
    }
    Ok(())
}

/// Whether another attempt may succeed after this error.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Asset(AssetError::Download { .. }) => true,
        Error::Asset(AssetError::Hub { source, .. }) => {
            status(source).is_none_or(|status| status == 429 || status >= 500)
        }
        _ => false,
    }
}

/// The HTTP status of a refused request.
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

/// The snapshot with these files, of which the first tells the folder. A name may have several parts.
fn snapshot(files: &[(&str, PathBuf)]) -> HubSnapshot {
    let (name, file) = &files[0];
    let folder = file.ancestors().nth(name.split('/').count()).unwrap_or(file).to_owned();
    HubSnapshot { folder, files: files.iter().map(|(name, _)| (*name).to_owned()).collect() }
}

/// Shows the progress of a download. One that is resumed continues where it broke off.
struct Meter<'a> {
    monitor: Monitor<'a>,
    bar: Option<Box<dyn Bar + 'a>>,
    /// Bytes of the file that are there.
    done: u64,
    /// Bytes that the bar shows.
    shown: u64,
}

impl hf_hub::api::Progress for Meter<'_> {
    fn init(&mut self, size: usize, name: &str) {
        let monitor = self.monitor;
        self.bar.get_or_insert_with(|| monitor.stage(&format!("fetching {name}"), Some(size as u64), "bytes"));
        self.done = 0;
    }

    fn update(&mut self, bytes: usize) {
        self.done += bytes as u64;
        if let (Some(bar), true) = (&self.bar, self.done > self.shown) {
            bar.add(self.done - self.shown);
            self.shown = self.done;
        }
    }

    fn finish(&mut self) {
        self.bar = None;
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
