//! Search: does a model put the documents that people judged relevant first?
//!
//! | file | what |
//! |---|---|
//! | [`documents`] | documents in blocks: counted by words, encoded, found in a cache |
//! | [`set`] | a collection made ready: its judged queries, and its index by words |
//! | [`vectors`] | a model's vectors of all documents, in memory or in a temporary file |
//! | [`search`] | the scores of all documents for each query, a block of queries at a time |
//! | [`ranks`] | documents by their scores |
//! | [`figures`] | nDCG, recall and MRR, as trec_eval has them |
//! | [`fusion`] | the ranks of two searches as one |
//! | [`label_free`] | how far two searches agree, where nobody judged |
//! | `teacher_ten` | what a teacher finds by the vectors in its cache |
//! | [`unjudged`] | a collection without judgements: how far models agree with its teacher |
//!
//! Search is exact. Documents are read one after another and encoded in blocks. Memory holds at most
//! [`vectors::MEMORY`] bytes of vectors (of more documents they lie in a temporary file), [`search::SCORES`] bytes of
//! scores, and the index by words; so a million documents take a gigabyte or two, whatever the number of queries.

pub mod documents;
pub mod figures;
pub mod fusion;
pub mod label_free;
pub mod ranks;
pub mod search;
pub mod set;
mod teacher_ten;
pub mod unjudged;
pub mod vectors;

use limbeck_data::Monitor;
use limbeck_encoder::SearchSide;
use serde::{Deserialize, Serialize};

use self::figures::{JudgedQuery, ndcg, recall, reciprocal_rank};
use self::fusion::fused;
use self::ranks::{best, best_of};
use self::search::each_query;
use super::correlation::mean;
use super::model::NamedModel;
use crate::error::Result;

pub use set::RetrievalSet;

/// How a model searches a collection: means over the queries with a positive judgement, × 100.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RetrievalScore {
    /// nDCG of the first ten documents.
    pub ndcg_at_10: f64,
    /// The share of the relevant documents that are among the first hundred.
    pub recall_at_100: f64,
    /// The reciprocal rank of the first relevant document, 0 where it is not among ten.
    pub mrr_at_10: f64,
    /// nDCG of the first ten documents by the ranks of the model and of BM25 [fused](fusion).
    pub fused_ndcg_at_10: f64,
    /// nDCG of the first ten documents by BM25 alone.
    pub bm25_ndcg_at_10: f64,
    /// The number of queries.
    pub queries: usize,
    /// The number of documents.
    pub documents: usize,
}

/// Searches `set` with queries by one model and documents by another, or by the same. Both put their own prompts for
/// queries and documents before the texts, where they have such.
///
/// # Errors
/// Vectors of two widths; a document that cannot be read; what encoding gives.
pub fn retrieval(
    queries: &NamedModel<'_>,
    documents: &NamedModel<'_>,
    set: &RetrievalSet,
    monitor: Monitor<'_>,
) -> Result<RetrievalScore> {
    queries.check_width(documents)?;
    let texts: Vec<&str> = set.queries.iter().map(|query| query.text.as_str()).collect();
    let what = format!("queries of {}", set.name);
    let query_vectors = queries.on_side(SearchSide::Query).encode(&texts, &what, monitor)?;
    let vectors = set.encode_documents(&documents.on_side(SearchSide::Document), monitor)?;
    let found = each_query(&query_vectors, &vectors, monitor, |at, scores| {
        let query = &set.queries[at];
        let by_words = set.index.scores(&query.text);
        QueryFigures::of(&query.judged, scores, &by_words)
    })?;
    let of = |figure: fn(&QueryFigures) -> f64| 100.0 * mean(&found.iter().map(figure).collect::<Vec<_>>());
    Ok(RetrievalScore {
        ndcg_at_10: of(|query| query.ndcg),
        recall_at_100: of(|query| query.recall),
        mrr_at_10: of(|query| query.reciprocal_rank),
        fused_ndcg_at_10: of(|query| query.fused),
        bm25_ndcg_at_10: of(|query| query.by_words),
        queries: found.len(),
        documents: vectors.len(),
    })
}

/// The figures of one query, 0 to 1.
struct QueryFigures {
    ndcg: f64,
    recall: f64,
    reciprocal_rank: f64,
    fused: f64,
    by_words: f64,
}

impl QueryFigures {
    fn of(judged: &JudgedQuery, scores: &[f32], by_words: &[f32]) -> Self {
        let found = best(scores, 100);
        Self {
            ndcg: ndcg(&found, judged, 10),
            recall: recall(&found, judged, 100),
            reciprocal_rank: reciprocal_rank(&found, judged, 10),
            fused: ndcg(&fused(scores, by_words, 10), judged, 10),
            by_words: ndcg(&best_of(by_words, 10, |_, score| score > 0.0), judged, 10),
        }
    }
}

#[cfg(test)]
mod tests;
