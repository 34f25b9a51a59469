//! Topic accuracy: a linear probe on documents' vectors, which shows whether topics can be read off with one matrix.
//!
//! The probe is ridge regression on one-hot topics, in closed form: W = (XᵀX/n + λI)⁻¹ XᵀY/n, columns of X and Y
//! centred (so that the intercept is not penalised), solved by Cholesky in f64. A document's topic is the largest of
//! its row of X·W. λ is that of [`PENALTIES`] with the best accuracy on a fifth of the training documents, the largest
//! on a tie; then the probe is fitted on all of them. It is ours because a closed form gives the same figure on each
//! run, which an iterative solver of a crate does not promise.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use limbeck_data::Monitor;
use limbeck_data::text::{LabelledDocument, read_documents};
use limbeck_encoder::Embeddings;
use nalgebra::{Cholesky, DMatrix, RowDVector};

use super::model::NamedModel;
use super::sample;
use crate::error::{Error, Result};

/// The penalties tried, for vectors of length 1; the largest first.
pub const PENALTIES: [f64; 7] = [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
/// Every fifth training document of a topic serves to choose the penalty.
const VALIDATION_EVERY: usize = 5;
const SEED: u64 = 0x70b1c;
/// The penalty where no topic has [`VALIDATION_EVERY`] documents, so that none can be chosen.
const DEFAULT_PENALTY: f64 = 1e-3;

/// Documents to fit the probe on, and others to test it on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicCorpus {
    /// The documents to fit on; their order decides only which of them choose the penalty.
    pub training: Vec<LabelledDocument>,
    /// The documents to test on.
    pub held_out: Vec<LabelledDocument>,
}

impl TopicCorpus {
    /// Reads the labelled documents that a run's text left: all held-out ones, and of the others a uniform sample of at
    /// most `most`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(path: &Path, most: usize) -> Result<Self> {
        let documents = read_documents(path)?.collect::<limbeck_data::Result<Vec<_>>>()?;
        let (held_out, all): (Vec<_>, Vec<_>) = documents.into_iter().partition(|document| document.held_out);
        let training = sample::indices(all.len(), most, SEED).into_iter().map(|place| all[place].clone()).collect();
        Ok(Self { training, held_out })
    }
}

/// How well topics are read off a model's vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicAccuracy {
    /// The share (0 to 1) of held-out documents whose topic is found.
    pub accuracy: f64,
    /// The penalty chosen.
    pub penalty: f64,
}

/// Fits the probe on the training documents and tests it on the held-out ones. A held-out topic that training lacks is
/// never found.
///
/// # Errors
/// Fewer than two topics in training, no held-out document, or what encoding gives.
pub fn topic_accuracy(model: &NamedModel<'_>, corpus: &TopicCorpus, monitor: Monitor<'_>) -> Result<TopicAccuracy> {
    let TopicCorpus { training, held_out } = corpus;
    let names: BTreeSet<&str> = training.iter().map(|document| document.label.as_str()).collect();
    let topics: HashMap<&str, usize> = names.into_iter().zip(0..).collect();
    if topics.len() < 2 {
        let what = "topics among the training documents".into();
        return Err(Error::TooFew { what, found: topics.len(), needed: 2 });
    }
    if held_out.is_empty() {
        return Err(Error::TooFew { what: "held-out documents".into(), found: 0, needed: 1 });
    }
    let x = matrix(&model.encode(&texts_of(training), "training documents", monitor)?);
    let held_out_x = matrix(&model.encode(&texts_of(held_out), "held-out documents", monitor)?);
    let topic_of = |document: &LabelledDocument| topics.get(document.label.as_str()).copied();
    let labels: Vec<usize> = training.iter().filter_map(topic_of).collect();

    let (fitting, validation) = split(&labels);
    let penalty = match validation.as_slice() {
        [] => DEFAULT_PENALTY,
        validation => choose(&x, &labels, &fitting, validation, topics.len())?,
    };
    let probe = Ridge::new(&x, &labels, topics.len()).solve(penalty)?;
    let right =
        probe.topics_of(&held_out_x).zip(held_out).filter(|(found, document)| topic_of(document) == Some(*found));
    Ok(TopicAccuracy { accuracy: right.count() as f64 / held_out.len() as f64, penalty })
}

fn texts_of(documents: &[LabelledDocument]) -> Vec<&str> {
    documents.iter().map(|document| document.text.as_str()).collect()
}

/// The places of the documents to fit on, and of every fifth of each topic, which choose the penalty.
fn split(labels: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut seen: HashMap<usize, usize> = HashMap::new();
    (0..labels.len()).partition(|&place| {
        let seen = seen.entry(labels[place]).or_default();
        *seen += 1;
        !seen.is_multiple_of(VALIDATION_EVERY)
    })
}

/// The penalty with the best accuracy on the documents at `validation`, fitted on those at `fitting`.
fn choose(x: &DMatrix<f64>, labels: &[usize], fitting: &[usize], validation: &[usize], topics: usize) -> Result<f64> {
    let labels_of = |places: &[usize]| -> Vec<usize> { places.iter().map(|&place| labels[place]).collect() };
    let ridge = Ridge::new(&x.select_rows(fitting), &labels_of(fitting), topics);
    let (x, labels) = (x.select_rows(validation), labels_of(validation));
    let mut best = (0, PENALTIES[0]);
    for penalty in PENALTIES {
        let right = ridge.solve(penalty)?.topics_of(&x).zip(&labels).filter(|(a, b)| a == *b).count();
        if right > best.0 {
            best = (right, penalty);
        }
    }
    Ok(best.1)
}

/// The part of a ridge regression that does not depend on the penalty.
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

    fn solve(&self, penalty: f64) -> Result<LinearProbe> {
        let mut system = self.gram.clone();
        (0..system.nrows()).for_each(|i| system[(i, i)] += penalty);
        let weight = Cholesky::new(system).ok_or(Error::Singular { penalty })?.solve(&self.cross);
        let intercept = &self.mean_y - &self.mean_x * &weight;
        Ok(LinearProbe { weight, intercept })
    }
}

struct LinearProbe {
    /// dimension × topics.
    weight: DMatrix<f64>,
    intercept: RowDVector<f64>,
}

impl LinearProbe {
    /// The topic of each row of `x`.
    fn topics_of(&self, x: &DMatrix<f64>) -> impl Iterator<Item = usize> {
        let scores = x * &self.weight;
        (0..scores.nrows()).map(move |row| (scores.row(row) + &self.intercept).transpose().argmax().0)
    }
}

/// The vectors scaled to length 1, as a matrix of documents × dimension.
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
    use limbeck_data::text::{DOCUMENTS_FILE, TextPlan, TextSource, TextUnit, prepare};
    use limbeck_training::random::Random;

    use super::*;
    use crate::measure::test_support::{FakeEncoder, bag, silent};

    const TOPICS: [(&str, &str); 3] =
        [("sport", "ball goal run"), ("money", "bank share sell"), ("films", "scene star role")];

    /// Documents of 12 words, of which `telling` in 10 belong to the topic.
    fn documents(count: usize, telling: usize, seed: u64) -> Vec<LabelledDocument> {
        let mut random = Random::new(seed, &[]);
        (0..count)
            .map(|number| {
                let (topic, words) = TOPICS[number % 3];
                let words: Vec<&str> = words.split(' ').collect();
                let word = |random: &mut Random| match random.below(10) < telling {
                    true => words[random.below(words.len())].to_owned(),
                    false => format!("filler{}", random.below(50)),
                };
                let text = (0..12).map(|_| word(&mut random)).collect::<Vec<_>>().join(" ");
                LabelledDocument { text, label: topic.to_owned(), group: 0, held_out: false }
            })
            .collect()
    }

    fn accuracy(training: Vec<LabelledDocument>, held_out: Vec<LabelledDocument>) -> Result<TopicAccuracy> {
        let corpus = TopicCorpus { training, held_out };
        topic_accuracy(&NamedModel::new("bag", &FakeEncoder::new(bag)), &corpus, silent())
    }

    #[test]
    fn all_held_out_documents_are_read_and_a_sample_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        for (number, document) in documents(200, 5, 3).iter().enumerate() {
            let path = folder.path().join("in").join(&document.label).join(format!("{number}.txt"));
            limbeck_data::files::write_bytes(&path, document.text.as_bytes()).unwrap();
        }
        let source = TextSource { unit: TextUnit::File, label: true, ..TextSource::new(folder.path().join("in")) };
        let plan = TextPlan { sources: vec![source], hold_out: 0.3, ..TextPlan::default() };
        prepare(&plan, folder.path(), silent()).unwrap();
        let read = |most| TopicCorpus::read(&folder.path().join(DOCUMENTS_FILE), most).unwrap();
        let (all, sample) = (read(1_000), read(20));
        assert_eq!((all.training.len() + all.held_out.len(), sample.training.len()), (200, 20));
        assert_eq!((&sample.held_out, &sample), (&all.held_out, &read(20)));
    }

    #[test]
    fn topics_that_lie_apart_are_found() {
        let found = accuracy(documents(300, 5, 1), documents(90, 5, 2)).unwrap();
        assert!(found.accuracy > 0.95, "{}", found.accuracy);
    }

    #[test]
    fn topics_that_are_not_in_the_text_are_guessed() {
        let found = accuracy(documents(300, 0, 1), documents(300, 0, 2)).unwrap();
        assert!(found.accuracy > 0.2 && found.accuracy < 0.47, "{}", found.accuracy);
    }

    #[test]
    fn fewer_documents_than_dimensions_are_enough() {
        let found = accuracy(documents(6, 9, 1), documents(30, 9, 2)).unwrap();
        assert_eq!(found.penalty, DEFAULT_PENALTY);
        assert!(found.accuracy > 0.5, "{}", found.accuracy);
    }

    #[test]
    fn a_topic_unseen_in_training_is_never_found() {
        let of = |topic: &str| LabelledDocument {
            text: "ball goal run".into(),
            label: topic.into(),
            group: 0,
            held_out: true,
        };
        let held_out = vec![of("sport"), of("unheard of")];
        assert_eq!(accuracy(documents(300, 8, 1), held_out).unwrap().accuracy, 0.5);
    }

    #[test]
    fn one_topic_alone_is_an_error() {
        let one: Vec<_> = documents(30, 5, 1).into_iter().filter(|document| document.label == "sport").collect();
        assert!(matches!(accuracy(one.clone(), one), Err(Error::TooFew { found: 1, needed: 2, .. })));
    }

    #[test]
    fn no_held_out_document_is_an_error() {
        assert!(matches!(accuracy(documents(30, 5, 1), Vec::new()), Err(Error::TooFew { found: 0, .. })));
    }

    #[test]
    fn every_fifth_of_each_topic_chooses_the_penalty() {
        assert_eq!(split(&[0, 1, 0, 0, 0, 0, 1, 0]), (vec![0, 1, 2, 3, 4, 6, 7], vec![5]));
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
