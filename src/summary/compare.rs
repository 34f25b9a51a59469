//! The students of several runs as one Markdown table, in which the models that the runs share stand once.

use indexmap::IndexMap;

use super::format::{count, percent, speed, times};
use super::tasks::{add_words_row, task_columns};
use super::{ModelRole, ModelSummary, Summary, TableCells, extra, sts_sets};

/// A row: one model with one seed or with several.
struct ComparedModel<'a> {
    name: String,
    /// The figures of each seed.
    seeds: Vec<Seed<'a>>,
}

/// A model, and the teacher of the same run.
#[derive(Clone, Copy)]
struct Seed<'a> {
    model: &'a ModelSummary,
    teacher: Option<&'a ModelSummary>,
}

/// The rows of `summaries`: teachers and baselines with the figures of the first run that measured them, then each
/// run's student under the run's name. Runs whose names differ in `-seedN` alone are one row. int8 exports are left
/// out, but for a teacher's that alone was measured on tasks.
fn rows(summaries: &[Summary]) -> Vec<ComparedModel<'_>> {
    let (mut shared, mut students): (Vec<ComparedModel<'_>>, IndexMap<&str, Vec<Seed<'_>>>) = Default::default();
    for (at, summary) in summaries.iter().enumerate() {
        // The teacher and the baselines of one run stand for all of its seeds: of the run without a seed, else of the
        // first.
        let (name, is_seed) = seedless(&summary.name);
        let stands_for = |(other_at, other): (usize, &Summary)| {
            let (other, other_is_seed) = seedless(&other.name);
            other == name && (!other_is_seed || other_at < at)
        };
        let is_another_seed = is_seed && summaries.iter().enumerate().any(stands_for);
        let lacks_tasks = summary.teacher().is_some_and(|teacher| teacher.tasks.is_empty());
        let is_shown = |model: &&ModelSummary| {
            let has_tasks_alone = lacks_tasks && model.role == ModelRole::Teacher && !model.tasks.is_empty();
            model.precision != "int8" || has_tasks_alone
        };
        for model in summary.models.iter().filter(is_shown) {
            let seed = Seed { model, teacher: summary.teacher() };
            if model.role == ModelRole::Student {
                students.entry(name).or_default().push(seed);
                continue;
            }
            if is_another_seed || shared.iter().any(|row| is_same_model(row.seeds[0].model, model)) {
                continue;
            }
            let is_taken = shared.iter().any(|row| row.name == model.name);
            let name = if is_taken { format!("{}, {}", summary.name, model.name) } else { model.name.clone() };
            shared.push(ComparedModel { name, seeds: vec![seed] });
        }
    }
    shared.extend(students.into_iter().map(|(name, seeds)| ComparedModel { name: name.to_owned(), seeds }));
    shared
}

/// Whether two runs measured the same model.
fn is_same_model(a: &ModelSummary, b: &ModelSummary) -> bool {
    // Without scores, only the name and the agreement with the teacher can tell two models apart.
    let same_measured = !a.scores.is_empty() || (&a.name, &a.fidelity) == (&b.name, &b.fidelity);
    a.bytes == b.bytes && a.scores == b.scores && same_measured
}

/// A run's name without `-seedN`, and whether it ends in that.
fn seedless(name: &str) -> (&str, bool) {
    match name.rsplit_once("-seed") {
        Some((before, seed)) if !seed.is_empty() && seed.bytes().all(|byte| byte.is_ascii_digit()) => (before, true),
        _ => (name, false),
    }
}

/// The table of `summaries` in Markdown: Spearman × 100 of each set, their average, its share of the teacher's, search
/// (nDCG@10 × 100, also fused with BM25, which has the last row), accuracy of classes and V-measure of clusters × 100,
/// word order, alignment, uniformity, parameters and speed. Of several seeds: the mean `±` the standard deviation.
///
/// Teachers and baselines stand once, with the figures of the first run that measured them; then come the students
/// under their runs' names. Runs whose names differ in `-seedN` alone are one row. int8 exports are left out, but for a
/// teacher's that alone was measured on tasks.
pub fn markdown(summaries: &[Summary]) -> String {
    let rows = rows(summaries);
    let mut table = TableCells { head: vec!["model".into()], rows: rows.iter().map(|row| vec![row.label()]).collect() };
    let mut column = |head: &str, cell: &dyn Fn(&ComparedModel<'_>) -> Option<String>| {
        table.add_column(head, &rows, "", cell);
    };
    let models = || rows.iter().flat_map(|row| &row.seeds).map(|seed| seed.model);
    for set in sts_sets(models()) {
        column(set, &|row| row.figure(2, |model| model.scores.get(set).map(|score| score.spearman)));
    }
    column("average", &|row| row.figure(2, |model| model.average));
    column("of teacher", &|row| row.over_teacher(|model| model.average).map(percent));
    let measured: Vec<&ModelSummary> = models().collect();
    let tasks = task_columns(measured.iter().copied(), usize::MAX);
    for task in &tasks {
        column(&task.head, &|row| row.figure(2, |model| task.of(model)));
    }
    column("word order", &|row| row.figure(2, |model| model.extra_number(extra::WORD_ORDER)));
    column("alignment", &|row| row.figure(3, |model| model.alignment));
    column("uniformity", &|row| row.figure(2, |model| model.uniformity));
    column("parameters", &|row| row.seeds.first().map(|seed| count(seed.model.parameters)));
    column("sentences/s", &|row| row.mean(|seed| seed.model.sentences_per_second).map(speed));
    column("x teacher", &|row| row.over_teacher(|model| model.sentences_per_second).map(times));
    add_words_row(&mut table, &tasks, measured.iter().copied(), "");

    let rule = format!("|{}", "---|".repeat(table.head.len()));
    let line = |cells: &Vec<String>| format!("| {} |", cells.join(" | "));
    let lines = [line(&table.head), rule].into_iter().chain(table.rows.iter().map(line));
    lines.map(|line| line + "\n").collect()
}

impl ComparedModel<'_> {
    fn label(&self) -> String {
        match self.seeds.len() {
            1 => self.name.clone(),
            seeds => format!("{} ({seeds} seeds)", self.name),
        }
    }

    /// The mean of a figure over the seeds, if every seed has it.
    fn mean(&self, of: impl Fn(&Seed<'_>) -> Option<f64>) -> Option<f64> {
        let figures = self.seeds.iter().map(of).collect::<Option<Vec<f64>>>()?;
        Some(figures.iter().sum::<f64>() / figures.len() as f64)
    }

    /// The mean of a figure, of several seeds with the standard deviation.
    fn figure(&self, digits: usize, of: impl Fn(&ModelSummary) -> Option<f64>) -> Option<String> {
        let mean = self.mean(|seed| of(seed.model))?;
        if self.seeds.len() == 1 {
            return Some(format!("{mean:.digits$}"));
        }
        let square: f64 = self.seeds.iter().filter_map(|seed| of(seed.model)).map(|one| (one - mean).powi(2)).sum();
        let deviation = (square / (self.seeds.len() - 1) as f64).sqrt();
        Some(format!("{mean:.digits$} ± {deviation:.digits$}"))
    }

    /// The mean of a figure's ratio to the teacher's in the same run.
    fn over_teacher(&self, of: impl Fn(&ModelSummary) -> Option<f64>) -> Option<f64> {
        self.mean(|seed| Some(of(seed.model)? / of(seed.teacher?)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{model, searched};
    use super::*;
    use crate::measure::sts::StsScore;

    fn summary(name: &str, student: f64) -> Summary {
        let scored = |name: &str, role, spearman: f64| {
            let mut model = model(name, role);
            model.scores.insert("STSB.test".into(), StsScore { spearman, pearson: spearman, pairs: 10 });
            model.average = Some(spearman);
            model.sentences_per_second = Some(10.0 * spearman);
            model
        };
        let mut int8 = scored("student int8", ModelRole::Student, 1.0);
        int8.precision = "int8".into();
        let models =
            vec![scored("teacher", ModelRole::Teacher, 80.0), scored("student", ModelRole::Student, student), int8];
        Summary { name: name.into(), models, ..Summary::default() }
    }

    #[test]
    fn the_teacher_stands_once_and_each_run_is_a_row() {
        insta::assert_snapshot!(markdown(&[summary("one", 60.0), summary("two", 70.0)]), @r"
        | model | STSB.test | average | of teacher | parameters | sentences/s | x teacher |
        |---|---|---|---|---|---|---|
        | teacher | 80.00 | 80.00 | 100.0 % | 22.7 M | 800 | 1.0 |
        | one | 60.00 | 60.00 | 75.0 % | 22.7 M | 600 | 0.8 |
        | two | 70.00 | 70.00 | 87.5 % | 22.7 M | 700 | 0.9 |
        ");
    }

    #[test]
    fn search_has_columns_and_bm25_the_last_row() {
        let mut run = summary("one", 60.0);
        run.models[0] = searched(run.models[0].clone(), &[("a", 65.0), ("b", 43.0)]);
        run.models[1] = searched(run.models[1].clone(), &[("a", 64.0), ("b", 40.0)]);
        insta::assert_snapshot!(markdown(&[run]), @r"
        | model | STSB.test | average | of teacher | a | b | search | with BM25 | parameters | sentences/s | x teacher |
        |---|---|---|---|---|---|---|---|---|---|---|
        | teacher | 80.00 | 80.00 | 100.0 % | 65.00 | 43.00 | 54.00 | 64.00 | 22.7 M | 800 | 1.0 |
        | one | 60.00 | 60.00 | 75.0 % | 64.00 | 40.00 | 52.00 | 62.00 | 22.7 M | 600 | 0.8 |
        | BM25 |  |  |  | 45.00 | 45.00 | 45.00 |  |  |  |  |
        ");
    }

    #[test]
    fn an_int8_teacher_that_alone_has_searched_has_a_row() {
        let mut run = summary("one", 60.0);
        let mut int8 = searched(model("teacher int8", ModelRole::Teacher), &[("a", 65.0)]);
        int8.precision = "int8".into();
        run.models.push(int8);
        assert_eq!(names(&[run]), ["teacher", "teacher int8", "one"]);
    }

    #[test]
    fn seeds_are_one_row_with_their_standard_deviation() {
        let runs = [summary("one", 60.0), summary("one-seed2", 62.0), summary("one-seed3", 64.0)];
        insta::assert_snapshot!(markdown(&runs), @r"
        | model | STSB.test | average | of teacher | parameters | sentences/s | x teacher |
        |---|---|---|---|---|---|---|
        | teacher | 80.00 | 80.00 | 100.0 % | 22.7 M | 800 | 1.0 |
        | one (3 seeds) | 62.00 ± 2.00 | 62.00 ± 2.00 | 77.5 % | 22.7 M | 620 | 0.8 |
        ");
    }

    /// A run of a seed, with two controls that have no scores.
    fn seed_with_controls() -> Summary {
        let mut run = summary("one-seed2", 60.0);
        let untrained = model("static, untrained", ModelRole::Baseline);
        let trained = ModelSummary { name: "static, trained".into(), ..untrained.clone() };
        run.models.extend([untrained, trained]);
        run
    }

    fn names(summaries: &[Summary]) -> Vec<String> {
        rows(summaries).into_iter().map(|row| row.name).collect()
    }

    #[test]
    fn controls_without_scores_are_told_apart_by_their_names() {
        assert_eq!(names(&[seed_with_controls()]), ["teacher", "static, untrained", "static, trained", "one"]);
    }

    #[test]
    fn the_controls_of_one_seed_stand_for_all_seeds() {
        let another = Summary { name: "one-seed3".into(), ..seed_with_controls() };
        let all = names(&[seed_with_controls(), another]);
        assert_eq!(all, ["teacher", "static, untrained", "static, trained", "one"]);
    }

    #[test]
    fn a_run_of_seeds_alone_has_its_teacher() {
        let mut other = summary("other-seed2", 50.0);
        other.models[0].scores["STSB.test"].spearman = 70.0;
        let all = names(&[summary("one", 60.0), other, summary("plain", 55.0)]);
        assert_eq!(all, ["teacher", "other-seed2, teacher", "one", "other", "plain"]);
    }

    #[test]
    fn another_teacher_is_named_after_its_run() {
        let mut other = summary("trained", 60.0);
        other.models[0].scores["STSB.test"].spearman = 81.0;
        insta::assert_snapshot!(markdown(&[summary("one", 60.0), other]), @r"
        | model | STSB.test | average | of teacher | parameters | sentences/s | x teacher |
        |---|---|---|---|---|---|---|
        | teacher | 80.00 | 80.00 | 100.0 % | 22.7 M | 800 | 1.0 |
        | trained, teacher | 81.00 | 80.00 | 100.0 % | 22.7 M | 800 | 1.0 |
        | one | 60.00 | 60.00 | 75.0 % | 22.7 M | 600 | 0.8 |
        | trained | 60.00 | 60.00 | 75.0 % | 22.7 M | 600 | 0.8 |
        ");
    }
}
