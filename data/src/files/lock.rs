//! Locks that keep a second process out of a folder.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Keeps other processes out of a folder, or out of one part of it, until it is dropped. The operating system releases
/// the lock of a process that dies.
#[must_use]
#[derive(Debug)]
pub struct FolderLock {
    _locked: Option<File>,
    /// The lock file of a part, deleted at the end.
    lock_file: Option<PathBuf>,
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        if let Some(path) = &self.lock_file {
            // One that stays locks nothing.
            let _ = fs::remove_file(path);
        }
    }
}

/// Creates `folder` if it is missing and locks it. The folder itself is locked, so no file is left in it.
///
/// # Errors
/// The folder cannot be created, or another process has locked it ([`Error::Busy`]). A file system without locks lets
/// every process in.
pub fn lock_folder(folder: &Path) -> Result<FolderLock> {
    fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
    // Windows does not open folders; there the lock is left out.
    let locked = File::open(folder).ok();
    locked.as_ref().map_or(Ok(()), |locked| lock(locked, folder))?;
    Ok(FolderLock { _locked: locked, lock_file: None })
}

/// As [`lock_folder`] for one part of an existing folder: locks the file `.PART.lock` in it, which is deleted at the
/// end.
pub(crate) fn lock_part(folder: &Path, part: &str) -> Result<FolderLock> {
    let path = folder.join(format!(".{part}.lock"));
    let locked = File::options().create(true).truncate(false).write(true).open(&path);
    let locked = locked.map_err(Error::io("create", &path))?;
    lock(&locked, folder)?;
    Ok(FolderLock { _locked: Some(locked), lock_file: Some(path) })
}

fn lock(file: &File, folder: &Path) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: folder.to_owned() }),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_by_one_at_a_time_and_nothing_is_left_in_it() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("new");
        let first = lock_folder(&folder).unwrap();
        assert!(matches!(lock_folder(&folder), Err(Error::Busy { .. })));
        drop(first);
        assert!(lock_folder(&folder).is_ok());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn parts_of_a_folder_are_locked_one_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let first = lock_part(folder, "one").unwrap();
        assert!(matches!(lock_part(folder, "one"), Err(Error::Busy { .. })));
        let other = lock_part(folder, "two").unwrap();
        drop((first, other));
        assert!(lock_part(folder, "one").is_ok());
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
    }
}
