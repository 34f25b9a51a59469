//! Graded sentence pairs: two sentences and how alike they are.

use std::path::Path;

use crate::error::Result;
use crate::text::{Encodings, Lines, TextError};

/// Graded pairs, a vector a column, all of one length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pairs {
    /// The first sentences.
    pub left: Vec<String>,
    /// The second sentences.
    pub right: Vec<String>,
    /// The grades, on the file's own scale: finite.
    pub scores: Vec<f64>,
}

impl Pairs {
    /// Reads a `.tsv` file, gzip too, whose first line names the columns `sentence1`, `sentence2` and `score`, in any
    /// order and among others. Tabs stand between the fields and there is no quoting: a `"` is part of the sentence.
    ///
    /// A column missing, a field missing, a grade that is no finite number, and a file without pairs are errors that name
    /// file and line. An empty line is an error too, but at the file's end.
    pub fn read(path: &Path) -> Result<Self> {
        let mut lines = Lines::open(path, &Encodings::default())?;
        let bad = |line: u64, what: String| TextError::Pair { path: path.to_owned(), line, what };
        let Some(header) = lines.next_line()? else {
            return Err(TextError::Empty { path: path.to_owned() }.into());
        };
        let names: Vec<_> = header.split('\t').map(|name| name.trim().to_owned()).collect();
        let column = |wanted: &str| {
            let place = names.iter().position(|name| name == wanted);
            place.ok_or_else(|| bad(1, format!("no column `{wanted}`; there are: {}", names.join(", "))))
        };
        let (left, right, score) = (column("sentence1")?, column("sentence2")?, column("score")?);

        let mut pairs = Self::default();
        let mut empty_line = None;
        loop {
            let line = lines.line() + 1;
            let Some(text) = lines.next_line()? else { break };
            if let Some(line) = empty_line {
                return Err(bad(line, "an empty line".into()).into());
            }
            if text.is_empty() {
                empty_line = Some(line);
                continue;
            }
            let fields: Vec<_> = text.split('\t').collect();
            let field = |index: usize| {
                let found = fields.get(index).copied();
                found.ok_or_else(|| bad(line, format!("{} fields where {} belong", fields.len(), names.len())))
            };
            let (left, right, grade) = (field(left)?, field(right)?, field(score)?.trim());
            let score = grade.parse::<f64>().ok().filter(|score| score.is_finite());
            pairs.scores.push(score.ok_or_else(|| bad(line, format!("the score `{grade}` is no finite number")))?);
            pairs.left.push(left.to_owned());
            pairs.right.push(right.to_owned());
        }
        if pairs.is_empty() { Err(TextError::Empty { path: path.to_owned() }.into()) } else { Ok(pairs) }
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::files::write_bytes;

    fn read(content: &[u8]) -> std::result::Result<Pairs, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.tsv");
        write_bytes(&path, content).unwrap();
        Pairs::read(&path).map_err(|error| {
            assert!(error.hint().is_some());
            error.to_string().split_once("pairs.tsv").unwrap().1.to_owned()
        })
    }

    #[test]
    fn quotes_belong_to_the_sentence_and_columns_may_change_places() {
        let pairs =
            read(b"\xef\xbb\xbfscore\tsentence2\tsentence1\tmore\r\n4.5\tb\"\t\"a\tx\r\n0\t\"\t\t\r\n").unwrap();
        assert_eq!(pairs.left, ["\"a", ""]);
        assert_eq!(pairs.right, ["b\"", "\""]);
        assert_eq!(pairs.scores, [4.5, 0.0]);
    }

    #[test]
    fn a_gzip_file_reads_like_the_plain_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.tsv.gz");
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        writer.write_all(b"sentence1\tsentence2\tscore\na\tb\t1\n").unwrap();
        writer.finish().unwrap();
        assert_eq!(Pairs::read(&path).unwrap().len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let header = "sentence1\tsentence2\tscore\n";
        let with = |line: &str| read(format!("{header}a\tb\t1\n{line}").as_bytes()).unwrap_err();
        assert_eq!(with("a\tb\n"), ", line 3: 2 fields where 3 belong");
        assert_eq!(with("a\tb\tgood\n"), ", line 3: the score `good` is no finite number");
        assert_eq!(with("a\tb\tNaN\n"), ", line 3: the score `NaN` is no finite number");
        assert_eq!(with("\na\tb\t1\n"), ", line 3: an empty line");
        assert_eq!(
            read(b"a\tsentence2\nx\ty\n").unwrap_err(),
            ", line 1: no column `sentence1`; there are: a, sentence2"
        );
        assert_eq!(read(b"").unwrap_err(), " is empty");
        assert_eq!(read(header.as_bytes()).unwrap_err(), " is empty");
        let error = read(b"sentence1\tsentence2\tscore\na\xff\tb\t1\n").unwrap_err();
        assert_eq!(error, ", line 2, byte 2: not valid UTF-8");
    }

    #[test]
    fn the_shared_sets_have_their_pairs() {
        let shared = std::env::var("LIMBECK_SHARED")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").to_owned());
        let sets = Path::new(&shared).join("data/sts/en");
        if !sets.is_dir() {
            eprintln!("skipped: {} is missing", sets.display());
            return;
        }
        for (set, rows) in [("STS12.test", 3108), ("STS14.test", 3750), ("STS15.test", 3000), ("STSB.test", 1379)] {
            assert_eq!(Pairs::read(&sets.join(set).with_extension("test.tsv")).unwrap().len(), rows);
        }
    }
}
