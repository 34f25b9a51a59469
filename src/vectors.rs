//! Vectors for output, in a narrower type.

pub use limbeck_data::VectorType;

/// 127 times each value, rounded; NaN becomes 0.
pub fn int8(row: &[f32]) -> impl Iterator<Item = i8> {
    row.iter().map(|value| (value * 127.0).round() as i8)
}

/// The signs of eight values a byte, see [`VectorType::Binary`].
pub fn binary(row: &[f32]) -> impl Iterator<Item = u8> {
    let (eights, rest) = row.as_chunks::<8>();
    let byte = |values: &[f32]| {
        values.iter().enumerate().fold(0, |byte, (at, &value)| byte | u8::from(value > 0.0) << (7 - at))
    };
    // A whole chunk has a known length, which the compiler unrolls.
    eights.iter().map(move |eight| byte(eight)).chain((!rest.is_empty()).then(|| byte(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int8_values_are_rounded() {
        assert_eq!(int8(&[1.0, -1.0, 0.0, 0.006, f32::NAN]).collect::<Vec<_>>(), [127, -127, 0, 1, 0]);
    }

    #[test]
    fn bits_are_packed_from_the_highest() {
        let row = [0.1, -0.1, 0.0, 0.2, 0.0, 0.0, 0.0, 0.3, 0.4, -1.0];
        assert_eq!(binary(&row).collect::<Vec<_>>(), [0b1001_0001, 0b1000_0000]);
    }
}
