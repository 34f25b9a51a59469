//! [`UnjudgedSet`]: a collection whose queries nobody judged. A teacher's own search takes the place of judgements.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use limbeck_data::Monitor;
use limbeck_data::cache::Cache;
use limbeck_data::collection::{read_corpus, read_queries};
use limbeck_data::text::read_own_queries;
use limbeck_encoder::SearchSide;
use serde::{Deserialize, Serialize};

use super::documents::{encode_documents, word_index};
use super::label_free::{FirstTen, LabelFree};
use super::teacher_ten::by_caches;
use crate::error::Result;
use crate::measure::model::NamedModel;

/// Queries, and for each the id of the document that it was taken from, if any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnjudgedQueries {
    /// The queries.
    pub texts: Vec<String>,
    /// The ids of the documents that they were taken from; as many as texts.
    pub own: Vec<Option<String>>,
}

impl UnjudgedQueries {
    /// Reads queries that users ask: of no document.
    ///
    /// # Errors
    /// As [`read_queries`].
    pub fn read(path: &Path) -> Result<Self> {
        let texts: Vec<String> = read_queries(path)?.into_iter().map(|query| query.text).collect();
        Ok(Self { own: vec![None; texts.len()], texts })
    }

    /// Reads the queries that a collection's own documents gave.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read_own(path: &Path) -> Result<Self> {
        let queries = read_own_queries(path)?;
        let (own, texts) = queries.into_iter().map(|query| (Some(query.id), query.text)).unzip();
        Ok(Self { texts, own })
    }
}

/// A collection with queries, and the ten documents that the teacher puts first for each.
pub struct UnjudgedSet {
    corpus: PathBuf,
    queries: Vec<String>,
    /// The places of the documents that the queries were taken from.
    own: Vec<Option<u32>>,
    documents: u64,
    teacher: FirstTen,
    /// How far BM25 agrees with the teacher.
    words: LabelFree,
}

/// How far a model's search agrees with the teacher's, × 100, with BM25 beside it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UnjudgedScore {
    /// The share of the teacher's first ten documents that are among the model's ten.
    pub found_at_10: f64,
    /// nDCG of the model's ten first documents, where each of the teacher's ten has a gain of 1.
    pub ndcg_at_10: f64,
    /// The share of the teacher's first ten documents that are among BM25's ten.
    pub bm25_found_at_10: f64,
    /// nDCG of BM25's ten first documents.
    pub bm25_ndcg_at_10: f64,
    /// The number of queries.
    pub queries: usize,
}

impl UnjudgedSet {
    /// Searches `corpus` by words and by `teacher`, whose vectors of documents come from `caches`.
    ///
    /// # Errors
    /// A corpus or a cache that cannot be read; what encoding gives; an interrupt.
    pub fn new(
        corpus: PathBuf,
        queries: UnjudgedQueries,
        teacher: &NamedModel<'_>,
        caches: &[Cache],
        monitor: Monitor<'_>,
    ) -> Result<Self> {
        let UnjudgedQueries { texts: queries, own } = queries;
        let mut queries_of: HashMap<&str, Vec<usize>> = HashMap::new();
        for (query, id) in own.iter().enumerate() {
            if let Some(id) = id {
                queries_of.entry(id).or_default().push(query);
            }
        }
        let mut places = vec![None; own.len()];
        let known = |first: u32, ids: &[String]| {
            for (id, place) in ids.iter().zip(first..) {
                queries_of.get(id.as_str()).into_iter().flatten().for_each(|&query| places[query] = Some(place));
            }
        };
        let index = word_index(|| Ok(read_corpus(&corpus)?), "words of the collection", known, monitor)?;
        let (own, documents) = (places, index.documents() as u64);
        let by_words = FirstTen::by_words(&queries, &index, &own);
        drop(index);
        let texts: Vec<&str> = queries.iter().map(String::as_str).collect();
        let vectors = teacher.on_side(SearchSide::Query).encode(&texts, "queries", monitor)?;
        let by_documents = teacher.on_side(SearchSide::Document);
        let teacher = by_caches(&vectors, &own, (&by_documents, caches), &corpus, monitor)?;
        let words = teacher.compare(&by_words)?;
        Ok(Self { corpus, queries, own, documents, teacher, words })
    }

    /// How far `model` agrees with the teacher.
    ///
    /// # Errors
    /// A corpus that cannot be read; what encoding gives; an interrupt.
    pub fn score(&self, model: &NamedModel<'_>, monitor: Monitor<'_>) -> Result<UnjudgedScore> {
        let texts: Vec<&str> = self.queries.iter().map(String::as_str).collect();
        let queries = model.on_side(SearchSide::Query).encode(&texts, "queries", monitor)?;
        let model = model.on_side(SearchSide::Document);
        let vectors = encode_documents(read_corpus(&self.corpus)?, self.documents, &model, "documents", monitor)?;
        let found = FirstTen::by_vectors(&queries, &vectors, &self.own, monitor)?;
        let (own, words) = (self.teacher.compare(&found)?, &self.words);
        Ok(UnjudgedScore {
            found_at_10: own.found_at_10,
            ndcg_at_10: own.ndcg_at_10,
            bm25_found_at_10: words.found_at_10,
            bm25_ndcg_at_10: words.ndcg_at_10,
            queries: own.queries,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::{FakeEncoder, bag, bag_of_bigrams, silent};

    fn set(folder: &Path) -> UnjudgedSet {
        let texts: Vec<String> = (0..200).map(|at| format!("{} and {} words", at % 37, at * 7 % 31)).collect();
        std::fs::write(folder.join("corpus.txt"), texts.join("\n")).unwrap();
        let queries = UnjudgedQueries {
            texts: vec![texts[4].clone(), "30 words".into()],
            // A line's number is its id, from 1.
            own: vec![Some("5".into()), None],
        };
        let encoder = FakeEncoder::new(bag);
        let teacher = NamedModel::new("teacher", &encoder);
        UnjudgedSet::new(folder.join("corpus.txt"), queries, &teacher, &[], silent()).unwrap()
    }

    #[test]
    fn the_teacher_agrees_with_itself_and_another_model_less() {
        let folder = tempfile::tempdir().unwrap();
        let set = set(folder.path());
        let same = set.score(&NamedModel::new("same", &FakeEncoder::new(bag)), silent()).unwrap();
        assert_eq!((same.found_at_10, same.ndcg_at_10, same.queries), (100.0, 100.0, 2));
        let other = set.score(&NamedModel::new("other", &FakeEncoder::new(bag_of_bigrams)), silent()).unwrap();
        assert!(other.found_at_10 < 100.0 && other.bm25_found_at_10 == same.bm25_found_at_10);
    }

    #[test]
    fn a_querys_own_document_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(set(folder.path()).own, [Some(4), None]);
    }
}
