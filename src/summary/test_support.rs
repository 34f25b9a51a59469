//! A model's figures for tests.

use indexmap::IndexMap;
use serde_json::Map;

use super::{ModelRole, ModelSummary};

/// A model without scores.
pub(crate) fn model(name: &str, role: ModelRole) -> ModelSummary {
    ModelSummary {
        name: name.into(),
        role,
        parameters: 22_713_216,
        bytes: 90_900_000,
        dimension: 384,
        sentences_per_second: None,
        scores: IndexMap::new(),
        average: None,
        fidelity: None,
        alignment: None,
        uniformity: None,
        engine: "onnxruntime".into(),
        precision: "f32".into(),
        threads: 2,
        extra: Map::new(),
    }
}
