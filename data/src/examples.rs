//! Training examples for contrastive learning: a sentence, one with the same meaning, and perhaps one with another
//! meaning.

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use crate::example_columns::ExampleColumns;

use crate::error::Result;
use crate::example_columns::{ExampleLayout, LabelScale};
use crate::text::{ReadOptions, TableReader, TextError};

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
    /// The columns of which nothing is known, where no column holds labels and so each row counts as positive. Empty
    /// where the user said that there are no labels.
    pub unread: Vec<String>,
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
        let rows = if self.blank == 1 { "row" } else { "rows" };
        write!(f, "{} {rows} with a blank sentence, {} not labelled positive", self.blank, self.not_positive)
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

    /// What the user should know of columns that were not read, if there are any.
    pub fn note(&self) -> Option<String> {
        let names: Vec<String> = self.unread.iter().map(|name| format!("`{name}`")).collect();
        let label = "if one holds labels, name it `label`";
        (!names.is_empty()).then(|| format!("each row is a positive example; not read: {}; {label}", names.join(", ")))
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }
}

/// The highest grade of similarity.
const HIGHEST_GRADE: f64 = 5.0;

/// The share of the highest grade from which a pair is positive.
const POSITIVE_SHARE: f64 = 0.8;

/// Reads a `.tsv`, `.csv`, `.jsonl` or `.parquet` file of examples, all but the last also with `.gz` after it. TSV has
/// no quoting: a `"` is part of the sentence.
///
/// If `columns` names none, the header decides by the first of these groups that it has: `premise`, `entailment`,
/// `contradiction`; `anchor`, `positive`, `negative` (or `hard_negative`); `sent0`, `sent1`, `hard_neg`; `sentence1`,
/// `sentence2`; `sentence_A`, `sentence_B` (SICK); `question1`, `question2` (Quora); `#1 String`, `#2 String` (MRPC);
/// `premise`, `hypothesis`. The hard negative may be missing from each group, and is looked for only where the header
/// decides on the anchor.
///
/// In every case the first of these columns holds labels: `gold_label`, `entailment_judgment`, `entailment_label`,
/// `relatedness_score`, `relatedness_judgment`, `label`, `labels`, `score`, `similarity_score`, `similarity`,
/// `is_duplicate`, `Quality`. Beside two sentences, a column whose name only looks as if it held labels is an error:
/// the user names it, or says by an empty name that there are none.
///
/// If there are labels, only positive rows are kept. A label is a word (`entailment` is positive; `neutral`,
/// `contradiction`, `not_entailment` and `-` are not) or a number. If any number in the file is above 1, all are grades
/// from 0 to 5, positive from 4. Otherwise they go from 0 to 1 and are positive from 0.8. Grades of relatedness go from
/// 1 to 5, and 4.2 is the same share of that scale; `is_duplicate` and `Quality` hold 0 or 1. Rows of a premise and its
/// hypothesis become pairs; their labels must be words, because data sets number them in different orders. So do copies
/// of SICK under `label`.
///
/// A row with a blank sentence is left out and counted. Sentences are not changed.
///
/// # Errors
/// The file cannot be read or is not UTF-8, a column is missing, a row has more or fewer fields than the header, a
/// label is none of these, or no example is left. The error names the file, and the line or row.
pub fn read(path: &Path, columns: &ExampleColumns) -> Result<Examples> {
    let table = TableReader::open(path, &ReadOptions::default())?;
    let unit = table.unit();
    let ExampleLayout { sentences, label, unread } = columns.find(path, &table.names)?;
    let width = sentences.len();
    let (label, scale) = label.unzip();
    let wanted: Vec<_> = sentences.into_iter().chain(label).collect();

    let mut skipped = SkippedRows::default();
    let mut read: Vec<Vec<String>> = vec![Vec::new(); width];
    let mut labels = Vec::new();
    let mut any_row = false;
    for row in table.rows(&wanted, width)? {
        any_row = true;
        let (number, mut fields) = row?;
        if let Some(scale) = scale {
            let label = fields.pop().unwrap_or_default();
            let parsed = ExampleLabel::parse(&label, scale);
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

    let positive = are_positive(&labels, scale);
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
        unread,
    };
    if examples.is_empty() {
        return Err(TextError::NoExamples { path: path.to_owned(), counts: skipped.to_string() }.into());
    }
    Ok(examples)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum ExampleLabel {
    Word(bool),
    Grade(f64),
}

impl ExampleLabel {
    fn parse(label: &str, scale: LabelScale) -> std::result::Result<Self, String> {
        let label = label.trim();
        let word = match label.to_ascii_lowercase().as_str() {
            "entailment" => Some(Self::Word(true)),
            "neutral" | "contradiction" | "not_entailment" | "-" => Some(Self::Word(false)),
            "true" if scale != LabelScale::Words => return Ok(Self::Grade(1.0)),
            "false" if scale != LabelScale::Words => return Ok(Self::Grade(0.0)),
            "" => return Err("the label is empty".into()),
            _ => None,
        };
        if let Some(word) = word.filter(|_| matches!(scale, LabelScale::Any | LabelScale::Words)) {
            return Ok(word);
        }
        let grade = label.parse::<f64>().map_err(|_| format!("unknown label `{label}`"))?;
        let (fits, range) = match scale {
            LabelScale::Words => {
                return Err(format!(
                    "the label `{label}` of a premise and a hypothesis is a number, which may mean anything"
                ));
            }
            LabelScale::Any => ((0.0..=HIGHEST_GRADE).contains(&grade), "from 0 to 5"),
            LabelScale::OneToFive => ((1.0..=HIGHEST_GRADE).contains(&grade), "from 1 to 5"),
            LabelScale::YesOrNo => (grade == 0.0 || grade == 1.0, "0 or 1"),
        };
        if fits { Ok(Self::Grade(grade)) } else { Err(format!("the label `{label}` isn't {range}")) }
    }
}

/// Whether each label is positive.
fn are_positive(labels: &[ExampleLabel], scale: Option<LabelScale>) -> Vec<bool> {
    let above_one = labels.iter().any(|label| matches!(label, ExampleLabel::Grade(grade) if *grade > 1.0));
    let least = match scale {
        Some(LabelScale::OneToFive) => 1.0 + POSITIVE_SHARE * (HIGHEST_GRADE - 1.0),
        _ if above_one => POSITIVE_SHARE * HIGHEST_GRADE,
        _ => POSITIVE_SHARE,
    };
    let is_positive = |label: &ExampleLabel| match label {
        ExampleLabel::Word(positive) => *positive,
        ExampleLabel::Grade(grade) => *grade >= least,
    };
    labels.iter().map(is_positive).collect()
}

#[cfg(test)]
#[path = "examples_tests.rs"]
mod tests;
