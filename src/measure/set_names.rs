//! Names of evaluation sets, from their files.

use std::path::{Path, PathBuf};

use limbeck_data::text::bare_name;

use crate::error::{Error, Result};

/// The names of the sets in `files`: the file's name without its format (`.tsv`, `.csv.gz` …). Where two would have one
/// name, folders are put before it, as many as it takes: `en/STSB.test` and `zh/STSB.test`. Where two files of one
/// folder differ in the format alone, they keep it.
///
/// # Errors
/// The same file given twice.
pub fn set_names(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut parts: Vec<Vec<String>> = files.iter().map(|file| parts_of(file)).collect();
    let mut depths = vec![1; files.len()];
    loop {
        let names: Vec<String> = parts.iter().zip(&depths).map(|(parts, &depth)| name_of(parts, depth)).collect();
        let twins = |at: usize| (0..names.len()).filter(|&other| names[other] == names[at]).collect::<Vec<_>>();
        let Some(twins) = (0..names.len()).map(twins).find(|twins| twins.len() > 1) else {
            return Ok(names);
        };
        let (longer, _): (Vec<usize>, Vec<usize>) = twins.iter().partition(|&&twin| depths[twin] < parts[twin].len());
        longer.iter().for_each(|&twin| depths[twin] += 1);
        if !longer.is_empty() {
            continue;
        }
        let place = |at: usize| std::path::absolute(&files[at]).unwrap_or_else(|_| files[at].clone());
        if place(twins[0]) == place(twins[1]) {
            return Err(Error::Twice { path: files[twins[1]].clone() });
        }
        let before = parts.clone();
        for &twin in &twins {
            let whole = files[twin].file_name().map(|name| name.to_string_lossy().into_owned());
            parts[twin].pop();
            parts[twin].extend(whole);
            depths[twin] = 1;
        }
        if parts == before {
            twins.iter().for_each(|&twin| parts[twin] = vec![files[twin].display().to_string()]);
        }
    }
}

/// The folders and the name of a file, without its format.
fn parts_of(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file
        .components()
        .filter_map(|component| match component {
            std::path::Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    if let Some(name) = parts.last_mut() {
        *name = bare_name(file);
    }
    parts
}

fn name_of(parts: &[String], depth: usize) -> String {
    parts[parts.len().saturating_sub(depth)..].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[&str]) -> Result<Vec<String>> {
        set_names(&files.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_set_has_the_name_of_its_file_and_its_folders_where_two_collide() {
        assert_eq!(
            names(&["/d/en/STSB.test.tsv", "/d/zh/STSB.test.tsv.gz", "/d/en/STS12.test.tsv"]).unwrap(),
            ["en/STSB.test", "zh/STSB.test", "STS12.test"]
        );
        assert_eq!(names(&["a/x/s.tsv", "b/x/s.tsv", "s.tsv"]).unwrap(), ["a/x/s", "b/x/s", "s"]);
        assert_eq!(names(&["plain", "../up.tsv"]).unwrap(), ["plain", "up"]);
        assert!(names(&[]).unwrap().is_empty());
        assert_eq!(names(&["s.parquet", "x/t.csv"]).unwrap(), ["s", "t"]);
    }

    #[test]
    fn files_that_differ_in_their_format_alone_keep_it() {
        assert_eq!(names(&["s.parquet", "s.csv", "s.tsv.gz"]).unwrap(), ["s.parquet", "s.csv", "s.tsv.gz"]);
        assert_eq!(names(&["s", "s.tsv"]).unwrap(), ["s", "s.tsv"]);
        assert_eq!(names(&["a/s.csv", "a/s.tsv", "b/s.tsv"]).unwrap(), ["s.csv", "s.tsv", "b/s"]);
    }

    #[test]
    fn the_same_folder_name_elsewhere_is_told_apart_by_the_whole_path() {
        assert_eq!(names(&["../a/s.tsv", "a/s.tsv"]).unwrap(), ["../a/s.tsv", "a/s.tsv"]);
    }

    #[test]
    fn the_same_file_twice_is_an_error() {
        assert!(matches!(names(&["a/s.tsv", "./a/s.tsv"]), Err(Error::Twice { .. })));
    }
}
