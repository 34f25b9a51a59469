//! Text to token ids.
//!
//! The ids are always those of the `tokenizers` library, the reference. For BERT's WordPiece, `fast.rs` finds the same
//! ids many times faster: ASCII text takes one pass that allocates nothing; `tokie` normalises other text of plain
//! characters; the reference's own normaliser and pre-tokenizer serve texts of any characters. The fast path is used
//! only where it agrees with the reference on a list of texts at load time (`tokenizer_check.rs`), because a
//! tokenizer.json may change ids in ways that its structure does not show.
//!
//! Texts that contain an added token, and all other kinds of tokenizers, go to the reference. The reference needs many
//! times the memory of the fast path, so a tokenizer that was checked before (a folded student's, when the student was
//! folded) makes its reference at the first text that needs it.
//!
//! A text of more than 16 KiB goes through in pieces where the ids stay the same (`cut.rs`): with BERT's normaliser and
//! pre-tokenizer no word reaches over a space, over punctuation, or from one CJK ideograph to the next. Then memory
//! does not grow with the text, and with a limit of tokens the rest of the text is never read. Other tokenizers take a
//! text whole.

mod cut;
mod fast;
mod json;
mod plain;
mod short;
mod template;
#[cfg(test)]
mod tests;
mod tokenizer_check;
mod wordpiece;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use rayon::prelude::*;
use tokenizers::ModelWrapper;

use self::fast::FastPath;
use crate::{Error, Result, TokenBatch};

/// Whether special tokens (`[CLS]`, `[SEP]`, `<s>` …) stand around a text's own tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// The special tokens that the tokenizer's post-processor adds.
    With,
    /// Only the text's own tokens.
    Without,
}

/// A tokenizer.json, loaded. The truncation and the padding that the file may ask for are ignored.
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

/// The `tokenizers` library's tokenizer.
struct Reference {
    tokenizer: tokenizers::Tokenizer,
    /// The special tokens before and after each text.
    before: Vec<u32>,
    after: Vec<u32>,
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
    /// When the file can't be read, when the `tokenizers` library refuses it, or when its post-processor does not put
    /// the same tokens before and after every text.
    pub fn from_file(path: &Path) -> Result<Self> {
        let json = fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::from_bytes(&json, path)
    }

    /// Reads the text of a tokenizer.json, which errors call `source`.
    ///
    /// # Errors
    /// As [`Tokenizer::from_file`].
    pub fn from_bytes(json: &[u8], source: &Path) -> Result<Self> {
        let reference = Reference::new(json, source)?;
        let fast =
            FastPath::new(json).filter(|fast| tokenizer_check::agrees(fast, |text| reference.ids(text, false).ok()));
        let highest = reference.tokenizer.get_vocab(true).values().copied().max();
        let vocabulary = highest.map_or(0, |id| id as usize + 1);
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
        let reference = (special == Special::With).then(|| self.reference()).transpose()?;
        let (before, after) = reference.map_or((&[][..], &[][..]), |reference| (&reference.before, &reference.after));
        let (special, max_tokens) = (before.len() + after.len(), max_tokens.unwrap_or(usize::MAX));
        let room = max_tokens.checked_sub(special).ok_or(Error::NoRoom { max_tokens, special })?;
        let start = out.len();
        out.extend_from_slice(before);
        if let Err(error) = self.own_ids(text, room, out) {
            out.truncate(start);
            return Err(error);
        }
        out.extend_from_slice(after);
        Ok(())
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

    /// The tokenizer.json as it was loaded.
    pub fn json(&self) -> &[u8] {
        (*self.json).as_ref()
    }
}

impl Reference {
    fn new(json: &[u8], source: &Path) -> Result<Self> {
        let wrong = |error| Error::TokenizerJson { path: source.into(), source: error };
        // The library panics on some texts that are no JSON at all, and on templates that name a missing token.
        if !template::is_whole(json).map_err(|error| wrong(error.into()))? {
            return Err(wrong("its post-processor's template names a token or a text that is missing".into()));
        }
        let mut tokenizer = caught(|| tokenizers::Tokenizer::from_bytes(json)).map_err(wrong)?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(wrong)?;
        remove_randomness(&mut tokenizer);
        let mut reference = Self { tokenizer, before: Vec::new(), after: Vec::new() };
        let ids = |text, special| reference.ids(text, special).map_err(wrong);
        let (plain, whole, empty) = (ids("a", false)?, ids("a", true)?, ids("", true)?);
        let at = (0..=whole.len().saturating_sub(plain.len())).find(|&at| whole[at..].starts_with(&plain));
        // Around a text without tokens, the ids before and after cannot be told apart.
        let told = at.filter(|_| whole.is_empty() || !plain.is_empty());
        let at = told.ok_or_else(|| Error::PostProcessor { path: source.into() })?;
        let (before, after) = (whole[..at].to_vec(), whole[at + plain.len()..].to_vec());
        if empty != [before.as_slice(), &after].concat() {
            return Err(Error::PostProcessor { path: source.into() });
        }
        (reference.before, reference.after) = (before, after);
        Ok(reference)
    }

    fn ids(&self, text: &str, special: bool) -> tokenizers::Result<Vec<u32>> {
        caught(|| Ok(self.tokenizer.encode_fast(text, special)?.get_ids().to_vec()))
    }
}

/// Takes away the randomness that varies a text's tokens in the training of language models: BPE's dropout, Unigram's
/// sampling.
fn remove_randomness(tokenizer: &mut tokenizers::Tokenizer) {
    let mut model = match tokenizer.get_model() {
        ModelWrapper::BPE(model) if model.dropout.is_some() => ModelWrapper::BPE(model.clone()),
        ModelWrapper::Unigram(model) if model.alpha.is_some() => ModelWrapper::Unigram(model.clone()),
        _ => return,
    };
    match &mut model {
        ModelWrapper::BPE(model) => model.dropout = None,
        ModelWrapper::Unigram(model) => (model.alpha, model.nbest_size) = (None, None),
        _ => {}
    }
    tokenizer.with_model(model);
}

/// Runs the library, and turns its panics into errors: it finds the faults of some files only in use, and panics then.
fn caught<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> tokenizers::Result<T> {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    outcome.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(format!("the tokenizers library panicked: {}", said.unwrap_or("without a message")).into())
    })
}
