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
    /// A window of whole sentences of the text. Windows do not overlap; a text that fits into one gives none, because
    /// it would repeat the document.
    Passage,
    /// A sentence of the text.
    Sentence,
    /// The title.
    Title,
    /// A random run of 2 to 40 words out of title and text.
    Span,
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
    /// The most words of a passage, as Unicode's annex 29 tells words: a character of Chinese is one. A single sentence
    /// may be longer. Default 96: about 125 word pieces of English, so that a passage fits into the 128 tokens that
    /// many teachers read.
    pub passage_words: usize,
    /// The number of spans for each sentence of a document. Default 1: about as many spans as sentences.
    pub spans: f64,
}

impl CollectionUnits {
    /// The default of [`CollectionUnits::passage_words`].
    pub const PASSAGE_WORDS: usize = 96;
    /// The default of [`CollectionUnits::spans`].
    pub const SPANS: f64 = 1.0;
    /// The most spans for each sentence.
    const MOST_SPANS: f64 = 100.0;

    /// These units, at the defaults.
    pub fn new(units: impl IntoIterator<Item = CollectionUnit>) -> Self {
        let (units, passage_words, spans) = (units.into_iter().collect(), Self::PASSAGE_WORDS, Self::SPANS);
        Self { units, title: None, id: None, passage_words, spans }
    }

    /// Refuses settings out of range.
    pub fn check(&self) -> Result<()> {
        let (name, value, why) = if self.units.is_empty() {
            ("units", "empty".into(), "name at least one of document, passage, sentence, title and span")
        } else if self.passage_words == 0 {
            ("passage_words", "0".into(), "a passage has at least one word")
        } else if !(self.spans > 0.0 && self.spans <= Self::MOST_SPANS) {
            (
                "spans",
                self.spans.to_string(),
                "from above 0 to 100 are possible for each sentence; for none, leave \
                                               out the unit `span`",
            )
        } else {
            return Ok(());
        };
        Err(TextError::Setting { name, value, why }.into())
    }
}
