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
    assert_eq!(read_file("a.pdf", "a\n").unwrap_err(), "a.pdf: unknown kind of text file");
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

/// The anchors that are left of rows with these labels, in a file whose column of labels has this name. A row's anchor
/// is its label.
fn positives(pair: &str, name: &str, labels: &[&str]) -> std::result::Result<Vec<String>, String> {
    let rows: String = labels.iter().map(|label| format!("{label}\tx\t{label}\n")).collect();
    Ok(read_file("a.tsv", &format!("{pair}\t{name}\n{rows}"))?.anchors)
}

#[test]
fn the_labels_of_known_sets_are_read_by_their_own_scales() {
    let glue = "sentence1\tsentence2";
    let words = ["entailment", "neutral", "contradiction", "-"];
    assert_eq!(positives(glue, "gold_label", &words).unwrap(), ["entailment"]);
    assert_eq!(positives("premise\thypothesis", "labels", &words).unwrap(), ["entailment"]);
    assert_eq!(positives(glue, "labels", &["0", "1"]).unwrap(), ["1"]);
    for name in ["similarity_score", "similarity", "score"] {
        assert_eq!(positives(glue, name, &["3.9", "4", "0.9"]).unwrap(), ["4"], "{name}");
        assert_eq!(positives(glue, name, &["0.9", "0.7"]).unwrap(), ["0.9"], "{name}");
    }
    for name in ["relatedness_score", "relatedness_judgment"] {
        let labels = ["5", "4.2", "4.1", "1"];
        assert_eq!(positives("sentence_A\tsentence_B", name, &labels).unwrap(), ["5", "4.2"], "{name}");
        assert!(positives("sentence_A\tsentence_B", name, &["1", "1.0"]).unwrap_err().contains("2 not labelled"));
    }
    assert_eq!(positives("question1\tquestion2", "is_duplicate", &["0", "1"]).unwrap(), ["1"]);
    assert_eq!(positives("#1 String\t#2 String", "Quality", &["0", "1"]).unwrap(), ["1"]);
    let judged = ["ENTAILMENT", "NEUTRAL", "CONTRADICTION"];
    assert_eq!(positives("sentence_A\tsentence_B", "entailment_judgment", &judged).unwrap(), ["ENTAILMENT"]);
}

#[test]
fn a_label_outside_its_scale_is_an_error() {
    let error = positives("question1\tquestion2", "is_duplicate", &["1", "2"]).unwrap_err();
    assert_eq!(error, "a.tsv, line 3: the label `2` isn't 0 or 1");
    let error = positives("#1 String\t#2 String", "Quality", &["neutral"]).unwrap_err();
    assert_eq!(error, "a.tsv, line 2: unknown label `neutral`");
    let error = positives("sentence_A\tsentence_B", "relatedness_score", &["0.5"]).unwrap_err();
    assert_eq!(error, "a.tsv, line 2: the label `0.5` isn't from 1 to 5");
    let number = positives("sentence_A\tsentence_B", "label", &["0"]).unwrap_err();
    assert!(number.contains("is a number, which may mean anything"), "{number}");
    assert_eq!(positives("sentence_A\tsentence_B", "score", &["1", "5"]).unwrap(), ["5"]);
}

#[test]
fn whole_headers_of_known_sets_are_understood() {
    let sick = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n\
                1\ta\tb\t4.9\tENTAILMENT\n2\tc\td\t4.9\tNEUTRAL\n";
    assert_eq!(read_file("a.tsv", sick).unwrap().anchors, ["a"]);
    let copy = "id,sentence_A,sentence_B,label,relatedness_score\n1,a,b,0,4.5\n2,c,d,1,3\n";
    assert_eq!(read_file("a.csv", copy).unwrap().anchors, ["a"]);
    let quora = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\ta\tb\t0\n1\t3\t4\tc\td\t1\n";
    assert_eq!(read_file("a.tsv", quora).unwrap().anchors, ["c"]);
    let mrpc = "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\ta \"b\tc\n0\t7\t8\td\te\n";
    assert_eq!(read_file("a.tsv", mrpc).unwrap().anchors, ["a \"b"]);
    let mnli = "index\tgenre\tsentence1\tsentence2\tlabel1\tgold_label\n\
                0\tx\ta\tb\tneutral\tentailment\n1\tx\tc\td\tentailment\tneutral\n";
    assert_eq!(read_file("a.tsv", mnli).unwrap().anchors, ["a"]);
    let snli = "{\"annotator_labels\": [\"neutral\"], \"gold_label\": \"entailment\", \"sentence1\": \"a\", \
                \"sentence2\": \"b\"}\n";
    assert_eq!(read_file("a.jsonl", snli).unwrap().positives, ["b"]);
    let truth = "{\"question1\": \"a\", \"question2\": \"b\", \"is_duplicate\": true}\n\
                 {\"question1\": \"c\", \"question2\": \"d\", \"is_duplicate\": false}\n";
    assert_eq!(read_file("a.jsonl", truth).unwrap().anchors, ["a"]);
    let plain = read_file("a.tsv", "index\tsentence1\tsentence2\n0\ta\tb\n").unwrap();
    assert_eq!((plain.len(), plain.note()), (1, None));
}

#[test]
fn an_unknown_column_that_looks_like_a_label_is_asked_about() {
    for name in ["Label", "golden", "my_score", "is_same", "Rating", "paraphrase", "category_class"] {
        let content = format!("sentence1\tsentence2\t{name}\na\tb\t0\n");
        let error = read_file("a.tsv", &content).unwrap_err();
        assert_eq!(error, format!("a.tsv: does `{name}` say which rows are positive?"));
        let none = ExampleColumns { label: Some(String::new()), ..ExampleColumns::default() };
        assert_eq!(read_as("a.tsv", content.as_bytes(), &none).unwrap().len(), 1);
        let named = ExampleColumns { label: Some(name.to_owned()), ..ExampleColumns::default() };
        assert!(read_as("a.tsv", content.as_bytes(), &named).unwrap_err().contains("1 not labelled positive"));
    }
    let error = read_as("a.tsv", b"q\ta\tgrade\nx\ty\t0\n", &named("q", "a", None, None)).unwrap_err();
    assert_eq!(error, "a.tsv: does `grade` say which rows are positive?");
}

#[test]
fn other_columns_that_are_not_read_are_told() {
    let examples = read_file("a.tsv", "sentence1\tsentence2\tx\ty\na\tb\t0\t0\n").unwrap();
    assert_eq!(examples.unread, ["x", "y"]);
    assert_eq!(
        examples.note().unwrap(),
        "each row is a positive example; not read: `x`, `y`; if one holds labels, name it `label`"
    );
    let none = ExampleColumns { label: Some(String::new()), ..ExampleColumns::default() };
    assert_eq!(read_as("a.tsv", b"sentence1\tsentence2\tx\na\tb\t0\n", &none).unwrap().note(), None);
    assert_eq!(read_file("a.tsv", "sentence1\tsentence2\na\tb\n").unwrap().note(), None);
}
