use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::*;

fn read_as(name: &str, content: &[u8], columns: &ExampleColumns) -> std::result::Result<Examples, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    read(&path, columns).map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

fn read_file(name: &str, content: &str) -> std::result::Result<Examples, String> {
    read_as(name, content.as_bytes(), &ExampleColumns::default())
}

fn named(anchor: &str, positive: &str, hard_negative: Option<&str>, label: Option<&str>) -> ExampleColumns {
    let owned = |name: Option<&str>| name.map(str::to_owned);
    let (anchor, positive) = (owned(Some(anchor)), owned(Some(positive)));
    ExampleColumns { anchor, positive, hard_negative: owned(hard_negative), label: owned(label) }
}

#[test]
fn quotes_belong_to_a_sentence_of_tsv_and_surround_one_of_csv() {
    let triples = read_file("a.tsv", "premise\tentailment\tcontradiction\r\n\"a\tb\"\t\"\r\n\n").unwrap();
    assert_eq!(triples.anchors, ["\"a"]);
    assert_eq!(triples.positives, ["b\""]);
    assert_eq!(triples.hard_negatives.unwrap(), ["\""]);
    let pairs = read_file("a.csv", "x,sent1,sent0\n1,\"b, \n\"\"c\"\"\",a\n").unwrap();
    assert_eq!((&*pairs.anchors[0], &*pairs.positives[0]), ("a", "b, \n\"c\""));
    assert_eq!(pairs.hard_negatives, None);
}

#[test]
fn every_layout_of_a_header_is_found() {
    for (header, negatives) in [
        ("premise\tentailment\tcontradiction", true),
        ("anchor\tpositive\tnegative", true),
        ("anchor\tpositive\thard_negative", true),
        ("sent0\tsent1\thard_neg", true),
        ("anchor\tpositive\tother", false),
        ("sentence1\tsentence2\tsource", false),
    ] {
        let examples = read_file("a.tsv", &format!("{header}\na\tb\tc\n")).unwrap();
        assert_eq!(examples.positives, ["b"], "{header}");
        assert_eq!(examples.hard_negatives, negatives.then(|| vec!["c".to_owned()]), "{header}");
    }
    assert_eq!(read_file("a.tsv", "a\tb\nx\ty\n").unwrap_err(), "a.tsv: no columns known to make training examples");
}

#[test]
fn given_names_come_before_the_header_and_an_empty_one_is_no_column() {
    let content = b"anchor\tpositive\tnegative\tlabel\tq\nA\tP\tN\t0\tQ\nA\tP2\tN\t1\tQ2\n";
    let as_named = |columns: &ExampleColumns| read_as("a.tsv", content, columns).unwrap();
    let swapped = as_named(&named("q", "anchor", None, None));
    assert_eq!((&*swapped.anchors, swapped.hard_negatives), (&["Q2".to_owned()][..], None));
    let all = as_named(&named("q", "positive", Some("negative"), Some("")));
    assert_eq!((&*all.positives, all.hard_negatives.unwrap().len()), (&["P".to_owned(), "P2".to_owned()][..], 2));
    let without = ExampleColumns { hard_negative: Some(String::new()), ..ExampleColumns::default() };
    assert_eq!(as_named(&without).hard_negatives, None);
    let error = read_as("a.tsv", content, &named("q", "gone", None, None)).unwrap_err();
    assert_eq!(error, "a.tsv has no column `gone`");
    let half = ExampleColumns { anchor: Some("q".into()), ..ExampleColumns::default() };
    let error = read_as("a.tsv", content, &half).unwrap_err();
    assert_eq!(error, "`anchor` is q: the column `positive` has to be named too");
}

#[test]
fn only_rows_labelled_positive_stay_and_blank_ones_are_counted() {
    let content = "sentence1\tsentence2\tscore\na\tb\t1\nc\td\t0\n \te\t1\nf\tg\t1.0\n";
    let examples = read_file("a.tsv", content).unwrap();
    assert_eq!(examples.anchors, ["a", "f"]);
    assert_eq!(examples.skipped, SkippedRows { blank: 1, not_positive: 1 });
    let words =
        "premise\thypothesis\tlabel\nb\tb\tneutral\na\tx\tEntailment\nc\tc\tcontradiction\nd\td\tnot_entailment\n";
    let examples = read_file("a.tsv", words).unwrap();
    assert_eq!((examples.positives, examples.skipped.not_positive), (vec!["x".to_owned()], 3));
}

#[test]
fn grades_go_to_five_where_one_is_above_one_and_to_one_otherwise() {
    let content = |grades: [&str; 4]| {
        let rows: String = grades.iter().map(|grade| format!("{grade}\tx\t{grade}\n")).collect();
        read_file("a.tsv", &format!("sentence1\tsentence2\tlabel\n{rows}")).unwrap().anchors
    };
    assert_eq!(content(["4.0", "3.99", "5", "1"]), ["4.0", "5"]);
    assert_eq!(content(["0.8", "0.79", "1", "0"]), ["0.8", "1"]);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let pairs = |rows: &str| read_file("a.tsv", &format!("sentence1\tsentence2\tlabel\na\tb\t1\n{rows}")).unwrap_err();
    assert_eq!(pairs("a\tb\n"), "a.tsv, line 3: 2 fields where 3 belong");
    assert_eq!(pairs("a\tb\t1\t\n"), "a.tsv, line 3: 4 fields where 3 belong");
    assert_eq!(pairs("\na\tb\t1\n"), "a.tsv, line 3: 0 fields where 3 belong");
    assert_eq!(pairs("a\tb\t\n"), "a.tsv, line 3: the label is empty");
    assert_eq!(pairs("a\tb\tmaybe\n"), "a.tsv, line 3: unknown label `maybe`");
    assert_eq!(pairs("a\tb\tNaN\n"), "a.tsv, line 3: the label `NaN` isn't from 0 to 5");
    assert_eq!(pairs("a\tb\t-1\n"), "a.tsv, line 3: the label `-1` isn't from 0 to 5");
    let mixed = pairs("a\tb\tentailment\n");
    assert_eq!(mixed, "a.tsv, line 3: the label `entailment` beside others that are words, or numbers");
    let number = read_file("a.tsv", "premise\thypothesis\tlabel\na\tb\t0\n").unwrap_err();
    assert!(number.starts_with("a.tsv, line 2: the label `0` of a premise and a hypothesis is a number"), "{number}");
    let none = read_file("a.tsv", "sentence1\tsentence2\tlabel\na\tb\t0\n").unwrap_err();
    assert_eq!(none, "a.tsv: no training example is left: 0 rows with a blank sentence, 1 not labelled positive");
    assert_eq!(read_file("a.csv", "anchor,positive\na,b\nc\n").unwrap_err(), "a.csv, line 3: 1 fields where 2 belong");
    assert_eq!(read_file("a.tsv", "anchor\tpositive\n").unwrap_err(), "a.tsv is empty");
    for empty in ["a.tsv", "a.csv", "a.jsonl"] {
        assert_eq!(read_file(empty, "").unwrap_err(), format!("{empty} is empty"));
    }
    assert_eq!(read_file("a.txt", "a\n").unwrap_err(), "a.txt: plain lines have no columns");
    assert_eq!(read_file("a.md", "a\n").unwrap_err(), "a.md: unknown kind of text file");
    for (name, tab) in [("a.tsv", "\t"), ("a.csv", ",")] {
        let content = [b"anchor", tab.as_bytes(), b"positive\na\xff", tab.as_bytes(), b"b\n"].concat();
        let error = read_as(name, &content, &ExampleColumns::default()).unwrap_err();
        assert!(error.starts_with(&format!("{name}, line 2, byte 2")), "{error}");
    }
}

#[test]
fn every_error_says_what_to_do_next() {
    let folder = tempfile::tempdir().unwrap();
    for content in ["a\tb\nc\td\n", "sentence1\tsentence2\tlabel\na\tb\n", "sentence1\tsentence2\tlabel\na\tb\t0\n"] {
        let path = folder.path().join("a.tsv");
        std::fs::write(&path, content).unwrap();
        assert!(read(&path, &ExampleColumns::default()).unwrap_err().hint().is_some(), "{content}");
    }
}

#[test]
fn objects_a_line_may_have_their_fields_in_any_order() {
    let content = "{\"label\": 1, \"sentence1\": \"a\", \"sentence2\": \"b\"}\n\n\
                   {\"sentence2\": \"d\", \"sentence1\": \"c\", \"label\": \"1\", \"more\": []}\n\
                   {\"sentence2\": null, \"sentence1\": \"c\", \"label\": 1}\n";
    let examples = read_file("a.jsonl", content).unwrap();
    assert_eq!((examples.anchors.join(" "), examples.positives.join(" ")), ("a c".into(), "b d".into()));
    assert_eq!(examples.skipped.blank, 1);
    let wrong = |line: &str| read_file("a.jsonl", &format!("{{\"anchor\": \"a\", \"positive\": \"b\"}}\n{line}\n"));
    assert_eq!(wrong("{\"anchor\": \"a\"}").unwrap_err(), "a.jsonl, line 2: no field `positive`, only `anchor`");
    assert_eq!(
        wrong("{\"anchor\": \"a\", \"positive\": 3}").unwrap_err(),
        "a.jsonl, line 2: the field `positive` is of the wrong type"
    );
    assert_eq!(wrong("[]").unwrap_err(), "a.jsonl, line 2: no object, which the columns' names belong to");
    assert_eq!(wrong("{").unwrap_err(), "a.jsonl, line 2: no JSON");
}

/// Writes the columns to `path`.
fn parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)));
    let batch = batch.unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn parquet_reads_by_name_with_numbers_for_labels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let text = |texts: Vec<Option<&str>>| Arc::new(StringArray::from(texts)) as ArrayRef;
    // More rows than are decoded at a time.
    let many = |text: &'static str| Arc::new(StringArray::from(vec![text; 3000])) as ArrayRef;
    let ids = || Arc::new(Int64Array::from_iter_values(0..3000)) as ArrayRef;
    parquet(&path, vec![("negative", many("n")), ("id", ids()), ("positive", many("p")), ("anchor", many("a"))]);
    let examples = read(&path, &ExampleColumns::default()).unwrap();
    assert_eq!((examples.len(), &*examples.anchors[2999], &*examples.positives[2999]), (3000, "a", "p"));
    assert_eq!(examples.hard_negatives.unwrap()[0], "n");

    let columns =
        || vec![("sentence2", text(vec![Some("b"), Some("d"), None])), ("sentence1", text(vec![Some("a"); 3]))];
    let grades = Arc::new(Float64Array::from(vec![4.5, 1.0, 4.0])) as ArrayRef;
    parquet(&path, [columns(), vec![("score", grades)]].concat());
    let examples = read(&path, &ExampleColumns::default()).unwrap();
    assert_eq!(
        (examples.positives.join(" "), examples.skipped.blank, examples.skipped.not_positive),
        ("b".into(), 1, 1)
    );

    let labels = Arc::new(Int64Array::from(vec![Some(1), None, Some(1)])) as ArrayRef;
    parquet(&path, [columns(), vec![("label", labels)]].concat());
    let error = read(&path, &ExampleColumns::default()).unwrap_err().to_string();
    assert!(error.ends_with("a.parquet, row 2: the label is empty"), "{error}");
    let error = read(&path, &named("sentence1", "label", None, None)).unwrap_err().to_string();
    assert!(error.ends_with("a.parquet: the column `label` holds Int64, not strings"), "{error}");
}

#[test]
fn a_gzip_file_reads_like_the_plain_one() {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(b"anchor\tpositive\na\tb\n").unwrap();
    let examples = read_as("a.tsv.gz", &writer.finish().unwrap(), &ExampleColumns::default()).unwrap();
    assert_eq!(examples.len(), 1);
}

#[test]
fn the_shared_files_are_all_understood() {
    let shared = std::env::var("LIMBECK_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").to_owned());
    let data = Path::new(&shared).join("data");
    if !data.join("nli").is_dir() {
        eprintln!("skipped: {} is missing", data.display());
        return;
    }
    for (file, examples, negatives) in [
        ("nli/en_triples.tsv.gz", 2405, true),
        ("nli/zh_triples.tsv.gz", 10955, true),
        ("nli/en_nli_pairs.tsv.gz", 6570, false),
        ("nli/zh_nli_pairs.tsv.gz", 14833, false),
        ("pairs/en/flickr30k_same_image.noleak.tsv.gz", 57960, false),
    ] {
        let read = read(&data.join(file), &ExampleColumns::default()).unwrap();
        assert_eq!((read.len(), read.hard_negatives.is_some()), (examples, negatives), "{file}");
    }
    let unlabelled = data.join("pairs/zh/OPPO_xiaobu.test_unlabelled.noleak.tsv.gz");
    let error = read(&unlabelled, &ExampleColumns::default()).unwrap_err().to_string();
    assert!(error.ends_with("line 2: the label is empty"), "{error}");
}
