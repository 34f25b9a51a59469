//! Files written whole or not at all, and their hashes.
//!
//! A file is written under a temporary name in the folder it belongs to, synced, renamed into place, and the folder is
//! synced: whatever happens, its place holds the old file or the new one. A killed process leaves the temporary file
//! behind; [`remove_leftovers`] clears it away, and a lock on the file keeps it from taking a living process's.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::error::{Error, Result};

const PREFIX: &str = ".limbeck-";
const SUFFIX: &str = ".tmp";

/// A file being written beside its place. Nothing is seen there before [`PendingFile::commit`]; dropped without it, the
/// bytes are gone.
pub struct PendingFile {
    path: PathBuf,
    folder: PathBuf,
    writer: BufWriter<NamedTempFile>,
}

impl PendingFile {
    /// Begins to write the file at `path`, whose folder is made if need be. A symbolic link is followed.
    ///
    /// # Errors
    /// Where something lies that isn't a file: a folder, or a device, which a rename would destroy.
    pub fn create(path: &Path) -> Result<Self> {
        let followed = match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => fs::canonicalize(path).map_err(Error::io("follow the link", path))?,
            _ => path.to_owned(),
        };
        let path = followed.as_path();
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "something that is no file lies there");
            return Err(Error::io("write", path)(source));
        }
        let folder = folder_of(path);
        fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        #[cfg(unix)]
        {
            // As any new file: the umask takes away what it should.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(&folder).map_err(Error::io("create a temporary file in", &folder))?;
        // Only a sign for `remove_leftovers`; a file system without locks does without it.
        let _ = file.as_file().try_lock();
        Ok(Self { path: path.to_owned(), folder, writer: BufWriter::with_capacity(1 << 16, file) })
    }

    /// Writes `bytes` over the beginning of what was written; writing then goes on at the end.
    pub fn rewrite_beginning(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.seek(SeekFrom::Start(0))?;
        self.writer.write_all(bytes)?;
        self.writer.seek(SeekFrom::End(0)).map(|_| ())
    }

    /// Where the file will lie.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the bytes and puts the file in its place, over one that lies there. Returns its size in bytes.
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

/// Writes the file at `path` with `write`, whole or not at all; the folder is made if need be.
///
/// The error of `write` comes back as it is, and then the place is as it was.
pub fn write_atomically<T, E: From<Error>>(
    path: &Path,
    write: impl FnOnce(&mut PendingFile) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let mut file = PendingFile::create(path)?;
    let value = write(&mut file)?;
    file.commit()?;
    Ok(value)
}

/// [`write_atomically`] for bytes at hand.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |file| file.write_all(bytes).map_err(Error::io("write", path)))
}

/// Removes temporary files that killed processes left in `folder`; those of living ones are locked and stay. Returns
/// how many went. A folder that isn't there has none.
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

/// The sha256 of a file's bytes in lower-case hexadecimal.
pub fn sha256_file(path: &Path) -> Result<String> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(Error::io("open", path))?);
    sha256_reader(&mut reader).map_err(Error::io("read", path))
}

/// The sha256 of all that `reader` still gives, in lower-case hexadecimal.
pub fn sha256_reader(reader: &mut impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hexadecimal(&hasher.finalize())),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The sha256 of `bytes` in lower-case hexadecimal.
pub fn sha256_bytes(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The folder that a file at `path` lies in.
pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a rename in `folder` outlast a power cut; Windows has no such call and needs none.
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
            Err(crate::interrupt::Interrupted.into())
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

    #[test]
    fn the_hash_is_sha256() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(sha256_file(&path).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(sha256_file(&folder.path().join("no")).unwrap_err().to_string().contains("no"));
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
