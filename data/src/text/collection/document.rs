//! [`Document`]: a document of a collection.

use std::borrow::Cow;

use crate::error::Result;

/// A document of a collection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The id, as the collection has it.
    pub id: String,
    /// The title; empty where there is none.
    pub title: String,
    /// The text; empty where the document is only a title.
    pub text: String,
}

impl Document {
    /// Title, a space, and text, trimmed: what is embedded and searched. A document without one of them is the other.
    pub fn whole(&self) -> Cow<'_, str> {
        match (self.title.trim(), self.text.trim()) {
            ("", text) => text.into(),
            (title, "") => title.into(),
            (title, text) => format!("{title} {text}").into(),
        }
    }
}

/// The rows of a file of a collection.
pub(in crate::text) type DocumentRows = Box<dyn Iterator<Item = Result<DocumentRow>> + Send>;

/// A row of a collection, which may lack an id.
#[derive(Debug, Default)]
pub(in crate::text) struct DocumentRow {
    pub(super) id: Option<String>,
    pub(super) title: String,
    pub(super) text: String,
}

impl DocumentRow {
    /// The document, without spaces around its parts; its id is `number` where the row has none.
    pub(in crate::text) fn numbered(self, number: u64) -> Document {
        let id = self.id.unwrap_or_else(|| number.to_string());
        Document { id, title: self.title.trim().to_owned(), text: self.text.trim().to_owned() }
    }
}
