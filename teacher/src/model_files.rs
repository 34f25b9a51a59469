//! Reads the small files of a model's folder.

use std::fs;
use std::path::{Path, PathBuf};

use limbeck_data::files::read_if_present;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// The path of the file `name`, which `folder` has to have; `hint` says what to do where it is missing.
pub(crate) fn required(folder: &Path, name: &str, hint: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    match path.is_file() {
        true => Ok(path),
        false => Err(Error::MissingFile { path, hint: hint.to_owned() }),
    }
}

/// The required JSON file `name` of `folder`, and its path.
pub(crate) fn parse_required<T: DeserializeOwned>(folder: &Path, name: &str, hint: &str) -> Result<(PathBuf, T)> {
    let path = required(folder, name, hint)?;
    let text = fs::read_to_string(&path).map_err(limbeck_data::Error::io("read", &path))?;
    let parsed = parse(&text, &path)?;
    Ok((path, parsed))
}

/// Parses `text`, the content of the JSON file at `path`.
pub(crate) fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T> {
    serde_json::from_str(text).map_err(|source| Error::Json { path: path.to_owned(), source })
}

/// The JSON file at `path`, if it is there.
pub(crate) fn parse_if_there<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let parse =
        |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(|source| Error::Json { path: path.to_owned(), source });
    read_if_present(path)?.map(parse).transpose()
}

/// The hint for a `folder` without weights.
pub(crate) fn weights_hint_of(folder: &Path) -> &'static str {
    match ["pytorch_model.bin", "pytorch_model.bin.index.json"].iter().any(|name| folder.join(name).exists()) {
        true => {
            "pytorch_model.bin is a Python pickle, which is not read here; load the model with transformers (or \
             sentence-transformers) and save_pretrained(…, safe_serialization=True), or take a revision of it with \
             model.safetensors"
        }
        false => "the weights are expected in this file",
    }
}
