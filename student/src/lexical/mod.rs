//! Fits the lexical half of a student: latent semantic analysis of a collection's words.
//!
//! ```text
//! documents ──► counts ──► √count · idf, sparse ──► svd: the first directions V ──► a row idf · V[word] for each word
//! ```
//!
//! A text's half is the sum of √count times these rows, scaled to length 1 ([`LexicalHalf`]): the cosines of documents
//! in the space of the first right singular vectors (Deerwester, Dumais, Furnas, Landauer and Harshman 1990), and of
//! queries folded into it. Nothing is learned: a collection of ten thousand documents takes seconds.
//!
//! ```
//! use limbeck_data::Monitor;
//! use limbeck_student::lexical::fit;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let documents = ["boundary layer flow", "flow over a wing", "shock wave", "waves behind a shock"];
//! let read = || Ok(documents.iter().map(|document| Ok(document.to_string())));
//! let fitted = fit(read, 256, Monitor::silent())?;
//! // Four documents have no more than four directions.
//! assert_eq!((fitted.documents, fitted.half.dimension(), fitted.half.words()), (4, 4, 8));
//! # Ok(())
//! # }
//! ```

mod counts;
#[cfg(test)]
mod golden;
mod sparse;
mod svd;

use limbeck_data::Monitor;
use limbeck_encoder::LexicalHalf;
use limbeck_encoder::lexical::LexicalTable;

use crate::error::{Error, Result};
use counts::WordCounts;

pub(crate) use limbeck_fold::lexical::{FILE, LexicalConfig, write};

/// The widest half that can be fitted.
pub const MAX_DIMENSION: usize = 1_024;
/// A half is fitted on at most so many documents. Of more, those whose hashes are the smallest.
pub const MAX_DOCUMENTS: usize = 100_000;

/// A lexical half, and the number of documents that it was fitted on.
#[derive(Debug)]
pub struct FittedHalf {
    /// The half.
    pub half: LexicalHalf,
    /// The documents that it was fitted on.
    pub documents: usize,
}

/// Fits a half of `dimension` numbers on the documents that `read` gives; fewer where there are fewer documents or
/// words. `read` is called twice, so that documents needn't be held in memory: memory grows with the words of
/// [`MAX_DOCUMENTS`] documents, whatever the collection's size.
///
/// The same documents give the same half, whatever the number of threads.
///
/// # Errors
/// A dimension out of range, documents without a word, an error of `read`, or an interrupt.
pub fn fit<I>(read: impl Fn() -> limbeck_data::Result<I>, dimension: usize, monitor: Monitor<'_>) -> Result<FittedHalf>
where
    I: Iterator<Item = limbeck_data::Result<String>>,
{
    let allowed = format!("1 to {MAX_DIMENSION}");
    Error::require((1..=MAX_DIMENSION).contains(&dimension), "the width of a lexical half", dimension, allowed)?;
    let counts = WordCounts::of(&read, MAX_DOCUMENTS, monitor)?;
    let (documents, weights) = (counts.documents(), counts.inverse_frequencies());
    let mut directions = svd::right_singular_vectors(&counts.weighted(&weights), dimension, monitor)?;
    if directions.width == 0 {
        return Err(Error::NoWords { documents });
    }
    for (row, weight) in directions.rows.chunks_exact_mut(directions.width).zip(&weights) {
        row.iter_mut().for_each(|value| *value *= weight);
    }
    let table = LexicalTable { words: counts.words, rows: directions.rows, dimension: directions.width };
    Ok(FittedHalf { half: LexicalHalf::new(table)?, documents })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(documents: &[String], dimension: usize) -> FittedHalf {
        fit(|| Ok(documents.iter().cloned().map(Ok)), dimension, Monitor::silent()).unwrap()
    }

    /// Made-up documents of two subjects.
    fn documents(count: usize) -> Vec<String> {
        let subjects = [["wing", "flow", "drag", "lift", "shock"], ["gene", "cell", "protein", "blood", "virus"]];
        let document = |at: usize| {
            let words = subjects[at % 2];
            format!("{} and {} with {} n{at}", words[at / 2 % 5], words[at / 10 % 5], words[at * 7 % 5])
        };
        (0..count).map(document).collect()
    }

    fn cosine(half: &LexicalHalf, a: &str, b: &str) -> f32 {
        let [a, b] = [a, b].map(|text| {
            let mut out = vec![0.0; half.dimension()];
            half.encode_into(text, &mut out);
            out
        });
        a.iter().zip(&b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn words_of_one_subject_lie_near_one_another() {
        let half = fitted(&documents(200), 2).half;
        assert!(cosine(&half, "wings", "drag") > 0.9, "{}", cosine(&half, "wings", "drag"));
        assert!(cosine(&half, "wings", "proteins").abs() < 0.1);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let documents = documents(300);
        let tables = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fitted(&documents, 24)).half.table()
        });
        assert_eq!(tables[0], tables[1]);
    }

    #[test]
    fn few_documents_give_few_numbers() {
        let documents = documents(7);
        let half = fitted(&documents, 256).half;
        assert_eq!(half.dimension(), 7);
        // With all directions the half is the vector of weighted words.
        assert!((cosine(&half, &documents[3], &documents[3]) - 1.0).abs() < 1e-5);
        let same = vec!["one text".to_owned(); 5];
        assert_eq!(fitted(&same, 8).half.dimension(), 1);
    }

    #[test]
    fn documents_without_words_are_an_error() {
        for documents in [vec![], vec!["the of".to_owned(), String::new()]] {
            let error = fit(|| Ok(documents.iter().cloned().map(Ok)), 8, Monitor::silent()).unwrap_err();
            assert!(matches!(error, Error::NoWords { .. }) && error.hint().is_some(), "{error}");
        }
    }

    #[test]
    fn a_width_out_of_range_is_refused() {
        for dimension in [0, MAX_DIMENSION + 1] {
            let error = fit(|| Ok(std::iter::empty()), dimension, Monitor::silent()).unwrap_err();
            assert!(error.to_string().contains(&dimension.to_string()), "{error}");
        }
    }
}
