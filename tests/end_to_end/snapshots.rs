//! What commands print for people, as a whole. The snapshots are files of `tests/snapshots`; after a wanted change
//! `INSTA_UPDATE=always cargo test --release --test end_to_end snapshots` writes them again.

use serde_json::{Value, json};

use crate::shared::{FINISHED, MODELS};
use crate::support::Project;

/// Compares `printed` with the snapshot `name`. Hashes differ from one machine to another, as weights may by a
/// rounding; they become `[hash]`.
#[track_caller]
fn assert_snapshot(name: &str, printed: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let lines: Vec<String> = printed.lines().map(|line| without_hashes(line.trim_end())).collect();
    settings.bind(|| insta::assert_snapshot!(name, lines.join("\n")));
}

/// Stretches of 16 and more hexadecimal digits, and of 5 and more digits behind a point, as `[hash]`.
fn without_hashes(line: &str) -> String {
    let is_digit = |character: char| character.is_ascii_digit() || ('a'..='f').contains(&character);
    let mut shortened = String::new();
    for part in line.split_inclusive(|character: char| !is_digit(character)) {
        let digits = part.trim_end_matches(|character: char| !is_digit(character));
        let least = if shortened.ends_with('.') { 5 } else { 16 };
        shortened += if digits.len() < least { digits } else { "[hash]" };
        shortened += &part[digits.len()..];
    }
    shortened
}

/// Numbers as `#`, bars as `~`, rules as `─` and stretches of spaces as one: for tables of figures that differ from
/// run to run.
fn without_figures(printed: &str) -> String {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '%');
    let cell = |cell: &str| -> String {
        let is_all = |fits: fn(char) -> bool| cell.chars().all(fits);
        if cell.contains(|c: char| c.is_ascii_digit()) && cell.chars().all(is_number) {
            "#".into()
        } else if is_all(|c| ('\u{2581}'..='\u{2588}').contains(&c)) {
            "~".into()
        } else if is_all(|c| c == '─') {
            "─".into()
        } else {
            cell.into()
        }
    };
    let line = |line: &str| line.split_whitespace().map(cell).collect::<Vec<_>>().join(" ");
    printed.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A run's folder with a summary of fixed figures: teacher, student and baseline.
fn write_run(project: &Project, name: &str, shift: f64) {
    let model = |name: &str, role: &str, parameters: u64, speed: Value, score: f64, fidelity: Value, extra: Value| {
        json!({
            "name": name, "role": role, "parameters": parameters, "bytes": parameters * 4, "dimension": 384,
            "sentences_per_second": speed, "average": score,
            "scores": {"STS12": {"spearman": score - 1.0, "pearson": score, "pairs": 3108},
                       "STSB": {"spearman": score + 1.0, "pearson": score, "pairs": 1379}},
            "fidelity": fidelity, "alignment": 0.21, "uniformity": -2.95, "engine": "folded", "precision": "f32",
            "threads": 2, "extra": extra,
        })
    };
    let near = |cosine: f64| json!({"cosine": cosine, "spearman": cosine - 0.02, "neighbours_at_10": cosine - 0.25});
    let extra = json!({"fidelity_cosine_centred": 0.84, "word_order": 0.31, "topic_accuracy": 0.62,
                       "one_space_neighbours_at_10": 0.57, "milliseconds_alone": {"p50": 0.021, "p99": 0.054}});
    let models = [
        model("teacher", "teacher", 22_713_216, json!(41.5), 78.91, Value::Null, json!({"word_order": 0.44})),
        model(
            "student",
            "student",
            8_115_200 + shift as u64,
            json!(18_204.0 + shift),
            72.4 + shift,
            near(0.861),
            extra,
        ),
        model("static, trained", "baseline", 7_813_632, Value::Null, 66.02, near(0.78), json!({"word_order": 0.0})),
    ];
    let stages = [json!({"name": "distil", "seconds": 61.5, "skipped": false})];
    let summary = json!({"name": name, "models": models, "stages": stages, "versions": {"limbeck": "0.1.0"}});
    project.write(format!("{name}/summary.json"), summary.to_string());
    let log = (0..12).map(|at| {
        let (step, cosine) = (at * 10, 0.5 + 0.36 * (1.0 - 0.7f64.powi(at)));
        json!({"stage": "distil", "step": step, "epoch": 0, "loss": 1.0 - cosine, "learning_rate": 1e-3,
               "fidelity_cosine": cosine})
        .to_string()
            + "\n"
    });
    project.write(format!("{name}/metrics.jsonl"), log.collect::<String>());
}

#[test]
fn the_plan_of_a_new_run() {
    assert_snapshot("plan_new", &Project::new(10).succeed("run tiny.toml --dry-run").stdout);
}

#[test]
fn the_plan_of_a_finished_run_with_a_changed_setting() {
    let plan = FINISHED.succeed("run tiny.toml --set distil.epochs=1 --dry-run");
    assert_snapshot("plan_changed", &plan.stdout);
}

#[test]
fn the_plan_of_some_stages() {
    let plan = FINISHED.succeed("run tiny.toml --from baselines --to evaluate --dry-run");
    assert_snapshot("plan_from_to", &plan.stdout);
}

#[test]
fn the_table_that_a_run_prints() {
    assert_snapshot("run", &without_figures(&FINISHED.text("printed.txt")));
}

#[test]
fn the_table_of_two_runs() {
    let project = Project::empty();
    write_run(&project, "first", 0.0);
    write_run(&project, "second", 2.0);
    assert_snapshot("table", &project.succeed("table first second").stdout);
}

#[test]
fn what_a_report_prints() {
    let project = Project::empty();
    write_run(&project, "first", 0.0);
    assert_snapshot("report", &project.succeed("report first").stdout);
}

#[test]
fn the_scores_of_a_static_model() {
    let outcome = MODELS.succeed("evaluate --model static --sts pairs.tsv");
    assert_snapshot("evaluate", &without_figures(&outcome.stdout));
}

#[test]
fn the_speed_of_a_static_model() {
    let outcome = MODELS.succeed("bench --model static --input text.txt --threads 1 --rounds 1 --seconds 0.05");
    assert_snapshot("bench", &without_figures(&outcome.stdout));
}

#[test]
fn one_space_of_a_student_and_its_teacher() {
    let models = "evaluate --model runs/tiny/student teacher --documents teacher --sts pairs.tsv";
    assert_snapshot("evaluate_one_space", &without_figures(&FINISHED.succeed(models).stdout));
}

/// What `inspect` prints of `model`.
#[track_caller]
fn assert_inspected(name: &str, model: &str) {
    assert_snapshot(&format!("inspect_{name}"), &MODELS.succeed(&format!("inspect {model}")).stdout);
}

#[test]
fn an_inspected_teacher() {
    assert_inspected("teacher", "teacher");
}

#[test]
fn an_inspected_student() {
    assert_inspected("student", "student");
}

#[test]
fn an_inspected_folded_student() {
    assert_inspected("folded", "out/s.limbeck");
}

#[test]
fn an_inspected_static_model() {
    assert_inspected("static", "static");
}

#[test]
fn an_inspected_onnx_model() {
    assert_inspected("onnx", "onnx");
}

#[test]
fn an_inspected_cache() {
    assert_inspected("cache", "cache");
}

#[test]
fn inspected_weights() {
    assert_inspected("weights", "student/model.safetensors");
}
