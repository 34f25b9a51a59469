//! Texts that must not be trained on, because an evaluation set has them.

mod list;

use std::path::{Path, PathBuf};

use super::collection::{DocumentColumns, is_beir_folder, read_collection};
use super::pair_columns::PAIR_COLUMNS;
use super::table::TableReader;
use super::{HashSet64, ReadOptions, hash, read_texts, sentences, source};
use crate::collection::{find_queries, read_queries};
use crate::error::Result;

pub use self::list::write_exclusion_list;

/// A document is left out for a sentence of at least so many letters and digits: a shorter one, such as `Results.`,
/// stands in many that have nothing else in common.
const TELLING_LETTERS: usize = 20;

/// A set of texts, which are compared without case, punctuation and spaces.
#[derive(Default)]
pub(super) struct Exclusion(HashSet64);

impl Exclusion {
    /// Reads all texts of these files and folders, and each sentence of a text: documents and queries of a folder in
    /// BEIR's layout, both sentences of a file with the columns of a pair ([`PAIR_COLUMNS`]), the texts of any other
    /// file; and lists of hashes.
    pub(super) fn load(paths: &[PathBuf]) -> Result<Self> {
        let mut exclusion = Self::default();
        for path in paths {
            if list::is_list(path) {
                exclusion.0.extend(list::read(path)?);
            } else if is_beir_folder(path) {
                exclusion.add_collection(path)?;
            } else {
                exclusion.add_texts(path)?;
            }
        }
        Ok(exclusion)
    }

    fn add_collection(&mut self, folder: &Path) -> Result<()> {
        for document in read_collection(folder, &DocumentColumns::default(), None)? {
            let document = document?;
            self.add(&document.whole());
            self.add(&document.title);
            self.add(&document.text);
        }
        if let Some(queries) = find_queries(folder)? {
            read_queries(&queries)?.iter().for_each(|query| self.add(&query.text));
        }
        Ok(())
    }

    fn add_texts(&mut self, path: &Path) -> Result<()> {
        for file in source::files(path, None, &ReadOptions::default())?.files {
            let pair = pair_of(&file.path);
            for column in pair.map_or(vec![None], |(left, right)| vec![Some(left), Some(right)]) {
                for text in read_texts(&file.path, column, None)? {
                    self.add(&text?);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, text: &str) {
        self.0.extend(key(text));
        self.0.extend(sentences(text).filter_map(key));
    }

    /// Whether the set has `text`.
    pub(super) fn contains(&self, text: &str) -> bool {
        !self.0.is_empty() && key(text).is_some_and(|key| self.0.contains(&key))
    }

    /// Whether the set has the document, or a sentence of it that is long enough to tell.
    pub(super) fn contains_part_of(&self, document: &str) -> bool {
        let is_telling = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).nth(TELLING_LETTERS - 1).is_some();
        let has = |sentence: &str| is_telling(sentence) && self.contains(sentence);
        !self.0.is_empty() && (self.contains(document) || sentences(document).any(has))
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

    #[test]
    fn a_collection_gives_its_documents_their_sentences_and_its_queries() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| crate::files::write_bytes(&folder.path().join(name), text.as_bytes());
        let document = r#"{"_id": "1", "title": "On flow", "text": "The first sentence of a document. It has two."}"#;
        write("corpus.jsonl", document).unwrap();
        write("queries.jsonl", r#"{"_id": "2", "text": "how does it flow"}"#).unwrap();
        write("qrels/test.tsv", "query-id\tcorpus-id\tscore\n2\t1\t1\n").unwrap();
        let exclusion = Exclusion::load(&[folder.path().to_owned()]).unwrap();
        for text in ["On flow", "It has two", "How does it flow?", "The first sentence of a document"] {
            assert!(exclusion.contains(text), "{text}");
        }
        assert!(!exclusion.contains("2\t1\t1") && !exclusion.contains("corpus-id"));
        assert!(exclusion.contains_part_of("Another title. The first sentence of a document. And more."));
        assert!(!exclusion.contains_part_of("Another title. It has two. And more."));
    }
}
