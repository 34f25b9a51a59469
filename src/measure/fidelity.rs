//! Fidelity: how well a student's vectors stand in for its teacher's. It needs no labels, only text that was not
//! trained on.

use indexmap::IndexSet;
use limbeck_data::Monitor;
use limbeck_encoder::Embeddings;
use ndarray::{Array2, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::correlation::{mean, pearson, ranks};
use super::sample;
use super::similarity::{cosine, nearest, unit_rows, without_jitter};
use crate::error::{Error, Result};

/// Fidelity on fewer texts than this is refused.
pub const FEWEST: usize = 3;
/// With fewer texts than this, every other text is among the ten nearest neighbours, and their share tells nothing.
pub const FEWEST_FOR_NEIGHBOURS: usize = 12;
/// Spearman's ρ is taken over this many pairs of texts at most.
pub const PAIRS: usize = 50_000;
/// How many nearest neighbours are compared.
pub const NEIGHBOURS: usize = 10;
/// This many texts of a file are taken at most: the neighbours of each are searched among all.
pub const TEXTS: usize = 10_000;

/// Rows of similarities computed at once; with 10,000 texts a block takes 10 MB.
const BLOCK: usize = 256;
const SEED: u64 = 0xf1de;

/// How well a student agrees with its teacher on the same texts, as [`ModelSummary`](crate::summary::ModelSummary)
/// stores it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FidelitySummary {
    /// Mean cosine of the student's vector with the teacher's; `None` where their widths differ.
    pub cosine: Option<f64>,
    /// Spearman's ρ (-1 to 1) of the similarities of pairs of texts, student against teacher.
    pub spearman: f64,
    /// The share (0 to 1) of each text's ten nearest neighbours by the teacher that are among its ten by the student.
    pub neighbours_at_10: f64,
}

/// All that is measured of a student's agreement with its teacher.
#[derive(Debug, Clone, PartialEq)]
pub struct Fidelity {
    /// The main figures.
    pub agreement: FidelitySummary,
    /// The mean cosine with each model's mean vector subtracted first. A teacher whose vectors crowd together makes the
    /// plain cosine high for every student; this figure does not rise with the crowding. `None` where the widths
    /// differ.
    pub cosine_centred: Option<f64>,
    /// The share of the nearest neighbours where the student embeds the queries and the teacher the documents: each
    /// student vector is compared with the teacher's vectors. `None` where the widths differ.
    pub shared_space_at_10: Option<f64>,
}

/// The texts of a file that fidelity is measured on: the distinct ones, and of many a fixed sample of [`TEXTS`].
pub fn sampled(texts: &[String]) -> Vec<String> {
    let distinct: IndexSet<&String> = texts.iter().collect();
    sample::indices(distinct.len(), TEXTS, SEED).into_iter().map(|place| distinct[place].clone()).collect()
}

/// Notes that `found` texts are too few for the share of the ten nearest neighbours to tell anything, where they are.
pub fn note_few(name: &str, found: usize, monitor: Monitor) {
    if found < FEWEST_FOR_NEIGHBOURS {
        monitor.note(&format!("{name}: of {found} texts all are near: nn@10 takes {FEWEST_FOR_NEIGHBOURS} or more"));
    }
}

/// A teacher's vectors, and what every comparison needs of them, worked out once for all students.
pub struct Reference {
    /// The vectors themselves.
    pub vectors: Embeddings,
    unit: Array2<f32>,
    centred: Embeddings,
    pairs: Vec<(usize, usize)>,
    /// The ranks of the pairs' similarities.
    ranks: Vec<f64>,
    /// The nearest neighbours of each text.
    neighbours: Vec<Vec<usize>>,
}

impl Reference {
    /// Works out what is compared. Pairs of texts are a fixed sample of at most [`PAIRS`]; neighbours are searched
    /// among all texts. Memory beyond the vectors: three copies of them and a block of similarities.
    ///
    /// # Errors
    /// Fewer than [`FEWEST`] texts.
    pub fn new(vectors: Embeddings) -> Result<Self> {
        if vectors.rows() < FEWEST {
            return Err(Error::TooFew { what: "texts for fidelity".into(), found: vectors.rows(), needed: FEWEST });
        }
        let pairs = sample::pairs(vectors.rows(), PAIRS, SEED);
        let unit = unit_rows(&vectors);
        let neighbours = neighbours(&unit, &unit);
        let (centred, ranks) = (without_mean(&vectors), ranks(&similarities(&vectors, &pairs)));
        Ok(Self { vectors, unit, centred, pairs, ranks, neighbours })
    }

    /// Compares a student's vectors of the same texts, row by row.
    ///
    /// # Errors
    /// Where the numbers of rows differ.
    pub fn compare(&self, student: &Embeddings) -> Result<Fidelity> {
        if self.vectors.rows() != student.rows() {
            let what = "the teacher's vectors against the student's".into();
            return Err(Error::Lengths { what, left: self.vectors.rows(), right: student.rows() });
        }
        let same_width = self.vectors.dimension() == student.dimension();
        let unit = unit_rows(student);
        Ok(Fidelity {
            agreement: FidelitySummary {
                cosine: same_width.then(|| mean_cosine(&self.vectors, student)),
                spearman: pearson(&ranks(&similarities(student, &self.pairs)), &self.ranks),
                neighbours_at_10: self.share_found(&neighbours(&unit, &unit)),
            },
            cosine_centred: same_width.then(|| mean_cosine(&self.centred, &without_mean(student))),
            shared_space_at_10: same_width.then(|| self.share_found(&neighbours(&unit, &self.unit))),
        })
    }

    /// The share of the teacher's nearest neighbours that are among `found`.
    fn share_found(&self, found: &[Vec<usize>]) -> f64 {
        let pairs = self.neighbours.iter().zip(found);
        let shared: usize = pairs.map(|(own, found)| own.iter().filter(|place| found.contains(place)).count()).sum();
        shared as f64 / self.neighbours.iter().map(Vec::len).sum::<usize>() as f64
    }
}

fn mean_cosine(teacher: &Embeddings, student: &Embeddings) -> f64 {
    let cosines: Vec<f64> = teacher.iter().zip(student.iter()).map(|(t, s)| cosine(t, s)).collect();
    mean(&cosines)
}

/// Unit vectors less their mean.
fn without_mean(vectors: &Embeddings) -> Embeddings {
    let mut rows = unit_rows(vectors);
    if let Some(mean) = rows.mapv(f64::from).mean_axis(Axis(0)) {
        rows -= &mean.mapv(|value| value as f32);
    }
    Embeddings::new(rows.into_raw_vec_and_offset().0, vectors.dimension())
}

fn similarities(vectors: &Embeddings, pairs: &[(usize, usize)]) -> Vec<f64> {
    pairs.par_iter().map(|&(i, j)| without_jitter(cosine(vectors.row(i), vectors.row(j)))).collect()
}

/// For each row of `queries` the places of the nearest rows of `documents`, except its own place. Both are texts ×
/// dimension, of unit rows.
fn neighbours(queries: &Array2<f32>, documents: &Array2<f32>) -> Vec<Vec<usize>> {
    let n = queries.nrows();
    let mut all = Vec::with_capacity(n);
    for first in (0..n).step_by(BLOCK) {
        let rows = first..(first + BLOCK).min(n);
        // Block × n.
        let similarities = queries.slice(s![rows.clone(), ..]).dot(&documents.t());
        let of_row = |row: usize| nearest(similarities.row(row - first), row, NEIGHBOURS);
        all.par_extend(rows.into_par_iter().map(of_row));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::word_vector;

    fn vectors(n: usize, dimension: usize, salt: &str) -> Embeddings {
        let data = (0..n).flat_map(|i| word_vector(&format!("{salt}{i}"), dimension)).collect();
        Embeddings::new(data, dimension)
    }

    fn map(vectors: &Embeddings, dimension: usize, f: impl Fn(usize, &[f32]) -> Vec<f32>) -> Embeddings {
        Embeddings::new(vectors.iter().enumerate().flat_map(|(i, row)| f(i, row)).collect(), dimension)
    }

    fn fidelity(teacher: &Embeddings, student: &Embeddings) -> Result<Fidelity> {
        Reference::new(teacher.clone())?.compare(student)
    }

    #[test]
    fn a_perfect_student_scores_one_everywhere() {
        let teacher = vectors(600, 16, "t");
        // Length doesn't matter, direction does.
        let student = map(&teacher, 16, |i, row| row.iter().map(|value| value * (1.0 + i as f32)).collect());
        let fidelity = fidelity(&teacher, &student).unwrap();
        assert!((fidelity.agreement.cosine.unwrap() - 1.0).abs() < 1e-6);
        assert!((fidelity.cosine_centred.unwrap() - 1.0).abs() < 1e-5);
        assert!((fidelity.agreement.spearman - 1.0).abs() < 1e-6, "{}", fidelity.agreement.spearman);
        assert!(fidelity.agreement.neighbours_at_10 > 0.999);
    }

    #[test]
    fn texts_are_taken_once_and_not_too_many() {
        let texts = |n: usize| (0..n).map(|i| format!("text {}", i / 2)).collect::<Vec<_>>();
        assert_eq!(sampled(&texts(6)), ["text 0", "text 1", "text 2"]);
        let (many, again) = (sampled(&texts(50_000)), sampled(&texts(50_000)));
        assert!(many.len() == TEXTS && many == again);
    }

    #[test]
    fn an_unrelated_student_scores_like_chance() {
        let fidelity = fidelity(&vectors(500, 16, "t"), &vectors(500, 16, "s")).unwrap();
        assert!(fidelity.agreement.cosine.unwrap().abs() < 0.05 && fidelity.cosine_centred.unwrap().abs() < 0.05);
        assert!(fidelity.agreement.spearman.abs() < 0.05);
        // By chance 10 of 499.
        assert!(fidelity.agreement.neighbours_at_10 < 0.05);
    }

    #[test]
    fn a_crowded_space_raises_only_the_raw_cosine() {
        let crowd = |salt| {
            map(&vectors(400, 16, salt), 16, |_, row| {
                let mut row = row.to_vec();
                row[0] += 20.0;
                row
            })
        };
        let fidelity = fidelity(&crowd("t"), &crowd("s")).unwrap();
        assert!(fidelity.agreement.cosine.unwrap() > 0.99);
        assert!(fidelity.cosine_centred.unwrap().abs() < 0.1);
    }

    #[test]
    fn another_width_leaves_the_cosine_out() {
        let teacher = vectors(300, 16, "t");
        // A zero more changes no similarity.
        let student = map(&teacher, 17, |_, row| [row, &[0.0]].concat());
        let fidelity = fidelity(&teacher, &student).unwrap();
        assert_eq!((fidelity.agreement.cosine, fidelity.cosine_centred), (None, None));
        assert!(fidelity.agreement.spearman > 0.9999 && fidelity.agreement.neighbours_at_10 > 0.999);
    }

    #[test]
    fn neighbours_are_the_same_as_by_sorting_all() {
        let teacher = unit_rows(&vectors(300, 8, "t"));
        let of = |rows: Array2<f32>| Embeddings::new(rows.into_raw_vec_and_offset().0, 8);
        let noisy = unit_rows(&of(&teacher + &unit_rows(&vectors(300, 8, "n")).mapv(|value| value * 0.5)));
        let sorted = |rows: &Array2<f32>, i: usize| {
            let mut order: Vec<(f32, usize)> =
                (0..300).filter(|&j| j != i).map(|j| (rows.row(i).dot(&rows.row(j)), j)).collect();
            order.sort_by(|a, b| b.0.total_cmp(&a.0));
            order.truncate(10);
            order.into_iter().map(|(_, j)| j).collect::<std::collections::HashSet<_>>()
        };
        let shared: usize = (0..300).map(|i| sorted(&teacher, i).intersection(&sorted(&noisy, i)).count()).sum();
        let expected = shared as f64 / 3_000.0;
        assert!(expected > 0.1 && expected < 0.9, "{expected}");
        let found = fidelity(&of(teacher), &of(noisy)).unwrap().agreement.neighbours_at_10;
        assert!((found - expected).abs() < 0.002, "{found} against {expected}");
    }

    #[test]
    fn a_permuted_student_keeps_its_own_neighbours_and_loses_those_in_the_teachers_index() {
        let teacher = vectors(300, 16, "t");
        let turned = map(&teacher, 16, |_, row| row.iter().rev().copied().collect());
        let apart = fidelity(&teacher, &turned).unwrap();
        assert!(apart.agreement.neighbours_at_10 > 0.999, "{apart:?}");
        assert!(apart.shared_space_at_10.unwrap() < 0.2, "{apart:?}");
        // In the teacher's own space both are the same.
        assert!(fidelity(&teacher, &teacher).unwrap().shared_space_at_10.unwrap() > 0.999);
        let wider = map(&teacher, 17, |_, row| [row, &[0.0]].concat());
        assert_eq!(fidelity(&teacher, &wider).unwrap().shared_space_at_10, None);
    }

    #[test]
    fn a_collapsed_student_has_no_correlation() {
        // The same direction at many lengths: cosines of 1 but for rounding.
        let collapsed = Embeddings::new((1..=200).flat_map(|i| [0.1 * i as f32, 0.7 * i as f32]).collect(), 2);
        assert_eq!(fidelity(&vectors(200, 2, "t"), &collapsed).unwrap().agreement.spearman, 0.0);
    }

    #[test]
    fn a_handful_of_texts_has_fewer_neighbours() {
        let few = vectors(4, 8, "t");
        assert_eq!(fidelity(&few, &few).unwrap().agreement.neighbours_at_10, 1.0);
    }

    #[test]
    fn two_numbers_of_rows_are_an_error() {
        let differing = fidelity(&vectors(4, 8, "t"), &vectors(5, 8, "s"));
        assert!(matches!(differing, Err(Error::Lengths { left: 4, right: 5, .. })));
    }

    #[test]
    fn too_few_texts_are_an_error() {
        assert!(matches!(fidelity(&vectors(2, 8, "t"), &vectors(2, 8, "s")), Err(Error::TooFew { found: 2, .. })));
    }
}
