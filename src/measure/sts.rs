//! Semantic textual similarity (STS): do cosines rank pairs of sentences as people do?

use std::path::PathBuf;

use indexmap::{IndexMap, IndexSet};
use limbeck_data::files::sha256_bytes;
use limbeck_data::progress::Silent;
use limbeck_data::sts::{GradedPairs, StsColumns};
use limbeck_data::{Interrupt, Monitor};
use limbeck_encoder::Encoder;
use limbeck_training::contrastive::{Dev, DevScores};
use serde::{Deserialize, Serialize};

use super::alignment::{alignment, uniformity};
use super::correlation::{mean, pearson, spearman};
use super::model::NamedModel;
use super::set_names::set_names;
use super::similarity::cosine;
use crate::error::{Error, Result};

/// One evaluation set.
#[derive(Debug, Clone, PartialEq)]
pub struct StsSet {
    /// The set's name in tables, as [`set_names`] gives it.
    pub name: String,
    /// The graded pairs: 0 to 5 in most sets, 0 or 1 in others.
    pub pairs: GradedPairs,
}

/// Reads the sets in `files`, whose columns are `columns` where the header doesn't tell, and names them.
///
/// # Errors
/// As [`GradedPairs::read_columns`] and [`set_names`].
pub fn read_sets(files: &[PathBuf], columns: &StsColumns) -> Result<Vec<StsSet>> {
    set_names(files)?
        .into_iter()
        .zip(files)
        .map(|(name, file)| Ok(StsSet { name, pairs: GradedPairs::read_columns(file, columns)? }))
        .collect()
}

/// A model's correlations with one set's grades.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StsScore {
    /// Spearman's ρ × 100.
    pub spearman: f64,
    /// Pearson's r × 100.
    pub pearson: f64,
    /// The number of pairs.
    pub pairs: usize,
}

/// A model's scores on several sets. As JSON: `{"model", "scores": {SET: {"spearman", "pearson", "pairs"}}, "average",
/// "alignment", "uniformity"}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StsScores {
    /// The model's name.
    pub model: String,
    /// A score a set, in the order given.
    pub scores: IndexMap<String, StsScore>,
    /// The mean of the sets' Spearman; each set has the same weight.
    pub average: f64,
    /// [Alignment](alignment()) over all pairs graded at least 4 of 5 (0.8 of 1 where grades end at 1); `None` without
    /// such a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<f64>,
    /// [Uniformity](uniformity()) over all distinct sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uniformity: Option<f64>,
}

/// Scores `model` on `sets`. Each distinct sentence is encoded once, in however many pairs and sets it occurs.
///
/// # Errors
/// No set; a set of fewer than two pairs, or whose pairs all have one grade; two sets of one name; what encoding gives.
pub fn sts<'a>(model: &NamedModel<'_>, sets: &'a [StsSet], monitor: Monitor<'_>) -> Result<StsScores> {
    if sets.is_empty() {
        return Err(Error::TooFew { what: "STS sets".into(), found: 0, needed: 1 });
    }
    let grades = sets.iter().map(grades_of).collect::<Result<Vec<_>>>()?;
    let mut texts = IndexSet::new();
    let mut place = |text| texts.insert_full(text).0;
    let mut places_of = |set: &'a StsSet| -> Vec<(usize, usize)> {
        let pairs = set.pairs.left.iter().zip(&set.pairs.right);
        pairs.map(|(left, right)| (place(left.as_str()), place(right.as_str()))).collect()
    };
    let places: Vec<Vec<(usize, usize)>> = sets.iter().map(&mut places_of).collect();
    let texts: Vec<&str> = texts.into_iter().collect();
    let vectors = model.encode(&texts, &format!("sentences of {} STS sets", sets.len()), monitor)?;

    let (mut scores, mut alike) = (IndexMap::new(), Vec::new());
    for ((set, places), grades) in sets.iter().zip(&places).zip(grades) {
        let pairs: Vec<(&[f32], &[f32])> =
            places.iter().map(|&(left, right)| (vectors.row(left), vectors.row(right))).collect();
        let similarities: Vec<f64> = pairs.iter().map(|(left, right)| cosine(left, right)).collect();
        let score = StsScore {
            spearman: 100.0 * spearman(&similarities, grades),
            pearson: 100.0 * pearson(&similarities, grades),
            pairs: pairs.len(),
        };
        if scores.insert(set.name.clone(), score).is_some() {
            return Err(Error::Twice { path: PathBuf::from(&set.name) });
        }
        let threshold = equal_meaning_from(grades);
        alike.extend(pairs.into_iter().zip(grades).filter(|&(_, &grade)| grade >= threshold).map(|(pair, _)| pair));
    }
    let spearmans: Vec<f64> = scores.values().map(|score| score.spearman).collect();
    Ok(StsScores {
        model: model.name.to_owned(),
        scores,
        average: mean(&spearmans),
        alignment: alignment(alike),
        uniformity: uniformity(&vectors),
    })
}

/// The set's grades, if something can correlate with them.
fn grades_of(set: &StsSet) -> Result<&[f64]> {
    let grades = set.pairs.scores.as_slice();
    if grades.len() < 2 {
        return Err(Error::TooFew { what: format!("pairs of {}", set.name), found: grades.len(), needed: 2 });
    }
    if grades.iter().all(|grade| *grade == grades[0]) {
        return Err(Error::TooFew { what: format!("different scores in {}", set.name), found: 1, needed: 2 });
    }
    Ok(grades)
}

/// The development sets that a model in training is evaluated on.
pub struct DevSets<'a> {
    sets: Vec<StsSet>,
    interrupt: &'a Interrupt,
}

impl<'a> DevSets<'a> {
    /// Reads the sets in `files`; `None` without a file.
    ///
    /// # Errors
    /// As [`read_sets`].
    pub fn read(files: &[PathBuf], columns: &StsColumns, interrupt: &'a Interrupt) -> Result<Option<Self>> {
        let sets = read_sets(files, columns)?;
        Ok((!sets.is_empty()).then_some(Self { sets, interrupt }))
    }
}

impl Dev for DevSets<'_> {
    fn scores(&self, model: &dyn Encoder) -> std::result::Result<DevScores, Box<dyn std::error::Error + Send + Sync>> {
        let model = NamedModel::new("the model in training", model);
        let scores = sts(&model, &self.sets, Monitor::new(&Silent, self.interrupt))?;
        Ok(DevScores { spearman: scores.average, alignment: scores.alignment, uniformity: scores.uniformity })
    }

    fn hash(&self) -> String {
        let pairs = |pairs: &GradedPairs| format!("{:?}", (&pairs.left, &pairs.right, &pairs.scores));
        let all: Vec<String> = self.sets.iter().map(|set| pairs(&set.pairs)).collect();
        sha256_bytes(all.concat().as_bytes())
    }
}

/// The grade from which on two sentences count as equal in meaning: four fifths of the scale, which ends at 1 or at 5.
fn equal_meaning_from(grades: &[f64]) -> f64 {
    if grades.iter().all(|&grade| grade <= 1.0) { 0.8 } else { 4.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::{FakeEncoder, bag, silent};

    fn set(name: &str, pairs: &[(&str, &str, f64)]) -> StsSet {
        let pairs = GradedPairs {
            left: pairs.iter().map(|pair| pair.0.to_owned()).collect(),
            right: pairs.iter().map(|pair| pair.1.to_owned()).collect(),
            scores: pairs.iter().map(|pair| pair.2).collect(),
        };
        StsSet { name: name.to_owned(), pairs }
    }

    fn letters() -> StsSet {
        set(
            "letters",
            &[
                ("a b c d", "a b c d", 5.0),
                ("a b c d", "a b c x", 4.0),
                ("a b c d", "a x y z", 1.0),
                ("a b c d", "u v w x", 0.0),
            ],
        )
    }

    fn zero_one() -> StsSet {
        set("zero-one", &[("a b", "a b", 1.0), ("a b", "c d", 0.0), ("e f", "f e", 1.0), ("e f", "x y", 0.0)])
    }

    fn score(sets: &[StsSet]) -> Result<StsScores> {
        sts(&NamedModel::new("bag", &FakeEncoder::new(bag)), sets, silent())
    }

    #[test]
    fn similarities_in_the_order_of_the_grades_score_a_hundred() {
        let scores = score(&[letters(), zero_one()]).unwrap();
        let letters = scores.scores["letters"];
        assert!((letters.spearman - 100.0).abs() < 1e-9 && letters.pearson > 90.0 && letters.pairs == 4);
        // With two grades only, ties among grades without ties among similarities keep the score below a hundred.
        assert!(scores.scores["zero-one"].spearman > 85.0);
        assert!((scores.average - (100.0 + scores.scores["zero-one"].spearman) / 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_model_that_gives_every_pair_one_similarity_scores_zero() {
        let constant = FakeEncoder::new(|_| vec![1.0, 2.0]);
        let scores = sts(&NamedModel::new("constant", &constant), &[letters()], silent()).unwrap();
        assert_eq!(scores.scores["letters"], StsScore { spearman: 0.0, pearson: 0.0, pairs: 4 });
    }

    #[test]
    fn each_distinct_sentence_is_encoded_once() {
        let encoder = FakeEncoder::new(bag);
        let again = StsSet { name: "again".into(), ..letters() };
        sts(&NamedModel::new("bag", &encoder), &[letters(), again], silent()).unwrap();
        assert_eq!(encoder.calls(), [4]);
    }

    #[test]
    fn alignment_takes_pairs_graded_four_of_five_or_one() {
        let scores = score(&[zero_one()]).unwrap();
        assert!(scores.alignment.unwrap() < 1e-6);
        assert!(scores.uniformity.unwrap() < 0.0);
        assert_eq!(score(&[set("low", &[("a", "b", 3.9), ("c", "d", 0.0)])]).unwrap().alignment, None);
        assert!(score(&[letters()]).unwrap().alignment.unwrap() > 1e-3);
    }

    #[test]
    fn the_json_is_the_one_that_others_read() {
        let json = serde_json::to_value(score(&[letters()]).unwrap()).unwrap();
        assert_eq!(
            json.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["model", "scores", "average", "alignment", "uniformity"]
        );
        let keys: Vec<_> = json["scores"]["letters"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["spearman", "pearson", "pairs"]);
    }

    #[test]
    fn too_little_is_an_error_that_names_the_set() {
        assert!(matches!(score(&[]), Err(Error::TooFew { found: 0, .. })));
        let error = score(&[letters(), set("tiny", &[("a", "b", 1.0)])]).unwrap_err();
        assert_eq!(error.to_string(), "pairs of tiny: 1 found, at least 2 needed");
        let error = score(&[set("flat", &[("a", "b", 3.0), ("b", "c", 3.0)])]).unwrap_err();
        assert_eq!(error.to_string(), "different scores in flat: 1 found, at least 2 needed");
    }

    #[test]
    fn two_sets_of_one_name_are_an_error() {
        assert!(matches!(score(&[letters(), letters()]), Err(Error::Twice { .. })));
    }

    #[test]
    fn sets_are_read_from_their_files_and_an_error_names_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let good = file("good.test.tsv", "sentence1\tsentence2\tscore\na b\ta \"b\"\t4.5\nc\td\t0\n");
        let bad = file("bad.tsv", "sentence1\tsentence2\tscore\na\tb\t\n");
        let sets = read_sets(std::slice::from_ref(&good), &StsColumns::default()).unwrap();
        assert_eq!(sets, [set("good.test", &[("a b", "a \"b\"", 4.5), ("c", "d", 0.0)])]);
        let error = read_sets(&[good, bad], &StsColumns::default()).unwrap_err().to_string();
        assert!(error.contains("bad.tsv") && error.contains("line 2"), "{error}");
    }
}
