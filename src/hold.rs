//! A folder that one process at a time works in.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::{Error, Result};

/// Other processes stay out for as long as this is held.
#[must_use]
#[derive(Debug)]
pub struct Hold {
    _folder: Option<File>,
}

/// Makes `folder` if need be, and takes it: the folder itself is locked, so nothing is left in it.
///
/// # Errors
/// A folder that can't be made, and [`Error::Busy`] where another process has it. A file system without locks is trusted.
pub fn hold(folder: &Path) -> Result<Hold> {
    std::fs::create_dir_all(folder).map_err(limbeck_data::Error::io("create the folder", folder))?;
    let Ok(opened) = File::open(folder) else { return Ok(Hold { _folder: None }) };
    match opened.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: folder.to_path_buf() }),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Hold { _folder: Some(opened) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one_at_a_time_and_nothing_is_left_in_it() {
        let room = tempfile::tempdir().unwrap();
        let folder = room.path().join("new");
        let first = hold(&folder).unwrap();
        assert!(matches!(hold(&folder), Err(Error::Busy { .. })));
        drop(first);
        assert!(hold(&folder).is_ok());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }
}
