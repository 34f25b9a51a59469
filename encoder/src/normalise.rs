//! Vectors of length 1.

/// Scales `row` to length 1, in f64. Returns `false` and changes nothing where the row has no direction: all its values
/// are zero, or one is not finite.
///
/// A folded student normalises in f32 (`folded::math`): its bits are fixed by other rules.
///
/// ```
/// let mut row = [3.0, -4.0];
/// assert!(limbeck_encoder::normalise(&mut row));
/// assert_eq!(row, [0.6, -0.8]);
/// ```
pub fn normalise(row: &mut [f32]) -> bool {
    let length = row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    let has_direction = length > 0.0 && length.is_finite();
    if has_direction {
        row.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
    has_direction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_a_direction_stays() {
        for row in [[0.0, 0.0], [f32::INFINITY, 1.0]] {
            let mut normalised = row;
            assert!(!normalise(&mut normalised));
            assert_eq!(normalised, row);
        }
        assert!(!normalise(&mut [f32::NAN, 1.0]));
    }
}
