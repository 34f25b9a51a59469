//! [`TextPlan`]: which texts are trained on. [`TextSummary`]: how many were read, written and left out.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::collection::{CollectionUnit, CollectionUnits, UnitCounts};
use super::{SourceCounts, TextError, TextSource};
use crate::error::Result;

/// The settings that decide which texts are trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextPlan {
    /// The sources, in order. Of duplicates the first stays.
    pub sources: Vec<TextSource>,
    /// Files or folders whose sentences are left out, compared without case, punctuation and spaces. Of a file with
    /// columns `sentence1` and `sentence2`, or the names that SICK, Quora and MRPC have for them, both sentences are
    /// left out, of a folder in BEIR's layout documents and queries; and each sentence of these. Of a collection, a
    /// document with such a sentence of 20 letters or more is left out whole. A file `.hashes` is a list that
    /// [`super::write_exclusion_list`] wrote.
    pub exclude: Vec<PathBuf>,
    /// The most texts in all, for training and held out together: a uniform sample, in the order of the sources.
    pub limit: Option<usize>,
    /// The seed of the samples.
    pub seed: u64,
    /// Texts with fewer characters are dropped. Default 3: shorter texts are list numbers or stray letters, and some
    /// Chinese texts of three characters are whole.
    pub min_chars: usize,
    /// Texts with more characters are dropped, but for whole documents of a collection. Default 10,000: no encoder
    /// reads so far, and longer texts are seldom language. Of documents that are split, each sentence is measured.
    pub max_chars: usize,
    /// The share of texts held out, at least 0 and below 1. The hash of a text decides; all sentences of a document go
    /// the same way. Default 0.02.
    pub hold_out: f64,
    /// The most documents of collections that give a query: the title, or where there is none a sentence. These texts
    /// are left out, and the longer ones that contain them are not. Default 0.
    #[serde(default)]
    pub own_queries: usize,
}

impl Default for TextPlan {
    fn default() -> Self {
        let (sources, exclude) = (Vec::new(), Vec::new());
        Self { sources, exclude, limit: None, seed: 0, min_chars: 3, max_chars: 10_000, hold_out: 0.02, own_queries: 0 }
    }
}

impl TextPlan {
    /// Refuses settings out of range.
    pub(super) fn check(&self) -> Result<()> {
        let (hold_out, min_chars) = (self.hold_out, self.min_chars);
        let no_limit = self.limit == Some(0) || self.sources.iter().any(|source| source.limit == Some(0));
        let (name, value, why) = if self.sources.is_empty() {
            ("sources", "empty".into(), "name a file or folder with text")
        } else if !(0.0..1.0).contains(&hold_out) {
            ("hold_out", hold_out.to_string(), "a share from 0 to 1 is expected, 1 left out")
        } else if min_chars > self.max_chars {
            ("min_chars", min_chars.to_string(), "it's above max_chars")
        } else if self.origins().count() > usize::from(u16::MAX) + 1 {
            ("sources", self.sources.len().to_string(), "at most 65536 are possible: put files together in folders")
        } else if no_limit {
            ("limit", "0".into(), "leave it out for no limit")
        } else if self.sources.iter().any(|source| source.collection.is_some() && source.is_cut()) {
            ("units", "named".into(), "it stands in place of `unit` and `split`: leave them out")
        } else if self.own_queries > 0 && !self.has_collection() {
            ("own_queries", self.own_queries.to_string(), "no source has units, whose documents give queries")
        } else {
            return self.sources.iter().flat_map(|source| &source.collection).try_for_each(CollectionUnits::check);
        };
        Err(TextError::Setting { name, value, why }.into())
    }

    /// Whether a source is a collection.
    pub fn has_collection(&self) -> bool {
        self.sources.iter().any(|source| source.collection.is_some())
    }

    /// What the texts are told apart by: the place of each source, and for a collection each of its units too.
    pub fn origins(&self) -> impl Iterator<Item = (usize, Option<CollectionUnit>)> + '_ {
        self.sources.iter().enumerate().flat_map(|(place, source)| {
            let units = source.collection.iter().flat_map(|collection| &collection.units);
            let none = source.collection.is_none().then_some(None);
            units.map(|unit| Some(*unit)).chain(none).map(move |unit| (place, unit))
        })
    }

    /// Whether the texts of this group are held out. Only the group's hash and the share decide, so with the same share
    /// every plan holds out the same texts.
    pub fn holds_out(&self, group: u64) -> bool {
        (group as f64) < self.hold_out * 2f64.powi(64)
    }
}

/// How many texts were read, written and left out. `read` is the sum of the counts after it, `augmented` apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextSummary {
    /// The counts of documents; all 0 where there are none.
    pub documents: DocumentCounts,
    /// Texts read: rows, or the sentences of documents that are split.
    pub read: u64,
    /// Texts without any character but spaces.
    pub blank: u64,
    /// Texts shorter than `min_chars`.
    pub too_short: u64,
    /// Texts longer than `max_chars`.
    pub too_long: u64,
    /// Texts in the files to exclude.
    pub excluded: u64,
    /// Texts that are a collection's own queries, as often as they occur.
    #[serde(default)]
    pub own_query: u64,
    /// Texts met before.
    pub duplicate: u64,
    /// Fit texts that no sample drew.
    pub not_drawn: u64,
    /// Texts written to train on.
    pub train: u64,
    /// Second texts, made from texts to train on and written after them.
    #[serde(default, rename = "further")]
    pub augmented: u64,
    /// Texts written to measure on.
    pub held_out: u64,
    /// The texts written of each unit, where there are collections.
    #[serde(default, skip_serializing_if = "UnitCounts::is_empty")]
    pub units: UnitCounts,
    /// The queries that documents of collections gave.
    #[serde(default)]
    pub queries: u64,
    /// What was left out of each source, in the order of the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceCounts>,
}

impl TextSummary {
    /// A line for each source of which something was left out for what it is.
    pub fn source_notes(&self) -> impl Iterator<Item = String> {
        self.sources.iter().filter(|source| source.has_note()).map(SourceCounts::to_string)
    }
}

/// How many documents were read, and how many of them were left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentCounts {
    /// Documents read.
    pub read: u64,
    /// Documents without any character but spaces.
    pub blank: u64,
    /// Documents to exclude, or with a sentence to exclude.
    #[serde(default)]
    pub excluded: u64,
    /// Documents met before.
    pub duplicate: u64,
    /// Documents too long to be read: rows longer than [`super::MAX_ROW_BYTES`].
    #[serde(default)]
    pub too_long: u64,
}

impl fmt::Display for TextSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DocumentCounts { read, blank, excluded, duplicate, too_long } = self.documents;
        if read > 0 {
            write!(f, "{read} {}", if read == 1 { "document" } else { "documents" })?;
            write_counts(
                f,
                " (",
                [("blank", blank), ("too long", too_long), ("excluded", excluded), ("duplicate", duplicate)],
            )?;
            f.write_str(", ")?;
        }
        write!(f, "{} {}", self.read, if self.read == 1 { "text" } else { "texts" })?;
        let left_out = [
            ("blank", self.blank),
            ("too short", self.too_short),
            ("too long", self.too_long),
            ("excluded", self.excluded),
            ("own queries", self.own_query),
            ("duplicate", self.duplicate),
            ("not drawn", self.not_drawn),
        ];
        write_counts(f, " (", left_out)?;
        write!(f, ": {} to train on", self.train)?;
        write_counts(f, " (", [("more made of them", self.augmented)])?;
        write!(f, ", {} held out", self.held_out)?;
        if !self.units.is_empty() {
            write!(f, ", in all {}", self.units)?;
        }
        match self.queries {
            0 => Ok(()),
            1 => f.write_str("; 1 query of its own documents"),
            queries => write!(f, "; {queries} queries of its own documents"),
        }
    }
}

/// Writes the counts above 0 in brackets.
fn write_counts<const N: usize>(f: &mut fmt::Formatter<'_>, open: &str, counts: [(&str, u64); N]) -> fmt::Result {
    let mut before = open;
    for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        write!(f, "{before}{count} {name}")?;
        before = ", ";
    }
    if before == ", " { f.write_str(")") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_out_of_range_is_refused_by_name() {
        let with = |change: fn(&mut TextPlan)| {
            let mut plan = TextPlan { sources: vec![TextSource::new("x.txt")], ..TextPlan::default() };
            change(&mut plan);
            plan.check().map_err(|error| error.to_string())
        };
        assert_eq!(with(|_| ()), Ok(()));
        assert!(with(|plan| plan.sources.clear()).unwrap_err().starts_with("`sources`"));
        assert!(with(|plan| plan.hold_out = 1.0).unwrap_err().starts_with("`hold_out` is 1"));
        assert!(with(|plan| plan.hold_out = f64::NAN).unwrap_err().starts_with("`hold_out` is NaN"));
        assert!(with(|plan| plan.min_chars = 20_000).unwrap_err().starts_with("`min_chars` is 20000"));
        assert!(with(|plan| plan.limit = Some(0)).unwrap_err().starts_with("`limit` is 0"));
    }

    #[test]
    fn the_share_held_out_is_the_share_asked_for() {
        let plan = TextPlan { hold_out: 0.1, ..TextPlan::default() };
        let out = (0..10_000u32).filter(|n| plan.holds_out(super::super::hash(&n.to_string()))).count();
        assert!((900..1100).contains(&out), "{out}");
        let none = TextPlan { hold_out: 0.0, ..TextPlan::default() };
        assert!(!none.holds_out(0));
    }

    #[test]
    fn the_summary_says_what_happened() {
        let mut summary = TextSummary { read: 10, blank: 1, duplicate: 2, train: 6, held_out: 1, ..Default::default() };
        assert_eq!(summary.to_string(), "10 texts (1 blank, 2 duplicate): 6 to train on, 1 held out");
        summary.documents = DocumentCounts { read: 3, duplicate: 1, ..Default::default() };
        assert!(summary.to_string().starts_with("3 documents (1 duplicate), 10 texts"));
        (summary.documents.read, summary.read) = (1, 1);
        assert!(summary.to_string().starts_with("1 document (1 duplicate), 1 text ("));
    }
}
