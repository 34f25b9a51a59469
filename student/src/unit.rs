//! Vectors of length 1.

/// Scales `row` to length 1, in f64. Returns `false` and changes nothing where the row has no direction: all zeros, or
/// values that aren't finite.
pub(crate) fn to_unit(row: &mut [f32]) -> bool {
    let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let is_direction = length > 0.0 && length.is_finite();
    if is_direction {
        row.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
    is_direction
}
