//! A [`Student`] as a [`TokenEncoder`].

use super::student::{BLOCK, Student};
use crate::{Embeddings, EncodeError, Special, TokenBatch, TokenEncoder};

impl TokenEncoder for Student {
    fn ids_of(&self, texts: &[&str]) -> Result<TokenBatch, EncodeError> {
        let (tokenizer, most) = (self.tokenizer(), self.max_tokens());
        if let Some(pool) = self.pool.as_ref().filter(|_| texts.len() > BLOCK) {
            return Ok(pool.install(|| tokenizer.encode_batch(texts, Special::Without, most))?);
        }
        let mut batch = TokenBatch::new();
        for text in texts {
            batch.push_with(|ids| tokenizer.encode_into(text, Special::Without, most, ids))?;
        }
        Ok(batch)
    }

    fn ids_around(&self, own: &TokenBatch) -> Result<TokenBatch, EncodeError> {
        let most = self.max_tokens().unwrap_or(usize::MAX);
        Ok(own.iter().map(|ids| &ids[..ids.len().min(most)]).collect())
    }

    fn vocabulary(&self) -> usize {
        Student::vocabulary(self)
    }

    fn encode_ids(&self, ids: &TokenBatch) -> Result<Embeddings, EncodeError> {
        Ok(self.encode_tokens(ids)?)
    }
}
