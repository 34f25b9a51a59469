//! The report's figures of held-out texts: a histogram of the similarities of pairs by each model, and the nearest
//! neighbours of a few texts. They are stored as `held-out.json` beside the summary; its keys stay.

use std::path::Path;

use indexmap::IndexMap;
use limbeck_encoder::Embeddings;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::sample;
use super::similarity::{cosine, nearest, unit_rows};
use crate::error::{Error, Result};
use crate::json_file;

/// The file's name in a run's folder.
pub const FILE: &str = "held-out.json";

/// This many pairs of texts are counted at most.
pub const PAIRS: usize = 50_000;
/// Bins of the histogram, from a cosine of -1 to 1.
pub const BINS: usize = 100;
/// Texts whose neighbours are shown.
pub const SHOWN: usize = 6;
/// Neighbours shown of each.
pub const NEIGHBOURS: usize = 3;

/// A text is cut after this many characters.
const CHARACTERS: usize = 240;
/// Texts of these lengths in characters are preferred among those shown.
const READABLE: std::ops::RangeInclusive<usize> = 25..=160;
const SEED: u64 = 0x9a1e;

/// The figures of held-out texts, model by model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HeldOutFigures {
    /// The number of held-out texts.
    pub texts: usize,
    /// The number of pairs counted.
    pub pairs: usize,
    /// For each model a histogram of the pairs' cosines: counts of [`BINS`] bins of equal width, the first from -1.
    pub similarities: IndexMap<String, Vec<u64>>,
    /// A few texts with their neighbours.
    pub neighbours: Vec<Neighbourhood>,
}

/// A text and its nearest neighbours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neighbourhood {
    /// The text.
    pub text: String,
    /// For each model the nearest of the other held-out texts, the nearest first.
    pub by: IndexMap<String, Vec<Neighbour>>,
}

/// A neighbour of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The text.
    pub text: String,
    /// The cosine with the text that it is a neighbour of, to four digits.
    pub similarity: f64,
}

/// Collects the figures, a model at a time.
pub struct HeldOutCollector<'a> {
    texts: &'a [String],
    pairs: Vec<(usize, usize)>,
    shown: Vec<usize>,
    /// The figures of all models added so far.
    pub figures: HeldOutFigures,
}

impl<'a> HeldOutCollector<'a> {
    /// Begins with the held-out texts; which pairs and texts are taken depends on them alone.
    pub fn new(texts: &'a [String]) -> Self {
        let readable: Vec<usize> =
            (0..texts.len()).filter(|&place| READABLE.contains(&texts[place].chars().count())).collect();
        let from: Vec<usize> = if readable.len() >= SHOWN { readable } else { (0..texts.len()).collect() };
        let shown: Vec<usize> = sample::indices(from.len(), SHOWN, SEED).into_iter().map(|place| from[place]).collect();
        let pairs = sample::pairs(texts.len(), PAIRS, SEED);
        let neighbours =
            shown.iter().map(|&place| Neighbourhood { text: cut(&texts[place]), by: IndexMap::new() }).collect();
        let figures =
            HeldOutFigures { texts: texts.len(), pairs: pairs.len(), similarities: IndexMap::new(), neighbours };
        Self { texts, pairs, shown, figures }
    }

    /// Adds the histogram of a model, from its vectors, a row a text.
    ///
    /// # Errors
    /// Where there are not as many rows as texts.
    pub fn add(&mut self, model: &str, vectors: &Embeddings) -> Result<()> {
        if vectors.rows() != self.texts.len() {
            let what = format!("held-out texts against the vectors of {model}");
            return Err(Error::Lengths { what, left: self.texts.len(), right: vectors.rows() });
        }
        let bins: Vec<usize> =
            self.pairs.par_iter().map(|&(i, j)| bin(cosine(vectors.row(i), vectors.row(j)))).collect();
        let mut counts = vec![0; BINS];
        bins.into_iter().for_each(|bin| counts[bin] += 1);
        self.figures.similarities.insert(model.to_owned(), counts);
        Ok(())
    }

    /// Adds the histogram of a model and the neighbours by its vectors of the texts shown.
    ///
    /// # Errors
    /// As [`HeldOutCollector::add`].
    pub fn add_with_neighbours(&mut self, model: &str, vectors: &Embeddings) -> Result<()> {
        self.add(model, vectors)?;
        let rows = unit_rows(vectors);
        for (&place, neighbourhood) in self.shown.iter().zip(&mut self.figures.neighbours) {
            let similarities = rows.dot(&rows.row(place));
            let near = nearest(similarities.view(), place, NEIGHBOURS).into_iter().map(|other| Neighbour {
                text: cut(&self.texts[other]),
                similarity: (f64::from(similarities[other]) * 1e4).round() / 1e4,
            });
            neighbourhood.by.insert(model.to_owned(), near.collect());
        }
        Ok(())
    }
}

impl HeldOutFigures {
    /// Reads the figures that a run stored; `None` without the file, which older runs did not write.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        json_file::read_if_present(path, "record of held-out texts")
    }
}

/// The bin of a cosine.
fn bin(cosine: f64) -> usize {
    (((cosine + 1.0) / 2.0 * BINS as f64) as usize).min(BINS - 1)
}

/// The text's beginning, with a sign where it goes on.
fn cut(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::word_vector;

    fn texts(count: usize) -> Vec<String> {
        (0..count).map(|at| format!("a sentence that is long enough to be shown, number {at}")).collect()
    }

    fn vectors(count: usize) -> Embeddings {
        Embeddings::new((0..count).flat_map(|at| word_vector(&at.to_string(), 8)).collect(), 8)
    }

    #[test]
    fn every_pair_is_counted_once_in_the_bin_of_its_cosine() {
        // Two vectors of one direction and one of the opposite: one pair of cosine 1, two of -1.
        let texts = texts(3);
        let mut collector = HeldOutCollector::new(&texts);
        let vectors = Embeddings::new(vec![1.0, 0.0, 2.0, 0.0, -1.0, 0.0], 2);
        collector.add("m", &vectors).unwrap();
        let figures = collector.figures;
        let counts = &figures.similarities["m"];
        assert_eq!((counts.len(), counts[0], counts[BINS - 1]), (BINS, 2, 1));
        assert_eq!(counts.iter().sum::<u64>() as usize, figures.pairs);
    }

    #[test]
    fn neighbours_are_the_nearest_others_in_order() {
        let (texts, vectors) = (texts(50), vectors(50));
        let mut collector = HeldOutCollector::new(&texts);
        collector.add_with_neighbours("m", &vectors).unwrap();
        let figures = collector.figures;
        assert_eq!(figures.neighbours.len(), SHOWN);
        for neighbourhood in &figures.neighbours {
            let place = texts.iter().position(|text| *text == neighbourhood.text).unwrap();
            let mut all: Vec<(f64, usize)> = (0..50)
                .filter(|&other| other != place)
                .map(|other| (cosine(vectors.row(place), vectors.row(other)), other))
                .collect();
            all.sort_by(|a, b| b.0.total_cmp(&a.0));
            let near = &neighbourhood.by["m"];
            assert_eq!(near.len(), NEIGHBOURS);
            for (neighbour, (cosine, other)) in near.iter().zip(all) {
                assert_eq!(neighbour.text, texts[other]);
                assert!((neighbour.similarity - cosine).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn readable_texts_are_shown_before_scraps() {
        let mut mixed = vec!["x".to_owned(); 100];
        mixed.extend(texts(SHOWN));
        let figures = HeldOutCollector::new(&mixed).figures;
        assert!(figures.neighbours.iter().all(|shown| shown.text.starts_with("a sentence")), "{figures:?}");
    }

    #[test]
    fn a_long_text_is_cut_after_whole_characters() {
        assert_eq!(cut(&"é".repeat(CHARACTERS + 1)), format!("{}…", "é".repeat(CHARACTERS)));
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn vectors_of_other_texts_are_refused() {
        let texts = texts(4);
        let error = HeldOutCollector::new(&texts).add("m", &vectors(5)).unwrap_err();
        assert!(matches!(error, Error::Lengths { left: 4, right: 5, .. }));
    }

    #[test]
    fn no_texts_have_no_pairs() {
        let mut empty = HeldOutCollector::new(&[]);
        empty.add_with_neighbours("m", &Embeddings::new(Vec::new(), 8)).unwrap();
        assert_eq!(empty.figures.pairs, 0);
    }
}
