//! Files written under a temporary name and put in place once they are whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::folder_of;
use crate::error::{Error, Result};

const PREFIX: &str = ".limbeck-";
const SUFFIX: &str = ".tmp";

/// A file that is being written under a temporary name. [`PendingFile::commit`] puts it in place; dropped without that
/// call, it is deleted.
pub struct PendingFile {
    path: PathBuf,
    folder: PathBuf,
    writer: BufWriter<NamedTempFile>,
}

impl PendingFile {
    /// Starts the file that is to lie at `path`. Missing folders are created, and a symbolic link is followed.
    ///
    /// # Errors
    /// `path` is a folder, or a device, which a rename would destroy.
    pub fn create(path: &Path) -> Result<Self> {
        let followed = match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => fs::canonicalize(path).map_err(Error::io("follow the link", path))?,
            _ => path.to_owned(),
        };
        let path = followed.as_path();
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "it exists and is not a file");
            return Err(Error::io("write", path)(source));
        }
        let folder = folder_of(path);
        fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        #[cfg(unix)]
        {
            // The permissions of any new file, less the umask.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(&folder).map_err(Error::io("create a temporary file in", &folder))?;
        // The lock only tells `remove_leftovers` to spare the file, so a file system without locks does no harm.
        let _ = file.as_file().try_lock();
        Ok(Self { path: path.to_owned(), folder, writer: BufWriter::with_capacity(1 << 16, file) })
    }

    /// Overwrites the beginning of the file with `bytes`; the next write continues at its end.
    pub fn rewrite_beginning(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.seek(SeekFrom::Start(0))?;
        self.writer.write_all(bytes)?;
        self.writer.seek(SeekFrom::End(0)).map(|_| ())
    }

    /// The path that the file will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the file and puts it in place, over an older one. Returns its size in bytes.
    pub fn commit(self) -> Result<u64> {
        let write = Error::io("write", &self.path);
        let file = match self.writer.into_inner() {
            Ok(file) => file,
            Err(error) => return Err(write(error.into_error())),
        };
        let size = match file.as_file().sync_all().and_then(|()| file.as_file().metadata()) {
            Ok(metadata) => metadata.len(),
            Err(error) => return Err(write(error)),
        };
        let file = file.persist(&self.path).map_err(|error| Error::io("put in place", &self.path)(error.error))?;
        let _ = file.unlock();
        sync_folder(&self.folder)?;
        Ok(size)
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

/// Writes the file at `path` with `write`, whole or not at all. Missing folders are created.
///
/// An error of `write` is returned unchanged, and the old file stays.
pub fn write_atomically<T, E: From<Error>>(
    path: &Path,
    write: impl FnOnce(&mut PendingFile) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let mut file = PendingFile::create(path)?;
    let value = write(&mut file)?;
    file.commit()?;
    Ok(value)
}

/// Writes `bytes` to the file at `path` as [`write_atomically`] does.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |file| file.write_all(bytes).map_err(Error::io("write", path)))
}

/// Deletes the temporary files that killed processes left in `folder`, and returns their number. Those of living
/// processes are locked and stay. A missing folder has none.
pub fn remove_leftovers(folder: &Path) -> Result<usize> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(Error::io("list", folder)(error)),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry.map_err(Error::io("list", folder))?;
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if ours && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            removed += usize::from(fs::remove_file(entry.path()).is_ok());
        }
    }
    Ok(removed)
}

/// Makes a rename in `folder` survive a power cut. Windows has no such call and needs none.
pub fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io("sync the folder", folder))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_seen_only_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file");
        let mut file = PendingFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        file.flush().unwrap();
        assert!(!path.exists());
        file.write_all(b" and half").unwrap();
        assert_eq!(file.commit().unwrap(), 13);
        assert_eq!(fs::read(&path).unwrap(), b"half and half");
        assert_eq!(names(path.parent().unwrap()), ["file"]);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_bytes(&path, b"old").unwrap();
        let failed: Result<()> = write_atomically(&path, |file| {
            file.write_all(b"new").unwrap();
            Err(crate::Interrupted.into())
        });
        assert!(matches!(failed, Err(Error::Interrupted(_))));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_may_be_read_by_whom_the_umask_lets() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("plain"), "").unwrap();
        write_bytes(&folder.path().join("ours"), b"").unwrap();
        let mode = |name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("plain"), mode("ours"));
    }

    #[test]
    fn leftovers_go_and_the_files_of_the_living_stay() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".limbeck-dead.tmp"), "left").unwrap();
        fs::write(folder.path().join("other.tmp"), "not ours").unwrap();
        let living = PendingFile::create(&folder.path().join("living")).unwrap();
        assert_eq!(remove_leftovers(folder.path()).unwrap(), 1);
        living.commit().unwrap();
        assert_eq!(names(folder.path()), ["living", "other.tmp"]);
        assert_eq!(remove_leftovers(&folder.path().join("missing")).unwrap(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_a_device_or_folder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        write_bytes(&file, b"old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_bytes(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(write_bytes(folder.path(), b"x").is_err());
        let socket = folder.path().join("socket");
        let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(write_bytes(&socket, b"x").unwrap_err().to_string().contains("socket"));
        assert!(!fs::metadata(&socket).unwrap().is_file());
    }
}
