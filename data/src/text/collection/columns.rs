//! [`DocumentColumns`]: which columns of a collection hold what.

/// The columns or JSON fields of a document. The default takes those that are usual.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentColumns {
    /// With the text; `text` where none is named, or of tables the only column beside title and id.
    pub text: Option<String>,
    /// With the title; `title` where none is named and there is one.
    pub title: Option<String>,
    /// With the id; `_id`, `id`, `doc_id` or `docid` where none is named and there is one. Documents without ids are
    /// numbered from 0, and text files of a folder are known by their paths in the folder.
    pub id: Option<String>,
}

/// The columns that hold ids where none is named; the first that a file has.
pub(crate) const ID_COLUMNS: [&str; 4] = ["_id", "id", "doc_id", "docid"];

impl DocumentColumns {
    /// The column with the titles in a file of which `has` tells the columns.
    pub(super) fn title_in(&self, has: impl Fn(&str) -> bool) -> Option<&str> {
        self.title.as_deref().or_else(|| Some("title").filter(|usual| self.is_not_text(usual) && has(usual)))
    }

    /// The column with the ids in a file of which `has` tells the columns.
    pub(super) fn id_in(&self, has: impl Fn(&str) -> bool) -> Option<&str> {
        let usual = |name: &&str| self.is_not_text(name) && has(name);
        self.id.as_deref().or_else(|| ID_COLUMNS.into_iter().find(usual))
    }

    fn is_not_text(&self, name: &str) -> bool {
        self.text.as_deref() != Some(name)
    }
}
