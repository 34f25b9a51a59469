//! BERT's WordPiece, trained on a text.
//!
//! The crate trains it as byte pair encoding does, by merging the most frequent pair. Left to itself it numbers the characters
//! inside words in the order of a randomly seeded hash map, and takes the lower number where two pairs are as frequent, so that no
//! two trainings give the same tokens. Here it gets them as special tokens, in order, and words with no other character.

use limbeck_encoder::{Special, Tokenizer};
use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};

use super::alphabet::Alphabet;
use super::json::Base;
use super::{Texts, Watch, during, words};
use crate::error::Result;

/// A pair must stand so often to become a token.
const MIN_FREQUENCY: u64 = 2;

/// The tokenizer.json of at most `size` tokens.
pub(super) fn train(base: &Tokenizer, texts: Texts, size: usize, watch: Watch) -> Result<Vec<u8>> {
    let own = Base::of(base)?;
    let is_bert = own.kind() == "WordPiece"
        && own.0["model"]["continuing_subword_prefix"] == "##"
        && own.0["normalizer"]["type"] == "BertNormalizer"
        && own.0["normalizer"]["handle_chinese_chars"] == true
        && own.0["pre_tokenizer"]["type"] == "BertPreTokenizer";
    let cased = match own.0["normalizer"]["lowercase"].as_bool() {
        Some(lowercase) if is_bert => !lowercase,
        _ => tells_capitals(base)?,
    };
    let json = if is_bert { own } else { bert(cased)? };
    let special = json.reserved();
    let empty = Base(json.0.clone()).with_words(&special)?;
    let splitter = tokenizers::Tokenizer::from_bytes(empty).map_err(during("splitting text into words"))?;
    let longest = json.0["model"]["max_input_chars_per_word"].as_u64().unwrap_or(100) as usize;
    let mut counts = words::count(&splitter, texts, watch)?;
    counts.retain(|word, _| word.chars().count() <= longest);

    let alphabet = Alphabet::of(&counts, (size - special.len().min(size)) * 3 / 4, cased);
    let characters = alphabet.all.iter().map(char::to_string);
    let inside = alphabet.inside.iter().map(|c| format!("##{c}"));
    let first: Vec<AddedToken> =
        special.iter().cloned().chain(characters).chain(inside).map(|token| AddedToken::from(token, false)).collect();
    let _bar = watch.progress.stage("training a WordPiece vocabulary", None, "");
    watch.interrupt.check()?;
    let trainer = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(size)
        .min_frequency(MIN_FREQUENCY)
        .continuing_subword_prefix("##".into())
        .special_tokens(first)
        .build();
    let counts = counts.iter().filter(|(word, _)| alphabet.spells(word));
    let counts = counts.map(|(word, &count)| (word.as_str().into(), count)).collect();
    let mut model = BPE::default();
    trainer.do_train(&counts, &mut model).map_err(during("training a WordPiece vocabulary"))?;
    let mut tokens: Vec<(u32, String)> = model.get_vocab().into_iter().map(|(token, id)| (id, token)).collect();
    tokens.sort_unstable();
    json.with_words(&tokens.into_iter().map(|(_, token)| token).collect::<Vec<_>>())
}

/// Whether the tokenizer gives a word in capitals other tokens than in small letters.
pub(super) fn tells_capitals(base: &Tokenizer) -> Result<bool> {
    let ids = |text: &str| {
        let mut ids = Vec::new();
        base.encode_into(text, Special::Without, None, &mut ids).map(|()| ids)
    };
    Ok(ids("THE")? != ids("the")?)
}

/// BERT's own tokenizer without words.
fn bert(cased: bool) -> Result<Base> {
    let mut base = Base::parse(include_bytes!("bert.json"))?;
    base.0["normalizer"]["lowercase"] = (!cased).into();
    Ok(base)
}
