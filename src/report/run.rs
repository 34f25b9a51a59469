//! What a report is drawn from.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use limbeck_data::Error as DataError;

use super::history::{History, read_histories};
use crate::error::Result;
use crate::evaluate::held_out::{self, HeldOutFigures};
use crate::summary::Summary;

/// The report's name in a run's folder.
pub const FILE: &str = "report.html";

/// A finished run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// Its name; no two runs of a report have the same.
    pub name: String,
    /// What it came to.
    pub summary: Summary,
    /// What was seen of its held-out texts; older runs stored nothing.
    pub held_out: Option<HeldOutFigures>,
    /// Its training, stage by stage.
    pub histories: Vec<History>,
    /// The resolved recipe.
    pub recipe: String,
}

impl Run {
    /// Reads the run in `folder`.
    ///
    /// # Errors
    /// Where there is no `summary.json`, or a file is not what it should be. Any other file may be missing.
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

/// Reads several runs; those of one name are told apart by their folders.
pub fn read_all(folders: &[PathBuf]) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> = folders.iter().map(|folder| Run::read(folder)).collect::<Result<_>>()?;
    let names: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
    for ((run, folder), name) in runs.iter_mut().zip(folders).zip(&names) {
        if names.iter().filter(|other| *other == name).count() > 1 {
            run.name = folder.display().to_string();
        }
    }
    Ok(runs)
}

fn text(path: &Path) -> Result<String> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(DataError::io("read", path)(error).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_name_are_told_apart_and_a_folder_without_a_summary_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = ["one", "two", "three"].iter().map(|name| folder.path().join(name)).collect();
        for (path, name) in paths.iter().zip(["same", "same", "other"]) {
            Summary { name: name.into(), ..Summary::default() }.write(&path.join("summary.json")).unwrap();
        }
        let runs = read_all(&paths).unwrap();
        assert_eq!(runs[0].name, paths[0].display().to_string());
        assert_eq!((runs[1].name == runs[0].name, runs[2].name.as_str()), (false, "other"));
        let error = read_all(&[folder.path().join("none")]).unwrap_err();
        assert!(error.to_string().contains("none") && error.hint().is_some(), "{error}");
    }
}
