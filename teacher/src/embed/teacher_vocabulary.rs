//! The teacher's vector of each of its tokens, from which a student's embeddings start.

use limbeck_data::Monitor;
use limbeck_data::cache::CacheWriter;
use limbeck_encoder::{Embeddings, Special, TokenBatch, Tokenizer};

use super::teacher::Teacher;
use crate::Result;

/// Encodes each token of the vocabulary alone, between the tokens that stand around every text, and then the empty
/// text; writes the vectors and the tokenizer beside the shards.
pub(super) fn write(teacher: &dyn Teacher, writer: &mut CacheWriter, monitor: Monitor) -> Result<()> {
    let tokenizer = teacher.tokenizer();
    let surroundings = Surroundings::of(tokenizer, teacher.prefix())?;
    let mut tokens = TokenBatch::new();
    for id in 0..tokenizer.vocabulary() as u32 {
        surroundings.push(id, &mut tokens);
    }
    tokens.push(teacher.tokenise(&[""])?.row(0));

    let vectors = encode(teacher, &tokens, monitor)?;
    Ok(writer.write_tokens(tokenizer.json(), &names(tokenizer), vectors.as_slice())?)
}

/// The tokens of a vocabulary, in order of id, and the empty text, which stands after them.
pub(super) fn names(tokenizer: &Tokenizer) -> Vec<String> {
    let tokens = (0..tokenizer.vocabulary() as u32).map(|id| tokenizer.token(id).unwrap_or_default());
    tokens.chain([String::new()]).collect()
}

/// The vectors of the tokens of a vocabulary.
pub(super) fn encode(teacher: &dyn Teacher, tokens: &TokenBatch, monitor: Monitor) -> Result<Embeddings> {
    let bar = monitor.stage("embed the vocabulary", Some(tokens.rows() as u64), "tokens");
    teacher.encode_tokens(tokens, &mut |rows| {
        bar.add(rows as u64);
        Ok(monitor.check()?)
    })
}

/// The tokens before and after a text's own: the special tokens, and those of the prefix.
pub(super) struct Surroundings {
    before: Vec<u32>,
    after: Vec<u32>,
}

impl Surroundings {
    pub(super) fn of(tokenizer: &Tokenizer, prefix: &str) -> limbeck_encoder::Result<Self> {
        let ids = |text: &str, special| {
            let mut ids = Vec::new();
            tokenizer.encode_into(text, special, None, &mut ids).map(|()| ids)
        };
        // A short text without and with special tokens: the additional ids surround it.
        let (own, whole) = (ids("a", Special::Without)?, ids("a", Special::With)?);
        let start = (0..=whole.len().saturating_sub(own.len())).find(|&at| whole[at..].starts_with(&own)).unwrap_or(0);
        let mut before = whole[..start].to_vec();
        before.extend(ids(prefix, Special::Without)?);
        Ok(Self { before, after: whole[(start + own.len()).min(whole.len())..].to_vec() })
    }

    /// Adds the text whose only token of its own is `id`.
    pub(super) fn push(&self, id: u32, to: &mut TokenBatch) {
        to.push_with(|ids| {
            ids.extend_from_slice(&self.before);
            ids.push(id);
            ids.extend_from_slice(&self.after);
        });
    }
}
