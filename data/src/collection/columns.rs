//! [`RowNames`]: the names of the columns of documents and queries.

use crate::text::{DocumentColumns, ID_COLUMNS};

/// The names that the id, the title and the text of a row may have; of each the first that there is counts.
#[derive(Debug, Clone)]
pub(super) struct RowNames {
    pub(super) id: Vec<String>,
    pub(super) title: Vec<String>,
    pub(super) text: Vec<String>,
}

const QUERY_IDS: [&str; 6] = ["_id", "id", "query_id", "query-id", "qid", "docid"];
const TEXTS: [&str; 3] = ["text", "body", "contents"];
const QUERY_TEXTS: [&str; 3] = ["text", "query", "question"];

impl RowNames {
    /// Those of documents.
    pub(super) fn of_documents(columns: &DocumentColumns) -> Self {
        Self {
            id: named_or(&columns.id, &ID_COLUMNS),
            title: named_or(&columns.title, &["title"]),
            text: named_or(&columns.text, &TEXTS),
        }
    }

    /// Those of queries, which have no title.
    pub(super) fn of_queries() -> Self {
        Self { id: named_or(&None, &QUERY_IDS), title: Vec::new(), text: named_or(&None, &QUERY_TEXTS) }
    }
}

fn named_or(named: &Option<String>, known: &[&str]) -> Vec<String> {
    match named {
        Some(name) => vec![name.clone()],
        None => known.iter().map(|&name| name.to_owned()).collect(),
    }
}
