//! A summary as a table for the terminal.

use comfy_table::{CellAlignment, LineStyle, Table, presets};

use super::format::{count, percent, size, speed, times};
use super::tasks::{LABEL_FREE, add_words_row, task_columns};
use super::{ModelSummary, Summary, TableCells, extra, sts_sets};

/// Of more sets of STS or of another task than this, only the average is shown.
const MOST_SETS: usize = 5;

/// A row a model, a column a figure. A figure that no model has gets no column; shares and accuracies are in percent.
/// Search has nDCG@10 × 100, and BM25 a row below the models; classes have accuracy and clusters the V-measure × 100.
pub fn table(summary: &Summary) -> String {
    let TableCells { head, rows } = table_cells(summary);
    let mut table = Table::new();
    table.load_style(presets::NOTHING.header_separator(LineStyle::none().fill('─').junction('─'))).set_header(head);
    table.add_rows(rows);
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if place == 0 { 0 } else { 1 }, 1));
        if place > 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// The cells of [`table`].
pub fn table_cells(summary: &Summary) -> TableCells {
    let mut table = TableCells { head: Vec::new(), rows: vec![Vec::new(); summary.models.len()] };
    let mut column = |head: &str, cell: &dyn Fn(&ModelSummary) -> Option<String>| {
        table.add_column(head, &summary.models, "-", cell);
    };
    column("model", &|model| Some(model.name.clone()));
    column("role", &|model| Some(model.role.name().to_owned()));
    column("parameters", &|model| (model.parameters > 0).then(|| count(model.parameters)));
    column("size", &|model| (model.bytes > 0).then(|| size(model.bytes)));
    column("sentences/s", &|model| model.sentences_per_second.map(speed));
    column("x teacher", &|model| summary.times_teacher(model.sentences_per_second?).map(times));
    let sets = sts_sets(&summary.models);
    let mut average = format!("STS ({} sets)", sets.len());
    if sets.len() <= MOST_SETS {
        for set in &sets {
            column(set, &|model| model.scores.get(*set).map(|score| format!("{:.2}", score.spearman)));
        }
        average = "average".to_owned();
    }
    if sets.len() > 1 {
        column(&average, &|model| model.average.map(|average| format!("{average:.2}")));
    }
    let tasks = task_columns(&summary.models, MOST_SETS);
    for task in &tasks {
        column(&task.head, &|model| task.of(model).map(|figure| format!("{figure:.2}")));
    }
    column(LABEL_FREE, &|model| model.found_at_10().map(|found| format!("{found:.1} %")));
    column("cosine", &|model| model.fidelity?.cosine.map(|cosine| format!("{cosine:.3}")));
    column("spearman", &|model| Some(format!("{:.3}", model.fidelity?.spearman)));
    column("nn@10", &|model| Some(percent(model.fidelity?.neighbours_at_10)));
    column("one space", &|model| Some(percent(model.extra_number(extra::SHARED_SPACE)?)));
    column("word order", &|model| Some(format!("{:.2}", model.extra_number(extra::WORD_ORDER)?)));
    column("topics", &|model| Some(percent(model.extra_number(extra::TOPIC_ACCURACY)?)));
    add_words_row(&mut table, &tasks, &summary.models, "-");
    table
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{model, searched};
    use super::*;
    use crate::measure::fidelity::FidelitySummary;
    use crate::measure::sts::StsScore;
    use crate::summary::ModelRole;

    fn score(spearman: f64) -> StsScore {
        StsScore { spearman, pearson: spearman, pairs: 10 }
    }

    fn summary(sets: usize) -> Summary {
        let mut teacher = model("all-MiniLM", ModelRole::Teacher);
        teacher.sentences_per_second = Some(212.4);
        teacher.average = Some(78.87);
        let mut student = model("student m", ModelRole::Student);
        student.sentences_per_second = Some(123_456.0);
        student.fidelity = Some(FidelitySummary { cosine: Some(0.8617), spearman: 0.9, neighbours_at_10: 0.4567 });
        student.extra.insert(extra::WORD_ORDER.into(), 0.304.into());
        student.average = Some(75.4);
        (0..sets).for_each(|set| {
            teacher.scores.insert(format!("STS{set}"), score(80.0 + set as f64));
            student.scores.insert(format!("STS{set}"), score(70.0 + set as f64));
        });
        Summary { models: vec![teacher, student], ..Summary::default() }
    }

    #[test]
    fn models_stand_side_by_side() {
        insta::assert_snapshot!(table(&summary(2)));
    }

    #[test]
    fn many_sets_are_shown_by_their_average_alone() {
        insta::assert_snapshot!(table(&summary(7)));
    }

    #[test]
    fn one_set_needs_no_average() {
        insta::assert_snapshot!(table(&summary(1)));
    }

    #[test]
    fn a_figure_that_no_model_has_gets_no_column() {
        let mut summary = summary(0);
        summary.models.iter_mut().for_each(|model| model.sentences_per_second = None);
        summary.models[1].extra.insert(extra::TOPIC_ACCURACY.into(), 0.976.into());
        insta::assert_snapshot!(table(&summary));
    }

    #[test]
    fn search_without_labels_has_a_column_and_bm25_a_row() {
        let mut summary = summary(0);
        let label_free = serde_json::json!({"found_at_10": 71.25, "bm25_found_at_10": 40.0});
        summary.models[1].extra.insert(extra::LABEL_FREE.into(), label_free);
        let cells = table_cells(&summary);
        let at = cells.head.iter().position(|head| head == LABEL_FREE).unwrap();
        let column: Vec<&str> = cells.rows.iter().map(|row| row[at].as_str()).collect();
        assert_eq!(column, ["-", "71.2 %", "40.0 %"]);
    }

    #[test]
    fn search_stands_beside_bm25() {
        let mut summary = summary(1);
        let sets: [&[(&str, f64)]; 2] = [&[("scifact", 65.0), ("npl", 43.0)], &[("scifact", 64.0), ("npl", 40.0)]];
        for (model, sets) in summary.models.iter_mut().zip(sets) {
            *model = searched(model.clone(), sets);
        }
        let TableCells { head, rows } = table_cells(&summary);
        let place = head.iter().position(|name| name == "scifact").unwrap();
        assert_eq!(head[place..place + 4], ["scifact", "npl", "search", "with BM25"]);
        let shown: Vec<String> = rows.iter().map(|row| row[place..place + 4].join(" ")).collect();
        assert_eq!(shown, ["65.00 43.00 54.00 64.00", "64.00 40.00 52.00 62.00", "45.00 45.00 45.00 -"]);
        assert_eq!((rows[2][0].as_str(), rows[2].len()), ("BM25", head.len()));
    }

    #[test]
    fn a_summary_without_models_has_a_table() {
        insta::assert_snapshot!(table(&Summary::default()), @"");
    }
}
