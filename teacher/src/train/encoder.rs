//! A model in training as an encoder, to be looked at on a dev set.

use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, Special, TokenBatch, Tokenizer};

use super::engine::Model;
use crate::backprop::Dropout;
use crate::batching::Batches;
use crate::{BATCH_TOKENS, Error, Result};

/// The model as it is now, without dropout and with the head of inference.
pub struct Snapshot<'a> {
    pub model: Model<'a>,
    pub tokenizer: &'a Tokenizer,
    pub prefix: &'a str,
    pub max_tokens: usize,
}

impl Snapshot<'_> {
    fn encode_tokens(&self, texts: &TokenBatch) -> Result<Embeddings> {
        let width = self.model.config.hidden_size;
        let graph = if self.model.by_hand { None } else { Some(self.model.graph()?) };
        let mut vectors = vec![0f32; texts.rows() * width];
        for places in Batches::plan(texts, BATCH_TOKENS).iter() {
            let batch: TokenBatch = places.iter().map(|&place| texts.row(place)).collect();
            let rows: Vec<f32> = match &graph {
                None => self.model.network(false).vectors(&batch, &mut Dropout::none())?,
                Some(graph) => {
                    let pooled = graph.pooled(&batch, self.model.pooler)?;
                    pooled
                        .flatten_all()
                        .and_then(|rows| rows.to_vec1())
                        .map_err(Error::candle("reading the vectors"))?
                }
            };
            for (&place, row) in places.iter().zip(rows.chunks_exact(width)) {
                let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
                let to = &mut vectors[place * width..(place + 1) * width];
                to.iter_mut().zip(row).for_each(|(to, x)| *to = x / length);
            }
        }
        Ok(Embeddings::new(vectors, width))
    }
}

impl Encoder for Snapshot<'_> {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        let prefixed: Vec<String> = texts.iter().map(|text| format!("{}{text}", self.prefix)).collect();
        let texts: Vec<&str> = prefixed.iter().map(String::as_str).collect();
        let tokens = self.tokenizer.encode_batch(&texts, Special::With, Some(self.max_tokens))?;
        Ok(self.encode_tokens(&tokens)?)
    }

    fn info(&self) -> EncoderInfo {
        let parameters = self.model.parameters.iter().map(|(_, variable)| variable.elem_count() as u64).sum();
        EncoderInfo {
            dimension: self.model.config.hidden_size,
            parameters,
            bytes: 4 * parameters,
            engine: "candle",
            precision: "f32",
            threads: rayon::current_num_threads(),
        }
    }
}
