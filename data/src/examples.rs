//! Training examples for contrastive learning: a sentence, one with the same meaning, and perhaps one with another
//! meaning.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::text::{Encodings, TableReader, TextError};

/// Training examples, one `Vec` a column, all of one length. No sentence is blank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examples {
    /// The sentences with which the others are compared.
    pub anchors: Vec<String>,
    /// Each anchor's paraphrase, answer or entailment.
    pub positives: Vec<String>,
    /// Each anchor's hard negative, such as a contradiction, where the file has a column of hard negatives.
    pub hard_negatives: Option<Vec<String>>,
    /// How many rows gave no example.
    pub skipped: SkippedRows,
}

/// How many rows gave no example, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedRows {
    /// Rows with a blank sentence.
    pub blank: usize,
    /// Rows whose label says that the meanings differ.
    pub not_positive: usize,
}

impl std::fmt::Display for SkippedRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows with a blank sentence, {} not labelled positive", self.blank, self.not_positive)
    }
}

impl Examples {
    /// The number of examples.
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Keeps the first `most` examples.
    pub fn truncate(&mut self, most: usize) {
        let columns = [Some(&mut self.anchors), Some(&mut self.positives), self.hard_negatives.as_mut()];
        columns.into_iter().flatten().for_each(|column| column.truncate(most));
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }
}

/// Names of the columns that make an example. Columns that are not named are found by the header, as [`read`] says. An
/// empty name means that no column is read.
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

/// The headers that are known: anchor, positive, and possible names of the hard negative.
const LAYOUTS: [(&str, &str, &[&str]); 5] = [
    ("premise", "entailment", &["contradiction"]),
    ("anchor", "positive", &["negative", "hard_negative"]),
    ("sent0", "sent1", &["hard_neg"]),
    ("sentence1", "sentence2", &[]),
    ("premise", "hypothesis", &[]),
];

/// Possible names of the column of labels.
const LABELS: [&str; 2] = ["label", "score"];

/// The highest grade of similarity.
const HIGHEST_GRADE: f64 = 5.0;

/// The share of the highest grade from which a pair is positive.
const POSITIVE_SHARE: f64 = 0.8;

/// The columns of a file that make an example.
struct ExampleLayout {
    /// Anchor, positive and, where there is one, hard negative.
    sentences: Vec<String>,
    label: Option<String>,
    /// Whether these are premises and hypotheses, whose labels data sets number in different orders.
    inference: bool,
}

/// Reads a `.tsv`, `.csv`, `.jsonl` or `.parquet` file of examples, all but the last also with `.gz` after it. TSV has
/// no quoting: a `"` is part of the sentence.
///
/// If `columns` names none, the header decides by the first of these groups that it has: `premise`, `entailment`,
/// `contradiction`; `anchor`, `positive`, `negative` (or `hard_negative`); `sent0`, `sent1`, `hard_neg`; `sentence1`,
/// `sentence2`; `premise`, `hypothesis`. The hard negative may be missing from each group, and is looked for only where
/// the header decides on the anchor. The column `label`, or else `score`, holds labels in every case.
///
/// If there are labels, only positive rows are kept. A label is a word (`entailment` is positive; `neutral`,
/// `contradiction`, `not_entailment` and `-` are not) or a number. If any number in the file is above 1, all are grades
/// from 0 to 5, positive from 4. Otherwise they go from 0 to 1 and are positive from 0.8. Rows of a premise and its
/// hypothesis become pairs; their labels must be words, because data sets number them in different orders.
///
/// A row with a blank sentence is left out and counted. Sentences are not changed.
///
/// # Errors
/// The file cannot be read or is not UTF-8, a column is missing, a row has more or fewer fields than the header, a
/// label is none of these, or no example is left. The error names the file, and the line or row.
pub fn read(path: &Path, columns: &ExampleColumns) -> Result<Examples> {
    let table = TableReader::open(path, &Encodings::default())?;
    let unit = table.unit();
    let ExampleLayout { sentences, label, inference } = find(path, &table.names, columns)?;
    let width = sentences.len();
    let wanted: Vec<_> = sentences.into_iter().chain(label).collect();
    let labelled = wanted.len() > width;

    let mut skipped = SkippedRows::default();
    let mut read: Vec<Vec<String>> = vec![Vec::new(); width];
    let mut labels = Vec::new();
    let mut any_row = false;
    for row in table.rows(&wanted, width)? {
        any_row = true;
        let (number, mut fields) = row?;
        let label = if labelled { fields.pop() } else { None };
        if let Some(label) = label {
            let parsed = ExampleLabel::parse(&label, inference);
            let parsed = parsed.map_err(|what| TextError::Example { path: path.to_owned(), unit, number, what })?;
            match (parsed, labels.first()) {
                (ExampleLabel::Word(_), Some(ExampleLabel::Grade(_)))
                | (ExampleLabel::Grade(_), Some(ExampleLabel::Word(_))) => {
                    let what = format!("the label `{label}` beside others that are words, or numbers");
                    return Err(TextError::Example { path: path.to_owned(), unit, number, what }.into());
                }
                _ => labels.push(parsed),
            }
        }
        for (column, field) in read.iter_mut().zip(fields) {
            column.push(field);
        }
    }
    if !any_row {
        return Err(TextError::Empty { path: path.to_owned() }.into());
    }

    let positive = are_positive(&labels);
    let mut columns = read.into_iter();
    let (anchors, positives) = (columns.next().unwrap_or_default(), columns.next().unwrap_or_default());
    let mut keep = vec![true; anchors.len()];
    let hard_negatives = columns.next();
    for (index, keep) in keep.iter_mut().enumerate() {
        let blank = |column: &Vec<String>| column.get(index).is_none_or(|text| text.trim().is_empty());
        if positive.get(index) == Some(&false) {
            skipped.not_positive += 1;
            *keep = false;
        } else if blank(&anchors) || blank(&positives) || hard_negatives.as_ref().is_some_and(blank) {
            skipped.blank += 1;
            *keep = false;
        }
    }
    let kept =
        |column: Vec<String>| column.into_iter().zip(&keep).filter_map(|(text, keep)| keep.then_some(text)).collect();
    let examples = Examples {
        anchors: kept(anchors),
        positives: kept(positives),
        hard_negatives: hard_negatives.map(kept),
        skipped,
    };
    if examples.is_empty() {
        return Err(TextError::NoExamples { path: path.to_owned(), counts: skipped.to_string() }.into());
    }
    Ok(examples)
}

/// Which of the file's columns are meant.
fn find(path: &Path, names: &[String], columns: &ExampleColumns) -> Result<ExampleLayout> {
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let first_of = |known: &[&str]| known.iter().find(|name| has(name)).map(|&name| name.to_owned());
    let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let (anchor, positive, by_header) = match (given(&columns.anchor), given(&columns.positive)) {
        (Some(anchor), Some(positive)) => (anchor, positive, None),
        (None, None) => {
            let layout = LAYOUTS.iter().find(|(anchor, positive, _)| has(anchor) && has(positive));
            let Some(&(anchor, positive, negatives)) = layout else {
                return Err(TextError::WhichExamples { path: path.to_owned(), columns: names.to_vec() }.into());
            };
            (anchor.to_owned(), positive.to_owned(), first_of(negatives))
        }
        (anchor, _) => {
            let (name, other) = if anchor.is_some() { ("anchor", "positive") } else { ("positive", "anchor") };
            let value = anchor.or_else(|| columns.positive.clone()).unwrap_or_default();
            let why = if other == "positive" {
                "the column `positive` has to be named too"
            } else {
                "the column `anchor` has to be named too"
            };
            return Err(TextError::Setting { name, value, why }.into());
        }
    };
    let hard_negative = columns.hard_negative.clone().or(by_header).filter(|name| !name.is_empty());
    let label = columns.label.clone().or_else(|| first_of(&LABELS)).filter(|name| !name.is_empty());
    let inference = positive == "hypothesis";
    let sentences = [Some(anchor), Some(positive), hard_negative].into_iter().flatten().collect();
    Ok(ExampleLayout { sentences, label, inference })
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum ExampleLabel {
    Word(bool),
    Grade(f64),
}

impl ExampleLabel {
    fn parse(label: &str, inference: bool) -> std::result::Result<Self, String> {
        let label = label.trim();
        match label.to_ascii_lowercase().as_str() {
            "entailment" => return Ok(Self::Word(true)),
            "neutral" | "contradiction" | "not_entailment" | "-" => return Ok(Self::Word(false)),
            "" => return Err("the label is empty".into()),
            _ => {}
        }
        let grade = label.parse::<f64>().map_err(|_| format!("unknown label `{label}`"))?;
        if inference {
            return Err(format!(
                "the label `{label}` of a premise and a hypothesis is a number, which may mean anything"
            ));
        }
        let fits = (0.0..=HIGHEST_GRADE).contains(&grade);
        if fits { Ok(Self::Grade(grade)) } else { Err(format!("the label `{label}` isn't from 0 to {HIGHEST_GRADE}")) }
    }
}

/// Whether each label is positive.
fn are_positive(labels: &[ExampleLabel]) -> Vec<bool> {
    let above_one = labels.iter().any(|label| matches!(label, ExampleLabel::Grade(grade) if *grade > 1.0));
    let least = POSITIVE_SHARE * if above_one { HIGHEST_GRADE } else { 1.0 };
    let is_positive = |label: &ExampleLabel| match label {
        ExampleLabel::Word(positive) => *positive,
        ExampleLabel::Grade(grade) => *grade >= least,
    };
    labels.iter().map(is_positive).collect()
}

#[cfg(test)]
#[path = "examples_tests.rs"]
mod tests;
