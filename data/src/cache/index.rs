//! `cache.json`: what a cache was made with and which shards are done.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::CacheError;
use super::tokens::{TOKENIZER_FILE, TOKENS_FILE, is_student_tokens_name};
use crate::files;
use crate::{Error, Result};

const VERSION: u32 = 1;

/// More than anyone has disks for.
const MOST_SHARDS: u64 = 10_000_000;

/// How the vectors of a cache are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Half precision, 2 bytes a number; a unit vector's cosine to the exact one is above 0.999999.
    F16,
    /// Single precision, 4 bytes a number; for readers without half precision, Spark among them.
    F32,
}

impl Precision {
    /// `f16` or `f32`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::F32 => "f32",
        }
    }
}

/// What a cache's vectors depend on. Two caches with one fingerprint hold the same vectors; a cache with another is never
/// written to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// A hash of the teacher's weights.
    pub teacher: String,
    /// A hash of its tokenizer.
    pub tokenizer: String,
    /// A hash of the text and of how it was prepared.
    pub text: String,
    /// The pooler's name.
    pub pooling: String,
    /// What is put before every text.
    pub prefix: String,
    /// How many tokens of a text are read, special ones included.
    pub max_tokens: String,
    /// The precision in which the teacher computes.
    pub precision: String,
}

impl Fingerprint {
    fn fields(&self) -> [(&'static str, &str); 7] {
        [
            ("teacher", &self.teacher),
            ("tokenizer", &self.tokenizer),
            ("text", &self.text),
            ("pooling", &self.pooling),
            ("prefix", &self.prefix),
            ("max_tokens", &self.max_tokens),
            ("precision", &self.precision),
        ]
    }
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
    /// Of the file's bytes.
    pub sha256: String,
    /// Of the texts, see [`hash_texts`].
    pub texts: String,
}

/// The contents of `cache.json`, or of `cache-I-of-N.json` for a part of a cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    pub version: u32,
    pub dimension: usize,
    /// How the vectors are stored.
    pub storage: Precision,
    pub shard_rows: usize,
    /// `[I, N]`: only shards k with k % N == I are listed here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<(u32, u32)>,
    pub fingerprint: Fingerprint,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<FileEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<FileEntry>,
    /// The token vectors of students' vocabularies, in the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub student_tokens: Vec<FileEntry>,
    pub shards: Vec<ShardEntry>,
    /// Rows of the whole cache, all parts together; once this part is complete.
    pub rows: Option<u64>,
}

impl Index {
    pub fn new(
        dimension: usize,
        storage: Precision,
        shard_rows: usize,
        part: Option<(u32, u32)>,
        fingerprint: Fingerprint,
    ) -> Self {
        Self {
            version: VERSION,
            dimension,
            storage,
            shard_rows,
            part,
            fingerprint,
            tokenizer: None,
            tokens: None,
            student_tokens: Vec::new(),
            shards: Vec::new(),
            rows: None,
        }
    }

    pub fn file_name(&self) -> String {
        match self.part {
            Some((i, n)) => format!("cache-{i}-of-{n}.json"),
            None => "cache.json".into(),
        }
    }

    /// Whether shard `shard` is this index's to list.
    pub fn owns(&self, shard: usize) -> bool {
        owns(self.part, shard)
    }

    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(self.file_name());
        let mut json =
            serde_json::to_vec_pretty(self).map_err(|source| CacheError::Index { path: path.clone(), source })?;
        json.push(b'\n');
        files::write_bytes(&path, &json)
    }

    pub fn load(path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let json = fs::read(path).map_err(Error::io("read", path))?;
        let no_index = |source| CacheError::Index { path: path.to_owned(), source };
        let Versioned { version } = serde_json::from_slice(&json).map_err(no_index)?;
        if version != VERSION {
            return Err(CacheError::Version { path: path.to_owned(), found: version, expected: VERSION }.into());
        }
        let index: Self = serde_json::from_slice(&json).map_err(no_index)?;
        index.check().map_err(|problem| no_index(serde::de::Error::custom(problem)))?;
        Ok(index)
    }

    /// What no writer would have written: an index from somewhere else must not name files outside its folder, nor make
    /// a reader divide by nothing.
    fn check(&self) -> std::result::Result<(), String> {
        if self.dimension == 0 || self.shard_rows == 0 || self.part.is_some_and(|(i, n)| i >= n) {
            return Err("its dimension, shard_rows or part can't be".into());
        }
        let most = MOST_SHARDS * self.shard_rows as u64;
        if self.rows.is_some_and(|rows| rows > most) {
            return Err(format!("it has more than {MOST_SHARDS} shards"));
        }
        for entry in &self.shards {
            let fits = (1..=self.shard_rows).contains(&entry.rows) && (entry.shard as u64) < MOST_SHARDS;
            if !fits || entry.file != shard_name(entry.shard) || !self.owns(entry.shard) {
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

    /// An error that names the first setting in which `self`, read from `path`, differs from `wanted`.
    pub fn check_against(&self, wanted: &Self, path: &Path) -> Result<()> {
        let texts = |index: &Self| {
            [
                ("dimension", index.dimension.to_string()),
                ("storage", index.storage.name().to_owned()),
                ("shard_rows", index.shard_rows.to_string()),
            ]
        };
        let fields = |index: &Self| -> Vec<(&'static str, String)> {
            let of_fingerprint = index.fingerprint.fields().map(|(name, value)| (name, value.to_owned()));
            of_fingerprint.into_iter().chain(texts(index)).collect()
        };
        for ((field, found), (_, expected)) in fields(self).into_iter().zip(fields(wanted)) {
            if found != expected {
                return Err(CacheError::Mismatch { path: path.to_owned(), field, found, expected }.into());
            }
        }
        Ok(())
    }
}

/// Whether shard `shard` belongs to the part.
pub(super) fn owns(part: Option<(u32, u32)>, shard: usize) -> bool {
    part.is_none_or(|(i, n)| shard % n as usize == i as usize)
}

/// All indexes in `folder`, by name; none where there is no such folder.
pub(super) fn indexes(folder: &Path) -> Result<BTreeMap<PathBuf, Index>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
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

/// `shard-00042.parquet`.
pub(super) fn shard_name(shard: usize) -> String {
    format!("shard-{shard:05}.parquet")
}

/// The sha256 of texts, each preceded by its length in bytes (8 bytes, little endian).
pub(super) fn hash_texts(texts: &[String]) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
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

    #[test]
    fn texts_that_are_cut_otherwise_hash_otherwise() {
        let hash = |texts: &[&str]| hash_texts(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(hash(&["ab", "c"]), hash(&["ab", "c"]));
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_ne!(hash(&[]), hash(&[""]));
    }
}
