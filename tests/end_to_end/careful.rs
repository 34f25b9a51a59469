//! What a command takes care not to do: write over what it reads, work where another one works, end for want of a reader, take
//! what is gone for done.

use std::path::Path;
use std::process::{Output, Stdio};

use super::support::{fail, limbeck, project, run, succeed, text};

/// The command is refused before any work, with exit code 2; its standard error comes back.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = run(folder, arguments);
    assert_eq!(status.code(), Some(2), "{arguments:?}: {}", text(&stderr));
    text(&stderr)
}

/// A project with a cache of its text and a student of one epoch.
fn with_student() -> (tempfile::TempDir, std::path::PathBuf) {
    let (keep, folder) = project(400);
    succeed(&folder, &["embed", "--teacher", "teacher", "--input", "text.txt", "--to", "cache"]);
    let small = ["--set", "distil.epochs=1", "--set", "student.embedding=16"];
    succeed(&folder, &[&["distil", "--cache", "cache", "--to", "student"], &small[..]].concat());
    (keep, folder)
}

#[test]
fn what_a_command_reads_it_does_not_write_over() {
    let (_keep, folder) = with_student();
    let teacher = ["vocabulary", "--teacher", "teacher", "--kind", "corpus", "--input", "text.txt", "--to"];
    let export = ["export", "--model", "student", "--format", "folded", "--to"];
    let commands: [&[&str]; 15] = [
        &["encode", "--model", "student", "--input", "text.txt", "--to", "text.txt"],
        &["encode", "--model", "student", "--input", "text.txt", "--to", "student"],
        &[
            "encode",
            "--model",
            "student",
            "--input",
            "text.txt",
            "--to",
            "student/model.safetensors",
            "--format",
            "jsonl",
        ],
        &[&export[..], &["student/model.safetensors"]].concat(),
        &[&export[..], &["cache/tokens.parquet"]].concat(),
        &[&export[..], &["text.txt"]].concat(),
        &["export", "--model", "student", "--format", "safetensors", "--to", "student"],
        &[&teacher[..], &["text.txt"]].concat(),
        &[&teacher[..], &["teacher/tokenizer.json"]].concat(),
        &["word-order", "--input", "text.txt", "--to", "./text.txt"],
        &["word-order", "--input", "text.txt", "--to", "new/../text.txt"],
        &["simcse", "--student", "student", "--input", "text.txt", "--to", "student"],
        &["am-softmax", "--student", "student", "--input", "text.txt", "--to", "student"],
        &["train-teacher", "--teacher", "teacher", "--input", "text.txt", "--to", "teacher"],
        &["export-teacher", "--model", "teacher", "--to", "teacher/model.safetensors"],
    ];
    let before = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let names = ["text.txt", "teacher/tokenizer.json", "teacher/model.safetensors", "student/model.safetensors"];
    let whole = names.map(before);
    for command in commands {
        let stderr = refused(&folder, command);
        assert!(stderr.contains("would be written over"), "{stderr}");
    }
    for to in ["cache", "student"] {
        let stderr = refused(&folder, &["distil", "--cache", "cache", "--student", "student", "--to", to]);
        assert!(stderr.contains("would be written over"), "{stderr}");
    }
    // A cache in a model's folder would take its tokenizer's place, and one in the text's would be read as text.
    std::fs::create_dir(folder.join("texts")).unwrap();
    std::fs::copy(folder.join("text.txt"), folder.join("texts/text.txt")).unwrap();
    for (input, to) in [("text.txt", "student"), ("text.txt", "teacher"), ("texts", "texts/cache")] {
        refused(&folder, &["embed", "--teacher", "teacher", "--input", input, "--to", to]);
    }
    // Beside a file of text it does no harm, and may be made again.
    for to in [".", ".", "teacher/cache"] {
        succeed(&folder, &["embed", "--teacher", "teacher", "--input", "text.txt", "--to", to]);
    }
    let stderr = refused(&folder, &[&teacher[..], &["cache/tokenizer.json"]].concat());
    assert!(stderr.contains("an embedding cache lies there"), "{stderr}");
    succeed(&folder, &[&teacher[..], &["student/mine.json"]].concat());
    // What it wrote itself may be written again, also beside a model's files.
    for _ in 0..2 {
        succeed(&folder, &[&export[..], &["student/student.limbeck"]].concat());
        succeed(&folder, &["encode", "--model", "student", "--input", "text.txt", "--to", "student/vectors.npy"]);
    }
    // Nor over what is of another kind.
    let student = ["--student", "student", "--input", "text.txt", "--to"];
    for command in ["simcse", "am-softmax"] {
        for to in ["teacher", "cache"] {
            let stderr = refused(&folder, &[&[command], &student[..], &[to]].concat());
            assert!(stderr.contains("lies there, and would be written over"), "{stderr}");
        }
    }
    refused(&folder, &["train-teacher", "--teacher", "teacher", "--input", "text.txt", "--to", "student"]);
    refused(&folder, &[&teacher[..], &["student/tokenizer.json"]].concat());
    for (format, to) in [("onnx", "teacher"), ("sentence-transformers", "cache"), ("safetensors", "teacher")] {
        let stderr = fail(&folder, &["export", "--model", "student", "--format", format, "--to", to]);
        assert!(stderr.contains("would be written over"), "{stderr}");
    }
    assert!(whole == names.map(before));
}

#[test]
fn a_setting_that_a_command_does_not_read_is_refused() {
    let (_keep, folder) = project(20);
    let distil = ["distil", "--cache", "cache", "--to", "x", "--set"];
    for set in ["cache.storage=f32", "name=x", "train_student.start=random"] {
        let stderr = refused(&folder, &[&distil[..], &[set]].concat());
        assert!(stderr.contains("[student], [distil]"), "{stderr}");
    }
    let train: [(&[&str], &str); 3] = [
        (&distil, "student.methods=[\"simcse\"]"),
        (&["simcse", "--student", "s", "--input", "text.txt", "--to", "x", "--set"], "train_student.start=random"),
        (
            &["train-teacher", "--teacher", "teacher", "--input", "text.txt", "--to", "x", "--set"],
            "train_teacher.dev=[]",
        ),
    ];
    for (command, set) in train {
        let stderr = refused(&folder, &[command, &[set]].concat());
        assert!(stderr.contains("that is for `limbeck run`"), "{stderr}");
    }
    let stderr = refused(&folder, &[&distil[..], &["student.embedding=8", "--student", "student"]].concat());
    assert!(stderr.contains("shape is kept"), "{stderr}");
    // The tiny teacher has 64 positions.
    let stderr = fail(&folder, &["encode", "--model", "teacher", "--input", "text.txt", "--max-tokens", "65"]);
    assert!(stderr.contains("max_tokens is 65") && stderr.contains("at most 64"), "{stderr}");
    let stderr = refused(&folder, &[&distil[..], &["threads=100000"]].concat());
    assert!(stderr.contains("threads is 100000: 1 to 1024"), "{stderr}");
    let stderr = refused(&folder, &["encode", "--model", "teacher", "--threads", "100000"]);
    assert!(stderr.contains("1024"), "{stderr}");
}

#[test]
fn a_caches_folder_as_text_has_its_texts_and_not_its_tokens() {
    let (_keep, folder) = with_student();
    let lines = |input: &str| succeed(&folder, &["encode", "--model", "student", "--input", input]).lines().count();
    assert!(folder.join("cache/tokens.parquet").is_file());
    assert_eq!(lines("cache"), lines("cache/shard-00000.parquet"));
}

#[test]
fn a_second_training_in_a_folder_is_refused() {
    let (_keep, folder) = with_student();
    let long = ["distil", "--cache", "cache", "--student", "student", "--to", "held", "--set", "distil.epochs=10000"];
    let mut first = limbeck().current_dir(&folder).args(long).stderr(Stdio::null()).spawn().unwrap();
    while !folder.join("held/metrics.jsonl").is_file() {
        assert!(first.try_wait().unwrap().is_none(), "the first one ended");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let second = fail(&folder, &["simcse", "--student", "student", "--input", "text.txt", "--to", "held"]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(second.contains("another process is at work there"), "{second}");
}

/// Starts a training and kills it once it has left a checkpoint.
fn broken_off(folder: &Path, command: &[&str], checkpoint: &Path) {
    let mut training = limbeck().current_dir(folder).args(command).stderr(Stdio::null()).spawn().unwrap();
    while !checkpoint.is_file() {
        assert!(training.try_wait().unwrap().is_none(), "it ended");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    training.kill().unwrap();
    training.wait().unwrap();
}

#[test]
fn a_checkpoint_of_other_settings_is_kept_by_a_command_and_begun_anew_by_a_changed_recipe() {
    let (_keep, folder) = with_student();
    let long = ["--set", "distil.epochs=1000", "--set", "distil.checkpoint_every=5"];
    let distil = ["distil", "--cache", "cache", "--to", "other", "--set", "student.embedding=16"];
    let distil = [&distil[..], &long].concat();
    let checkpoint = folder.join("other/checkpoint.safetensors");
    broken_off(&folder, &distil, &checkpoint);
    let short = ["--set", "distil.epochs=2"];
    let stderr = fail(&folder, &[&distil[..], &short].concat());
    assert!(stderr.contains("is the checkpoint of another training") && checkpoint.is_file(), "{stderr}");

    let run = [&["run", "tiny.toml", "--to", "distil"], &long[..]].concat();
    broken_off(&folder, &run, &folder.join("runs/tiny/student/checkpoint.safetensors"));
    succeed(&folder, &[&run[..], &short].concat());
    succeed(&folder, &[&run[..], &short, &["--runs", "calm"]].concat());
    let student = |runs: &str| std::fs::read(folder.join(runs).join("tiny/student/model.safetensors")).unwrap();
    assert!(student("runs") == student("calm"));
    // Where one method's student was to lie, another's lies in the end.
    let more = [&run[..], &["--runs", "more"]].concat();
    broken_off(&folder, &more, &folder.join("more/tiny/student/checkpoint.safetensors"));
    let two = [
        "run",
        "tiny.toml",
        "--runs",
        "more",
        "--set",
        "student.methods=[\"distil\", \"am-softmax\"]",
        "--to",
        "am-softmax",
    ];
    let said = run_of(&folder, &[&two[..], &long, &short].concat());
    assert!(said.contains("am-softmax: ") && said.contains("beginning anew"), "{said}");
}

/// What a run that ends well tells on standard error.
fn run_of(folder: &Path, arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = run(folder, arguments);
    assert!(status.success(), "{}", text(&stderr));
    text(&stderr)
}

#[test]
fn nobody_need_read_what_a_run_tells() {
    let (_keep, folder) = project(300);
    let run = ["run", "tiny.toml", "--to", "distil"];
    for log in ["text", "json"] {
        let name = format!("name={log}");
        let arguments = [&run[..], &["--log", log, "--set", &name]].concat();
        let mut child = limbeck().current_dir(&folder).args(arguments).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        assert!(child.wait().unwrap().success());
        assert!(folder.join("runs").join(log).join("student/model.safetensors").is_file());
    }
}

#[test]
fn a_stage_whose_files_are_gone_or_cut_short_is_done_again() {
    let (_keep, folder) = project(300);
    let reasons = || text(&run(&folder, &["run", "tiny.toml"]).stderr);
    succeed(&folder, &["run", "tiny.toml"]);
    let student = folder.join("runs/tiny/student/model.safetensors");
    let whole = std::fs::read(&student).unwrap();
    std::fs::remove_file(&student).unwrap();
    let again = reasons();
    assert!(again.contains("model.safetensors is missing") && again.contains("embed: up to date"), "{again}");
    assert!(std::fs::read(&student).unwrap() == whole);
    for (cut, stage) in [("cache/train/shard-00000.parquet", "embed"), ("exports/student.int8.limbeck", "export")] {
        let path = folder.join("runs/tiny").join(cut);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let again = reasons();
        assert!(again.contains("is not as it was left") && again.contains(stage), "{again}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), whole.len() as u64, "{cut}");
        assert_eq!(reasons().matches("up to date, skipped").count(), 10, "{cut}");
    }
    // Nor does another machine's number of threads undo what was trained.
    let fewer = text(&run(&folder, &["run", "tiny.toml", "--set", "threads=1", "--to", "export-student"]).stderr);
    assert!(fewer.contains("distil: up to date"), "{fewer}");
}

#[test]
fn too_little_text_is_told_before_it_is_embedded_and_word_order_is_left_out_where_there_is_little_to_reorder() {
    let (_keep, folder) = project(60);
    let set = |share: &str| ["run", "tiny.toml", "--set", share].map(str::to_string);
    let few = set("text.hold_out=0.02");
    let few: Vec<&str> = few.iter().map(String::as_str).collect();
    let stderr = fail(&folder, &few);
    assert!(stderr.contains("text.hold_out") && !stderr.contains("embed:"), "{stderr}");
    let some = set("text.hold_out=0.08");
    let some: Vec<&str> = some.iter().map(String::as_str).collect();
    let output = run(&folder, &some);
    let stderr = text(&output.stderr);
    assert!(output.status.success() && stderr.contains("too few held-out sentences"), "{stderr}");
}
