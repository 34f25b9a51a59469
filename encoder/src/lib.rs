//! What a user of a limbeck student needs and no more: tokenizing, the folded file, SIMD.
//!
//! ```text
//! text ──► Tokenizer ──► TokenBatch ──► Student (a folded file, mapped) ──► Embeddings
//! ```
//!
//! Every engine of limbeck, fast or slow, is an [`Encoder`]: texts in, a unit vector each out. The one here is [`Student`]. It opens
//! a file that [`folded::write()`] or `limbeck export --format folded` made, and needs nothing else.
//!
//! ```
//! use limbeck_encoder::{Precision, Student, folded::{Parts, write}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("limbeck-doc-{}.folded", std::process::id()));
//! # let tokenizer = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
//! #     "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
//! #     "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "gin": 1, "tonic": 2}, "unk_token": "[UNK]"}}"#;
//! // A static student of four tokens; the last stands for a text without any.
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
//! let student = Student::open(&path)?;
//! let vectors = student.encode(&["gin tonic", ""])?;
//! assert_eq!(vectors.rows(), 2);
//! assert_eq!(vectors.row(0), [0.0, 1.0]);
//! # std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```

mod batch;
mod encode;
mod error;
pub mod folded;
mod tokenizer;

pub use batch::TokenBatch;
pub use encode::{Embeddings, EncodeError, Encoder, EncoderInfo};
pub use error::{Error, Result};
pub use folded::{Precision, Student};
pub use tokenizer::{Special, Tokenizer};
