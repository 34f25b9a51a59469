//! Sentences that must not be trained on, because an evaluation set has them.

use std::path::{Path, PathBuf};

use super::pair_columns::PAIR_COLUMNS;
use super::table::TableReader;
use super::{HashSet64, ReadOptions, hash, read_texts, source};
use crate::error::Result;

/// A set of texts, which are compared without case, punctuation and spaces.
#[derive(Default)]
pub(super) struct Exclusion(HashSet64);

impl Exclusion {
    /// Reads files or folders: both sentences of a file with the columns of a pair ([`PAIR_COLUMNS`]), the texts of any
    /// other file.
    pub(super) fn load(paths: &[PathBuf]) -> Result<Self> {
        let mut exclusion = Self::default();
        let options = ReadOptions::default();
        let files = paths.iter().map(|path| Ok(source::files(path, None, &options)?.files));
        for file in files.collect::<Result<Vec<_>>>()?.concat() {
            let pair = pair_of(&file.path);
            for column in pair.map_or(vec![None], |(left, right)| vec![Some(left), Some(right)]) {
                for text in read_texts(&file.path, column, None)? {
                    exclusion.0.extend(key(&text?));
                }
            }
        }
        Ok(exclusion)
    }

    /// Whether the set has `text`.
    pub(super) fn contains(&self, text: &str) -> bool {
        !self.0.is_empty() && key(text).is_some_and(|key| self.0.contains(&key))
    }
}

/// The columns of a file of pairs. A file that cannot be opened is reported when its texts are read.
fn pair_of(path: &Path) -> Option<(&'static str, &'static str)> {
    let table = TableReader::open(path, &ReadOptions::default()).ok()?;
    let has = |wanted: &str| table.names.iter().any(|name| name == wanted);
    PAIR_COLUMNS.into_iter().find(|(left, right)| has(left) && has(right))
}

/// The hash of a text's letters and digits in lower case; `None` for a text without any.
fn key(text: &str) -> Option<u64> {
    let mut letters = String::with_capacity(text.len());
    letters.extend(text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase));
    (!letters.is_empty()).then(|| hash(&letters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_punctuation_and_spaces_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let (pairs, lines) = (folder.path().join("sts.tsv"), folder.path().join("more.txt"));
        let (csv, json) = (folder.path().join("sts.csv"), folder.path().join("strings.jsonl"));
        std::fs::write(&csv, "score,sentence1,sentence2\n1,Of a,CSV\n").unwrap();
        std::fs::write(&json, "\"no object\"\n").unwrap();
        std::fs::write(&pairs, "sentence1\tsentence2\tscore\nA man \"plays\".\tÉté comes\t1\n").unwrap();
        std::fs::write(&lines, "One more\n!!!\n").unwrap();
        let exclusion = Exclusion::load(&[pairs, lines, csv, json]).unwrap();
        for text in ["a man plays", "AMAN PLAYS!", "été, comes", "one-more", "of a", "csv", "no object"] {
            assert!(exclusion.contains(text), "{text}");
        }
        for text in ["a man play", "sentence1", "1", "!!!", "", "?"] {
            assert!(!exclusion.contains(text), "{text}");
        }
    }
}
