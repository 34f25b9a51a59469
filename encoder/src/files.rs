//! Files written whole or not at all.
//!
//! [`PendingFile`] writes under a temporary name in the folder where the file belongs, syncs the bytes and renames the
//! file into place. Whatever happens, the path holds the old file or the new one. A killed process leaves its temporary
//! file behind; [`remove_leftovers`] deletes such files, and a lock on each temporary file tells the files of
//! living processes apart. [`PendingFile::claim`] takes the same lock to share work among processes: one of them writes
//! a file, the others see that it is taken.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

const PREFIX: &str = ".limbeck-";
const SUFFIX: &str = ".tmp";

/// A file or folder on which an operation failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {}", path.display())]
pub struct FileError {
    /// What was tried, as a verb: `write`, `put in place`.
    pub operation: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// The operating system's error.
    #[source]
    pub source: io::Error,
}

impl FileError {
    fn new(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { operation, path: path.to_owned(), source }
    }
}

/// A file being written under a temporary name. The path shows the new bytes only after [`PendingFile::commit`]; a
/// pending file that is dropped earlier is deleted.
#[derive(Debug)]
pub struct PendingFile {
    path: PathBuf,
    folder: PathBuf,
    writer: BufWriter<NamedTempFile>,
}

impl PendingFile {
    /// Begins to write the file at `path` and makes its folder where that is missing. A symbolic link is followed.
    ///
    /// # Errors
    /// When `path` is a folder, or a device, which a rename would destroy; when the folder or the temporary file cannot
    /// be made.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let path = followed(path)?;
        let folder = folder_of(&path);
        fs::create_dir_all(&folder).map_err(FileError::new("create the folder", &folder))?;
        Self::create_in_existing_folder(&path)
    }

    /// [`PendingFile::create`] for a folder that must exist.
    ///
    /// # Errors
    /// As [`PendingFile::create`], and when the folder is missing.
    pub fn create_in_existing_folder(path: &Path) -> Result<Self, FileError> {
        let path = followed(path)?;
        let folder = folder_of(&path);
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        // The permissions of any new file: the umask takes its bits away.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        loop {
            let file = builder.tempfile_in(&folder).map_err(FileError::new("create a temporary file in", &folder))?;
            // The lock only tells `remove_leftovers` that the writer lives. Another process may have taken the file for
            // a leftover before it was locked.
            if matches!(lock(file.as_file(), file.path()), Lock::Held | Lock::Unknown) {
                return Ok(Self { path, folder, writer: BufWriter::with_capacity(1 << 16, file) });
            }
        }
    }

    /// [`PendingFile::create`], unless a living process has claimed the same path: then `None`. All processes that
    /// claim a path write one temporary file, which is named after it, and its lock tells who does. A file system
    /// without locks lets every process write a file of its own.
    ///
    /// # Errors
    /// As [`PendingFile::create`].
    pub fn claim(path: &Path) -> Result<Option<Self>, FileError> {
        let path = followed(path)?;
        let folder = folder_of(&path);
        fs::create_dir_all(&folder).map_err(FileError::new("create the folder", &folder))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let temporary = folder.join(format!("{PREFIX}{name}{SUFFIX}"));
        loop {
            let is_new = !temporary.exists();
            let opened = File::options().create(true).truncate(false).write(true).open(&temporary);
            let file = opened.map_err(FileError::new("create", &temporary))?;
            match lock(&file, &temporary) {
                Lock::Taken => return Ok(None),
                Lock::Lost => {}
                Lock::Unknown => {
                    // Nobody writes it, and without locks no `remove_leftovers` takes it away.
                    if is_new {
                        let _ = fs::remove_file(&temporary);
                    }
                    return Self::create_in_existing_folder(&path).map(Some);
                }
                Lock::Held => {
                    // What a killed process had written.
                    file.set_len(0).map_err(FileError::new("write", &temporary))?;
                    let held = tempfile::TempPath::try_from_path(&temporary);
                    let held = held.map_err(FileError::new("create", &temporary))?;
                    let file = NamedTempFile::from_parts(file, held);
                    return Ok(Some(Self { path, folder, writer: BufWriter::with_capacity(1 << 16, file) }));
                }
            }
        }
    }

    /// Overwrites the first bytes of the file with `bytes`; later writes append to the end again.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub fn rewrite_beginning(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.seek(SeekFrom::Start(0))?;
        self.writer.write_all(bytes)?;
        self.writer.seek(SeekFrom::End(0)).map(|_| ())
    }

    /// The path that the file will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the bytes, renames the file into place, over an existing one, and syncs the folder. Returns the size in
    /// bytes.
    ///
    /// # Errors
    /// When the file cannot be synced or renamed, or the folder cannot be synced.
    pub fn commit(self) -> Result<u64, FileError> {
        let (size, folder) = self.rename_into_place()?;
        sync_folder(&folder)?;
        Ok(size)
    }

    /// [`PendingFile::commit`] up to the rename. Returns the size in bytes, and the folder, which is not synced yet.
    pub(crate) fn rename_into_place(self) -> Result<(u64, PathBuf), FileError> {
        let Self { path, folder, writer } = self;
        let file = writer.into_inner().map_err(|error| FileError::new("write", &path)(error.into_error()))?;
        let size = file.as_file().sync_all().and_then(|()| file.as_file().metadata()).map(|metadata| metadata.len());
        let size = size.map_err(FileError::new("write", &path))?;
        let file = file.persist(&path).map_err(|error| FileError::new("put in place", &path)(error.error))?;
        let _ = file.unlock();
        Ok((size, folder))
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// What came of locking a temporary file.
enum Lock {
    /// This process holds it.
    Held,
    /// Another process holds it.
    Taken,
    /// The file was removed or renamed before it was locked.
    Lost,
    /// The file system has no locks.
    Unknown,
}

/// Locks the temporary file that was opened at `path`.
fn lock(file: &File, path: &Path) -> Lock {
    match file.try_lock() {
        Ok(()) if is_at(file, path) => Lock::Held,
        Err(TryLockError::WouldBlock) if is_at(file, path) => Lock::Taken,
        Ok(()) | Err(TryLockError::WouldBlock) => Lock::Lost,
        Err(TryLockError::Error(_)) => Lock::Unknown,
    }
}

/// Whether `file` still lies at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |found: fs::Metadata| (found.dev(), found.ino());
    file.metadata().is_ok_and(|ours| fs::metadata(path).is_ok_and(|found| place(found) == place(ours)))
}

/// Windows neither removes nor renames a file that another process has open.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

/// The path behind a symbolic link, which has to be a file or nothing yet.
fn followed(path: &Path) -> Result<PathBuf, FileError> {
    let followed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => fs::canonicalize(path).map_err(FileError::new("follow the link", path))?,
        _ => path.to_owned(),
    };
    if fs::metadata(&followed).is_ok_and(|found| !found.is_file()) {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "something that is no file lies there");
        return Err(FileError::new("write", &followed)(source));
    }
    Ok(followed)
}

/// The folder that holds a file at `path`.
pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a rename in `folder` outlast a power cut. Windows has no such call and needs none.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(FileError::new("sync the folder", folder))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Deletes the temporary files that killed processes left in `folder`; living processes hold locks on theirs, which
/// stay. Returns how many were deleted: 0 for a folder that does not exist.
///
/// # Errors
/// When the folder cannot be listed.
pub fn remove_leftovers(folder: &Path) -> Result<usize, FileError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(FileError::new("list", folder)(error)),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry.map_err(FileError::new("list", folder))?;
        let name = entry.file_name();
        let is_temporary = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        let held = |file: File| matches!(lock(&file, &entry.path()), Lock::Held).then_some(file);
        // The lock is held until the file is gone.
        let file = if is_temporary { File::open(entry.path()).ok().and_then(held) } else { None };
        if file.is_some() {
            removed += usize::from(fs::remove_file(entry.path()).is_ok());
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_is_made_or_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file");
        let error = PendingFile::create_in_existing_folder(&path).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::NotFound);
        let mut file = PendingFile::create(&path).unwrap();
        file.write_all(b"hello").unwrap();
        file.rewrite_beginning(b"J").unwrap();
        file.write_all(b"!").unwrap();
        assert_eq!(file.commit().unwrap(), 6);
        assert_eq!(fs::read(&path).unwrap(), b"Jello!");
    }

    #[test]
    fn a_path_is_claimed_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut first = PendingFile::claim(&path).unwrap().unwrap();
        assert!(PendingFile::claim(&path).unwrap().is_none());
        first.write_all(b"first").unwrap();
        first.commit().unwrap();
        drop(PendingFile::claim(&path).unwrap().unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_claim_that_a_killed_process_left_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(folder.path().join(".limbeck-file.tmp"), b"half of a longer file").unwrap();
        let mut file = PendingFile::claim(&path).unwrap().unwrap();
        assert_eq!(remove_leftovers(folder.path()).unwrap(), 0);
        file.write_all(b"whole").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(remove_leftovers(folder.path()).unwrap(), 0);
    }
}
