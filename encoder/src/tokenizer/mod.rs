//! Text to token ids.
//!
//! `tokenizers` is the reference, and its ids are what comes out, always. For BERT's WordPiece `fast.rs` gives most of
//! them, many times faster: ASCII text in one pass that allocates nothing, and by `tokie`'s normaliser other texts of
//! characters that it is known to treat as the reference does; and only where at load time it agrees with the reference on
//! a list of probe texts. Every other text, and every other kind of tokenizer, goes to the reference.
//!
//! A text of more than 16 KiB goes through in pieces where that can be done exactly: with BERT's normaliser and pre-tokenizer no
//! word reaches over a space, nor over punctuation, nor from one CJK ideograph to the next, so it is cut at such a place. Then memory does
//! not grow with the text, and with a limit of tokens the rest of it is never looked at. Other tokenizers, and a piece without
//! such a place, take a text whole.

mod cut;
mod fast;
mod pieces;
mod plain;
mod probe;
mod short;
#[cfg(test)]
mod tests;

use std::{fs, path::Path};

use rayon::prelude::*;

use crate::{Error, Result, TokenBatch};

/// Whether the special tokens (`[CLS]`, `[SEP]`, `<s>` …) stand around a text's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// As the tokenizer's post-processor puts them.
    With,
    /// The text's own tokens only.
    Without,
}

/// A tokenizer.json, without the truncation and the padding that it may carry.
pub struct Tokenizer {
    reference: tokenizers::Tokenizer,
    fast: Option<fast::Fast>,
    cuts: Option<cut::Cuts>,
    before: Vec<u32>,
    after: Vec<u32>,
    vocabulary: usize,
    json: Vec<u8>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("vocabulary", &self.vocabulary)
            .field("fast", &self.fast.is_some())
            .finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Reads a tokenizer.json.
    ///
    /// # Errors
    /// When the file can't be read, when `tokenizers` does not accept it, or when its post-processor does not put the same tokens
    /// before and after every text.
    pub fn from_file(path: &Path) -> Result<Self> {
        let json = fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::from_bytes(&json, path)
    }

    /// Takes the text of a tokenizer.json; `source` names it in errors.
    ///
    /// # Errors
    /// As [`Tokenizer::from_file`].
    pub fn from_bytes(json: &[u8], source: &Path) -> Result<Self> {
        let wrong = |error| Error::TokenizerJson { path: source.into(), source: error };
        // `tokenizers` panics on some texts that are no JSON at all.
        serde_json::from_slice::<serde::de::IgnoredAny>(json).map_err(|error| wrong(error.into()))?;
        let mut reference = tokenizers::Tokenizer::from_bytes(json).map_err(wrong)?;
        reference.with_padding(None);
        reference.with_truncation(None).map_err(wrong)?;
        let ids =
            |text: &str, special| reference.encode_fast(text, special).map(|encoding| encoding.get_ids().to_vec());
        let (plain, whole) = (ids("a", false).map_err(wrong)?, ids("a", true).map_err(wrong)?);
        let at = (0..=whole.len().saturating_sub(plain.len())).find(|&at| whole[at..].starts_with(&plain));
        let at = at.ok_or_else(|| Error::PostProcessor { path: source.into() })?;
        let (before, after) = (whole[..at].to_vec(), whole[at + plain.len()..].to_vec());
        if ids("", true).map_err(wrong)? != [before.as_slice(), &after].concat() {
            return Err(Error::PostProcessor { path: source.into() });
        }
        let highest = reference.get_vocab(true).values().copied().max();
        let vocabulary = highest.map_or(0, |id| id as usize + 1);
        let fast = fast::Fast::new(json, |text| ids(text, false).ok());
        Ok(Self { fast, cuts: cut::Cuts::new(json), reference, before, after, vocabulary, json: json.to_vec() })
    }

    /// Appends the ids of `text` to `out`, at most `max_tokens` of them, the special ones counted: the text's own are cut at the
    /// end.
    ///
    /// # Errors
    /// When `max_tokens` has no room for the special tokens, or the reference fails on the text. `out` is then as before.
    pub fn encode_into(
        &self,
        text: &str,
        special: Special,
        max_tokens: Option<usize>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let (before, after) = match special {
            Special::With => (self.before.as_slice(), self.after.as_slice()),
            Special::Without => (&[][..], &[][..]),
        };
        let around = before.len() + after.len();
        let room = match max_tokens {
            Some(max_tokens) if max_tokens < around => return Err(Error::NoRoom { max_tokens, special: around }),
            Some(max_tokens) => max_tokens - around,
            None => usize::MAX,
        };
        let start = out.len();
        out.extend_from_slice(before);
        if let Err(source) = self.own_ids(text, room, out) {
            out.truncate(start);
            let start = text.chars().take(40).collect();
            return Err(Error::Tokenise { bytes: text.len(), start, source });
        }
        out.extend_from_slice(after);
        Ok(())
    }

    /// Appends the first `room` of the text's own ids.
    fn own_ids(&self, text: &str, room: usize, out: &mut Vec<u32>) -> tokenizers::Result<()> {
        let mut rest = text;
        let mut room = room;
        while !rest.is_empty() && room > 0 {
            let piece;
            (piece, rest) = rest.split_at(self.cuts.as_ref().map_or(rest.len(), |cuts| cuts.first(rest)));
            let start = out.len();
            if !self.fast.as_ref().is_some_and(|fast| fast.encode(piece, room, out)) {
                let encoding = self.reference.encode_fast(piece, false)?;
                out.extend(encoding.get_ids().iter().take(room));
            }
            room -= out.len() - start;
        }
        Ok(())
    }

    /// The ids of all `texts` in order; parallel in rayon's current pool.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_into`].
    pub fn encode_batch(&self, texts: &[&str], special: Special, max_tokens: Option<usize>) -> Result<TokenBatch> {
        let parts: Vec<TokenBatch> = texts
            .par_chunks(64)
            .map(|texts| {
                let mut batch = TokenBatch::new();
                for text in texts {
                    batch.push_with(|ids| self.encode_into(text, special, max_tokens, ids))?;
                }
                Ok(batch)
            })
            .collect::<Result<_>>()?;
        Ok(parts.iter().flat_map(TokenBatch::iter).collect())
    }

    /// The highest id and one: how many rows a table needs, added tokens included.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The token with this id.
    pub fn token(&self, id: u32) -> Option<String> {
        self.reference.id_to_token(id)
    }

    /// What the token with this id stands for in a text: itself without the marks of its tokenizer, such as WordPiece's `##` or
    /// sentencepiece's `▁`.
    pub fn text(&self, id: u32) -> Option<String> {
        let token = self.reference.id_to_token(id)?;
        if let tokenizers::ModelWrapper::WordPiece(model) = self.reference.get_model() {
            let rest = token.strip_prefix(&model.continuing_subword_prefix).filter(|rest| !rest.is_empty());
            return Some(rest.unwrap_or(&token).to_owned());
        }
        let decoded = self.reference.decode(&[id], false).unwrap_or(token);
        Some(decoded.trim().to_owned())
    }

    /// The id of this token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.reference.token_to_id(token)
    }

    /// The tokenizer.json as it was loaded.
    pub fn json(&self) -> &[u8] {
        &self.json
    }
}
