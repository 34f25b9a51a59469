//! What a cache's files are called, and how its texts are hashed.

use parquet::file::metadata::FileMetaData;
use sha2::{Digest, Sha256};

use crate::files;

/// Rows of a full shard.
pub const SHARD_ROWS: usize = 16_384;
/// The name of the file with the token vectors, beside the shards.
pub const TOKENS_FILE: &str = "tokens.parquet";
/// The key under which the metadata of a Parquet file of `--each` tell, in JSON, what it was made from.
pub const ORIGIN_KEY: &str = "limbeck.origin";
/// The name of the tokenizer's file, beside the shards.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// What a Parquet file's metadata tell under [`ORIGIN_KEY`].
pub fn origin_of(metadata: &FileMetaData) -> Option<&str> {
    let pairs = metadata.key_value_metadata().into_iter().flatten();
    pairs.filter(|pair| pair.key == ORIGIN_KEY).find_map(|pair| pair.value.as_deref())
}

/// The name of the file with the token vectors of a student's tokenizer, whose JSON is `tokenizer`. Each tokenizer has
/// a file of its own, so one cache serves students of several vocabularies.
pub fn student_tokens_file(tokenizer: &[u8]) -> String {
    format!("tokens-{}.parquet", &files::sha256_bytes(tokenizer)[..16])
}

/// Whether [`student_tokens_file`] could have made the name.
pub(super) fn is_student_tokens_name(name: &str) -> bool {
    let hash = name.strip_prefix("tokens-").and_then(|rest| rest.strip_suffix(".parquet"));
    hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a file of this name, in a cache's folder, holds vectors of tokens instead of texts.
pub fn is_tokens_name(name: &str) -> bool {
    name == TOKENS_FILE || is_student_tokens_name(name)
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
    files::hex(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_cut_otherwise_hash_otherwise() {
        let hash = |texts: &[&str]| hash_texts(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(hash(&["ab", "c"]), hash(&["ab", "c"]));
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_ne!(hash(&[]), hash(&[""]));
    }
}
