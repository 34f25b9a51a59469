//! The embedding cache: what a teacher says about a text, kept as Parquet.
//!
//! ```text
//! cache/
//!   cache.json             what the vectors depend on; each shard's rows and sha256
//!   shard-00000.parquet    id u64 · text utf8 · embedding FixedSizeList<f16 or f32>[dimension]
//!   shard-00001.parquet    16,384 rows each but the last
//!   tokens.parquet         the teacher's vector of every token, and of the empty text
//!   tokenizer.json
//!   tokens-HASH.parquet    the same of a student's own vocabulary, HASH being its tokenizer's
//! ```
//!
//! [`CacheWriter`] fills such a folder and survives being killed; [`Cache`] reads it, or a Parquet file or folder made
//! elsewhere with a text and a vector column.
//!
//! ```
//! use limbeck_data::cache::{Cache, CacheSpec, CacheWriter, Fingerprint, Precision};
//!
//! # fn main() -> limbeck_data::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let folder = folder.path();
//! let fingerprint = Fingerprint { teacher: "a hash".into(), ..Fingerprint::default() };
//! let spec = CacheSpec::new(2, Precision::F16, fingerprint);
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

mod columns;
mod error;
mod foreign;
mod index;
mod parquet_in;
mod parquet_out;
mod reader;
mod tokens;
mod writer;

pub use columns::Columns;
pub use error::{CacheError, RowProblem};
pub use index::{Fingerprint, Precision};
pub use reader::{Cache, Shard, Slice};
pub use tokens::{
    TOKENIZER_FILE, TOKENS_FILE, TokenVectors, is_tokens_name, read_token_vectors, student_tokens_file,
    write_token_vectors,
};
pub use writer::{CacheSpec, CacheWriter, DoneShards, SHARD_ROWS};

#[cfg(test)]
mod foreign_tests;
#[cfg(test)]
mod writer_tests;
