//! `limbeck collection` and `limbeck search`: a search model of documents, and what it finds.

use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::support::{Project, sentences};

const MAKE: &str = "collection beir --teacher teacher --to mine --set student.embedding=16 \
                    --set student.attention.heads=2 --set student.attention.filters=8 \
                    --set student.attention.values=8 --set distil.epochs=2 --set distil.checkpoint_every=5 \
                    --set bench.rounds=1 --set bench.seconds=0.05 \
                    --set text.hold_out=0.1 --set text.own_queries=40 --set threads=2";

/// 200 documents of a title and three sentences in BEIR's layout.
fn write_collection(project: &Project) {
    let (mut corpus, mut queries, mut judged) =
        (String::new(), String::new(), String::from("query-id\tcorpus-id\tscore\n"));
    for (at, four) in sentences(800).chunks(4).enumerate() {
        let text = four[1..].join(". ") + ".";
        let _ = writeln!(corpus, "{}", json!({"_id": format!("d{at}"), "title": four[0], "text": text}));
        if at % 10 == 0 {
            let _ = writeln!(queries, "{}", json!({"_id": format!("q{at}"), "text": four[1]}));
            let _ = writeln!(judged, "q{at}\td{at}\t1");
        }
    }
    project.write("beir/corpus.jsonl", corpus);
    project.write("beir/queries.jsonl", queries);
    project.write("beir/qrels/test.tsv", judged);
}

/// A collection, and the finished run of `limbeck collection` with what it printed.
static MADE: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("collection", 10, |project| {
        write_collection(project);
        project.write("printed.txt", project.succeed(MAKE).stdout);
    })
});

fn model(name: &str) -> Value {
    let models = MADE.json("runs/mine/summary.json")["models"].clone();
    let found = models.as_array().unwrap().iter().find(|model| model["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {models}")).clone()
}

#[test]
fn a_collection_gives_both_students_with_their_exports() {
    for file in [
        "recipe.toml",
        "teacher/model.int8.onnx",
        "student/config.json",
        "baselines/static-trained/config.json",
        "exports/student.int8.limbeck",
        "exports/static-trained.int8.limbeck",
        "report.html",
    ] {
        assert!(MADE.has(format!("runs/mine/{file}")), "{file}");
    }
}

#[test]
fn the_summary_recommends_one_of_the_students() {
    let recommended = MADE.json("runs/mine/summary.json")["recommended"].clone();
    let found = |name: &str| model(name)["extra"]["label_free"]["found_at_10"].as_f64().unwrap();
    let (student, control) = (found("student"), found("static, trained"));
    let expected = if control >= student - 1.0 { "static-trained" } else { "student" };
    assert_eq!(recommended, expected, "{student} {control}");
}

#[test]
fn search_without_labels_stands_beside_bm25() {
    let measured = model("student")["extra"]["label_free"].clone();
    assert_eq!(measured["queries"], 40);
    for key in ["found_at_10", "ndcg_at_10", "bm25_found_at_10", "bm25_ndcg_at_10"] {
        let figure = measured[key].as_f64().unwrap();
        assert!(figure > 0.0 && figure <= 100.0, "{key} in {measured}");
    }
}

#[test]
fn the_command_ends_with_a_first_search() {
    let printed = MADE.text("printed.txt");
    assert!(printed.contains("with BM25") && printed.contains("limbeck search --model runs/mine"), "{printed}");
}

#[test]
fn a_killed_command_goes_on_and_ends_in_the_same_bytes() {
    let project = Project::new(10);
    write_collection(&project);
    project.kill_at(MAKE, "runs/mine/cache/train/cache.json");
    let again = project.succeed(MAKE);
    assert!(again.skipped() > 0, "{}", again.stderr);
    for folder in ["student", "baselines", "exports"] {
        let name = format!("runs/mine/{folder}");
        // The card tells speeds.
        let files = |project: &Project| {
            let mut files = project.files(&name);
            files.remove(std::path::Path::new("README.md"));
            files
        };
        assert!(files(&project) == files(&MADE), "{folder}");
    }
}

#[test]
fn too_few_documents_to_hold_any_out_are_told_what_to_set() {
    let project = Project::new(10);
    project.write("few/a.txt", "The dog sees the cat. The cat likes the house. The train leaves the city.");
    project
        .fail("collection few --teacher teacher --to few --set student.embedding=16")
        .told(&["text.hold_out = 0.02", "raise it"]);
}

#[test]
fn general_sentences_stand_beside_the_documents() {
    let project = Project::new(10);
    write_collection(&project);
    project.write("general.txt", sentences(1_000)[900..].join("\n"));
    let run = project.succeed(&format!("{MAKE} --general general.txt --set distil.documents=4"));
    assert!(run.stderr.contains("preparing the text: 300 texts"), "{}", run.stderr);
    assert!(run.stderr.contains("whole documents, which come 4 times a pass"), "{}", run.stderr);
    let recipe = project.text("runs/mine/recipe.toml");
    assert!(recipe.contains("uri = \"beir\"") && recipe.contains("uri = \"general.txt\""), "{recipe}");
}

#[test]
fn a_dry_run_writes_nothing() {
    let project = Project::new(10);
    write_collection(&project);
    let planned = project.succeed(&format!("{MAKE} --dry-run"));
    assert!(planned.planned("text").starts_with("run"));
    assert!(!project.has("runs/mine/state.json"));
}

#[test]
fn a_run_is_searched_by_its_recommended_student() {
    let found = MADE.succeed("search --model runs/mine --json guitar --top 3").json();
    assert_eq!(found["search"], MADE.json("runs/mine/summary.json")["recommended"]);
    let documents = found["documents"].as_array().unwrap();
    assert_eq!(documents.len(), 3);
    assert_eq!(documents[0]["rank"], 1);
    assert!(documents[0]["score"].as_f64() >= documents[1]["score"].as_f64());
    assert!(documents[0]["id"].as_str().unwrap().starts_with('d'));
}

#[test]
fn teacher_bm25_and_both_stand_beside_the_student() {
    let lists = MADE.succeed("search --model runs/mine --hybrid --teacher --json river").json_lines();
    let recommended = MADE.json("runs/mine/summary.json")["recommended"].as_str().unwrap().to_owned();
    let names: Vec<&str> = lists.iter().map(|list| list["search"].as_str().unwrap()).collect();
    let fused = format!("{recommended} with BM25");
    assert_eq!(names, [fused.as_str(), &recommended, "teacher with BM25", "teacher", "BM25"]);
    let titles: Vec<&str> =
        lists[4]["documents"].as_array().unwrap().iter().map(|hit| hit["title"].as_str().unwrap()).collect();
    assert!(!titles.is_empty());
}

#[test]
fn a_folded_student_searches_any_file_of_documents() {
    let found =
        MADE.succeed("search --model runs/mine/exports/student.int8.limbeck --input text.txt --json dog").json();
    assert_eq!(found["documents"].as_array().unwrap().len(), 10);
}

#[test]
fn the_teacher_is_never_asked_for_all_documents_of_a_search() {
    MADE.refuse("search --model teacher --input beir dog").told(&["--teacher"]);
    MADE.refuse("search --model runs/mine/student --teacher --input beir dog").told(&["folder of a run"]);
}

#[test]
fn a_search_needs_documents() {
    MADE.refuse("search --model runs/mine/student dog").told(&["--input"]);
}
