//! Text to the tokens that a student sees.

use limbeck_encoder::{Special, TokenBatch, Tokenizer};

use crate::error::Result;

/// The tokens of each text without special tokens, at most `max_tokens`; a text without any token gets `empty_token`.
pub(crate) fn tokenise(
    tokenizer: &Tokenizer,
    texts: &[&str],
    max_tokens: Option<usize>,
    empty_token: u32,
) -> Result<TokenBatch> {
    let tokens = tokenizer.encode_batch(texts, Special::Without, max_tokens)?;
    let empty = [empty_token];
    Ok(tokens.iter().map(|row| if row.is_empty() { &empty } else { row }).collect())
}
