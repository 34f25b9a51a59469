use std::io::{Cursor, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::*;
use crate::error::Error;

/// A folder with one text file.
struct Case {
    folder: tempfile::TempDir,
    path: PathBuf,
}

fn file(name: &str, content: &[u8]) -> Case {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    Case { folder, path }
}

impl Case {
    fn read(&self) -> Result<Vec<String>> {
        self.read_as(None, None)
    }

    fn read_as(&self, column: Option<&str>, encoding: Option<&str>) -> Result<Vec<String>> {
        read_texts(&self.path, column, encoding)?.collect()
    }

    /// The error without the folder's name.
    fn error(&self) -> String {
        self.message(self.read())
    }

    fn message(&self, result: Result<Vec<String>>) -> String {
        let error = result.unwrap_err();
        error.to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

#[test]
fn every_line_is_a_row_blank_and_double_ones_too() {
    let texts = file("a.txt", b"\xef\xbb\xbfone\r\n\n  two \ttabs \n\none").read().unwrap();
    assert_eq!(texts, ["one", "", "  two \ttabs ", "", "one"]);
}

#[test]
fn gzip_of_several_members_reads_like_the_plain_file() {
    let members = [gzip(b"one\ntw"), gzip(b"o\n")].concat();
    assert_eq!(file("a.txt.gz", &members).read().unwrap(), ["one", "two"]);
}

#[test]
fn a_truncated_gzip_file_is_named() {
    let mut content = gzip(&b"a line of text\n".repeat(1000));
    content.truncate(content.len() / 2);
    assert_eq!(file("a.txt.gz", &content).error(), "cannot read a.txt.gz");
    assert_eq!(file("a.txt.gz", b"no gzip at all").error(), "cannot read a.txt.gz");
}

#[test]
fn json_lines_are_strings_or_objects_and_null_is_empty() {
    let case = file("a.jsonl", b"\"one\\n\"\n\n{\"text\": \"two\", \"n\": 1}\n{\"text\": null}\n");
    assert_eq!(case.read().unwrap(), ["one\n", "two", ""]);
    let case = file("a.ndjson", b"{\"body\": \"x\"}\n");
    assert_eq!(case.read_as(Some("body"), None).unwrap(), ["x"]);
}

#[test]
fn bad_json_is_named_with_its_line() {
    assert_eq!(file("a.jsonl", b"\"a\"\n{oops\n").error(), "a.jsonl, line 2: no JSON");
    assert_eq!(file("a.jsonl", b"\"a\"\n{\"t\": 1}\n").error(), "a.jsonl, line 2: no field `text`, only `t`");
    assert_eq!(file("a.jsonl", b"{}\n").error(), "a.jsonl, line 1: no field `text`");
    assert_eq!(
        file("a.jsonl", b"{\"text\": 1}").error(),
        "a.jsonl, line 1: the field `text` is a number, not a string"
    );
    assert_eq!(file("a.jsonl", b"[1]").error(), "a.jsonl, line 1: a list where a string or an object belongs");
}

#[test]
fn tab_separated_fields_have_no_quoting() {
    let case = file("a.tsv", b"id\ttext\n1\t\"a\n2\t\n3\tb\"\n");
    assert_eq!(case.read().unwrap(), ["\"a", "", "b\""]);
    assert_eq!(case.read_as(Some("id"), None).unwrap(), ["1", "2", "3"]);
    assert_eq!(file("a.tsv", b"only\na\n\nb\n").read().unwrap(), ["a", "", "b"]);
}

#[test]
fn comma_separated_fields_have_quoting() {
    let case = file("a.csv", b"\xef\xbb\xbftext,id\r\n\"a, \"\"b\"\"\nc\",1\r\n,2\r\n");
    assert_eq!(case.read().unwrap(), ["a, \"b\"\nc", ""]);
}

#[test]
fn a_column_that_is_missing_or_unclear_is_named_with_those_there_are() {
    for name in ["a.tsv", "a.csv"] {
        let separator = if name == "a.tsv" { "\t" } else { "," };
        let case = file(name, ["x", "y\n1", "2\n3\n"].join(separator).as_bytes());
        assert_eq!(case.error(), format!("{name} has several columns and none is named `text`"));
        let error = case.read_as(Some("z"), None).unwrap_err();
        assert_eq!(error.hint().unwrap(), "its columns are: x, y");
        assert_eq!(case.message(Err(error)), format!("{name} has no column `z`"));
        let error = case.message(case.read_as(Some("y"), None));
        assert_eq!(error, format!("{name}, line 3: 1 fields where 2 belong"));
    }
    let case = file("a.txt", b"a line\n");
    assert_eq!(case.message(case.read_as(Some("x"), None)), "a.txt: plain lines have no columns");
}

#[test]
fn a_text_cut_by_a_separator_in_it_is_an_error_and_not_half_a_text() {
    assert_eq!(file("a.csv", b"id,text\n1,well\n2,well, no\n").error(), "a.csv, line 3: 3 fields where 2 belong");
    assert_eq!(file("a.tsv", b"id\ttext\n1\twell\tno\n").error(), "a.tsv, line 2: 3 fields where 2 belong");
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn a_parquet_column_of_strings_is_read_and_null_is_empty() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("one"), None, Some("two")]));
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let case = file("a.parquet", &parquet(vec![("n", numbers), ("only_strings", texts)]));
    assert_eq!(case.read().unwrap(), ["one", "", "two"]);
    assert_eq!(case.read_as(Some("only_strings"), None).unwrap(), ["one", "", "two"]);
    assert_eq!(case.message(case.read_as(Some("x"), None)), "a.parquet has no column `x`");
    let error = case.message(case.read_as(Some("n"), None));
    assert_eq!(error, "a.parquet: the column `n` holds Int32, not strings");
}

#[test]
fn a_parquet_column_of_texts_that_are_no_strings_is_told_by_its_type() {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let case = file("a.parquet", &parquet(vec![("text", numbers.clone()), ("n", numbers.clone())]));
    assert_eq!(case.error(), "a.parquet: the column `text` holds Int32, not strings");
    assert_eq!(
        file("a.parquet", &parquet(vec![("n", numbers)])).error(),
        "a.parquet: the column `n` holds Int32, not strings"
    );
}

#[test]
fn a_truncated_parquet_file_is_named() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["one"; 100]));
    let mut content = parquet(vec![("text", texts)]);
    content.truncate(content.len() - 20);
    assert_eq!(file("a.parquet", &content).error(), "cannot read the Parquet file a.parquet");
}

#[test]
fn invalid_utf_8_is_named_with_its_line_unless_the_encoding_is_given() {
    let case = file("a.txt", b"one\ncaf\xe9\n\xc3\xa9\n");
    assert_eq!(case.error(), "a.txt, line 2, byte 4: not valid UTF-8");
    assert!(case.read().unwrap_err().hint().unwrap().contains("utf-8,windows-1252"));
    assert_eq!(case.read_as(None, Some("windows-1252")).unwrap(), ["one", "café", "Ã©"]);
    assert_eq!(case.read_as(None, Some("utf-8,windows-1252")).unwrap(), ["one", "café", "é"]);
    let error = case.message(case.read_as(None, Some("utf-8,euc-jp")));
    assert_eq!(error, "a.txt, line 2, byte 4: not valid UTF-8 or EUC-JP");
    for (name, content) in
        [("a.tsv", &b"text\tn\n\xe9\t1\n"[..]), ("a.csv", b"text,n\n\xe9,1\n"), ("a.jsonl", b"1\n\"\xe9\"")]
    {
        assert!(file(name, content).message(file(name, content).read()).contains(", line "), "{name}");
    }
}

#[test]
fn utf_16_is_hinted_at_and_read_when_named() {
    let bytes: Vec<u8> = "\u{feff}one\r\ntwo\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let case = file("a.txt", &bytes);
    assert!(case.read().unwrap_err().hint().unwrap().contains("utf-16le"));
    assert_eq!(case.read_as(None, Some("utf-16le")).unwrap(), ["one", "two"]);
}

#[test]
fn a_file_without_rows_is_an_error() {
    for name in ["a.txt", "a.jsonl", "a.tsv", "a.csv", "a.txt.gz"] {
        let content = if name.ends_with("gz") { gzip(b"") } else { Vec::new() };
        assert_eq!(file(name, &content).error(), format!("{name} is empty"));
    }
    assert_eq!(file("a.tsv", b"text\n").error(), "a.tsv is empty");
    assert_eq!(file("a.csv", b"text\n").error(), "a.csv is empty");
    let none: ArrayRef = Arc::new(StringArray::from(Vec::<&str>::new()));
    assert_eq!(file("a.parquet", &parquet(vec![("text", none)])).error(), "a.parquet is empty");
}

/// What each row of the file is under a limit in bytes: a text, or the error of one that is too long.
fn rows_within(case: &Case, row_limit: usize) -> Vec<std::result::Result<String, String>> {
    let options = ReadOptions { row_limit, ..ReadOptions::default() };
    let file = &source::files(&case.path, None, &options).unwrap().files[0];
    let rows = read_rows(file, None, &options).unwrap();
    rows.map(|row| row.map_err(|error| case.message(Err(error)))).collect()
}

#[test]
fn a_row_that_is_too_long_is_an_error_behind_which_reading_goes_on_in_every_format() {
    let long = "x".repeat(200_000);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["one", &long, "two"]));
    let parquet = parquet(vec![("text", texts)]);
    for (name, place, bytes, content) in [
        ("a.txt", "line 2", 200_000, format!("one\n{long}\r\ntwo").into_bytes()),
        ("a.tsv", "line 3", 200_000, format!("text\none\n{long}\ntwo\n").into_bytes()),
        ("a.csv", "line 3", 200_003, format!("text\none\n\"{long}\"\ntwo\n").into_bytes()),
        ("a.jsonl", "line 2", 200_002, format!("\"one\"\n\"{long}\"\n\"two\"\n").into_bytes()),
        ("a.json", "element 2", 200_002, format!("[\"one\",\"{long}\",\"two\"]").into_bytes()),
        ("a.parquet", "row 2", 200_000, parquet),
    ] {
        let rows = rows_within(&file(name, &content), 100_000);
        assert_eq!(rows.len(), 3, "{name}");
        assert_eq!((&rows[0], &rows[2]), (&Ok("one".to_owned()), &Ok("two".to_owned())), "{name}");
        let bytes = if name == "a.txt" { bytes + 1 } else { bytes };
        let expected = format!("{name}, {place}: {bytes} bytes, more than the 100000 that a text may have");
        assert_eq!(rows[1], Err(expected));
    }
}

#[test]
fn a_line_of_megabytes_is_a_text() {
    let long = "x".repeat(3 << 20);
    for (name, content) in [
        ("a.txt", format!("{long}\nb")),
        ("a.tsv", format!("text\n{long}\nb")),
        ("a.csv", format!("text\n{long}\nb")),
        ("a.jsonl", format!("\"{long}\"\n\"b\"")),
        ("a.json", format!("[\"{long}\", \"b\"]")),
    ] {
        assert_eq!(file(name, content.as_bytes()).read().unwrap(), [long.as_str(), "b"], "{name}");
    }
}

#[test]
fn the_longest_row_allowed_is_read() {
    for (limit, fits) in [(5, true), (4, false)] {
        let rows = rows_within(&file("a.txt", b"12345\nb\n"), limit);
        assert_eq!((rows[0].is_ok(), rows[1].is_ok()), (fits, true));
    }
}

#[test]
fn a_text_reader_of_files_ends_at_a_row_that_is_too_long() {
    let lines = Lines::new(
        Box::new(Cursor::new("a\nlonger\nb")),
        Path::new("x"),
        &ReadOptions { row_limit: 3, ..ReadOptions::default() },
    );
    let rows: Vec<_> = until_error(line_rows(lines)).map(|row| row.map_err(|error| error.hint().unwrap())).collect();
    assert_eq!(rows.len(), 2);
    assert!(rows[1].as_ref().unwrap_err().contains("line ends"));
}

#[test]
fn a_quote_left_open_does_not_swallow_the_file() {
    let open = "a.csv, line 3: bad CSV: a quote is left open";
    let content = format!("text\nfine\n\"open\n{}", "line\n".repeat(1 << 20));
    let case = file("a.csv", content.as_bytes());
    assert_eq!(case.error(), open);
    assert_eq!(rows_within(&case, 100_000), [Ok("fine".to_owned()), Err(open.to_owned())]);
    assert_eq!(file("a.csv", b"text\nfine\n\"open\nline\r\n").error(), open);
    let long = format!("text\nfine\n\"open\n{}", "line\n".repeat(10_000));
    assert_eq!(file("a.csv", long.as_bytes()).error(), open);
    for end in ["", "\n", "\r\n\r\n"] {
        let closed = format!("text\n\"one\n{}two\"{end}", "line\n".repeat(10_000));
        assert_eq!(file("a.csv", closed.as_bytes()).read().unwrap().len(), 1, "{end:?}");
    }
}

#[test]
fn a_folder_is_its_files_by_name_and_an_empty_one_among_them_an_error() {
    let case = file("b.txt", b"two\n");
    std::fs::write(case.folder.path().join("a.jsonl"), "\"one\"").unwrap();
    let texts: Result<Vec<_>> = read_texts(case.folder.path(), None, None).unwrap().collect();
    assert_eq!(texts.unwrap(), ["one", "two"]);
    std::fs::write(case.folder.path().join("c.txt"), "").unwrap();
    let mut texts = read_texts(case.folder.path(), None, None).unwrap().skip(2);
    assert!(texts.next().unwrap().unwrap_err().to_string().ends_with("c.txt is empty"));
    assert!(texts.next().is_none());
}

#[test]
fn a_stream_of_lines_reads_like_a_file() {
    let name = Path::new("standard input");
    let read = |bytes: &'static [u8], encoding| read_lines(Cursor::new(bytes), name, encoding).unwrap().collect();
    let texts: Result<Vec<_>> = read(b"one\n\ntwo", None);
    assert_eq!(texts.unwrap(), ["one", "", "two"]);
    let texts: Result<Vec<_>> = read(b"caf\xe9", Some("latin1"));
    assert_eq!(texts.unwrap(), ["café"]);
    let texts: Result<Vec<_>> = read(b"ok\ncaf\xe9", None);
    assert_eq!(texts.unwrap_err().to_string(), "standard input, line 2, byte 4: not valid UTF-8");
    let texts: Result<Vec<_>> = read(b"", None);
    assert_eq!(texts.unwrap_err().to_string(), "standard input is empty");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = read_texts(Path::new("no/such.txt"), None, None).err().unwrap();
    assert!(matches!(error, Error::Io { .. }));
    assert_eq!(error.to_string(), "cannot read no/such.txt");
}
