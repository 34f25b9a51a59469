//! [`LeftOutFiles`]: the files of a folder that hold no text.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How many files of a folder hold no text, by the ending of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeftOutFiles {
    /// The files of each ending, such as `.pdf`; of no ending where the name has none.
    pub by_ending: BTreeMap<String, u64>,
}

impl LeftOutFiles {
    /// Counts the file at `path`.
    pub(super) fn count(&mut self, path: &Path) {
        let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy().to_ascii_lowercase()));
        *self.by_ending.entry(ending.unwrap_or_else(|| "no ending".to_owned())).or_default() += 1;
    }

    /// The number of files.
    pub fn total(&self) -> u64 {
        self.by_ending.values().sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_ending.is_empty()
    }

    /// The endings and their counts, the most frequent first: `.pdf 2, .doc 1`.
    pub(super) fn endings(&self) -> String {
        let mut counts: Vec<_> = self.by_ending.iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        counts.iter().map(|(ending, count)| format!("{ending} {count}")).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for LeftOutFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, endings) = (self.total(), self.endings());
        match total {
            1 => write!(f, "1 file that holds no text is left out ({endings})"),
            _ => write!(f, "{total} files that hold no text are left out ({endings})"),
        }
    }
}
