//! Measures without labels: how many of the documents that a teacher's search puts first does another search find?
//!
//! Somebody who has queries, or takes titles for queries, but no judgements, can tell by it what a student is worth.

use std::collections::HashMap;

use limbeck_data::Monitor;
use limbeck_encoder::Embeddings;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::figures::{JudgedQuery, ndcg};
use super::ranks::best_of;
use super::search::each_query;
use super::vectors::DocumentVectors;
use crate::error::{Error, Result};
use crate::measure::bm25::Bm25;
use crate::measure::correlation::mean;

/// How many of the first documents are compared.
pub(super) const FIRST: usize = 10;

/// How far another search agrees with the teacher's, × 100.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabelFree {
    /// The share of the teacher's ten first documents that are among the other's ten.
    pub found_at_10: f64,
    /// nDCG of the other's ten first documents, where each of the teacher's ten has a gain of 1.
    pub ndcg_at_10: f64,
    /// The number of queries.
    pub queries: usize,
}

/// The ten first documents of each query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstTen(Vec<Vec<u32>>);

impl FirstTen {
    /// Lists of places, the best first, of ten documents at most.
    pub(super) fn new(lists: Vec<Vec<u32>>) -> Self {
        Self(lists)
    }

    /// Those by the cosines of `queries` with `documents`. `own` has the place of the document that a query was taken
    /// from, which does not count; it may be empty where no query has one.
    ///
    /// # Errors
    /// The vectors cannot be read, or an interrupt.
    pub fn by_vectors(
        queries: &Embeddings,
        documents: &DocumentVectors,
        own: &[Option<u32>],
        monitor: Monitor<'_>,
    ) -> Result<Self> {
        let ten = |at: usize, scores: &[f32]| best_of(scores, FIRST, |place, _| is_other(own, at, place));
        Ok(Self(each_query(queries, documents, monitor, ten)?))
    }

    /// Those by words, among the documents that share a word with the query; `own` as for
    /// [`FirstTen::by_vectors`].
    pub fn by_words<T: AsRef<str> + Sync>(queries: &[T], index: &Bm25, own: &[Option<u32>]) -> Self {
        let ten = |(at, query): (usize, &T)| {
            let scores = index.scores(query.as_ref());
            best_of(&scores, FIRST, |place, score| score > 0.0 && is_other(own, at, place))
        };
        Self(queries.par_iter().enumerate().map(ten).collect())
    }

    /// How far `other` agrees with these, which are the teacher's.
    ///
    /// # Errors
    /// No query; another number of queries.
    pub fn compare(&self, other: &Self) -> Result<LabelFree> {
        let (left, right) = (self.0.len(), other.0.len());
        if left != right {
            return Err(Error::Lengths { what: "queries of two searches".into(), left, right });
        }
        if left == 0 {
            return Err(Error::TooFew { what: "queries to compare searches by".into(), found: 0, needed: 1 });
        }
        let pairs = || self.0.iter().zip(&other.0).filter(|(teacher, _)| !teacher.is_empty());
        let found = pairs().map(|(teacher, other)| {
            let found = teacher.iter().filter(|document| other.contains(document)).count();
            found as f64 / teacher.len() as f64
        });
        let gains = pairs().map(|(teacher, other)| {
            let grades: HashMap<u32, i32> = teacher.iter().map(|&document| (document, 1)).collect();
            ndcg(other, &JudgedQuery { grades, ideal: vec![1; teacher.len()] }, FIRST)
        });
        Ok(LabelFree {
            found_at_10: 100.0 * mean(&found.collect::<Vec<_>>()),
            ndcg_at_10: 100.0 * mean(&gains.collect::<Vec<_>>()),
            queries: left,
        })
    }
}

/// Whether the document at `place` is another than the one that the query was taken from.
fn is_other(own: &[Option<u32>], query: usize, place: usize) -> bool {
    own.get(query).copied().flatten().is_none_or(|own| own as usize != place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::{silent, word_vector};

    fn vectors(count: usize, salt: &str) -> Embeddings {
        Embeddings::new((0..count).flat_map(|row| word_vector(&format!("{salt}{row}"), 8)).collect(), 8)
    }

    fn stored(vectors: &Embeddings) -> DocumentVectors {
        let mut stored = DocumentVectors::new(8);
        stored.add(vectors).unwrap();
        stored
    }

    #[test]
    fn a_search_agrees_with_itself_and_hardly_with_another() {
        let documents = vectors(500, "d");
        let teacher = FirstTen::by_vectors(&vectors(40, "q"), &stored(&documents), &[], silent()).unwrap();
        let same = teacher.compare(&teacher).unwrap();
        assert_eq!((same.found_at_10, same.ndcg_at_10, same.queries), (100.0, 100.0, 40));
        let other = FirstTen::by_vectors(&vectors(40, "x"), &stored(&documents), &[], silent()).unwrap();
        assert!(teacher.compare(&other).unwrap().found_at_10 < 10.0);
    }

    #[test]
    fn what_stands_lower_counts_less_in_ndcg() {
        let (teacher, swapped) = (FirstTen(vec![vec![1, 2]]), FirstTen(vec![vec![2, 1]]));
        let agreement = teacher.compare(&swapped).unwrap();
        assert_eq!((agreement.found_at_10, agreement.ndcg_at_10), (100.0, 100.0));
        // The one that is found stands second.
        let half = teacher.compare(&FirstTen(vec![vec![7, 2]])).unwrap();
        assert!(half.found_at_10 == 50.0 && half.ndcg_at_10 < 50.0);
    }

    #[test]
    fn the_document_that_a_query_was_taken_from_does_not_count() {
        let documents = vectors(30, "d");
        let own: Vec<Option<u32>> = (0..30).map(Some).collect();
        let ten = FirstTen::by_vectors(&documents, &stored(&documents), &own, silent()).unwrap();
        assert!(ten.0.iter().enumerate().all(|(at, ten)| ten.len() == 10 && !ten.contains(&(at as u32))));
    }

    #[test]
    fn words_find_only_what_shares_one() {
        let documents = ["a red fox", "the blue sea", "red sea"].map(str::to_owned);
        let mut index = Bm25::new(2.0);
        index.add(&documents);
        let ten = FirstTen::by_words(&["red", "red", "sky"], &index, &[None, Some(0)]);
        assert_eq!(ten.0.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 0]);
    }

    #[test]
    fn searches_of_different_queries_cannot_be_compared() {
        assert!(FirstTen(vec![vec![1]]).compare(&FirstTen(Vec::new())).is_err());
        assert!(FirstTen(Vec::new()).compare(&FirstTen(Vec::new())).is_err());
    }
}
