//! Search by words beside a dense search: BM25's scores, and the ranks of both fused.

use limbeck_data::Monitor;

use super::Corpus;
use crate::error::Result;
use crate::measure::retrieval::documents::word_index;
use crate::measure::retrieval::fusion::fused_scores;

/// BM25's score of every document of the corpus for `query`; 0 where they share no word.
///
/// # Errors
/// A corpus that cannot be read, or an interrupt.
pub fn word_scores(corpus: &Corpus, query: &str, monitor: Monitor<'_>) -> Result<Vec<f32>> {
    Ok(word_index(|| corpus.documents(), "searching by words", |_, _| {}, monitor)?.scores(query))
}

/// The places of the first `most` documents by the ranks of both searches, with their scores. A document without a
/// dense score comes last there.
pub fn fused_best(dense: &[Option<f32>], words: &[f32], most: usize) -> Vec<(usize, f32)> {
    let dense: Vec<f32> = dense.iter().map(|score| score.unwrap_or(f32::NEG_INFINITY)).collect();
    let found = fused_scores(&dense, words, most).into_iter();
    found.map(|(place, score)| (place as usize, score as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fused_score_is_the_sum_over_both_ranks() {
        let found = fused_best(&[Some(0.9), Some(0.8), None], &[0.0, 2.0, 1.0], 3);
        let places: Vec<usize> = found.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [1, 2, 0]);
        assert!((found[0].1 - (1.0 / 62.0 + 1.0 / 61.0)).abs() < 1e-7);
        assert!((found[2].1 - 1.0 / 61.0).abs() < 1e-7);
    }
}
