//! A student in candle as an [`Encoder`]: the reference that exports are compared with.

use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, Tokenizer};

use crate::config::StudentConfig;
use crate::error::{During, Result};
use crate::folder::StudentFolder;
use crate::graph::Graph;
use crate::model::TextCnn;
use crate::tokens::tokenise;

/// How many texts are pooled at once.
const BATCH: usize = 256;

/// A student that candle computes.
pub struct CandleStudent {
    student: StudentFolder,
    graph: Graph,
}

impl CandleStudent {
    /// Takes a student; on the CPU the folded graph computes, elsewhere the plain one.
    pub fn new(student: StudentFolder) -> Self {
        let graph = if student.model.device.is_cpu() { Graph::Folded } else { Graph::Plain };
        Self { student, graph }
    }
}

/// The vectors of `texts`, row after row.
pub(crate) fn embed(model: &TextCnn, tokenizer: &Tokenizer, graph: Graph, texts: &[&str]) -> Result<Vec<f32>> {
    let config = &model.config;
    let mut vectors = Vec::with_capacity(texts.len() * config.dimension);
    for texts in texts.chunks(BATCH) {
        let tokens = tokenise(tokenizer, texts, config.max_tokens, config.empty_token())?;
        let embedded = model.embed(&tokens, graph)?;
        vectors.extend(embedded.flatten_all().and_then(|t| t.to_vec1::<f32>()).during("encoding")?);
    }
    Ok(vectors)
}

/// What a student of this shape is as an encoder of candle's.
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
        let StudentFolder { model, tokenizer, .. } = &self.student;
        let vectors = embed(model, tokenizer, self.graph, texts)?;
        if let Some(at) = vectors.iter().position(|value| !value.is_finite()) {
            let row = at / model.config.dimension;
            return Err(format!("the vector of text {row} is not finite: the student's weights are too large").into());
        }
        Ok(Embeddings::new(vectors, model.config.dimension))
    }

    fn info(&self) -> EncoderInfo {
        info(&self.student.model.config)
    }
}
