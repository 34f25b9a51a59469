//! The `cache.json` of a folder of Parquet that another program wrote, and the cache that it makes of the folder.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::error::CacheError;
use super::external::ExternalParquet;
use super::index::{Fingerprint, VERSION};
use super::shard::Shard;
use crate::files;
use crate::{Error, Result};

/// The index's name.
pub(super) const FILE: &str = "cache.json";

/// The files that were adopted, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdoptedIndex {
    pub version: u32,
    /// Always true; the index of a cache of limbeck has no such field.
    pub adopted: bool,
    pub dimension: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_column: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector_column: Option<String>,
    /// What the vectors depend on, where all files tell the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    pub rows: u64,
    pub files: Vec<AdoptedFile>,
}

/// A file of another program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AdoptedFile {
    /// Its path below the cache's folder, with `/` between the names.
    pub file: String,
    pub sha256: String,
}

impl AdoptedIndex {
    /// The index in `folder`; `None` where there is none, or one of a cache of limbeck.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>> {
        #[derive(Deserialize)]
        struct Mark {
            #[serde(default)]
            adopted: bool,
        }
        let path = folder.join(FILE);
        let Some(json) = files::read_if_present(&path)? else { return Ok(None) };
        // What is no index at all, the reader of limbeck's own refuses.
        if !serde_json::from_slice::<Mark>(&json).is_ok_and(|mark| mark.adopted) {
            return Ok(None);
        }
        let no_index = |source| CacheError::Index { path: path.clone(), source };
        let index: Self = serde_json::from_slice(&json).map_err(no_index)?;
        if index.version != VERSION {
            return Err(CacheError::Version { path, found: index.version, expected: VERSION }.into());
        }
        // One from elsewhere must not name files outside its folder.
        let is_below = |name: &str| Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if let Some(entry) = index.files.iter().find(|entry| !is_below(&entry.file)) {
            let problem = format!("its entry of the file {:?} can't be", entry.file);
            return Err(no_index(serde::de::Error::custom(problem)).into());
        }
        Ok(Some(index))
    }

    pub(super) fn columns(&self) -> Columns {
        Columns { text: self.text_column.clone(), vector: self.vector_column.clone() }
    }
}

/// A folder of Parquet of another program, with the hashes of its files.
#[derive(Debug)]
pub(super) struct AdoptedCache {
    paths: Vec<PathBuf>,
    pub index: AdoptedIndex,
    pub files: ExternalParquet,
    /// The files whose hashes were compared.
    is_checked: Vec<AtomicBool>,
}

impl AdoptedCache {
    /// Opens the files in `folder` that `index` lists; files that came later are not read.
    pub(super) fn open(folder: &Path, index: AdoptedIndex) -> Result<Self> {
        let paths: Vec<PathBuf> = index.files.iter().map(|entry| folder.join(&entry.file)).collect();
        if let Some(path) = paths.iter().find(|path| !path.exists()) {
            return Err(CacheError::Gone { path: path.clone() }.into());
        }
        let files = ExternalParquet::of_files(folder, paths.clone(), &index.columns())?;
        let is_checked = paths.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(Self { paths, index, files, is_checked })
    }

    pub(super) fn shard_rows(&self) -> Vec<usize> {
        self.files.shards.iter().map(|shard| shard.rows).collect()
    }

    /// Reads a shard; before the first of a file, the file's hash is compared.
    pub(super) fn read(&self, shard: usize) -> Result<Shard> {
        let file = self.files.file_of(shard);
        if !self.is_checked[file].load(Ordering::Relaxed) {
            let path = &self.paths[file];
            let found = files::sha256_file(path).map_err(|error| match error {
                Error::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
                    CacheError::Gone { path: path.clone() }.into()
                }
                error => error,
            })?;
            if found != self.index.files[file].sha256 {
                return Err(CacheError::Changed { path: path.clone() }.into());
            }
            self.is_checked[file].store(true, Ordering::Relaxed);
        }
        self.files.read(shard)
    }
}
