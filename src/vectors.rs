//! Vectors for output: truncated to fewer dimensions, and in a narrower type.

use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo};

/// The type of the values of output vectors, which are converted from unit vectors in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VectorType {
    /// Unchanged.
    #[default]
    F32,
    /// Rounded to f16.
    F16,
    /// 127 times the value, rounded; a cosine of such vectors needs no scale.
    Int8,
    /// A bit a value, 1 above 0; eight bits a byte, the first in the highest bit, the last byte filled with zeros. This is
    /// NumPy's `packbits`, and `ubinary` of sentence-transformers' `quantize_embeddings`.
    Binary,
}

impl VectorType {
    /// All types, the widest first.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Int8, Self::Binary];

    /// `f32`, `f16`, `int8` or `binary`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
            Self::Binary => "binary",
        }
    }

    /// NumPy's name of the type.
    pub fn numpy(self) -> &'static str {
        match self {
            Self::F32 => "<f4",
            Self::F16 => "<f2",
            Self::Int8 => "|i1",
            Self::Binary => "|u1",
        }
    }

    /// The number of stored values of a vector of `dimension`: bytes of a binary one.
    pub fn width(self, dimension: usize) -> usize {
        match self {
            Self::Binary => dimension.div_ceil(8),
            _ => dimension,
        }
    }
}

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
        let row = &row[..dimension];
        let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let inverse = if length > 0.0 { length.recip() } else { 0.0 };
        values.extend(row.iter().map(|&x| (f64::from(x) * inverse) as f32));
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

    fn info(&self) -> EncoderInfo {
        let whole = self.encoder.info();
        EncoderInfo { dimension: whole.dimension.min(self.dimension), ..whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::fixtures::FakeEncoder;

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

    #[test]
    fn a_binary_vector_takes_a_byte_for_eight_values() {
        assert_eq!((VectorType::Binary.width(10), VectorType::Int8.width(10)), (2, 10));
    }
}
