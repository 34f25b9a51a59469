//! `cache.json`: the settings of a cache and its finished shards.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::CacheError;
use super::format::{TOKENIZER_FILE, TOKENS_FILE, is_student_tokens_name, shard_name};
use crate::files::{self, FolderLock};
use crate::{Error, Result, VectorType};

/// The version of the format that this program writes and reads.
pub(super) const VERSION: u32 = 1;

/// More shards than any disk holds.
const MOST_SHARDS: u64 = 10_000_000;

/// What a cache's vectors depend on. Two caches with equal fingerprints hold the same vectors. A writer refuses a
/// folder whose cache has another fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// A hash of the teacher's weights.
    pub teacher: String,
    /// A hash of the teacher's tokenizer.
    pub tokenizer: String,
    /// A hash of the prepared text.
    pub text: String,
    /// The pooler's name.
    pub pooling: String,
    /// The prefix of every text.
    pub prefix: String,
    /// How many tokens of a text the teacher reads, special tokens included.
    pub max_tokens: String,
    /// The precision in which the teacher computes.
    pub precision: String,
}

/// A file beside the shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileEntry {
    pub file: String,
    pub sha256: String,
}

/// A finished shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardEntry {
    pub shard: usize,
    pub file: String,
    pub rows: usize,
    /// The sha256 of the file.
    pub sha256: String,
    /// The sha256 of the texts, see [`hash_texts`](super::format::hash_texts).
    pub texts: String,
}

/// The contents of `cache.json`, or of `cache-I-of-N.json` for a part of a cache.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    pub version: u32,
    pub dimension: usize,
    /// The number type of the stored vectors.
    #[serde(deserialize_with = "VectorType::deserialize_for_cache")]
    pub storage: VectorType,
    pub shard_rows: usize,
    /// `[I, N]`: this index lists only shards k with k % N == I.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<(u32, u32)>,
    /// Whether this part has a text of its own, see [`CacheSpec::own_text`](super::CacheSpec::own_text).
    #[serde(default, skip_serializing_if = "is_false")]
    pub own_text: bool,
    pub fingerprint: Fingerprint,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<FileEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<FileEntry>,
    /// The token vectors of students' vocabularies, sorted by file name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub student_tokens: Vec<FileEntry>,
    pub shards: Vec<ShardEntry>,
    /// Shards of the text that the cache held before, until a writer has finished: their vectors are looked up. Each
    /// lies under its own name or as [`former_name`](super::former::former_name) says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<ShardEntry>,
    /// Rows of the whole cache, all parts together, or of this part's own text; set once this part is complete.
    pub rows: Option<u64>,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Index {
    /// The part, where it has a text of its own.
    pub(super) fn own_part(&self) -> Option<(u32, u32)> {
        self.part.filter(|_| self.own_text)
    }

    /// The numbers of the shards of `rows` rows: those that this index lists or, without a text of its own, those of
    /// the whole cache.
    pub(super) fn shards_of(&self, rows: u64) -> impl DoubleEndedIterator<Item = usize> + Clone + use<> {
        let own_part = self.own_part();
        let shards = rows.div_ceil(self.shard_rows.max(1) as u64) as usize;
        (0..shards).map(move |place| shard_number(own_part, place))
    }

    pub(super) fn file_name(&self) -> String {
        match self.part {
            Some((i, n)) => format!("cache-{i}-of-{n}.json"),
            None => "cache.json".into(),
        }
    }

    pub(super) fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(self.file_name());
        let mut json =
            serde_json::to_vec_pretty(self).map_err(|source| CacheError::Index { path: path.clone(), source })?;
        json.push(b'\n');
        files::write_bytes(&path, &json)
    }

    pub(super) fn load(path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
            #[serde(default)]
            adopted: bool,
        }
        let json = fs::read(path).map_err(Error::io("read", path))?;
        let no_index = |source| CacheError::Index { path: path.to_owned(), source };
        let Versioned { version, adopted } = serde_json::from_slice(&json).map_err(no_index)?;
        if version != VERSION {
            return Err(CacheError::Version { path: path.to_owned(), found: version, expected: VERSION }.into());
        }
        if adopted {
            return Err(CacheError::Adopted { path: path.to_owned() }.into());
        }
        let index: Self = serde_json::from_slice(&json).map_err(no_index)?;
        index.check().map_err(|problem| no_index(serde::de::Error::custom(problem)))?;
        Ok(index)
    }

    /// Refuses an index that no writer writes. One from elsewhere must not name files outside its folder or make a
    /// reader divide by zero.
    fn check(&self) -> std::result::Result<(), String> {
        let is_alone = self.own_text && self.part.is_none();
        if self.dimension == 0 || self.shard_rows == 0 || self.part.is_some_and(|(i, n)| i >= n) || is_alone {
            return Err("its dimension, shard_rows or part can't be".into());
        }
        let most = MOST_SHARDS * self.shard_rows as u64;
        if self.rows.is_some_and(|rows| rows > most) {
            return Err(format!("it has more than {MOST_SHARDS} shards"));
        }
        let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(entry) = self.former.iter().find(|entry| !is_hash(&entry.sha256)) {
            return Err(format!("its entry of the former shard {} can't be", entry.shard));
        }
        for entry in self.shards.iter().chain(&self.former) {
            let fits = (1..=self.shard_rows).contains(&entry.rows) && (entry.shard as u64) < MOST_SHARDS;
            if !fits || entry.file != shard_name(entry.shard) || !owns(self.part, entry.shard) {
                return Err(format!("its entry of shard {} can't be", entry.shard));
            }
        }
        if let Some(entry) = self.student_tokens.iter().find(|entry| !is_student_tokens_name(&entry.file)) {
            return Err(format!("its entry of token vectors {:?} can't be", entry.file));
        }
        let named = |entry: &Option<FileEntry>, name| entry.as_ref().is_none_or(|entry| entry.file == name);
        match named(&self.tokens, TOKENS_FILE) && named(&self.tokenizer, TOKENIZER_FILE) {
            true => Ok(()),
            false => Err(format!("it names other files than {TOKENS_FILE} and {TOKENIZER_FILE}")),
        }
    }

    /// Refuses an index, read from `path`, with other settings than `wanted`. The error names the first setting that
    /// differs.
    pub(super) fn check_against(&self, wanted: &Self, path: &Path) -> Result<()> {
        let differs = |(found, expected): &((_, String), (_, String))| found.1 != expected.1;
        match self.settings().into_iter().zip(wanted.settings()).find(differs) {
            Some(((field, found), (_, expected))) => {
                Err(CacheError::Mismatch { path: path.to_owned(), field, found, expected }.into())
            }
            None => Ok(()),
        }
    }

    /// What indexes of one cache share, by name.
    fn settings(&self) -> [(&'static str, String); 11] {
        let fingerprint = self.fingerprint.clone();
        [
            ("teacher", fingerprint.teacher),
            ("tokenizer", fingerprint.tokenizer),
            ("text", fingerprint.text),
            ("pooling", fingerprint.pooling),
            ("prefix", fingerprint.prefix),
            ("max_tokens", fingerprint.max_tokens),
            ("precision", fingerprint.precision),
            ("dimension", self.dimension.to_string()),
            ("storage", self.storage.to_string()),
            ("shard_rows", self.shard_rows.to_string()),
            // Parts of one text and parts with texts of their own number their shards otherwise.
            ("parts", self.own_part().map_or_else(String::new, |(_, n)| format!("{n} of files"))),
        ]
    }
}

/// Keeps other processes from writing the part of the cache in `folder` that `index` lists.
pub(super) fn lock(folder: &Path, index: &Index) -> Result<FolderLock> {
    files::lock_part(folder, &index.file_name()).map_err(|error| match error {
        Error::Busy { path } => CacheError::Locked { path }.into(),
        error => error,
    })
}

/// What is wrong with the file at `path`, whose sha256 should be `sha256`, in words.
pub(super) fn damage(path: &Path, sha256: &str) -> Result<Option<&'static str>> {
    match files::sha256_file(path) {
        Ok(found) if found == sha256 => Ok(None),
        Ok(_) => Ok(Some("does not have the sha256 in the index")),
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(Some("is gone")),
        Err(error) => Err(error),
    }
}

/// The number of the `place`-th shard of a text; `own_part` is the part whose own text it is.
pub(super) fn shard_number(own_part: Option<(u32, u32)>, place: usize) -> usize {
    own_part.map_or(place, |(i, n)| place * n as usize + i as usize)
}

/// Whether shard `shard` belongs to the part.
pub(super) fn owns(part: Option<(u32, u32)>, shard: usize) -> bool {
    part.is_none_or(|(i, n)| shard % n as usize == i as usize)
}

/// All indexes in `folder`, by path. A missing folder has none.
pub(super) fn indexes(folder: &Path) -> Result<BTreeMap<PathBuf, Index>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(Error::io("list", folder)(error)),
    };
    let mut found = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(Error::io("list", folder))?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(is_index_name) {
            let index = Index::load(&path)?;
            found.insert(path, index);
        }
    }
    Ok(found)
}

fn is_index_name(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let part = |name: &str| {
        let (i, n) = name.strip_prefix("cache-")?.strip_suffix(".json")?.split_once("-of-")?;
        Some(number(i) && number(n))
    };
    name == "cache.json" || part(name).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_indexes_are_indexes() {
        for name in ["cache.json", "cache-0-of-2.json", "cache-11-of-12.json"] {
            assert!(is_index_name(name), "{name}");
        }
        for name in ["cache-.json", "cache--of-.json", "cache-a-of-2.json", "tokenizer.json", "cache-0-of-2.json.tmp"] {
            assert!(!is_index_name(name), "{name}");
        }
    }
}
