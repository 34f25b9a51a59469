//! What can be wrong with text.

use std::path::PathBuf;

use miette::Diagnostic;

use super::Place;

/// What can be wrong with a text file, a file of graded pairs or of training examples, or a text plan.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum TextError {
    /// Bytes that are not valid in the expected encoding.
    #[error("{}{}: not valid {encodings}", path.display(), place_and_byte(*place, *byte))]
    #[diagnostic(help("{}", encoding_help(*utf16)))]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// The line or element; `None` for a document.
        place: Option<Place>,
        /// The first bad byte of that line, element or document, from 1, where it is known.
        byte: Option<usize>,
        /// The encodings tried.
        encodings: String,
        /// Whether the file begins with the byte order mark of UTF-16.
        utf16: bool,
    },
    /// A label that no encoding has.
    #[error("unknown encoding `{label}`")]
    #[diagnostic(help(
        "any label of the WHATWG encoding standard serves: utf-8, windows-1252, gb18030, shift_jis, utf-16le"
    ))]
    UnknownEncoding {
        /// The label given.
        label: String,
    },
    /// An encoding that cannot stand beside others, because its lines end in other bytes.
    #[error("the encoding `{label}` can't be one of several")]
    #[diagnostic(help("name it alone"))]
    EncodingAlone {
        /// The label given.
        label: String,
    },
    /// A file without any text.
    #[error("{} is empty", path.display())]
    #[diagnostic(help("there is nothing to read in it: leave it out, or write it anew"))]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line, record, element or row that is too long to be held in memory.
    #[error("{}, {place}: {bytes} bytes, more than the {limit} that a text may have", path.display())]
    #[diagnostic(help(
        "a text a line is expected: is this a text file, with line ends? In CSV, is a quote left open? Whole \
         documents, one a file, are for a recipe's sources (`unit = \"file\"`)"
    ))]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The line, element or row.
        place: Place,
        /// How many bytes it has.
        bytes: u64,
        /// The most bytes that it may have.
        limit: usize,
    },
    /// A document that is too long.
    #[error("the document {} is longer than {limit} bytes", path.display())]
    #[diagnostic(help("cut it into several files, or read it a text a line"))]
    DocumentTooLong {
        /// The file.
        path: PathBuf,
        /// The most bytes a document may have.
        limit: usize,
    },
    /// A column that the file does not have.
    #[error("{} has no column `{column}`", path.display())]
    #[diagnostic(help("its columns are: {}", columns.join(", ")))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        column: String,
        /// The file's columns.
        columns: Vec<String>,
    },
    /// No column was named, and the file has several.
    #[error("{} has several columns and none is named `text`", path.display())]
    #[diagnostic(help("name the column with the text; there are: {}", columns.join(", ")))]
    WhichColumn {
        /// The file.
        path: PathBuf,
        /// The file's columns.
        columns: Vec<String>,
    },
    /// A line or record with more or fewer fields than the first.
    #[error("{}, line {line}: {found} fields where {wanted} belong", path.display())]
    #[diagnostic(help(
        "each line needs as many fields as the first: in TSV no field can hold a tab, in CSV one with a comma needs \
         quotes around it"
    ))]
    Ragged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// How many fields it has.
        found: u64,
        /// How many fields the first line has.
        wanted: u64,
    },
    /// A line of JSON lines or an element of a JSON array that is not JSON.
    #[error("{}, {place}: no JSON", path.display())]
    #[diagnostic(help("{}", JSON_TEXTS))]
    Json {
        /// The file.
        path: PathBuf,
        /// The line or element.
        place: Place,
        /// The reason.
        #[source]
        source: serde_json::Error,
    },
    /// A line of JSON lines or an element of a JSON array without a text.
    #[error("{}, {place}: {found}", path.display())]
    #[diagnostic(help("{}", JSON_TEXTS))]
    NoText {
        /// The file.
        path: PathBuf,
        /// The line or element.
        place: Place,
        /// What stands there instead.
        found: String,
    },
    /// A `.csv` file that cannot be read.
    #[error("{}, line {line}: bad CSV: {what}", path.display())]
    #[diagnostic(help("a field with quotes in it stands in quotes, and each quote in it twice"))]
    Csv {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The reason.
        what: String,
    },
    /// A Parquet column of another type than is needed, or a file that [`super::prepare`] did not write.
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
    /// A file name whose extension is none of a text format.
    #[error("{}: unknown kind of text file", path.display())]
    #[diagnostic(help("known are {KNOWN_FORMATS}"))]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A list of hashes of texts that is damaged, or none.
    #[error("{} is no list of hashes of texts, or damaged", path.display())]
    #[diagnostic(help("make it anew: limbeck exclusion FOLDER --to {}", path.display()))]
    BrokenList {
        /// The file.
        path: PathBuf,
    },
    /// A list of hashes of texts under a name that would not be known for one.
    #[error("{}: the name of a list of hashes ends in .hashes", path.display())]
    #[diagnostic(help("write it to {}", path.with_extension("hashes").display()))]
    ListName {
        /// The file.
        path: PathBuf,
    },
    /// A folder without text files.
    #[error("no text file in the folder {}{}", path.display(), in_brackets(others))]
    #[diagnostic(help(
        "text files end in {KNOWN_FORMATS}; a .json file counts if its first text is a string, or under `text` or the \
         column named"
    ))]
    NoFiles {
        /// The folder.
        path: PathBuf,
        /// The other files there, by their endings.
        others: String,
    },
    /// A file of another format where documents are expected.
    #[error("{}: only .txt, .md, .markdown and .text files can be documents", path.display())]
    #[diagnostic(help("read other files a text a row (`unit = \"line\"`)"))]
    NoDocument {
        /// The file.
        path: PathBuf,
    },
    /// A setting out of range.
    #[error("`{name}` is {value}: {why}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with the value.
        why: &'static str,
    },
    /// No text is left to train on.
    #[error("no text is left to train on: {counts}")]
    #[diagnostic(help("look at the counts: more text, other lengths, or fewer exclusions"))]
    NothingLeft {
        /// How many texts were read and left out, and why.
        counts: String,
    },
    /// A row of graded pairs that cannot be used.
    #[error("{}, {unit} {number}: {what}", path.display())]
    #[diagnostic(help(
        "graded pairs have the columns sentence1, sentence2 and score, or others by name; TSV has no quoting"
    ))]
    Pair {
        /// The file.
        path: PathBuf,
        /// What `number` counts: `line`, `element` of a JSON array, or `row` of a Parquet file.
        unit: &'static str,
        /// The line or row, from 1.
        number: u64,
        /// What is wrong with the row.
        what: String,
    },
    /// A row of training examples that cannot be used.
    #[error("{}, {unit} {number}: {what}", path.display())]
    #[diagnostic(help(
        "each row holds its sentences and, where there is one, a label: `entailment`, `neutral`, `contradiction`, 0 \
         or 1, or a grade from 0 to 5; TSV has no quoting"
    ))]
    Example {
        /// The file.
        path: PathBuf,
        /// What `number` counts: `line`, `element` of a JSON array, or `row` of a Parquet file.
        unit: &'static str,
        /// The line or row, from 1.
        number: u64,
        /// What is wrong with the row.
        what: String,
    },
    /// A file whose header does not tell which columns make an example.
    #[error("{}: no columns known to make training examples", path.display())]
    #[diagnostic(help(
        "name the columns (anchor, positive), or call them premise, entailment, contradiction, or anchor, positive, \
         negative, or sentence1, sentence2, label; there are: {}",
        columns.join(", ")
    ))]
    WhichExamples {
        /// The file.
        path: PathBuf,
        /// The file's columns.
        columns: Vec<String>,
    },
    /// A column that may hold labels, of which nothing is known.
    #[error("{}: does `{}` say which rows are positive?", path.display(), columns.join("`, `"))]
    #[diagnostic(help(
        "name the column of labels among the columns (label = \"…\"), or read each row as positive (label = \"\")"
    ))]
    WhichLabel {
        /// The file.
        path: PathBuf,
        /// The columns whose names look like those of labels.
        columns: Vec<String>,
    },
    /// A file whose header has several columns that could be meant as those of graded pairs.
    #[error("{}: which columns hold the graded pairs: `{}`?", path.display(), columns.join("`, `"))]
    #[diagnostic(help("name the columns: left, right, score"))]
    WhichPairs {
        /// The file.
        path: PathBuf,
        /// The columns that could be meant.
        columns: Vec<String>,
    },
    /// A file of plain lines where columns are needed.
    #[error("{}: plain lines have no columns", path.display())]
    #[diagnostic(help("columns are in .tsv, .csv, .jsonl and .parquet files; for plain lines name none"))]
    NoTable {
        /// The file.
        path: PathBuf,
    },
    /// A row of a text and its label that cannot be used.
    #[error("{}, {unit} {number}: {what}", path.display())]
    #[diagnostic(help("each row holds a text and its label, a string or a number; TSV has no quoting"))]
    Labelled {
        /// The file.
        path: PathBuf,
        /// What `number` counts: `line`, `element` of a JSON array, or `row` of a Parquet file.
        unit: &'static str,
        /// The line or row, from 1.
        number: u64,
        /// What is wrong with the row.
        what: String,
    },
    /// A folder of labelled texts without one of its tables.
    #[error("{} has no table `{name}`", folder.display())]
    #[diagnostic(help(
        "a folder of labelled texts holds train and test, each as .tsv, .csv, .jsonl, .json or .parquet, with the \
         columns text and label"
    ))]
    NoPart {
        /// The folder.
        folder: PathBuf,
        /// The table's name.
        name: &'static str,
    },
    /// A folder of labelled texts with several files of one table.
    #[error("{} has `{}`: which one is meant?", folder.display(), names.join("`, `"))]
    #[diagnostic(help("keep one of them there"))]
    SeveralParts {
        /// The folder.
        folder: PathBuf,
        /// The files' names.
        names: Vec<String>,
    },
    /// A file of training examples of which none is left.
    #[error("{}: no training example is left: {counts}", path.display())]
    #[diagnostic(help(
        "only rows with the label `entailment` or 1, or a grade of at least 4 of 5, are positive examples"
    ))]
    NoExamples {
        /// The file.
        path: PathBuf,
        /// How many rows were left out, and why.
        counts: String,
    },
}

const JSON_TEXTS: &str = "each line, or element of an array, is a string, or an object with the text under `text` or \
                          the column named; of nested JSON, `**.text` names the strings called `text` at any depth";

const KNOWN_FORMATS: &str = ".txt, .md, .markdown, .text, .jsonl, .ndjson, .json, .tsv, .csv, .py and .parquet, and \
                             all but the last also with .gz, .zst, .bz2 or .xz after it";

fn encoding_help(utf16: bool) -> &'static str {
    match utf16 {
        true => "it begins like UTF-16: name the source's encoding, `utf-16le` or `utf-16be`",
        false => {
            "name the source's encoding, for instance `windows-1252`, or `utf-8,windows-1252` where only some lines or \
             files aren't UTF-8"
        }
    }
}

fn place_and_byte(place: Option<Place>, byte: Option<usize>) -> String {
    let place = place.map(|place| format!(", {place}")).unwrap_or_default();
    let byte = byte.map(|byte| format!(", byte {byte}")).unwrap_or_default();
    place + &byte
}

fn in_brackets(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}
