//! The teacher's vector of every token: what a student's embeddings start from.

use limbeck_data::Interrupt;
use limbeck_data::cache::CacheWriter;
use limbeck_data::progress::Progress;
use limbeck_encoder::{Embeddings, Special, TokenBatch, Tokenizer};

use super::Teacher;
use crate::Result;
use crate::inference_error::InferenceError;

/// Encodes each token of the vocabulary alone, between the tokens that stand around every text, and then the empty text;
/// writes them and the tokenizer beside the shards.
pub(super) fn write(
    teacher: &dyn Teacher,
    writer: &mut CacheWriter,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<()> {
    let tokenizer = teacher.tokenizer();
    let frame = Frame::of(tokenizer, teacher.prefix()).map_err(InferenceError::from)?;
    let mut tokens = TokenBatch::new();
    let mut texts = Vec::with_capacity(tokenizer.vocabulary() + 1);
    for id in 0..tokenizer.vocabulary() as u32 {
        frame.around(id, &mut tokens);
        texts.push(tokenizer.token(id).unwrap_or_default());
    }
    tokens.push(teacher.tokenise(&[""])?.row(0));
    texts.push(String::new());

    let vectors = encode(teacher, &tokens, progress, interrupt)?;
    Ok(writer.write_tokens(tokenizer.json(), &texts, vectors.as_slice())?)
}

/// The vectors of the vocabulary's tokens.
pub(super) fn encode(
    teacher: &dyn Teacher,
    tokens: &TokenBatch,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Embeddings> {
    let bar = progress.stage("embed the vocabulary", Some(tokens.rows() as u64), "tokens");
    teacher.encode_tokens(tokens, &mut |rows| {
        bar.add(rows as u64);
        Ok(interrupt.check().map_err(limbeck_data::Error::from)?)
    })
}

/// What stands around a text's own tokens: special ones, and the prefix's.
pub(super) struct Frame {
    before: Vec<u32>,
    after: Vec<u32>,
}

impl Frame {
    pub fn of(tokenizer: &Tokenizer, prefix: &str) -> limbeck_encoder::Result<Self> {
        let ids = |text: &str, special| {
            let mut ids = Vec::new();
            tokenizer.encode_into(text, special, None, &mut ids).map(|()| ids)
        };
        // Of a probe with and without special tokens, what the former has more stands around.
        let (own, whole) = (ids("a", Special::Without)?, ids("a", Special::With)?);
        let start = (0..=whole.len().saturating_sub(own.len())).find(|&at| whole[at..].starts_with(&own)).unwrap_or(0);
        let mut before = whole[..start].to_vec();
        before.extend(ids(prefix, Special::Without)?);
        Ok(Self { before, after: whole[(start + own.len()).min(whole.len())..].to_vec() })
    }

    /// Adds the text whose only token of its own is `id`.
    pub fn around(&self, id: u32, to: &mut TokenBatch) {
        to.push_with(|ids| {
            ids.extend_from_slice(&self.before);
            ids.push(id);
            ids.extend_from_slice(&self.after);
        });
    }
}
