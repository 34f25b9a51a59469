//! What can be wrong with a collection.

use std::path::PathBuf;

use miette::Diagnostic;

use crate::text::Place;

/// What can be wrong with a collection of documents, its queries or its judgements.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum CollectionError {
    /// A folder that lacks a file of a collection.
    #[error("{} holds no {what}", folder.display())]
    #[diagnostic(help(
        "a collection in BEIR's layout has corpus.jsonl, queries.jsonl, and qrels.tsv or qrels/test.tsv; .gz, .zst, \
         .bz2 or .xz may stand behind each name"
    ))]
    NoFile {
        /// The folder.
        folder: PathBuf,
        /// The file that is missing.
        what: String,
    },
    /// A folder with several files of one kind.
    #[error("{} holds {} that could each be the {what}", folder.display(), names.join(", "))]
    #[diagnostic(help("leave one of them in the folder"))]
    SeveralFiles {
        /// The folder.
        folder: PathBuf,
        /// What each could be.
        what: String,
        /// The names of the files.
        names: Vec<String>,
    },
    /// A table of which no column is known to hold text.
    #[error("{}: no column is known to hold the text", path.display())]
    #[diagnostic(help("call it text, body or contents, or name it; there are: {}", columns.join(", ")))]
    WhichColumn {
        /// The file.
        path: PathBuf,
        /// The file's columns.
        columns: Vec<String>,
    },
    /// A row that is no document or query.
    #[error("{}, {place}: {what}", path.display())]
    #[diagnostic(help(
        "a row is an object or a record with an id (_id, id, doc_id or docid), a title, and a text (text, body or \
         contents)"
    ))]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, element or row.
        place: Place,
        /// What is wrong with the row.
        what: String,
    },
    /// An id that an earlier row has.
    #[error("{}, {place}: the id `{id}` stands in an earlier row too", path.display())]
    #[diagnostic(help("judgements name documents and queries by their ids: give each an id of its own"))]
    DuplicateId {
        /// The file.
        path: PathBuf,
        /// The line, element or row of the second.
        place: Place,
        /// The id.
        id: String,
    },
    /// A line of judgements that cannot be used.
    #[error("{}, line {line}: {what}", path.display())]
    #[diagnostic(help(
        "a judgement is a line of the query's id, the document's id and the grade, a whole number, with tabs between"
    ))]
    Judgement {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with the line.
        what: String,
    },
    /// No query of the collection has a positive judgement.
    #[error("{}: no query has a document judged positive", path.display())]
    #[diagnostic(help(
        "a judgement's first field is a query's id as the file of queries writes it, its grade is above 0"
    ))]
    NothingJudged {
        /// The file of judgements.
        path: PathBuf,
    },
}
