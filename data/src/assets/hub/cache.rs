//! [`CachedRepository`]: the files of one repository on this machine, in the layout that the hub's own tools share.
//!
//! ```text
//! CACHE/models--OWNER--NAME/blobs/TAG                      the bytes of a file
//! CACHE/models--OWNER--NAME/blobs/TAG.incomplete           what has come of them so far
//! CACHE/models--OWNER--NAME/snapshots/COMMIT/PATH          a link to the bytes
//! CACHE/models--OWNER--NAME/refs/REVISION                  the commit of a branch or tag
//! CACHE/.locks/models--OWNER--NAME/TAG.lock                locked while the bytes are fetched
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::repository::Repository;
use crate::assets::uri::is_member;
use crate::error::{Error, Result};
use crate::files::{remove, write_bytes};

/// The files of one repository.
pub(in crate::assets) struct CachedRepository {
    folder: PathBuf,
    locks: PathBuf,
}

impl CachedRepository {
    /// The files of `repository` below the folder `cache`. Nothing is read or written yet.
    pub(in crate::assets) fn new(cache: &Path, repository: &Repository) -> Self {
        let name = repository.folder_name();
        Self { folder: cache.join(&name), locks: cache.join(".locks").join(name) }
    }

    /// The folder of one commit.
    pub(in crate::assets) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// The commit of a branch, a tag or a commit, as far as this machine knows it.
    pub(in crate::assets) fn commit_of(&self, revision: &str) -> Option<String> {
        if self.snapshot(revision).is_dir() {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.folder.join("refs").join(revision)).ok()?.trim().to_owned();
        (is_member(&commit) && self.snapshot(&commit).is_dir()).then_some(commit)
    }

    /// Remembers the commit of a branch or tag. That it can't be written does no harm: the commit's files are there.
    pub(in crate::assets) fn remember(&self, revision: &str, commit: &str) {
        let path = self.folder.join("refs").join(revision);
        let is_known = || fs::read_to_string(&path).is_ok_and(|known| known.trim() == commit);
        if revision != commit && !is_known() {
            let _ = write_bytes(&path, commit.as_bytes());
        }
    }

    /// The names of a commit's files on this machine, with `/` between their parts.
    pub(in crate::assets) fn names(&self, commit: &str) -> BTreeSet<String> {
        let folder = self.snapshot(commit);
        let files = WalkDir::new(&folder).follow_links(true).into_iter().flatten();
        let name = |path: &Path| {
            let parts = path.strip_prefix(&folder).ok()?.iter().map(|part| part.to_str());
            Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
        };
        files.filter(|entry| entry.file_type().is_file()).filter_map(|entry| name(entry.path())).collect()
    }

    /// The place of the bytes with this tag.
    pub(in crate::assets) fn blob(&self, tag: &str) -> PathBuf {
        self.folder.join("blobs").join(tag)
    }

    /// Locks the bytes with this tag, and waits for a process that fetches them.
    pub(in crate::assets) fn lock(&self, tag: &str) -> Result<File> {
        let path = self.locks.join(format!("{tag}.lock"));
        for folder in [&self.locks, &self.folder.join("blobs")] {
            fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        }
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(Error::io("create", &path))?;
        // On a file system without locks nobody waits; the bytes are checked all the same.
        let _ = file.lock();
        Ok(file)
    }

    /// Makes `pointer`, a path in a snapshot, lead to the file `blob`.
    pub(in crate::assets) fn link(&self, blob: &Path, pointer: &Path) -> Result<()> {
        let folder = pointer.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        // The pointer may be a link that leads nowhere.
        remove(pointer)?;
        let depth = folder.strip_prefix(&self.folder).map_or(0, |below| below.iter().count());
        let tag = blob.file_name().unwrap_or_default();
        let target: PathBuf = std::iter::repeat_n("..", depth).collect::<PathBuf>().join("blobs").join(tag);
        link_or_copy(&target, blob, pointer).map_err(Error::io("create", pointer))
    }
}

/// Makes `link` lead to `target`, a path relative to the link's folder or an absolute one, or else be a copy of `file`.
#[cfg(unix)]
pub(in crate::assets) fn link_or_copy(target: &Path, file: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link).or_else(|_| fs::copy(file, link).map(|_| ()))
}

/// Makes `link` lead to `target`, a path relative to the link's folder or an absolute one, or else be a copy of `file`.
#[cfg(not(unix))]
pub(in crate::assets) fn link_or_copy(target: &Path, file: &Path, link: &Path) -> std::io::Result<()> {
    #[cfg(windows)]
    if std::os::windows::fs::symlink_file(target, link).is_ok() {
        return Ok(());
    }
    let _ = target;
    fs::copy(file, link).map(|_| ())
}

/// Removes a file that is no longer trusted, and the bytes that it leads to, if they lie among a repository's blobs.
pub(in crate::assets) fn remove_with_blob(path: &Path) -> Result<()> {
    let is_blob = |target: &PathBuf| target.parent().is_some_and(|folder| folder.ends_with("blobs"));
    if let Some(blob) = fs::canonicalize(path).ok().filter(is_blob) {
        remove(&blob)?;
    }
    remove(path)
}
