//! Files of JSON.

use std::io::ErrorKind;
use std::path::Path;

use limbeck_data::files::write_bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};

/// Reads the file at `path`, which should hold `what`.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<T> {
    let bytes = std::fs::read(path).map_err(limbeck_data::Error::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(Error::json(what, path))
}

/// As [`read`]; `None` without a file.
pub(crate) fn read_if_present<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<Option<T>> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => read(path, what).map(Some),
    }
}

/// Writes `value` to the file at `path`, indented.
pub(crate) fn write(path: &Path, value: &Value) -> Result<()> {
    Ok(write_bytes(path, format!("{value:#}\n").as_bytes())?)
}
