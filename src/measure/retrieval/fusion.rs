//! Reciprocal rank fusion of a dense search and of BM25 (Cormack, Clarke, Büttcher 2009).
//!
//! The score of a document is 1 / (60 + rank) in the one ranking plus the same in the other, ranks from 1. Both
//! rankings are full: a dense search ranks every document. BM25 ranks the documents that share a word with the query;
//! the others have no rank there, and so no second term, since their order would be that of the file.

use super::ranks::{best_of, first, ranks};

/// What a rank is added to; the paper's value.
const K: f64 = 60.0;

/// The first `count` documents by the fused ranks of `dense` and `words`, a score a document in each; a score of 0 by
/// words is none.
pub fn fused(dense: &[f32], words: &[f32], count: usize) -> Vec<u32> {
    fused_scores(dense, words, count).into_iter().map(|(place, _)| place).collect()
}

/// As [`fused`], each document with its score.
pub fn fused_scores(dense: &[f32], words: &[f32], count: usize) -> Vec<(u32, f64)> {
    let (by_dense, matched) = (ranks(dense), best_of(words, words.len(), |_, score| score > 0.0));
    let mut scores: Vec<f64> = by_dense.iter().map(|&rank| 1.0 / (K + f64::from(rank))).collect();
    for (rank, place) in (1..).zip(matched) {
        scores[place as usize] += 1.0 / (K + f64::from(rank));
    }
    let score = |place: u32| scores[place as usize];
    let order = |a: &u32, b: &u32| score(*b).total_cmp(&score(*a)).then(a.cmp(b));
    let places = first((0..scores.len() as u32).collect(), count, order);
    places.into_iter().map(|place| (place, score(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_both_put_high_goes_before_one_that_only_one_does() {
        // By vectors 0 1 2 3, by words 3 1 2: 2/62 is above 1/61 + 1/64.
        assert_eq!(fused(&[0.9, 0.8, 0.7, 0.6], &[0.0, 2.0, 1.0, 3.0], 4), [1, 3, 2, 0]);
    }

    #[test]
    fn without_a_word_in_common_the_dense_ranking_stays() {
        assert_eq!(fused(&[0.1, 0.3, 0.2], &[0.0; 3], 2), [1, 2]);
    }

    #[test]
    fn equal_scores_go_by_the_order_of_the_documents() {
        // Ranks 1 and 2 in the one, 2 and 1 in the other.
        assert_eq!(fused(&[0.9, 0.8], &[1.0, 2.0], 2), [0, 1]);
    }
}
