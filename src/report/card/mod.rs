//! The student's model card: the README.md of its folder, with the front matter that the Hugging Face hub reads.
//!
//! The text is the template `card.md.j2`. The card claims nothing that neither the recipe nor the measurements say: a
//! licence that is not given is said to be unknown.

use limbeck_data::assets::Uri;
use limbeck_student::export::REMOTE_CODE;
use minijinja::Environment;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use serde_json::{Value, json};

use crate::recipe::{Method, Recipe, resolved};
use crate::summary::format::{count, size, speed, times};
use crate::summary::{ModelRole, ModelSummary, Summary, TableCells, TaskFigure, extra, table_cells};

const TEMPLATE: &str = include_str!("card.md.j2");

/// A student scored on more sets than this gets a table of all of them.
const MOST_SETS_IN_MAIN_TABLE: usize = 5;

/// The card of the student that `recipe` made and `summary` measured.
pub fn card(summary: &Summary, recipe: &Recipe) -> String {
    let (student, attention) = (summary.student(), &recipe.student.attention);
    let two_decimals = |figure: f64| format!("{figure:.2}");
    let sets: Vec<(&String, String)> = student
        .into_iter()
        .flat_map(|student| &student.scores)
        .map(|(set, score)| (set, two_decimals(score.spearman)))
        .collect();
    // A control whose tokens span several words gets other tokens from another order, and so is not blind to order.
    let controls = summary.models.iter().filter(|model| model.role == ModelRole::Baseline);
    let control = controls.filter_map(|model| model.extra_number(extra::WORD_ORDER)).next_back();
    let heads = (attention.heads > 0).then_some(attention.width);
    let mut datasets: Vec<String> = recipe.text.source.iter().filter_map(|source| on_hub(&source.uri)).collect();
    datasets.dedup();
    let methods: Vec<&str> = recipe.student.methods.iter().map(|&method| name_of(method)).collect();
    let teacher = match (&recipe.teacher, &recipe.cache.path) {
        (Some(teacher), _) => format!("`{}`", teacher.name()),
        (None, Some(cache)) => format!("the vectors in `{cache}`"),
        (None, None) => "its teacher".into(),
    };
    // A cache made elsewhere does not tell the lengths of its texts.
    let lengths = recipe.teacher.as_ref().map(|_| format!("{} to {}", recipe.text.min_chars, recipe.text.max_chars));
    render(&json!({
        // The name of the run that was measured, and that of the recipe.
        "title": summary.name,
        "name": recipe.name,
        "card": recipe.card,
        "languages": recipe.card.language.join(", "),
        "base_model": recipe.teacher.as_ref().and_then(|teacher| on_hub(&teacher.source)),
        "datasets": datasets,
        "is_distilled": recipe.student.methods.contains(&Method::Distil),
        "teacher": teacher,
        "methods": methods.join(" and "),
        "parameters": student.map(|student| count(student.parameters)),
        "remote_code": REMOTE_CODE,
        "lexical": (recipe.student.lexical > 0).then_some(recipe.student.lexical),
        "dimension": student.map(|student| student.dimension),
        "scores_table": scores_table(summary),
        "sets_table": sets_table(&sets),
        "sets": sets,
        "search_table": student.and_then(search_table),
        "tasks": student.map(measured_tasks).unwrap_or_default(),
        "speeds_table": speeds_table(summary),
        "machine": std::env::consts::ARCH,
        "system": std::env::consts::OS,
        "has_attention": attention.heads > 0,
        "max_tokens": recipe.student.max_tokens,
        "lengths": lengths,
        // The widest window over words.
        "widest": recipe.student.convolutions.iter().map(|convolution| convolution.width).chain(heads).max(),
        "word_order": student.and_then(|student| student.extra_number(extra::WORD_ORDER)).map(two_decimals),
        "control_word_order": control.filter(|figure| figure.abs() >= 0.05).map(two_decimals),
        "sources": sources(recipe),
        "excluded": recipe.text.exclude,
        "recipe": resolved(recipe).trim_end(),
    }))
}

fn render(values: &Value) -> String {
    let mut environment = Environment::empty();
    // A YAML scalar: every string of JSON is one of YAML.
    environment.add_filter("quoted", |text: String| Value::from(text).to_string());
    // A block that stands alone in a line leaves no line behind.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    let rendered = syntax.and_then(|syntax| {
        environment.set_syntax(syntax);
        environment.render_str(TEMPLATE, Serde(values))
    });
    rendered.expect("the template uses only the values that this file gives it")
}

/// `owner/name` of a repository on the Hugging Face hub.
fn on_hub(uri: &str) -> Option<String> {
    match uri.parse() {
        Ok(Uri::Hub { repository, .. }) => Some(repository),
        _ => None,
    }
}

/// The name of a method in the literature.
fn name_of(method: Method) -> &'static str {
    match method {
        Method::Distil => "distillation",
        Method::Simcse => "SimCSE",
        Method::AmSoftmax => "AM-softmax",
    }
}

/// The table of all models but for their speeds, which have a table of their own.
fn scores_table(summary: &Summary) -> String {
    let TableCells { head, rows } = table_cells(summary);
    let shown: Vec<usize> =
        (0..head.len()).filter(|&at| !["sentences/s", "x teacher"].contains(&head[at].as_str())).collect();
    let cells = |row: &[String]| -> Vec<String> { shown.iter().filter_map(|&at| row.get(at).cloned()).collect() };
    markdown(&cells(&head), rows.iter().map(|row| cells(row)))
}

/// The student's scores, where the main table shows only their average.
fn sets_table(sets: &[(&String, String)]) -> Option<String> {
    let rows = sets.iter().map(|(set, spearman)| vec![set.to_string(), spearman.clone()]);
    (sets.len() > MOST_SETS_IN_MAIN_TABLE).then(|| markdown(&["set".into(), "student".into()], rows))
}

/// The student's search of each collection, with BM25 beside it.
fn search_table(student: &ModelSummary) -> Option<String> {
    let sets = &student.tasks.retrieval;
    let rows = sets.iter().map(|(set, score)| {
        let figures = [score.ndcg_at_10, score.fused_ndcg_at_10, score.bm25_ndcg_at_10];
        [set.clone()].into_iter().chain(figures.map(|figure| format!("{figure:.2}"))).collect()
    });
    let head = ["collection", "student", "student with BM25", "BM25"].map(String::from);
    (!sets.is_empty()).then(|| markdown(&head, rows))
}

/// The student's figures of all tasks but STS, as the front matter names them.
fn measured_tasks(student: &ModelSummary) -> Vec<Value> {
    let kinds = [
        (TaskFigure::Search, ["retrieval", "Retrieval", "ndcg_at_10", "nDCG@10 × 100"]),
        (TaskFigure::Classes, ["text-classification", "Classification", "accuracy", "Accuracy × 100"]),
        (TaskFigure::Clusters, ["clustering", "Clustering", "v_measure", "V-measure × 100"]),
    ];
    let mut tasks = Vec::new();
    for (figure, [kind, name, metric, title]) in kinds {
        let measured =
            figure.sets([student]).into_iter().filter_map(|set| Some((set, figure.of(&student.tasks, set)?)));
        tasks.extend(measured.map(|(set, value)| {
            let value = format!("{value:.2}");
            json!({"kind": kind, "name": name, "dataset": set, "metric": metric, "value": value, "title": title})
        }));
    }
    tasks
}

/// The speeds of the models that were timed.
fn speeds_table(summary: &Summary) -> Option<String> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let timed = summary.models.iter().filter_map(|model| Some((model, model.sentences_per_second?)));
    let rows: Vec<Vec<String>> = timed
        .map(|(model, own)| {
            vec![
                model.name.clone(),
                speed(own),
                or_none(summary.times_teacher(own).map(times)),
                or_none(model.latency("p50").map(|alone| format!("{alone:.3}"))),
                model.threads.to_string(),
                size(model.bytes),
            ]
        })
        .collect();
    let head = ["model", "sentences/s", "x teacher", "one alone, ms", "threads", "size"].map(String::from);
    (!rows.is_empty()).then(|| markdown(&head, rows))
}

/// What the student was made from, with its licences.
fn sources(recipe: &Recipe) -> Vec<Value> {
    let source = |kind, uri: &String| {
        let licence = recipe.card.licenses.get(uri).map_or("licence unknown", String::as_str);
        json!({"kind": kind, "uri": uri, "licence": licence})
    };
    let teacher = recipe.teacher.iter().map(|teacher| source("teacher", &teacher.name()));
    let cache = recipe.cache.path.iter().map(|path| source("vectors and texts", path));
    teacher.chain(cache).chain(recipe.text.source.iter().map(|text| source("text", &text.uri))).collect()
}

/// A table in Markdown, without a line break at its end.
fn markdown(head: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule: Vec<String> = (0..head.len()).map(|at| if at == 0 { "---" } else { "--:" }.to_owned()).collect();
    let rows: Vec<String> = rows.into_iter().map(|row| line(&row)).collect();
    [line(head), line(&rule)].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
