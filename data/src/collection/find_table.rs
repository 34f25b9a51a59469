//! [`find_table`]: a file of a folder by its name.

use std::path::{Path, PathBuf};

use super::CollectionError;
use crate::error::{Error, Result};
use crate::text::{TextFormat, bare_name, format_of};

/// The file with columns right in `folder` that is called `name` but for its format; `None` without folder or file.
///
/// # Errors
/// Several such files, or a folder that cannot be read.
pub(super) fn find_table(folder: &Path, name: &str) -> Result<Option<(PathBuf, TextFormat)>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(Error::io("read", folder))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("read", folder))?.path();
        match format_of(&path) {
            Some(format) if format != TextFormat::Lines && bare_name(&path) == name && path.is_file() => {
                found.push((path, format));
            }
            _ => {}
        }
    }
    if found.len() > 1 {
        let mut names: Vec<String> = found.iter().map(|(path, _)| path.display().to_string()).collect();
        names.sort();
        return Err(CollectionError::SeveralFiles { folder: folder.to_owned(), what: name.to_owned(), names }.into());
    }
    Ok(found.pop())
}
