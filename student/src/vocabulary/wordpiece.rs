//! BERT's WordPiece, trained on a text.
//!
//! The `tokenizers` crate trains it like byte pair encoding, by merging the most frequent pair. By default it numbers
//! the characters inside words in the order of a randomly seeded hash map, and of equally frequent pairs it merges the
//! one with the lower numbers, so that no two trainings give the same tokens. So it gets the characters as special
//! tokens, in order, and only words without any other character.

use limbeck_data::Monitor;
use limbeck_encoder::Tokenizer;
use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};

use super::alphabet::Alphabet;
use super::characters::Case;
use super::tokenizer_json::TokenizerJson;
use super::{TextChunks, words};
use crate::error::{Error, Result};

/// The fewest occurrences of a pair that becomes a token.
const MIN_FREQUENCY: u64 = 2;

/// The tokenizer.json of at most `size` tokens.
pub(super) fn train(base: &Tokenizer, texts: TextChunks, size: usize, monitor: Monitor) -> Result<Vec<u8>> {
    let own = TokenizerJson::parse(base.json())?;
    let is_bert = own.kind() == "WordPiece"
        && own.0["model"]["continuing_subword_prefix"] == "##"
        && own.0["normalizer"]["type"] == "BertNormalizer"
        && own.0["normalizer"]["handle_chinese_chars"] == true
        && own.0["pre_tokenizer"]["type"] == "BertPreTokenizer";
    let case = match own.0["normalizer"]["lowercase"].as_bool() {
        Some(true) if is_bert => Case::Lowered,
        Some(false) if is_bert => Case::Kept,
        _ => Case::of(base)?,
    };
    let json = if is_bert { own } else { bert(case)? };
    let special = json.reserved();
    let empty = TokenizerJson(json.0.clone()).with_words(&special)?;
    let longest = json.longest_word();
    let mut counts = words::count(&empty, texts, monitor)?;
    counts.retain(|word, _| word.chars().count() <= longest);

    let alphabet = Alphabet::of(&counts, (size - special.len().min(size)) * 3 / 4, case);
    let characters = alphabet.all.iter().map(char::to_string);
    let inside = alphabet.inside.iter().map(|c| format!("##{c}"));
    let first = special.into_iter().chain(characters).chain(inside).map(|token| AddedToken::from(token, false));
    let _bar = monitor.stage("training a WordPiece vocabulary", None, "");
    monitor.check()?;
    let trainer = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(size)
        .min_frequency(MIN_FREQUENCY)
        .continuing_subword_prefix("##".into())
        .special_tokens(first.collect())
        .build();
    let counts = counts.iter().filter(|(word, _)| alphabet.spells(word));
    let counts = counts.map(|(word, &count)| (word.as_str().into(), count)).collect();
    let mut model = BPE::default();
    trainer.do_train(&counts, &mut model).map_err(Error::vocabulary("training a WordPiece vocabulary"))?;
    let mut tokens: Vec<(u32, String)> = model.get_vocab().into_iter().map(|(token, id)| (id, token)).collect();
    tokens.sort_unstable();
    json.with_words(&tokens.into_iter().map(|(_, token)| token).collect::<Vec<_>>())
}

/// BERT's own tokenizer without words.
fn bert(case: Case) -> Result<TokenizerJson> {
    let mut base = TokenizerJson::parse(include_bytes!("bert.json"))?;
    base.0["normalizer"]["lowercase"] = (case == Case::Lowered).into();
    Ok(base)
}
