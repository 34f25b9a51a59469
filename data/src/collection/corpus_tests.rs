use super::*;
use std::io::Write;

type Parts = (String, String, String);

fn parts(path: &Path) -> std::result::Result<Vec<Parts>, String> {
    let documents = read_corpus(path).and_then(Iterator::collect::<Result<Vec<_>>>);
    let parts = |document: Document| (document.id, document.title, document.text);
    documents.map(|documents| documents.into_iter().map(parts).collect()).map_err(|error| error.to_string())
}

fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    crate::files::write_bytes(&path, content.as_bytes()).unwrap();
    path
}

fn read(name: &str, content: &str) -> std::result::Result<Vec<Parts>, String> {
    let folder = tempfile::tempdir().unwrap();
    parts(&write(folder.path(), name, content))
        .map_err(|error| error.split_once(name).map_or(error.clone(), |(_, after)| after.to_owned()))
}

fn expected<const N: usize>(parts: [(&str, &str, &str); N]) -> Vec<Parts> {
    parts.map(|(id, title, text)| (id.to_owned(), title.to_owned(), text.to_owned())).into()
}

#[test]
fn a_row_of_every_format_is_a_document() {
    let documents = expected([("7", "T", "a b"), ("x", "", "c")]);
    assert_eq!(
        read("c.jsonl", "{\"_id\":7,\"title\":\"T\",\"text\":\"a b\"}\n{\"_id\":\"x\",\"text\":\"c\"}\n").unwrap(),
        documents
    );
    assert_eq!(
        read(
            "c.json",
            "[{\"id\":\"7\",\"title\":\"T\",\"body\":\"a b\"},{\"id\":\"x\",\"title\":null,\"body\":\"c\"}]"
        )
        .unwrap(),
        documents
    );
    assert_eq!(read("c.tsv", "docid\ttitle\tcontents\n7\tT\ta b\nx\t\tc\n").unwrap(), documents);
    assert_eq!(read("c.csv", "text,doc_id,title\na b,7,T\nc,x,\n").unwrap(), documents);
}

#[test]
fn a_title_that_only_later_objects_have_is_read() {
    let content = "{\"_id\":\"a\",\"text\":\"x\"}\n{\"_id\":\"b\",\"text\":\"y\",\"title\":\"T\"}\n";
    assert_eq!(read("c.jsonl", content).unwrap(), expected([("a", "", "x"), ("b", "T", "y")]));
}

#[test]
fn rows_of_parquet_are_documents() {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.parquet");
    let ids: ArrayRef = std::sync::Arc::new(Int64Array::from(vec![7, 8]));
    let texts: ArrayRef = std::sync::Arc::new(StringArray::from(vec![Some("a"), None]));
    let batch = RecordBatch::try_from_iter([("id", ids), ("text", texts)]).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert_eq!(parts(&path).unwrap(), expected([("7", "", "a"), ("8", "", "")]));
}

#[test]
fn without_ids_a_document_has_the_number_of_its_line() {
    assert_eq!(read("c.txt", "one\n\n two\n").unwrap(), expected([("1", "", "one"), ("3", "", " two")]));
    assert_eq!(
        read("c.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n").unwrap(),
        expected([("1", "", "a"), ("2", "", "b")])
    );
    assert_eq!(read("c.jsonl", "\"a\"\n\"b\"\n").unwrap(), expected([("1", "", "a"), ("2", "", "b")]));
    assert_eq!(read("c.csv", "sentence\na\n").unwrap(), expected([("2", "", "a")]));
}

#[test]
fn a_compressed_corpus_stands_in_a_folder_beside_queries() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "queries.jsonl", "{\"_id\":\"q\",\"text\":\"x\"}\n");
    let file = std::fs::File::create(folder.path().join("corpus.jsonl.gz")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gzip.write_all(b"{\"_id\":\"d\",\"title\":\"\",\"text\":\"x\"}\n").unwrap();
    gzip.finish().unwrap();
    assert_eq!(parts(folder.path()).unwrap(), expected([("d", "", "x")]));
}

#[test]
fn the_files_of_any_other_folder_are_documents_and_their_tables_rows() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a/one.txt", "First.\nSecond.\n");
    write(folder.path(), "b.md", "# Title\n");
    write(folder.path(), "c.csv", "text\nx\ny\n");
    write(folder.path(), "d.pdf", "no text");
    let found = expected([
        ("a/one.txt", "", "First.\nSecond.\n"),
        ("b.md", "", "# Title\n"),
        ("c.csv:2", "", "x"),
        ("c.csv:3", "", "y"),
    ]);
    assert_eq!(parts(folder.path()).unwrap(), found);
}

#[test]
fn named_columns_go_before_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "c.csv", "key,heading,passage,text\nk,H,p,no\n");
    let name = |name: &str| Some(name.to_owned());
    let columns = DocumentColumns { id: name("key"), title: name("heading"), text: name("passage") };
    let document = read_corpus_columns(&path, &columns).unwrap().next().unwrap().unwrap();
    assert_eq!((document.id.as_str(), &*document.whole()), ("k", "H p"));
}

#[test]
fn an_error_names_file_and_line() {
    assert_eq!(
        read("c.jsonl", "{\"_id\":\"a\",\"text\":\"x\"}\n{\"_id\":\"b\"}\n").unwrap_err(),
        ", line 2: no title and no text"
    );
    assert_eq!(
        read("c.jsonl", "{\"_id\":\"a\",\"text\":[1]}\n").unwrap_err(),
        ", line 1: the field `text` is of the wrong type"
    );
    assert_eq!(read("c.tsv", "_id\ttext\na\tx\n \ty\n").unwrap_err(), ", line 3: the id is empty");
    assert_eq!(
        read("c.tsv", "_id\ttext\na\tx\nb\ty\na\tz\n").unwrap_err(),
        ", line 4: the id `a` stands in an earlier row too"
    );
    assert_eq!(read("c.tsv", "_id\tpassage\n1\tx\n").unwrap_err(), ": no column is known to hold the text");
    assert_eq!(read("c.txt", "\n").unwrap_err(), " is empty");
    assert_eq!(read("c.pdf", "x").unwrap_err(), ": unknown kind of text file");
}

#[test]
fn after_an_error_the_documents_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "c.tsv", "_id\ttext\na\tx\na\ty\nb\tz\n");
    let found: Vec<bool> = read_corpus(&path).unwrap().map(|document| document.is_ok()).collect();
    assert_eq!(found, [true, false]);
}

#[test]
fn a_document_is_title_and_text() {
    let document = |title: &str, text: &str| Document { id: String::new(), title: title.into(), text: text.into() };
    assert_eq!(document(" A ", "b\n").whole(), "A b");
    assert_eq!((document("", " b").whole(), document("A", "").whole()), ("b".into(), "A".into()));
}
