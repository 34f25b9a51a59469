//! [`Hub`]: fetches models and data sets from the Hugging Face hub into the folder that the hub's own tools share.

mod cache;
mod choice;
mod download;
mod failure;
mod files;
mod named;
mod repository;
mod settings;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;

use self::cache::CachedRepository;
pub(super) use self::cache::{link_or_copy, remove_with_blob};
use self::choice::{all_files, model_files, onnx_files};
use self::download::Remote;
use self::failure::{hub_error, is_hub_down};
use self::files::{Files, missing};
use self::named::{Named, named};
pub(super) use self::repository::{Repository, RepositoryKind};
pub use self::settings::HubSettings;
use super::AssetError;
use super::http::{Client, HttpFailure, Query};
use super::uri::is_member;
use crate::error::{Error, Result};
use crate::monitor::Monitor;

/// The longest list of files that is read, in bytes.
const LONGEST_LIST: u64 = 256 << 20;

/// What of a repository is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted<'w> {
    Model,
    /// An ONNX file, with what it needs.
    Onnx(&'w str),
    File(&'w str),
    /// A file, a folder or a pattern in a data set.
    Data(&'w str),
}

/// What the files of a snapshot are together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The folder's files.
    Folder,
    /// The first file, with others that it needs.
    File,
    /// Some of the folder's files, among others.
    Some,
}

/// Files of a repository, below the folder of one commit.
#[derive(Debug)]
pub(super) struct HubSnapshot {
    pub folder: PathBuf,
    pub files: Vec<String>,
    pub shape: Shape,
}

/// A repository on the hub.
pub(super) struct Hub<'a> {
    settings: &'a HubSettings,
    repository: &'a Repository,
    cached: CachedRepository,
    cache: PathBuf,
    monitor: Monitor<'a>,
}

/// The hub's list of a repository's files at one commit.
#[derive(Deserialize)]
struct List {
    sha: String,
    #[serde(default)]
    siblings: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    rfilename: String,
}

impl<'a> Hub<'a> {
    pub(super) fn new(settings: &'a HubSettings, repository: &'a Repository, monitor: Monitor<'a>) -> Result<Self> {
        let folder = settings.cache.as_ref().ok_or(AssetError::NoHome)?;
        let cache = std::path::absolute(folder).map_err(Error::io("find", folder))?;
        let cached = CachedRepository::new(&cache, repository);
        Ok(Self { settings, repository, cached, cache, monitor })
    }

    /// Fetches what is wanted of a revision.
    pub(super) fn fetch(&self, revision: &str, wanted: Wanted) -> Result<HubSnapshot> {
        if self.settings.offline {
            return self.fetched_before(revision, wanted, "HF_HUB_OFFLINE is set")?.map_err(|lacking| {
                let (what, cache) = (self.repository.full_name(), self.cache.clone());
                AssetError::Offline { what, cache, lacking }.into()
            });
        }
        let endpoint = self.settings.address();
        let mut client = Client::new(self.monitor);
        if let Some(token) = &self.settings.token {
            client = client.with_token(endpoint, token);
        }
        let (revision_or_commit, listed) = match self.list(&client, revision) {
            Ok(Some((commit, names))) => (commit, Some(names)),
            // A mirror without lists: each file is asked for.
            Ok(None) => (revision.to_owned(), None),
            Err(failure) => {
                let cached = if is_hub_down(&failure) {
                    self.fetched_before(revision, wanted, "the hub can't be reached")?.ok()
                } else {
                    None
                };
                return cached.ok_or_else(|| hub_error(endpoint, &self.repository.full_name(), failure));
            }
        };
        let remote = Remote {
            client: &client,
            endpoint,
            repository: self.repository,
            cached: &self.cached,
            revision: revision_or_commit,
            listed,
        };
        let snapshot = snapshot(&remote, wanted)?;
        if remote.listed.is_some() {
            self.cached.remember(revision, &remote.revision);
        }
        Ok(snapshot)
    }

    /// The commit of a revision and the names of its files; `None` from a hub that has no lists.
    fn list(
        &self,
        client: &Client,
        revision: &str,
    ) -> std::result::Result<Option<(String, BTreeSet<String>)>, HttpFailure> {
        let url = self.repository.list_url(self.settings.address(), revision);
        let mut response = client.send(&Query::get(&url))?;
        match response.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            status => return Err(HttpFailure::Status(status)),
        }
        let text = response.body_mut().with_config().limit(LONGEST_LIST).read_to_vec()?;
        let list: List = serde_json::from_slice(&text).map_err(|_| HttpFailure::Header("list of files"))?;
        if !is_member(&list.sha) {
            return Err(HttpFailure::Header("sha"));
        }
        let names = list.siblings.into_iter().map(|file| file.rfilename).filter(|name| is_member(name)).collect();
        Ok(Some((list.sha, names)))
    }

    /// What is wanted out of the files that were fetched before, or what they lack.
    fn fetched_before(
        &self,
        revision: &str,
        wanted: Wanted,
        why: &str,
    ) -> Result<std::result::Result<HubSnapshot, String>> {
        let Some(commit) = self.cached.commit_of(revision) else { return Ok(Err(format!("revision {revision}"))) };
        let names = self.cached.names(&commit);
        let files = Fetched { repository: self.repository, folder: self.cached.snapshot(&commit), names };
        let snapshot = match snapshot(&files, wanted) {
            Ok(snapshot) => snapshot,
            Err(Error::Asset(AssetError::NoHubFile { file, .. })) => return Ok(Err(file)),
            Err(Error::Asset(AssetError::NoWeights { .. })) => return Ok(Err("model.safetensors".to_owned())),
            Err(error) => return Err(error),
        };
        let modules = match wanted {
            Wanted::Model | Wanted::Onnx(_) if !files.names.contains("modules.json") => {
                "; there is no modules.json, which would say how to pool"
            }
            _ => "",
        };
        self.monitor.note(&format!(
            "{}: {why}; {} files that were fetched before serve, in {}{modules}",
            self.repository.full_name(),
            snapshot.files.len(),
            snapshot.folder.display()
        ));
        Ok(Ok(snapshot))
    }
}

/// The files of a commit that are on this machine.
struct Fetched<'h> {
    repository: &'h Repository,
    folder: PathBuf,
    names: BTreeSet<String>,
}

impl Files for Fetched<'_> {
    fn repository(&self) -> &str {
        &self.repository.name
    }

    fn names(&self) -> Option<&BTreeSet<String>> {
        Some(&self.names)
    }

    fn may_lack(&self) -> bool {
        true
    }

    fn file(&self, name: &str) -> Result<Option<PathBuf>> {
        Ok(self.names.contains(name).then(|| self.folder.join(name)))
    }
}

/// Fetches what is wanted out of `files`.
fn snapshot(files: &dyn Files, wanted: Wanted) -> Result<HubSnapshot> {
    let (chosen, shape) = match wanted {
        Wanted::Model => (model_files(files)?, Shape::Folder),
        Wanted::Onnx(name) => (onnx_files(files, name)?, Shape::File),
        Wanted::File(name) => (all_files(files, &[name])?, Shape::File),
        Wanted::Data(path) => match named(files, path)? {
            Named::File(name) => (all_files(files, &[name])?, Shape::File),
            Named::Folder(names) => (all_files(files, &names)?, Shape::Folder),
            Named::Matches(names) => (all_files(files, &names)?, Shape::Some),
        },
    };
    let (name, path) = chosen.first().ok_or_else(|| missing(files, "such file"))?;
    // A name may have several parts.
    let folder = path.ancestors().nth(name.split('/').count()).unwrap_or(path).to_owned();
    let names: Vec<String> = chosen.into_iter().map(|(name, _)| name).collect();
    Ok(match (wanted, shape) {
        (Wanted::Data(path), Shape::Folder) => {
            let below = names.iter().map(|name| name[path.len() + 1..].to_owned()).collect();
            HubSnapshot { folder: folder.join(path), files: below, shape }
        }
        _ => HubSnapshot { folder, files: names, shape },
    })
}

#[cfg(test)]
mod tests;
