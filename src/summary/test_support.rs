//! A model's figures for tests.

use indexmap::IndexMap;
use serde_json::Map;

use super::{ModelRole, ModelSummary};
use crate::measure::retrieval::RetrievalScore;
use crate::measure::tasks::TaskScores;

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
        tasks: TaskScores::default(),
        fidelity: None,
        alignment: None,
        uniformity: None,
        engine: "onnxruntime".into(),
        precision: "f32".into(),
        threads: 2,
        extra: Map::new(),
    }
}

/// The model with an nDCG@10 a set, ten more fused, and BM25 at 45.
pub(crate) fn searched(mut model: ModelSummary, sets: &[(&str, f64)]) -> ModelSummary {
    for &(set, ndcg_at_10) in sets {
        let score = RetrievalScore {
            ndcg_at_10,
            recall_at_100: 90.0,
            mrr_at_10: 70.0,
            fused_ndcg_at_10: ndcg_at_10 + 10.0,
            bm25_ndcg_at_10: 45.0,
            queries: 30,
            documents: 1_000,
        };
        model.tasks.retrieval.insert(set.to_owned(), score);
    }
    model
}
