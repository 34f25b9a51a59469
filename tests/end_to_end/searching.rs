//! Search of a collection in BEIR's layout, by the command and in a run.

use std::fmt::Write;

use serde_json::json;

use crate::shared::{FINISHED, MODELS};
use crate::support::Project;

const DOCUMENTS: [(&str, &str, &str); 4] = [
    ("river", "", "the dog sees a river"),
    ("music", "music in the city", "a guitar plays"),
    ("garden", "the garden", "a cat likes the garden"),
    ("train", "", "the train leaves the market"),
];

/// Writes four documents into the folder `tiny`, and a query a document: its own words.
fn write_collection(project: &Project) {
    let (mut corpus, mut queries, mut judgements) = (String::new(), String::new(), String::new());
    for (id, title, text) in DOCUMENTS {
        writeln!(corpus, "{}", json!({"_id": id, "title": title, "text": text})).unwrap();
        let words = format!("{title} {text}");
        writeln!(queries, "{}", json!({"_id": format!("q-{id}"), "text": words.trim()})).unwrap();
        writeln!(judgements, "q-{id}\t{id}\t1").unwrap();
    }
    project.write("tiny/corpus.jsonl", corpus);
    project.write("tiny/queries.jsonl", queries);
    project.write("tiny/qrels/test.tsv", judgements);
}

#[test]
fn a_static_model_finds_documents_by_their_own_words_and_so_does_bm25() {
    let project = MODELS.copy();
    write_collection(&project);
    let scored = project.succeed("evaluate --model static --retrieval tiny --json").json();
    let expected = json!({"ndcg_at_10": 100.0, "recall_at_100": 100.0, "mrr_at_10": 100.0, "fused_ndcg_at_10": 100.0,
                          "bm25_ndcg_at_10": 100.0, "queries": 4, "documents": 4});
    assert_eq!(scored, json!({"model": "static", "retrieval": {"tiny": expected}}));
    let printed = project.succeed("evaluate --model static --retrieval tiny").stdout;
    assert!(printed.contains("100.00  nDCG@10 fused with BM25, which has 100.00 alone"), "{printed}");
}

#[test]
fn documents_may_be_embedded_by_a_students_teacher_only_in_one_space() {
    let project = FINISHED.copy();
    write_collection(&project);
    let models = "evaluate --model runs/tiny/student --documents teacher --retrieval tiny --json";
    let found = project.succeed(models).json()["retrieval"]["tiny"]["ndcg_at_10"].as_f64().unwrap();
    assert!((0.0..=100.0).contains(&found), "{found}");
    let narrow = "evaluate --model runs/tiny/student --documents static --retrieval tiny";
    crate::support::static_model(&project.path("static"), 2);
    project.fail(narrow).told(&["8"]);
}

#[test]
fn classes_and_clusters_are_measured_on_tables_of_texts_and_labels() {
    let project = MODELS.copy();
    let mut table = "text\tlabel\n".to_owned();
    for noun in ["river", "garden", "market", "house"] {
        writeln!(table, "the dog sees the {noun}\tanimals\na guitar plays music in the {noun}\tmusic").unwrap();
    }
    project.write("topics/train.tsv", &table);
    project.write("topics/test.tsv", &table);
    let sets = "--classification topics --clustering topics";
    let scored = project.succeed(&format!("evaluate --model static {sets} --json")).json();
    let keys: Vec<&String> = scored.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["model", "classification", "clustering"]);
    assert_eq!(scored["classification"]["topics"]["accuracy"], 100.0);
    assert_eq!(scored["clustering"]["topics"]["clusters"], 2);
    let printed = project.succeed(&format!("evaluate --model static {sets}")).stdout;
    assert!(printed.contains("accuracy, macro F1 100.00  (8 training texts, 8 test)"), "{printed}");
}

#[test]
fn a_broken_collection_is_refused_with_file_and_line() {
    let project = MODELS.copy();
    write_collection(&project);
    project.write("tiny/corpus.jsonl", "{\"_id\":\"a\",\"text\":\"x\"}\n{\"_id\":\"a\",\"text\":\"y\"}\n");
    project.fail("evaluate --model static --retrieval tiny").told(&["corpus.jsonl", "line 2", "`a`"]);
    project.fail("evaluate --model static --retrieval out").told(&["out holds no judgements"]);
}

#[test]
fn a_run_measures_search_of_all_models_and_shows_it() {
    let project = FINISHED.copy();
    write_collection(&project);
    let run = project.succeed("run tiny.toml --set evaluate.retrieval=[\"tiny\"]");
    assert!(run.stdout.contains("with BM25") && run.stdout.contains("BM25 "), "{}", run.stdout);
    let summary = project.json("runs/tiny/summary.json");
    let models = summary["models"].as_array().unwrap();
    // Of two precisions of a teacher, the one that made the targets searches.
    let has_searched = |role: &str| models.iter().any(|model| model["role"] == role && !model["retrieval"].is_null());
    assert!(["teacher", "student", "baseline"].into_iter().all(has_searched));
    for model in models.iter().filter(|model| model["role"] != "teacher") {
        let score = &model["retrieval"]["tiny"];
        assert_eq!((&score["queries"], &score["bm25_ndcg_at_10"]), (&json!(4), &json!(100.0)), "{model}");
        assert!(score["ndcg_at_10"].as_f64().is_some_and(|figure| figure > 0.0), "{model}");
    }
    let card = project.text("runs/tiny/student/README.md");
    assert!(card.contains("      type: retrieval\n") && card.contains("    - type: ndcg_at_10\n"), "{card}");
    assert!(project.text("runs/tiny/report.html").contains("Search by set"));
    let table = project.succeed("table runs/tiny").stdout;
    assert!(table.lines().any(|line| line.starts_with("| BM25 |") && line.contains("100.00")), "{table}");
    // Nothing changed: nothing is measured again.
    let again = project.run("run tiny.toml --set evaluate.retrieval=[\"tiny\"] --dry-run");
    assert!(again.planned("evaluate").starts_with("skip"), "{}", again.stdout);
}
