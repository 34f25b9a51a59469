//! The `tokenizers` library's tokenizer, whose ids are the right ones.

use std::{collections::HashMap, path::Path};

use tokenizers::{ModelWrapper, NormalizedString, Normalizer};

use super::{json::UnknownTokenJson, template, truncation, unknown};
use crate::{Error, Result};

/// The `tokenizers` library's tokenizer.
pub(super) struct Reference {
    pub(super) tokenizer: tokenizers::Tokenizer,
    /// The special tokens before and after each text.
    pub(super) before: Vec<u32>,
    pub(super) after: Vec<u32>,
}

impl Reference {
    pub(super) fn new(json: &[u8], source: &Path) -> Result<Self> {
        let wrong = |error| Error::TokenizerJson { path: source.into(), source: error };
        // The library panics on some texts that are no JSON at all, and on templates that name a missing token.
        if !template::is_whole(json).map_err(|error| wrong(error.into()))? {
            return Err(wrong("its post-processor's template names a token or a text that is missing".into()));
        }
        let plain = truncation::without_settings(json).map_err(|error| wrong(error.into()))?;
        let mut tokenizer = caught(|| tokenizers::Tokenizer::from_bytes(&plain)).map_err(wrong)?;
        let unknown_id = || serde_json::from_slice::<UnknownTokenJson>(json).ok()?.model.unk_id;
        if let Some((model, missing)) = unknown::missing(tokenizer.get_model(), unknown_id) {
            return Err(Error::UnknownToken { path: source.into(), model, missing });
        }
        if let Some([first, second]) = alike_when_normalised(&tokenizer).map_err(wrong)? {
            return Err(Error::AddedTokens { path: source.into(), first, second });
        }
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
        let vocabulary = reference.vocabulary();
        if let Some(&id) = before.iter().chain(&after).find(|&&id| id as usize >= vocabulary) {
            return Err(Error::TokenizerId { path: source.into(), id, vocabulary });
        }
        (reference.before, reference.after) = (before, after);
        Ok(reference)
    }

    /// The highest id plus one, added tokens included.
    pub(super) fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab(true).values().max().map_or(0, |&id| id as usize + 1)
    }

    pub(super) fn ids(&self, text: &str, special: bool) -> tokenizers::Result<Vec<u32>> {
        caught(|| Ok(self.tokenizer.encode_fast(text, special)?.get_ids().to_vec()))
    }
}

/// Two added tokens that are searched for by the same normalised text: the library would choose one by chance.
fn alike_when_normalised(tokenizer: &tokenizers::Tokenizer) -> tokenizers::Result<Option<[String; 2]>> {
    let added = tokenizer.get_added_vocabulary().get_added_tokens_decoder();
    let mut tokens: Vec<_> = added.iter().filter(|(_, token)| token.normalized).collect();
    tokens.sort_unstable_by_key(|&(id, _)| id);
    let mut seen = HashMap::new();
    for (_, token) in tokens {
        let mut text = NormalizedString::from(token.content.as_str());
        if let Some(normaliser) = tokenizer.get_normalizer() {
            caught(|| normaliser.normalize(&mut text))?;
        }
        if let Some(first) = seen.insert(text.get().to_owned(), &token.content) {
            return Ok(Some([first.clone(), token.content.clone()]));
        }
    }
    Ok(None)
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
