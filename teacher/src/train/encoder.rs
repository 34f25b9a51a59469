//! A model in training as an encoder, to be measured on a dev set.

use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, Special, TokenBatch, Tokenizer};

use super::engine::BertInTraining;
use crate::backprop::Dropout;
use crate::batching;
use crate::{Error, Result};

/// The model as it is now, without dropout and with the head of inference.
pub(super) struct BertSnapshot<'a> {
    pub(super) model: BertInTraining<'a>,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) prefix: &'a str,
    pub(super) max_tokens: usize,
}

impl BertSnapshot<'_> {
    fn encode_tokens(&self, texts: &TokenBatch) -> Result<Embeddings> {
        let graph = if self.model.by_hand { None } else { Some(self.model.graph()?) };
        batching::encode(texts, self.model.config.hidden_size, |batch| match &graph {
            None => self.model.network(false).vectors(batch, &mut Dropout::none()),
            Some(graph) => {
                let rows = graph.pooled(batch, self.model.pooler)?.flatten_all().and_then(|rows| rows.to_vec1());
                rows.map_err(Error::candle("reading the vectors"))
            }
        })
    }
}

impl Encoder for BertSnapshot<'_> {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        let texts = (self.prefix, texts);
        let tokens = batching::tokenise(self.tokenizer, texts, Special::With, Some(self.max_tokens))?;
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
