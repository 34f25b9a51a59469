//! Recipes laid over one another: stages that the recipes have in common run once.

use std::sync::LazyLock;

use crate::support::Project;

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

/// The recipe `over.toml` over `tiny.toml`, and `after.toml` over `over.toml`; the runs of both are finished.
static OVERLAID: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("overlaid", 900, |project| {
        project.write("over.toml", OVER);
        project.write("after.toml", "base = \"over.toml\"\n[student]\nmethods = [\"simcse\", \"distil\"]\n");
        project.succeed("run over.toml");
        project.write("after.txt", project.succeed("run after.toml").stderr);
    })
});

#[test]
fn stages_in_common_are_in_the_folder_of_the_base_and_the_others_in_the_recipes_own() {
    for (file, exists) in [
        ("tiny/cache/train/cache.json", true),
        ("tiny/baselines/static-trained/config.json", true),
        ("tiny/student", false),
        ("over/cache", false),
        ("over/student/config.json", true),
        ("over/report.html", true),
    ] {
        assert_eq!(OVERLAID.path("runs").join(file).exists(), exists, "{file}");
    }
}

#[test]
fn a_student_of_the_overlaid_recipe_starts_as_that_recipe_says() {
    let config = OVERLAID.json("runs/over/student/config.json");
    assert!(config.to_string().contains("word vectors"), "{config}");
}

#[test]
fn the_base_skips_stages_that_ran_for_a_recipe_over_it() {
    let outcome = OVERLAID.copy().succeed("run tiny.toml --to distil");
    let said = &outcome.stderr;
    assert!(outcome.says("embed", "skipped") && !outcome.says("distil", "skipped"), "{said}");
}

#[test]
fn a_recipe_over_an_overlaid_one_skips_the_stages_of_both() {
    let plan = OVERLAID.succeed("run after.toml --dry-run");
    let simcse = plan.planned("simcse");
    assert!(simcse.starts_with("skip") && simcse.contains("runs/over"), "{}", plan.stdout);
}

#[test]
fn a_stage_that_the_recipe_configures_otherwise_is_the_recipes_own() {
    let plan = OVERLAID.succeed("run over.toml --dry-run --set text.hold_out=0.2");
    let embed = plan.planned("embed");
    assert!(embed.starts_with("run") && !embed.contains("runs/tiny"), "{}", plan.stdout);
}

#[test]
fn a_teacher_is_measured_once_on_the_same_sentences() {
    let said = OVERLAID.text("after.txt");
    assert!(!said.contains("teacher: sentences of") && said.contains("student: sentences of"), "{said}");
}

#[test]
fn a_table_of_two_overlaid_runs_lists_their_common_models_once() {
    let table = OVERLAID.succeed("table runs/over runs/after").stdout;
    let first = |line: &str| line.split('|').nth(1).unwrap_or_default().trim().to_owned();
    let rows: Vec<String> = table.lines().skip(2).map(first).collect();
    assert_eq!(rows, ["teacher", "static, untrained", "static, trained", "over", "after"]);
}

#[test]
fn evaluate_measures_word_order_and_fidelity_as_a_run_does() {
    let project = OVERLAID.copy();
    project.succeed("word-order --input runs/tiny/text/held-out.parquet --to order.tsv");
    let models = "evaluate --model runs/over/student --teacher runs/tiny/teacher";
    let inputs = "--word-order order.tsv --fidelity runs/tiny/text/held-out.parquet --json";
    let alone = project.succeed(&format!("{models} {inputs}")).json();
    let summary = project.json("runs/over/summary.json");
    let student = summary["models"].as_array().unwrap().iter().find(|model| model["name"] == "student").unwrap();
    let [order, of_run] =
        [&alone["word_order"]["average"], &student["extra"]["word_order"]].map(|x| x.as_f64().unwrap());
    assert!((order - of_run).abs() < 1e-6, "{order} is not {of_run}");
    for figure in ["cosine", "spearman", "neighbours_at_10"] {
        // The run compares with the cache, whose values are f16.
        let both = [&alone["fidelity"]["held-out"], &student["fidelity"]].map(|x| x[figure].as_f64().unwrap());
        assert!((both[0] - both[1]).abs() < 0.01, "{figure}: {both:?}");
    }
}

#[test]
fn fidelity_without_a_teacher_is_refused() {
    OVERLAID.refuse("evaluate --model runs/over/student --fidelity text.txt").told(&["--teacher"]);
}

#[test]
fn a_recipe_over_itself_is_refused_with_a_hint() {
    let project = Project::new(10);
    project.write("loop.toml", "base = \"loop.toml\"\n");
    project.fail("run loop.toml").told(&["loop.toml", "hint: "]);
}
