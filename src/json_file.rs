//! Files of JSON.

use std::path::Path;

use limbeck_data::files;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Reads the file at `path`, which should hold `what`.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<T> {
    let bytes = std::fs::read(path).map_err(limbeck_data::Error::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(Error::json(what, path))
}

/// As [`read`]; `None` without a file.
pub(crate) fn read_if_present<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<Option<T>> {
    let parse = |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(Error::json(what, path));
    files::read_if_present(path)?.map(parse).transpose()
}
