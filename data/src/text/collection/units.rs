//! [`CollectionUnit`]: what of a document makes a text. [`CollectionUnits`]: which units a collection gives.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::text::TextError;

/// What of a document makes a text. A document gives the texts of its units in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CollectionUnit {
    /// Title, a space, and text: the whole document, however long.
    Document,
    /// A window of whole sentences of the text, or of words of a longer sentence. Windows do not overlap; a text that
    /// fits into one gives none, because it would repeat the document.
    Passage,
    /// A sentence of the text.
    Sentence,
    /// The title.
    Title,
    /// A random run of 2 to 40 words out of title and text.
    Span,
    /// From 2 to 12 random words of the documents so far, rare ones more often than they are written. A query joins
    /// words that no document joins; these teach what such a text means.
    Mixture,
}

impl CollectionUnit {
    /// The name, as recipes have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Passage => "passage",
            Self::Sentence => "sentence",
            Self::Title => "title",
            Self::Span => "span",
            Self::Mixture => "mixture",
        }
    }
}

/// How the documents of a collection become texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CollectionUnits {
    /// The units, at least one.
    pub units: BTreeSet<CollectionUnit>,
    /// The column or JSON field with the titles; `title` where there is one.
    pub title: Option<String>,
    /// The column or JSON field with the ids; `_id`, `id`, `doc_id` or `docid` where there is one.
    pub id: Option<String>,
    /// The most words of a passage, as Unicode's annex 29 tells words: a character of Chinese is one. Default 96: about
    /// 125 word pieces of English, so that a passage fits into the 128 tokens that many teachers read.
    pub passage_words: usize,
    /// The number of spans for each sentence of a document, or each 21 words where these are fewer. Default 1: about as
    /// many spans as sentences.
    pub spans: f64,
    /// The number of mixtures, counted as spans are. Default 1.
    pub mixtures: f64,
}

impl CollectionUnits {
    /// The default of [`CollectionUnits::passage_words`].
    pub const PASSAGE_WORDS: usize = 96;
    /// The default of [`CollectionUnits::spans`].
    pub const SPANS: f64 = 1.0;
    /// The default of [`CollectionUnits::mixtures`].
    pub const MIXTURES: f64 = 1.0;
    /// The most spans or mixtures for each sentence.
    const MOST: f64 = 100.0;

    /// These units, at the defaults.
    pub fn new(units: impl IntoIterator<Item = CollectionUnit>) -> Self {
        let (units, passage_words) = (units.into_iter().collect(), Self::PASSAGE_WORDS);
        Self { units, title: None, id: None, passage_words, spans: Self::SPANS, mixtures: Self::MIXTURES }
    }

    /// Refuses settings out of range.
    pub fn check(&self) -> Result<()> {
        let is_possible = |mean: f64| mean > 0.0 && mean <= Self::MOST;
        let (name, value, why) = if self.units.is_empty() {
            ("units", "empty".into(), "name at least one of document, passage, sentence, title, span and mixture")
        } else if self.passage_words == 0 {
            ("passage_words", "0".into(), "a passage has at least one word")
        } else if !is_possible(self.spans) {
            ("spans", self.spans.to_string(), "0 < spans <= 100 for each sentence; for none, leave out the unit `span`")
        } else if !is_possible(self.mixtures) {
            (
                "mixtures",
                self.mixtures.to_string(),
                "0 < mixtures <= 100 for each sentence; for none, leave out the unit `mixture`",
            )
        } else {
            return Ok(());
        };
        Err(TextError::Setting { name, value, why }.into())
    }
}
