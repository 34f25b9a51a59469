//! Exact search in a collection: every document is scored, and the best are shown. There is no index to keep: who
//! searches millions of documents at once has a vector store for it.
//!
//! ```text
//! corpus ──► blocks of documents ──► scores, four bytes a document ──► the best places ──► corpus again: the documents
//! ```
//!
//! Memory holds a block of documents and the scores, whatever the length of the documents.

mod cached;
mod hits;
mod words;

pub use cached::CachedScores;
pub use hits::{Hit, hits};
pub use words::{fused_best, word_scores};

use std::path::{Path, PathBuf};

use limbeck_data::Monitor;
use limbeck_data::collection::{CorpusReader, DocumentColumns, read_corpus_columns};

use limbeck_encoder::SearchSide;

use crate::error::{Error, Result};
use crate::measure::NamedModel;
use crate::measure::retrieval::documents::each_block;
use crate::measure::retrieval::ranks::best_of;

/// Where documents are read from.
#[derive(Debug, Clone, Default)]
pub struct Corpus {
    /// A file or folder, as [`limbeck_data::collection`] reads it.
    pub path: PathBuf,
    /// The columns where they aren't named as usual.
    pub columns: DocumentColumns,
}

impl Corpus {
    /// A corpus with columns of the usual names.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), columns: DocumentColumns::default() }
    }

    /// Its documents, in order.
    ///
    /// # Errors
    /// As [`read_corpus_columns`].
    pub fn documents(&self) -> Result<CorpusReader> {
        Ok(read_corpus_columns(&self.path, &self.columns)?)
    }
}

/// Scores documents for one query; the greatest score comes first.
pub trait DocumentScorer {
    /// A score a document, each given by its whole text; `None` for a document that it cannot score.
    ///
    /// # Errors
    /// What encoding gives.
    fn score(&self, documents: &[String]) -> Result<Vec<Option<f32>>>;
}

/// Scores by the dot product of the query's vector with the documents' vectors, which the model gives.
pub struct ModelScores<'a> {
    model: NamedModel<'a>,
    query: Vec<f32>,
}

impl<'a> ModelScores<'a> {
    /// The scores of `model` for `query`.
    ///
    /// # Errors
    /// What encoding gives.
    pub fn new(model: NamedModel<'a>, query: &str) -> Result<Self> {
        let query = model.on_side(SearchSide::Query).encode(&[query], "the query", Monitor::silent())?.row(0).to_vec();
        Ok(Self { model: model.on_side(SearchSide::Document), query })
    }
}

impl DocumentScorer for ModelScores<'_> {
    fn score(&self, documents: &[String]) -> Result<Vec<Option<f32>>> {
        let texts: Vec<&str> = documents.iter().map(String::as_str).collect();
        let vectors = self.model.encode(&texts, "documents", Monitor::silent())?;
        Ok(vectors.iter().map(|vector| Some(dot(vector, &self.query))).collect())
    }
}

/// The dot product of two vectors of one width.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The scores of every document of the corpus by each scorer.
///
/// # Errors
/// A corpus that cannot be read or has no document, an error of a scorer, an interrupt.
pub fn scores(
    corpus: &Corpus,
    scorers: &[Box<dyn DocumentScorer + '_>],
    monitor: Monitor<'_>,
) -> Result<Vec<Vec<Option<f32>>>> {
    let bar = monitor.stage("searching", None, "documents");
    let (mut all, mut read) = (vec![Vec::new(); scorers.len()], 0);
    each_block(corpus.documents()?, monitor, |_, texts| {
        for (scorer, scores) in scorers.iter().zip(&mut all) {
            scores.extend(scorer.score(texts)?);
        }
        bar.add(texts.len() as u64);
        read += texts.len();
        Ok(())
    })?;
    if read == 0 {
        let what = format!("documents in {}", corpus.path.display());
        return Err(Error::TooFew { what, found: 0, needed: 1 });
    }
    Ok(all)
}

/// The places of the documents with the `most` greatest scores, the greatest first; of equal ones the first in the
/// corpus.
pub fn best(scores: &[Option<f32>], most: usize) -> Vec<(usize, f32)> {
    let values: Vec<f32> = scores.iter().map(|score| score.unwrap_or(f32::NEG_INFINITY)).collect();
    let found = best_of(&values, most, |place, _| scores[place].is_some()).into_iter();
    found.map(|place| (place as usize, values[place as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::retrieval::documents::BLOCK;
    use crate::measure::test_support::{FakeEncoder, silent};

    fn corpus(folder: &Path, documents: usize) -> Corpus {
        let lines = (0..documents).map(|at| format!("{{\"_id\": \"d{at}\", \"title\": \"t\", \"text\": \"{at}\"}}\n"));
        std::fs::write(folder.join("corpus.jsonl"), lines.collect::<String>()).unwrap();
        Corpus::new(folder)
    }

    /// The number in the text, and in the query.
    fn number(text: &str) -> Vec<f32> {
        vec![text.trim_start_matches("t ").parse().unwrap(), 1.0]
    }

    #[test]
    fn every_document_has_a_score_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let encoder = FakeEncoder::new(number);
        let scorer = ModelScores::new(NamedModel::new("fake", &encoder), "2").unwrap();
        let corpus = corpus(folder.path(), BLOCK + 3);
        let found = scores(&corpus, &[Box::new(scorer)], silent()).unwrap();
        let wanted: Vec<Option<f32>> = (0..BLOCK + 3).map(|at| Some(2.0 * at as f32 + 1.0)).collect();
        assert_eq!(found, [wanted]);
    }

    #[test]
    fn of_equal_scores_the_first_in_the_corpus_comes_first() {
        let scores = [Some(0.5), None, Some(0.9), Some(0.5), Some(0.1), Some(0.9)];
        assert_eq!(best(&scores, 3), [(2, 0.9), (5, 0.9), (0, 0.5)]);
        assert_eq!(best(&scores, 9).len(), 5);
    }

    #[test]
    fn a_corpus_without_a_document_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let corpus = corpus(folder.path(), 0);
        assert!(scores(&corpus, &[], silent()).is_err());
    }
}
