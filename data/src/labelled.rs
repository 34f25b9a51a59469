//! [`LabelledSet`]: texts with labels, in two parts: one to learn the classes from, one to test on.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::text::{ReadOptions, TableReader, TextError, tables_named};

/// Texts and their labels, one `Vec` a column, both of one length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelledTexts {
    /// The texts, unchanged.
    pub texts: Vec<String>,
    /// Each text's label, never empty.
    pub labels: Vec<String>,
}

/// A data set of classes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelledSet {
    /// The name of its folder.
    pub name: String,
    /// The texts to learn from.
    pub training: LabelledTexts,
    /// The texts to test on.
    pub test: LabelledTexts,
    /// What the test has and training lacks.
    pub unseen: UnseenLabels,
}

/// How many labels of the test part the training part lacks. No classifier finds them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnseenLabels {
    /// The number of labels.
    pub labels: usize,
    /// The number of test texts that have these labels.
    pub texts: usize,
}

/// The names of columns of texts. Of several in a file, the first of this list is read.
const TEXTS: [&str; 4] = ["text", "sentence", "content", "question"];
/// The names of columns of labels. Of several in a file, the first of this list is read.
const LABELS: [&str; 6] = ["label", "label_text", "labels", "category", "intent", "class"];

impl LabelledTexts {
    /// The number of texts.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no texts.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

impl LabelledSet {
    /// What the user should know of test labels that training lacks, if there are any.
    pub fn note(&self) -> Option<String> {
        let UnseenLabels { labels, texts } = self.unseen;
        let noun = |count, one: &'static str, several| if count == 1 { one } else { several };
        let (label, text) = (noun(labels, "label", "labels"), noun(texts, "text", "texts"));
        let all = self.test.len();
        (labels > 0).then(|| {
            format!("{}: {labels} {label} of {texts} test {text} of {all} not in training: never found", self.name)
        })
    }
}

/// Reads the tables `train` and `test` in `folder`, each a `.tsv`, `.csv`, `.jsonl`, `.json` or `.parquet` file, all
/// but the last also compressed. TSV has no quoting: a `"` is part of the text.
///
/// The texts are in the column `text`, or else `sentence`, `content` or `question`; the labels in `label`, or else
/// `label_text`, `labels`, `category`, `intent` or `class`, where both files have it. Labels are strings or numbers.
///
/// # Errors
/// The folder lacks one of the tables or has it in two formats, a column is missing, a row has more or fewer fields
/// than the first line, a label is blank, or a table has no rows. The error names file and line.
pub fn read(folder: &Path) -> Result<LabelledSet> {
    let options = ReadOptions::default();
    let [training, test] = [table_of(folder, "train")?, table_of(folder, "test")?];
    let tables = [TableReader::open(&training, &options)?, TableReader::open(&test, &options)?];
    let columns = [&TEXTS[..], &LABELS].map(|known| {
        let in_both = |name: &&&str| tables.iter().all(|table| table.names.iter().any(|column| column == **name));
        // Where no known column is in both files, the error names the file that lacks the usual one.
        known.iter().find(in_both).unwrap_or(&known[0]).to_string()
    });
    let [training_table, test_table] = tables;
    let training = rows_of(training_table, &training, &columns)?;
    let test = rows_of(test_table, &test, &columns)?;
    let known: HashSet<&String> = training.labels.iter().collect();
    let new: Vec<&String> = test.labels.iter().filter(|label| !known.contains(label)).collect();
    let unseen = UnseenLabels { labels: new.iter().collect::<HashSet<_>>().len(), texts: new.len() };
    let path = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(LabelledSet { name, training, test, unseen })
}

/// The table of this name in the folder.
fn table_of(folder: &Path, name: &'static str) -> Result<PathBuf> {
    let mut found = tables_named(folder, name)?;
    match &mut found[..] {
        [file] => Ok(std::mem::take(file)),
        [] => Err(TextError::NoPart { folder: folder.to_owned(), name }.into()),
        several => {
            let names = several.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
            Err(TextError::SeveralParts { folder: folder.to_owned(), names: names.collect() }.into())
        }
    }
}

/// The texts and labels of a table, under these two columns.
fn rows_of(table: TableReader, path: &Path, columns: &[String; 2]) -> Result<LabelledTexts> {
    let unit = table.unit();
    let mut read = LabelledTexts::default();
    for row in table.rows(columns, 1)? {
        let (number, fields) = row?;
        let mut fields = fields.into_iter();
        let [text, label] = std::array::from_fn(|_| fields.next().unwrap_or_default());
        let label = label.trim();
        if label.is_empty() {
            let what = format!("the label under `{}` is blank", columns[1]);
            return Err(TextError::Labelled { path: path.to_owned(), unit, number, what }.into());
        }
        read.labels.push(label.to_owned());
        read.texts.push(text);
    }
    if read.is_empty() { Err(TextError::Empty { path: path.to_owned() }.into()) } else { Ok(read) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::files::write_bytes;

    fn texts(rows: &[(&str, &str)]) -> LabelledTexts {
        let column = |of: fn(&(&str, &str)) -> String| rows.iter().map(of).collect();
        LabelledTexts { texts: column(|row| row.0.to_owned()), labels: column(|row| row.1.to_owned()) }
    }

    /// What is read from a folder with these files; an error without the folder's own path.
    fn read_files(files: &[(&str, &[u8])]) -> std::result::Result<LabelledSet, String> {
        let folder = tempfile::tempdir().unwrap();
        let set = folder.path().join("set");
        std::fs::create_dir(&set).unwrap();
        files.iter().for_each(|(name, content)| write_bytes(&set.join(name), content).unwrap());
        read(&set).map_err(|error| {
            assert!(error.hint().is_some(), "{error}");
            error.to_string().replace(&folder.path().display().to_string(), "")
        })
    }

    #[test]
    fn quotes_belong_to_the_text_and_columns_may_change_places() {
        let train: &[u8] = b"label\ttext\tmore\n0\t\"a\tx\n 1\t\t\n";
        let read = read_files(&[("train.tsv", train), ("test.tsv", b"text\tlabel\r\nb\"\t1 \r\n\n")]).unwrap();
        assert_eq!(read.training, texts(&[("\"a", "0"), ("", "1")]));
        assert_eq!((read.test, read.name.as_str()), (texts(&[("b\"", "1")]), "set"));
    }

    #[test]
    fn labels_are_strings_or_numbers_in_every_format() {
        let column = |array: ArrayRef, name: &'static str| (name, array);
        let batch = RecordBatch::try_from_iter([
            column(Arc::new(StringArray::from(vec!["a"])), "text"),
            column(Arc::new(Int64Array::from(vec![7])), "label"),
        ]);
        let batch = batch.unwrap();
        let mut parquet = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut parquet, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, b"text\tlabel\na\t7\n").unwrap();
        let packed = packed.finish().unwrap();
        let formats: [(&str, &[u8]); 6] = [
            ("train.parquet", &parquet),
            ("train.tsv.gz", &packed),
            ("train.csv", b"id,text,label\n1,\"a\",7\n"),
            ("train.jsonl", b"{\"label\": 7, \"text\": \"a\"}\n"),
            ("train.jsonl", b"{\"label\": \"7\", \"text\": \"a\"}\n"),
            ("train.json", b"[{\"label\": 7, \"text\": \"a\"}]"),
        ];
        for (name, content) in formats {
            let read = read_files(&[(name, content), ("test.csv", b"text,label\nb,7\n")]).unwrap();
            assert_eq!((read.training, read.test), (texts(&[("a", "7")]), texts(&[("b", "7")])), "{name}");
            assert_eq!(read.unseen, UnseenLabels::default());
        }
    }

    #[test]
    fn the_labels_are_read_from_a_column_that_both_files_have() {
        let train: &[u8] = b"sentence\tlabel\tlabel_text\na\t0\tgood\n";
        let read = read_files(&[("train.tsv", train), ("test.tsv", b"sentence\tlabel_text\nb\tgood\n")]).unwrap();
        assert_eq!((read.training, read.test), (texts(&[("a", "good")]), texts(&[("b", "good")])));
        let error = read_files(&[("train.tsv", train), ("test.tsv", b"sentence\tgrade\nb\tgood\n")]).unwrap_err();
        assert_eq!(error, "/set/test.tsv has no column `label`");
    }

    #[test]
    fn test_labels_that_training_lacks_are_counted_and_told() {
        let train: &[u8] = b"text\tlabel\na\tx\nb\ty\n";
        let test: &[u8] = b"text\tlabel\na\tz\nb\ty\nc\tz\nd\tw\n";
        let read = read_files(&[("train.tsv", train), ("test.tsv", test)]).unwrap();
        assert_eq!(read.unseen, UnseenLabels { labels: 2, texts: 3 });
        assert_eq!(read.note().unwrap(), "set: 2 labels of 3 test texts of 4 not in training: never found");
        assert_eq!(read_files(&[("train.tsv", train), ("test.tsv", train)]).unwrap().note(), None);
    }

    #[test]
    fn an_error_names_file_and_line() {
        let good: (&str, &[u8]) = ("test.tsv", b"text\tlabel\na\tx\n");
        let error = |content: &[u8]| read_files(&[("train.tsv", content), good]).unwrap_err();
        assert_eq!(error(b"text\tlabel\na\tx\nb\t \n"), "/set/train.tsv, line 3: the label under `label` is blank");
        assert_eq!(error(b"text\tlabel\na\tx\ty\n"), "/set/train.tsv, line 2: 3 fields where 2 belong");
        assert_eq!(error(b"text\tlabel\n"), "/set/train.tsv is empty");
        assert_eq!(error(b"words\tlabel\na\tx\n"), "/set/train.tsv has no column `text`");
    }

    #[test]
    fn a_folder_has_each_table_once() {
        let table: &[u8] = b"text\tlabel\na\tx\n";
        let error = read_files(&[("train.tsv", table), ("test.txt", table)]).unwrap_err();
        assert_eq!(error, "/set has no table `test`");
        let error = read_files(&[("train.tsv", table), ("train.csv.gz", table), ("test.tsv", table)]).unwrap_err();
        assert_eq!(error, "/set has `train.csv.gz`, `train.tsv`: which one is meant?");
    }
}
