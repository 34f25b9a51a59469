//! The words of a text and their counts.

use std::collections::{BTreeMap, HashMap};

use limbeck_data::Monitor;
use rayon::prelude::*;
use tokenizers::{
    NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, Tokenizer,
};

use super::TextChunks;
use crate::error::{Error, Result};

/// Counts the words that the normaliser and pre-tokenizer of a tokenizer.json make of the texts.
pub(super) fn count(json: &[u8], texts: TextChunks, monitor: Monitor) -> Result<BTreeMap<String, u64>> {
    let tokenizer = Tokenizer::from_bytes(json).map_err(Error::vocabulary("splitting text into words"))?;
    let bar = monitor.stage("counting words", None, "texts");
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for texts in texts {
        monitor.check()?;
        let texts = texts?;
        let parts: Vec<HashMap<String, u64>> = texts
            .par_chunks(256)
            .map(|texts| {
                let mut counts = HashMap::new();
                texts.iter().try_for_each(|text| add(&tokenizer, text, &mut counts)).map(|()| counts)
            })
            .collect::<Result<_>>()?;
        for (word, count) in parts.into_iter().flatten() {
            *all.entry(word).or_default() += count;
        }
        bar.add(texts.len() as u64);
    }
    if all.is_empty() {
        return Err(Error::vocabulary("counting words")("the text has none".into()));
    }
    Ok(all)
}

fn add(tokenizer: &Tokenizer, text: &str, counts: &mut HashMap<String, u64>) -> Result<()> {
    let mut normalised = NormalizedString::from(text);
    if let Some(normaliser) = tokenizer.get_normalizer() {
        normaliser.normalize(&mut normalised).map_err(Error::vocabulary("normalising text"))?;
    }
    let mut split = PreTokenizedString::from(normalised);
    if let Some(words) = tokenizer.get_pre_tokenizer() {
        words.pre_tokenize(&mut split).map_err(Error::vocabulary("splitting text into words"))?;
    }
    for (word, ..) in split.get_splits(OffsetReferential::Original, OffsetType::None) {
        match counts.get_mut(word) {
            Some(count) => *count += 1,
            None => drop(counts.insert(word.to_string(), 1)),
        }
    }
    Ok(())
}
