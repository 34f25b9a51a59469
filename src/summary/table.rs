//! A summary as a table for the terminal.

use comfy_table::{CellAlignment, LineStyle, Table, presets};

use super::{ModelSummary, Role, Summary, extra};

/// With more sets than this only their average is shown.
const SETS: usize = 5;

/// A row a model, a column a figure; a figure that no model has gets no column. Shares and accuracies in percent.
pub fn table(summary: &Summary) -> String {
    let (head, rows) = table_cells(summary);
    let mut table = Table::new();
    table.load_style(presets::NOTHING.header_separator(LineStyle::none().fill('─').junction('─'))).set_header(head);
    for row in rows {
        table.add_row(row);
    }
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if place == 0 { 0 } else { 1 }, 1));
        if place > 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// The heads and the rows of [`table`].
pub fn table_cells(summary: &Summary) -> (Vec<String>, Vec<Vec<String>>) {
    let columns: Vec<Column> = columns(summary)
        .into_iter()
        .filter(|column| summary.models.iter().any(|model| (column.cell)(model).is_some()))
        .collect();
    let cells = |model| columns.iter().map(|column| (column.cell)(model).unwrap_or_else(|| "-".into())).collect();
    (columns.iter().map(|column| column.head.clone()).collect(), summary.models.iter().map(cells).collect())
}

/// A model's figure as it is shown; `None` where it has none.
type Cell<'a> = dyn Fn(&ModelSummary) -> Option<String> + 'a;

struct Column<'a> {
    head: String,
    cell: Box<Cell<'a>>,
}

fn column<'a>(head: &str, cell: impl Fn(&ModelSummary) -> Option<String> + 'a) -> Column<'a> {
    Column { head: head.to_owned(), cell: Box::new(cell) }
}

fn columns(summary: &Summary) -> Vec<Column<'_>> {
    let mut columns = vec![
        column("model", |model| Some(model.name.clone())),
        column("role", |model| Some(model.role.name().to_owned())),
        column("parameters", |model| (model.parameters > 0).then(|| count(model.parameters))),
        column("size", |model| (model.bytes > 0).then(|| size(model.bytes))),
        column("sentences/s", |model| model.sentences_per_second.map(speed)),
    ];
    let teacher = summary.models.iter().find(|model| model.role == Role::Teacher);
    if let Some(teacher) = teacher.and_then(|teacher| teacher.sentences_per_second).filter(|&speed| speed > 0.0) {
        columns.push(column("x teacher", move |model| model.sentences_per_second.map(|own| times(own / teacher))));
    }

    let mut sets: Vec<&str> = Vec::new();
    for set in summary.models.iter().flat_map(|model| model.scores.keys()) {
        if !sets.contains(&set.as_str()) {
            sets.push(set);
        }
    }
    if sets.len() <= SETS {
        for set in &sets {
            let set = *set;
            columns.push(column(set, move |model| model.scores.get(set).map(|score| format!("{:.2}", score.spearman))));
        }
    }
    if sets.len() > 1 {
        let head = if sets.len() <= SETS { "average".to_owned() } else { format!("STS ({} sets)", sets.len()) };
        columns.push(column(&head, |model| model.average.map(|average| format!("{average:.2}"))));
    }

    columns.extend([
        column("cosine", |model| model.fidelity?.cosine.map(|cosine| format!("{cosine:.3}"))),
        column("spearman", |model| Some(format!("{:.3}", model.fidelity?.spearman))),
        column("nn@10", |model| Some(percent(model.fidelity?.neighbours_at_10))),
        column("one space", |model| Some(percent(model.extra.get(extra::ONE_SPACE)?.as_f64()?))),
        column("word order", |model| Some(format!("{:.2}", model.extra.get(extra::WORD_ORDER)?.as_f64()?))),
        column("topics", |model| Some(percent(model.extra.get(extra::TOPIC_ACCURACY)?.as_f64()?))),
    ]);
    columns
}

pub(crate) fn count(number: u64) -> String {
    scaled(number as f64, &["", " k", " M", " G"])
}

pub(crate) fn size(bytes: u64) -> String {
    scaled(bytes as f64, &[" B", " kB", " MB", " GB"])
}

/// Three digits and a unit, each a thousand times the one before.
fn scaled(mut number: f64, units: &[&str]) -> String {
    let mut place = 0;
    // 999.95 would be shown as 1000.0.
    while number >= 999.95 && place + 1 < units.len() {
        number /= 1e3;
        place += 1;
    }
    let digits = usize::from(place > 0);
    format!("{number:.digits$}{}", units.get(place).unwrap_or(&""))
}

pub(crate) fn speed(per_second: f64) -> String {
    if per_second < 100.0 { format!("{per_second:.1}") } else { thousands(per_second) }
}

pub(crate) fn times(factor: f64) -> String {
    if factor < 10.0 { format!("{factor:.1}") } else { thousands(factor) }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A whole number with a comma after each three digits.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::model;
    use super::*;
    use crate::evaluate::sts::Score;
    use crate::summary::Fidelity;

    fn score(spearman: f64) -> Score {
        Score { spearman, pearson: spearman, pairs: 10 }
    }

    fn summary(sets: usize) -> Summary {
        let mut teacher = model("all-MiniLM", Role::Teacher);
        teacher.sentences_per_second = Some(212.4);
        teacher.average = Some(78.87);
        let mut student = model("student m", Role::Student);
        student.sentences_per_second = Some(123_456.0);
        student.fidelity = Some(Fidelity { cosine: Some(0.8617), spearman: 0.9, neighbours_at_10: 0.4567 });
        student.extra.insert(extra::WORD_ORDER.into(), 0.304.into());
        student.average = Some(75.4);
        (0..sets).for_each(|set| {
            teacher.scores.insert(format!("STS{set}"), score(80.0 + set as f64));
            student.scores.insert(format!("STS{set}"), score(70.0 + set as f64));
        });
        Summary { models: vec![teacher, student], ..Summary::default() }
    }

    fn cells(summary: &Summary, row: usize) -> Vec<String> {
        let table = table(summary);
        let lines: Vec<&str> = table.lines().filter(|line| !line.contains('─') && !line.contains('═')).collect();
        lines[row].split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn models_stand_side_by_side() {
        let summary = summary(2);
        assert_eq!(
            cells(&summary, 0),
            [
                "model",
                "role",
                "parameters",
                "size",
                "sentences/s",
                "x teacher",
                "STS0",
                "STS1",
                "average",
                "cosine",
                "spearman",
                "nn@10",
                "word order"
            ]
        );
        assert_eq!(
            cells(&summary, 1),
            ["all-MiniLM", "teacher", "22.7 M", "90.9 MB", "212", "1.0", "80.00", "81.00", "78.87", "-", "-", "-", "-"]
        );
        assert_eq!(
            cells(&summary, 2),
            [
                "student m",
                "student",
                "22.7 M",
                "90.9 MB",
                "123,456",
                "581",
                "70.00",
                "71.00",
                "75.40",
                "0.862",
                "0.900",
                "45.7 %",
                "0.30"
            ]
        );
    }

    #[test]
    fn many_sets_are_shown_by_their_average_and_one_alone_without() {
        let head = |sets| cells(&summary(sets), 0);
        assert!(head(7).contains(&"STS (7 sets)".to_owned()) && !head(7).contains(&"STS0".to_owned()));
        assert!(head(1).contains(&"STS0".to_owned()) && !head(1).contains(&"average".to_owned()));
        assert!(!head(0).iter().any(|head| head.contains("STS")));
    }

    #[test]
    fn a_figure_that_no_model_has_gets_no_column() {
        let mut summary = summary(0);
        summary.models.iter_mut().for_each(|model| model.sentences_per_second = None);
        let head = cells(&summary, 0);
        assert!(!head.iter().any(|head| head.contains("teacher") || head.contains("sentences") || head == "topics"));
        summary.models[1].extra.insert(extra::TOPIC_ACCURACY.into(), 0.976.into());
        assert_eq!(cells(&summary, 2).last().unwrap(), "97.6 %");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [count(950), count(999_949), count(999_950), count(22_713_216)],
            ["950", "999.9 k", "1.0 M", "22.7 M"]
        );
        assert_eq!([size(12), size(1_500), size(5_000_000_000)], ["12 B", "1.5 kB", "5.0 GB"]);
        assert_eq!([speed(7.25), speed(212.4), speed(1_234_567.0)], ["7.2", "212", "1,234,567"]);
        assert_eq!([times(0.95), times(581.4)], ["0.9", "581"]);
    }

    #[test]
    fn no_model_gives_a_table_all_the_same() {
        table(&Summary::default());
    }
}
