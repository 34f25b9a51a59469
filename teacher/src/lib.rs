//! BERT in candle, ONNX export and inference, the embedding job.
//!
//! ```text
//! folder (config.json, model.safetensors, tokenizer.json)
//!    │ TeacherFolder::open: what the model is, how it pools, how long its inputs may be
//!    ├──► bert::Bert, bert::BertEncoder      candle: the reference, and what trains
//!    └──► onnx::export ──► model.onnx        one file that any ONNX Runtime since 1.17 runs
//! ```

mod config;
mod error;
mod folder;
pub mod onnx;
mod pooler;
mod weights;

pub use config::{Activation, BertConfig};
pub use error::{Error, Result};
pub use folder::TeacherFolder;
pub use pooler::Pooler;
pub use weights::Weights;
