//! Cosines, unit vectors and nearest neighbours.

use limbeck_encoder::Embeddings;
use ndarray::{Array2, ArrayView1, ArrayView2};

/// The cosine of two vectors of one width, in f64; 0 where either is zero.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a), f64::from(b));
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let scale = aa.sqrt() * bb.sqrt();
    if scale > 0.0 { (ab / scale).clamp(-1.0, 1.0) } else { 0.0 }
}

/// A similarity in units of 1e-5, so that similarities which differ by rounding alone are ties among ranks.
///
/// A bag of words sums the same values in another order and gets 1 ± 1e-7: without the rounding, its ranks would be
/// noise.
pub(super) fn without_jitter(similarity: f64) -> f64 {
    (similarity * 1e5).round()
}

/// The vectors scaled to length 1, rows × dimension; a zero vector stays zero.
pub(super) fn unit_rows(vectors: &Embeddings) -> Array2<f32> {
    let mut rows = ArrayView2::from_shape((vectors.rows(), vectors.dimension()), vectors.as_slice())
        .expect("Embeddings hold rows × dimension values")
        .to_owned();
    for mut row in rows.rows_mut() {
        let norm = row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        if norm > 0.0 {
            row.mapv_inplace(|value| (f64::from(value) / norm) as f32);
        }
    }
    rows
}

/// The places of the `count` largest similarities except `own`, the largest first; of equal ones the first in the list.
pub(super) fn nearest(similarities: ArrayView1<'_, f32>, own: usize, count: usize) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(count + 1);
    for (place, similarity) in similarities.iter().enumerate() {
        let at_least = |&other: &usize| similarities[other].total_cmp(similarity).is_ge();
        if place == own || best.len() == count && best.last().is_none_or(at_least) {
            continue;
        }
        best.insert(best.partition_point(at_least), place);
        best.truncate(count);
    }
    best
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::*;
    use crate::measure::test_support::word_vector;

    #[test]
    fn a_zero_vector_has_a_cosine_of_zero_with_any() {
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), 0.0);
        assert_eq!(cosine(&[3.0, 0.0], &[0.5, 0.0]), 1.0);
    }

    #[test]
    fn rows_have_length_one_and_a_zero_row_stays_zero() {
        let rows = unit_rows(&Embeddings::new(vec![0.0, 0.0, 3.0, 4.0], 2));
        assert_eq!(rows.as_slice().unwrap(), [0.0, 0.0, 0.6, 0.8]);
    }

    #[test]
    fn jitter_makes_no_rank() {
        assert_eq!(without_jitter(1.0 - 3e-7), without_jitter(1.0));
        assert_ne!(without_jitter(0.9998), without_jitter(1.0));
    }

    #[test]
    fn the_nearest_are_those_that_sorting_puts_first() {
        let similarities = Array1::from_vec(word_vector("similarities", 500));
        let mut sorted: Vec<usize> = (0..500).filter(|&place| place != 7).collect();
        sorted.sort_by(|&a, &b| similarities[b].total_cmp(&similarities[a]));
        assert_eq!(nearest(similarities.view(), 7, 10), sorted[..10]);
    }

    #[test]
    fn of_equal_similarities_the_first_are_the_nearest() {
        let similarities = Array1::from_vec(vec![0.5, 0.9, 0.5, 0.9, 0.5]);
        assert_eq!(nearest(similarities.view(), 1, 3), [3, 0, 2]);
    }

    #[test]
    fn of_few_texts_all_others_are_near() {
        let similarities = Array1::from_vec(vec![0.1, 0.2]);
        assert_eq!(nearest(similarities.view(), 0, 10), [1]);
        assert!(nearest(similarities.view(), 0, 0).is_empty());
    }
}
