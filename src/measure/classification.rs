//! Classification: can classes be read off the vectors by a logistic regression?

use std::collections::{BTreeSet, HashMap};

use limbeck_data::Monitor;
use limbeck_data::labelled::{LabelledSet, LabelledTexts};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::logistic::{LogisticRegression, TrainingRows};
use super::model::NamedModel;
use super::sample;
use super::similarity::unit_rows;
use crate::error::{Error, Result};

/// The most training texts; of more, this many are drawn, the same for each model.
pub const MOST_TRAINING_TEXTS: usize = 6_000;
const SEED: u64 = 0xc1a55;

/// How well a model's vectors tell a set's classes apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassificationScore {
    /// The share of the test texts whose label is found, × 100.
    pub accuracy: f64,
    /// The mean over the labels of F1, × 100.
    pub macro_f1: f64,
    /// The number of texts that the regression was fitted on.
    pub training: usize,
    /// The number of texts that it was tested on.
    pub test: usize,
}

/// Fits a logistic regression on the unit vectors of the training texts, and tests it on those of the test texts. A
/// test label that training lacks is never found.
///
/// # Errors
/// Fewer than two labels in training, no test text, or what encoding gives.
pub fn classification(model: &NamedModel<'_>, set: &LabelledSet, monitor: Monitor<'_>) -> Result<ClassificationScore> {
    let LabelledTexts { texts, labels } = &set.training;
    let drawn = sample::indices(labels.len(), MOST_TRAINING_TEXTS, SEED);
    let names: BTreeSet<&str> = drawn.iter().map(|&place| labels[place].as_str()).collect();
    if names.len() < 2 {
        let what = format!("labels among the training texts of {}", set.name);
        return Err(Error::TooFew { what, found: names.len(), needed: 2 });
    }
    if set.test.is_empty() {
        return Err(Error::TooFew { what: format!("test texts of {}", set.name), found: 0, needed: 1 });
    }
    let names: Vec<&str> = names.into_iter().collect();
    let places: HashMap<&str, usize> = names.iter().copied().zip(0..).collect();
    let classes: Vec<usize> = drawn.iter().map(|&place| places[labels[place].as_str()]).collect();
    let texts: Vec<&str> = drawn.iter().map(|&place| texts[place].as_str()).collect();
    let x = unit_vectors(model, &texts, &format!("training texts of {}", set.name), monitor)?;
    let texts: Vec<&str> = set.test.texts.iter().map(String::as_str).collect();
    let test_x = unit_vectors(model, &texts, &format!("test texts of {}", set.name), monitor)?;

    let rows = TrainingRows { x: x.view(), classes: &classes, count: names.len() };
    let found = LogisticRegression::fit(&rows, monitor)?.predict(test_x.view());
    let found: Vec<&str> = found.into_iter().map(|class| names[class]).collect();
    let wanted: Vec<&str> = set.test.labels.iter().map(String::as_str).collect();
    let (accuracy, macro_f1) = accuracy_and_macro_f1(&wanted, &found);
    Ok(ClassificationScore {
        accuracy: 100.0 * accuracy,
        macro_f1: 100.0 * macro_f1,
        training: classes.len(),
        test: wanted.len(),
    })
}

/// The vectors of the texts, scaled to length 1.
fn unit_vectors(model: &NamedModel<'_>, texts: &[&str], what: &str, monitor: Monitor<'_>) -> Result<Array2<f64>> {
    Ok(unit_rows(&model.encode(texts, what, monitor)?).mapv(f64::from))
}

/// The share of equal labels, and the mean of F1 over the labels that occur in either list, both 0 to 1.
fn accuracy_and_macro_f1(wanted: &[&str], found: &[&str]) -> (f64, f64) {
    /// How often a label is wanted, found, and both.
    #[derive(Default)]
    struct Counts {
        wanted: usize,
        found: usize,
        right: usize,
    }
    let mut counts: HashMap<&str, Counts> = HashMap::new();
    for (&wanted, &found) in wanted.iter().zip(found) {
        counts.entry(wanted).or_default().wanted += 1;
        let counts = counts.entry(found).or_default();
        counts.found += 1;
        counts.right += usize::from(wanted == found);
    }
    let right: usize = counts.values().map(|counts| counts.right).sum();
    let mut f1: Vec<f64> =
        counts.values().map(|counts| 2.0 * counts.right as f64 / (counts.wanted + counts.found) as f64).collect();
    // The order of a hash map is another on each run, and so would be the last bit of a sum.
    f1.sort_by(f64::total_cmp);
    (right as f64 / wanted.len() as f64, f1.iter().sum::<f64>() / f1.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::{FakeEncoder, bag, golden_classes, silent};

    fn labelled(texts: Vec<String>, labels: Vec<String>) -> LabelledTexts {
        LabelledTexts { texts, labels }
    }

    /// The part of a golden set, whose texts are the places of their vectors.
    fn golden_part(golden: &serde_json::Value, part: &str) -> LabelledTexts {
        let labels: Vec<usize> = serde_json::from_value(golden[format!("{part}_labels")].clone()).unwrap();
        let texts = (0..labels.len()).map(|place| format!("{part} {place}")).collect();
        labelled(texts, labels.iter().map(|label| format!("class {label}")).collect())
    }

    #[test]
    fn accuracy_and_f1_are_those_of_scikit_learn() {
        for name in ["five", "two"] {
            let golden = golden_classes()[name].clone();
            let set = LabelledSet {
                name: name.into(),
                training: golden_part(&golden, "train"),
                test: golden_part(&golden, "test"),
                ..LabelledSet::default()
            };
            let (train, test) = (&golden["train"], &golden["test"]);
            let parts: [Vec<Vec<f32>>; 2] = [train, test].map(|part| serde_json::from_value(part.clone()).unwrap());
            let encoder = FakeEncoder::new(|text| match text.split_once(' ') {
                Some((part, place)) => parts[usize::from(part == "test")][place.parse::<usize>().unwrap()].clone(),
                None => parts[0][0].clone(),
            });
            let score = classification(&NamedModel::new("golden", &encoder), &set, silent()).unwrap();
            assert!((score.accuracy - golden["accuracy"].as_f64().unwrap()).abs() < 1e-9, "{score:?}");
            assert!((score.macro_f1 - golden["macro_f1"].as_f64().unwrap()).abs() < 1e-9, "{score:?}");
            assert_eq!((score.training, score.test), (set.training.len(), set.test.len()));
        }
    }

    #[test]
    fn macro_f1_counts_labels_of_truth_and_prediction() {
        let golden = golden_classes();
        for case in golden["macro_f1"].as_array().unwrap() {
            let list = |name: &str| -> Vec<String> { serde_json::from_value(case[name].clone()).unwrap() };
            let (wanted, found) = (list("wanted"), list("found"));
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            let (accuracy, f1) = accuracy_and_macro_f1(&wanted, &found);
            assert!((accuracy - case["accuracy"].as_f64().unwrap()).abs() < 1e-12);
            assert!((f1 - case["macro_f1"].as_f64().unwrap()).abs() < 1e-12);
        }
    }

    /// Texts of words of their class and a filler, `count` of each class.
    fn texts(count: usize, classes: &[&str]) -> LabelledTexts {
        let rows = (0..count).flat_map(|at| classes.iter().map(move |class| (format!("{class} filler{at}"), class)));
        let (texts, labels) = rows.map(|(text, class)| (text, (*class).to_owned())).unzip();
        labelled(texts, labels)
    }

    fn score(training: LabelledTexts, test: LabelledTexts) -> Result<ClassificationScore> {
        let set = LabelledSet { name: "made-up".into(), training, test, ..LabelledSet::default() };
        classification(&NamedModel::new("bag", &FakeEncoder::new(bag)), &set, silent())
    }

    #[test]
    fn classes_that_lie_apart_are_found_and_unseen_labels_are_not() {
        let found = score(texts(40, &["red", "green", "blue"]), texts(10, &["red", "green", "grey"])).unwrap();
        assert!((found.accuracy - 66.67).abs() < 4.0, "{found:?}");
    }

    #[test]
    fn of_many_training_texts_a_fixed_sample_is_drawn() {
        let many = texts(MOST_TRAINING_TEXTS, &["red", "green"]);
        let found = score(many.clone(), texts(10, &["red", "green"])).unwrap();
        assert_eq!(found.training, MOST_TRAINING_TEXTS);
        assert_eq!(found, score(many, texts(10, &["red", "green"])).unwrap());
    }

    #[test]
    fn too_little_is_an_error_that_names_the_set() {
        let error = score(texts(9, &["red"]), texts(9, &["red"])).unwrap_err();
        assert_eq!(error.to_string(), "labels among the training texts of made-up: 1 found, at least 2 needed");
        let error = score(texts(9, &["red", "blue"]), LabelledTexts::default()).unwrap_err();
        assert_eq!(error.to_string(), "test texts of made-up: 0 found, at least 1 needed");
    }

    #[test]
    fn the_json_is_the_one_that_others_read() {
        let found = score(texts(9, &["red", "blue"]), texts(9, &["red", "blue"])).unwrap();
        let json = serde_json::to_value(found).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["accuracy", "macro_f1", "training", "test"]);
    }
}
