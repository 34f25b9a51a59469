//! Semantic textual similarity: do cosines rank pairs of sentences as people do?

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use limbeck_data::Interrupt;
use limbeck_data::files::sha256_bytes;
use limbeck_data::sts::GradedPairs;
use limbeck_data::text::bare_name;
use limbeck_encoder::Encoder;
use limbeck_training::contrastive::{Dev, DevScores};
use serde::{Deserialize, Serialize};

use super::correlation::{mean, pearson, spearman};
use super::model::{Distinct, Model, Watch, cosine};
use super::space;
use crate::error::{Error, Result};

/// One evaluation set.
#[derive(Debug, Clone, PartialEq)]
pub struct StsSet {
    /// Its name in tables, as [`set_names`] gives it.
    pub name: String,
    /// Its pairs, graded 0 to 5 in most sets, 0 or 1 in others.
    pub pairs: GradedPairs,
}

/// Reads the sets in `files` and names them; see [`GradedPairs::read`] and [`set_names`].
pub fn read_sets(files: &[impl AsRef<Path>]) -> Result<Vec<StsSet>> {
    let files: Vec<PathBuf> = files.iter().map(|file| file.as_ref().to_path_buf()).collect();
    let names = set_names(&files)?;
    names.into_iter().zip(&files).map(|(name, file)| Ok(StsSet { name, pairs: GradedPairs::read(file)? })).collect()
}

/// A model's correlations with one set's grades.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Spearman's ρ × 100.
    pub spearman: f64,
    /// Pearson's r × 100.
    pub pearson: f64,
    /// How many pairs.
    pub pairs: usize,
}

/// A model's scores on several sets. As JSON it's `{"model", "scores": {SET: {"spearman", "pearson", "pairs"}}, "average",
/// "alignment", "uniformity"}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StsScores {
    /// The model's name.
    pub model: String,
    /// A score a set, in the order given.
    pub scores: IndexMap<String, Score>,
    /// The mean of the sets' Spearman, each set counting the same.
    pub average: f64,
    /// [Alignment](space::alignment) over all pairs graded at least 4 of 5 (or 0.8 of 1, which in a set of zeros and ones is
    /// the ones); `None` without such a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<f64>,
    /// [Uniformity](space::uniformity) over all distinct sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uniformity: Option<f64>,
}

/// Scores `model` on `sets`. Each distinct sentence is encoded once, however many pairs and sets it's in.
///
/// Errors without a set, with a set of fewer than two pairs or of one score for all, or with two sets of one name.
pub fn sts(model: &Model<'_>, sets: &[StsSet], watch: Watch<'_>) -> Result<StsScores> {
    if sets.is_empty() {
        return Err(Error::TooFew { what: "STS sets".into(), found: 0, needed: 1 });
    }
    let mut texts = Distinct::default();
    let places: Vec<Vec<(usize, usize)>> = sets
        .iter()
        .map(|set| {
            let pairs = set.pairs.left.iter().zip(&set.pairs.right);
            pairs.map(|(left, right)| (texts.place(left), texts.place(right))).collect()
        })
        .collect();
    let vectors = model.encode(texts.texts(), &format!("sentences of {} STS sets", sets.len()), watch)?;

    let (mut scores, mut alike) = (IndexMap::new(), Vec::new());
    for (set, places) in sets.iter().zip(&places) {
        if set.pairs.len() < 2 {
            let what = format!("pairs of {}", set.name);
            return Err(Error::TooFew { what, found: set.pairs.len(), needed: 2 });
        }
        let grades = &set.pairs.scores;
        if grades.iter().all(|grade| *grade == grades[0]) {
            let what = format!("different scores in {}", set.name);
            return Err(Error::TooFew { what, found: 1, needed: 2 });
        }
        let pairs: Vec<(&[f32], &[f32])> =
            places.iter().map(|&(left, right)| (vectors.row(left), vectors.row(right))).collect();
        let similarities: Vec<f64> = pairs.iter().map(|(left, right)| cosine(left, right)).collect();
        let score = Score {
            spearman: 100.0 * spearman(&similarities, grades),
            pearson: 100.0 * pearson(&similarities, grades),
            pairs: pairs.len(),
        };
        if scores.insert(set.name.clone(), score).is_some() {
            return Err(Error::Twice { path: PathBuf::from(&set.name) });
        }
        let enough = alike_from(grades);
        alike.extend(pairs.into_iter().zip(grades).filter(|&(_, &grade)| grade >= enough).map(|(pair, _)| pair));
    }
    let spearmans: Vec<f64> = scores.values().map(|score| score.spearman).collect();
    Ok(StsScores {
        model: model.name.to_owned(),
        scores,
        average: mean(&spearmans),
        alignment: space::alignment(alike),
        uniformity: space::uniformity(&vectors),
    })
}

/// The sets that a model in training is looked at by, together.
pub struct DevSets<'a> {
    sets: Vec<StsSet>,
    interrupt: &'a Interrupt,
}

impl<'a> DevSets<'a> {
    /// Reads them; `None` where there are none.
    ///
    /// # Errors
    /// As [`read_sets`].
    pub fn read(files: &[impl AsRef<Path>], interrupt: &'a Interrupt) -> Result<Option<Self>> {
        let sets = read_sets(files)?;
        Ok((!sets.is_empty()).then_some(Self { sets, interrupt }))
    }
}

impl Dev for DevSets<'_> {
    fn scores(&self, model: &dyn Encoder) -> std::result::Result<DevScores, Box<dyn std::error::Error + Send + Sync>> {
        let scores = sts(&Model::new("the model in training", model), &self.sets, Watch::silent(self.interrupt))?;
        Ok(DevScores { spearman: scores.average, alignment: scores.alignment, uniformity: scores.uniformity })
    }

    fn hash(&self) -> String {
        let pairs = |pairs: &GradedPairs| format!("{:?}", (&pairs.left, &pairs.right, &pairs.scores));
        let all: Vec<String> = self.sets.iter().map(|set| pairs(&set.pairs)).collect();
        sha256_bytes(all.concat().as_bytes())
    }
}

/// From which grade on two sentences mean the same: four fifths of the scale, which ends at 1 or at 5.
fn alike_from(grades: &[f64]) -> f64 {
    if grades.iter().all(|&grade| grade <= 1.0) { 0.8 } else { 4.0 }
}

/// What the sets in `files` are called: the file's name without what tells its format (`.tsv`, `.csv.gz` …), and with the folders
/// before it (as many as it takes) where two would be called the same: `en/STSB.test` and `zh/STSB.test`. Where only the format
/// tells two apart, their whole names.
///
/// Errors where the same file is given twice.
pub fn set_names(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut parts: Vec<Vec<String>> = files.iter().map(|file| parts_of(file)).collect();
    let mut depths = vec![1; files.len()];
    loop {
        let names: Vec<String> = parts.iter().zip(&depths).map(|(parts, &depth)| name_of(parts, depth)).collect();
        let twins = |at: usize| (0..names.len()).filter(|&other| names[other] == names[at]).collect::<Vec<_>>();
        let Some(twins) = (0..names.len()).map(twins).find(|twins| twins.len() > 1) else {
            return Ok(names);
        };
        let mut longer = false;
        for &twin in &twins {
            if depths[twin] < parts[twin].len() {
                depths[twin] += 1;
                longer = true;
            }
        }
        if longer {
            continue;
        }
        let place = |at: usize| std::path::absolute(&files[at]).unwrap_or_else(|_| files[at].clone());
        if place(twins[0]) == place(twins[1]) {
            return Err(Error::Twice { path: files[twins[1]].clone() });
        }
        let before = parts.clone();
        for &twin in &twins {
            let whole = files[twin].file_name().map(|name| name.to_string_lossy().into_owned());
            parts[twin].pop();
            parts[twin].extend(whole);
            depths[twin] = 1;
        }
        if parts == before {
            twins.iter().for_each(|&twin| parts[twin] = vec![files[twin].display().to_string()]);
        }
    }
}

/// The folders and the name of a file, without what only tells its format.
fn parts_of(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file
        .components()
        .filter_map(|component| match component {
            std::path::Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    if let Some(name) = parts.last_mut() {
        *name = bare_name(file);
    }
    parts
}

fn name_of(parts: &[String], depth: usize) -> String {
    parts[parts.len().saturating_sub(depth)..].join("/")
}

#[cfg(test)]
mod tests {
    use limbeck_data::Interrupt;

    use super::*;
    use crate::evaluate::toy::{Toy, bag};

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
        let (toy, interrupt) = (Toy::new(bag), Interrupt::new());
        sts(&Model::new("bag", &toy), sets, Watch::silent(&interrupt))
    }

    #[test]
    fn similarities_in_the_order_of_the_grades_score_a_hundred() {
        let scores = score(&[letters(), zero_one()]).unwrap();
        let letters = scores.scores["letters"];
        assert!((letters.spearman - 100.0).abs() < 1e-9 && letters.pearson > 90.0 && letters.pairs == 4);
        // Two grades only: the ties keep it below a hundred or reach it, as the similarities tie as well or don't.
        assert!(scores.scores["zero-one"].spearman > 85.0);
        assert!((scores.average - (100.0 + scores.scores["zero-one"].spearman) / 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_model_without_an_opinion_scores_zero() {
        let (toy, interrupt) = (Toy::new(|_| vec![1.0, 2.0]), Interrupt::new());
        let scores = sts(&Model::new("same", &toy), &[letters()], Watch::silent(&interrupt)).unwrap();
        assert_eq!(scores.scores["letters"], Score { spearman: 0.0, pearson: 0.0, pairs: 4 });
    }

    #[test]
    fn each_distinct_sentence_is_encoded_once() {
        let (toy, interrupt) = (Toy::new(bag), Interrupt::new());
        let again = StsSet { name: "again".into(), ..letters() };
        sts(&Model::new("bag", &toy), &[letters(), again], Watch::silent(&interrupt)).unwrap();
        assert_eq!(toy.calls(), [4]);
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
        assert!(matches!(score(&[letters(), letters()]), Err(Error::Twice { .. })));
    }

    #[test]
    fn a_set_is_called_by_its_file_and_by_its_folder_where_two_collide() {
        let names = |files: &[&str]| set_names(&files.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(
            names(&["/d/en/STSB.test.tsv", "/d/zh/STSB.test.tsv.gz", "/d/en/STS12.test.tsv"]).unwrap(),
            ["en/STSB.test", "zh/STSB.test", "STS12.test"]
        );
        assert_eq!(names(&["a/x/s.tsv", "b/x/s.tsv", "s.tsv"]).unwrap(), ["a/x/s", "b/x/s", "s"]);
        assert_eq!(names(&["plain", "../up.tsv"]).unwrap(), ["plain", "up"]);
        assert!(names(&[]).unwrap().is_empty());
        assert_eq!(names(&["s.parquet", "x/t.csv"]).unwrap(), ["s", "t"]);
        assert_eq!(names(&["s.parquet", "s.csv", "s.tsv.gz"]).unwrap(), ["s.parquet", "s.csv", "s.tsv.gz"]);
        assert_eq!(names(&["s", "s.tsv"]).unwrap(), ["s", "s.tsv"]);
        assert_eq!(names(&["../a/s.tsv", "a/s.tsv"]).unwrap(), ["../a/s.tsv", "a/s.tsv"]);
        assert_eq!(names(&["a/s.csv", "a/s.tsv", "b/s.tsv"]).unwrap(), ["s.csv", "s.tsv", "b/s"]);
        assert!(matches!(names(&["a/s.tsv", "./a/s.tsv"]), Err(Error::Twice { .. })));
    }

    #[test]
    fn sets_are_read_from_their_files_and_a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let good = file("good.test.tsv", "sentence1\tsentence2\tscore\na b\ta \"b\"\t4.5\nc\td\t0\n");
        let bad = file("bad.tsv", "sentence1\tsentence2\tscore\na\tb\t\n");
        let sets = read_sets(std::slice::from_ref(&good)).unwrap();
        assert_eq!(sets, [set("good.test", &[("a b", "a \"b\"", 4.5), ("c", "d", 0.0)])]);
        let error = read_sets(&[good, bad]).unwrap_err().to_string();
        assert!(error.contains("bad.tsv") && error.contains("line 2"), "{error}");
    }
}
