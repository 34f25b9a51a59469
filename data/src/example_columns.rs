//! [`ExampleColumns`]: which columns of a file make training examples, by the user's word or by the header.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::text::{PAIR_COLUMNS, TextError};

/// Names of the columns that make an example. Columns that are not named are found by the header, as
/// [`read`](crate::examples::read) says. An empty name means that no column is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExampleColumns {
    /// The anchors; named together with `positive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
    /// The positives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive: Option<String>,
    /// The hard negatives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_negative: Option<String>,
    /// The labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// The headers that are known beside [`PAIR_COLUMNS`]: anchor, positive, and possible names of the hard negative.
const LAYOUTS: [(&str, &str, &[&str]); 3] = [
    ("premise", "entailment", &["contradiction"]),
    ("anchor", "positive", &["negative", "hard_negative"]),
    ("sent0", "sent1", &["hard_neg"]),
];

/// The names of columns of labels. Of several in a file, the first of this list is read: words of inference say more
/// than a grade, and SICK has both.
const LABELS: [(&str, LabelScale); 12] = [
    ("gold_label", LabelScale::Any),
    ("entailment_judgment", LabelScale::Words),
    ("entailment_label", LabelScale::Words),
    ("relatedness_score", LabelScale::OneToFive),
    ("relatedness_judgment", LabelScale::OneToFive),
    ("label", LabelScale::Any),
    ("labels", LabelScale::Any),
    ("score", LabelScale::Any),
    ("similarity_score", LabelScale::Any),
    ("similarity", LabelScale::Any),
    ("is_duplicate", LabelScale::YesOrNo),
    ("Quality", LabelScale::YesOrNo),
];

/// Columns of well-known data sets that neither are labels nor matter.
const ASIDES: [&str; 23] = [
    "",
    "id",
    "idx",
    "index",
    "old_index",
    "pairID",
    "pair_ID",
    "pair_id",
    "promptID",
    "captionID",
    "qid1",
    "qid2",
    "#1 ID",
    "#2 ID",
    "genre",
    "filename",
    "year",
    "source",
    "source1",
    "source2",
    "split",
    "lang",
    "language",
];

/// Parts of the names of columns that hold labels, in lower case.
const LABEL_WORDS: [&str; 21] = [
    "label",
    "score",
    "gold",
    "judg",
    "class",
    "grade",
    "rating",
    "rank",
    "target",
    "duplicate",
    "quality",
    "simil",
    "relate",
    "relevan",
    "entail",
    "paraphrase",
    "equivalen",
    "match",
    "annotat",
    "verdict",
    "correct",
];

/// What the labels of a column mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LabelScale {
    /// Words of inference, 0 and 1, or grades from 0 to 1 or to 5.
    Any,
    /// Words of inference only: numbers stand for other words in each data set.
    Words,
    /// 1 for the same meaning, else 0.
    YesOrNo,
    /// Grades from 1 to 5, as SICK has them.
    OneToFive,
}

/// The columns of a file that make an example.
pub(crate) struct ExampleLayout {
    /// Anchor, positive and, where there is one, hard negative.
    pub(crate) sentences: Vec<String>,
    pub(crate) label: Option<(String, LabelScale)>,
    /// Other columns, of which nothing is known.
    pub(crate) unread: Vec<String>,
}

impl ExampleColumns {
    /// Finds the columns meant in a file whose columns have these names.
    pub(crate) fn find(&self, path: &Path, names: &[String]) -> Result<ExampleLayout> {
        let sentences = self.sentences(path, names)?;
        let label = self.label(names, &sentences[1]);
        let others = names.iter().filter(|name| {
            !sentences.contains(name)
                && label.as_ref().is_none_or(|(label, _)| label != *name)
                && !ASIDES.contains(&name.as_str())
        });
        let unasked = label.is_none() && self.label.is_none();
        let unread: Vec<String> = if unasked { others.cloned().collect() } else { Vec::new() };
        if sentences.len() == 2 {
            let suspects: Vec<String> = unread.iter().filter(|name| looks_like_label(name)).cloned().collect();
            if !suspects.is_empty() {
                return Err(TextError::WhichLabel { path: path.to_owned(), columns: suspects }.into());
            }
        }
        Ok(ExampleLayout { sentences, label, unread })
    }

    fn sentences(&self, path: &Path, names: &[String]) -> Result<Vec<String>> {
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        let first_of = |known: &[&str]| known.iter().find(|name| has(name)).map(|&name| name.to_owned());
        let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
        let (anchor, positive, by_header) = match (given(&self.anchor), given(&self.positive)) {
            (Some(anchor), Some(positive)) => (anchor, positive, None),
            (None, None) => {
                let pairs = PAIR_COLUMNS.into_iter().chain([("premise", "hypothesis")]);
                let mut layouts = LAYOUTS.into_iter().chain(pairs.map(|(left, right)| (left, right, &[][..])));
                let layout = layouts.find(|(anchor, positive, _)| has(anchor) && has(positive));
                let Some((anchor, positive, negatives)) = layout else {
                    return Err(TextError::WhichExamples { path: path.to_owned(), columns: names.to_vec() }.into());
                };
                (anchor.to_owned(), positive.to_owned(), first_of(negatives))
            }
            (anchor, _) => {
                let (name, other) = if anchor.is_some() { ("anchor", "positive") } else { ("positive", "anchor") };
                let value = anchor.or_else(|| self.positive.clone()).unwrap_or_default();
                let why = if other == "positive" {
                    "the column `positive` has to be named too"
                } else {
                    "the column `anchor` has to be named too"
                };
                return Err(TextError::Setting { name, value, why }.into());
            }
        };
        let hard_negative = self.hard_negative.clone().or(by_header).filter(|name| !name.is_empty());
        Ok([Some(anchor), Some(positive), hard_negative].into_iter().flatten().collect())
    }

    fn label(&self, names: &[String], positive: &str) -> Option<(String, LabelScale)> {
        let found = || LABELS.iter().map(|(name, _)| *name).find(|label| names.iter().any(|name| name == label));
        let label = self.label.clone().or_else(|| found().map(str::to_owned)).filter(|name| !name.is_empty())?;
        // Data sets number the words for a premise and its hypothesis in different orders; so do copies of SICK.
        let inference = positive == "hypothesis" || (positive == "sentence_B" && label.contains("label"));
        let scale = match LABELS.iter().find(|(name, _)| *name == label) {
            Some((_, LabelScale::Any)) | None if inference => LabelScale::Words,
            Some((_, scale)) => *scale,
            None => LabelScale::Any,
        };
        Some((label, scale))
    }
}

/// Whether a column of this name may say which rows are positive.
fn looks_like_label(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("is_") || LABEL_WORDS.iter().any(|word| name.contains(word))
}
