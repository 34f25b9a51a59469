//! Clustering: do near vectors have one label?

use std::collections::HashMap;

use limbeck_data::Monitor;
use limbeck_data::labelled::LabelledSet;
use serde::{Deserialize, Serialize};

use super::k_means::k_means;
use super::model::NamedModel;
use super::sample;
use super::similarity::unit_rows;
use crate::error::{Error, Result};

/// The most texts that are clustered; of more, this many are drawn, the same for each model.
pub const MOST_TEXTS: usize = 10_000;
const SEED: u64 = 0xc105;

/// How well clusters of a model's vectors agree with a set's labels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClusteringScore {
    /// The V-measure × 100.
    pub v_measure: f64,
    /// The number of clusters, which is the number of labels.
    pub clusters: usize,
    /// The number of texts.
    pub texts: usize,
}

/// Clusters the unit vectors of the test texts by k-means, with as many clusters as there are labels, and compares the
/// clusters with the labels.
///
/// # Errors
/// Fewer than two labels, or what encoding gives.
pub fn clustering(model: &NamedModel<'_>, set: &LabelledSet, monitor: Monitor<'_>) -> Result<ClusteringScore> {
    let drawn = sample::indices(set.test.len(), MOST_TEXTS, SEED);
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut place_of = |label| {
        let next = places.len();
        *places.entry(label).or_insert(next)
    };
    let labels: Vec<usize> = drawn.iter().map(|&place| place_of(set.test.labels[place].as_str())).collect();
    let clusters = places.len();
    if clusters < 2 {
        let what = format!("labels among the test texts of {}", set.name);
        return Err(Error::TooFew { what, found: clusters, needed: 2 });
    }
    let texts: Vec<&str> = drawn.iter().map(|&place| set.test.texts[place].as_str()).collect();
    let vectors = model.encode(&texts, &format!("texts of {} to cluster", set.name), monitor)?;
    let x = unit_rows(&vectors).mapv(f64::from);
    let found = k_means(x.view(), clusters, monitor)?.of_row;
    Ok(ClusteringScore { v_measure: 100.0 * v_measure(&labels, &found), clusters, texts: texts.len() })
}

/// The harmonic mean of homogeneity (clusters hold one label) and completeness (labels lie in one cluster), 0 to 1
/// (Rosenberg and Hirschberg 2007).
fn v_measure(labels: &[usize], clusters: &[usize]) -> f64 {
    let n = labels.len() as f64;
    let count = |of: &[usize]| of.iter().max().map_or(0, |largest| largest + 1);
    let (rows, columns) = (count(labels), count(clusters));
    let (mut in_label, mut in_cluster) = (vec![0.0; rows], vec![0.0; columns]);
    let mut in_both = vec![0.0; rows * columns];
    for (&label, &cluster) in labels.iter().zip(clusters) {
        in_label[label] += 1.0;
        in_cluster[cluster] += 1.0;
        in_both[label * columns + cluster] += 1.0;
    }
    let share = |count: f64, of: f64| if count > 0.0 { count / n * (count / of).ln() } else { 0.0 };
    let entropy = |counts: &[f64]| -counts.iter().map(|&count| share(count, n)).sum::<f64>();
    let pairs = in_both.iter().enumerate();
    let information =
        pairs.map(|(place, &count)| share(count, in_label[place / columns] * in_cluster[place % columns] / n));
    let information = information.sum::<f64>().max(0.0);
    let part = |entropy: f64| if entropy > 0.0 { information / entropy } else { 1.0 };
    let (homogeneity, completeness) = (part(entropy(&in_label)), part(entropy(&in_cluster)));
    match homogeneity + completeness {
        0.0 => 0.0,
        sum => 2.0 * homogeneity * completeness / sum,
    }
}

#[cfg(test)]
mod tests {
    use limbeck_data::labelled::LabelledTexts;

    use super::*;
    use crate::measure::test_support::{FakeEncoder, bag, golden_classes, silent};

    #[test]
    fn the_v_measure_is_that_of_scikit_learn() {
        for case in golden_classes()["v_measure"].as_array().unwrap() {
            let list = |name: &str| -> Vec<usize> { serde_json::from_value(case[name].clone()).unwrap() };
            let found = v_measure(&list("labels"), &list("clusters"));
            assert!((found - case["v_measure"].as_f64().unwrap()).abs() < 1e-9, "{found} {case}");
        }
    }

    /// Texts whose first word is that of their label, `count` of each.
    fn set(count: usize, labels: &[&str]) -> LabelledSet {
        let rows = (0..count).flat_map(|at| labels.iter().map(move |label| (at, *label)));
        let (texts, labels) = rows.map(|(at, label)| (format!("{label} {label} w{at}"), label.to_owned())).unzip();
        LabelledSet { name: "made-up".into(), test: LabelledTexts { texts, labels }, ..LabelledSet::default() }
    }

    #[test]
    fn labels_that_lie_apart_are_clusters() {
        let encoder = FakeEncoder::new(bag);
        let found =
            clustering(&NamedModel::new("bag", &encoder), &set(30, &["red", "green", "blue"]), silent()).unwrap();
        assert_eq!((found.clusters, found.texts), (3, 90));
        assert!(found.v_measure > 90.0, "{found:?}");
        let json = serde_json::to_value(found).unwrap();
        assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["v_measure", "clusters", "texts"]);
    }

    #[test]
    fn one_vector_for_every_text_agrees_with_no_labels() {
        let constant = FakeEncoder::new(|_| vec![1.0, 2.0]);
        let found = clustering(&NamedModel::new("constant", &constant), &set(30, &["red", "blue"]), silent()).unwrap();
        assert!(found.v_measure < 5.0, "{found:?}");
    }

    #[test]
    fn of_many_texts_a_fixed_sample_is_clustered() {
        let encoder = FakeEncoder::new(bag);
        let run =
            || clustering(&NamedModel::new("bag", &encoder), &set(MOST_TEXTS, &["red", "blue"]), silent()).unwrap();
        let found = run();
        assert_eq!((found.texts, found), (MOST_TEXTS, run()));
    }

    #[test]
    fn one_label_alone_is_an_error_that_names_the_set() {
        let encoder = FakeEncoder::new(bag);
        let error = clustering(&NamedModel::new("bag", &encoder), &set(3, &["red"]), silent()).unwrap_err();
        assert_eq!(error.to_string(), "labels among the test texts of made-up: 1 found, at least 2 needed");
    }
}
