//! Vectors for output, in a narrower type.

pub use limbeck_data::VectorType;

/// 127 times each value, rounded; NaN becomes 0.
pub fn int8(row: &[f32]) -> impl Iterator<Item = i8> {
    row.iter().map(|value| (value * 127.0).round() as i8)
}

/// The signs of eight values a byte, see [`VectorType::Binary`]. `signs` is memory to work in.
pub fn binary<'a>(row: &[f32], signs: &'a mut Vec<u8>) -> impl Iterator<Item = u8> + use<'a> {
    signs.clear();
    // In a loop of its own, which the compiler turns into comparisons of many values at once.
    signs.extend(row.iter().map(|&value| u8::from(value > 0.0)));
    signs.resize(row.len().next_multiple_of(8), 0);
    let (eights, _) = signs.as_chunks::<8>();
    eights.iter().map(|&eight| packed(eight))
}

/// Eight bits, each in a byte of its own, as one byte, the first bit highest: the product moves bit `i` from `8 * i` to
/// `63 - i`, and no two of its terms meet.
fn packed(bits: [u8; 8]) -> u8 {
    (u64::from_le_bytes(bits).wrapping_mul(0x8040_2010_0804_0201) >> 56) as u8
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
        assert_eq!(binary(&row, &mut vec![1; 20]).collect::<Vec<_>>(), [0b1001_0001, 0b1000_0000]);
    }

    #[test]
    fn every_byte_of_bits_is_packed_in_its_order() {
        for byte in 0..=u8::MAX {
            let row: Vec<f32> = (0..8).map(|at| if byte >> (7 - at) & 1 == 1 { 0.5 } else { -0.5 }).collect();
            assert_eq!(binary(&row, &mut Vec::new()).collect::<Vec<_>>(), [byte]);
        }
    }
}
