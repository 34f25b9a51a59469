//! [`find_table`]: a file of a folder by its name.

use std::path::{Path, PathBuf};

use super::CollectionError;
use crate::error::Result;
use crate::text::{TextFormat, format_of, tables_named};

/// The file with columns right in `folder` that is called `name` but for its format; `None` without folder or file.
///
/// # Errors
/// Several such files, or a folder that cannot be read.
pub(super) fn find_table(folder: &Path, name: &str) -> Result<Option<(PathBuf, TextFormat)>> {
    if std::fs::metadata(folder).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let mut found = tables_named(folder, name)?;
    if found.len() > 1 {
        let names = found.iter().map(|path| path.display().to_string()).collect();
        return Err(CollectionError::SeveralFiles { folder: folder.to_owned(), what: name.to_owned(), names }.into());
    }
    Ok(found.pop().and_then(|path| format_of(&path).map(|format| (path, format))))
}

/// The file with the queries of the collection in `folder`; `None` where there is none.
///
/// # Errors
/// Several such files, or a folder that cannot be read.
pub(crate) fn find_queries(folder: &Path) -> Result<Option<PathBuf>> {
    Ok(find_table(folder, "queries")?.map(|(path, _)| path))
}
