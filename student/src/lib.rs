//! TextCNN in candle, its folded convolution, distillation and exports.

pub mod config;
mod error;
pub mod graph;
pub mod model;
pub mod start;

pub use error::{Error, Result};
