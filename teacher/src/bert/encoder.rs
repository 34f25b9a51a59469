//! [`BertEncoder`]: a BERT in candle that takes text.

use candle_core::{DType, Device};
use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, Special, TokenBatch, Tokenizer};

use super::{Bert, numbers};
use crate::batching::TextInput;
use crate::{Error, Result, TeacherFolder, batching};

/// A BERT in candle with its tokenizer and pooler: texts in, unit vectors out.
pub struct BertEncoder {
    bert: Bert,
    tokenizer: Tokenizer,
    folder: TeacherFolder,
    info: EncoderInfo,
}

impl BertEncoder {
    /// Loads the model in `folder` onto `device`, with the folder's pooler, prefix and longest input.
    pub fn load(folder: &TeacherFolder, device: &Device, dtype: DType) -> Result<Self> {
        folder.weights.check_pooler(folder.pooler)?;
        let bert = Bert::load(folder, device, dtype)?;
        let info = EncoderInfo {
            dimension: folder.dimension()?,
            parameters: folder.weights.parameters(),
            bytes: folder.weights.bytes(),
            engine: "candle",
            precision: dtype.as_str(),
            threads: candle_core::utils::get_num_threads(),
        };
        Ok(Self { bert, tokenizer: folder.open_tokenizer()?, folder: folder.clone(), info })
    }

    /// Encodes texts that are tokenized already, special tokens included. No prefix is added.
    pub fn encode_tokens(&self, texts: &TokenBatch) -> Result<Embeddings> {
        let vectors = batching::encode(texts, self.info.dimension, |batch| self.vectors(batch))?;
        let broken = vectors.iter().position(|vector| !vector.iter().all(|value| value.is_finite()));
        match broken {
            Some(row) => Err(Error::NotFinite { path: self.folder.weights.path().to_owned(), row }),
            None => Ok(vectors),
        }
    }
}

impl BertEncoder {
    /// The vectors of a batch, through the whole head.
    fn vectors(&self, batch: &TokenBatch) -> Result<Vec<f32>> {
        let TeacherFolder { pooler, head, config, .. } = &self.folder;
        let poolers = std::iter::once(pooler).chain(&head.also);
        let pooled = poolers.map(|&pooler| numbers(&self.bert.pooled(batch, pooler)?)).collect::<Result<Vec<_>>>()?;
        let width = config.hidden_size;
        let mut joined = Vec::with_capacity(batch.rows() * width * pooled.len());
        for row in 0..batch.rows() {
            pooled.iter().for_each(|vectors| joined.extend_from_slice(&vectors[row * width..(row + 1) * width]));
        }
        Ok(head.apply(joined, width * pooled.len()))
    }
}

impl Encoder for BertEncoder {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        let input = TextInput { prefix: &self.folder.prefix, lower_case: self.folder.lower_case };
        let tokens = input.tokenise(&self.tokenizer, texts, Special::With, Some(self.folder.max_tokens))?;
        Ok(self.encode_tokens(&tokens)?)
    }

    fn info(&self) -> EncoderInfo {
        self.info.clone()
    }
}
