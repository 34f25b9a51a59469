//! BERT and the models like it as an ONNX file, written without Python.
//!
//! Standard operators only, opset 17 and IR version 8, which ONNX Runtime 1.17 and every later one read. Batch and
//! length are dynamic; pooling and L2 normalisation are inside the graph.
//!
//! | input | type | shape | |
//! |---|---|---|---|
//! | `input_ids` | int64 | batch × length | |
//! | `attention_mask` | int64 | batch × length | 1 for a token, 0 for padding |
//! | `token_type_ids` | int64 | batch × length | 0 for a text alone; BERT has this input, the others don't |
//!
//! | output | type | shape | |
//! |---|---|---|---|
//! | `sentence_embedding` | f32 | batch × hidden | of length 1 (0 for a text without a token) |
//! | `last_hidden_state` | f32 | batch × length × hidden | |
//!
//! The metadata holds the settings that the graph doesn't show: `limbeck.pooler`, `limbeck.max_tokens`,
//! `limbeck.prefix`, `limbeck.lower_case`, `limbeck.dimension`, `limbeck.precision` and `limbeck.teacher`
//! ([`Weights::sha256`](crate::Weights::sha256)).
//!
//! ```text
//! bert.rs (the operations) ──► limbeck_onnx::Graph (nodes, tensors) ──► file
//!    ├── head.rs (the poolers, and the layers after them)
//!    ├── embeddings.rs (words, positions and types; MPNet's bias)
//!    └── linear.rs (a dense layer in f32 or int8) ◄── smoothing.rs (channels too large for int8)
//! ```

mod bert;
mod embeddings;
#[cfg(test)]
mod golden;
mod head;
mod linear;
mod operators;
mod smoothing;

use std::path::Path;

use limbeck_encoder::Precision;

use crate::{Error, Pooler, Result, TeacherFolder};

/// A graph whose tensors come from a teacher's weights.
type TeacherGraph<'a> = limbeck_onnx::Graph<'a, Error>;

/// Writes the model in `folder`, pooled by `pooler`, to the ONNX file `to`. The same model gives the same bytes.
///
/// With [`Precision::Int8`] the weights have one scale a row, and activations are quantised as they come
/// (`DynamicQuantizeLinear`): a quarter of the size and two to three times the speed on processors with VNNI. A text's
/// vector then depends a little on the texts beside it.
///
/// The file appears whole or not at all. Its tensors are read, converted and written one after another.
///
/// # Errors
/// [`Precision::F16`]; the pooler `cls` without its dense layer; a tensor that is missing or misshapen; a file that
/// can't be written.
pub fn export(folder: &TeacherFolder, pooler: Pooler, precision: Precision, to: &Path) -> Result<()> {
    let graph = bert::graph(folder, pooler, precision)?;
    let metadata = [
        ("limbeck.pooler", folder.head.describe(pooler)),
        ("limbeck.max_tokens", folder.max_tokens.to_string()),
        ("limbeck.prefix", folder.prefix.clone()),
        ("limbeck.dimension", folder.dimension()?.to_string()),
        ("limbeck.lower_case", folder.lower_case.to_string()),
        ("limbeck.precision", precision.name().to_owned()),
        ("limbeck.teacher", folder.weights.sha256()?),
    ];
    graph.write(&metadata, to)
}
