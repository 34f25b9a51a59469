//! [`GradedPairs`]: two sentences and a grade of their similarity.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::text::{PAIR_COLUMNS, ReadOptions, TableReader, TextError};

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

/// Names of the columns of graded pairs. Columns that are not named are found by the header, as [`GradedPairs::read`]
/// says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StsColumns {
    /// The first sentences; named together with `right`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
    /// The second sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<String>,
    /// The grades.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
}

/// The names of columns of grades beside `score`.
const SCORES: [&str; 4] = ["similarity_score", "similarity", "relatedness_score", "label"];

impl StsColumns {
    /// Finds left, right and score in a file whose columns have these names.
    fn find(&self, path: &Path, names: &[String]) -> Result<[String; 3]> {
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        let no_column = |column: &str| {
            let (path, column, columns) = (path.to_owned(), column.to_owned(), names.to_vec());
            TextError::NoColumn { path, column, columns }
        };
        let which = |columns: Vec<&str>| {
            let columns = columns.into_iter().map(str::to_owned).collect();
            TextError::WhichPairs { path: path.to_owned(), columns }
        };
        let (left, right) = match (&self.left, &self.right) {
            (Some(left), Some(right)) => (left.clone(), right.clone()),
            (None, None) => {
                let found: Vec<_> = PAIR_COLUMNS.into_iter().filter(|(left, right)| has(left) && has(right)).collect();
                match found[..] {
                    [(left, right)] => (left.to_owned(), right.to_owned()),
                    [] => return Err(no_column(if has("sentence1") { "sentence2" } else { "sentence1" }).into()),
                    _ => return Err(which(found.into_iter().flat_map(|(left, right)| [left, right]).collect()).into()),
                }
            }
            (Some(left), None) => {
                let why = "the column `right` has to be named too";
                return Err(TextError::Setting { name: "left", value: left.clone(), why }.into());
            }
            (None, Some(right)) => {
                let why = "the column `left` has to be named too";
                return Err(TextError::Setting { name: "right", value: right.clone(), why }.into());
            }
        };
        let score = match &self.score {
            Some(score) => score.clone(),
            None if has("score") => "score".to_owned(),
            // Copies of SICK have the words of inference, numbered, under `label`.
            None if left == "sentence_A" && has("relatedness_score") => "relatedness_score".to_owned(),
            None => match SCORES.into_iter().filter(|name| has(name)).collect::<Vec<_>>()[..] {
                [score] => score.to_owned(),
                [] => return Err(no_column("score").into()),
                ref several => return Err(which(several.to_vec()).into()),
            },
        };
        Ok([left, right, score])
    }
}

impl GradedPairs {
    /// Reads a `.tsv`, `.csv`, `.jsonl`, `.json` or `.parquet` file, all but the last also compressed. A file with
    /// another extension is read as TSV. TSV has no quoting: a `"` is part of the sentence.
    ///
    /// The sentences are in the columns `sentence1` and `sentence2`, or `sentence_A` and `sentence_B` (SICK),
    /// `question1` and `question2`, `#1 String` and `#2 String`; the grades are under `score`, or else
    /// `relatedness_score`, `similarity_score`, `similarity` or `label`. The columns may stand in any order and among
    /// others.
    ///
    /// # Errors
    /// A column is missing, several could be meant, a row has more or fewer fields than the first line, a grade is no
    /// finite number, a line within the file is empty, or the file has no pairs. The error names file and line.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_columns(path, &StsColumns::default())
    }

    /// As [`GradedPairs::read`], with the columns that `columns` names.
    pub fn read_columns(path: &Path, columns: &StsColumns) -> Result<Self> {
        let table = TableReader::open_or_tsv(path, &ReadOptions::default())?;
        let unit = table.unit();
        let columns = columns.find(path, &table.names)?;
        let mut pairs = Self::default();
        for row in table.rows(&columns, 2)? {
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
    fn the_names_of_sick_and_glue_are_known_in_every_format() {
        let folder = tempfile::tempdir().unwrap();
        let sick = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n1\ta\tb\t4.5\tNEUTRAL\n";
        let mut files = vec![
            ("sick.tsv", sick.to_owned()),
            ("sick.csv", "id,sentence_A,sentence_B,label,relatedness_score\n1,a,b,1,4.5\n".to_owned()),
            ("glue.tsv", "index\tgenre\tsentence1\tsentence2\tscore\n0\tx\ta\tb\t4.5\n".to_owned()),
            ("both.csv", "sentence1,sentence2,label,score\na,b,1,4.5\n".to_owned()),
        ];
        for name in ["similarity_score", "similarity", "label", "relatedness_score"] {
            let object = format!("{{\"{name}\": 4.5, \"sentence1\": \"a\", \"sentence2\": \"b\", \"idx\": 3}}\n");
            files.push(("glue.jsonl", object));
        }
        for (name, content) in files {
            let path = folder.path().join(name);
            write_bytes(&path, content.as_bytes()).unwrap();
            let pairs = GradedPairs::read(&path).unwrap();
            let expected = GradedPairs { left: vec!["a".into()], right: vec!["b".into()], scores: vec![4.5] };
            assert_eq!(pairs, expected, "{content}");
        }
    }

    #[test]
    fn a_header_with_several_grades_or_pairs_is_an_error_that_names_them() {
        let error = read(b"sentence1\tsentence2\tsimilarity\tlabel\na\tb\t1\t0\n").unwrap_err();
        assert_eq!(error, ": which columns hold the graded pairs: `similarity`, `label`?");
        let error = read(b"sentence1\tsentence2\tsentence_A\tsentence_B\tscore\na\tb\tc\td\t1\n").unwrap_err();
        let all = "`sentence1`, `sentence2`, `sentence_A`, `sentence_B`";
        assert_eq!(error, format!(": which columns hold the graded pairs: {all}?"));
        assert_eq!(read(b"sentence1\tsentence2\tgrade\na\tb\t1\n").unwrap_err(), " has no column `score`");
    }

    #[test]
    fn columns_may_be_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tsv");
        write_bytes(&path, b"q\ta\tsimilarity\tlabel\tscore\nx\ty\t0.25\t0\t9\n").unwrap();
        let named = |left: Option<&str>, right: Option<&str>, score: Option<&str>| {
            let owned = |name: Option<&str>| name.map(str::to_owned);
            let columns = StsColumns { left: owned(left), right: owned(right), score: owned(score) };
            GradedPairs::read_columns(&path, &columns).map_err(|error| error.to_string())
        };
        let pairs = named(Some("q"), Some("a"), Some("similarity")).unwrap();
        assert_eq!((pairs.left[0].as_str(), pairs.right[0].as_str(), pairs.scores[0]), ("x", "y", 0.25));
        assert_eq!(named(Some("q"), Some("a"), None).unwrap().scores, [9.0]);
        assert!(named(Some("q"), Some("b"), None).unwrap_err().ends_with("a.tsv has no column `b`"));
        assert_eq!(named(Some("q"), None, None).unwrap_err(), "`left` is q: the column `right` has to be named too");
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
