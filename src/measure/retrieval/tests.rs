use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo};
use serde_json::Value;

use super::set::open_sets;
use super::*;
use crate::measure::test_support::{FakeEncoder, bag, silent};

/// `collection.json`: a made-up collection with its vectors, and the figures that ir-measures gives.
fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/retrieval/collection.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Writes a collection in BEIR's layout into `folder`.
fn write_collection(folder: &Path, documents: &[Value], queries: &[Value], qrels: &[Value]) {
    std::fs::create_dir_all(folder).unwrap();
    let lines = |rows: &[Value]| rows.iter().map(|row| format!("{row}\n")).collect::<String>();
    std::fs::write(folder.join("corpus.jsonl"), lines(documents)).unwrap();
    std::fs::write(folder.join("queries.jsonl"), lines(queries)).unwrap();
    let mut judgements = String::from("query-id\tcorpus-id\tscore\n");
    for line in qrels {
        let text = |at: usize| line[at].as_str().unwrap().to_owned();
        writeln!(judgements, "{}\t{}\t{}", text(0), text(1), line[2]).unwrap();
    }
    std::fs::write(folder.join("qrels.tsv"), judgements).unwrap();
}

fn rows<'a>(golden: &'a Value, key: &str) -> &'a [Value] {
    golden[key].as_array().unwrap()
}

/// The vectors of the golden collection, by the texts that a model is given.
fn vectors(golden: &Value) -> HashMap<String, Vec<f32>> {
    let text = |row: &Value| {
        let part = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", part("title"), part("text")).trim().to_owned()
    };
    let vector = |row: &Value| serde_json::from_value(row["vector"].clone()).unwrap();
    let all = rows(golden, "documents").iter().chain(rows(golden, "queries"));
    all.map(|row| (text(row), vector(row))).collect()
}

#[test]
fn figures_are_those_of_trec_eval() {
    let (golden, temporary) = (golden(), tempfile::tempdir().unwrap());
    let folder = temporary.path().join("made-up");
    write_collection(&folder, rows(&golden, "documents"), rows(&golden, "queries"), rows(&golden, "qrels"));
    let set = &open_sets(&[folder], silent()).unwrap()[0];
    assert_eq!((set.name.as_str(), set.left_out, set.missing), ("made-up", 2, 1));
    let vectors = vectors(&golden);
    let encoder = FakeEncoder::new(|text: &str| vectors.get(text).cloned().unwrap_or_else(|| vec![0.0; 6]));
    let model = NamedModel::new("golden", &encoder);
    let found = serde_json::to_value(retrieval(&model, &model, set, silent()).unwrap()).unwrap();
    for (figure, expected) in golden["expected"].as_object().unwrap() {
        let (found, expected) = (found[figure].as_f64().unwrap(), expected.as_f64().unwrap());
        assert!((found - expected).abs() < 1e-5, "{figure}: {found} against {expected}");
    }
}

/// A collection of two documents, of which the second answers the query.
fn two_documents() -> (tempfile::TempDir, RetrievalSet) {
    let temporary = tempfile::tempdir().unwrap();
    let folder: PathBuf = temporary.path().join("two");
    let json = |text: &str| serde_json::from_str::<Vec<Value>>(text).unwrap();
    let documents = json(r#"[{"_id": "a", "text": "grey cat"}, {"_id": "b", "title": "red", "text": "fox"}]"#);
    write_collection(&folder, &documents, &json(r#"[{"_id": "q", "text": "red"}]"#), &json(r#"[["q", "b", 1]]"#));
    let set = open_sets(&[folder], silent()).unwrap().remove(0);
    (temporary, set)
}

/// A model with prompts for both sides, whose vectors are those of the words of the text and its prompt.
struct Prompted;

impl Encoder for Prompted {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        Ok(Embeddings::new(texts.iter().flat_map(|text| bag(text)).collect(), 16))
    }

    fn encode_side(&self, side: SearchSide, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        // A query is asked as the other document.
        let prompted = texts.iter().map(|text| match side {
            SearchSide::Query => "grey cat".to_owned(),
            SearchSide::Document => (*text).to_owned(),
        });
        let prompted: Vec<String> = prompted.collect();
        self.encode(&prompted.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn info(&self) -> EncoderInfo {
        EncoderInfo { dimension: 16, parameters: 0, bytes: 0, engine: "fake", precision: "f32", threads: 1 }
    }
}

#[test]
fn queries_and_documents_have_the_models_own_prompts() {
    let (_temporary, set) = two_documents();
    let plain = FakeEncoder::new(bag);
    let plain = NamedModel::new("plain", &plain);
    assert_eq!(retrieval(&plain, &plain, &set, silent()).unwrap().mrr_at_10, 100.0);
    let prompted = NamedModel::new("prompted", &Prompted);
    assert_eq!(retrieval(&prompted, &prompted, &set, silent()).unwrap().mrr_at_10, 50.0);
}

#[test]
fn documents_by_another_model_are_in_its_space() {
    let (_temporary, set) = two_documents();
    let (own, turned) = (FakeEncoder::new(bag), FakeEncoder::new(|text| bag(text).into_iter().map(|v| -v).collect()));
    let (own, turned) = (NamedModel::new("own", &own), NamedModel::new("turned", &turned));
    assert_eq!(retrieval(&own, &turned, &set, silent()).unwrap().mrr_at_10, 50.0);
    assert_eq!(retrieval(&turned, &turned, &set, silent()).unwrap().mrr_at_10, 100.0);
    let narrow = FakeEncoder::new(|_| vec![1.0, 0.0]);
    let error = retrieval(&own, &NamedModel::new("narrow", &narrow), &set, silent()).unwrap_err();
    assert!(error.to_string().contains("narrow") && error.to_string().contains("16 against 2"), "{error}");
}

#[test]
fn sets_of_one_name_are_told_apart_by_their_folders() {
    let temporary = tempfile::tempdir().unwrap();
    let folders = ["x/set", "y/set"].map(|name| temporary.path().join(name));
    let json = |text: &str| serde_json::from_str::<Vec<Value>>(text).unwrap();
    let rows = json(r#"[{"_id": "a", "text": "grey cat"}]"#);
    folders.iter().for_each(|folder| write_collection(folder, &rows, &rows, &json(r#"[["a", "a", 1]]"#)));
    let names: Vec<String> = open_sets(&folders, silent()).unwrap().into_iter().map(|set| set.name).collect();
    assert_eq!(names, ["x/set", "y/set"]);
    assert!(open_sets(&[folders[0].clone(), folders[0].clone()], silent()).is_err());
}
