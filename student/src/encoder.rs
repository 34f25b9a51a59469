//! A student in candle as an [`Encoder`]: the reference that exports are compared with.

use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, LexicalHalf, Tokenizer};

use crate::config::StudentConfig;
use crate::error::{Error, Result};
use crate::folder::StudentFolder;
use crate::graph::Backend;
use crate::model::TextCnn;
use crate::tokenise::tokenise;

/// The texts that are pooled at once.
const BATCH: usize = 256;

/// A student that candle computes.
pub struct CandleStudent {
    student: StudentFolder,
    backend: Backend,
}

impl CandleStudent {
    /// An encoder of `student`, with the faster backend of its device.
    pub fn new(student: StudentFolder) -> Self {
        let backend = Backend::of(&student.model.device);
        Self { student, backend }
    }
}

/// The vectors of `texts`, row after row.
pub(crate) fn embed(model: &TextCnn, tokenizer: &Tokenizer, backend: Backend, texts: &[&str]) -> Result<Vec<f32>> {
    let config = &model.config;
    let mut vectors = Vec::with_capacity(texts.len() * config.dimension);
    for texts in texts.chunks(BATCH) {
        let tokens = tokenise(tokenizer, texts, config.max_tokens, config.empty_token())?;
        let embedded = model.embed(&tokens, backend)?.flatten_all().and_then(|all| all.to_vec1::<f32>());
        vectors.extend(embedded.map_err(Error::tensor("encoding"))?);
    }
    Ok(vectors)
}

/// Refuses a vector that isn't finite among `vectors`, the first of which is that of the row `first`.
pub(crate) fn refuse_not_finite(vectors: &[f32], dimension: usize, first: usize) -> Result<()> {
    match vectors.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(Error::NotFiniteVector { row: first + at / dimension }),
        None => Ok(()),
    }
}

/// The description of a student of this shape as an encoder in candle.
pub(crate) fn info(config: &StudentConfig) -> EncoderInfo {
    EncoderInfo {
        dimension: config.dimension,
        parameters: config.parameters(),
        bytes: config.parameters() * 4,
        engine: "candle",
        precision: "f32",
        threads: rayon::current_num_threads(),
    }
}

impl Encoder for CandleStudent {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        let StudentFolder { model, tokenizer, lexical, .. } = &self.student;
        let vectors = embed(model, tokenizer, self.backend, texts)?;
        refuse_not_finite(&vectors, model.config.dimension, 0)?;
        let dense = Embeddings::new(vectors, model.config.dimension);
        Ok(match lexical {
            Some(half) => half.beside(&dense, texts),
            None => dense,
        })
    }

    fn info(&self) -> EncoderInfo {
        let dense = info(&self.student.model.config);
        let Some(half) = self.lexical() else { return dense };
        let parameters = dense.parameters + (half.words() * half.dimension()) as u64;
        EncoderInfo { dimension: dense.dimension + half.dimension(), parameters, bytes: parameters * 4, ..dense }
    }

    fn lexical(&self) -> Option<&LexicalHalf> {
        self.student.lexical.as_ref()
    }
}
