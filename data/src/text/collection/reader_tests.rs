use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::*;

fn put(folder: &tempfile::TempDir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    crate::files::write_bytes(&path, content.as_ref()).unwrap();
    path
}

fn read(path: &Path) -> Vec<[String; 3]> {
    read_as(path, &DocumentColumns::default())
}

fn read_as(path: &Path, columns: &DocumentColumns) -> Vec<[String; 3]> {
    let documents = read_collection(path, columns, None).unwrap();
    documents.map(|document| document.map(|it| [it.id, it.title, it.text]).unwrap()).collect()
}

fn error(path: &Path, columns: &DocumentColumns) -> String {
    let documents = read_collection(path, columns, None).and_then(Iterator::collect::<Result<Vec<_>>>);
    documents.unwrap_err().to_string().replace(&format!("{}/", path.parent().unwrap().display()), "")
}

fn named(text: Option<&str>, title: Option<&str>, id: Option<&str>) -> DocumentColumns {
    let [text, title, id] = [text, title, id].map(|name| name.map(str::to_owned));
    DocumentColumns { text, title, id }
}

#[test]
fn of_a_folder_of_beir_only_the_corpus_is_read() {
    let folder = tempfile::tempdir().unwrap();
    put(&folder, "queries.jsonl", "{\"_id\": \"q\", \"text\": \"a query\"}\n");
    put(&folder, "qrels.tsv", "query-id\tcorpus-id\tscore\nq\t7\t1\n");
    let mut corpus = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    corpus
        .write_all(b"{\"_id\": \"7\", \"title\": \" Of seven \", \"text\": \"Seven.\\n\", \"metadata\": {}}\n")
        .unwrap();
    corpus
        .write_all(b"{\"_id\": \"8\", \"text\": \"Eight.\"}\n{\"_id\": \"9\", \"title\": null, \"text\": \"\"}\n")
        .unwrap();
    put(&folder, "corpus.jsonl.gz", corpus.finish().unwrap());
    let expected = [["7", "Of seven", "Seven."], ["8", "", "Eight."], ["9", "", ""]];
    assert_eq!(read(folder.path()), expected);
    put(&folder, "corpus.jsonl", "{\"_id\": \"1\", \"title\": \"\", \"text\": \"Plain goes first.\"}\n");
    assert_eq!(read(folder.path()), [["1", "", "Plain goes first."]]);
}

#[test]
fn rows_of_every_format_are_documents() {
    let folder = tempfile::tempdir().unwrap();
    let tsv = put(&folder, "a.tsv", "id\ttitle\tabstract\n4\tFour\tOf four.\n5\t\tOf five.\n");
    assert_eq!(read(&tsv), [["4", "Four", "Of four."], ["5", "", "Of five."]]);
    let csv = put(&folder, "a.csv", "docid,text,title\nx,\"Of, x.\",X\n");
    assert_eq!(read(&csv), [["x", "X", "Of, x."]]);
    let json = put(&folder, "a.json", "[{\"doc_id\": 12, \"text\": \"Twelve.\"}]");
    assert_eq!(read(&json), [["12", "", "Twelve."]]);
    let strings = put(&folder, "b.jsonl", "\"One.\"\n\"Two.\"\n");
    assert_eq!(read(&strings), [["0", "", "One."], ["1", "", "Two."]]);
    let lines = put(&folder, "a.txt", "One.\n\nThree.\n");
    assert_eq!(read(&lines), [["0", "", "One."], ["1", "", ""], ["2", "", "Three."]]);

    let ids: ArrayRef = Arc::new(Int64Array::from(vec![3, -1]));
    let [titles, texts] =
        [["A", "B"], ["Of a.", "Of b."]].map(|it| Arc::new(StringArray::from(it.to_vec())) as ArrayRef);
    let batch = RecordBatch::try_from_iter([("id", ids), ("title", titles), ("body", texts)]).unwrap();
    let path = folder.path().join("a.parquet");
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert_eq!(read(&path), [["3", "A", "Of a."], ["-1", "B", "Of b."]]);
}

#[test]
fn columns_may_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let json =
        put(&folder, "a.jsonl", "{\"_id\": 1, \"n\": \"x\", \"meta\": {\"name\": \"X\"}, \"body\": \"Of x.\"}\n");
    let columns = named(Some("body"), Some("meta.name"), Some("n"));
    assert_eq!(read_as(&json, &columns), [["x", "X", "Of x."]]);
    let tsv = put(&folder, "a.tsv", "id\ttitle\n1\tOnly titles\n");
    assert_eq!(read_as(&tsv, &named(Some("title"), None, None)), [["1", "", "Only titles"]]);
}

#[test]
fn text_files_of_a_folder_are_documents_with_their_paths_as_ids() {
    let folder = tempfile::tempdir().unwrap();
    put(&folder, "b/2.txt", "Two.\nMore of two.\n");
    put(&folder, "a.md", "# One\n\nOf one.\n");
    put(&folder, "more.tsv", "text\nThree.\nFour.\n");
    put(&folder, "x.pdf", "%PDF");
    let expected = [
        ["a.md", "", "# One\n\nOf one."],
        ["b/2.txt", "", "Two.\nMore of two."],
        ["2", "", "Three."],
        ["3", "", "Four."],
    ];
    assert_eq!(read(folder.path()), expected);
}

#[test]
fn a_column_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let json = put(&folder, "a.jsonl", "{\"_id\": \"1\", \"text\": \"One.\"}\n{\"text\": \"Two.\"}\n");
    assert_eq!(error(&json, &DocumentColumns::default()), "a.jsonl, line 2: no field `_id`, only `text`");
    let told = error(&json, &named(None, Some("headline"), None));
    assert_eq!(told, "a.jsonl, line 1: no field `headline`, only `_id`, `text`");
    let json = put(&folder, "b.jsonl", "{\"_id\": [1], \"text\": \"One.\"}\n");
    let told = error(&json, &DocumentColumns::default());
    assert_eq!(told, "b.jsonl, line 1: the field `_id` is neither a string nor a number");
    let tsv = put(&folder, "a.tsv", "id\ttitle\ta\tb\n1\tx\ty\tz\n");
    assert_eq!(error(&tsv, &DocumentColumns::default()), "a.tsv has several columns and none is named `text`");
    assert_eq!(error(&tsv, &named(Some("a"), Some("name"), None)), "a.tsv has no column `name`");
    let lines = put(&folder, "a.txt", "One.\n");
    assert_eq!(error(&lines, &named(None, Some("title"), None)), "a.txt: plain lines have no columns");
    let empty = put(&folder, "c.jsonl", "\n");
    assert_eq!(error(&empty, &DocumentColumns::default()), "c.jsonl is empty");
}
