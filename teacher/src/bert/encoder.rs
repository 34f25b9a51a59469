//! [`BertEncoder`]: a BERT in candle that takes text.

use std::path::PathBuf;

use candle_core::{DType, Device};
use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, Special, TokenBatch, Tokenizer};

use super::Bert;
use crate::batching;
use crate::inference_error::InferenceError;
use crate::{Error, Pooler, Result, TeacherFolder};

/// A BERT in candle with its tokenizer and pooler: texts in, unit vectors out.
pub struct BertEncoder {
    bert: Bert,
    tokenizer: Tokenizer,
    pooler: Pooler,
    prefix: String,
    max_tokens: usize,
    info: EncoderInfo,
    /// The file of weights, for errors.
    path: PathBuf,
}

impl BertEncoder {
    /// Loads the model in `folder` onto `device`, with the folder's pooler, prefix and longest input.
    pub fn load(folder: &TeacherFolder, device: &Device, dtype: DType) -> Result<Self> {
        folder.weights.check_pooler(folder.pooler)?;
        let bert = Bert::load(folder, device, dtype)?;
        let info = EncoderInfo {
            dimension: folder.config.hidden_size,
            parameters: folder.weights.parameters(),
            bytes: folder.weights.bytes(),
            engine: "candle",
            precision: dtype.as_str(),
            threads: candle_core::utils::get_num_threads(),
        };
        Ok(Self {
            bert,
            tokenizer: Tokenizer::from_file(&folder.tokenizer)?,
            pooler: folder.pooler,
            prefix: folder.prefix.clone(),
            max_tokens: folder.max_tokens,
            info,
            path: folder.weights.path().to_owned(),
        })
    }

    /// Encodes texts that are tokenized already, special tokens included. No prefix is added.
    pub fn encode_tokens(&self, texts: &TokenBatch) -> Result<Embeddings> {
        let vectors = batching::encode(texts, self.info.dimension, |batch| {
            let pooled = self.bert.pooled(batch, self.pooler)?;
            let rows = pooled.to_dtype(DType::F32).and_then(|pooled| pooled.flatten_all()?.to_vec1());
            rows.map_err(Error::candle("reading the vectors"))
        })?;
        let broken = vectors.iter().position(|vector| !vector.iter().all(|value| value.is_finite()));
        match broken {
            Some(row) => Err(InferenceError::NotFinite { path: self.path.clone(), row }.into()),
            None => Ok(vectors),
        }
    }
}

impl Encoder for BertEncoder {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        let texts = (&self.prefix[..], texts);
        let tokens = batching::tokenise(&self.tokenizer, texts, Special::With, Some(self.max_tokens))?;
        Ok(self.encode_tokens(&tokens)?)
    }

    fn info(&self) -> EncoderInfo {
        self.info.clone()
    }
}
