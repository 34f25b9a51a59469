//! Fidelity: how well a student's vectors stand for its teacher's. It needs no labels, only text that wasn't trained on.

use limbeck_encoder::Embeddings;
use ndarray::{Array2, ArrayView1, Axis, s};
use rayon::prelude::*;

use super::correlation::{mean, spearman};
use super::model::{Distinct, cosine, unit_rows, without_jitter};
use super::sample;
use crate::error::{Error, Result};

/// Fewer texts than this say nothing.
pub const FEWEST: usize = 3;
/// The fewest texts of which ten nearest neighbours say anything: with fewer, every other text is one.
pub const NEIGHBOURLY: usize = 12;
/// How many pairs of texts the Spearman is taken over, at most.
pub const PAIRS: usize = 50_000;
/// How many nearest neighbours are asked for.
pub const NEIGHBOURS: usize = 10;

/// How many texts of a file are taken, at most: the neighbours of each are sought among all.
pub const TEXTS: usize = 10_000;

/// Rows of similarities computed at once; with 10,000 texts a block takes 10 MB.
const BLOCK: usize = 256;
const SEED: u64 = 0xf1de;

/// How well a student agrees with its teacher on the same texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Fidelity {
    /// Mean cosine of the student's vector to the teacher's; `None` where their widths differ.
    pub cosine: Option<f64>,
    /// The same with each model's mean vector taken out first: a teacher whose vectors crowd together makes `cosine` high
    /// for everybody, and this stays honest.
    pub cosine_centred: Option<f64>,
    /// Spearman's ρ (-1 to 1) of the similarities of pairs of texts, student against teacher.
    pub spearman: f64,
    /// The share (0 to 1) of each text's ten nearest neighbours by the teacher that are among its ten by the student.
    pub neighbours_at_10: f64,
    /// The same where the student embeds the queries and the teacher the documents: the share of each text's ten nearest
    /// neighbours by the teacher that the student's vector finds among the teacher's vectors. `None` where their widths
    /// differ.
    pub one_space_at_10: Option<f64>,
    /// How many texts it was measured on.
    pub sentences: usize,
}

/// The texts of a file that fidelity is measured on: those that differ, and of many a fixed sample of [`TEXTS`].
pub fn sampled(texts: &[String]) -> Vec<String> {
    let mut distinct = Distinct::default();
    for text in texts {
        distinct.place(text);
    }
    let texts = distinct.texts();
    sample::indices(texts.len(), TEXTS, SEED).into_iter().map(|place| texts[place].to_owned()).collect()
}

/// Compares the two models' vectors of the same texts, row by row.
///
/// Pairs of texts are a fixed sample of at most [`PAIRS`]; neighbours are sought among all the texts (with fewer than
/// [`NEIGHBOURLY`], all the others are neighbours). Memory beyond the vectors: two blocks of similarities.
///
/// Errors where the numbers of rows differ or there are fewer than [`FEWEST`].
pub fn fidelity(teacher: &Embeddings, student: &Embeddings) -> Result<Fidelity> {
    let sentences = teacher.rows();
    if sentences != student.rows() {
        let what = "the teacher's vectors against the student's".into();
        return Err(Error::Lengths { what, left: sentences, right: student.rows() });
    }
    if sentences < FEWEST {
        return Err(Error::TooFew { what: "texts for fidelity".into(), found: sentences, needed: FEWEST });
    }
    let (cosine, cosine_centred) = if teacher.dimension() == student.dimension() {
        let centred = mean_cosine(&without_mean(teacher), &without_mean(student));
        (Some(mean_cosine(teacher, student)), Some(centred))
    } else {
        (None, None)
    };
    let pairs = sample::pairs(sentences, PAIRS, SEED);
    let (own, one_space) = shared_neighbours(&unit_rows(teacher), &unit_rows(student));
    Ok(Fidelity {
        cosine,
        cosine_centred,
        spearman: spearman(&similarities(student, &pairs), &similarities(teacher, &pairs)),
        neighbours_at_10: own,
        one_space_at_10: one_space,
        sentences,
    })
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

/// The mean share of the teacher's nearest neighbours that the student finds too: among its own vectors, and among the
/// teacher's where they are of one width. Both are texts × dimension, of unit rows.
fn shared_neighbours(teacher: &Array2<f32>, student: &Array2<f32>) -> (f64, Option<f64>) {
    let n = teacher.nrows();
    let (mut own, mut one_space) = (0, (teacher.ncols() == student.ncols()).then_some(0));
    for first in (0..n).step_by(BLOCK) {
        let rows = first..(first + BLOCK).min(n);
        // Each block × n.
        let by_teacher = teacher.slice(s![rows.clone(), ..]).dot(&teacher.t());
        let queries = student.slice(s![rows, ..]);
        own += count_shared(&by_teacher, &queries.dot(&student.t()), first);
        if let Some(one_space) = &mut one_space {
            *one_space += count_shared(&by_teacher, &queries.dot(&teacher.t()), first);
        }
    }
    let share = |count: usize| count as f64 / (n * NEIGHBOURS.min(n - 1)) as f64;
    (share(own), one_space.map(share))
}

/// How many of the neighbours by one block of similarities are neighbours by the other too; the block's rows are the texts
/// from `first` on.
fn count_shared(left: &Array2<f32>, right: &Array2<f32>, first: usize) -> usize {
    let shared = |row: usize| {
        let (left, right) = (nearest(left.row(row), first + row), nearest(right.row(row), first + row));
        left.iter().filter(|neighbour| right.contains(neighbour)).count()
    };
    (0..left.nrows()).into_par_iter().map(shared).sum()
}

/// The places of the largest similarities but for `own`; of equal ones the first.
fn nearest(similarities: ArrayView1<'_, f32>, own: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..similarities.len()).filter(|&place| place != own).collect();
    let count = NEIGHBOURS.min(order.len());
    if count < order.len() {
        order.select_nth_unstable_by(count, |&a, &b| similarities[b].total_cmp(&similarities[a]).then(a.cmp(&b)));
    }
    order.truncate(count);
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::toy::word_vector;

    fn vectors(n: usize, dimension: usize, salt: &str) -> Embeddings {
        let data = (0..n).flat_map(|i| word_vector(&format!("{salt}{i}"), dimension)).collect();
        Embeddings::new(data, dimension)
    }

    fn map(vectors: &Embeddings, dimension: usize, f: impl Fn(usize, &[f32]) -> Vec<f32>) -> Embeddings {
        Embeddings::new(vectors.iter().enumerate().flat_map(|(i, row)| f(i, row)).collect(), dimension)
    }

    #[test]
    fn a_perfect_student_scores_one_everywhere() {
        let teacher = vectors(600, 16, "t");
        // Length doesn't matter, direction does.
        let student = map(&teacher, 16, |i, row| row.iter().map(|value| value * (1.0 + i as f32)).collect());
        let fidelity = fidelity(&teacher, &student).unwrap();
        assert!((fidelity.cosine.unwrap() - 1.0).abs() < 1e-6);
        assert!((fidelity.cosine_centred.unwrap() - 1.0).abs() < 1e-5);
        assert!((fidelity.spearman - 1.0).abs() < 1e-6, "{}", fidelity.spearman);
        assert!(fidelity.neighbours_at_10 > 0.999);
        assert_eq!(fidelity.sentences, 600);
    }

    #[test]
    fn texts_are_taken_once_and_not_too_many() {
        let texts = |n: usize| (0..n).map(|i| format!("text {}", i / 2)).collect::<Vec<_>>();
        assert_eq!(sampled(&texts(6)), ["text 0", "text 1", "text 2"]);
        let (many, again) = (sampled(&texts(50_000)), sampled(&texts(50_000)));
        assert!(many.len() == TEXTS && many == again);
    }

    #[test]
    fn a_stranger_scores_like_chance() {
        let fidelity = fidelity(&vectors(500, 16, "t"), &vectors(500, 16, "s")).unwrap();
        assert!(fidelity.cosine.unwrap().abs() < 0.05 && fidelity.cosine_centred.unwrap().abs() < 0.05);
        assert!(fidelity.spearman.abs() < 0.05);
        // By chance 10 of 499.
        assert!(fidelity.neighbours_at_10 < 0.05);
    }

    #[test]
    fn a_crowded_space_flatters_only_the_raw_cosine() {
        let crowd = |salt| {
            map(&vectors(400, 16, salt), 16, |_, row| {
                let mut row = row.to_vec();
                row[0] += 20.0;
                row
            })
        };
        let fidelity = fidelity(&crowd("t"), &crowd("s")).unwrap();
        assert!(fidelity.cosine.unwrap() > 0.99);
        assert!(fidelity.cosine_centred.unwrap().abs() < 0.1);
    }

    #[test]
    fn another_width_leaves_the_cosine_out() {
        let teacher = vectors(300, 16, "t");
        // A zero more changes no similarity.
        let student = map(&teacher, 17, |_, row| [row, &[0.0]].concat());
        let fidelity = fidelity(&teacher, &student).unwrap();
        assert_eq!((fidelity.cosine, fidelity.cosine_centred), (None, None));
        assert!(fidelity.spearman > 0.9999 && fidelity.neighbours_at_10 > 0.999);
    }

    #[test]
    fn neighbours_are_the_same_as_by_sorting_all() {
        let (teacher, student) = (unit_rows(&vectors(300, 8, "t")), unit_rows(&vectors(300, 8, "t")));
        let noisy = &student + &unit_rows(&vectors(300, 8, "n")).mapv(|value| value * 0.5);
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
        assert!((shared_neighbours(&teacher, &noisy).0 - expected).abs() < 0.002);
    }

    #[test]
    fn a_student_turned_away_keeps_its_own_neighbours_and_loses_those_in_the_teachers_index() {
        let teacher = vectors(300, 16, "t");
        let turned = map(&teacher, 16, |_, row| row.iter().rev().copied().collect());
        let apart = fidelity(&teacher, &turned).unwrap();
        assert!(apart.neighbours_at_10 > 0.999, "{apart:?}");
        assert!(apart.one_space_at_10.unwrap() < 0.2, "{apart:?}");
        // In the teacher's own space both are the same.
        assert!(fidelity(&teacher, &teacher).unwrap().one_space_at_10.unwrap() > 0.999);
        let wider = map(&teacher, 17, |_, row| [row, &[0.0]].concat());
        assert_eq!(fidelity(&teacher, &wider).unwrap().one_space_at_10, None);
    }

    #[test]
    fn a_collapsed_student_has_no_correlation() {
        // The same direction at many lengths: cosines of 1 but for rounding.
        let collapsed = Embeddings::new((1..=200).flat_map(|i| [0.1 * i as f32, 0.7 * i as f32]).collect(), 2);
        assert_eq!(fidelity(&vectors(200, 2, "t"), &collapsed).unwrap().spearman, 0.0);
    }

    #[test]
    fn a_handful_of_texts_has_fewer_neighbours() {
        let few = vectors(4, 8, "t");
        assert_eq!(fidelity(&few, &few).unwrap().neighbours_at_10, 1.0);
    }

    #[test]
    fn lists_of_two_lengths_and_too_short_ones_are_errors() {
        assert!(matches!(
            fidelity(&vectors(4, 8, "t"), &vectors(5, 8, "s")),
            Err(Error::Lengths { left: 4, right: 5, .. })
        ));
        assert!(matches!(fidelity(&vectors(2, 8, "t"), &vectors(2, 8, "s")), Err(Error::TooFew { found: 2, .. })));
    }
}
