//! Collections of documents, the queries that search them, and what people judged to be an answer.
//!
//! [`Collection`] is a folder in BEIR's layout; [`read_corpus`] reads documents from more places, one after another:
//!
//! | path | a document is | its id |
//! |---|---|---|
//! | a folder with `corpus.jsonl` (or `.parquet`, `.tsv`, `.csv`, `.json`) | a row | the row's |
//! | a file of JSON lines, JSON, TSV, CSV or Parquet | a row | the row's, else its number |
//! | a file of plain text | a line that is not blank | its number |
//! | any other folder: files of plain text | a file | the path in the folder |
//! | any other folder: files with columns | a row | the row's, else path, colon and number |
//!
//! Columns are `_id`, `id`, `doc_id` or `docid`; `title`; and `text`, `body` or `contents`, or as [`DocumentColumns`]
//! names them; the only column of a file is the text. Files may be compressed as [`text`](crate::text) says. Queries
//! come from the same files, where `query` and `question` name the text too.
//!
//! Judgements are lines of query, document and grade with tabs between, with a header or without: `qrels.tsv`, else
//! `qrels/test.tsv`, `qrels/dev.tsv` or `qrels/train.tsv`.
//!
//! Documents are read when they are asked for. Memory holds eight bytes for each, by which an id is known again.

mod columns;
mod corpus;
mod error;
mod find_table;
mod folder;
mod judgements;
mod queries;
mod query;
mod rows;

pub use corpus::{CorpusReader, read_corpus, read_corpus_columns};
pub use error::CollectionError;
pub(crate) use find_table::find_queries;
pub use folder::Collection;
pub use judgements::Judgements;
pub use queries::read_queries;
pub use query::Query;

pub use crate::text::{Document, DocumentColumns};
