//! Columns of tasks in tables: a column a set, or the mean of many; and the row of BM25, which is no model.

use indexmap::IndexSet;

use super::{ModelSummary, TableCells};
use crate::measure::retrieval::RetrievalScore;

/// A column of a table that shows a task.
pub(crate) struct TaskColumn {
    /// The head.
    pub(crate) head: String,
    figure: TaskFigure,
    /// The sets whose mean it shows.
    sets: Vec<String>,
}

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TaskFigure {
    /// nDCG@10 of search.
    Search,
    /// nDCG@10 of search fused with BM25.
    Fused,
}

impl TaskColumn {
    fn new(head: impl Into<String>, figure: TaskFigure, sets: &[&str]) -> Self {
        Self { head: head.into(), figure, sets: sets.iter().map(|&set| set.to_owned()).collect() }
    }

    /// The figure of a model, if it was measured on all sets.
    pub(crate) fn of(&self, model: &ModelSummary) -> Option<f64> {
        self.mean(model, |score| match self.figure {
            TaskFigure::Search => score.ndcg_at_10,
            TaskFigure::Fused => score.fused_ndcg_at_10,
        })
    }

    /// BM25's figure, in a column that it has one in, as it stands beside any of `models`.
    fn by_words<'a>(&self, models: impl IntoIterator<Item = &'a ModelSummary>) -> Option<f64> {
        let of = |model| self.mean(model, |score| score.bm25_ndcg_at_10);
        models.into_iter().find_map(of).filter(|_| self.figure == TaskFigure::Search)
    }

    fn mean(&self, model: &ModelSummary, figure: impl Fn(&RetrievalScore) -> f64) -> Option<f64> {
        let figures = self.sets.iter().map(|set| model.tasks.retrieval.get(set).map(&figure));
        let figures: Vec<f64> = figures.collect::<Option<_>>()?;
        Some(figures.iter().sum::<f64>() / figures.len() as f64)
    }
}

/// The collections that any of `models` has searched, in the order in which they first occur.
pub(crate) fn searched_sets<'a>(models: impl IntoIterator<Item = &'a ModelSummary>) -> Vec<&'a str> {
    let sets = models.into_iter().flat_map(|model| model.tasks.retrieval.keys()).map(String::as_str);
    sets.collect::<IndexSet<_>>().into_iter().collect()
}

/// The columns of the tasks that any of `models` was measured on. Of more than `most` sets only the mean is shown.
pub(crate) fn task_columns<'a>(models: impl IntoIterator<Item = &'a ModelSummary>, most: usize) -> Vec<TaskColumn> {
    let sets = searched_sets(models);
    let shown = if sets.len() <= most { &sets[..] } else { &[] };
    let mut columns: Vec<_> = shown.iter().map(|set| TaskColumn::new(*set, TaskFigure::Search, &[set])).collect();
    let head = if shown.is_empty() { format!("search ({} sets)", sets.len()) } else { "search".to_owned() };
    if sets.len() > 1 {
        columns.push(TaskColumn::new(head, TaskFigure::Search, &sets));
    }
    if !sets.is_empty() {
        columns.push(TaskColumn::new("with BM25", TaskFigure::Fused, &sets));
    }
    columns
}

/// Adds the row of BM25 below a table with `columns` among its own, `none` in all others; no row where nothing was
/// searched.
pub(super) fn add_words_row<'a, I>(table: &mut TableCells, columns: &[TaskColumn], models: I, none: &str)
where
    I: IntoIterator<Item = &'a ModelSummary> + Clone,
{
    let figure = |head: &String| {
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
    fn a_mean_needs_a_figure_of_every_set() {
        let both = searched(model("both", ModelRole::Student), &[("a", 40.0), ("b", 60.0)]);
        let one = searched(model("one", ModelRole::Baseline), &[("a", 40.0)]);
        let mean = &task_columns([&both, &one], 5)[2];
        assert_eq!((mean.of(&both), mean.of(&one)), (Some(50.0), None));
    }
}
