//! Rounding to int8.

/// The largest magnitude of an int8 number here. −128 is left out, so that the range is symmetric.
pub(super) const LARGEST: f32 = 127.0;

/// The greatest magnitude among `values`, 0 where there are none.
pub(super) fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// Writes `values / scale(index)` to `to`, rounded, ties to even; 0 where the scale is 0. (An ONNX export rounds ties
/// away from zero, see `limbeck_onnx::int8`: the two differ in the files' bytes.)
pub(super) fn quantise(values: &[f32], scale: impl Fn(usize) -> f32, to: &mut [i8]) {
    for (index, (value, to)) in values.iter().zip(to).enumerate() {
        let scale = scale(index);
        let number = if scale > 0.0 { (value / scale).round_ties_even() } else { 0.0 };
        *to = number.clamp(-LARGEST, LARGEST) as i8;
    }
}
