//! What a stage is made from, as one hash; and what tells files from changed ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use limbeck_data::assets::Uri;
use limbeck_data::files::sha256_file;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::stage_id::StageId;
use crate::error::Result;
use crate::recipe::CacheOrigin;

/// Raised whenever the meaning of a stage's files changes, so that files of an older program are made again.
const FORMAT: u32 = 1;

/// What a stage's result depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageInputs {
    /// The hash of the other fields.
    pub fingerprint: String,
    /// The settings and files that the stage reads.
    pub settings: Value,
    /// The stages that it reads, by name, each with the hash of its content or its fingerprint.
    pub reads: BTreeMap<String, String>,
}

impl StageInputs {
    /// The inputs of `stage`.
    pub fn new(stage: StageId, settings: Value, reads: BTreeMap<String, String>) -> Self {
        let whole = json!([FORMAT, stage.name(), settings, reads]);
        let fingerprint = blake3::hash(whole.to_string().as_bytes()).to_hex().to_string();
        Self { fingerprint, settings, reads }
    }

    /// The first difference to `before`, in words; `None` where both have the same fingerprint.
    pub fn change_since(&self, before: &Self) -> Option<String> {
        if self.fingerprint == before.fingerprint {
            return None;
        }
        if let Some(key) = difference(&before.settings, &self.settings, String::new()) {
            return Some(format!("{key} changed"));
        }
        let changed = self.reads.iter().find(|(name, hash)| before.reads.get(*name) != Some(hash));
        Some(changed.map_or("made by another version".into(), |(name, _)| format!("{name} changed")))
    }
}

/// The first key at which two settings differ.
fn difference(old: &Value, new: &Value, key: String) -> Option<String> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return Some(key) };
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.dedup();
    names.into_iter().find_map(|name| {
        let below = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        difference(old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null), below)
    })
}

/// What tells the asset of `uri` from a changed one: see [`stamp_path`]; the URI of a fetched one names its content.
pub(crate) fn stamp(uri: &Uri) -> Value {
    match uri {
        Uri::Path(path) => stamp_path(path),
        other => json!(other.to_string()),
    }
}

/// What tells a cache made elsewhere from a changed one; a teacher's cache is told by the stages that make it.
pub(crate) fn stamp_cache(origin: &CacheOrigin) -> Option<Value> {
    match origin {
        CacheOrigin::Elsewhere { path, .. } => Some(stamp_path(path)),
        CacheOrigin::Teacher(_) | CacheOrigin::Api => None,
    }
}

/// What tells a file or folder of this machine from a changed one: paths, sizes in bytes, times of change in
/// nanoseconds.
pub(crate) fn stamp_path(path: &Path) -> Value {
    let mut entries = Vec::new();
    collect_stamps(path, &mut entries);
    entries.sort();
    json!(entries)
}

/// What tells small files from changed ones: their paths and the hashes of their contents.
pub(crate) fn stamp_contents(paths: &[PathBuf]) -> Vec<Value> {
    paths.iter().map(|path| json!([path, sha256_file(path).unwrap_or_default()])).collect()
}

fn collect_stamps(path: &Path, entries: &mut Vec<(String, u64, u64)>) {
    let Ok(metadata) = std::fs::metadata(path) else { return };
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            collect_stamps(&entry.path(), entries);
        }
        return;
    }
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let changed = changed.map_or(0, |time| time.as_nanos() as u64);
    entries.push((path.display().to_string(), metadata.len(), changed));
}

/// The hash of several files' contents.
pub(crate) fn hash_files(paths: &[PathBuf]) -> Result<String> {
    let mut hash = blake3::Hasher::new();
    for path in paths {
        let read = std::fs::File::open(path).and_then(|mut file| {
            hash.update(&file.metadata()?.len().to_le_bytes());
            std::io::copy(&mut file, &mut hash)
        });
        read.map_err(limbeck_data::Error::io("read", path))?;
    }
    Ok(hash.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named_by_its_key() {
        let (old, new) = (json!({"a": 1, "b": {"c": [1], "d": 2}}), json!({"a": 1, "b": {"c": [2], "d": 3}}));
        assert_eq!(difference(&old, &new, String::new()), Some("b.c".into()));
    }

    #[test]
    fn equal_settings_have_no_difference() {
        let settings = json!({"a": 1, "b": {"c": [1], "d": 2}});
        assert_eq!(difference(&settings, &settings, String::new()), None);
    }

    #[test]
    fn a_key_that_only_one_side_has_is_a_difference() {
        assert_eq!(difference(&json!({}), &json!({"x": 1}), String::new()), Some("x".into()));
    }
}
