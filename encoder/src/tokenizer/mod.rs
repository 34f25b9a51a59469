//! Text to token ids.
//!
//! `tokenizers` is the reference, and its ids are what comes out, always. For BERT's WordPiece `fast.rs` gives most of
//! them, many times faster: ASCII text in one pass that allocates nothing, by `tokie`'s normaliser other texts of
//! characters that it is known to treat as the reference does, by the reference's own normaliser and pre-tokenizer texts of any
//! characters; and only where at load time it agrees with the reference on a list of probe texts. A text with an added token in it,
//! and every other kind of tokenizer, goes to the reference. That takes many times the memory of the fast path, so a tokenizer that has
//! been compared already (a folded student's was when it was folded) makes its reference when it is needed first.
//!
//! A text of more than 16 KiB goes through in pieces where that can be done exactly: with BERT's normaliser and pre-tokenizer no
//! word reaches over a space, nor over punctuation, nor from one CJK ideograph to the next, so it is cut at such a place. Then memory does
//! not grow with the text, and with a limit of tokens the rest of it is never looked at. Other tokenizers, and a piece without
//! such a place, take a text whole.

mod cut;
mod fast;
mod json;
mod pieces;
mod plain;
mod probe;
mod short;
mod template;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use rayon::prelude::*;
use tokenizers::ModelWrapper;

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
    reference: OnceLock<Reference>,
    /// Held while the reference is made.
    making: Mutex<()>,
    fast: Option<fast::Fast>,
    cuts: Option<cut::Cuts>,
    vocabulary: usize,
    json: Kept,
    source: PathBuf,
}

/// The text of a tokenizer.json, wherever it lies.
type Kept = Box<dyn AsRef<[u8]> + Send + Sync>;

/// What `tokenizers` makes of it.
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
        let reference = Reference::new(json, source)?;
        let fast = fast::Fast::new(json).filter(|fast| fast.agrees(|text| reference.ids(text, false).ok()));
        let highest = reference.tokenizer.get_vocab(true).values().copied().max();
        let vocabulary = highest.map_or(0, |id| id as usize + 1);
        Ok(Self::of((json, Box::new(json.to_vec())), source, OnceLock::from(reference), fast, vocabulary))
    }

    /// As [`Tokenizer::from_bytes`], for a JSON of which [`Tokenizer::is_fast`] was true before: the reference is made when a text
    /// needs it, and its errors come then. `kept` is the same JSON, to be read again for that.
    pub(crate) fn from_compared(
        json: &[u8],
        kept: impl AsRef<[u8]> + Send + Sync + 'static,
        source: &Path,
    ) -> Result<Self> {
        let Some(fast) = fast::Fast::new(json) else { return Self::from_bytes(json, source) };
        let vocabulary = fast.rows();
        Ok(Self::of((json, Box::new(kept)), source, OnceLock::new(), Some(fast), vocabulary))
    }

    fn of(
        (json, kept): (&[u8], Kept),
        source: &Path,
        reference: OnceLock<Reference>,
        fast: Option<fast::Fast>,
        vocabulary: usize,
    ) -> Self {
        let cuts = cut::Cuts::new(json);
        Self { reference, making: Mutex::new(()), fast, cuts, vocabulary, json: kept, source: source.into() }
    }

    /// Whether the fast path is used: it knows this kind of tokenizer, and has the reference's ids on all probe texts; and the JSON has
    /// as many ids as the reference.
    pub(crate) fn is_fast(&self) -> bool {
        self.fast.as_ref().is_some_and(|fast| fast.rows() == self.vocabulary)
    }

    /// The reference, made now if it wasn't.
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
            Special::With => {
                let reference = self.reference()?;
                (reference.before.as_slice(), reference.after.as_slice())
            }
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
                // The library gives an added token another id than its JSON, where the vocabulary has no such token.
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
        self.reference().ok()?.tokenizer.id_to_token(id)
    }

    /// What the token with this id stands for in a text: itself without the marks of its tokenizer, such as WordPiece's `##` or
    /// sentencepiece's `▁`.
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

    /// The id that stands for what the vocabulary doesn't know. WordPiece, WordLevel and BPE give a token, Unigram a number.
    pub fn unknown(&self) -> Option<u32> {
        let model = serde_json::from_slice::<json::Unknown>(self.json()).ok()?.model;
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
        // `tokenizers` panics on some texts that are no JSON at all, and on templates that name what isn't there.
        if !template::is_whole(json).map_err(|error| wrong(error.into()))? {
            return Err(wrong("its post-processor's template names a token or a text that isn't there".into()));
        }
        let mut tokenizer = caught(|| tokenizers::Tokenizer::from_bytes(json)).map_err(wrong)?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(wrong)?;
        if let Some(model) = never_random(tokenizer.get_model()) {
            tokenizer.with_model(model);
        }
        let mut reference = Self { tokenizer, before: Vec::new(), after: Vec::new() };
        let ids = |text, special| reference.ids(text, special).map_err(wrong);
        let (plain, whole, empty) = (ids("a", false)?, ids("a", true)?, ids("", true)?);
        let at = (0..=whole.len().saturating_sub(plain.len())).find(|&at| whole[at..].starts_with(&plain));
        // Of a text without tokens nothing tells what stands before it from what stands after.
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

/// The model without what has it tell the same text in another way each time (BPE's dropout, Unigram's sampling: both are for training
/// language models); `None` where it has nothing of the kind.
fn never_random(model: &ModelWrapper) -> Option<ModelWrapper> {
    match model {
        ModelWrapper::BPE(model) if model.dropout.is_some() => {
            let mut model = model.clone();
            model.dropout = None;
            Some(ModelWrapper::BPE(model))
        }
        ModelWrapper::Unigram(model) if model.alpha.is_some() => {
            let mut model = model.clone();
            (model.alpha, model.nbest_size) = (None, None);
            Some(ModelWrapper::Unigram(model))
        }
        _ => None,
    }
}

/// What the library does, its panics as errors: of some files it finds out only when it uses them that they aren't what they should be.
fn caught<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> tokenizers::Result<T> {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    outcome.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(format!("the tokenizers library panicked: {}", said.unwrap_or("without saying why")).into())
    })
}
