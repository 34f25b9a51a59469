//! [`GradedPairs`]: two sentences and a grade of their similarity.

use std::path::Path;

use crate::error::Result;
use crate::text::{Encodings, TableReader, TextError};

/// Sentence pairs and their grades, one `Vec` a column, all of one length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GradedPairs {
    /// The first sentences.
    pub left: Vec<String>,
    /// The second sentences.
    pub right: Vec<String>,
    /// The grades, on the file's own scale, all finite.
    pub scores: Vec<f64>,
}

impl GradedPairs {
    /// Reads a `.tsv`, `.csv`, `.jsonl` or `.parquet` file, all but the last also with `.gz` after it. A file with
    /// another extension is read as TSV. The file has the columns `sentence1`, `sentence2` and `score`, in any order
    /// and among others. TSV has no quoting: a `"` is part of the sentence.
    ///
    /// # Errors
    /// A column is missing, a row has more or fewer fields than the first line, a grade is no finite number, a line
    /// within the file is empty, or the file has no pairs. The error names file and line.
    pub fn read(path: &Path) -> Result<Self> {
        let table = TableReader::open_or_tsv(path, &Encodings::default())?;
        let unit = table.unit();
        let mut pairs = Self::default();
        for row in table.rows(&["sentence1", "sentence2", "score"].map(str::to_owned), 2)? {
            let (number, fields) = row?;
            let mut fields = fields.into_iter();
            let [left, right, grade] = std::array::from_fn(|_| fields.next().unwrap_or_default());
            let score = grade.trim().parse::<f64>().ok().filter(|score| score.is_finite());
            pairs.scores.push(score.ok_or_else(|| {
                let what = format!("the score `{}` is no finite number", grade.trim());
                TextError::Pair { path: path.to_owned(), unit, number, what }
            })?);
            pairs.left.push(left);
            pairs.right.push(right);
        }
        if pairs.is_empty() { Err(TextError::Empty { path: path.to_owned() }.into()) } else { Ok(pairs) }
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};

    use super::*;
    use crate::files::write_bytes;

    fn read(content: &[u8]) -> std::result::Result<GradedPairs, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.tsv");
        write_bytes(&path, content).unwrap();
        GradedPairs::read(&path).map_err(|error| {
            assert!(error.hint().is_some());
            error.to_string().split_once("pairs.tsv").unwrap().1.to_owned()
        })
    }

    #[test]
    fn quotes_belong_to_the_sentence_and_columns_may_change_places() {
        let pairs =
            read(b"\xef\xbb\xbfscore\tsentence2\tsentence1\tmore\r\n 4.5\tb\"\t\"a\tx\r\n0\t\"\t\t\r\n\n").unwrap();
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
        assert_eq!(GradedPairs::read(&path).unwrap().len(), 1);
    }

    #[test]
    fn every_format_gives_the_same_pairs() {
        let folder = tempfile::tempdir().unwrap();
        let columns: [(&str, ArrayRef); 3] = [
            ("sentence1", Arc::new(StringArray::from(vec!["a, b", "c"]))),
            ("sentence2", Arc::new(StringArray::from(vec!["d", "e"]))),
            ("score", Arc::new(Float64Array::from(vec![0.2, 1.0]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let parquet = writer.into_inner().unwrap();
        let lines = "{\"sentence1\": \"a, b\", \"sentence2\": \"d\", \"score\": 0.2}\n\
                     {\"sentence1\": \"c\", \"sentence2\": \"e\", \"score\": 1}\n";
        let tsv = "sentence1\tsentence2\tscore\na, b\td\t0.2\nc\te\t1\n";
        let csv = "score,sentence1,sentence2\n0.2,\"a, b\",d\n1.0,c,e\n";
        let files: [(&str, &[u8]); 5] = [
            ("a.tsv", tsv.as_bytes()),
            ("a.txt", tsv.as_bytes()),
            ("a.csv", csv.as_bytes()),
            ("a.jsonl", lines.as_bytes()),
            ("a.parquet", &parquet),
        ];
        for (name, content) in files {
            let path = folder.path().join(name);
            write_bytes(&path, content).unwrap();
            let pairs = GradedPairs::read(&path).unwrap();
            assert_eq!((pairs.left.concat(), pairs.right.concat()), ("a, bc".into(), "de".into()), "{name}");
            assert_eq!(pairs.scores, [0.2, 1.0], "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let header = "sentence1\tsentence2\tscore\n";
        let with = |line: &str| read(format!("{header}a\tb\t1\n{line}").as_bytes()).unwrap_err();
        assert_eq!(with("a\tb\n"), ", line 3: 2 fields where 3 belong");
        assert_eq!(with("a\tb\tgood\n"), ", line 3: the score `good` is no finite number");
        assert_eq!(with("a\tb\tNaN\n"), ", line 3: the score `NaN` is no finite number");
        assert_eq!(with("\na\tb\t1\n"), ", line 3: 0 fields where 3 belong");
        assert_eq!(read(b"a\tsentence2\nx\ty\n").unwrap_err(), " has no column `sentence1`");
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
            assert_eq!(GradedPairs::read(&sets.join(set).with_extension("test.tsv")).unwrap().len(), rows);
        }
    }
}
