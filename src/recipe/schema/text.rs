//! `[text]` and its sources.

use std::collections::BTreeSet;

use limbeck_data::text::{CollectionUnit, CollectionUnits, TextPlan, TextUnit};
use serde::{Deserialize, Serialize};

use super::problem::{Check, problem};

/// One `[[text.source]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceSection {
    /// A URI, a file or a folder.
    pub uri: String,
    /// The sha256 that the source must have, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The column or field with the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The encoding where it isn't UTF-8, such as `windows-1252`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Whether each line or each file is a text.
    pub unit: TextUnit,
    /// Whether texts are documents to be split into sentences.
    pub split: bool,
    /// The units that the documents of a collection give, in place of `unit` and `split`.
    #[serde(skip_serializing_if = "super::is_default")]
    pub units: BTreeSet<CollectionUnit>,
    /// The column or field with the titles of documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The column or field with the ids of documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The most words of a passage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passage_words: Option<usize>,
    /// The number of spans for each sentence, or each 21 words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spans: Option<f64>,
    /// The number of mixtures, counted as spans are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixtures: Option<f64>,
    /// Whether the folder that a file lies in is its label, for topic accuracy.
    pub label: bool,
    /// The size of a uniform sample of this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// What its texts are to the teacher, such as `query` or `document`: the teacher's prompt of that name stands
    /// before them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

impl SourceSection {
    /// The units of a collection and their settings; `None` where the source is none.
    pub fn collection(&self) -> Option<CollectionUnits> {
        (!self.units.is_empty()).then(|| CollectionUnits {
            units: self.units.clone(),
            title: self.title.clone(),
            id: self.id.clone(),
            passage_words: self.passage_words.unwrap_or(CollectionUnits::PASSAGE_WORDS),
            spans: self.spans.unwrap_or(CollectionUnits::SPANS),
            mixtures: self.mixtures.unwrap_or(CollectionUnits::MIXTURES),
        })
    }

    /// Refuses what can't be beside units, and what needs them.
    fn check_units(&self) -> Check {
        if let Some(collection) = self.collection() {
            if self.unit != TextUnit::Line || self.split {
                return problem(
                    "text.source.units stands in place of `unit` and `split`",
                    "leave those out: units = [\"document\", \"sentence\"] are whole documents and their sentences",
                );
            }
            return Ok(collection.check()?);
        }
        let keys = [
            ("title", self.title.is_some()),
            ("id", self.id.is_some()),
            ("passage_words", self.passage_words.is_some()),
            ("spans", self.spans.is_some()),
            ("mixtures", self.mixtures.is_some()),
        ];
        match keys.into_iter().find(|(_, is_named)| *is_named) {
            Some((key, _)) => problem(
                format!("text.source.{key} is for a source with units, and there are none"),
                "name them: units = [\"document\", \"passage\", \"sentence\", \"title\", \"span\", \"mixture\"]",
            ),
            None => Ok(()),
        }
    }
}

/// `[text]`: the sources, and the texts left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextSection {
    /// The sources, one after another.
    pub source: Vec<SourceSection>,
    /// Files whose sentences are never trained on.
    pub exclude: Vec<String>,
    /// The size of a uniform sample of all sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The seed of samples and reorderings.
    pub seed: u64,
    /// Shorter texts are left out.
    pub min_chars: usize,
    /// Longer texts are left out.
    pub max_chars: usize,
    /// The share of texts (of documents, where there are any) that is held out to measure on.
    pub hold_out: f64,
    /// The share of the training texts that are added once more with their words in another order: a student learns
    /// from them what the order of words is worth.
    #[serde(skip_serializing_if = "super::is_default")]
    pub reordered: f64,
    /// The most documents of collections that give a query, which is left out of the training: title or sentence.
    #[serde(skip_serializing_if = "super::is_default")]
    pub own_queries: usize,
}

impl Default for TextSection {
    fn default() -> Self {
        let plan = TextPlan::default();
        Self {
            source: Vec::new(),
            exclude: Vec::new(),
            limit: None,
            seed: plan.seed,
            min_chars: plan.min_chars,
            max_chars: plan.max_chars,
            hold_out: plan.hold_out,
            reordered: 0.0,
            own_queries: plan.own_queries,
        }
    }
}

impl TextSection {
    /// Whether a source is a collection.
    pub fn has_collection(&self) -> bool {
        self.source.iter().any(|source| !source.units.is_empty())
    }

    /// Whether a source gives texts of this unit.
    pub fn has_unit(&self, unit: CollectionUnit) -> bool {
        self.source.iter().any(|source| source.units.contains(&unit))
    }

    /// Refuses what can't be.
    pub fn check(&self) -> Check {
        if !(0.0..=1.0).contains(&self.reordered) {
            return problem("text.reordered must lie between 0 and 1", "0.2 is a fifth more text");
        }
        let no_text = self.limit == Some(0) || self.source.iter().any(|source| source.limit == Some(0));
        if no_text || self.min_chars > self.max_chars {
            return problem("[text] leaves no text", "min_chars is at most max_chars, and a limit is at least 1");
        }
        if self.own_queries > 0 && !self.has_collection() {
            let what = format!("text.own_queries is {}, and no source has units", self.own_queries);
            return problem(what, "documents give the queries: units = [\"document\", \"sentence\", \"title\"]");
        }
        self.source.iter().try_for_each(SourceSection::check_units)
    }

    /// Refuses what can't be beside a teacher, which embeds the text.
    pub fn check_beside_teacher(&self) -> Check {
        if self.source.is_empty() {
            return problem("there is no [[text.source]]", "name a file, folder or URI with text");
        }
        if !(self.hold_out > 0.0 && self.hold_out < 1.0) {
            return problem("text.hold_out must lie between 0 and 1", "0.02 keeps a fiftieth to measure on");
        }
        Ok(())
    }
}
