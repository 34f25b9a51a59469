//! The student: a TextCNN in candle, its trainings, its folded form, and its exports.
//!
//! ```text
//! embedding cache ──► join         several teachers' caches as one
//!        │
//!        ├──► vocabulary           a tokenizer of the student's own
//!        ├──► start                a static model that the training improves
//!        ▼
//! distil, contrast, am_softmax ──► model::TextCnn ──► folder::StudentFolder (config, weights, tokenizer)
//!                                      │                  ├──► fold     one file for limbeck_encoder::Student
//!                                graph: pooling           └──► export   ONNX, sentence-transformers
//!                                on CPU or GPU
//! ```
//!
//! [`lexical`] fits the lexical half that may stand beside a student's vectors.
//!
//! The student never sees the teacher: all that it learns from is the embedding cache. [`static_folder`] reads static
//! models of other libraries and folds them too.
//!
//! A student without training, folded. Both forms give the same vectors:
//!
//! ```
//! use candle_core::{DType, Device};
//! use limbeck_encoder::{Encoder, Precision, Student, Tokenizer};
//! use limbeck_student::config::{ARCHITECTURE, ConvolutionConfig, StudentConfig};
//! use limbeck_student::dense::DenseParameters;
//! use limbeck_student::encoder::CandleStudent;
//! use limbeck_student::{fold::write_folded, folder::StudentFolder, model::TextCnn};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let path = std::env::temp_dir().join(format!("limbeck-student-doc-{}.folded", std::process::id()));
//! # let json = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
//! #     "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
//! #     "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "gin": 1, "tonic": 2}, "unk_token": "[UNK]"}}"#;
//! let tokenizer = Tokenizer::from_bytes(json.as_bytes(), "tokenizer.json".as_ref())?;
//! let config = StudentConfig {
//!     architecture: ARCHITECTURE.into(),
//!     vocabulary: tokenizer.vocabulary() + 1, // the last row is for a text without tokens
//!     embedding: 4,
//!     dimension: 8,
//!     convolutions: vec![ConvolutionConfig { width: 3, filters: 6 }],
//!     attention: None,
//!     skip: true,
//!     max_tokens: None,
//! };
//! let table: Vec<f32> = (0..config.vocabulary * config.embedding).map(|i| (i as f32).sin()).collect();
//! let dense = DenseParameters::random(&config, 1, DType::F32, &Device::Cpu)?;
//! let model = TextCnn::new(config, table, dense, Device::Cpu)?;
//! let origin = serde_json::json!({"start": "random"});
//! let student = StudentFolder { model, tokenizer, lexical: None, origin };
//!
//! write_folded(&student, Precision::F32, &path)?;
//! let folded = Student::load(&path)?.encode(&["gin tonic", ""])?;
//! let vectors = CandleStudent::new(student).encode(&["gin tonic", ""])?;
//! for (fast, reference) in folded.iter().zip(vectors.iter()) {
//!     assert!(fast.iter().zip(reference).all(|(a, b)| (a - b).abs() < 1e-5));
//! }
//! # std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```

pub mod am_softmax;
pub mod contrast;
pub mod dense;
mod directions;
pub mod distil;
pub mod encoder;
mod error;
pub mod export;
pub mod fold;
pub mod folder;
pub mod graph;
pub mod join;
pub mod lexical;
pub mod model;
pub mod shorten;
pub mod start;
#[cfg(test)]
mod test_support;
mod tokenise;
mod trainable;
pub mod vocabulary;

pub use error::{Error, Result};
pub use limbeck_fold::{config, static_folder};
