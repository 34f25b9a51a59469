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

/// Bytes written as hexadecimal digits.
fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

/// `one`, `two` and `three` as lines, in two streams or frames: the first ends after `tw`. Python's lzma and bz2 and
/// the zstd command made them.
fn packed() -> [(&'static str, Vec<u8>); 3] {
    [
        (
            "a.txt.xz",
            hex("fd377a585a000004e6d6b4460200210116000000742fe5a30100056f6e650a747700000004d24eeba27c3ecd00011e06\
                 c12fa41d1fb6f37d010000000004595afd377a585a0000016922de360200210116000000742fe5a30100076f0a746872\
                 65650a004b561d8600011c0844602ac89042990d010000000001595a"),
        ),
        (
            "a.txt.bz2",
            hex("425a68393141592653594f074932000001c180001002018480200021800c0139aee2ee48a70a1209e0e92640425a6839\
                 3141592653590c96bf19000002c1800010024094002000221e80300192ca61772453850900c96bf190"),
        ),
        ("a.txt.ZST", hex("28b52ffd04583100006f6e650a74772ad983c728b52ffd04584100006f0a74687265650a30f5b4bb")),
    ]
}

#[test]
fn all_streams_of_a_compressed_file_are_read() {
    for (name, content) in packed() {
        assert_eq!(file(name, &content).read().unwrap(), ["one", "two", "three"], "{name}");
    }
    let table = zstd::encode_all(&b"text\tn\na\t1\n"[..], 1).unwrap();
    assert_eq!(file("a.tsv.zst", &table).read().unwrap(), ["a"]);
    assert_eq!(file("a.json.zst", &zstd::encode_all(&b"[\"a\"]"[..], 1).unwrap()).read().unwrap(), ["a"]);
}

#[test]
fn a_compressed_file_that_is_cut_off_or_none_is_named() {
    for (name, mut content) in packed() {
        assert_eq!(file(name, b"not compressed at all").error(), format!("cannot read {name}"));
        content.truncate(content.len() - 6);
        assert_eq!(file(name, &content).error(), format!("cannot read {name}"), "{name}");
    }
}

#[test]
fn markdown_and_other_names_of_text_are_lines() {
    for name in ["a.md", "a.markdown", "a.text", "A.MD"] {
        assert_eq!(file(name, b"# one\n\ntwo\n").read().unwrap(), ["# one", "", "two"], "{name}");
    }
}

#[test]
fn a_json_file_is_an_array_or_json_lines() {
    let array = file("a.json", b"[\"one\",\n {\"text\": \"two\", \"n\": [1]}, {\"text\": null}]\n");
    assert_eq!(array.read().unwrap(), ["one", "two", ""]);
    let lines = file("a.json", b"\"one\"\n{\"text\": \"two\"}\n");
    assert_eq!(lines.read().unwrap(), ["one", "two"]);
    assert_eq!(file("a.json", b"[]").error(), "a.json is empty");
    assert_eq!(
        file("a.json", b"[\"a\", 7]").error(),
        "a.json, element 2: a number where a string or an object belongs"
    );
    assert_eq!(file("a.json", b"[\"a\", {\"b\": 1}]").error(), "a.json, element 2: no field `text`, only `b`");
    assert_eq!(file("a.json", b"{\n  \"layers\": 6\n}\n").error(), "a.json, line 1: no JSON");
    assert_eq!(file("a.json", b"{\"layers\": 6}\n").error(), "a.json, line 1: no field `text`, only `layers`");
    let rows = b"[\"a\"]\n[\"b\"]\n";
    assert_eq!(file("a.jsonl", rows).error(), "a.jsonl, line 1: a list where a string or an object belongs");
}

#[test]
fn a_nested_field_is_named_with_dots() {
    let object = r#"{"meta": {"text": "one", "x.y": "two", "n": 1}, "a": 1}"#;
    for (name, content) in [("a.jsonl", format!("{object}\n")), ("a.json", format!("[{object}]"))] {
        let case = file(name, content.as_bytes());
        assert_eq!(case.read_as(Some("meta.text"), None).unwrap(), ["one"]);
        assert_eq!(case.read_as(Some("meta.x.y"), None).unwrap(), ["two"]);
        let error = case.message(case.read_as(Some("meta.gone"), None));
        assert!(error.ends_with("1: no field `meta.gone`, only `meta`, `a`"), "{error}");
        let error = case.message(case.read_as(Some("meta.n"), None));
        assert!(error.ends_with("1: the field `meta.n` is a number, not a string"), "{error}");
    }
    let case = file("a.jsonl", br#"{"meta": {"text": "nested"}, "meta.text": "literal"}"#);
    assert_eq!(case.read_as(Some("meta.text"), None).unwrap(), ["literal"]);
}

/// A column that holds one nested field.
fn nested(name: &str, values: ArrayRef) -> ArrayRef {
    let field = Arc::new(arrow::datatypes::Field::new(name, values.data_type().clone(), true));
    Arc::new(arrow::array::StructArray::from(vec![(field, values)]))
}

#[test]
fn a_nested_column_of_parquet_is_named_with_dots() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("one"), None]));
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let deep = nested("inner", nested("text", texts.clone()));
    let columns = vec![("n", numbers.clone()), ("meta", deep), ("count", nested("n", numbers))];
    let case = file("a.parquet", &parquet(columns));
    assert_eq!(case.read_as(Some("meta.inner.text"), None).unwrap(), ["one", ""]);
    assert_eq!(case.message(case.read_as(Some("meta.gone"), None)), "a.parquet has no column `meta.gone`");
    let error = case.message(case.read_as(Some("count.n"), None));
    assert_eq!(error, "a.parquet: the column `count.n` holds Int32, not strings");
    let error = case.message(case.read_as(Some("meta"), None));
    assert!(error.starts_with("a.parquet: the column `meta` holds Struct("), "{error}");
    let literal: ArrayRef = Arc::new(StringArray::from(vec!["literal", "too"]));
    let case = file("a.parquet", &parquet(vec![("meta", nested("text", texts)), ("meta.text", literal)]));
    assert_eq!(case.read_as(Some("meta.text"), None).unwrap(), ["literal", "too"]);
}

#[test]
fn a_byte_order_mark_is_dropped_at_the_start_of_every_line_and_record() {
    let mark = "\u{feff}";
    for (name, content) in [
        ("a.txt", format!("{mark}one\n{mark}two\n{mark}{mark}three")),
        ("a.tsv", format!("{mark}text\tn\n{mark}one\t1\ntwo\t2\n{mark}three\t3\n")),
        ("a.csv", format!("{mark}\"text\",n\r\n\r\n{mark}\"one\",1\r\ntwo,2\r\n{mark}three,3\r\n")),
        ("a.jsonl", format!("{mark}\"one\"\n\"two\"\n{mark}\"three\"\n")),
        ("a.json", format!("{mark}[\"one\", \"two\", \"three\"]")),
    ] {
        let case = file(name, content.as_bytes());
        assert_eq!(case.read().unwrap(), ["one", "two", "three"], "{name}");
        for encoding in ["windows-1252", "utf-8,windows-1252", "gb18030"] {
            assert_eq!(case.read_as(None, Some(encoding)).unwrap(), ["one", "two", "three"], "{name} {encoding}");
        }
    }
    assert_eq!(file("a.txt", format!("in {mark}side\n").as_bytes()).read().unwrap(), [format!("in {mark}side")]);
}

#[test]
fn lines_of_csv_are_counted_over_empty_lines_and_quotes() {
    let error = file("a.csv", b"text,n\n\n\"a\nb\",1\r\n\r\nc\n").error();
    assert_eq!(error, "a.csv, line 6: 1 fields where 2 belong");
}

#[test]
fn a_csv_file_of_many_records_and_fields_is_read_whole() {
    let header: Vec<String> = (0..300).map(|n| format!("c{n}")).collect();
    let mut content = header.join(",") + ",text\n";
    for row in 0..1000 {
        content += &("\"x\",".repeat(300) + &format!("\"text, {row}\"\n"));
    }
    let texts = file("a.csv", content.as_bytes()).read().unwrap();
    assert_eq!(texts.len(), 1000);
    assert!(texts.iter().enumerate().all(|(row, text)| *text == format!("text, {row}")));
}

#[test]
fn files_of_a_folder_that_hold_no_text_are_counted_by_ending() {
    let case = file("a.txt", b"one\n");
    for (name, content) in [
        ("b.pdf", "x"),
        ("c.PDF", "x"),
        ("d.doc", "x"),
        ("README", "x"),
        ("config.json", "{\n  \"layers\": 6\n}\n"),
        ("flat.json", "{\"layers\": 6}"),
        ("numbers.json", "[1, 2]"),
        ("empty.json", ""),
        ("modules.json", "[{\"type\": \"x\"}]"),
        ("texts.json", "[\"two\"]"),
    ] {
        std::fs::write(case.folder.path().join(name), content).unwrap();
    }
    let texts: Result<Vec<_>> = read_texts(case.folder.path(), None, None).unwrap().collect();
    assert_eq!(texts.unwrap(), ["one", "two"]);
    let left_out = super::super::left_out_files(case.folder.path(), None).unwrap();
    assert_eq!(left_out.to_string(), "9 files that hold no text are left out (.json 5, .pdf 2, .doc 1, no ending 1)");
    for name in ["a.txt", "texts.json"] {
        std::fs::remove_file(case.folder.path().join(name)).unwrap();
    }
    let error = read_texts(case.folder.path(), None, None).err().unwrap();
    assert!(error.to_string().ends_with(" (.json 5, .pdf 2, .doc 1, no ending 1)"), "{error}");
    assert!(error.hint().unwrap().contains(".json"));
}
