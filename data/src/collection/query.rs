//! [`Document`] and [`Query`].

use serde::{Deserialize, Serialize};

/// A document of a collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The id, by which judgements name the document.
    pub id: String,
    /// The title; empty where there is none.
    pub title: String,
    /// The text; empty where there is none.
    pub text: String,
}

impl Document {
    /// What a model encodes: title, a space and text, trimmed.
    pub fn full(&self) -> String {
        format!("{} {}", self.title.trim(), self.text.trim()).trim().to_owned()
    }
}

/// A query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The id, by which judgements name the query.
    pub id: String,
    /// The query.
    pub text: String,
}
