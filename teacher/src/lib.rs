//! BERT in candle, ONNX export and inference, the embedding job.
//!
//! ```text
//! folder (config.json, model.safetensors, tokenizer.json)
//!    │ TeacherFolder::open: what the model is, how it pools, how long its inputs may be
//!    ├──► bert::Bert, bert::BertEncoder      candle: the reference, and what trains; save writes such a folder
//!    └──► onnx::export ──► model.onnx        one file that any ONNX Runtime since 1.17 runs
//!              Runtime, OnnxEncoder ◄──┘      the library, found and loaded once; a session in it
//!                  └──► embed::run ──► cache  texts to vectors, restartable
//! ```

pub mod backprop;
mod batching;
pub mod bert;
mod config;
pub mod embed;
mod error;
mod folder;
mod inference_error;
pub mod onnx;
mod onnx_encoder;
mod pooler;
mod runtime;
mod save;
pub mod train;
mod weights;

pub use config::{Activation, BertConfig};
pub use error::{Error, Result};
pub use folder::TeacherFolder;
pub use inference_error::InferenceError;
pub use onnx_encoder::{BATCH_TOKENS, OnnxEncoder, OnnxOptions};
pub use pooler::Pooler;
pub use runtime::{LIBRARY_VARIABLE, OnnxDevice, Runtime};
pub use save::{SavedTeacher, save};
pub use weights::Weights;
