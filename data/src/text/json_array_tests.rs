use std::path::PathBuf;

use super::*;

struct Case {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn file(content: &[u8]) -> Case {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    std::fs::write(&path, content).unwrap();
    Case { _folder: folder, path }
}

/// The elements of the array, up to the first error but that of a long element.
fn elements(content: &[u8], options: &ReadOptions) -> Vec<std::result::Result<Value, String>> {
    let case = file(content);
    let mut array = JsonArray::open(&case.path, options).unwrap();
    let mut found = Vec::new();
    loop {
        let next = array.next_json();
        let is_last = matches!(&next, Err(error) if !matches!(error, crate::Error::Text(TextError::TooLong { .. })));
        match next {
            Ok(None) => return found,
            Ok(Some(value)) => found.push(Ok(value)),
            Err(error) => found.push(Err(error.to_string().rsplit_once("a.json").unwrap().1.to_owned())),
        }
        if is_last {
            return found;
        }
    }
}

fn read(content: &str) -> Vec<std::result::Result<Value, String>> {
    elements(content.as_bytes(), &ReadOptions::default())
}

#[test]
fn elements_end_at_commas_outside_strings_and_brackets() {
    let content = " [ \"a, ]\\\"\\\\\" ,\n{\"x\": [1, \"}\"], \"y\": {}}, [],\t3 ]\r\n";
    let found: Vec<Value> = read(content).into_iter().collect::<std::result::Result<_, _>>().unwrap();
    let expected: Value = serde_json::from_str(content).unwrap();
    assert_eq!(Value::Array(found), expected);
    assert_eq!(read("[]"), []);
    assert_eq!(read("\u{feff} [ \n ]\n"), []);
}

#[test]
fn what_is_wrong_is_named_with_its_element() {
    let error = |content: &str| read(content).pop().unwrap().unwrap_err();
    assert_eq!(error("[1, 2"), ", element 2: the array isn't closed: is the file cut off?");
    assert_eq!(error("[\"a\", \"b]"), ", element 2: the array isn't closed: is the file cut off?");
    assert_eq!(error("[1, oops, 2]"), ", element 2: no JSON");
    assert_eq!(error("[1,]"), ", element 2: no JSON");
    assert_eq!(error("[,1]"), ", element 1: no JSON");
    assert_eq!(error("[1}, 2]"), ", element 1: no JSON");
    assert_eq!(error("[1]\n[2]"), ", element 1: more after the array's end, where nothing belongs");
    let bad = elements(b"[1, \"\xff\"]", &ReadOptions::default()).pop().unwrap().unwrap_err();
    assert_eq!(bad, ", element 2, byte 3: not valid UTF-8");
}

#[test]
fn an_element_that_is_too_long_is_passed_over() {
    let long = "x".repeat(300_000);
    let options = ReadOptions { row_limit: 1000, ..ReadOptions::default() };
    let found = elements(format!("[1, {{\"x\": \"{long}\"}}, 2]").as_bytes(), &options);
    assert_eq!((found.len(), &found[0], &found[2]), (3, &Ok(1.into()), &Ok(2.into())));
    assert_eq!(found[1], Err(", element 2: 300010 bytes, more than the 1000 that a text may have".to_owned()));
}

#[test]
fn an_array_may_be_in_another_encoding() {
    let named = |labels: &str| ReadOptions::new(Encodings::parse(Some(labels)).unwrap());
    let read = |content: &[u8], labels| elements(content, &named(labels));
    // In Shift_JIS, the second byte of 表 is a backslash.
    assert_eq!(read(b"[\"\x95\x5c\", \"b\"]", "shift_jis"), [Ok("表".into()), Ok("b".into())]);
    assert_eq!(read(b"[\"\xe9\"]", "windows-1252"), [Ok("é".into())]);
    assert_eq!(read(b"\xef\xbb\xbf[\"\xe9\"]", "windows-1252"), [Ok("é".into())]);
    assert_eq!(read(b"[\"\xe9\", \"\xc3\xa9\"]", "utf-8,windows-1252"), [Ok("é".into()), Ok("é".into())]);
    let utf16: Vec<u8> = "\u{feff}[\"é\", 1]".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&utf16, "utf-16le"), [Ok("é".into()), Ok(1.into())]);
    let error = JsonArray::open(&file(b"[]").path, &named("utf-8,shift_jis")).err().unwrap();
    assert_eq!(error.to_string(), "the encoding `Shift_JIS` can't be one of several");
}

#[test]
fn only_a_file_that_opens_with_a_bracket_holds_an_array() {
    for (content, expected) in [("\u{feff}\n [1]", true), ("{\"a\": [1]}", false), ("\"[\"", false), (" \n", false)] {
        assert_eq!(holds_array(&file(content.as_bytes()).path, &Encodings::default()).unwrap(), expected, "{content}");
    }
}
