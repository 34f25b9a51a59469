//! The page: one HTML file that fetches nothing.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexSet;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::figures::{Figure, figures};
use super::plot::svg;
use super::run::FinishedRun;
use crate::error::Result;
use crate::measure::held_out::{Neighbour, Neighbourhood};
use crate::summary::format::{size, speed, times};
use crate::summary::{ModelRole, Summary, TableCells, table_cells};

const STYLE: &str = include_str!("style.css");
/// A table of more rows is left out on paper.
const LONG: usize = 40;
/// The browser fetches and runs nothing, whatever the texts in the page hold.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// The report of one run, or of several side by side, as HTML.
///
/// # Errors
/// A figure that cannot be drawn.
pub fn page(runs: &[FinishedRun]) -> Result<String> {
    let figures = figures(runs)?;
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let title = format!("limbeck: {}", names.join(", "));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (names.join(" · ")) }
                    @for run in runs {
                        @if let Some(headline) = headline(&run.summary) {
                            p { @if runs.len() > 1 { b { (run.name) ": " } } (headline) }
                        }
                    }
                }
                main {
                    section #overview { h2 { "Overview" } (overview(runs)) }
                    div.figures { @for figure in &figures { (drawn(figure)) } }
                    (neighbours(runs))
                    (settings(runs))
                }
                footer {
                    p {
                        "Drawn by limbeck " (env!("CARGO_PKG_VERSION"))
                        " from the files of the run; nothing was measured again."
                    }
                }
            }
        }
    };
    Ok(page.into_string())
}

/// The run in a sentence: the size and the speed of the last student.
fn headline(summary: &Summary) -> Option<String> {
    let student = summary.models.iter().rfind(|model| model.role == ModelRole::Student)?;
    let mut text = format!("A student of {}, vectors of {} dimensions", size(student.bytes), student.dimension);
    if let Some(own) = student.sentences_per_second {
        text += &format!(": {} sentences a second on {} threads", speed(own), student.threads);
        if let Some(ratio) = summary.times_teacher(own) {
            text += &format!(", {} times as fast as its teacher", times(ratio));
        }
    }
    Some(text + ".")
}

fn overview(runs: &[FinishedRun]) -> Markup {
    if let [run] = runs {
        return tabled(&table_cells(&run.summary));
    }
    // A column for each figure that any of the runs has.
    let tables: Vec<(&FinishedRun, TableCells)> = runs.iter().map(|run| (run, table_cells(&run.summary))).collect();
    let names: IndexSet<&str> = tables.iter().flat_map(|(_, table)| &table.head).map(String::as_str).collect();
    let mut all = TableCells::new(["run"].into_iter().chain(names.iter().copied()));
    for (run, TableCells { head, rows }) in &tables {
        for row in rows {
            let cell = |name: &&str| head.iter().position(|other| other == name).map_or("-", |at| &row[at]);
            all.push([run.name.as_str()].into_iter().chain(names.iter().map(cell)));
        }
    }
    tabled(&all)
}

fn drawn(figure: &Figure) -> Markup {
    html! {
        figure #(figure.id) {
            figcaption { h2 { (figure.title) } p { (figure.note) } }
            @if !figure.legend.is_empty() {
                ul.legend {
                    @for (name, place) in &figure.legend {
                        li { span.key style=(key(*place)) {} (name) }
                    }
                }
            }
            (PreEscaped(&figure.svg))
            details.long[figure.table.rows.len() > LONG] {
                summary { "The same data as a table" }
                (tabled(&figure.table))
            }
        }
    }
}

/// The style of a legend's key: the colour of its series.
fn key(place: usize) -> String {
    format!("background:{};opacity:{}", svg::css(svg::series(place)), svg::opacity_of(place))
}

/// A table: columns of words are aligned left, columns of numbers right.
fn tabled(table: &TableCells) -> Markup {
    let is_words = |at: usize| table.rows.iter().any(|row| row[at].starts_with(char::is_alphabetic));
    let words: Vec<bool> = (0..table.head.len()).map(is_words).collect();
    html! {
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        @for (at, head) in table.head.iter().enumerate() {
                            th.word[words[at]] scope="col" { (head) }
                        }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (at, cell) in row.iter().enumerate() {
                                @if at == 0 { th scope="row" { (cell) } } @else { td.word[words[at]] { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn neighbours(runs: &[FinishedRun]) -> Markup {
    let with: Vec<_> = runs
        .iter()
        .filter_map(|run| Some((run, run.held_out.as_ref().filter(|figures| !figures.neighbours.is_empty())?)))
        .collect();
    html! {
        @if !with.is_empty() {
            section #neighbours {
                h2 { "Nearest neighbours" }
                p {
                    "Held-out sentences and their nearest neighbours, with the cosines. A neighbour found by every "
                    "model is marked."
                }
                @for (run, figures) in with {
                    @if runs.len() > 1 { h3 { (run.name) } }
                    @for near in &figures.neighbours { (neighbourhood(near)) }
                }
            }
        }
    }
}

fn neighbourhood(near: &Neighbourhood) -> Markup {
    html! {
        article {
            p.query { (near.text) }
            div.sides {
                @for (model, own) in &near.by {
                    div {
                        h4 { (model) }
                        ol {
                            @for neighbour in own {
                                li.shared[is_shared(neighbour, near.by.values())] {
                                    span.cosine { (format!("{:.2}", neighbour.similarity)) } " " (neighbour.text)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn is_shared<'a>(neighbour: &Neighbour, lists: impl ExactSizeIterator<Item = &'a Vec<Neighbour>>) -> bool {
    lists.len() > 1 && lists.into_iter().all(|list| list.iter().any(|other| other.text == neighbour.text))
}

fn settings(runs: &[FinishedRun]) -> Markup {
    html! {
        section #settings {
            h2 { "Settings" }
            @if runs.len() > 1 {
                p { "The keys in which the recipes differ, defaults included." }
                (tabled(&differences(runs)))
            }
            @for run in runs {
                details open[runs.len() == 1] {
                    summary { "Recipe" @if runs.len() > 1 { " of " (run.name) } }
                    pre tabindex="0" { (run.recipe) }
                }
            }
            @for run in runs {
                p {
                    "Computed by "
                    @if runs.len() > 1 { "(" (run.name) ") " }
                    (versions(&run.summary)) "."
                }
            }
        }
    }
}

fn versions(summary: &Summary) -> String {
    summary.versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
}

/// The keys in which the recipes differ, with the value of each run.
fn differences(runs: &[FinishedRun]) -> TableCells {
    let keys_of = |run: &FinishedRun| {
        let mut keys = BTreeMap::new();
        if let Ok(table) = run.recipe.parse::<toml::Table>() {
            flatten(&toml::Value::Table(table), String::new(), &mut keys);
        }
        keys
    };
    let flat: Vec<BTreeMap<String, String>> = runs.iter().map(keys_of).collect();
    let names: BTreeSet<&String> = flat.iter().flat_map(BTreeMap::keys).collect();
    let mut table = TableCells::new(["key"].into_iter().chain(runs.iter().map(|run| run.name.as_str())));
    for name in names {
        let values: Vec<Option<&String>> = flat.iter().map(|keys| keys.get(name)).collect();
        if values.iter().any(|value| *value != values[0]) {
            let cells = values.into_iter().map(|value| value.map_or("-", String::as_str));
            table.push([name.as_str()].into_iter().chain(cells));
        }
    }
    table
}

/// Adds the values of `value` to `keys`, by their dotted keys.
fn flatten(value: &toml::Value, key: String, keys: &mut BTreeMap<String, String>) {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        toml::Value::Table(table) => table.iter().for_each(|(name, value)| flatten(value, below(name), keys)),
        toml::Value::Array(values) if values.iter().any(toml::Value::is_table) => {
            values.iter().enumerate().for_each(|(at, value)| flatten(value, below(&(at + 1).to_string()), keys));
        }
        other => {
            keys.insert(key, other.to_string());
        }
    }
}

#[cfg(test)]
mod tests;
