//! [`Origin`]: what a file of vectors was made from, as its metadata tell.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use limbeck_data::cache::{ORIGIN_KEY, origin_of};
use parquet::file::metadata::{KeyValue, ParquetMetaDataReader};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Result;

/// What the vectors of a piece were made from. Files of equal origins hold the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The sha256 of what was read of the input.
    pub input: String,
    /// The model and the settings.
    pub settings: Value,
}

/// What lies in the place of a piece's vectors.
pub(super) enum Found {
    /// No file.
    Nothing,
    /// Vectors of this origin.
    Origin(Origin),
    /// A Parquet file of another make.
    Other,
    /// A file that is no Parquet or not whole.
    Damaged,
}

impl Origin {
    /// What the file at `path` was made from.
    pub(super) fn found_at(path: &Path) -> Result<Found> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            opened => opened.map_err(limbeck_data::Error::io("open", path))?,
        };
        // The library panics on some damaged files.
        let read = std::panic::catch_unwind(|| ParquetMetaDataReader::new().parse_and_finish(&file));
        let Ok(Ok(metadata)) = read else { return Ok(Found::Damaged) };
        let origin = origin_of(metadata.file_metadata());
        Ok(origin.and_then(|origin| serde_json::from_str(origin).ok()).map_or(Found::Other, Found::Origin))
    }

    /// The origin as a Parquet file holds it.
    pub(super) fn metadata(&self) -> KeyValue {
        let origin = serde_json::json!({ "input": self.input, "settings": self.settings });
        KeyValue { key: ORIGIN_KEY.into(), value: Some(origin.to_string()) }
    }
}
