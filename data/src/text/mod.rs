//! Text in: from files of many kinds to a stream of distinct texts, and to the two files that training reads.
//!
//! ```text
//! sources ──► rows or documents ──► sentences ──► sift ──► sample ──► train.parquet, held-out.parquet
//!             (text::read_texts      UAX #29       blanks, lengths,    (and documents.parquet,
//!              stops here)                         duplicates, exclude   where documents have labels)
//! ```
//!
//! Formats, told by the extension, each also with `.gz` after it:
//!
//! | extension | a row is |
//! |---|---|
//! | `.txt` | a line; or the whole file, where files are documents |
//! | `.jsonl`, `.ndjson` | a JSON string a line, or an object with a field `text` (or the column named); empty lines are no rows |
//! | `.tsv` | a line of fields between tabs, as many as names in the first line; no quoting |
//! | `.csv` | a record with the usual quoting, of as many fields as names in the first; empty lines are no rows |
//! | `.parquet` | a row; its column holds strings, and a missing one is an empty text |
//!
//! A column not named is `text` where there is one, else the only one. A folder stands for all such files in it and
//! below, in the order of their names, hidden ones left out.
//!
//! ```
//! use limbeck_data::text::{self, PreparedText, Source, TextPlan};
//! use limbeck_data::{Interrupt, progress::Silent};
//!
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("demo.txt");
//! std::fs::write(&file, "The cat sat on the mat.\n\nIt rained.\nThe cat sat on the mat.\n")?;
//! let plan = TextPlan { sources: vec![Source::new(&file)], hold_out: 0.0, ..TextPlan::default() };
//! let summary = text::prepare(&plan, folder.path(), &Silent, &Interrupt::new())?;
//! assert_eq!(summary.to_string(), "4 texts (1 blank, 1 duplicate): 2 to train on, 0 held out");
//!
//! let train = PreparedText::open(&folder.path().join(text::TRAIN_FILE))?;
//! assert_eq!(train.read(1, 1)?.texts, ["It rained."]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Memory stays flat however long the text is, but for 8 bytes a distinct text, which is what finding duplicates costs.

mod csv_records;
mod decode;
mod error;
mod exclude;
mod lines;
mod open;
mod plan;
mod prepare;
mod prepared;
mod records;
mod rows;
mod sample;
mod sentences;
mod sift;
mod source;

use std::hash::{BuildHasherDefault, Hasher};

pub use decode::Encodings;
pub use error::TextError;
pub use lines::MAX_LINE_BYTES;
pub use open::MAX_DOCUMENT_BYTES;
pub use plan::{DocumentCounts, TextPlan, TextSummary};
pub use prepare::{DOCUMENTS_FILE, Further, HELD_OUT_FILE, TRAIN_FILE, prepare, prepare_with};
pub use prepared::{Document, PreparedText, ROW_GROUP_ROWS, TextBatch, read_documents};
pub use rows::{Texts, read_lines, read_texts};
pub use sentences::sentences;
pub use source::{Source, Unit, bare_name};

pub(crate) use records::Table;

/// The hash that finds duplicates and splits off the held-out texts: xxh3 of the bytes, the same everywhere and always.
pub fn hash(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// A set of hashes. They are spread evenly already, so hashing them again would be waste.
pub(crate) type HashSet64 = std::collections::HashSet<u64, BuildHasherDefault<AsItIs>>;

/// Takes a 64-bit hash for its own hash.
#[derive(Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
