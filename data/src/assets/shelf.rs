//! [`Shelf`]: the folders of a store, what lies in them, and who may change them.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::AssetError;
use super::hub::remove_with_blob;
use super::manifest::{FileRecord, first_damaged, list, sha256_of};
use crate::error::{Error, Result};
use crate::files::{remove, sha256_bytes, write_bytes};
use crate::monitor::Monitor;

/// The asset of a URI, as the index has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AssetRecord {
    pub uri: String,
    /// Relative to the store, or absolute in the hub's folder.
    pub path: PathBuf,
    pub sha256: String,
    /// The sha256 of the asset's wheel.
    pub wheel_sha256: Option<String>,
    /// The folder of the entries' paths, relative or absolute as `path`.
    pub base: PathBuf,
    pub entries: Vec<FileRecord>,
}

/// The folder of a store; `None` on a machine that has no place for one.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    pub root: Option<PathBuf>,
}

/// What a shelf has for a name.
pub(super) enum Place {
    /// The asset.
    Taken(AssetRecord),
    /// Nothing yet, and the right to put it there.
    Free(Workroom),
    /// Nothing, and nothing can be put there.
    Closed(Error),
}

/// The right to make one asset, and an empty folder for it. Other processes wait until it is dropped.
pub(super) struct Workroom {
    index: PathBuf,
    fetching: PathBuf,
    work: TempDir,
    _lock: File,
}

impl Workroom {
    /// The empty folder.
    pub(super) fn folder(&self) -> &Path {
        self.work.path()
    }

    /// Puts the record of the finished asset into the index.
    pub(super) fn finish(self, record: &AssetRecord) -> Result<()> {
        let json = serde_json::to_vec_pretty(record).map_err(|error| Error::io("write", &self.index)(error.into()))?;
        write_bytes(&self.index, &json)?;
        drop(self.work);
        remove(&self.fetching)
    }
}

impl Shelf {
    /// The folder of the store.
    pub(super) fn root(&self) -> Result<&Path> {
        Ok(self.root.as_deref().ok_or(AssetError::NoHome)?)
    }

    /// A path of a record.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.root.as_ref().map_or_else(|| path.to_owned(), |root| root.join(path))
    }

    /// The place of `name`. Of several processes that come with the same `lock`, one has it. Nothing is written where
    /// the asset is there.
    ///
    /// # Errors
    /// A damaged asset that can't be removed.
    pub(super) fn place_of(&self, name: &str, lock: &str, monitor: Monitor) -> Result<Place> {
        let root = match self.root() {
            Ok(root) => root,
            Err(error) => return Ok(Place::Closed(error)),
        };
        let index = root.join("index").join(key(name)).with_extension("json");
        let before = self.look_up(&index);
        if let Some((record, None)) = before {
            return Ok(Place::Taken(record));
        }
        let lock = match Self::lock(root, lock, monitor) {
            Ok(lock) => lock,
            Err(error) if before.is_some() => return Err(error),
            Err(error) => return Ok(Place::Closed(error)),
        };
        // The process that had the lock may have made this asset.
        match self.look_up(&index) {
            Some((record, None)) => return Ok(Place::Taken(record)),
            Some((_, Some(path))) => {
                monitor.note(&format!("{} is missing or damaged: fetching {name} again", path.display()));
                // Otherwise the file would be taken for whole.
                remove_with_blob(&path)?;
            }
            None => {}
        }
        let fetching = root.join("fetching").join(key(name));
        // A folder of its own, because the pip of a killed process may still be writing.
        let work = empty_folder(&fetching)
            .and_then(|()| tempfile::tempdir_in(&fetching).map_err(Error::io("create a folder in", &fetching)));
        Ok(match work {
            Ok(work) => Place::Free(Workroom { index, fetching, work, _lock: lock }),
            Err(error) => Place::Closed(error),
        })
    }

    /// The asset stored under `name`; if there is none, `make` makes it in an empty folder.
    pub(super) fn fetch_once(
        &self,
        name: &str,
        monitor: Monitor,
        make: impl FnOnce(&Path) -> Result<AssetRecord>,
    ) -> Result<AssetRecord> {
        match self.place_of(name, name, monitor)? {
            Place::Taken(record) => Ok(record),
            Place::Closed(error) => Err(error),
            Place::Free(room) => {
                let record = make(room.folder())?;
                room.finish(&record)?;
                Ok(record)
            }
        }
    }

    /// The asset in the index, and the first of its files that is missing or damaged. An index that cannot be read has
    /// none.
    fn look_up(&self, index: &Path) -> Option<(AssetRecord, Option<PathBuf>)> {
        let record: AssetRecord = serde_json::from_slice(&fs::read(index).ok()?).ok()?;
        let damaged = first_damaged(&self.path(&record.base), &record.entries);
        Some((record, damaged))
    }

    /// Locks `name`, and waits for a process that has locked it.
    fn lock(root: &Path, name: &str, monitor: Monitor) -> Result<File> {
        let folder = root.join("locks");
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
    pub(super) fn place(&self, uri: String, object: &Path, name: &str) -> Result<AssetRecord> {
        let made = object.join(name);
        let (sha256, entries) = measure(&made, name)?;
        let folder = Path::new("objects").join(&sha256);
        let path = folder.join(name);
        let base = if made.is_dir() { path.clone() } else { folder.clone() };
        let (folder, place) = (self.path(&folder), self.path(&path));
        if first_damaged(&self.path(&base), &entries).is_some() {
            remove(&place)?;
            fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
            fs::rename(&made, &place).map_err(Error::io("put in place", &place))?;
        }
        Ok(AssetRecord { uri, path, sha256, wheel_sha256: None, base, entries })
    }
}

/// Empties a folder, or creates it.
pub(super) fn empty_folder(folder: &Path) -> Result<()> {
    remove(folder)?;
    fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))
}

/// The sha256 and the files of a file called `name`, or of a folder.
pub(super) fn measure(path: &Path, name: &str) -> Result<(String, Vec<FileRecord>)> {
    if path.is_dir() {
        let entries = list(path)?;
        return Ok((sha256_of(&entries), entries));
    }
    let entry = FileRecord::of(path, name.to_owned())?;
    Ok((entry.sha256.clone(), vec![entry]))
}

/// A short file name for any name, always the same.
fn key(name: &str) -> String {
    sha256_bytes(name.as_bytes())[..32].to_owned()
}
