//! The page: one HTML file with everything in it, and nothing to fetch.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::figures::{Figure, Table, figures};
use super::plot::svg;
use super::run::Run;
use crate::error::Result;
use crate::evaluate::held_out::Neighbour;
use crate::summary::table::{size, speed, times};
use crate::summary::{Role, Summary, table_cells};

const STYLE: &str = include_str!("style.css");
/// A table of more rows is not printed.
const LONG: usize = 40;
/// Whatever a text in the page says, nothing is fetched and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// The report of one run, or of several side by side, as HTML.
///
/// # Errors
/// Where a figure cannot be drawn.
pub fn page(runs: &[Run]) -> Result<String> {
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
                footer { p { "Drawn by limbeck " (env!("CARGO_PKG_VERSION")) " from the files of the run; nothing was measured again." } }
            }
        }
    };
    Ok(page.into_string())
}

/// What the run came to, in a sentence.
fn headline(summary: &Summary) -> Option<String> {
    let fastest = summary.models.iter().rev().find(|model| model.role == Role::Student)?;
    let mut text = format!("A student of {}, vectors of {} numbers", size(fastest.bytes), fastest.dimension);
    if let Some(own) = fastest.sentences_per_second {
        text += &format!(": {} sentences a second on {} threads", speed(own), fastest.threads);
        let teacher = summary.models.iter().find(|model| model.role == Role::Teacher);
        if let Some(teacher) = teacher.and_then(|teacher| teacher.sentences_per_second).filter(|&speed| speed > 0.0) {
            text += &format!(", {} times its teacher's", times(own / teacher));
        }
    }
    Some(text + ".")
}

fn overview(runs: &[Run]) -> Markup {
    let mut all = Table::default();
    if let [run] = runs {
        (all.head, all.rows) = table_cells(&run.summary);
        return tabled(&all);
    }
    // Runs differ in what was measured: a column for whatever any of them has.
    let tables: Vec<_> = runs.iter().map(|run| (run, table_cells(&run.summary))).collect();
    all.head.push("run".into());
    for (_, (head, _)) in &tables {
        for name in head {
            if !all.head.contains(name) {
                all.head.push(name.clone());
            }
        }
    }
    for (run, (head, rows)) in &tables {
        for row in rows {
            let cell = |name: &String| head.iter().position(|other| other == name).and_then(|at| row.get(at)).cloned();
            let cells = all.head.iter().skip(1).map(|name| cell(name).unwrap_or_else(|| "-".into()));
            all.rows.push([run.name.clone()].into_iter().chain(cells).collect());
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
            // On paper long tables are left out.
            details.long[figure.table.rows.len() > LONG] { summary { "The same as a table" } (tabled(&figure.table)) }
        }
    }
}

/// The look of a legend's key: as the series has it.
fn key(place: usize) -> String {
    format!("background:{};opacity:{}", svg::css(svg::series(place)), svg::strength(place))
}

/// Columns of words stand left, those of numbers right.
fn tabled(table: &Table) -> Markup {
    let is_words = |at: usize| {
        let begins = |row: &Vec<String>| row.get(at).is_some_and(|cell| cell.starts_with(char::is_alphabetic));
        table.rows.iter().any(begins)
    };
    let words: Vec<bool> = (0..table.head.len()).map(is_words).collect();
    let word = |at: usize| words.get(at) == Some(&true);
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr { @for (at, head) in table.head.iter().enumerate() { th.word[word(at)] scope="col" { (head) } } } }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (at, cell) in row.iter().enumerate() {
                                @if at == 0 { th scope="row" { (cell) } } @else { td.word[word(at)] { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn neighbours(runs: &[Run]) -> Markup {
    let with: Vec<_> = runs
        .iter()
        .filter_map(|run| Some((run, run.held_out.as_ref().filter(|figures| !figures.neighbours.is_empty())?)))
        .collect();
    html! {
        @if !with.is_empty() {
            section #neighbours {
                h2 { "Nearest neighbours" }
                p { "Held-out sentences and the nearest others, with their cosines. What stands in both lists is marked." }
                @for (run, figures) in with {
                    @if runs.len() > 1 { h3 { (run.name) } }
                    @for near in &figures.neighbours {
                        article {
                            p.query { (near.text) }
                            div.sides {
                                @for (model, own) in &near.by {
                                    div {
                                        h4 { (model) }
                                        ol { @for neighbour in own {
                                            li.shared[is_shared(neighbour, near.by.values())] {
                                                span.cosine { (format!("{:.2}", neighbour.similarity)) } " " (neighbour.text)
                                            }
                                        } }
                                    }
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

fn settings(runs: &[Run]) -> Markup {
    html! {
        section #settings {
            h2 { "Settings" }
            @if runs.len() > 1 {
                p { "What differs between the recipes, defaults and all." }
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
                    (run.summary.versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", "))
                    "."
                }
            }
        }
    }
}

/// The keys at which the recipes differ, with each one's value.
fn differences(runs: &[Run]) -> Table {
    let flat: Vec<BTreeMap<String, String>> = runs
        .iter()
        .map(|run| {
            let mut keys = BTreeMap::new();
            if let Ok(table) = run.recipe.parse::<toml::Table>() {
                flatten(&toml::Value::Table(table), String::new(), &mut keys);
            }
            keys
        })
        .collect();
    let mut names: Vec<&String> = flat.iter().flat_map(BTreeMap::keys).collect();
    names.sort();
    names.dedup();
    let mut table = Table {
        head: std::iter::once("key".into()).chain(runs.iter().map(|run| run.name.clone())).collect(),
        ..Table::default()
    };
    for name in names {
        let values: Vec<Option<&String>> = flat.iter().map(|keys| keys.get(name)).collect();
        if values.iter().any(|value| *value != values[0]) {
            let cells = values.into_iter().map(|value| value.cloned().unwrap_or_else(|| "-".into()));
            table.rows.push(std::iter::once(name.clone()).chain(cells).collect());
        }
    }
    table
}

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
