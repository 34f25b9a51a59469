//! [`Problem`]: what is wrong with a section.

use std::path::{Path, PathBuf};

use limbeck_data::assets::Uri;

/// What is wrong with a section of a recipe; the recipe's path is added by [`super::super::Plan::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, its value and what is allowed.
    pub what: String,
    /// What to write instead, where that is known.
    pub hint: Option<String>,
}

/// The result of a section's check.
pub(crate) type Check<T = ()> = Result<T, Problem>;

/// A failed check.
pub(crate) fn problem<T>(what: impl Into<String>, hint: &str) -> Check<T> {
    Err(Problem { what: what.into(), hint: (!hint.is_empty()).then(|| hint.to_string()) })
}

/// Errors of our crates name the key, its value and what is allowed; they carry their own hints.
macro_rules! from_error {
    ($($error:ty),+) => {
        $(impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                Self { what: error.to_string(), hint: error.hint() }
            }
        })+
    };
}

from_error!(
    limbeck_data::Error,
    limbeck_fold::Error,
    limbeck_training::Error,
    limbeck_teacher::Error,
    limbeck_student::Error
);

/// Refuses the first of `files` that isn't there; `key` names the list in the recipe.
pub(crate) fn check_files(key: &str, files: &[PathBuf]) -> Check {
    check_there(key, files, "file", Path::is_file)
}

/// Refuses the first of `folders` that isn't there; `key` names the list in the recipe.
pub(crate) fn check_folders(key: &str, folders: &[PathBuf]) -> Check {
    check_there(key, folders, "folder", Path::is_dir)
}

fn check_there(key: &str, paths: &[PathBuf], what: &str, is_there: fn(&Path) -> bool) -> Check {
    for path in paths {
        match path.to_str().map(str::parse) {
            Some(Err(error)) => return problem(format!("{key}: {error}"), ""),
            // Fetched later.
            Some(Ok(Uri::Hub { .. } | Uri::DataSet { .. } | Uri::Web { .. } | Uri::Wheel { .. })) => {}
            Some(Ok(Uri::Path(_))) | None if is_there(path) => {}
            Some(Ok(Uri::Path(_))) | None => {
                return problem(format!("{key}: there is no {what} {}", path.display()), "");
            }
        }
    }
    Ok(())
}

/// Refuses a limit of 0.
pub(crate) fn check_limit(key: &str, limit: Option<usize>, hint: &str) -> Check {
    if limit == Some(0) { problem(format!("{key} is 0"), hint) } else { Ok(()) }
}
