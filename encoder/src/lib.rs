//! What a user of a limbeck student needs and no more: tokenizing, the folded file, SIMD.

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
