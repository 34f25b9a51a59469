//! A collection is one source: documents with ids and titles, each cut into texts of several units.
//!
//! ```text
//! file, BEIR's folder or folder of files ──► documents ──► document, passages, sentences, title, spans, mixtures
//!                                                    └──► collection.parquet, queries.parquet
//! ```

mod columns;
mod cut;
mod document;
mod draws;
mod files;
mod json_documents;
mod mixtures;
mod own_queries;
mod passages;
mod reader;
mod spans;
mod unit_counts;
mod units;

pub use columns::DocumentColumns;
pub use document::Document;
pub use files::{COLLECTION_FILE, OWN_QUERIES_FILE, OwnQuery, read_own_queries};
pub use reader::{DocumentReader, read_collection};
pub use unit_counts::UnitCounts;
pub use units::{CollectionUnit, CollectionUnits};

pub(crate) use columns::ID_COLUMNS;
pub(super) use cut::CutDocument;
pub(super) use files::{CollectionWriter, write_own_queries};
pub(super) use mixtures::WordBag;
pub(super) use own_queries::OwnQueryDraw;
pub(super) use reader::{collection_files, documents_in, is_beir_folder};
