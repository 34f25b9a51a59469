//! Vectors of two halves: a dense one, and a lexical one behind it.

use limbeck_encoder::{
    Embeddings, EncodeError, Encoder, EncoderInfo, LexicalHalf, SearchSide, normalise, shorten_into,
};

/// The width of the dense half of the encoder's vectors: all of them, where it has no lexical half.
pub fn dense_dimension(encoder: &dyn Encoder) -> usize {
    encoder.info().dimension - encoder.lexical().map_or(0, LexicalHalf::dimension)
}

/// The first `dimension` numbers of each dense half, scaled to the half's length again, and the `lexical` numbers
/// behind the dense half as they are. A zero vector stays zero.
pub fn truncated(vectors: Embeddings, dimension: usize, lexical: usize) -> Embeddings {
    let dense = vectors.dimension() - lexical;
    if dimension >= dense {
        return vectors;
    }
    let mut values = Vec::with_capacity(vectors.rows() * (dimension + lexical));
    vectors.iter().for_each(|row| shorten_into(row, dimension, lexical, &mut values));
    Embeddings::new(values, dimension + lexical)
}

/// How many of these vectors have a lexical half of zeros: those of texts without a word that the half knows.
pub fn texts_without_known_words(vectors: &Embeddings, half: &LexicalHalf) -> usize {
    let dense = vectors.dimension() - half.dimension();
    vectors.iter().filter(|row| row[dense..].iter().all(|&value| value == 0.0)).count()
}

/// What is said of `unknown` texts of `texts` that the lexical half of `model` knows no word of.
pub fn unknown_words_line(model: &str, unknown: usize, texts: usize) -> String {
    format!("{model}: {unknown} of {texts} texts have no word that the lexical half knows, and zeros in it")
}

/// An encoder whose dense half is cut to fewer numbers.
pub struct TruncatedEncoder {
    /// The encoder of the whole vectors.
    pub encoder: Box<dyn Encoder>,
    /// The number of values kept of each dense half.
    pub dimension: usize,
}

impl Encoder for TruncatedEncoder {
    fn encode(&self, texts: &[&str]) -> Result<Embeddings, EncodeError> {
        let lexical = self.lexical().map_or(0, LexicalHalf::dimension);
        Ok(truncated(self.encoder.encode(texts)?, self.dimension, lexical))
    }

    fn encode_side(&self, side: SearchSide, texts: &[&str]) -> Result<Embeddings, EncodeError> {
        let lexical = self.lexical().map_or(0, LexicalHalf::dimension);
        Ok(truncated(self.encoder.encode_side(side, texts)?, self.dimension, lexical))
    }

    fn info(&self) -> EncoderInfo {
        let whole = self.encoder.info();
        let dense = dense_dimension(&*self.encoder);
        EncoderInfo { dimension: whole.dimension - dense + dense.min(self.dimension), ..whole }
    }

    fn lexical(&self) -> Option<&LexicalHalf> {
        self.encoder.lexical()
    }
}

/// The dense half alone, of length 1: what is compared with a teacher's vectors.
pub struct DenseEncoder<'a>(pub &'a dyn Encoder);

impl Encoder for DenseEncoder<'_> {
    fn encode(&self, texts: &[&str]) -> Result<Embeddings, EncodeError> {
        let vectors = self.0.encode(texts)?;
        if self.0.lexical().is_none() {
            return Ok(vectors);
        }
        let dimension = dense_dimension(self.0);
        let mut values = Vec::with_capacity(vectors.rows() * dimension);
        for row in vectors.iter() {
            let start = values.len();
            values.extend_from_slice(&row[..dimension]);
            normalise(&mut values[start..]);
        }
        Ok(Embeddings::new(values, dimension))
    }

    fn info(&self) -> EncoderInfo {
        EncoderInfo { dimension: dense_dimension(self.0), ..self.0.info() }
    }
}

/// Another model's dense vectors with a student's lexical half beside them: a teacher's documents, so that they lie in
/// the space of the student's queries.
pub struct LexicalEncoder<'a> {
    /// The model of the dense vectors.
    pub dense: &'a dyn Encoder,
    /// The half.
    pub half: &'a LexicalHalf,
}

impl Encoder for LexicalEncoder<'_> {
    fn encode(&self, texts: &[&str]) -> Result<Embeddings, EncodeError> {
        Ok(self.half.beside(&self.dense.encode(texts)?, texts))
    }

    fn encode_side(&self, side: SearchSide, texts: &[&str]) -> Result<Embeddings, EncodeError> {
        Ok(self.half.beside(&self.dense.encode_side(side, texts)?, texts))
    }

    fn info(&self) -> EncoderInfo {
        let dense = self.dense.info();
        EncoderInfo { dimension: dense.dimension + self.half.dimension(), ..dense }
    }

    fn lexical(&self) -> Option<&LexicalHalf> {
        Some(self.half)
    }
}

#[cfg(test)]
mod tests {
    use limbeck_encoder::lexical::{DENSE_WEIGHT, LEXICAL_WEIGHT, LexicalTable};

    use super::*;
    use crate::measure::test_support::FakeEncoder;

    fn half() -> LexicalHalf {
        let words = ["cell", "wing"].map(String::from).to_vec();
        LexicalHalf::new(LexicalTable { words, rows: vec![0.0, 2.0, 3.0, 0.0], dimension: 2 }).unwrap()
    }

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
        assert_eq!(truncated(vectors.clone(), 2, 0).as_slice(), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(truncated(vectors.clone(), 3, 0), vectors);
    }

    #[test]
    fn a_lexical_half_stands_beside_another_models_vectors() {
        let (teacher, half) = (FakeEncoder::new(|_| vec![3.0, 4.0]), half());
        let both = LexicalEncoder { dense: &teacher, half: &half };
        let vectors = both.encode(&["wings", "unknown"]).unwrap();
        let dense = [0.6 * DENSE_WEIGHT, 0.8 * DENSE_WEIGHT];
        assert_eq!(vectors.row(0), [dense[0], dense[1], LEXICAL_WEIGHT, 0.0]);
        assert_eq!(vectors.row(1), [dense[0], dense[1], 0.0, 0.0]);
        assert_eq!((both.info().dimension, dense_dimension(&both)), (4, 2));
        assert_eq!(texts_without_known_words(&vectors, &half), 1);
    }

    #[test]
    fn truncation_shortens_the_dense_half_alone_and_keeps_the_weights() {
        struct Owned(LexicalHalf);
        impl Encoder for Owned {
            fn encode(&self, texts: &[&str]) -> Result<Embeddings, EncodeError> {
                Ok(self.0.beside(&Embeddings::new([0.6, 0.0, 0.8].repeat(texts.len()), 3), texts))
            }

            fn info(&self) -> EncoderInfo {
                EncoderInfo { dimension: 5, ..FakeEncoder::new(|_| vec![1.0]).info() }
            }

            fn lexical(&self) -> Option<&LexicalHalf> {
                Some(&self.0)
            }
        }
        let short = TruncatedEncoder { encoder: Box::new(Owned(half())), dimension: 2 };
        assert_eq!(short.encode(&["cells"]).unwrap().as_slice(), [DENSE_WEIGHT, 0.0, 0.0, LEXICAL_WEIGHT]);
        assert_eq!((short.info().dimension, short.lexical().is_some()), (4, true));
        let dense = DenseEncoder(&short);
        assert_eq!((dense.encode(&["cells"]).unwrap().as_slice(), dense.info().dimension), (&[1.0, 0.0][..], 2));
        assert!(dense.lexical().is_none());
    }
}
