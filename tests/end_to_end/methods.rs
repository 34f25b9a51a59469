//! The ways in which a student learns, alone and one after another.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::support::{bytes_of, fail, limbeck, project, succeed};

fn log(path: &Path, stage: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).filter(|line: &Value| line["stage"] == stage).collect()
}

fn losses(path: &Path, stage: &str) -> Vec<f64> {
    log(path, stage).iter().filter_map(|line| line["loss"].as_f64()).collect()
}

/// `tiny.toml` with the rest of a recipe behind it, as `name.toml`.
fn recipe(folder: &Path, name: &str, methods: &str, more: &str) {
    let tiny = std::fs::read_to_string(folder.join("tiny.toml")).unwrap();
    let tiny = tiny.replace("[student]\n", &format!("[student]\nmethods = {methods}\n"));
    std::fs::write(folder.join(format!("{name}.toml")), format!("{tiny}{more}")).unwrap();
}

const MORE: &str = r#"
[train_student]
dev = ["pairs.tsv"]
simcse = { batch = 64, checkpoint_every = 5, evaluate_every = 5 }

[am_softmax]
epochs = 2
batch = 64
views = 3
sampled_classes = 300
checkpoint_every = 5
evaluate_every = 10
"#;

#[test]
fn methods_run_in_the_recipe_s_order_and_each_begins_where_the_one_before_it_ended() {
    let (_keep, folder) = project(900);
    recipe(&folder, "all", "[\"simcse\", \"am-softmax\", \"distil\"]", MORE);
    succeed(&folder, &["run", "all.toml", "--to", "export-student"]);
    let run = folder.join("runs/all");
    for student in ["methods/simcse", "methods/am-softmax", "student"] {
        let files = bytes_of(&run.join(student));
        assert_eq!(files.len(), 3, "{student}: {:?}", files.keys());
    }
    let metrics = run.join("metrics.jsonl");
    let dev = |stage: &str, at: usize| log(&metrics, stage)[at]["dev_spearman"].as_f64().unwrap();
    assert!(dev("simcse", 0).is_finite() && dev("am-softmax", 0).is_finite());
    let best = log(&metrics, "simcse").iter().filter_map(|line| line["dev_spearman"].as_f64()).fold(-100.0, f64::max);
    assert!((dev("am-softmax", 0) - best).abs() < 1e-9, "AM-softmax begins at the best student of SimCSE");
    let losses = losses(&metrics, "am-softmax");
    assert!(losses[losses.len() - 1] < losses[0], "{losses:?}");

    // What changed, and all behind it, is redone; nothing before it.
    let plan = |more: &[&str]| succeed(&folder, &[&["run", "all.toml", "--to", "distil", "--dry-run"], more].concat());
    assert_eq!(plan(&[]).matches("skip: up to date").count(), 7, "{}", plan(&[]));
    let changed = plan(&["--set", "am_softmax.margin=0.2"]);
    assert!(
        changed.contains("simcse          skip") && changed.contains("run: am_softmax.margin changed"),
        "{changed}"
    );
    assert!(changed.contains("distil          run: am-softmax changed"), "{changed}");
    let from = plan(&["--from", "distil"]);
    assert!(from.contains("am-softmax      skip") && from.contains("distil          run"), "{from}");
    let stderr = fail(&folder, &["run", "tiny.toml", "--from", "simcse", "--dry-run"]);
    assert!(stderr.contains("stage simcse: is not in this recipe"), "{stderr}");
}

#[test]
fn killed_methods_end_in_the_bytes_of_undisturbed_ones() {
    let (_keep, folder) = project(1500);
    let more = MORE.replace("epochs = 2", "epochs = 20")
        + "[distil.losses.am_softmax]\nweight = 0.01\nsampled_classes = 200\n";
    recipe(&folder, "both", "[\"distil\", \"am-softmax\"]", &more);
    let run = |runs: &'static str, to: &'static str| ["run", "both.toml", "--runs", runs, "--to", to];
    succeed(&folder, &run("calm", "am-softmax"));
    succeed(&folder, &run("killed", "embed"));
    let mut killed = 0;
    for milliseconds in [350, 500, 700, 450, 600, 800, 550, 650] {
        let mut child = limbeck()
            .current_dir(&folder)
            .args(run("killed", "am-softmax"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        killed += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(killed > 1, "the trainings were over before they could be killed");
    succeed(&folder, &run("killed", "am-softmax"));
    for name in ["student", "methods"] {
        let sorted = |runs: &str| {
            let mut files: Vec<(PathBuf, Vec<u8>)> =
                bytes_of(&folder.join(runs).join("both").join(name)).into_iter().collect();
            files.sort();
            files
        };
        let (calm, killed) = (sorted("calm"), sorted("killed"));
        let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
        assert_eq!(names(&calm), names(&killed));
        assert!(calm == killed, "{name} differs");
    }
}

#[test]
fn a_student_learns_every_sentence_as_a_class_from_text_or_a_cache_and_distillation_goes_on_from_it() {
    let (_keep, folder) = project(900);
    succeed(&folder, &["embed", "--teacher", "teacher", "--input", "text.txt", "--to", "cache"]);
    let distil =
        |more: &[&str]| succeed(&folder, &[&["distil", "--cache", "cache", "--set", "distil.batch=64"], more].concat());
    distil(&["--to", "start", "--set", "distil.epochs=0", "--set", "student.embedding=16"]);
    let learn = |more: &[&str]| {
        let common =
            ["am-softmax", "--student", "start", "--set", "am_softmax.batch=64", "--set", "am_softmax.views=3"];
        succeed(&folder, &[&common, more].concat())
    };
    learn(&["--input", "text.txt", "--dev", "pairs.tsv", "--to", "from-text", "--set", "am_softmax.limit=500"]);
    learn(&["--cache", "cache", "--to", "from-cache", "--set", "am_softmax.centres=teacher"]);
    for (student, classes) in [("from-text", 500), ("from-cache", 855)] {
        let config: Value =
            serde_json::from_slice(&std::fs::read(folder.join(student).join("config.json")).unwrap()).unwrap();
        let found = config["origin"]["classes"].as_u64().unwrap();
        assert!(found.abs_diff(classes) < 30, "{student}: {found} classes");
        assert_eq!(bytes_of(&folder.join(student)).len(), 4);
    }
    distil(&["--student", "from-cache", "--to", "then-distilled", "--set", "distil.epochs=1"]);
    let fidelity = |folder: &Path| log(&folder.join("metrics.jsonl"), "distil")[0]["fidelity_cosine"].as_f64().unwrap();
    let (anew, on) = (fidelity(&folder.join("start")), fidelity(&folder.join("then-distilled")));
    assert_ne!(anew, on);
    // The same student as sentence-transformers has it, with an end token in its tokenizer.
    let export = ["export", "--model", "from-cache", "--format", "sentence-transformers", "--to", "exported"];
    succeed(&folder, &export);
    distil(&["--student", "exported", "--to", "from-exported", "--set", "distil.epochs=1"]);
    assert_eq!(fidelity(&folder.join("from-exported")), on);

    let stderr = fail(
        &folder,
        &[
            "am-softmax",
            "--student",
            "start",
            "--input",
            "text.txt",
            "--to",
            "x",
            "--set",
            "am_softmax.centres=teacher",
        ],
    );
    assert!(stderr.contains("am_softmax.centres is teacher") && stderr.contains("cache"), "{stderr}");
}
