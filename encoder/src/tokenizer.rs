//! Text to token ids.

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
    before: Vec<u32>,
    after: Vec<u32>,
    vocabulary: usize,
    json: Vec<u8>,
}

impl Tokenizer {
    /// Reads a tokenizer.json.
    ///
    /// # Errors
    /// When the file can't be read or `tokenizers` does not accept it.
    pub fn from_file(path: &Path) -> Result<Self> {
        let json = fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::from_bytes(&json, path)
    }

    /// Takes the text of a tokenizer.json; `source` names it in errors.
    pub fn from_bytes(json: &[u8], source: &Path) -> Result<Self> {
        let wrong = |error| Error::TokenizerJson { path: source.into(), source: error };
        // `tokenizers` panics on some texts that are no JSON at all.
        serde_json::from_slice::<serde::de::IgnoredAny>(json).map_err(|error| wrong(error.into()))?;
        let mut reference = tokenizers::Tokenizer::from_bytes(json).map_err(wrong)?;
        reference.with_padding(None);
        reference.with_truncation(None).map_err(wrong)?;
        let ids =
            |special| reference.encode_fast("a", special).map(|encoding| encoding.get_ids().to_vec()).map_err(wrong);
        let (plain, whole) = (ids(false)?, ids(true)?);
        let at = (0..=whole.len().saturating_sub(plain.len())).find(|&at| whole[at..].starts_with(&plain));
        let at = at.ok_or_else(|| Error::PostProcessor { path: source.into() })?;
        let (before, after) = (whole[..at].to_vec(), whole[at + plain.len()..].to_vec());
        let highest = reference.get_vocab(true).values().copied().max();
        let vocabulary = highest.map_or(0, |id| id as usize + 1);
        Ok(Self { reference, before, after, vocabulary, json: json.to_vec() })
    }

    /// Appends the ids of `text` to `out`, at most `max_tokens` of them, the special ones counted.
    pub fn encode_into(
        &self,
        text: &str,
        special: Special,
        max_tokens: Option<usize>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let around = if special == Special::With { self.before.len() + self.after.len() } else { 0 };
        let room = match max_tokens {
            Some(max_tokens) if max_tokens < around => return Err(Error::NoRoom { max_tokens, special: around }),
            Some(max_tokens) => max_tokens - around,
            None => usize::MAX,
        };
        let encoding = self.reference.encode_fast(text, false).map_err(|source| Error::Tokenise {
            bytes: text.len(),
            start: text.chars().take(40).collect(),
            source,
        })?;
        if special == Special::With {
            out.extend_from_slice(&self.before);
        }
        out.extend(encoding.get_ids().iter().take(room));
        if special == Special::With {
            out.extend_from_slice(&self.after);
        }
        Ok(())
    }

    /// The ids of all `texts` in order; parallel in rayon's current pool.
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

    /// The id of this token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.reference.token_to_id(token)
    }

    /// The tokenizer.json as it was loaded.
    pub fn json(&self) -> &[u8] {
        &self.json
    }
}
