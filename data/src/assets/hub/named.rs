//! [`Named`]: what a path or a pattern names in a data set.

use globset::GlobBuilder;

use super::files::{Files, is_hidden, missing};
use crate::assets::AssetError;
use crate::error::Result;

/// What a path in a data set names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    File(String),
    /// The files below a folder.
    Folder(Vec<String>),
    /// The files that match a pattern.
    Matches(Vec<String>),
}

/// What `path` names in a data set: a file, a folder, or the files that match it as a pattern. Hidden files match
/// nothing.
///
/// # Errors
/// A path that names nothing, or a pattern that can't be read.
pub(super) fn named(files: &dyn Files, path: &str) -> Result<Named> {
    let Some(names) = files.names() else { return Ok(Named::File(path.to_owned())) };
    if names.contains(path) {
        return Ok(Named::File(path.to_owned()));
    }
    let seen = || names.iter().filter(|name| !is_hidden(name));
    let below: Vec<String> =
        seen().filter(|name| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))).cloned().collect();
    if !below.is_empty() {
        return Ok(Named::Folder(below));
    }
    if !path.contains(['*', '?', '[', '{']) {
        return Err(missing(files, path));
    }
    let pattern = GlobBuilder::new(path).literal_separator(true).build();
    let pattern = pattern.map_err(|error| AssetError::BadPattern { pattern: path.to_owned(), source: error.into() })?;
    let matcher = pattern.compile_matcher();
    let matching: Vec<String> = seen().filter(|name| matcher.is_match(name)).cloned().collect();
    if matching.is_empty() { Err(missing(files, path)) } else { Ok(Named::Matches(matching)) }
}
