//! nDCG, recall and reciprocal rank of one query, as trec_eval has them.

use std::collections::HashMap;

/// The judgements of one query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JudgedQuery {
    /// The positive grades of the documents that the collection has, by their places.
    pub grades: HashMap<u32, i32>,
    /// All positive grades, the highest first; also those of documents that the collection lacks, which no search can
    /// find and the ideal ranking has.
    pub ideal: Vec<i32>,
}

/// Discounted cumulative gain of the first `depth` documents of `ranking` over that of the ideal ranking: the gain of a
/// document is its grade, the discount log₂(rank + 1). 0 where no document is relevant.
pub fn ndcg(ranking: &[u32], judged: &JudgedQuery, depth: usize) -> f64 {
    let gain = |grade: i32, rank: usize| f64::from(grade) / ((rank + 2) as f64).log2();
    // The sum of nothing would be -0.
    let mut own = 0.0;
    for (rank, document) in ranking.iter().take(depth).enumerate() {
        own += judged.grades.get(document).map_or(0.0, |&grade| gain(grade, rank));
    }
    let ideal: f64 = judged.ideal.iter().take(depth).enumerate().map(|(rank, &grade)| gain(grade, rank)).sum();
    if ideal > 0.0 { own / ideal } else { 0.0 }
}

/// The share of the relevant documents that are among the first `depth` of `ranking`; 0 where none is relevant.
pub fn recall(ranking: &[u32], judged: &JudgedQuery, depth: usize) -> f64 {
    let found = ranking.iter().take(depth).filter(|document| judged.grades.contains_key(document)).count();
    if judged.ideal.is_empty() { 0.0 } else { found as f64 / judged.ideal.len() as f64 }
}

/// One over the rank of the first relevant document, 0 where it is not among the first `depth`.
pub fn reciprocal_rank(ranking: &[u32], judged: &JudgedQuery, depth: usize) -> f64 {
    let first = ranking.iter().take(depth).position(|document| judged.grades.contains_key(document));
    first.map_or(0.0, |rank| 1.0 / (rank + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(grades: &[(u32, i32)], missing: &[i32]) -> JudgedQuery {
        let mut ideal: Vec<i32> = grades.iter().map(|(_, grade)| *grade).chain(missing.iter().copied()).collect();
        ideal.sort_unstable_by(|a, b| b.cmp(a));
        JudgedQuery { grades: grades.iter().copied().collect(), ideal }
    }

    #[test]
    fn the_ideal_ranking_has_an_ndcg_of_one() {
        let judged = judged(&[(4, 2), (1, 1)], &[]);
        assert_eq!(ndcg(&[4, 1, 0], &judged, 10), 1.0);
        assert!(ndcg(&[1, 4, 0], &judged, 10) < 1.0);
        assert_eq!(ndcg(&[0, 2, 3], &judged, 10).to_string(), "0");
    }

    #[test]
    fn what_stands_behind_the_depth_does_not_count() {
        let judged = judged(&[(9, 1)], &[]);
        let ranking: Vec<u32> = (0..10).collect();
        assert!(ndcg(&ranking, &judged, 10) > 0.0);
        assert_eq!(ndcg(&ranking, &judged, 9), 0.0);
        assert_eq!((recall(&ranking, &judged, 9), recall(&ranking, &judged, 10)), (0.0, 1.0));
        assert_eq!((reciprocal_rank(&ranking, &judged, 9), reciprocal_rank(&ranking, &judged, 10)), (0.0, 0.1));
    }

    #[test]
    fn a_relevant_document_that_is_missing_counts_in_the_ideal() {
        let judged = judged(&[(0, 1)], &[1]);
        assert_eq!(recall(&[0], &judged, 100), 0.5);
        let second = 1.0 / 3f64.log2();
        assert!((ndcg(&[0], &judged, 10) - 1.0 / (1.0 + second)).abs() < 1e-12);
    }
}
