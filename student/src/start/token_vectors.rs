//! The start from the teacher's token vectors.

use limbeck_data::cache::TokenVectors;

use super::{Start, token_weights};
use crate::directions::{inverse, principal_directions, project, scatter};
use crate::error::Result;

/// The start from the teacher's token vectors. As in Model2Vec, the vectors are centred, reduced to `width` by PCA and
/// weighted by smooth inverse frequency; unlike there, the PCA is over the tokens that occur, and the frequencies are
/// the text's own instead of Zipf's law.
///
/// `frequencies[id]` is the count of token `id` in the text. Row 0 of the table is padding and stays zero; the last row
/// is the empty text's.
pub fn from_token_vectors(vectors: &TokenVectors, frequencies: &[u64], width: usize) -> Result<Start> {
    let dimension = vectors.dimension;
    let rows = vectors.embeddings.len() / dimension;
    let occurs = |id: usize| frequencies.get(id).is_some_and(|&count| count > 0);
    let mut chosen: Vec<usize> = (1..rows).filter(|&id| occurs(id)).collect();
    if chosen.len() < 2 * width {
        chosen = (1..rows).collect();
    }
    let row = |id: usize| &vectors.embeddings[id * dimension..(id + 1) * dimension];
    let mut mean = vec![0f64; dimension];
    for &id in &chosen {
        mean.iter_mut().zip(row(id)).for_each(|(mean, &x)| *mean += f64::from(x));
    }
    let share = 1.0 / chosen.len().max(1) as f64;
    let mean: Vec<f32> = mean.iter().map(|&x| (x * share) as f32).collect();
    let centred = |ids: &[usize]| -> Vec<f32> {
        ids.iter().flat_map(|&id| row(id).iter().zip(&mean).map(|(&x, &m)| x - m)).collect()
    };
    let directions = principal_directions(&scatter(&centred(&chosen), dimension), dimension, width)?;
    let all: Vec<usize> = (0..rows).collect();
    let mut table = project(&centred(&all), &directions, dimension, width);
    for (row, weight) in table.chunks_exact_mut(width).zip(token_weights(frequencies, rows)) {
        row.iter_mut().for_each(|x| *x *= weight);
    }
    let empty_target = row(rows - 1).to_vec();
    Ok(Start { table, width, skip: inverse(&directions, dimension, width), dimension, empty_target })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_tokens_weigh_less_and_row_0_is_zero() {
        let embeddings = vec![9., 9., 1., 0., 0., 1., -1., 0., 0.5, 0.5];
        let vectors = TokenVectors { dimension: 2, texts: vec![String::new(); 5], embeddings };
        let start = from_token_vectors(&vectors, &[0, 1_000, 1_000, 1, 0], 2).unwrap();
        let length = |id: usize| start.table[id * 2..id * 2 + 2].iter().map(|x| x * x).sum::<f32>().sqrt();
        assert_eq!(length(0), 0.0);
        assert!(length(3) > 100.0 * length(1), "{} {}", length(3), length(1));
        assert_eq!(start.empty_target, [0.5, 0.5]);
    }
}
