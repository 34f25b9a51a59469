//! What can be wrong with text.

use std::path::PathBuf;

use crate::error::{OTHER_CODEC, is_of_other_codec};

/// What can be wrong with a text file, a file of graded pairs or of training examples, or a plan for
/// text.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// Bytes that are no text in the encoding they should be in.
    #[error("{}{}: not valid {encodings}", path.display(), place(*line, *byte))]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// The line, from 1; none for a document.
        line: Option<u64>,
        /// The first bad byte of that line or document, from 1, where it's known.
        byte: Option<usize>,
        /// The encodings tried.
        encodings: String,
        /// Whether it begins with the mark of UTF-16.
        utf16: bool,
    },
    /// A label that no encoding has.
    #[error("unknown encoding `{label}`")]
    UnknownEncoding {
        /// The label given.
        label: String,
    },
    /// An encoding that can't stand beside others, since its lines end in other bytes.
    #[error("the encoding `{label}` can't be one of several")]
    EncodingAlone {
        /// The label given.
        label: String,
    },
    /// A file without any text.
    #[error("{} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line (or record) longer than what is taken for text.
    #[error("{}, line {line}: longer than {limit} bytes", path.display())]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// The most bytes a line may have.
        limit: usize,
    },
    /// A document larger than what is taken for text.
    #[error("the document {} is longer than {limit} bytes", path.display())]
    DocumentTooLong {
        /// The file.
        path: PathBuf,
        /// The most bytes a document may have.
        limit: usize,
    },
    /// No column of that name.
    #[error("{} has no column `{column}`", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        column: String,
        /// The names there are.
        columns: Vec<String>,
    },
    /// Several columns, and none named.
    #[error("{} has several columns and none is named `text`", path.display())]
    WhichColumn {
        /// The file.
        path: PathBuf,
        /// The names there are.
        columns: Vec<String>,
    },
    /// A line or record with more or fewer fields than the first.
    #[error("{}, line {line}: {found} fields where {wanted} belong", path.display())]
    Ragged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// How many fields it has.
        found: u64,
        /// How many the first line has.
        wanted: u64,
    },
    /// A line of a `.jsonl` file that isn't JSON.
    #[error("{}, line {line}: no JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A line of a `.jsonl` file without text where it should be.
    #[error("{}, line {line}: {found}", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What stands there instead.
        found: String,
    },
    /// A `.csv` file that can't be read.
    #[error("{}, line {line}: bad CSV: {what}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// Why.
        what: String,
    },
    /// A Parquet file that can't be read or written.
    #[error("cannot {operation} the Parquet file {}", path.display())]
    Parquet {
        /// `read` or `write`.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A Parquet column that holds no strings, or a file that isn't one that [`super::prepare`] wrote.
    #[error("{}: the column `{column}` holds {found}, not {wanted}", path.display())]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The type it has.
        found: String,
        /// The type it should have.
        wanted: &'static str,
    },
    /// A file whose extension says nothing.
    #[error("{}: unknown kind of text file", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A folder without text files.
    #[error("no text file in the folder {}", path.display())]
    NoFiles {
        /// The folder.
        path: PathBuf,
    },
    /// A file of another kind where documents were expected.
    #[error("{}: only .txt files can be documents", path.display())]
    NoDocument {
        /// The file.
        path: PathBuf,
    },
    /// A setting that makes no sense.
    #[error("`{name}` is {value}: {why}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What's wrong with it.
        why: &'static str,
    },
    /// Nothing left to train on.
    #[error("no text is left to train on: {counts}")]
    NothingLeft {
        /// What became of all that was read.
        counts: String,
    },
    /// A row of a file of graded pairs that can't be used.
    #[error("{}, {unit} {number}: {what}", path.display())]
    Pair {
        /// The file.
        path: PathBuf,
        /// What `number` counts: `line`, or `row` of a Parquet file.
        unit: &'static str,
        /// Counted from 1.
        number: u64,
        /// What's wrong.
        what: String,
    },
    /// A row of a file of training examples that can't be used.
    #[error("{}, {unit} {number}: {what}", path.display())]
    Example {
        /// The file.
        path: PathBuf,
        /// What `number` counts: `line`, or `row` of a Parquet file.
        unit: &'static str,
        /// Counted from 1.
        number: u64,
        /// What's wrong.
        what: String,
    },
    /// A file whose header doesn't tell which columns make an example.
    #[error("{}: no columns known to make training examples", path.display())]
    WhichExamples {
        /// The file.
        path: PathBuf,
        /// The names there are.
        columns: Vec<String>,
    },
    /// A file of plain lines where columns are needed.
    #[error("{}: plain lines have no columns", path.display())]
    NoTable {
        /// The file.
        path: PathBuf,
    },
    /// A file of training examples of which none is left.
    #[error("{}: no training example is left: {counts}", path.display())]
    NoExamples {
        /// The file.
        path: PathBuf,
        /// What became of its rows.
        counts: String,
    },
}

fn place(line: Option<u64>, byte: Option<usize>) -> String {
    let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
    let byte = byte.map(|byte| format!(", byte {byte}")).unwrap_or_default();
    line + &byte
}

impl TextError {
    /// What the user could do next, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Undecodable { utf16: true, .. } => {
                "it begins like UTF-16: name the source's encoding, `utf-16le` or `utf-16be`".into()
            }
            Self::Undecodable { .. } => "name the source's encoding, for instance `windows-1252`, or \
                 `utf-8,windows-1252` where only some lines or files aren't UTF-8"
                .into(),
            Self::UnknownEncoding { .. } => {
                "any label of the WHATWG encoding standard serves: utf-8, windows-1252, gb18030, shift_jis, utf-16le"
                    .into()
            }
            Self::EncodingAlone { .. } => "name it alone".into(),
            Self::Empty { .. } => "there is nothing to read in it: leave it out, or write it anew".into(),
            Self::LineTooLong { .. } => "a text a line is expected: is this a text file, with line ends? In CSV, is a \
                 quote left open? Whole documents, one a file, are for a recipe's sources (`unit = \"file\"`)"
                .into(),
            Self::DocumentTooLong { .. } => "cut it into several files, or read it a text a line".into(),
            Self::NoColumn { columns, .. } => format!("its columns are: {}", columns.join(", ")),
            Self::WhichColumn { columns, .. } => {
                format!("name the column with the text; there are: {}", columns.join(", "))
            }
            Self::Ragged { .. } => {
                "each line needs as many fields as the first: in TSV no field can hold a tab, in CSV one with a \
                 comma needs quotes around it"
                    .into()
            }
            Self::Json { .. } | Self::NoText { .. } => {
                "each line is a JSON string, or an object with the text under `text` or the column named".into()
            }
            Self::UnknownFormat { .. } => {
                "known are .txt, .jsonl, .ndjson, .tsv, .csv and .parquet, and each but the last with .gz after it"
                    .into()
            }
            Self::NoFiles { .. } => {
                "text files end in .txt, .jsonl, .ndjson, .tsv, .csv or .parquet (or .gz after it)".into()
            }
            Self::NoDocument { .. } => "read other files a text a row (`unit = \"line\"`)".into(),
            Self::NothingLeft { .. } => "look at the counts: more text, other lengths, or fewer exclusions".into(),
            Self::Pair { .. } => {
                "graded pairs have the columns sentence1, sentence2 and score; TSV has no quoting".into()
            }
            Self::Example { .. } => "each row holds its sentences and, where there is one, a label: `entailment`, \
                 `neutral`, `contradiction`, 0 or 1, or a grade from 0 to 5; TSV has no quoting"
                .into(),
            Self::WhichExamples { columns, .. } => format!(
                "name the columns (anchor, positive), or call them premise, entailment, contradiction, or anchor, \
                 positive, negative, or sentence1, sentence2, label; there are: {}",
                columns.join(", ")
            ),
            Self::NoTable { .. } => {
                "columns are in .tsv, .csv, .jsonl and .parquet files; for plain lines name none".into()
            }
            Self::NoExamples { .. } => {
                "only rows with the label `entailment` or 1, or a grade of at least 4 of 5, are \
                 positive examples"
                    .into()
            }
            Self::Csv { .. } => "a field with quotes in it stands in quotes, and each quote in it twice".into(),
            Self::Parquet { source, .. } if is_of_other_codec(source) => OTHER_CODEC.into(),
            Self::Parquet { .. } | Self::ColumnType { .. } | Self::Setting { .. } => return None,
        };
        Some(hint)
    }
}
