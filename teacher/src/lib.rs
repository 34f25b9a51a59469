//! BERT sentence encoders as teachers: the model in candle, its ONNX export, inference in ONNX Runtime, and the embed
//! job that fills a cache.
//!
//! ```text
//! folder (config.json, model.safetensors, tokenizer.json)
//!    │ TeacherFolder::open: the model's shape, its pooler, its longest input
//!    ├──► bert::Bert, bert::BertEncoder      candle: the reference, and training on a GPU
//!    ├──► backprop::Network                  forward and backward by hand: training on the CPU; save writes a folder
//!    └──► onnx::export ──► model.onnx        a file for every ONNX Runtime since 1.17
//!              Runtime, OnnxEncoder ◄──┘      the library, found and loaded once; a session in it
//!                  └──► embed::run ──► cache  texts to vectors, restartable
//! ```
//!
//! Without ONNX Runtime, a folder encodes texts in candle:
//!
//! ```
//! # let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");
//! # let place = tempfile::tempdir()?;
//! # let folder = place.path();
//! # std::fs::copy(format!("{golden}/bert_simcse_training.config.json"), folder.join("config.json"))?;
//! # std::fs::copy(format!("{golden}/onnx/tokenizer.json"), folder.join("tokenizer.json"))?;
//! # let weights = format!("{golden}/bert_simcse_training.safetensors");
//! # let all = candle_core::safetensors::load(weights, &candle_core::Device::Cpu)?;
//! # let initial = all.into_iter().filter_map(|(name, tensor)| Some((name.strip_prefix("init.")?.to_owned(), tensor)));
//! # candle_core::safetensors::save(&initial.collect(), folder.join("model.safetensors"))?;
//! use candle_core::{DType, Device};
//! use limbeck_encoder::{Encoder, Precision};
//! use limbeck_teacher::{TeacherFolder, bert::BertEncoder, onnx};
//!
//! let teacher = TeacherFolder::open(folder)?;
//! let encoder = BertEncoder::load(&teacher, &Device::Cpu, DType::F32)?;
//! let vectors = encoder.encode(&["the cat sat", "a dog"])?;
//! assert_eq!((vectors.rows(), vectors.dimension()), (2, teacher.config.hidden_size));
//!
//! // The same model for ONNX Runtime, see `OnnxEncoder`.
//! onnx::export(&teacher, teacher.pooler, Precision::F32, &folder.join("model.onnx"))?;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```

pub mod api;
mod architecture;
pub mod backprop;
mod batching;
pub mod bert;
mod config;
pub mod embed;
mod error;
mod folder;
pub mod head;
mod model_files;
pub mod onnx;
mod onnx_encoder;
mod pooler;
mod relative;
mod runtime;
mod save;
mod sentence_transformers;
pub mod train;
mod weights;

pub use architecture::Architecture;
pub use batching::BATCH_TOKENS;
pub use config::{Activation, BertConfig};
pub use error::{Error, Result};
pub use folder::TeacherFolder;
pub use onnx_encoder::{OnnxEncoder, OnnxOptions};
pub use pooler::Pooler;
pub use runtime::{LIBRARY_VARIABLE, OnnxDevice, Runtime};
pub use save::{SavedTeacher, save};
pub use sentence_transformers::{Prompts, SearchPrompts, folder_of_onnx};
pub use weights::{FindTensor, Weights};
