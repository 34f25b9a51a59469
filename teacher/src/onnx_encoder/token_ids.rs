//! An [`OnnxEncoder`] as a [`TokenEncoder`].

use limbeck_encoder::{Embeddings, EncodeError, Special, TokenBatch, TokenEncoder};

use super::OnnxEncoder;
use crate::batching::TextInput;
use crate::embed::Teacher;

impl TokenEncoder for OnnxEncoder {
    fn ids_of(&self, texts: &[&str]) -> Result<TokenBatch, EncodeError> {
        Ok(self.tokenise(texts)?)
    }

    /// The prefix's ids stand before the text's own.
    fn ids_around(&self, own: &TokenBatch) -> Result<TokenBatch, EncodeError> {
        let input = TextInput { prefix: &self.prefix, lower_case: self.lower_case };
        let mut whole = input.tokenise(&self.tokenizer, &[""], Special::Without, None)?.row(0).to_vec();
        let prefix = whole.len();
        let mut batch = TokenBatch::new();
        for ids in own.iter() {
            whole.truncate(prefix);
            whole.extend_from_slice(ids);
            batch.push_with(|out| self.tokenizer.surround_into(&whole, self.model.special, self.max_tokens, out))?;
        }
        Ok(batch)
    }

    fn vocabulary(&self) -> usize {
        self.tokenizer.vocabulary()
    }

    fn encode_ids(&self, ids: &TokenBatch) -> Result<Embeddings, EncodeError> {
        Ok(self.encode_tokens(ids, &mut |_| Ok(()))?)
    }
}
