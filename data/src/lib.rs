//! Text, assets and the embedding cache: everything that limbeck reads from files and the network, but models.
//!
//! ```text
//! Uri (hf:…, pypi:…, a path) ──► assets::AssetStore ──► a file or folder, fetched once
//!                                                        │
//!    ┌────────────────────┬──────────────────────────────┤
//!    ▼                    ▼                              ▼
//! sts::GradedPairs        examples::Examples  text::prepare ──► train.parquet, held-out.parquet
//! labelled::LabelledSet   (to train)                     │ text::PreparedText, in batches
//! collection::Collection                                 │
//! (to measure)                                           │
//!                                                        ▼
//!                          a teacher (another crate) ──► cache::CacheWriter ──► shards of texts and vectors
//!                                                                                  │
//!                                   external Parquet with text and vectors ──► cache::Cache ──► training
//! ```
//!
//! [`files`] writes every file whole or not at all and locks folders. Long work takes a [`Monitor`], which shows its
//! progress and can stop it. Every failure is an [`Error`], which names the file and says what the user could do next.
//!
//! From lines of text to a cache of their vectors, here with a number a text in place of a teacher:
//!
//! ```
//! use limbeck_data::cache::{Cache, CacheSpec, CacheWriter, Fingerprint, SHARD_ROWS};
//! use limbeck_data::text::{self, PreparedText, TextPlan, TextSource};
//! use limbeck_data::{Monitor, VectorType};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let lines = folder.path().join("lines.txt");
//! std::fs::write(&lines, "A man plays.\nIt rained.\nA man plays.\n")?;
//!
//! let plan = TextPlan { sources: vec![TextSource::new(&lines)], hold_out: 0.0, ..TextPlan::default() };
//! let summary = text::prepare(&plan, folder.path(), Monitor::silent())?;
//! assert_eq!((summary.train, summary.duplicate), (2, 1));
//!
//! let prepared = PreparedText::open(&folder.path().join(text::TRAIN_FILE))?;
//! let fingerprint = Fingerprint { text: prepared.sha256()?, ..Fingerprint::default() };
//! let cache = folder.path().join("cache");
//! let mut writer = CacheWriter::open(&cache, CacheSpec::new(1, VectorType::F16, fingerprint))?;
//! for (shard, batch) in prepared.batches(SHARD_ROWS)?.enumerate() {
//!     let texts = batch?.texts;
//!     let vectors: Vec<f32> = texts.iter().map(|text| text.len() as f32).collect();
//!     writer.write(shard, &texts, &vectors)?;
//! }
//! writer.finish(summary.train)?;
//!
//! let shard = Cache::open(&cache)?.read(0)?;
//! assert_eq!(shard.texts, ["A man plays.", "It rained."]);
//! assert_eq!(shard.embeddings, [12.0, 10.0]);
//! # Ok(())
//! # }
//! ```

pub mod assets;
pub mod cache;
mod codec;
pub mod collection;
pub mod error;
mod example_columns;
pub mod examples;
pub mod files;
pub mod interrupt;
pub mod labelled;
pub mod monitor;
mod parquet_file;
pub mod progress;
pub mod sts;
pub mod text;
mod vector_type;

pub use error::{Error, Result};
pub use interrupt::{Interrupt, Interrupted, is_interrupted};
pub use monitor::Monitor;
pub use vector_type::VectorType;
