//! Alignment and uniformity (Wang and Isola 2020, "Understanding contrastive representation learning through alignment
//! and uniformity on the hypersphere"): how near texts of one meaning lie, and how evenly all texts cover the sphere.
//! Lower is better for both.

use limbeck_encoder::Embeddings;
use ndarray::Axis;

use super::sample;
use super::similarity::{cosine, unit_rows};

/// Uniformity of more vectors than this is measured on a sample; 4,096 vectors have 8 million pairs.
pub const UNIFORMITY_ROWS: usize = 4_096;

const SEED: u64 = 0x5ace;

/// Alignment with α = 2: the mean of ‖x - y‖² over `pairs` of equal meaning, each vector scaled to length 1; 0 to 4.
///
/// `None` without a pair.
pub fn alignment<'a>(pairs: impl IntoIterator<Item = (&'a [f32], &'a [f32])>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0usize);
    for (x, y) in pairs {
        sum += 2.0 - 2.0 * cosine(x, y);
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

/// Uniformity with t = 2: ln of the mean of exp(-2‖x - y‖²) over all pairs of different rows, each scaled to length 1;
/// -8 to 0.
///
/// Of more than [`UNIFORMITY_ROWS`] rows a fixed sample of that many is taken. `None` with fewer than two.
pub fn uniformity(vectors: &Embeddings) -> Option<f64> {
    let mut rows = unit_rows(vectors);
    if rows.nrows() > UNIFORMITY_ROWS {
        rows = rows.select(Axis(0), &sample::indices(rows.nrows(), UNIFORMITY_ROWS, SEED));
    }
    limbeck_training::space::uniformity(rows.view())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::{golden, word_vector};

    fn golden_rows(name: &str) -> Embeddings {
        let rows: Vec<Vec<f32>> = serde_json::from_value(golden()["inputs"][name].clone()).unwrap();
        Embeddings::new(rows.concat(), rows[0].len())
    }

    #[test]
    fn alignment_and_uniformity_equal_torch() {
        let (h1, h2) = (golden_rows("h1"), golden_rows("h2"));
        let expected = |name: &str| golden()[name].as_f64().unwrap();
        assert!((alignment(h1.iter().zip(h2.iter())).unwrap() - expected("alignment")).abs() < 1e-6);
        assert!((uniformity(&h1).unwrap() - expected("uniformity_h1")).abs() < 1e-5);
    }

    #[test]
    fn several_blocks_count_each_pair_once() {
        let n = 515;
        let vectors = Embeddings::new((0..n).flat_map(|i| word_vector(&i.to_string(), 8)).collect(), 8);
        let mut sum = 0.0;
        for i in 0..n {
            for j in 0..i {
                sum += (-4.0 * (1.0 - cosine(vectors.row(i), vectors.row(j)))).exp();
            }
        }
        let expected = (sum / (n * (n - 1) / 2) as f64).ln();
        assert!((uniformity(&vectors).unwrap() - expected).abs() < 1e-5);
    }

    #[test]
    fn a_sample_stands_for_many_rows() {
        let vectors = |n: usize| Embeddings::new((0..n).flat_map(|i| word_vector(&i.to_string(), 8)).collect(), 8);
        let sampled = uniformity(&vectors(UNIFORMITY_ROWS + 500)).unwrap();
        assert_eq!(sampled, uniformity(&vectors(UNIFORMITY_ROWS + 500)).unwrap());
        assert!((sampled - uniformity(&vectors(UNIFORMITY_ROWS)).unwrap()).abs() < 0.05);
    }

    #[test]
    fn a_collapsed_space_is_aligned_and_not_uniform() {
        let same = Embeddings::new([0.3, -0.4, 0.5].repeat(5), 3);
        assert!(alignment(same.iter().zip(same.iter())).unwrap().abs() < 1e-6);
        assert!(uniformity(&same).unwrap().abs() < 1e-6);
        assert_eq!(alignment([]), None);
        assert_eq!(uniformity(&Embeddings::new(vec![1.0], 1)), None);
    }

    #[test]
    fn a_zero_vector_gives_a_finite_figure() {
        let vectors = Embeddings::new(vec![0.0, 0.0, 1.0, 0.0], 2);
        assert!(uniformity(&vectors).unwrap().is_finite());
        assert_eq!(alignment([(vectors.row(0), vectors.row(1))]), Some(2.0));
    }
}
