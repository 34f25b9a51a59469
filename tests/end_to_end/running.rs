//! A recipe from text to a measured student.

use serde_json::Value;

use super::support::{bytes_of, fail, project, run, succeed, text};

#[test]
fn a_recipe_runs_from_text_to_a_summary_and_a_second_run_skips_everything() {
    let (_keep, folder) = project(1500);
    let table = succeed(&folder, &["run", "tiny.toml"]);
    assert!(table.contains("student") && table.contains("static, trained"), "{table}");

    let summary: Value =
        serde_json::from_slice(&std::fs::read(folder.join("runs/tiny/summary.json")).unwrap()).unwrap();
    let models = summary["models"].as_array().unwrap();
    let roles: Vec<&str> = models.iter().map(|model| model["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["teacher", "student", "student", "baseline", "baseline"]);
    for model in models {
        assert!(model["sentences_per_second"].as_f64().unwrap() > 0.0);
        assert!(model["scores"]["pairs"]["spearman"].is_f64(), "{model}");
        assert!(model["fidelity"]["neighbours_at_10"].as_f64().unwrap() > 0.0);
    }
    let fidelity = |at: usize| models[at]["fidelity"]["cosine"].as_f64().unwrap();
    let (student, int8, untrained, trained) = (fidelity(1), fidelity(2), fidelity(3), fidelity(4));
    assert!(student > untrained && trained > untrained, "{student} {trained} {untrained}");
    assert!((student - int8).abs() < 0.01, "{student} {int8}");
    // A bag of words does not see the order of words.
    assert_eq!(models[4]["extra"]["word_order"].as_f64(), Some(0.0));
    assert_ne!(models[1]["extra"]["word_order"].as_f64(), Some(0.0));

    // In its teacher's index the student's queries find about as much as in its own.
    assert!(models[1]["extra"]["one_space_neighbours_at_10"].as_f64().unwrap() > 0.1, "{}", models[1]);
    assert!(models[0]["extra"].get("one_space_neighbours_at_10").is_none());
    let held_out: Value =
        serde_json::from_slice(&std::fs::read(folder.join("runs/tiny/held-out.json")).unwrap()).unwrap();
    for model in ["teacher", "student", "student int8", "static, trained"] {
        let counts = held_out["similarities"][model].as_array().unwrap();
        assert_eq!(counts.iter().filter_map(Value::as_u64).sum::<u64>(), held_out["pairs"].as_u64().unwrap());
    }
    assert_eq!(held_out["neighbours"][0]["by"].as_object().unwrap().len(), 2, "{held_out}");

    let before = bytes_of(&folder.join("runs/tiny/student"));
    let again = run(&folder, &["run", "tiny.toml"]);
    assert!(again.status.success());
    assert_eq!(text(&again.stderr).matches("up to date, skipped").count(), 10, "{}", text(&again.stderr));
    assert_eq!(before, bytes_of(&folder.join("runs/tiny/student")));

    // A text file that was written again is read again; its sentences are the same, and so is all that is made of them.
    let same = std::fs::read(folder.join("text.txt")).unwrap();
    std::fs::remove_file(folder.join("text.txt")).unwrap();
    std::fs::write(folder.join("text.txt"), same).unwrap();
    let touched = run(&folder, &["run", "tiny.toml"]);
    assert!(touched.status.success());
    let said = text(&touched.stderr);
    assert!(said.contains("text: files changed") && said.contains("embed: up to date, skipped"), "{said}");
    assert_eq!(said.matches("up to date, skipped").count(), 9, "{said}");

    // What changed, and all that reads it, is redone; the plan says so beforehand.
    let plan = succeed(&folder, &["run", "tiny.toml", "--set", "distil.epochs=1", "--dry-run"]);
    assert!(plan.contains("run: distil.epochs changed"), "{plan}");
    assert!(plan.contains("embed           skip"), "{plan}");
    let plan = succeed(&folder, &["run", "tiny.toml", "--from", "evaluate", "--dry-run"]);
    assert!(plan.contains("distil          skip") && plan.contains("bench           run"), "{plan}");

    // A limit that no sentence meets changes none of them, but the card tells of it.
    let wider = run(&folder, &["run", "tiny.toml", "--set", "text.max_chars=9000"]);
    assert!(wider.status.success());
    let said = text(&wider.stderr);
    assert!(said.contains("distil: up to date, skipped") && said.contains("report: text.max_chars changed"), "{said}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let (_keep, folder) = project(800);
    let weights = |runs: &str, seed: &str| {
        succeed(&folder, &["run", "tiny.toml", "--runs", runs, "--to", "distil", "--set", seed]);
        std::fs::read(folder.join(runs).join("tiny/student/model.safetensors")).unwrap()
    };
    let first = weights("one", "distil.seed=1");
    assert!(first == weights("two", "distil.seed=1"));
    assert!(first != weights("three", "distil.seed=2"));
}

#[test]
fn a_cache_made_elsewhere_serves_as_the_teacher() {
    let (_keep, folder) = project(1500);
    let teacher = "teacher";
    succeed(&folder, &["encode", "--model", teacher, "--input", "text.txt", "--to", "vectors.parquet"]);
    let recipe = "[cache]\npath = \"vectors.parquet\"\n[student]\nembedding = 16\ntokenizer = \"teacher/tokenizer.json\"\n\
                  [distil]\nepochs = 2\nbatch = 64\n[bench]\nrounds = 1\nseconds = 0.05\n";
    std::fs::write(folder.join("elsewhere.toml"), recipe).unwrap();
    let table = succeed(&folder, &["run", "elsewhere.toml"]);
    assert!(!table.contains("teacher "), "{table}");
    let log = std::fs::read_to_string(folder.join("runs/elsewhere/metrics.jsonl")).unwrap();
    let start: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    // The least-squares start is a good static model before the first step.
    assert!(start["fidelity_cosine"].as_f64().unwrap() > 0.8, "{start}");
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let (_keep, folder) = project(10);
    std::fs::write(folder.join("wrong.toml"), "[distil]\nepoch = 3\n").unwrap();
    let stderr = fail(&folder, &["run", "wrong.toml"]);
    assert!(stderr.contains("line 2") && stderr.contains("hint: the nearest known one is `epochs`"), "{stderr}");
}

#[test]
fn every_command_has_help_with_an_example_and_unknown_ones_exit_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let commands = [
        "run",
        "fetch",
        "export-teacher",
        "vocabulary",
        "embed",
        "join",
        "distil",
        "simcse",
        "am-softmax",
        "export",
        "encode",
        "evaluate",
        "bench",
        "report",
        "inspect",
        "completions",
        "man",
    ];
    let list = succeed(folder.path(), &["--help"]);
    for command in commands {
        let help = succeed(folder.path(), &[command, "--help"]);
        // Long ones go on in the next line.
        let about =
            list.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{command} "))).unwrap().trim();
        assert!(!about.is_empty() && help.starts_with(about), "{about}\n{help}");
        assert!(help.contains(&format!("limbeck {command} ")) && help.contains("Example"), "{help}");
    }
    assert_eq!(run(folder.path(), &["distill"]).status.code(), Some(2));
    assert_eq!(run(folder.path(), &["encode", "--model", "x", "--threads", "0"]).status.code(), Some(2));
}
