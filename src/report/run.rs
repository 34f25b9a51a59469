//! The files of a finished run that a report is drawn from.

use std::path::{Path, PathBuf};

use limbeck_data::files::read_if_present;

use super::history::{History, read_histories};
use crate::error::Result;
use crate::measure::held_out::{self, HeldOutFigures};
use crate::summary::Summary;

/// The report's name in a run's folder.
pub const FILE: &str = "report.html";

/// A finished run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FinishedRun {
    /// The name, unique within a report.
    pub name: String,
    /// The models and their figures.
    pub summary: Summary,
    /// The figures of the held-out texts; older runs stored none.
    pub held_out: Option<HeldOutFigures>,
    /// The training curves of each stage.
    pub histories: Vec<History>,
    /// The resolved recipe.
    pub recipe: String,
}

impl FinishedRun {
    /// Reads the run in `folder`.
    ///
    /// # Errors
    /// No `summary.json`, or a file that does not hold what its name says. Any other file may be missing.
    pub fn read(folder: &Path) -> Result<Self> {
        let summary = Summary::open(folder)?;
        Ok(Self {
            name: summary.name.clone(),
            held_out: HeldOutFigures::read(&folder.join(held_out::FILE))?,
            histories: read_histories(&text(&folder.join("metrics.jsonl"))?),
            recipe: text(&folder.join("recipe.toml"))?,
            summary,
        })
    }
}

/// Reads several runs; runs of one name get their folders as names.
///
/// # Errors
/// As [`FinishedRun::read`].
pub fn read_all(folders: &[PathBuf]) -> Result<Vec<FinishedRun>> {
    let mut runs: Vec<FinishedRun> = folders.iter().map(|folder| FinishedRun::read(folder)).collect::<Result<_>>()?;
    let is_shared = |run: &FinishedRun| runs.iter().filter(|other| other.name == run.name).count() > 1;
    let shared: Vec<bool> = runs.iter().map(is_shared).collect();
    for ((run, folder), _) in runs.iter_mut().zip(folders).zip(shared).filter(|(_, shared)| *shared) {
        run.name = folder.display().to_string();
    }
    Ok(runs)
}

fn text(path: &Path) -> Result<String> {
    Ok(String::from_utf8_lossy(&read_if_present(path)?.unwrap_or_default()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_name_are_named_by_their_folders() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = ["one", "two", "three"].iter().map(|name| folder.path().join(name)).collect();
        for (path, name) in paths.iter().zip(["same", "same", "other"]) {
            Summary { name: name.into(), ..Summary::default() }.write(&path.join("summary.json")).unwrap();
        }
        let runs = read_all(&paths).unwrap();
        assert_eq!(runs[0].name, paths[0].display().to_string());
        assert_eq!((runs[1].name == runs[0].name, runs[2].name.as_str()), (false, "other"));
    }

    #[test]
    fn a_folder_without_a_summary_is_an_error_that_names_it() {
        let error = read_all(&[PathBuf::from("none")]).unwrap_err();
        assert!(error.to_string().contains("none") && error.hint().is_some(), "{error}");
    }
}
