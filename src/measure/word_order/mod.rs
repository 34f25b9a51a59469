//! Word order: does a student react to it as its teacher does?
//!
//! Held-out sentences are paired with the same words in another order, in four ways ([`Reordering`]). The figure is
//! Spearman's ρ of the student's similarities with the teacher's, averaged over the four ways. A bag of words gives
//! each such pair a similarity of 1 and scores 0: similarities are compared to 1e-5, since a sum of the same values in
//! another order differs in its last digits, and a constant counts as uncorrelated.

mod reorder;

pub use reorder::another_order;

use std::fmt::Write as _;
use std::path::Path;

use indexmap::IndexSet;
use limbeck_data::{Monitor, files};
use serde::{Deserialize, Serialize};
use strum::VariantArray;

use reorder::{SentenceWords, random_of};

use super::correlation::{mean, spearman};
use super::model::NamedModel;
use super::similarity::{cosine, without_jitter};
use crate::error::{Error, Result};

/// Sentences with fewer words have too few orders and are left out.
pub const FEWEST_WORDS: usize = 5;
/// With fewer pairs of a kind than this, the figure is refused.
pub const FEWEST_PAIRS: usize = 10;

const HEADER: &str = "kind\tsentence\treordered";

/// A way to reorder the words of a sentence.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::EnumString, VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Reordering {
    /// Two of the words changed places.
    Swapped,
    /// The second half stands before the first.
    Halves,
    /// The last word first.
    Reversed,
    /// A random order.
    Shuffled,
}

/// A sentence and its words in another order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReorderedPair {
    /// How the words were reordered.
    pub kind: Reordering,
    /// The sentence, each run of blanks made one (or left out, in a script without blanks).
    pub sentence: String,
    /// The same words in another order.
    pub reordered: String,
}

/// How well a student's similarities follow the teacher's for one way of reordering.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReorderingScore {
    /// How the words were reordered.
    pub kind: Reordering,
    /// Spearman's ρ, -1 to 1; 0 for a model that gives all pairs the same similarity.
    pub spearman: f64,
    /// The number of pairs.
    pub pairs: usize,
    /// The mean of the student's similarities.
    pub student_mean: f64,
    /// The mean of the teacher's.
    pub teacher_mean: f64,
}

/// The figure and its parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WordOrder {
    /// The mean of the four kinds' Spearman, -1 to 1.
    pub average: f64,
    /// The scores of the four kinds.
    pub kinds: Vec<ReorderingScore>,
}

/// The pairs of `sentences`, at most four each.
///
/// Sentences of fewer than [`FEWEST_WORDS`] words are left out, and pairs whose texts differ in case alone. A pair
/// depends on its sentence and on `seed`, not on the other sentences.
pub fn pairs(sentences: &[&str], seed: u64) -> Vec<ReorderedPair> {
    sentences.iter().flat_map(|sentence| pairs_of(sentence, seed)).collect()
}

fn pairs_of(sentence: &str, seed: u64) -> Vec<ReorderedPair> {
    let words = SentenceWords::of(sentence);
    if words.len() < FEWEST_WORDS {
        return Vec::new();
    }
    let mut random = random_of(sentence, seed);
    let original = words.original();
    Reordering::VARIANTS
        .iter()
        .filter_map(|&kind| {
            Some(ReorderedPair {
                kind,
                sentence: original.clone(),
                reordered: words.reordered(&original, kind, &mut random)?,
            })
        })
        .collect()
}

/// A model's cosine for every pair, in order. Each distinct text is encoded once.
///
/// # Errors
/// What encoding gives.
pub fn similarities(model: &NamedModel<'_>, pairs: &[ReorderedPair], monitor: Monitor<'_>) -> Result<Vec<f64>> {
    let mut texts = IndexSet::new();
    let mut place = |text| texts.insert_full(text).0;
    let places: Vec<(usize, usize)> =
        pairs.iter().map(|pair| (place(pair.sentence.as_str()), place(pair.reordered.as_str()))).collect();
    let vectors = model.encode(&texts.into_iter().collect::<Vec<_>>(), "word order", monitor)?;
    Ok(places.into_iter().map(|(one, other)| cosine(vectors.row(one), vectors.row(other))).collect())
}

/// Whether every kind has at least [`FEWEST_PAIRS`] pairs.
pub fn has_enough_pairs(pairs: &[ReorderedPair]) -> bool {
    Reordering::VARIANTS.iter().all(|&kind| pairs.iter().filter(|pair| pair.kind == kind).count() >= FEWEST_PAIRS)
}

/// Compares a student's [`similarities`] of `pairs` with the teacher's.
///
/// # Errors
/// A list of another length than `pairs`, or a kind of fewer than [`FEWEST_PAIRS`] pairs.
pub fn score(pairs: &[ReorderedPair], student: &[f64], teacher: &[f64]) -> Result<WordOrder> {
    for list in [student, teacher] {
        if list.len() != pairs.len() {
            let what = "pairs against similarities".into();
            return Err(Error::Lengths { what, left: pairs.len(), right: list.len() });
        }
    }
    let kinds = Reordering::VARIANTS.iter().map(|&kind| {
        let of_kind = |list: &[f64]| -> Vec<f64> {
            pairs.iter().zip(list).filter(|(pair, _)| pair.kind == kind).map(|(_, &similarity)| similarity).collect()
        };
        let (student, teacher) = (of_kind(student), of_kind(teacher));
        if student.len() < FEWEST_PAIRS {
            let what = format!("pairs with words {}, for word order", kind);
            return Err(Error::TooFew { what, found: student.len(), needed: FEWEST_PAIRS });
        }
        let ranked = |list: &[f64]| -> Vec<f64> { list.iter().map(|&similarity| without_jitter(similarity)).collect() };
        Ok(ReorderingScore {
            kind,
            spearman: spearman(&ranked(&student), &ranked(&teacher)),
            pairs: student.len(),
            student_mean: mean(&student),
            teacher_mean: mean(&teacher),
        })
    });
    let kinds = kinds.collect::<Result<Vec<_>>>()?;
    let average = kinds.iter().map(|kind| kind.spearman).sum::<f64>() / kinds.len() as f64;
    Ok(WordOrder { average, kinds })
}

/// Writes pairs as TSV: a header, then `kind`, `sentence`, `reordered` a line. Tabs and line breaks become blanks; the
/// texts of [`pairs()`] hold none.
///
/// # Errors
/// A file that cannot be written.
pub fn write(path: &Path, pairs: &[ReorderedPair]) -> Result<()> {
    let mut text = format!("{HEADER}\n");
    for pair in pairs {
        let plain = |text: &str| text.replace(['\t', '\n', '\r'], " ");
        // Writing to a String can't fail.
        let _ = writeln!(text, "{}\t{}\t{}", pair.kind, plain(&pair.sentence), plain(&pair.reordered));
    }
    Ok(files::write_bytes(path, text.as_bytes())?)
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// A file that cannot be read, or a line that is no pair; the error names the line.
pub fn read(path: &Path) -> Result<Vec<ReorderedPair>> {
    let bytes = std::fs::read(path).map_err(limbeck_data::Error::io("read", path))?;
    let error = |line: usize, what: String| Error::Line { path: path.to_owned(), line, what };
    let text = std::str::from_utf8(&bytes).map_err(|invalid| {
        let before = bytes.iter().take(invalid.valid_up_to()).filter(|&&byte| byte == b'\n').count();
        error(before + 1, "the text is not UTF-8".into())
    })?;
    let mut lines = text.lines().enumerate();
    if lines.next().is_none_or(|(_, line)| line != HEADER) {
        return Err(error(1, format!("expected the header {HEADER:?}")));
    }
    lines
        .map(|(at, line)| {
            let columns: Vec<&str> = line.split('\t').collect();
            let &[kind, sentence, reordered] = columns.as_slice() else {
                return Err(error(at + 1, format!("expected 3 columns, found {}", columns.len())));
            };
            let kind = kind.parse().map_err(|_| {
                error(at + 1, format!("unknown kind {kind:?}, expected swapped, halves, reversed or shuffled"))
            })?;
            Ok(ReorderedPair { kind, sentence: sentence.to_owned(), reordered: reordered.to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests;
