//! [`CutDocument`]: a document cut into the texts of its units.

use super::document::Document;
use super::mixtures::WordBag;
use super::passages::passages;
use super::spans::{sentences_or_runs, spans};
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
    /// Gives `each` the texts of the wanted units, unit by unit. They depend on this document only,
    /// but for the mixtures.
    pub(in crate::text) fn each_text(
        &self,
        wanted: &CollectionUnits,
        mut each: impl FnMut(CollectionUnit, &str) -> Result<()>,
    ) -> Result<()> {
        let Document { title, text, .. } = self.document;
        let needs_sentences = |unit: &CollectionUnit| {
            use CollectionUnit::{Mixture, Passage, Sentence, Span};
            matches!(unit, Passage | Sentence | Span | Mixture)
        };
        let sentences: Vec<&str> =
            if wanted.units.iter().any(needs_sentences) { sentences(text).collect() } else { Vec::new() };
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
                    let mean = wanted.spans * sentences_or_runs(self.whole, sentences.len());
                    spans(self.whole, self.group, mean, self.seed).try_for_each(each)?;
                }
                CollectionUnit::Mixture => {
                    let mean = wanted.mixtures * sentences_or_runs(self.whole, sentences.len());
                    self.bag.mixtures(self.group, mean, self.seed).try_for_each(|text| each(&text))?;
                }
            }
        }
        Ok(())
    }
}
