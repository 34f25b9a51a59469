//! [`SourceCounts`]: what a source held that gave no text to train on.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::LeftOutFiles;

/// How many files and texts of a source were left out for what they are. Displayed, it is a line to tell the user where
/// [`SourceCounts::has_note`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCounts {
    /// The source's path, as the plan has it.
    pub path: PathBuf,
    /// Texts read: rows, or the sentences of documents that are split.
    pub read: u64,
    /// Texts and documents without any character but spaces.
    pub blank: u64,
    /// Texts longer than `max_chars`, and documents too long to be read.
    pub too_long: u64,
    /// Texts and documents among those to exclude, and documents with such a sentence.
    #[serde(default)]
    pub excluded: u64,
    /// Files in the folder that hold no text.
    pub no_text: LeftOutFiles,
}

impl SourceCounts {
    /// Whether there is something to tell.
    pub fn has_note(&self) -> bool {
        self.blank > 0 || self.too_long > 0 || self.excluded > 0 || !self.no_text.is_empty()
    }
}

impl fmt::Display for SourceCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = |count: u64| if count == 1 { "text" } else { "texts" };
        let mut notes = Vec::new();
        if !self.no_text.is_empty() {
            notes.push(self.no_text.to_string());
        }
        if self.blank > 0 {
            notes.push(format!("{} blank {}", self.blank, texts(self.blank)));
        }
        if self.too_long > 0 {
            notes.push(format!("{} {} longer than max_chars", self.too_long, texts(self.too_long)));
        }
        if self.excluded > 0 {
            notes.push(format!("{} {} to exclude", self.excluded, texts(self.excluded)));
        }
        write!(f, "{}: {}", self.path.display(), notes.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn one_is_told_as_one_and_several_as_several() {
        let mut counts = SourceCounts { path: "text/".into(), read: 9, ..SourceCounts::default() };
        assert!(!counts.has_note());
        counts.no_text.count(Path::new("a.pdf"));
        assert_eq!(counts.to_string(), "text/: 1 file that holds no text is left out (.pdf 1)");
        ["b.PDF", "c.doc", "README"].iter().for_each(|name| counts.no_text.count(Path::new(name)));
        (counts.blank, counts.too_long, counts.excluded) = (2, 1, 3);
        assert!(counts.has_note());
        assert_eq!(
            counts.to_string(),
            "text/: 4 files that hold no text are left out (.pdf 2, .doc 1, no ending 1); 2 blank texts; 1 text longer \
             than max_chars; 3 texts to exclude"
        );
    }
}
