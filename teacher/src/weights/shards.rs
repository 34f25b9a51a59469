//! `model.safetensors.index.json`: the files that hold a model's tensors.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::{Error, Result};

/// The content of the index.
#[derive(Deserialize)]
struct Index {
    /// The file of each tensor.
    weight_map: BTreeMap<String, String>,
}

/// The files that the index at `path` names, each with the names of its tensors.
///
/// # Errors
/// A file that is missing or that would lie outside the folder; the error names the file and a tensor.
pub(super) fn shards(path: &Path) -> Result<BTreeMap<PathBuf, Vec<String>>> {
    let bytes = fs::read(path).map_err(limbeck_data::Error::io("read", path))?;
    let index: Index =
        serde_json::from_slice(&bytes).map_err(|source| Error::Json { path: path.to_owned(), source })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut shards: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for (tensor, name) in index.weight_map {
        let inside = !name.is_empty() && Path::new(&name).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside || name.contains('\\') {
            let what = format!("the tensor `{tensor}` would lie in `{name}`, outside the folder");
            let hint = "take the index from the model's author again: it names files beside it alone".to_owned();
            return Err(Error::Unsupported { path: path.to_owned(), what, hint });
        }
        shards.entry(folder.join(name)).or_default().push(tensor);
    }
    for (shard, tensors) in &shards {
        if !shard.is_file() {
            let index = path.file_name().unwrap_or_default().to_string_lossy();
            let hint = format!(
                "{index} names this file for the tensor `{}`: fetch the model's folder again, with all its weights",
                tensors[0]
            );
            return Err(Error::MissingFile { path: shard.clone(), hint });
        }
    }
    Ok(shards)
}
