//! Encodes text with a limbeck student: tokenizer, memory-mapped folded file, SIMD.
//!
//! ```text
//! text ──► Tokenizer ──► TokenBatch ──► Student (maps a folded file) ──► Embeddings
//! ```
//!
//! [`Student::load`] opens a file that `limbeck export --format folded` (or [`folded::write()`]) made, and needs
//! nothing else: no Python, no model runtime. A student is `Send + Sync`, so all threads of a program share one; the
//! file is mapped, so several processes share its tables.
//!
//! ```no_run
//! use limbeck_encoder::Student;
//!
//! # fn main() -> Result<(), limbeck_encoder::Error> {
//! let student = Student::load("student.limbeck")?;
//! let vectors = student.encode(&["A man is playing a guitar.", "Someone plays music."])?;
//! let cosine: f32 = vectors.row(0).iter().zip(vectors.row(1)).map(|(a, b)| a * b).sum();
//! println!("{cosine:.3}");
//! # Ok(())
//! # }
//! ```
//!
//! Vectors have length 1, so a dot product is a cosine. `cargo run --release -p limbeck-encoder --example encode --
//! student.limbeck "text"` prints them. Every engine of limbeck is an [`Encoder`]; [`Student`] is the engine of this
//! crate.
//!
//! A student written by hand, opened and used:
//!
//! ```
//! use limbeck_encoder::{Precision, Student, folded::{Parts, write}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("limbeck-doc-{}.folded", std::process::id()));
//! # let tokenizer = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
//! #     "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
//! #     "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "gin": 1, "tonic": 2}, "unk_token": "[UNK]"}}"#;
//! // A static student of four tokens; the last row stands for a text without tokens.
//! let parts = Parts {
//!     vocabulary: 4,
//!     dimension: 2,
//!     skip_table: Some(vec![1.0, 0.0, 0.0, 2.0, 0.0, 1.0, -1.0, 1.0]),
//!     tokenizer: tokenizer.into(),
//!     empty_token: 3,
//!     ..Parts::default()
//! };
//! write(&path, &parts, Precision::Int8)?;
//!
//! let student = Student::load(&path)?;
//! let vectors = student.encode(&["gin tonic", ""])?;
//! assert_eq!(vectors.rows(), 2);
//! assert_eq!(vectors.row(0), [0.0, 1.0]);
//! # std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```

mod batch;
mod embeddings;
mod encode;
mod error;
pub mod files;
pub mod folded;
pub mod lexical;
mod normalise;
mod shorten;
mod tokenizer;
mod words;

pub use batch::TokenBatch;
pub use embeddings::Embeddings;
pub use encode::{EncodeError, Encoder, EncoderInfo, SearchSide, TokenEncoder};
pub use error::{Error, Result};
pub use folded::{Precision, Student};
pub use lexical::LexicalHalf;
pub use normalise::normalise;
pub use shorten::shorten_into;
pub use tokenizer::{KeptSide, Special, TOKENIZER_FILES, Tokenizer, Truncation};
pub use words::WordTokenizer;
