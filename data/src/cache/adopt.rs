//! [`adopt`]: a folder of Parquet that another program wrote becomes a checked cache.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::adopted_index::{AdoptedFile, AdoptedIndex, FILE};
use super::columns::Columns;
use super::error::CacheError;
use super::external::{ExternalParquet, parquet_files};
use super::format::origin_of;
use super::index::{Fingerprint, VERSION};
use super::parquet_in;
use crate::files::{self, lock_part, remove_leftovers};
use crate::text::{HashSet64, hash};
use crate::{Monitor, Result};

/// What a folder holds that was adopted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AdoptedSummary {
    /// All files.
    pub files: usize,
    /// Files that no index listed before.
    pub new: usize,
    /// Files whose bytes have changed since they were listed.
    pub changed: usize,
    /// Files that were listed and are gone.
    pub gone: usize,
    /// Rows of all files.
    pub rows: u64,
    /// Rows whose text stands in a row before.
    pub duplicates: u64,
}

/// Reads and hashes all Parquet files in `folder`, and lists them in its `cache.json`. Given again, it takes up what
/// has come, changed or gone. Memory holds a shard and 8 bytes a distinct text.
///
/// # Errors
/// The folder holds a cache of limbeck or no Parquet; a file or row can't be used, which the error names; another
/// process is adopting it.
pub fn adopt(folder: &Path, columns: &Columns, monitor: Monitor) -> Result<AdoptedSummary> {
    let path = folder.join(FILE);
    let before = AdoptedIndex::load(folder)?;
    if before.is_none() && path.exists() {
        return Err(CacheError::NotForeign { path }.into());
    }
    let paths = parquet_files(folder)?;
    let _lock = lock_part(folder, FILE)?;
    remove_leftovers(folder)?;
    let external = ExternalParquet::of_files(folder, paths.clone(), columns)?;
    let mut summary = AdoptedSummary { files: paths.len(), ..AdoptedSummary::default() };
    let mut met = HashSet64::default();
    let total = external.shards.iter().map(|shard| shard.rows as u64).sum();
    let bar = monitor.stage("adopt", Some(total), "rows");
    for shard in 0..external.shards.len() {
        monitor.check()?;
        let texts = external.read(shard)?.texts;
        summary.rows += texts.len() as u64;
        summary.duplicates += texts.iter().filter(|text| !met.insert(hash(text))).count() as u64;
        bar.add(texts.len() as u64);
    }
    let mut listed: HashMap<String, String> =
        before.into_iter().flat_map(|index| index.files).map(|entry| (entry.file, entry.sha256)).collect();
    let mut entries = Vec::with_capacity(paths.len());
    for path in &paths {
        monitor.check()?;
        let names = path.strip_prefix(folder).unwrap_or(path).components();
        let names: Vec<_> = names.map(|name| name.as_os_str().to_string_lossy()).collect();
        let (file, sha256) = (names.join("/"), files::sha256_file(path)?);
        match listed.remove(&file) {
            None => summary.new += 1,
            Some(before) => summary.changed += usize::from(before != sha256),
        }
        entries.push(AdoptedFile { file, sha256 });
    }
    summary.gone = listed.len();
    let hashes: String = entries.iter().map(|entry| entry.sha256.as_str()).collect();
    let index = AdoptedIndex {
        version: VERSION,
        adopted: true,
        dimension: external.dimension,
        text_column: columns.text.clone(),
        vector_column: columns.vector.clone(),
        fingerprint: common_fingerprint(&paths, files::sha256_bytes(hashes.as_bytes()))?,
        rows: summary.rows,
        files: entries,
    };
    let mut json =
        serde_json::to_vec_pretty(&index).map_err(|source| CacheError::Index { path: path.clone(), source })?;
    json.push(b'\n');
    files::write_bytes(&path, &json)?;
    Ok(summary)
}

/// What the vectors depend on, where all files are of `limbeck embed --each` with one teacher; `text` is a hash of the
/// files.
fn common_fingerprint(paths: &[PathBuf], text: String) -> Result<Option<Fingerprint>> {
    #[derive(Deserialize)]
    struct Origin {
        settings: Settings,
    }
    #[derive(Deserialize)]
    struct Settings {
        teacher: Fingerprint,
    }
    let mut common: Option<Fingerprint> = None;
    for path in paths {
        let (_, metadata) = parquet_in::open(path)?;
        let origin = origin_of(metadata.metadata().file_metadata());
        let Some(Origin { settings }) = origin.and_then(|origin| serde_json::from_str(origin).ok()) else {
            return Ok(None);
        };
        if common.as_ref().is_some_and(|common| *common != settings.teacher) {
            return Ok(None);
        }
        common = Some(settings.teacher);
    }
    Ok(common.map(|fingerprint| Fingerprint { text, ..fingerprint }))
}
