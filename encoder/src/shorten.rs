//! Shorter vectors: the first numbers of a vector, of its length again.

use crate::{lexical::DENSE_WEIGHT, normalise};

/// Appends to `out` the first `dimension` numbers of `row`'s dense half, scaled to the half's length, and the `lexical`
/// numbers behind the dense half as they are. A vector of zeros stays zero; a row that is no wider is copied.
///
/// ```
/// let mut short = Vec::new();
/// limbeck_encoder::shorten_into(&[3.0, 4.0, 12.0], 2, 0, &mut short);
/// assert_eq!(short, [0.6, 0.8]);
/// ```
///
/// # Panics
/// When `row` has fewer than `lexical` numbers.
pub fn shorten_into(row: &[f32], dimension: usize, lexical: usize, out: &mut Vec<f32>) {
    let dense = row.len() - lexical;
    if dimension >= dense {
        out.extend_from_slice(row);
        return;
    }
    let start = out.len();
    out.extend_from_slice(&row[..dimension]);
    normalise(&mut out[start..]);
    if lexical > 0 {
        out[start..].iter_mut().for_each(|value| *value *= DENSE_WEIGHT);
    }
    out.extend_from_slice(&row[dense..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lexical_half_stays_whole_beside_a_shorter_dense_half() {
        let mut short = vec![7.0];
        shorten_into(&[0.3, 0.4, 0.5, 0.25], 2, 1, &mut short);
        assert_eq!(short, [7.0, 0.6 * DENSE_WEIGHT, 0.8 * DENSE_WEIGHT, 0.25]);
    }

    #[test]
    fn a_row_that_is_no_wider_and_a_row_of_zeros_stay() {
        let mut out = Vec::new();
        shorten_into(&[0.36, 0.48], 2, 0, &mut out);
        shorten_into(&[0.0, 0.0, 1.0], 2, 0, &mut out);
        assert_eq!(out, [0.36, 0.48, 0.0, 0.0]);
    }
}
