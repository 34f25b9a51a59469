//! [`CutDocument`]: a document cut into the texts of its units.

use super::document::Document;
use super::mixtures::WordBag;
use super::passages::passages;
use super::spans::{sentences_or_runs, spans, words_of};
use super::units::{CollectionUnit, CollectionUnits};
use crate::error::Result;
use crate::text::sentences;

/// A document, ready to be cut.
pub(in crate::text) struct CutDocument<'a> {
    pub(in crate::text) document: &'a Document,
    /// Title and text.
    pub(in crate::text) whole: &'a str,
    /// The hash of `whole`.
    pub(in crate::text) group: u64,
    /// The words of this document and of those before it.
    pub(in crate::text) bag: &'a WordBag,
    /// The seed of spans and mixtures.
    pub(in crate::text) seed: u64,
}

impl CutDocument<'_> {
    /// Gives `each` the texts of the wanted units, unit by unit. They depend on this document only, but for the
    /// mixtures.
    pub(in crate::text) fn each_text(
        &self,
        wanted: &CollectionUnits,
        mut each: impl FnMut(CollectionUnit, &str) -> Result<()>,
    ) -> Result<()> {
        let Document { title, text, .. } = self.document;
        let needs_words = |unit: &CollectionUnit| matches!(unit, CollectionUnit::Span | CollectionUnit::Mixture);
        let needs_sentences = |unit: &CollectionUnit| {
            needs_words(unit) || matches!(unit, CollectionUnit::Passage | CollectionUnit::Sentence)
        };
        let sentences: Vec<&str> =
            if wanted.units.iter().any(needs_sentences) { sentences(text).collect() } else { Vec::new() };
        let words = if wanted.units.iter().any(needs_words) { words_of(self.whole) } else { Vec::new() };
        let runs = sentences_or_runs(&words, sentences.len());
        for &unit in &wanted.units {
            let mut each = |text: &str| each(unit, text);
            match unit {
                CollectionUnit::Document => each(self.whole)?,
                CollectionUnit::Passage => {
                    passages(text, &sentences, wanted.passage_words).into_iter().try_for_each(each)?;
                }
                CollectionUnit::Sentence => sentences.iter().try_for_each(|sentence| each(sentence))?,
                CollectionUnit::Title if title.is_empty() => {}
                CollectionUnit::Title => each(title)?,
                CollectionUnit::Span => {
                    spans(self.whole, &words, self.group, wanted.spans * runs, self.seed).try_for_each(each)?;
                }
                CollectionUnit::Mixture => {
                    let mut found = self.bag.mixtures(self.group, wanted.mixtures * runs, self.seed);
                    found.try_for_each(|text| each(&text))?;
                }
            }
        }
        Ok(())
    }
}
