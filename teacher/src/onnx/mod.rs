//! BERT as an ONNX file, written without Python.
//!
//! Standard operators only, opset 17 and IR version 8, which ONNX Runtime 1.17 and every later one read. Batch and
//! length are dynamic; pooling and L2 normalisation are inside the graph.
//!
//! | input | type | shape | |
//! |---|---|---|---|
//! | `input_ids` | int64 | batch × length | |
//! | `attention_mask` | int64 | batch × length | 1 for a token, 0 for padding |
//! | `token_type_ids` | int64 | batch × length | 0 for a text alone |
//!
//! | output | type | shape | |
//! |---|---|---|---|
//! | `sentence_embedding` | f32 | batch × hidden | of length 1 (0 for a text without a token) |
//! | `last_hidden_state` | f32 | batch × length × hidden | |
//!
//! What a reader has to know beside the graph is in its metadata: `limbeck.pooler`, `limbeck.max_tokens`,
//! `limbeck.prefix`, `limbeck.dimension`, `limbeck.precision` and `limbeck.teacher` ([`Weights::sha256`](crate::Weights::sha256)).
//!
//! ```text
//! bert.rs (what is computed) ──► limbeck_onnx::Graph (nodes, tensors) ──► file
//!    └── linear.rs (a dense layer in f32 or int8) ◄── smoothing.rs (what is too large for int8)
//! ```

mod bert;
mod linear;
mod smoothing;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Pooler, Result, TeacherFolder};

/// A graph whose tensors come from a teacher's weights.
type Graph<'a> = limbeck_onnx::Graph<'a, Error>;

/// The precision of an exported model's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnnxPrecision {
    /// As trained.
    #[default]
    F32,
    /// int8 weights with one scale a row, activations quantised as they come (`DynamicQuantizeLinear`): a quarter of
    /// the size and two to three times the speed on processors with VNNI. A text's vector then depends a little on the
    /// texts beside it.
    Int8,
}

impl OnnxPrecision {
    /// The name in recipes and metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for OnnxPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for OnnxPrecision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::F32, Self::Int8]
            .into_iter()
            .find(|precision| precision.name() == name)
            .ok_or_else(|| Error::UnknownPrecision(name.to_owned()))
    }
}

/// Writes the model in `folder`, pooled by `pooler`, to the ONNX file `to`. The same model gives the same bytes.
///
/// The file appears whole or not at all. Its tensors are read, converted and written one after another.
pub fn export(folder: &TeacherFolder, pooler: Pooler, precision: OnnxPrecision, to: &Path) -> Result<()> {
    let graph = bert::graph(folder, pooler, precision)?;
    let metadata = [
        ("limbeck.pooler", pooler.to_string()),
        ("limbeck.max_tokens", folder.max_tokens.to_string()),
        ("limbeck.prefix", folder.prefix.clone()),
        ("limbeck.dimension", folder.config.hidden_size.to_string()),
        ("limbeck.precision", precision.to_string()),
        ("limbeck.teacher", folder.weights.sha256()?),
    ];
    graph.write(&metadata, to)
}
