//! What a user of a limbeck student needs and no more: tokenizing, the folded file, SIMD.

mod batch;
mod encode;

pub use batch::TokenBatch;
pub use encode::{EncodeError, Embeddings, Encoder, EncoderInfo};
