//! The TextCNN's pooling, in two graphs that compute the same.
//!
//! ```text
//! tokens ─► E[distinct] ─┬─ convolve, max over positions, relu ──────────────► max-pooled  [texts, filters]
//!                        ├─ convolve, relu, score, softmax over positions ──► attended    [texts, heads · d]
//!                        └─ mean over positions ─────────────────────────────► mean        [texts, d]
//! ```
//!
//! [`Graph::Folded`] computes what depends on a token alone once for each distinct token of the batch, with operators of
//! ours that run on the CPU. [`Graph::Plain`] pads and uses candle's own operators: it serves GPUs, and is the folded
//! graph's reference in the tests.

mod attention;
mod convolution;
mod distinct;
mod folded;
mod op;
mod plain;

pub use distinct::DistinctTokens;
pub(crate) use folded::fold;

use std::sync::Arc;

use candle_core::Tensor;

use crate::config::StudentConfig;
use crate::error::Result;
use crate::model::Dense;

/// Which graph computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Graph {
    /// Operators of ours over distinct tokens; CPU only.
    Folded,
    /// candle's operators over padded batches; any device.
    Plain,
}

/// What a text is pooled to, before the linear maps to the output.
pub struct Pooled {
    /// `[texts, filters of all widths]`
    pub max_pooled: Option<Tensor>,
    /// `[texts, heads · d]`, or the heads' own values' width for d; head-major
    pub attended: Option<Tensor>,
    /// `[texts, d]`
    pub mean: Option<Tensor>,
}

/// Pools the texts of `tokens`, whose distinct tokens have the embeddings `rows` (`[distinct, d]`).
pub fn pool(
    graph: Graph,
    config: &StudentConfig,
    dense: &Dense,
    rows: &Tensor,
    tokens: &Arc<DistinctTokens>,
) -> Result<Pooled> {
    match graph {
        Graph::Folded => folded::pool(config, dense, rows, tokens),
        Graph::Plain => plain::pool(config, dense, rows, tokens),
    }
}
