//! Reads text from files of many formats, filters it, and writes the two files that training reads.
//!
//! ```text
//! sources ──► rows or documents ──► sentences ──► filter ──► sample ──► train.parquet, held-out.parquet
//!             (text::read_texts      UAX #29       blanks, lengths,      (and documents.parquet,
//!              ends here)                          duplicates, exclude    where documents have labels)
//! ```
//!
//! The extension tells the format. All but `.parquet` may be compressed, which `.gz`, `.zst`, `.bz2` or `.xz` after it
//! tells; several members, frames or streams are read one after another:
//!
//! | extension | a row is |
//! |---|---|
//! | `.txt`, `.md`, `.markdown`, `.text` | a line; or the whole file, where files are documents |
//! | `.jsonl`, `.ndjson` | a JSON string, or an object with a field `text` or the named one; empty lines are skipped |
//! | `.json` | an element of a JSON array, of the same kinds; or else a line, as in `.jsonl` |
//! | `.tsv` | a line of fields between tabs, as many as the first line has names; no quoting |
//! | `.csv` | a record with the usual quoting, of as many fields as the first has names; empty lines are skipped |
//! | `.parquet` | a row; its column holds strings, and null is an empty text |
//! | `.py` | a function of Python, with the columns `code`, `documented` (code with a docstring), `docstring`, `name` |
//!
//! If no column is named, the column `text` is read, or else the only column. In JSON and Parquet, `meta.text` names
//! the field `text` in the field `meta`, unless a field is called `meta.text`. In JSON, `**.text` names every string
//! called `text` at any depth, or in a list called so, and `**` every string: each is a text, and a `.json` file may
//! then hold values of any kind. A folder stands for all such files in and below the folder, in the order of their
//! names, without hidden files; the other files there are counted by their endings, and with them each `.json` file
//! whose first value holds no text. Of a folder with `.py` files these alone are read where the column is one of
//! theirs, and else the others alone. A byte order mark at the start of a file, line or record is dropped.
//!
//! ```
//! use limbeck_data::Monitor;
//! use limbeck_data::text::{self, PreparedText, TextPlan, TextSource};
//!
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("demo.txt");
//! std::fs::write(&file, "The cat sat on the mat.\n\nIt rained.\nThe cat sat on the mat.\n")?;
//! let plan = TextPlan { sources: vec![TextSource::new(&file)], hold_out: 0.0, ..TextPlan::default() };
//! let summary = text::prepare(&plan, folder.path(), Monitor::silent())?;
//! assert_eq!(summary.to_string(), "4 texts (1 blank, 1 duplicate): 2 to train on, 0 held out");
//!
//! let train = PreparedText::open(&folder.path().join(text::TRAIN_FILE))?;
//! assert_eq!(train.read(1, 1)?.texts, ["It rained."]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A source with units is a collection: documents with ids and titles, each of which gives texts of several units.
//! [`COLLECTION_FILE`] then holds the documents, and [`OWN_QUERIES_FILE`] the queries that some of them gave.
//!
//! Memory does not grow with the length of the text, except for 8 bytes a distinct text, which finding duplicates
//! takes.

mod collection;
mod compression;
mod csv_records;
mod decode;
mod error;
mod exclude;
mod filter;
mod format;
mod json_array;
mod json_strings;
mod json_values;
mod left_out;
mod lines;
mod open;
mod options;
mod pair_columns;
mod parquet_rows;
mod pass;
mod pieces;
mod place;
mod plan;
mod prepare;
mod prepared;
mod python_functions;
mod rows;
mod sample;
mod sample_draw;
mod sentences;
mod source;
mod source_counts;
mod table;
mod table_writer;
mod write_pass;

use std::hash::{BuildHasherDefault, Hasher};

pub use collection::{
    COLLECTION_FILE, CollectionUnit, CollectionUnits, Document, DocumentColumns, DocumentReader, OWN_QUERIES_FILE,
    OwnQuery, UnitCounts, read_collection, read_own_queries,
};
pub use decode::Encodings;
pub use error::TextError;
pub use exclude::write_exclusion_list;
pub use left_out::LeftOutFiles;
pub use open::MAX_DOCUMENT_BYTES;
pub use options::MAX_ROW_BYTES;
pub use pieces::{KeptColumns, PieceColumns, PieceRows, RowBatch, TextPiece, has_pieces, pieces};
pub use place::Place;
pub use plan::{DocumentCounts, TextPlan, TextSummary};
pub use prepare::{prepare, prepare_augmented};
pub use prepared::{LabelledDocument, PreparedText, TextBatch, read_documents};
pub use rows::{TextReader, read_lines, read_texts};
pub use sentences::sentences;
pub use source::{TextSource, TextUnit, bare_name, left_out_files};
pub use source_counts::SourceCounts;
pub use table_writer::ROW_GROUP_ROWS;
pub use write_pass::{Augment, DOCUMENTS_FILE, HELD_OUT_FILE, TRAIN_FILE};

pub(crate) use collection::ID_COLUMNS;
pub(crate) use format::{TextFormat, format_of};
pub(crate) use lines::Lines;
pub(crate) use open::read_document;
pub(crate) use options::ReadOptions;
pub(crate) use pair_columns::PAIR_COLUMNS;
pub(crate) use source::{files as source_files, tables_named};
pub(crate) use table::TableReader;

/// The hash by which duplicates are found and texts held out: xxh3 of the bytes, the same on every machine.
pub fn hash(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// A set of hashes, which are not hashed again.
pub(crate) type HashSet64 = std::collections::HashSet<u64, BuildHasherDefault<IdentityHasher>>;

/// Uses a 64-bit hash as its own hash.
#[derive(Default)]
pub(crate) struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // A `u64` writes its eight bytes.
        self.0 = bytes.try_into().map_or(0, u64::from_ne_bytes);
    }
}
