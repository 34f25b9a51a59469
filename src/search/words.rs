//! Search by words beside a dense search: BM25's scores, and the ranks of both fused.

use limbeck_data::Monitor;

use super::{BLOCK, Corpus};
use crate::error::Result;
use crate::measure::bm25::{Bm25, count_words};
use crate::measure::retrieval::fusion::fused;
use crate::measure::retrieval::ranks::ranks;

/// BM25's score of every document of the corpus for `query`; 0 where they share no word.
///
/// # Errors
/// A corpus that cannot be read, or an interrupt.
pub fn word_scores(corpus: &Corpus, query: &str, monitor: Monitor<'_>) -> Result<Vec<f32>> {
    let bar = monitor.stage("searching by words", None, "documents");
    let (mut words, mut documents) = (0, 0_usize);
    in_blocks(corpus, monitor, |texts| {
        words += count_words(texts);
        documents += texts.len();
    })?;
    let mut index = Bm25::new(words as f64 / documents.max(1) as f64);
    in_blocks(corpus, monitor, |texts| {
        bar.add(texts.len() as u64);
        index.add(texts);
    })?;
    Ok(index.scores(query))
}

/// Gives `take` the documents of the corpus, a block at a time.
fn in_blocks(corpus: &Corpus, monitor: Monitor<'_>, mut take: impl FnMut(&[String])) -> Result<()> {
    let mut block = Vec::with_capacity(BLOCK);
    for document in corpus.documents()? {
        block.push(document?.full());
        if block.len() == BLOCK {
            monitor.check()?;
            take(&block);
            block.clear();
        }
    }
    take(&block);
    Ok(())
}

/// The places of the first `most` documents by the ranks of both searches, and the sum of one over each rank, as
/// [`fused`] adds them up. A document without a dense score comes last there.
pub fn fused_best(dense: &[Option<f32>], words: &[f32], most: usize) -> Vec<(usize, f32)> {
    let dense: Vec<f32> = dense.iter().map(|score| score.unwrap_or(f32::NEG_INFINITY)).collect();
    let (by_dense, by_words) = (ranks(&dense), ranks(words));
    let score = |place: usize| {
        let term = |rank: u32| 1.0 / (60.0 + rank as f32);
        term(by_dense[place]) + if words[place] > 0.0 { term(by_words[place]) } else { 0.0 }
    };
    let places = fused(&dense, words, most).into_iter();
    places.map(|place| place as usize).map(|place| (place, score(place))).collect()
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
