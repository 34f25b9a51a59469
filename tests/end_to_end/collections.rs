//! A collection as the text of a run.

use crate::support::Project;

/// A recipe whose text is a collection of documents of four sentences, every second one with a title.
fn with_collection(units: &str) -> Project {
    let project = Project::new(2000);
    let text = project.text("text.txt");
    let lines: Vec<&str> = text.lines().collect();
    let document = |(at, part): (usize, &[&str])| {
        let (title, text) = if at.is_multiple_of(2) { (part[0], &part[1..]) } else { ("", part) };
        serde_json::json!({"_id": format!("d{at}"), "title": title, "text": text.join(". ")}).to_string() + "\n"
    };
    let corpus: String = lines.chunks(4).enumerate().map(document).collect();
    project.write("corpus/corpus.jsonl", corpus);
    project.write("corpus/queries.jsonl", "{\"_id\": \"q\", \"text\": \"a query\"}\n");
    let source = format!("own_queries = 20\n\n[[text.source]]\nuri = \"corpus\"\nunits = {units}\n");
    project.write_recipe("collection.toml", ("\n[[text.source]]\nuri = \"text.txt\"\n", &source), "");
    project
}

#[test]
fn a_collection_s_units_are_told_and_its_documents_and_queries_kept() {
    let project = with_collection(r#"["span", "title", "document"]"#);
    let run = project.succeed("run collection.toml --to embed");
    assert!(run.says("text", "500 documents, ") && run.says("text", ", in all "), "{}", run.stderr);
    assert!(run.says("text", "; 20 queries of its own documents"), "{}", run.stderr);
    let again = project.succeed("run collection.toml --to embed");
    assert!(again.says("text", "skipped") && again.says("embed", "skipped"), "{}", again.stderr);
    for name in ["collection.parquet", "queries.parquet"] {
        let file = format!("runs/collection/text/{name}");
        std::fs::remove_file(project.path(&file)).unwrap();
        let again = project.succeed("run collection.toml --to embed");
        assert!(!again.says("text", "skipped") && again.says("embed", "skipped"), "{}", again.stderr);
        assert!(project.has(&file));
    }
}

#[test]
fn what_the_teacher_cuts_is_told_of_each_unit() {
    let project = with_collection(r#"["document", "title"]"#);
    let long = "many words and many more of them ".repeat(200);
    project.write(
        "corpus/corpus.jsonl",
        project.text("corpus/corpus.jsonl") + &format!("{{\"_id\": \"l\", \"text\": \"{long}\"}}\n"),
    );
    let run = project.succeed("run collection.toml --to embed");
    assert!(run.says("embed", "corpus (document): "), "{}", run.stderr);
    assert!(!run.says("embed", "corpus (title): "), "{}", run.stderr);
}

#[test]
fn units_beside_a_split_are_refused_with_a_hint() {
    let project = with_collection(r#"["document"]"#);
    project.write("both.toml", project.text("collection.toml").replace("units =", "split = true\nunits ="));
    project.fail("run both.toml").told(&["`unit` and `split`", "hint:", "[\"document\", \"sentence\"]"]);
}
