//! The kinds of teachers that an embed job takes.

use limbeck_data::Monitor;
use limbeck_encoder::{Embeddings, TokenBatch, Tokenizer};

use crate::Result;

/// An encoder that takes texts as tokens, so that tokenizing and inference can overlap.
pub trait Teacher: Sync {
    /// The width of its vectors.
    fn dimension(&self) -> usize;

    /// Its tokenizer.
    fn tokenizer(&self) -> &Tokenizer;

    /// Put before every text.
    fn prefix(&self) -> &str;

    /// Where texts are cut, in tokens, special ones included; `None` where none is cut.
    fn max_tokens(&self) -> Option<usize>;

    /// The ids that the model gets for `texts`, with the prefix and the special tokens around them.
    fn tokenise(&self, texts: &[&str]) -> Result<TokenBatch> {
        self.tokenise_after(self.prefix(), texts)
    }

    /// The ids that the model gets for `texts` with `prefix` in place of its own, and the special tokens around them.
    fn tokenise_after(&self, prefix: &str, texts: &[&str]) -> Result<TokenBatch>;

    /// The unit vectors of tokenised texts. `done` is called after each batch with its number of texts; its error ends
    /// the work.
    fn encode_tokens(&self, tokens: &TokenBatch, done: &mut dyn FnMut(usize) -> Result<()>) -> Result<Embeddings>;
}

/// An encoder that takes texts alone, such as one behind an API.
pub trait TextTeacher: Sync {
    /// The width of its vectors.
    fn dimension(&self) -> usize;

    /// The unit vectors of `texts`; the first has the place `first_row` among all texts. `done` is called after each
    /// batch with its number of texts; its error ends the work.
    fn encode_texts(
        &self,
        texts: &[&str],
        first_row: u64,
        monitor: Monitor,
        done: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Embeddings>;
}

/// What makes the vectors of an embed job.
#[derive(Clone, Copy)]
pub enum EmbedTeacher<'a> {
    /// A teacher that takes tokens.
    Tokens(&'a dyn Teacher),
    /// A teacher that takes texts.
    Texts(&'a dyn TextTeacher),
}

impl EmbedTeacher<'_> {
    /// The width of its vectors.
    pub fn dimension(&self) -> usize {
        match self {
            Self::Tokens(teacher) => teacher.dimension(),
            Self::Texts(teacher) => teacher.dimension(),
        }
    }
}
