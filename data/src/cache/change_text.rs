//! [`change_text`]: a cache of one text becomes the beginning of a cache of another.

use std::collections::HashMap;
use std::path::Path;

use super::error::CacheError;
use super::format::hash_texts;
use super::former::{former_path, read_texts};
use super::index::{Index, ShardEntry, indexes, lock};
use super::writer::CacheSpec;
use crate::text::{HashSet64, hash};
use crate::{Monitor, Result};

/// What becomes of vectors whose texts are not in the new text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoneTexts {
    /// They are dropped once the new cache is complete.
    Drop,
    /// They are an error, and the cache stays as it is.
    Refuse,
}

/// Makes the cache in `folder` one of `texts`, where it was made as `spec` says but of another text; returns whether it
/// was. The texts may come in chunks of any size.
///
/// A shard that holds the same texts as before stays in its place. The other shards become former ones: a
/// [`CacheWriter`](super::CacheWriter) looks up their vectors by text, and only texts that have none are new. What is
/// kept depends on both texts alone, so that a writer that was killed ends in the same bytes.
///
/// A cache of parts stays as it is, and the writer refuses its text.
///
/// # Errors
/// A text or the index can't be read; another process is writing; texts of the cache are gone and `gone` refuses that.
pub fn change_text(
    folder: &Path,
    spec: &CacheSpec,
    texts: impl IntoIterator<Item = Result<Vec<String>>>,
    gone: GoneTexts,
    monitor: Monitor,
) -> Result<bool> {
    let wanted = spec.clone().index();
    let path = folder.join(wanted.file_name());
    if spec.part.is_some() || !path.is_file() {
        return Ok(false);
    }
    let _lock = lock(folder, &wanted)?;
    let mut found = indexes(folder)?;
    let (Some(old), true) = (found.remove(&path), found.is_empty()) else { return Ok(false) };
    if !differs_in_text_alone(&old, &wanted, &path) || old.shards.is_empty() && old.former.is_empty() {
        return Ok(false);
    }
    let mut former: HashMap<(usize, String), ShardEntry> = HashMap::new();
    for entry in old.shards.iter().chain(&old.former) {
        former.entry((entry.shard, entry.texts.clone())).or_insert_with(|| entry.clone());
    }
    let (mut kept, mut new) = (Vec::new(), HashSet64::default());
    let mut texts = texts.into_iter().flat_map(|chunk| {
        let (texts, error) = chunk.map_or_else(|error| (Vec::new(), Some(error)), |texts| (texts, None));
        texts.into_iter().map(Ok).chain(error.map(Err))
    });
    for shard in 0.. {
        monitor.check()?;
        let texts = texts.by_ref().take(spec.shard_rows).collect::<Result<Vec<String>>>()?;
        if texts.is_empty() {
            break;
        }
        match former.remove(&(shard, hash_texts(&texts))) {
            Some(entry) => kept.push(entry),
            None if gone == GoneTexts::Refuse => new.extend(texts.iter().map(|text| hash(text))),
            None => {}
        }
    }
    let mut former: Vec<ShardEntry> = former.into_values().collect();
    former.sort_by(|a, b| (a.shard, &a.sha256).cmp(&(b.shard, &b.sha256)));
    if gone == GoneTexts::Refuse && has_other_texts(folder, &former, &new) {
        let (found, expected) = (old.fingerprint.text, wanted.fingerprint.text);
        return Err(CacheError::Mismatch { path, field: "text", found, expected }.into());
    }
    let index = Index { fingerprint: wanted.fingerprint, shards: kept, former, rows: None, ..old };
    index.save(folder)?;
    Ok(true)
}

/// Whether the caches differ in their texts and in nothing else.
fn differs_in_text_alone(old: &Index, wanted: &Index, path: &Path) -> bool {
    let mut same_text = old.clone();
    same_text.fingerprint.text.clone_from(&wanted.fingerprint.text);
    old.fingerprint.text != wanted.fingerprint.text && same_text.check_against(wanted, path).is_ok()
}

/// Whether a shard holds a text that is not in `new`. A shard that can't be read is lost in any case.
fn has_other_texts(folder: &Path, shards: &[ShardEntry], new: &HashSet64) -> bool {
    let texts = |entry: &ShardEntry| read_texts(&former_path(folder, entry)).unwrap_or_default();
    shards.iter().any(|entry| texts(entry).iter().any(|text| !new.contains(&hash(text))))
}
