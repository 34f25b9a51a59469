//! Topic accuracy: a linear probe on documents' vectors. What it can't read off the vectors with one matrix isn't there
//! plainly.
//!
//! Ridge regression on one-hot topics, in closed form: W = (XᵀX/n + λI)⁻¹ XᵀY/n, columns of X and Y centred (so that the
//! intercept isn't punished), solved by Cholesky in f64; a document's topic is the largest of its row of X·W. λ is the one
//! of [`PENALTIES`] that does best on a fifth of the training documents, of equals the largest; then all of them are
//! trained on.

use std::collections::{BTreeMap, HashMap};

use limbeck_encoder::Embeddings;
use nalgebra::{Cholesky, DMatrix, RowDVector};

use super::model::{Model, Watch};
use crate::error::{Error, Result};

/// The penalties tried, for vectors of length 1; the largest first.
pub const PENALTIES: [f64; 7] = [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
/// Each so-manyth training document of a topic is for choosing the penalty.
const PART: usize = 5;
/// Where no topic has [`PART`] documents, nothing can be chosen.
const PENALTY: f64 = 1e-3;

/// A text and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document<'a> {
    /// The whole text; an encoder reads as much of it as it always does.
    pub text: &'a str,
    /// Its topic: any string.
    pub topic: &'a str,
}

/// How well topics are read off a model's vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicAccuracy {
    /// The share (0 to 1) of held-out documents whose topic is found.
    pub accuracy: f64,
    /// The penalty chosen.
    pub penalty: f64,
    /// How many topics the training documents have.
    pub topics: usize,
    /// How many training documents.
    pub training: usize,
    /// How many held-out documents.
    pub held_out: usize,
}

/// Trains the probe on `training` and asks it about `held_out`; neither's order matters but for the choice of the penalty.
///
/// A held-out topic that training lacks is never found. Errors with fewer than two topics in training or no held-out
/// document.
pub fn topic_accuracy(
    model: &Model<'_>,
    training: &[Document<'_>],
    held_out: &[Document<'_>],
    watch: Watch<'_>,
) -> Result<TopicAccuracy> {
    let names: BTreeMap<&str, ()> = training.iter().map(|document| (document.topic, ())).collect();
    let topics: HashMap<&str, usize> = names.into_keys().enumerate().map(|(number, name)| (name, number)).collect();
    if topics.len() < 2 {
        let what = "topics among the training documents".into();
        return Err(Error::TooFew { what, found: topics.len(), needed: 2 });
    }
    if held_out.is_empty() {
        return Err(Error::TooFew { what: "held-out documents".into(), found: 0, needed: 1 });
    }
    let x = matrix(&model.encode(&texts_of(training), "training documents", watch)?);
    let held_out_x = matrix(&model.encode(&texts_of(held_out), "held-out documents", watch)?);
    let labels: Vec<usize> = training.iter().filter_map(|document| topics.get(document.topic).copied()).collect();

    let (fitted, chosen) = split(&labels);
    let penalty = if chosen.is_empty() { PENALTY } else { choose(&x, &labels, &fitted, &chosen, topics.len())? };
    let probe = Ridge::new(&x, &labels, topics.len()).solve(penalty)?;
    let right = probe
        .topics_of(&held_out_x)
        .zip(held_out)
        .filter(|(found, document)| topics.get(document.topic) == Some(found));
    Ok(TopicAccuracy {
        accuracy: right.count() as f64 / held_out.len() as f64,
        penalty,
        topics: topics.len(),
        training: training.len(),
        held_out: held_out.len(),
    })
}

fn texts_of<'a>(documents: &[Document<'a>]) -> Vec<&'a str> {
    documents.iter().map(|document| document.text).collect()
}

/// Places of the documents to fit on, and of each topic's every fifth, to choose by.
fn split(labels: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut seen: HashMap<usize, usize> = HashMap::new();
    (0..labels.len()).partition(|&place| {
        let seen = seen.entry(labels[place]).or_default();
        *seen += 1;
        !seen.is_multiple_of(PART)
    })
}

fn choose(x: &DMatrix<f64>, labels: &[usize], fitted: &[usize], chosen: &[usize], topics: usize) -> Result<f64> {
    let labels_of = |places: &[usize]| -> Vec<usize> { places.iter().map(|&place| labels[place]).collect() };
    let ridge = Ridge::new(&x.select_rows(fitted), &labels_of(fitted), topics);
    let (chosen_x, chosen_labels) = (x.select_rows(chosen), labels_of(chosen));
    let mut best = (0, PENALTIES[0]);
    for penalty in PENALTIES {
        let right = ridge.solve(penalty)?.topics_of(&chosen_x).zip(&chosen_labels).filter(|(a, b)| a == *b).count();
        if right > best.0 {
            best = (right, penalty);
        }
    }
    Ok(best.1)
}

/// The part of a ridge regression that no penalty changes.
struct Ridge {
    /// XᵀX/n, dimension × dimension, X centred.
    gram: DMatrix<f64>,
    /// XᵀY/n, dimension × topics, both centred.
    cross: DMatrix<f64>,
    mean_x: RowDVector<f64>,
    mean_y: RowDVector<f64>,
}

impl Ridge {
    /// `x`: documents × dimension; `labels`: a topic below `topics` a document.
    fn new(x: &DMatrix<f64>, labels: &[usize], topics: usize) -> Self {
        let n = labels.len() as f64;
        let mut y = DMatrix::zeros(labels.len(), topics);
        labels.iter().enumerate().for_each(|(row, &label)| y[(row, label)] = 1.0);
        let (mean_x, mean_y) = (x.row_mean(), y.row_mean());
        let mut x = x.clone();
        x.row_iter_mut().for_each(|mut row| row -= &mean_x);
        y.row_iter_mut().for_each(|mut row| row -= &mean_y);
        let transposed = x.transpose();
        Self { gram: &transposed * &x / n, cross: &transposed * &y / n, mean_x, mean_y }
    }

    fn solve(&self, penalty: f64) -> Result<Probe> {
        let mut system = self.gram.clone();
        (0..system.nrows()).for_each(|i| system[(i, i)] += penalty);
        let weight = Cholesky::new(system).ok_or(Error::Singular { penalty })?.solve(&self.cross);
        let intercept = &self.mean_y - &self.mean_x * &weight;
        Ok(Probe { weight, intercept })
    }
}

struct Probe {
    /// dimension × topics.
    weight: DMatrix<f64>,
    intercept: RowDVector<f64>,
}

impl Probe {
    /// The topic of each row of `x`.
    fn topics_of(&self, x: &DMatrix<f64>) -> impl Iterator<Item = usize> {
        let scores = x * &self.weight;
        (0..scores.nrows()).map(move |row| (scores.row(row) + &self.intercept).transpose().argmax().0)
    }
}

/// The vectors brought to length 1, as a matrix of documents × dimension.
fn matrix(vectors: &Embeddings) -> DMatrix<f64> {
    let mut x = DMatrix::from_row_iterator(
        vectors.rows(),
        vectors.dimension(),
        vectors.as_slice().iter().map(|&value| f64::from(value)),
    );
    x.row_iter_mut().for_each(|mut row| {
        row.try_normalize_mut(0.0);
    });
    x
}

#[cfg(test)]
mod tests {
    use limbeck_data::Interrupt;

    use super::*;
    use crate::evaluate::toy::{Toy, bag};
    use limbeck_training::random::Random;

    const TOPICS: [(&str, &str); 3] =
        [("sport", "ball goal run"), ("money", "bank share sell"), ("films", "scene star role")];

    /// Documents of 12 words, of which `telling` in 10 belong to the topic.
    fn documents(count: usize, telling: usize, seed: u64) -> Vec<(String, &'static str)> {
        let mut random = Random::new(seed, &[]);
        (0..count)
            .map(|number| {
                let (topic, words) = TOPICS[number % 3];
                let words: Vec<&str> = words.split(' ').collect();
                let word = |random: &mut Random| match random.below(10) < telling {
                    true => words[random.below(words.len())].to_owned(),
                    false => format!("filler{}", random.below(50)),
                };
                ((0..12).map(|_| word(&mut random)).collect::<Vec<_>>().join(" "), topic)
            })
            .collect()
    }

    fn accuracy(training: &[(String, &str)], held_out: &[(String, &str)]) -> Result<TopicAccuracy> {
        fn of<'a>(documents: &'a [(String, &'a str)]) -> Vec<Document<'a>> {
            documents.iter().map(|(text, topic)| Document { text, topic }).collect()
        }
        let (toy, interrupt) = (Toy::new(bag), Interrupt::new());
        topic_accuracy(&Model::new("toy", &toy), &of(training), &of(held_out), Watch::silent(&interrupt))
    }

    #[test]
    fn topics_that_lie_apart_are_found() {
        let found = accuracy(&documents(300, 5, 1), &documents(90, 5, 2)).unwrap();
        assert!(found.accuracy > 0.95, "{}", found.accuracy);
        assert_eq!((found.topics, found.training, found.held_out), (3, 300, 90));
    }

    #[test]
    fn topics_that_are_not_in_the_text_are_guessed() {
        let found = accuracy(&documents(300, 0, 1), &documents(300, 0, 2)).unwrap();
        assert!(found.accuracy > 0.2 && found.accuracy < 0.47, "{}", found.accuracy);
    }

    #[test]
    fn fewer_documents_than_dimensions_are_no_trouble() {
        let found = accuracy(&documents(6, 9, 1), &documents(30, 9, 2)).unwrap();
        assert_eq!(found.penalty, PENALTY);
        assert!(found.accuracy > 0.5, "{}", found.accuracy);
    }

    #[test]
    fn a_topic_unseen_in_training_is_never_found() {
        let held_out = vec![("ball goal run".to_owned(), "sport"), ("ball goal run".to_owned(), "unheard of")];
        assert_eq!(accuracy(&documents(300, 8, 1), &held_out).unwrap().accuracy, 0.5);
    }

    #[test]
    fn one_topic_or_nothing_held_out_is_an_error() {
        let one: Vec<_> = documents(30, 5, 1).into_iter().filter(|(_, topic)| *topic == "sport").collect();
        assert!(matches!(accuracy(&one, &one), Err(Error::TooFew { found: 1, needed: 2, .. })));
        assert!(matches!(accuracy(&documents(30, 5, 1), &[]), Err(Error::TooFew { found: 0, .. })));
    }

    #[test]
    fn every_fifth_of_each_topic_is_for_choosing() {
        let (fitted, chosen) = split(&[0, 1, 0, 0, 0, 0, 1, 0]);
        assert_eq!((fitted, chosen), (vec![0, 1, 2, 3, 4, 6, 7], vec![5]));
    }

    #[test]
    fn the_solution_makes_the_gradient_zero() {
        let mut random = Random::new(1, &[]);
        let x = DMatrix::from_fn(40, 6, |_, _| random.below(1_000) as f64 / 500.0 - 1.0);
        let labels: Vec<usize> = (0..40).map(|_| random.below(3)).collect();
        let ridge = Ridge::new(&x, &labels, 3);
        let probe = ridge.solve(0.1).unwrap();
        // d/dW of |XW + b - Y|²/2n + λ|W|²/2, and d/db.
        let mut rest = &x * &probe.weight;
        rest.row_iter_mut().enumerate().for_each(|(i, mut row)| {
            row += &probe.intercept;
            row[labels[i]] -= 1.0;
        });
        let gradient = x.transpose() * &rest / 40.0 + &probe.weight * 0.1;
        assert!(gradient.amax() < 1e-12 && rest.row_mean().amax() < 1e-12);
    }
}
