//! The embedding cache: a teacher's vectors of a text, stored as Parquet.
//!
//! ```text
//! cache/
//!   cache.json             what the vectors depend on; each shard's rows and sha256
//!   shard-00000.parquet    id u64 · text utf8 · embedding FixedSizeList<f16 or f32>[dimension]
//!   shard-00001.parquet    16,384 rows each but the last
//!   tokens.parquet         the teacher's vector of every token, and of the empty text
//!   tokenizer.json
//!   tokens-HASH.parquet    as tokens.parquet for a student's own vocabulary; HASH is of its tokenizer
//! ```
//!
//! [`CacheWriter`] fills such a folder and survives being killed. [`Cache`] reads the folder, or any external Parquet
//! file or folder with a text and a vector column; [`adopt`] hashes such a folder into an index. [`change_text`] lets a
//! cache of one text serve another one of the same teacher: while a writer fills it anew, the vectors of the former
//! text lie beside the shards as `former-HASH.parquet`.
//!
//! ```
//! use limbeck_data::VectorType;
//! use limbeck_data::cache::{Cache, CacheSpec, CacheWriter, Fingerprint};
//!
//! # fn main() -> limbeck_data::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let folder = folder.path();
//! let fingerprint = Fingerprint { teacher: "a hash".into(), ..Fingerprint::default() };
//! let spec = CacheSpec::new(2, VectorType::F16, fingerprint);
//! let mut writer = CacheWriter::open(folder, spec)?;
//! let texts = ["one".to_owned(), "two".to_owned()];
//! if !writer.is_done(0, &texts) {
//!     writer.write(0, &texts, &[1.0, 0.0, 0.0, 1.0])?;
//! }
//! writer.finish(2)?;
//!
//! let cache = Cache::open(folder)?;
//! assert!(cache.complete());
//! assert_eq!(cache.read(0)?.embeddings, [1.0, 0.0, 0.0, 1.0]);
//! # Ok(())
//! # }
//! ```

mod adopt;
mod adopted_index;
mod change_text;
mod columns;
mod error;
mod external;
mod format;
mod former;
mod index;
mod native;
mod parquet_in;
mod parquet_out;
mod reader;
mod shard;
mod token_vectors;
mod writer;

pub use adopt::{AdoptedSummary, adopt};
pub use change_text::{GoneTexts, change_text};
pub use columns::Columns;
pub use error::{CacheError, RowProblem};
pub use format::{ORIGIN_KEY, SHARD_ROWS, TOKENIZER_FILE, TOKENS_FILE, is_tokens_name, origin_of, student_tokens_file};
pub use former::{FormerVectors, KnownVectors};
pub use index::Fingerprint;
pub use reader::Cache;
pub use shard::{Shard, Slice};
pub use token_vectors::{TokenVectors, read_token_vectors};
pub use writer::{CacheSpec, CacheWriter, DoneShards};

#[cfg(test)]
mod adopt_tests;
#[cfg(test)]
mod change_text_tests;
#[cfg(test)]
mod external_tests;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod writer_tests;
