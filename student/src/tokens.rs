//! Text as a student sees it.

use limbeck_encoder::{Special, TokenBatch, Tokenizer};

use crate::error::Result;

/// The tokens of `texts` without special ones, at most `max_tokens` each; a text without any gets `empty_token`.
pub fn tokenise(
    tokenizer: &Tokenizer,
    texts: &[&str],
    max_tokens: Option<usize>,
    empty_token: u32,
) -> Result<TokenBatch> {
    let tokens = tokenizer.encode_batch(texts, Special::Without, max_tokens)?;
    let empty = [empty_token];
    Ok(tokens.iter().map(|row| if row.is_empty() { &empty } else { row }).collect())
}
