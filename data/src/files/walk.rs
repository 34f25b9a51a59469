//! Lists the files below a folder.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::error::{Error, Result};

/// The files in and below `folder`, without hidden files and folders, sorted by name. Symbolic links are followed.
pub(crate) fn visible_files(folder: &Path) -> impl Iterator<Item = Result<PathBuf>> {
    let is_hidden = |entry: &DirEntry| entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
    let entries = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
    entries.filter_entry(move |entry| !is_hidden(entry)).filter_map(move |entry| match entry {
        Ok(entry) => entry.file_type().is_file().then(|| Ok(entry.into_path())),
        Err(error) => {
            let path = error.path().unwrap_or(folder).to_owned();
            Some(Err(Error::io("read", &path)(error.into())))
        }
    })
}
