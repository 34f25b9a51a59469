//! Vectors for output: truncated to fewer dimensions, and in a narrower type.

pub use limbeck_data::VectorType;
use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, SearchSide, normalise};

/// 127 times each value, rounded; NaN becomes 0.
pub fn int8(row: &[f32]) -> impl Iterator<Item = i8> {
    row.iter().map(|value| (value * 127.0).round() as i8)
}

/// The signs of eight values a byte, see [`VectorType::Binary`].
pub fn binary(row: &[f32]) -> impl Iterator<Item = u8> {
    row.chunks(8)
        .map(|eight| eight.iter().enumerate().fold(0, |byte, (at, &value)| byte | u8::from(value > 0.0) << (7 - at)))
}

/// The first `dimension` values of each vector, scaled to length 1 again; a zero vector stays zero.
pub fn truncated(vectors: Embeddings, dimension: usize) -> Embeddings {
    if dimension >= vectors.dimension() {
        return vectors;
    }
    let mut values = Vec::with_capacity(vectors.rows() * dimension);
    for row in vectors.iter() {
        let start = values.len();
        values.extend_from_slice(&row[..dimension]);
        normalise(&mut values[start..]);
    }
    Embeddings::new(values, dimension)
}

/// An encoder whose vectors are truncated.
pub struct TruncatedEncoder {
    /// The encoder of the whole vectors.
    pub encoder: Box<dyn Encoder>,
    /// The number of values kept of each vector.
    pub dimension: usize,
}

impl Encoder for TruncatedEncoder {
    fn encode(&self, texts: &[&str]) -> Result<Embeddings, EncodeError> {
        Ok(truncated(self.encoder.encode(texts)?, self.dimension))
    }

    fn encode_side(&self, side: SearchSide, texts: &[&str]) -> Result<Embeddings, EncodeError> {
        Ok(truncated(self.encoder.encode_side(side, texts)?, self.dimension))
    }

    fn info(&self) -> EncoderInfo {
        let whole = self.encoder.info();
        EncoderInfo { dimension: whole.dimension.min(self.dimension), ..whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::FakeEncoder;

    #[test]
    fn a_truncated_encoder_gives_the_first_values_and_their_dimension() {
        let encoder = FakeEncoder::new(|text| vec![text.len() as f32, 4.0, 9.0]);
        let short = TruncatedEncoder { encoder: Box::new(encoder), dimension: 2 };
        assert_eq!(short.encode(&["abc"]).unwrap().as_slice(), [0.6, 0.8]);
        assert_eq!(short.info().dimension, 2);
    }

    #[test]
    fn a_truncated_vector_has_length_one_again() {
        let vectors = Embeddings::new(vec![0.6, 0.0, 0.8, 0.0, 0.0, 1.0], 3);
        assert_eq!(truncated(vectors.clone(), 2).as_slice(), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(truncated(vectors.clone(), 3), vectors);
    }

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
