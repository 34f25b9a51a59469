//! Columns of tasks in tables: a column a set, or the mean of many; and the row of BM25, which is no model.

use indexmap::IndexSet;

use super::{ModelSummary, TableCells};
use crate::measure::tasks::TaskScores;

/// The head of the share of the teacher's ten first documents that a model finds among its ten.
pub(super) const LABEL_FREE: &str = "teacher's ten";

/// A figure of a task's set, × 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskFigure {
    /// nDCG@10 of search.
    Search,
    /// nDCG@10 of search fused with BM25.
    Fused,
    /// nDCG@10 of BM25 alone.
    Words,
    /// Accuracy of classes.
    Classes,
    /// V-measure of clusters.
    Clusters,
}

impl TaskFigure {
    /// The figure of `set`, if it was measured.
    pub(crate) fn of(self, scores: &TaskScores, set: &str) -> Option<f64> {
        match self {
            Self::Search => scores.retrieval.get(set).map(|score| score.ndcg_at_10),
            Self::Fused => scores.retrieval.get(set).map(|score| score.fused_ndcg_at_10),
            Self::Words => scores.retrieval.get(set).map(|score| score.bm25_ndcg_at_10),
            Self::Classes => scores.classification.get(set).map(|score| score.accuracy),
            Self::Clusters => scores.clustering.get(set).map(|score| score.v_measure),
        }
    }

    /// The sets that any of `models` was measured on, in the order in which they first occur.
    pub(crate) fn sets<'a>(self, models: impl IntoIterator<Item = &'a ModelSummary>) -> Vec<&'a str> {
        let mut sets = IndexSet::new();
        for ModelSummary { tasks, .. } in models {
            match self {
                Self::Search | Self::Fused | Self::Words => sets.extend(tasks.retrieval.keys()),
                Self::Classes => sets.extend(tasks.classification.keys()),
                Self::Clusters => sets.extend(tasks.clustering.keys()),
            }
        }
        sets.into_iter().map(String::as_str).collect()
    }
}

/// A column of a table that shows a task.
pub(crate) struct TaskColumn {
    /// The head.
    pub(crate) head: String,
    figure: TaskFigure,
    /// The sets whose mean it shows.
    sets: Vec<String>,
}

impl TaskColumn {
    fn new(head: impl Into<String>, figure: TaskFigure, sets: &[&str]) -> Self {
        Self { head: head.into(), figure, sets: sets.iter().map(|&set| set.to_owned()).collect() }
    }

    /// The figure of a model, if it was measured on all sets.
    pub(crate) fn of(&self, model: &ModelSummary) -> Option<f64> {
        self.mean(self.figure, model)
    }

    /// BM25's figure, as it stands beside any of `models`; a column of search has one.
    fn by_words<'a>(&self, models: impl IntoIterator<Item = &'a ModelSummary>) -> Option<f64> {
        let is_search = self.figure == TaskFigure::Search;
        models.into_iter().filter(|_| is_search).find_map(|model| self.mean(TaskFigure::Words, model))
    }

    fn mean(&self, figure: TaskFigure, model: &ModelSummary) -> Option<f64> {
        let figures = self.sets.iter().map(|set| figure.of(&model.tasks, set));
        let figures: Vec<f64> = figures.collect::<Option<_>>()?;
        Some(figures.iter().sum::<f64>() / figures.len() as f64)
    }
}

/// The columns of the tasks that any of `models` was measured on. Of more than `most` sets of a task only the mean is
/// shown.
pub(crate) fn task_columns<'a>(
    models: impl IntoIterator<Item = &'a ModelSummary> + Clone,
    most: usize,
) -> Vec<TaskColumn> {
    let mut columns = Vec::new();
    // A set of classes may be a set of clusters too.
    let tasks = [
        (TaskFigure::Search, "search", ""),
        (TaskFigure::Classes, "accuracy", ""),
        (TaskFigure::Clusters, "V-measure", " clusters"),
    ];
    for (figure, mean, suffix) in tasks {
        let sets = figure.sets(models.clone());
        let shown = if sets.len() <= most { &sets[..] } else { &[] };
        columns.extend(shown.iter().map(|set| TaskColumn::new(format!("{set}{suffix}"), figure, &[set])));
        if sets.len() > 1 {
            let head = if shown.is_empty() { format!("{mean} ({} sets)", sets.len()) } else { mean.to_owned() };
            columns.push(TaskColumn::new(head, figure, &sets));
        }
        if figure == TaskFigure::Search && !sets.is_empty() {
            columns.push(TaskColumn::new("with BM25", TaskFigure::Fused, &sets));
        }
    }
    columns
}

/// Adds the row of BM25 below a table with `columns` among its own, `none` in all others; no row where nothing was
/// searched.
pub(super) fn add_words_row<'a, I>(table: &mut TableCells, columns: &[TaskColumn], models: I, none: &str)
where
    I: IntoIterator<Item = &'a ModelSummary> + Clone,
{
    let label_free = models.clone().into_iter().find_map(ModelSummary::words_found_at_10);
    let figure = |head: &String| {
        if head == LABEL_FREE {
            return label_free.map(|found| format!("{found:.1} %"));
        }
        let column = columns.iter().find(|column| column.head == *head)?;
        Some(format!("{:.2}", column.by_words(models.clone())?))
    };
    let figures: Vec<Option<String>> = table.head.iter().map(figure).collect();
    if figures.iter().any(Option::is_some) {
        let cells = figures.into_iter().map(|figure| figure.unwrap_or_else(|| none.to_owned()));
        table.rows.push(["BM25".to_owned()].into_iter().chain(cells.skip(1)).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{model, searched};
    use super::*;
    use crate::measure::classification::ClassificationScore;
    use crate::measure::clustering::ClusteringScore;
    use crate::summary::ModelRole;

    fn heads(sets: usize) -> Vec<String> {
        let names: Vec<String> = (0..sets).map(|set| format!("set{set}")).collect();
        let names: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 50.0)).collect();
        let student = searched(model("student", ModelRole::Student), &names);
        task_columns([&student], 2).into_iter().map(|column| column.head).collect()
    }

    #[test]
    fn a_set_has_a_column_and_many_have_their_mean() {
        assert!(heads(0).is_empty());
        assert_eq!(heads(1), ["set0", "with BM25"]);
        assert_eq!(heads(2), ["set0", "set1", "search", "with BM25"]);
        assert_eq!(heads(3), ["search (3 sets)", "with BM25"]);
    }

    #[test]
    fn a_set_may_hold_classes_and_clusters() {
        let mut student = model("student", ModelRole::Student);
        let classes = ClassificationScore { accuracy: 90.0, macro_f1: 89.0, training: 10, test: 10 };
        student.tasks.classification.insert("news".into(), classes);
        let clusters = ClusteringScore { v_measure: 60.0, clusters: 4, texts: 10 };
        student.tasks.clustering.insert("news".into(), clusters);
        let columns = task_columns([&student], 5);
        let found: Vec<_> = columns.iter().map(|column| (column.head.as_str(), column.of(&student))).collect();
        assert_eq!(found, [("news", Some(90.0)), ("news clusters", Some(60.0))]);
    }

    #[test]
    fn a_mean_needs_a_figure_of_every_set() {
        let both = searched(model("both", ModelRole::Student), &[("a", 40.0), ("b", 60.0)]);
        let one = searched(model("one", ModelRole::Baseline), &[("a", 40.0)]);
        let mean = &task_columns([&both, &one], 5)[2];
        assert_eq!((mean.of(&both), mean.of(&one)), (Some(50.0), None));
    }
}
