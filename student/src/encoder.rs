//! A student in candle as an [`Encoder`]: the reference that exports are compared with.

use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo};

use crate::error::{During, Result};
use crate::folder::StudentFolder;
use crate::graph::Graph;
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

    /// The same with the graph named.
    pub fn with_graph(student: StudentFolder, graph: Graph) -> Self {
        Self { student, graph }
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<f32>> {
        let config = &self.student.model.config;
        let mut vectors = Vec::with_capacity(texts.len() * config.dimension);
        for texts in texts.chunks(BATCH) {
            let tokens = tokenise(&self.student.tokenizer, texts, config.max_tokens, config.empty_token())?;
            let embedded = self.student.model.embed(&tokens, self.graph)?;
            vectors.extend(embedded.flatten_all().and_then(|t| t.to_vec1::<f32>()).during("encoding")?);
        }
        Ok(vectors)
    }
}

impl Encoder for CandleStudent {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        Ok(Embeddings::new(self.embed(texts)?, self.student.model.config.dimension))
    }

    fn info(&self) -> EncoderInfo {
        let config = &self.student.model.config;
        EncoderInfo {
            dimension: config.dimension,
            parameters: config.parameters(),
            bytes: config.parameters() * 4,
            engine: "candle",
            precision: "f32",
            threads: rayon::current_num_threads(),
        }
    }
}
