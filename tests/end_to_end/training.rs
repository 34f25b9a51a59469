//! SimCSE: a teacher trained and distilled in one run, students trained by themselves.

use std::sync::LazyLock;

use serde_json::Value;

use crate::support::{Project, sentences};

const TRAINED: &str = r#"
[train_teacher]
dev = ["pairs.tsv"]
limit = 400

[train_teacher.bert]
head = "training"

[train_teacher.simcse]
epochs = 2
batch = 40
learning_rate = 1e-3
evaluate_every = 5
checkpoint_every = 3
"#;

/// The finished run of a recipe that trains its teacher, and what it printed.
static TRAINED_TEACHER: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("trained-teacher", 900, |project| {
        let source = "source = \"teacher\"";
        project.write_recipe("trained.toml", (source, &format!("{source}\npooler = \"cls-before-pooler\"")), TRAINED);
        project.write("printed.txt", project.succeed("run trained.toml").stdout);
    })
});

/// The evaluations of the teacher's training.
fn evaluations() -> Vec<Value> {
    let log = TRAINED_TEACHER.metrics("runs/trained/metrics.jsonl", "train-teacher");
    log.into_iter().filter(|line| line["dev_spearman"].is_f64()).collect()
}

/// The score of a model in the summary.
fn score(name: &str) -> f64 {
    let summary = TRAINED_TEACHER.json("runs/trained/summary.json");
    let model = summary["models"].as_array().unwrap().iter().find(|model| model["name"] == name).unwrap();
    model["scores"]["pairs"]["spearman"].as_f64().unwrap()
}

#[test]
fn a_run_that_trains_its_teacher_lists_the_untrained_one_too() {
    let table = TRAINED_TEACHER.text("printed.txt");
    assert!(table.contains("teacher, untrained"), "{table}");
}

#[test]
fn the_config_of_a_trained_teacher_has_pooler_and_objective() {
    let config = TRAINED_TEACHER.json("runs/trained/teacher/config.json");
    assert_eq!(config["limbeck"]["pooler"], "cls-before-pooler");
    assert_eq!(config["limbeck"]["objective"], "unsupervised SimCSE");
}

#[test]
fn a_teachers_training_is_evaluated_at_its_steps() {
    let steps: Vec<u64> = evaluations().iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [0, 5, 10, 15, 20]);
    assert!(evaluations().iter().all(|line| line["alignment"].is_f64() && line["uniformity"].is_f64()));
}

#[test]
fn the_best_weights_of_a_teachers_training_are_kept() {
    let scores = evaluations().into_iter().map(|line| line["dev_spearman"].as_f64().unwrap());
    let best = scores.fold(f64::MIN, f64::max);
    assert!((score("teacher") - best).abs() < 0.01, "{} is not {best}", score("teacher"));
}

#[test]
fn the_untrained_teacher_has_the_score_of_the_first_evaluation() {
    let first = evaluations()[0]["dev_spearman"].as_f64().unwrap();
    assert!((score("teacher, untrained") - first).abs() < 0.01);
}

#[test]
fn a_changed_setting_of_a_teachers_training_is_in_the_plan() {
    let plan = TRAINED_TEACHER.succeed("run trained.toml --set train_teacher.simcse.epochs=3 --dry-run");
    assert!(plan.planned("train-teacher").contains("train_teacher.simcse.epochs"), "{}", plan.stdout);
}

/// A student of `run tiny.toml`, fine-tuned on triples (`tuned`) and trained from random weights on text (`direct`).
static STUDENTS: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("simcse", 900, |project| {
        project.succeed("run tiny.toml --to distil");
        let rows: String = sentences(60).chunks(3).map(|row| row.join("\t") + "\n").collect();
        project.write("triples.tsv", format!("premise\tentailment\tcontradiction\n{rows}"));
        let epochs = "--set train_student.simcse.epochs=3";
        project.succeed(&format!("simcse --student runs/tiny/student --examples triples.tsv --to tuned {epochs}"));
        project.succeed(&format!("{DIRECT} --to direct"));
    })
});

const DIRECT: &str = "simcse --student runs/tiny/student --random --input text.txt --dev pairs.tsv \
                      --set train_student.simcse.batch=100";

#[test]
fn a_student_trained_by_simcse_encodes_and_has_a_log() {
    for model in ["tuned", "direct"] {
        let vectors = STUDENTS.succeed(&format!("encode --model {model} --input text.txt"));
        assert_eq!(vectors.stdout.lines().count(), 900);
        let log = STUDENTS.json_lines(format!("{model}/metrics.jsonl"));
        assert!(log.iter().any(|line| line["loss"].is_f64()));
    }
}

#[test]
fn simcse_of_the_same_student_gives_the_same_bytes() {
    let project = STUDENTS.copy();
    project.succeed(&format!("{DIRECT} --to again"));
    assert!(project.files("again") == STUDENTS.files("direct"));
}

/// Trains a teacher, which must fail with these facts.
#[track_caller]
fn training_fails(arguments: &str, facts: &[&str]) {
    let project = Project::new(100);
    project.write("one.txt", "a single text\n");
    project.fail(&format!("train-teacher --teacher teacher --to to {arguments}")).told(facts);
}

#[test]
fn a_single_text_is_too_little_for_simcse() {
    training_fails("--input one.txt", &["at least 2"]);
}

#[test]
fn a_missing_training_text_is_named() {
    training_fails("--input missing.txt", &["missing.txt"]);
}

#[test]
fn a_dropout_of_1_is_refused_with_the_range_allowed() {
    training_fails("--examples pairs.tsv --set train_teacher.bert.dropout=1", &["dropout", "0", "1"]);
}

#[test]
fn a_gpu_that_is_missing_is_named() {
    training_fails("--input text.txt --device cuda", &["cuda:0"]);
}

#[test]
fn an_unknown_setting_of_a_training_has_the_nearest_known_one_as_hint() {
    training_fails("--input text.txt --set train_teacher.simcse.batchs=3", &["hint: ", "`batch`"]);
}
