//! TextCNN in candle, its folded convolution, distillation and exports.
//!
//! The student never sees the teacher: between them stands only the embedding cache.

pub mod am_softmax;
pub mod config;
pub mod contrast;
pub mod distil;
pub mod encoder;
mod error;
pub mod export;
pub mod fold;
pub mod folder;
pub mod graph;
pub mod join;
pub mod model;
pub mod start;
pub mod static_folder;
#[cfg(test)]
mod test_support;
mod tokens;
mod trainable;
mod unit;
pub mod vocabulary;

pub use error::{Error, Result};
