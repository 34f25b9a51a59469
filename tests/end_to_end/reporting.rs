//! The report, the model card, and messages while work goes on.

use serde_json::Value;

use crate::shared::{FINISHED, MODELS};
use crate::support::Project;

#[test]
fn a_report_made_again_has_the_same_bytes() {
    let project = FINISHED.copy();
    project.succeed("report runs/tiny");
    assert!(project.read("runs/tiny/report.html") == FINISHED.read("runs/tiny/report.html"));
}

#[test]
fn a_report_of_two_runs_names_the_models_of_both_and_the_settings_that_differ() {
    let both = FINISHED.text("both.html");
    assert!(both.contains("tiny: student") && both.contains("other: student"));
    assert!(both.contains("<th scope=\"row\">distil.epochs</th>"), "the setting that differs is missing");
}

#[test]
fn a_report_of_a_folder_without_a_run_names_the_missing_summary() {
    Project::empty().fail("report .").told(&["summary.json", "hint:"]);
}

#[test]
fn the_card_in_the_students_folder_has_the_licences_that_the_recipe_names() {
    let project = FINISHED.copy();
    let card = "[card]\nlicense = \"mit\"\nlanguage = [\"en\"]\n[card.licenses]\n\"text.txt\" = \"cc0-1.0\"\n";
    project.write("tiny.toml", project.text("tiny.toml") + card);
    project.succeed("run tiny.toml");
    let card = project.text("runs/tiny/student/README.md");
    for line in [
        "---\nlanguage:\n- \"en\"\nlicense: \"mit\"\n",
        "- text: `text.txt` (cc0-1.0)",
        "- teacher: `teacher` (licence unknown)",
        "| static, trained | baseline |",
        "    - type: cosine_spearman",
        "trust_remote_code=True",
    ] {
        assert!(card.contains(line), "{line} is not in\n{card}");
    }
}

#[test]
fn the_card_names_no_base_model_where_the_teacher_is_a_folder_on_this_machine() {
    let card = FINISHED.text("runs/tiny/student/README.md");
    assert!(!card.contains("base_model"), "{card}");
}

#[test]
fn a_students_queries_are_measured_in_its_teachers_index() {
    let models = "evaluate --model runs/tiny/student teacher --documents teacher";
    let found = FINISHED.succeed(&format!("{models} --json --input text.txt")).json_lines();
    let share = |at: usize| found[at]["one_space"]["neighbours_at_10"].as_f64().unwrap();
    assert_eq!(found[0]["one_space"]["texts"], 1500);
    assert!(share(0) > 0.05 && share(0) < 0.99, "{found:?}");
    assert!(share(1) > 0.999, "a teacher finds its own documents: {found:?}");
    assert!(found[0].get("scores").is_none());
}

#[test]
fn an_index_without_texts_is_refused() {
    MODELS.refuse("evaluate --model teacher --documents teacher");
}

const ENCODE: &str = "encode --model teacher --input text.txt --to v.npy";

/// What the program says on standard error, a JSON object a line.
fn events(stderr: &str) -> Vec<Value> {
    stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn progress_is_json_where_json_is_asked_for() {
    let told = events(&Project::new(300).succeed(&format!("{ENCODE} --log json")).stderr);
    let of = |event: &str| told.iter().find(|line| line["event"] == event && line["stage"] == "encoding").unwrap();
    assert_eq!(of("begin")["unit"], "texts");
    assert_eq!(of("end")["done"], 300);
    assert!(of("end")["rate"].as_f64().unwrap() > 0.0);
}

#[test]
fn an_error_is_json_where_json_is_asked_for() {
    let outcome = Project::empty().run("--log json report none");
    assert_eq!(outcome.code, Some(1));
    let told = events(&outcome.stderr);
    let error = told.last().unwrap();
    assert_eq!(error["event"], "error");
    assert!(error["message"].as_str().unwrap().contains("none") && error["hint"].is_string(), "{error}");
    let outcome = Project::empty().run("--log json encode --model none --input none.txt");
    assert_eq!(events(&outcome.stderr).last().unwrap()["missing_file"], true, "{}", outcome.stderr);
}

#[test]
fn a_finished_stage_is_one_line_with_its_count() {
    let outcome = Project::new(300).succeed(ENCODE);
    assert!(outcome.says("encoding", "300 texts in "), "{}", outcome.stderr);
}

#[test]
fn a_quiet_program_says_nothing() {
    let outcome = Project::new(300).succeed(&format!("{ENCODE} --quiet"));
    assert!(outcome.stderr.is_empty(), "{}", outcome.stderr);
}

#[test]
fn completions_are_there_for_every_shell() {
    let project = Project::empty();
    for (shell, word) in [("bash", "complete -F"), ("zsh", "#compdef limbeck"), ("fish", "complete -c limbeck")] {
        let script = project.succeed(&format!("completions {shell}")).stdout;
        assert!(script.contains(word) && script.contains("export-teacher"), "{script}");
    }
    project.refuse("completions cmd.exe");
}

#[test]
fn man_pages_are_printed_or_written_to_a_folder() {
    let project = Project::empty();
    assert!(project.succeed("man").stdout.starts_with(".ie"));
    assert!(project.succeed("man run").stdout.contains("dry\\-run"));
    project.succeed("man --to man1");
    let page = project.text("man1/limbeck-evaluate.1");
    assert!(page.contains(".TH limbeck-evaluate 1"), "{page}");
}

#[test]
fn the_long_version_has_the_commit_and_the_features() {
    let version = Project::empty().succeed("--version").stdout;
    assert!(version.starts_with(concat!("limbeck ", env!("CARGO_PKG_VERSION"), " (")), "{version}");
    assert!(version.contains("commit") && version.contains("\nfeatures: "), "{version}");
}

#[test]
fn the_short_version_is_one_line() {
    assert_eq!(Project::empty().succeed("-V").stdout.lines().count(), 1);
}
