//! Exact search: the scores of all documents for each query.

use limbeck_data::Monitor;
use limbeck_encoder::Embeddings;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, s};
use rayon::prelude::*;

use super::vectors::DocumentVectors;
use crate::error::Result;
use crate::measure::similarity::unit_rows;

/// The most bytes of scores that are held: those of a block of queries for all documents.
pub const SCORES: usize = 256 << 20;

/// The most queries of a block.
const MOST_QUERIES: usize = 256;

/// What `take` makes of each query's number and of its scores: the cosines with all documents, in their order.
///
/// # Errors
/// The vectors cannot be read, or an interrupt.
pub fn each_query<T: Send>(
    queries: &Embeddings,
    documents: &DocumentVectors,
    monitor: Monitor<'_>,
    take: impl Fn(usize, &[f32]) -> T + Sync,
) -> Result<Vec<T>> {
    let queries = unit_rows(queries);
    let (rows, mut all) = (queries.nrows(), Vec::with_capacity(queries.nrows()));
    let fit = SCORES / size_of::<f32>() / documents.len().max(1);
    let block = fit.clamp(1, MOST_QUERIES);
    for first in (0..rows).step_by(block) {
        let last = (first + block).min(rows);
        // Queries × documents.
        let mut scores = Array2::<f32>::zeros((last - first, documents.len()));
        documents.each_block(|begin, vectors| {
            monitor.check()?;
            let mut part = scores.slice_mut(s![.., begin..begin + vectors.nrows()]);
            general_mat_mul(1.0, &queries.slice(s![first..last, ..]), &vectors.t(), 0.0, &mut part);
            Ok(())
        })?;
        // Rows of a fresh array lie side by side.
        let of_row = |(row, scores): (usize, &[f32])| take(first + row, scores);
        let values = scores.as_slice().unwrap_or_default();
        all.par_extend(values.par_chunks_exact(documents.len().max(1)).enumerate().map(of_row));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::similarity::cosine;
    use crate::measure::test_support::{silent, word_vector};

    fn vectors(count: usize, salt: &str) -> Embeddings {
        Embeddings::new((0..count).flat_map(|row| word_vector(&format!("{salt}{row}"), 8)).collect(), 8)
    }

    #[test]
    fn every_query_has_its_cosines_with_all_documents_in_order() {
        let (queries, documents) = (vectors(300, "q"), vectors(5_000, "d"));
        let mut stored = DocumentVectors::new(8);
        stored.add(&documents).unwrap();
        let all = each_query(&queries, &stored, silent(), |at, scores| (at, scores.to_vec())).unwrap();
        assert_eq!(all.len(), 300);
        for (query, document) in [(0, 0), (255, 4_095), (256, 4_096), (299, 4_999)] {
            let (at, scores) = &all[query];
            let expected = cosine(queries.row(query), documents.row(document));
            assert!(*at == query && (f64::from(scores[document]) - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn no_query_finds_nothing() {
        let none = Embeddings::new(Vec::new(), 8);
        assert!(each_query(&none, &DocumentVectors::new(8), silent(), |at, _| at).unwrap().is_empty());
    }
}
