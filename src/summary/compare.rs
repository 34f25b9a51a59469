//! The student of each of several runs as a table for a document: what the runs have in common stands once.

use std::fmt::Write as _;

use super::table::{count, speed, times};
use super::{ModelSummary, Role, Summary, extra};

/// One row: the same model by one seed or by several.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    name: String,
    /// Its figures by each seed.
    models: Vec<ModelSummary>,
    /// The teacher's, in the same runs.
    teachers: Vec<Option<ModelSummary>>,
}

/// The rows of `summaries`: teachers and baselines as the first run that measured them has them, then each run's student under
/// the run's name. Runs whose names differ by `-seedN` alone are one row. Exports to int8 are left out.
pub fn rows(summaries: &[Summary]) -> Vec<Row> {
    let (mut shared, mut students): (Vec<Row>, Vec<Row>) = (Vec::new(), Vec::new());
    for (at, summary) in summaries.iter().enumerate() {
        // One run's teacher and baselines stand for all of its seeds': the one without a number, else the first.
        let (name, is_seed) = seedless(&summary.name);
        let stands_for = |(other_at, other): (usize, &Summary)| {
            let (other, other_is_seed) = seedless(&other.name);
            other == name && (!other_is_seed || other_at < at)
        };
        let is_another_seed = is_seed && summaries.iter().enumerate().any(stands_for);
        let teacher = summary.models.iter().find(|model| model.role == Role::Teacher);
        for model in summary.models.iter().filter(|model| model.precision != "int8") {
            let row = |name: String| Row { name, models: vec![model.clone()], teachers: vec![teacher.cloned()] };
            if model.role == Role::Student {
                match students.iter_mut().find(|row| row.name == name) {
                    Some(row) => {
                        row.models.push(model.clone());
                        row.teachers.push(teacher.cloned());
                    }
                    None => students.push(row(name.to_owned())),
                }
                continue;
            }
            if shared.iter().any(|row| same(&row.models[0], model)) || is_another_seed {
                continue;
            }
            let taken = shared.iter().any(|row| row.name == model.name);
            shared.push(row(if taken { format!("{}, {}", summary.name, model.name) } else { model.name.clone() }));
        }
    }
    shared.extend(students);
    shared
}

/// Whether two runs measured the same model.
fn same(a: &ModelSummary, b: &ModelSummary) -> bool {
    // Without graded pairs nothing but name and agreement with the teacher tells.
    let told = !a.scores.is_empty() || (&a.name, &a.fidelity) == (&b.name, &b.fidelity);
    a.bytes == b.bytes && a.scores == b.scores && told
}

/// A run's name without `-seedN`, and whether that stood there.
fn seedless(name: &str) -> (&str, bool) {
    match name.rsplit_once("-seed") {
        Some((before, seed)) if !seed.is_empty() && seed.bytes().all(|byte| byte.is_ascii_digit()) => (before, true),
        _ => (name, false),
    }
}

/// `rows` in Markdown: Spearman × 100 set by set, their average, its share of the teacher's, word order, alignment, uniformity,
/// parameters, speed. Of several seeds the mean, `±` the standard deviation.
pub fn markdown(rows: &[Row]) -> String {
    let mut sets: Vec<&str> = Vec::new();
    for set in rows.iter().flat_map(|row| &row.models).flat_map(|model| model.scores.keys()) {
        if !sets.contains(&set.as_str()) {
            sets.push(set);
        }
    }
    let mut heads = vec!["model".to_owned()];
    let mut columns: Vec<Vec<String>> = vec![rows.iter().map(Row::label).collect()];
    let mut column = |head: &str, cell: &dyn Fn(&Row) -> Option<String>| {
        let cells: Vec<Option<String>> = rows.iter().map(cell).collect();
        if cells.iter().any(Option::is_some) {
            heads.push(head.to_owned());
            columns.push(cells.into_iter().map(Option::unwrap_or_default).collect());
        }
    };
    for set in &sets {
        column(set, &|row| row.figure(2, |model| model.scores.get(*set).map(|score| score.spearman)));
    }
    column("average", &|row| row.figure(2, |model| model.average));
    column("of teacher", &|row| Some(format!("{:.1} %", 100.0 * row.over_teacher(|model| model.average)?)));
    column("word order", &|row| row.figure(2, |model| model.extra.get(extra::WORD_ORDER)?.as_f64()));
    column("alignment", &|row| row.figure(3, |model| model.alignment));
    column("uniformity", &|row| row.figure(2, |model| model.uniformity));
    column("parameters", &|row| Some(count(row.models[0].parameters)));
    column("sentences/s", &|row| row.mean(|model| model.sentences_per_second).map(speed));
    column("x teacher", &|row| row.over_teacher(|model| model.sentences_per_second).map(times));

    let mut text = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for row in 0..rows.len() {
        let cells: Vec<&str> = columns.iter().map(|column| column[row].as_str()).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

impl Row {
    fn label(&self) -> String {
        match self.models.len() {
            1 => self.name.clone(),
            seeds => format!("{} ({seeds} seeds)", self.name),
        }
    }

    /// All models' figures, if every one has it.
    fn figures(&self, of: impl Fn(&ModelSummary) -> Option<f64>) -> Option<Vec<f64>> {
        self.models.iter().map(of).collect()
    }

    fn mean(&self, of: impl Fn(&ModelSummary) -> Option<f64>) -> Option<f64> {
        let figures = self.figures(of)?;
        Some(figures.iter().sum::<f64>() / figures.len() as f64)
    }

    /// The mean of a figure, and how far it spreads over the seeds.
    fn figure(&self, digits: usize, of: impl Fn(&ModelSummary) -> Option<f64>) -> Option<String> {
        let figures = self.figures(of)?;
        let mean = figures.iter().sum::<f64>() / figures.len() as f64;
        if figures.len() == 1 {
            return Some(format!("{mean:.digits$}"));
        }
        let square: f64 = figures.iter().map(|figure| (figure - mean).powi(2)).sum();
        let deviation = (square / (figures.len() - 1) as f64).sqrt();
        Some(format!("{mean:.digits$} ± {deviation:.digits$}"))
    }

    /// The mean of a figure as a multiple of the teacher's in the same run.
    fn over_teacher(&self, of: impl Fn(&ModelSummary) -> Option<f64> + Copy) -> Option<f64> {
        let pairs = self.models.iter().zip(&self.teachers);
        let shares: Option<Vec<f64>> =
            pairs.map(|(model, teacher)| Some(of(model)? / of(teacher.as_ref()?)?)).collect();
        shares.map(|shares| shares.iter().sum::<f64>() / shares.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::model;
    use super::*;
    use crate::evaluate::sts::Score;

    fn summary(name: &str, student: f64) -> Summary {
        let scored = |name: &str, role, spearman: f64| {
            let mut model = model(name, role);
            model.scores.insert("STSB.test".into(), Score { spearman, pearson: spearman, pairs: 10 });
            model.average = Some(spearman);
            model.sentences_per_second = Some(10.0 * spearman);
            model
        };
        let mut int8 = scored("student int8", Role::Student, 1.0);
        int8.precision = "int8".into();
        let models = vec![scored("teacher", Role::Teacher, 80.0), scored("student", Role::Student, student), int8];
        Summary { name: name.into(), models, ..Summary::default() }
    }

    #[test]
    fn the_teacher_stands_once_and_each_run_is_a_row() {
        let text = markdown(&rows(&[summary("one", 60.0), summary("two", 70.0)]));
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "| model | STSB.test | average | of teacher | parameters | sentences/s | x teacher |",
                "|---|---|---|---|---|---|---|",
                "| teacher | 80.00 | 80.00 | 100.0 % | 22.7 M | 800 | 1.0 |",
                "| one | 60.00 | 60.00 | 75.0 % | 22.7 M | 600 | 0.8 |",
                "| two | 70.00 | 70.00 | 87.5 % | 22.7 M | 700 | 0.9 |",
            ]
        );
    }

    #[test]
    fn seeds_are_one_row_with_their_spread() {
        let text = markdown(&rows(&[summary("one", 60.0), summary("one-seed2", 62.0), summary("one-seed3", 64.0)]));
        assert!(text.contains("| one (3 seeds) | 62.00 ± 2.00 |"), "{text}");
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn controls_without_scores_and_of_seeds_alone_have_rows_of_their_own() {
        let mut one = summary("one-seed2", 60.0);
        let mut untrained = model("static, untrained", Role::Baseline);
        untrained.scores.clear();
        let trained = ModelSummary { name: "static, trained".into(), ..untrained.clone() };
        one.models.extend([untrained, trained]);
        let names = |summaries: &[Summary]| rows(summaries).iter().map(|row| row.name.clone()).collect::<Vec<_>>();
        let expected = ["teacher", "static, untrained", "static, trained", "one"];
        assert_eq!(names(std::slice::from_ref(&one)), expected);
        let mut other = summary("other-seed2", 50.0);
        other.models[0].scores["STSB.test"].spearman = 70.0;
        assert_eq!(names(&[one.clone(), Summary { name: "one-seed3".into(), ..one.clone() }]), expected);
        let both = names(&[one, other, summary("plain", 55.0)]);
        assert_eq!(both, [&expected[..3], &["other-seed2, teacher", "one", "other", "plain"]].concat());
    }

    #[test]
    fn another_teacher_is_named_after_its_run() {
        let mut other = summary("trained", 60.0);
        other.models[0].scores["STSB.test"].spearman = 81.0;
        let text = markdown(&rows(&[summary("one", 60.0), other]));
        assert!(text.contains("| trained, teacher | 81.00 |"), "{text}");
    }
}
