//! The documents that searches found, as JSON or side by side for people.

use comfy_table::{CellAlignment, LineStyle, Table, presets};
use serde::Serialize;

use crate::error::Result;
use crate::search::Hit;

/// What one way of searching found.
#[derive(Serialize)]
pub(super) struct FoundList {
    /// The way of searching: the model's name, `BM25`, or both.
    pub(super) search: String,
    /// The documents, the best first.
    pub(super) documents: Vec<Hit>,
}

/// A line of JSON a list.
pub(super) fn print_json(lists: &[FoundList]) -> Result<()> {
    for list in lists {
        say!("{}", serde_json::json!(list));
    }
    Ok(())
}

/// A table a list, its name above it.
pub(super) fn print_lists(lists: &[FoundList]) -> Result<()> {
    for (at, list) in lists.iter().enumerate() {
        if at > 0 {
            say!();
        }
        say!("{}", list.search);
        if list.documents.is_empty() {
            say!("  no document");
            continue;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING.header_separator(LineStyle::none()));
        for hit in &list.documents {
            table.add_row([hit.rank.to_string(), format!("{:.4}", hit.score), hit.id.clone(), hit.title.clone()]);
        }
        for column in [0, 1] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        say!("{}", table.trim_fmt());
    }
    Ok(())
}
