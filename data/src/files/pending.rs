//! Files that appear whole or not at all: the mechanism is [`limbeck_encoder::files`], with this crate's errors.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

pub use limbeck_encoder::files::{PendingFile, folder_of, sync_folder};

/// Writes the file at `path` with `write`, whole or not at all. Missing folders are created.
///
/// An error of `write` is returned unchanged, and the old file stays.
pub fn write_atomically<T, E: From<Error>>(
    path: &Path,
    write: impl FnOnce(&mut PendingFile) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let mut file = PendingFile::create(path).map_err(Error::from)?;
    let value = write(&mut file)?;
    file.commit().map_err(Error::from)?;
    Ok(value)
}

/// [`write_atomically`] for bytes at hand.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |file| file.write_all(bytes).map_err(Error::io("write", path)))
}

/// Writes `value` to the file at `path`, indented.
pub fn write_json(path: &Path, value: &serde_json::Value) -> Result<()> {
    write_bytes(path, format!("{value:#}\n").as_bytes())
}

/// Deletes the temporary files that killed processes left in `folder`, and returns their number. Those of living
/// processes are locked and stay. A missing folder has none.
pub fn remove_leftovers(folder: &Path) -> Result<usize> {
    Ok(limbeck_encoder::files::remove_leftovers(folder)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

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
