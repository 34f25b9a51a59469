//! [`Files`]: the files of a repository, wherever they are, and the errors of missing ones.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::assets::AssetError;
use crate::error::{Error, Result};

/// The files of a repository.
pub(super) trait Files {
    /// `owner/name`.
    fn repository(&self) -> &str;
    /// The names of all files, if they are known.
    fn names(&self) -> Option<&BTreeSet<String>>;
    /// Whether the repository may have more files than `names` says.
    fn may_lack(&self) -> bool;
    /// The path of a file on this machine; `None` if the repository does not have it.
    fn file(&self, name: &str) -> Result<Option<PathBuf>>;
}

/// The error of a file that the repository lacks.
pub(super) fn missing(files: &dyn Files, file: &str) -> Error {
    let (repository, file) = (files.repository().to_owned(), file.to_owned());
    AssetError::NoHubFile { repository, file, files: some_names(files) }.into()
}

/// The error of a model without weights that can be read.
pub(super) fn no_weights(files: &dyn Files) -> Error {
    let onnx = files.names().into_iter().flatten().find(|name| name.ends_with(".onnx")).cloned();
    AssetError::NoWeights { repository: files.repository().to_owned(), files: some_names(files), onnx }.into()
}

/// Names of the repository's files for an error: a few, ONNX files first.
fn some_names(files: &dyn Files) -> Vec<String> {
    let mut names: Vec<_> = files.names().into_iter().flatten().cloned().collect();
    names.sort_by_key(|name| (!name.ends_with(".onnx"), is_hidden(name)));
    names.truncate(20);
    names
}

/// Whether a file, or a folder that it lies in, is hidden.
pub(super) fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('.'))
}
