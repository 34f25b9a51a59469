//! Text to token ids.
//!
//! The ids are always those of the `tokenizers` library, the reference. For BERT's WordPiece, `fast.rs` finds the same
//! ids many times faster: ASCII text takes one pass that allocates nothing; `tokie` normalises other text of plain
//! characters; the reference's own normaliser and pre-tokenizer serve texts of any characters. The fast path is used
//! only where it agrees with the reference on a list of texts at load time (`tokenizer_check.rs`), because a
//! tokenizer.json may change ids in ways that its structure does not show.
//!
//! All other kinds of tokenizers, and the few texts that the fast path refuses, go to the reference. It needs many
//! times the memory of the fast path, so a tokenizer that was checked before (a folded student's, when the student was
//! folded) makes its reference at the first text that needs it.
//!
//! A text of more than 16 KiB goes through in pieces where the ids stay the same (`cut.rs`): with BERT's normaliser and
//! pre-tokenizer no word reaches over a space, over punctuation, or from one CJK ideograph to the next. Then memory
//! does not grow with the text, and with a limit of tokens the rest of the text is never read. Other tokenizers take a
//! text whole.

mod added;
#[cfg(test)]
mod added_tests;
mod cut;
mod fast;
mod files;
mod json;
mod plain;
mod reference;
#[cfg(test)]
mod settings_tests;
mod short;
mod template;
#[cfg(test)]
mod tests;
mod tokenizer_check;
mod truncation;
mod unknown;
mod vocab_txt;
#[cfg(test)]
mod vocab_txt_tests;
mod wordpiece;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use rayon::prelude::*;
use tokenizers::ModelWrapper;

pub use self::files::TOKENIZER_FILES;
pub use self::truncation::{KeptSide, Truncation};
use self::{fast::FastPath, reference::Reference};
use crate::{Error, Result, TokenBatch};

/// Whether special tokens (`[CLS]`, `[SEP]`, `<s>` …) stand around a text's own tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// The special tokens that the tokenizer's post-processor adds.
    With,
    /// Only the text's own tokens.
    Without,
}

/// A tokenizer, loaded. The truncation and the padding that the file may ask for are ignored.
pub struct Tokenizer {
    reference: OnceLock<Reference>,
    /// Held while the reference is made.
    making: Mutex<()>,
    fast: Option<FastPath>,
    cuts: Option<cut::Cuts>,
    vocabulary: usize,
    /// The text of the tokenizer.json, in memory or mapped.
    json: Box<dyn AsRef<[u8]> + Send + Sync>,
    source: PathBuf,
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
    /// Reads the text of a tokenizer.json, which errors call `source`.
    ///
    /// # Errors
    /// As [`Tokenizer::from_file`].
    pub fn from_bytes(json: &[u8], source: &Path) -> Result<Self> {
        let reference = Reference::new(json, source)?;
        let fast =
            FastPath::new(json).filter(|fast| tokenizer_check::agrees(fast, |text| reference.ids(text, false).ok()));
        let vocabulary = reference.vocabulary();
        let (reference, making, cuts) = (reference.into(), Mutex::default(), cut::Cuts::new(json));
        Ok(Self { reference, making, fast, cuts, vocabulary, json: Box::new(json.to_vec()), source: source.into() })
    }

    /// [`Tokenizer::from_bytes`] for a JSON of which [`Tokenizer::is_fast`] was true before. The reference is made, and
    /// its errors occur, when a text needs it; `kept` is the same JSON, read again for that.
    pub(crate) fn from_compared(
        json: &[u8],
        kept: impl AsRef<[u8]> + Send + Sync + 'static,
        source: &Path,
    ) -> Result<Self> {
        let Some(fast) = FastPath::new(json) else { return Self::from_bytes(json, source) };
        let (reference, making, cuts) = (OnceLock::new(), Mutex::default(), cut::Cuts::new(json));
        let (vocabulary, fast) = (fast.vocabulary, Some(fast));
        Ok(Self { reference, making, fast, cuts, vocabulary, json: Box::new(kept), source: source.into() })
    }

    /// Whether the fast path is in use and the JSON has as many ids as the reference.
    pub(crate) fn is_fast(&self) -> bool {
        self.fast.as_ref().is_some_and(|fast| fast.vocabulary == self.vocabulary)
    }

    /// The reference, made at the first call.
    fn reference(&self) -> Result<&Reference> {
        if let Some(reference) = self.reference.get() {
            return Ok(reference);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        match self.reference.get() {
            Some(reference) => Ok(reference),
            None => {
                let made = Reference::new(self.json(), &self.source)?;
                Ok(self.reference.get_or_init(|| made))
            }
        }
    }

    /// Appends the ids of `text` to `out`, at most `max_tokens` of them with the special tokens: the text's own ids are
    /// cut at the end.
    ///
    /// # Errors
    /// When `max_tokens` leaves no room for the special tokens, or the reference fails on the text. `out` then stays as
    /// before.
    pub fn encode_into(
        &self,
        text: &str,
        special: Special,
        max_tokens: Option<usize>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let (before, after, room) = self.special_ids(special, max_tokens)?;
        let start = out.len();
        out.extend_from_slice(before);
        if let Err(error) = self.own_ids(text, room, out) {
            out.truncate(start);
            return Err(error);
        }
        out.extend_from_slice(after);
        Ok(())
    }

    /// Appends `ids`, a text's own, as [`Tokenizer::encode_into`] appends those of a text: cut at the end, with the
    /// special tokens around.
    ///
    /// # Errors
    /// When `max_tokens` leaves no room for the special tokens.
    pub fn surround_into(
        &self,
        ids: &[u32],
        special: Special,
        max_tokens: Option<usize>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        let (before, after, room) = self.special_ids(special, max_tokens)?;
        out.extend_from_slice(before);
        out.extend_from_slice(&ids[..ids.len().min(room)]);
        out.extend_from_slice(after);
        Ok(())
    }

    /// The special tokens before and after a text, and how many of its own ids they leave room for.
    fn special_ids(&self, special: Special, max_tokens: Option<usize>) -> Result<(&[u32], &[u32], usize)> {
        let reference = (special == Special::With).then(|| self.reference()).transpose()?;
        let (before, after) = reference.map_or((&[][..], &[][..]), |reference| (&reference.before, &reference.after));
        let (special, max_tokens) = (before.len() + after.len(), max_tokens.unwrap_or(usize::MAX));
        let room = max_tokens.checked_sub(special).ok_or(Error::NoRoom { max_tokens, special })?;
        Ok((before, after, room))
    }

    /// Appends the first `room` of the text's own ids.
    fn own_ids(&self, text: &str, room: usize, out: &mut Vec<u32>) -> Result<()> {
        let mut rest = text;
        let mut room = room;
        while !rest.is_empty() && room > 0 {
            let piece;
            (piece, rest) = rest.split_at(self.cuts.as_ref().map_or(rest.len(), |cuts| cuts.first(rest)));
            let start = out.len();
            if !self.fast.as_ref().is_some_and(|fast| fast.encode(piece, room, out)) {
                let ids = self.reference()?.ids(piece, false).map_err(|source| {
                    let start = text.chars().take(40).collect();
                    Error::Tokenise { bytes: text.len(), start, source }
                })?;
                // The library gives an added token that the vocabulary lacks another id than the JSON.
                if let Some(&id) = ids.iter().find(|&&id| id as usize >= self.vocabulary) {
                    let vocabulary = self.vocabulary;
                    return Err(Error::TokenizerId { path: self.source.clone(), id, vocabulary });
                }
                out.extend(ids.iter().take(room));
            }
            room -= out.len() - start;
        }
        Ok(())
    }

    /// The ids of all `texts`, in order; runs in parallel in rayon's current pool.
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

    /// The highest id plus one, added tokens included: the number of rows that a table needs.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The largest id that a text can get, special tokens included; `None` for an empty vocabulary.
    pub fn largest_id(&self) -> Option<u32> {
        Some(self.vocabulary.checked_sub(1)? as u32)
    }

    /// The truncation that the tokenizer.json asks for, which [`Tokenizer`] does not apply.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn truncation(&self) -> Result<Option<Truncation>> {
        truncation::of(self.json()).map_err(|what| Error::Truncation { path: self.source.clone(), what })
    }

    /// The token with this id.
    pub fn token(&self, id: u32) -> Option<String> {
        self.reference().ok()?.tokenizer.id_to_token(id)
    }

    /// The characters of a text that the token with this id stands for: the token without its tokenizer's marks, such
    /// as WordPiece's `##` or sentencepiece's `▁`.
    pub fn text(&self, id: u32) -> Option<String> {
        let reference = &self.reference().ok()?.tokenizer;
        let token = reference.id_to_token(id)?;
        if let ModelWrapper::WordPiece(model) = reference.get_model() {
            let rest = token.strip_prefix(&model.continuing_subword_prefix).filter(|rest| !rest.is_empty());
            return Some(rest.unwrap_or(&token).to_owned());
        }
        let decoded = reference.decode(&[id], false).unwrap_or(token);
        Some(decoded.trim().to_owned())
    }

    /// The id of this token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.reference().ok()?.tokenizer.token_to_id(token)
    }

    /// The id of the unknown token. A WordPiece, WordLevel or BPE model names the token, a Unigram model its id.
    pub fn unknown(&self) -> Option<u32> {
        let model = serde_json::from_slice::<json::UnknownTokenJson>(self.json()).ok()?.model;
        model.unk_token.map_or(model.unk_id, |token| self.id(&token))
    }

    /// The tokenizer.json as it was loaded, or as it was made of a `vocab.txt`.
    pub fn json(&self) -> &[u8] {
        (*self.json).as_ref()
    }
}
