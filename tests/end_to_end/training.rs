//! SimCSE: a teacher trained here and distilled in the same run, students trained by themselves.

use std::path::Path;

use serde_json::Value;

use super::resuming::kill_after;
use super::support::{bytes_of, fail, project, succeed};

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

fn metrics(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_recipe_trains_its_teacher_and_shows_it_beside_its_start() {
    let (_keep, folder) = project(900);
    let recipe = std::fs::read_to_string(folder.join("tiny.toml")).unwrap();
    let recipe = recipe.replace("source = \"teacher\"", "source = \"teacher\"\npooler = \"cls-before-pooler\"");
    std::fs::write(folder.join("trained.toml"), format!("{recipe}{TRAINED}")).unwrap();
    let table = succeed(&folder, &["run", "trained.toml"]);
    assert!(table.contains("teacher, untrained"), "{table}");

    let run = folder.join("runs/trained");
    let config: Value = serde_json::from_slice(&std::fs::read(run.join("teacher/config.json")).unwrap()).unwrap();
    assert_eq!(config["limbeck"]["pooler"], "cls-before-pooler");
    assert_eq!(config["limbeck"]["objective"], "unsupervised SimCSE");
    let lines = metrics(&run.join("metrics.jsonl"));
    let looks: Vec<&Value> =
        lines.iter().filter(|line| line["stage"] == "train-teacher" && line["dev_spearman"].is_f64()).collect();
    assert_eq!(looks.iter().map(|line| line["step"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 5, 10, 15, 20]);
    assert!(looks.iter().all(|line| line["alignment"].is_f64() && line["uniformity"].is_f64()));
    // The best weights are what was exported.
    let summary: Value = serde_json::from_slice(&std::fs::read(run.join("summary.json")).unwrap()).unwrap();
    let score = |name: &str| {
        let model = summary["models"].as_array().unwrap().iter().find(|model| model["name"] == name).unwrap();
        model["scores"]["pairs"]["spearman"].as_f64().unwrap()
    };
    let best = looks.iter().map(|line| line["dev_spearman"].as_f64().unwrap()).fold(f64::MIN, f64::max);
    assert!((score("teacher") - best).abs() < 0.01, "{} is not {best}", score("teacher"));
    assert!((score("teacher, untrained") - looks[0]["dev_spearman"].as_f64().unwrap()).abs() < 0.01);

    let plan = succeed(&folder, &["run", "trained.toml", "--set", "train_teacher.simcse.epochs=3", "--dry-run"]);
    assert!(plan.contains("train_teacher.simcse.epochs changed"), "{plan}");
}

#[test]
fn a_killed_teacher_training_ends_in_the_bytes_of_an_undisturbed_one() {
    let (_keep, folder) = project(2000);
    let train = |to: &'static str| {
        let epochs = "train_teacher.simcse.epochs=4";
        let every = "train_teacher.simcse.checkpoint_every=7";
        [
            "train-teacher",
            "--teacher",
            "teacher",
            "--input",
            "text.txt",
            "--dev",
            "pairs.tsv",
            "--to",
            to,
            "--set",
            epochs,
            "--set",
            every,
        ]
    };
    succeed(&folder, &train("calm"));
    let mut killed = 0;
    for milliseconds in [300, 500, 400, 700] {
        killed += usize::from(kill_after(&folder, &train("killed"), milliseconds));
    }
    assert!(killed > 0, "the training was over before it could be killed");
    succeed(&folder, &train("killed"));
    let (calm, killed) = (bytes_of(&folder.join("calm")), bytes_of(&folder.join("killed")));
    assert_eq!(calm.len(), killed.len());
    for (name, bytes) in calm {
        let (ours, theirs) = (String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&killed[&name]));
        let first = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
        let first = first.map(|lines| format!("{lines:?}"));
        let lengths = (bytes.len(), killed[&name].len());
        assert!(killed[&name] == bytes, "{} differs: {lengths:?} bytes, {first:?}", name.display());
    }
}

#[test]
fn a_student_learns_by_simcse_from_text_and_is_fine_tuned_on_triples() {
    let (_keep, folder) = project(900);
    succeed(&folder, &["run", "tiny.toml", "--to", "distil"]);
    let texts = super::support::sentences(60);
    let rows: String = texts.chunks(3).map(|row| row.join("\t") + "\n").collect();
    std::fs::write(folder.join("triples.tsv"), format!("premise\tentailment\tcontradiction\n{rows}")).unwrap();
    let student = "runs/tiny/student";
    let epochs = "train_student.simcse.epochs=3";
    succeed(&folder, &["simcse", "--student", student, "--examples", "triples.tsv", "--to", "tuned", "--set", epochs]);
    let batch = "train_student.simcse.batch=100";
    let direct = |to: &'static str| {
        [
            "simcse",
            "--student",
            student,
            "--random",
            "--input",
            "text.txt",
            "--dev",
            "pairs.tsv",
            "--to",
            to,
            "--set",
            batch,
        ]
    };
    succeed(&folder, &direct("direct"));
    succeed(&folder, &direct("again"));
    assert!(bytes_of(&folder.join("direct")) == bytes_of(&folder.join("again")));
    for model in ["tuned", "direct"] {
        let vectors = succeed(&folder, &["encode", "--model", model, "--input", "text.txt", "--format", "jsonl"]);
        assert_eq!(vectors.lines().count(), 900);
        assert!(metrics(&folder.join(model).join("metrics.jsonl")).iter().any(|line| line["loss"].is_f64()));
    }
}

#[test]
fn what_a_training_cannot_use_is_one_clear_error() {
    let (_keep, folder) = project(100);
    std::fs::write(folder.join("one.txt"), "a single text\n").unwrap();
    let train = ["train-teacher", "--teacher", "teacher", "--to", "to"];
    let with = |more: &[&'static str]| fail(&folder, &[&train[..], more].concat());
    assert!(with(&["--input", "one.txt"]).contains("at least 2"));
    assert!(with(&["--input", "missing.txt"]).contains("missing.txt"));
    assert!(with(&["--examples", "pairs.tsv", "--set", "train_teacher.bert.dropout=1"]).contains("from 0 to below 1"));
    assert!(with(&["--input", "text.txt", "--device", "cuda"]).contains("cuda:0"));
    let error = with(&["--input", "text.txt", "--set", "train_teacher.simcse.batchs=3"]);
    assert!(error.contains("hint: the nearest known one is `batch`"), "{error}");
}
