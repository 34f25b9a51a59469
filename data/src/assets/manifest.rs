//! Lists the files of an asset with their sizes and hashes.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::{sha256_bytes, sha256_file, visible_files};

/// One file, named by its path within the asset's folder, or by the asset's own name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    /// With `/` between the parts, on every system.
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
}

impl FileRecord {
    /// Measures the file at `file`, which the list calls `path`.
    pub(super) fn of(file: &Path, path: String) -> Result<Self> {
        let metadata = File::open(file).and_then(|file| file.metadata()).map_err(Error::io("read", file))?;
        Ok(Self { path, bytes: metadata.len(), sha256: sha256_file(file)? })
    }
}

/// The sha256 of a folder with these files; see [`super`].
pub(super) fn sha256_of(entries: &[FileRecord]) -> String {
    let mut lines: Vec<_> = entries.iter().map(|entry| (&entry.path, &entry.sha256)).collect();
    lines.sort();
    let list: String = lines.into_iter().map(|(path, sha256)| format!("{sha256}  {path}\n")).collect();
    sha256_bytes(list.as_bytes())
}

/// All files below `folder` but hidden ones, sorted by path.
pub(super) fn list(folder: &Path) -> Result<Vec<FileRecord>> {
    let mut entries = Vec::new();
    for path in visible_files(folder) {
        let path = path?;
        let parts: Vec<_> =
            path.strip_prefix(folder).unwrap_or(&path).iter().map(|part| part.to_string_lossy()).collect();
        entries.push(FileRecord::of(&path, parts.join("/"))?);
    }
    Ok(entries)
}

/// The first of `entries` whose file below `folder` is missing or has other bytes.
pub(super) fn first_damaged(folder: &Path, entries: &[FileRecord]) -> Option<PathBuf> {
    let same = |entry: &&FileRecord| {
        let path = folder.join(&entry.path);
        // The size is compared first, so a truncated file is not read.
        std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() == entry.bytes)
            && sha256_file(&path).is_ok_and(|sha256| sha256 == entry.sha256)
    };
    entries.iter().find(|entry| !same(entry)).map(|entry| folder.join(&entry.path))
}
