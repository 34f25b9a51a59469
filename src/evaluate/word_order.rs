//! Word order: does a student see it as its teacher does?
//!
//! Held-out sentences are set beside the same words in another order, of four [`Kind`]s. The figure is Spearman's ρ of the
//! student's similarities with the teacher's, kind by kind, averaged over the kinds. A bag of words gives each such pair a
//! similarity of 1 and scores 0: similarities are compared to 1e-5, since a sum of the same numbers in another order differs
//! in its last digits, and a constant counts as uncorrelated.

mod reorder;

pub use reorder::another_order;

use std::fmt::Write as _;
use std::path::Path;

use limbeck_data::files;
use serde::{Deserialize, Serialize};

use reorder::{Words, random_of};

use super::correlation::{mean, spearman};
use super::model::{Distinct, Model, Watch, cosine, without_jitter};
use crate::error::{Error, Result};

/// Sentences with fewer words have too few orders and are left out.
pub const WORDS: usize = 5;
/// A kind with fewer pairs is no measure.
pub const PAIRS: usize = 10;

const HEADER: &str = "kind\tsentence\treordered";

/// What was done to the order of a sentence's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Two of the words changed places.
    Swapped,
    /// The second half stands before the first.
    Halves,
    /// Last word first.
    Reversed,
    /// Any order at all.
    Shuffled,
}

impl Kind {
    /// All kinds, in the order of every table.
    pub const ALL: [Self; 4] = [Self::Swapped, Self::Halves, Self::Reversed, Self::Shuffled];

    /// Its name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Swapped => "swapped",
            Self::Halves => "halves",
            Self::Reversed => "reversed",
            Self::Shuffled => "shuffled",
        }
    }
}

/// A sentence and its words in another order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What was done.
    pub kind: Kind,
    /// The sentence, blanks made single (or, in a script without them, left out).
    pub sentence: String,
    /// The same words otherwise.
    pub reordered: String,
}

/// How well a student's similarities follow the teacher's for one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindScore {
    /// What was done.
    pub kind: Kind,
    /// Spearman's ρ, -1 to 1; 0 for a model that gives all pairs the same similarity.
    pub spearman: f64,
    /// How many pairs.
    pub pairs: usize,
    /// The mean of the student's similarities.
    pub student_mean: f64,
    /// The mean of the teacher's.
    pub teacher_mean: f64,
}

/// The figure and what it's made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WordOrder {
    /// The mean of the four kinds' Spearman, -1 to 1.
    pub average: f64,
    /// Kind by kind.
    pub kinds: Vec<KindScore>,
}

/// The pairs that `sentences` give, up to four each.
///
/// Left out are sentences of fewer than [`WORDS`] words and pairs whose texts are equal but for case. A pair depends on
/// its sentence and on `seed`, not on the sentences beside it.
pub fn pairs(sentences: &[&str], seed: u64) -> Vec<Pair> {
    sentences.iter().flat_map(|sentence| pairs_of(sentence, seed)).collect()
}

fn pairs_of(sentence: &str, seed: u64) -> Vec<Pair> {
    let words = Words::of(sentence);
    if words.len() < WORDS {
        return Vec::new();
    }
    let mut random = random_of(sentence, seed);
    let original = words.original();
    Kind::ALL
        .into_iter()
        .filter_map(|kind| {
            Some(Pair { kind, sentence: original.clone(), reordered: words.reordered(&original, kind, &mut random)? })
        })
        .collect()
}

/// A model's cosine for every pair, in order. Each distinct text is encoded once.
pub fn similarities(model: &Model<'_>, pairs: &[Pair], watch: Watch<'_>) -> Result<Vec<f64>> {
    let mut texts = Distinct::default();
    let places: Vec<(usize, usize)> =
        pairs.iter().map(|pair| (texts.place(&pair.sentence), texts.place(&pair.reordered))).collect();
    let vectors = model.encode(texts.texts(), "word order", watch)?;
    Ok(places.into_iter().map(|(one, other)| cosine(vectors.row(one), vectors.row(other))).collect())
}

/// Whether there are enough pairs of every kind to say anything by.
pub fn enough(pairs: &[Pair]) -> bool {
    Kind::ALL.iter().all(|&kind| pairs.iter().filter(|pair| pair.kind == kind).count() >= PAIRS)
}

/// Compares a student's [`similarities`] of `pairs` with the teacher's.
///
/// Errors where a list has another length than `pairs`, or a kind has fewer than [`PAIRS`] pairs.
pub fn score(pairs: &[Pair], student: &[f64], teacher: &[f64]) -> Result<WordOrder> {
    for list in [student, teacher] {
        if list.len() != pairs.len() {
            let what = "pairs against similarities".into();
            return Err(Error::Lengths { what, left: pairs.len(), right: list.len() });
        }
    }
    let kinds = Kind::ALL.into_iter().map(|kind| {
        let of_kind = |list: &[f64]| -> Vec<f64> {
            pairs.iter().zip(list).filter(|(pair, _)| pair.kind == kind).map(|(_, &similarity)| similarity).collect()
        };
        let (student, teacher) = (of_kind(student), of_kind(teacher));
        if student.len() < PAIRS {
            let what = format!("pairs with words {}, for word order", kind.name());
            return Err(Error::TooFew { what, found: student.len(), needed: PAIRS });
        }
        let ranked = |list: &[f64]| -> Vec<f64> { list.iter().map(|&similarity| without_jitter(similarity)).collect() };
        Ok(KindScore {
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

/// Writes pairs as TSV: a header, then `kind`, `sentence`, `reordered` a line. The texts of [`pairs()`] hold neither tab nor
/// line break; such would become a blank.
pub fn write(path: &Path, pairs: &[Pair]) -> Result<()> {
    let mut text = format!("{HEADER}\n");
    for pair in pairs {
        let plain = |text: &str| text.replace(['\t', '\n', '\r'], " ");
        // Writing to a String can't fail.
        let _ = writeln!(text, "{}\t{}\t{}", pair.kind.name(), plain(&pair.sentence), plain(&pair.reordered));
    }
    Ok(files::write_bytes(path, text.as_bytes())?)
}

/// Reads what [`write()`] wrote; an error names the line.
pub fn read(path: &Path) -> Result<Vec<Pair>> {
    let bytes = std::fs::read(path).map_err(limbeck_data::Error::io("read", path))?;
    let error = |line: usize, what: String| Error::Line { path: path.to_owned(), line, what };
    let text = std::str::from_utf8(&bytes).map_err(|invalid| {
        let before = bytes.iter().take(invalid.valid_up_to()).filter(|&&byte| byte == b'\n').count();
        error(before + 1, "the text is not UTF-8".into())
    })?;
    let mut lines = text.lines().enumerate();
    match lines.next() {
        Some((_, HEADER)) => {}
        _ => return Err(error(1, format!("expected the header {HEADER:?}"))),
    }
    lines
        .map(|(at, line)| {
            let columns: Vec<&str> = line.split('\t').collect();
            let &[kind, sentence, reordered] = columns.as_slice() else {
                return Err(error(at + 1, format!("expected 3 columns, found {}", columns.len())));
            };
            let kind = Kind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(|| {
                error(at + 1, format!("unknown kind {kind:?}, expected swapped, halves, reversed or shuffled"))
            })?;
            Ok(Pair { kind, sentence: sentence.to_owned(), reordered: reordered.to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests;
