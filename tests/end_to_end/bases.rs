//! Recipes laid over one another: what is the same is done once.

use serde_json::Value;

use super::support::{fail, project, run, succeed, text};

const OVER: &str = r#"
base = "tiny.toml"

[student]
methods = ["simcse"]

[train_student]
start = "word-vectors"
simcse = { batch = 64 }

[evaluate]
sts = ["pairs.tsv"]

[bench]
rounds = 1
seconds = 0.05
"#;

#[test]
fn a_recipe_over_another_shares_its_stages_whichever_runs_first() {
    let (_keep, folder) = project(900);
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("over.toml", OVER);
    write("after.toml", "base = \"over.toml\"\n[student]\nmethods = [\"simcse\", \"distil\"]\n");
    write("loop.toml", "base = \"loop.toml\"\n");

    succeed(&folder, &["run", "over.toml"]);
    let runs = folder.join("runs");
    for (file, is_there) in [
        ("tiny/cache/train/cache.json", true),
        ("tiny/baselines/static-trained/config.json", true),
        ("tiny/student", false),
        ("over/cache", false),
        ("over/student/config.json", true),
        ("over/report.html", true),
    ] {
        assert_eq!(runs.join(file).exists(), is_there, "{file}");
    }
    let student: Value =
        serde_json::from_slice(&std::fs::read(runs.join("over/student/config.json")).unwrap()).unwrap();
    assert!(student.to_string().contains("word vectors"), "{student}");

    // The base finds done what was done for the other, and the third begins at the second's student.
    let said = text(&run(&folder, &["run", "tiny.toml", "--to", "distil"]).stderr);
    assert!(said.contains("embed: up to date, skipped") && said.contains("distil: not done yet"), "{said}");
    let plan = succeed(&folder, &["run", "after.toml", "--dry-run"]);
    let simcse = plan.lines().find(|line| line.trim().starts_with("simcse")).unwrap();
    assert!(simcse.contains("skip") && simcse.contains("runs/over"), "{plan}");
    // A teacher is measured once on the same material.
    let said = text(&run(&folder, &["run", "after.toml"]).stderr);
    assert!(!said.contains("teacher: sentences of") && said.contains("student: sentences of"), "{said}");
    // What differs is the recipe's own.
    let plan = succeed(&folder, &["run", "over.toml", "--dry-run", "--set", "text.hold_out=0.2"]);
    let embed = plan.lines().find(|line| line.trim().starts_with("embed")).unwrap();
    assert!(embed.contains("run") && !embed.contains("runs/tiny"), "{plan}");

    let table = succeed(&folder, &["table", "runs/over", "runs/after"]);
    let first = |line: &str| line.split('|').nth(1).unwrap_or_default().trim().to_owned();
    let rows: Vec<String> = table.lines().skip(2).map(first).collect();
    assert_eq!(rows, ["teacher", "static, untrained", "static, trained", "over", "after"]);

    // The command measures fidelity and word order as the run does.
    succeed(&folder, &["word-order", "--input", "runs/tiny/text/held-out.parquet", "--to", "order.tsv"]);
    let arguments = ["evaluate", "--model", "runs/over/student", "--teacher", "runs/tiny/teacher"];
    let more = ["--word-order", "order.tsv", "--fidelity", "runs/tiny/text/held-out.parquet", "--json"];
    let printed = succeed(&folder, &[&arguments[..], &more].concat());
    let alone: Value = serde_json::from_str(&printed).unwrap();
    let whole: Value = serde_json::from_slice(&std::fs::read(runs.join("over/summary.json")).unwrap()).unwrap();
    let student = whole["models"].as_array().unwrap().iter().find(|model| model["name"] == "student").unwrap();
    let figures = [&alone["word_order"]["average"], &student["extra"]["word_order"]].map(|x| x.as_f64().unwrap());
    assert!((figures[0] - figures[1]).abs() < 1e-6, "{figures:?}");
    for figure in ["cosine", "spearman", "neighbours_at_10"] {
        // The run compares with the cache, whose numbers are f16.
        let figures = [&alone["fidelity"]["held-out"], &student["fidelity"]].map(|x| x[figure].as_f64().unwrap());
        assert!((figures[0] - figures[1]).abs() < 0.01, "{figure}: {figures:?}");
    }
    let alone = run(&folder, &["evaluate", "--model", "runs/over/student", "--fidelity", "order.tsv"]);
    assert!(alone.status.code() == Some(2) && text(&alone.stderr).contains("--teacher"), "{}", text(&alone.stderr));

    let stderr = fail(&folder, &["run", "loop.toml"]);
    assert!(stderr.contains("loop.toml") && stderr.contains("hint: "), "{stderr}");
}
