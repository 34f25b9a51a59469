//! What a command must not do: write over files that it or another command reads, work in a folder where another
//! process works, end because nobody reads its messages, take a stage for done whose files are gone.

use std::process::Stdio;

use crate::shared::MODELS;
use crate::support::Project;

const VOCABULARY: &str = "vocabulary --teacher teacher --kind corpus --input text.txt --to";
const FOLDED: &str = "export --model student --format folded --to";

/// Every command, run on [`MODELS`], is refused with an error that names `to`, its last argument or else the one
/// behind `--to`; no file changes.
fn assert_refused(commands: &[String]) {
    let project = MODELS.copy();
    for command in commands {
        let arguments: Vec<&str> = command.split(' ').collect();
        let to = arguments[arguments.iter().position(|argument| *argument == "--to").unwrap() + 1];
        project.refuse(command).told(&[to.trim_start_matches("./")]);
    }
    assert!(project.files("") == MODELS.files(""), "a file changed");
}

#[test]
fn a_file_that_the_command_reads_is_not_written_over() {
    assert_refused(&[
        "encode --model student --input text.txt --to text.txt".into(),
        "encode --model student --input text.txt --to student".into(),
        "encode --model student --input text.txt --to student/model.safetensors --format jsonl".into(),
        format!("{FOLDED} student/model.safetensors"),
        "export --model student --format safetensors --to student".into(),
        "shorten --model student --dimension 4 --input text.txt --to student".into(),
        "shorten --model student --dimension 4 --input text.txt --to text.txt".into(),
        format!("{VOCABULARY} text.txt"),
        format!("{VOCABULARY} teacher/tokenizer.json"),
        "word-order --input text.txt --to ./text.txt".into(),
        "simcse --student student --input text.txt --to student".into(),
        "am-softmax --student student --input text.txt --to student".into(),
        "train-teacher --teacher teacher --input text.txt --to teacher".into(),
        "export-teacher --model teacher --to teacher/model.safetensors".into(),
        "distil --cache cache --student student --to cache".into(),
        "distil --cache cache --student student --to student".into(),
    ]);
}

#[test]
fn a_file_named_by_way_of_a_folder_that_does_not_exist_is_not_written_over() {
    MODELS.copy().refuse("word-order --input text.txt --to new/../text.txt").told(&["text.txt"]);
}

#[test]
fn a_file_of_another_kind_is_not_written_over() {
    assert_refused(&[
        format!("{FOLDED} cache/tokens.parquet"),
        format!("{FOLDED} text.txt"),
        format!("{VOCABULARY} cache/tokenizer.json"),
        format!("{VOCABULARY} student/tokenizer.json"),
    ]);
}

#[test]
fn a_folder_of_another_kind_is_not_written_over() {
    assert_refused(&[
        "simcse --student student --input text.txt --to teacher".into(),
        "simcse --student student --input text.txt --to cache".into(),
        "am-softmax --student student --input text.txt --to teacher".into(),
        "am-softmax --student student --input text.txt --to cache".into(),
        "train-teacher --teacher teacher --input text.txt --to student".into(),
    ]);
}

#[test]
fn an_export_over_a_folder_of_another_kind_fails() {
    let project = MODELS.copy();
    for (format, to) in [("onnx", "teacher"), ("sentence-transformers", "cache"), ("safetensors", "teacher")] {
        project.fail(&format!("export --model student --format {format} --to {to}")).told(&[to]);
    }
    assert!(project.files("") == MODELS.files(""), "a file changed");
}

#[test]
fn a_cache_in_the_folder_of_a_model_or_of_its_text_is_refused() {
    let project = MODELS.copy();
    project.write("texts/text.txt", project.read("text.txt"));
    // A model's folder would get the cache's tokenizer, and a folder of texts would have the cache read as text.
    for (input, to) in [("text.txt", "student"), ("text.txt", "teacher"), ("texts", "texts/cache")] {
        project.refuse(&format!("embed --teacher teacher --input {input} --to {to}"));
    }
}

#[test]
fn a_cache_beside_a_file_of_text_is_made_and_made_again() {
    let project = MODELS.copy();
    for to in [".", ".", "teacher/cache"] {
        project.succeed(&format!("embed --teacher teacher --input text.txt --to {to}"));
    }
}

#[test]
fn a_command_writes_over_its_own_output_also_beside_the_files_of_a_model() {
    let project = MODELS.copy();
    for _ in 0..2 {
        project.succeed(&format!("{FOLDED} student/student.limbeck"));
        project.succeed(&format!("{VOCABULARY} student/mine.json"));
        project.succeed("encode --model student --input text.txt --to student/vectors.npy");
    }
}

#[test]
fn a_setting_that_distil_does_not_read_is_refused_with_the_sections_that_it_reads() {
    for set in ["cache.storage=f32", "name=x", "train_student.start=random"] {
        let outcome = MODELS.refuse(&format!("distil --cache cache --to x --set {set}"));
        outcome.told(&[set.split('=').next().unwrap(), "[student]", "[distil]"]);
    }
}

#[test]
fn a_setting_for_whole_runs_is_refused_by_the_command_of_a_stage() {
    for (command, set) in [
        ("distil --cache cache --to x", "student.methods=[\"simcse\"]"),
        ("simcse --student s --input text.txt --to x", "train_student.start=random"),
        ("train-teacher --teacher teacher --input text.txt --to x", "train_teacher.dev=[]"),
    ] {
        let key = set.split('=').next().unwrap();
        MODELS.refuse(&format!("{command} --set {set}")).told(&[key, "limbeck run"]);
    }
}

#[test]
fn a_shape_for_a_student_that_has_one_is_refused() {
    MODELS.refuse("distil --cache cache --to x --student student --set student.embedding=8").told(&["student"]);
}

#[test]
fn more_tokens_than_the_teacher_has_positions_are_refused_with_both_numbers() {
    MODELS.fail("encode --model teacher --input text.txt --max-tokens 65").told(&["65", "64"]);
}

#[test]
fn too_many_threads_are_refused_with_the_number_allowed() {
    MODELS.refuse("distil --cache cache --to x --set threads=100000").told(&["100000", "1024"]);
    MODELS.refuse("encode --model teacher --threads 100000").told(&["1024"]);
}

#[test]
fn a_cache_read_as_text_gives_its_texts_and_not_its_tokens() {
    let lines = |input: &str| MODELS.succeed(&format!("encode --model student --input {input}")).stdout.lines().count();
    assert!(MODELS.has("cache/tokens.parquet"));
    assert_eq!(lines("cache"), lines("cache/shard-00000.parquet"));
}

#[test]
fn a_second_training_in_a_folder_is_refused() {
    let project = MODELS.copy();
    let mut first = project.start("distil --cache cache --student student --to held --set distil.epochs=10000");
    project.wait_for(&mut first, "held/metrics.jsonl", 0);
    let second = project.run("simcse --student student --input text.txt --to held");
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    second.told(&["held", "another process"]);
}

const LONG: &str = "--set distil.epochs=1000 --set distil.checkpoint_every=5";

#[test]
fn a_command_keeps_the_checkpoint_of_other_settings_and_names_it() {
    let project = MODELS.copy();
    let distil = format!("distil --cache cache --to other --set student.embedding=16 {LONG}");
    project.kill_at(&distil, "other/checkpoint.safetensors");
    let checkpoint = project.read("other/checkpoint.safetensors");
    project.fail(&format!("{distil} --set distil.epochs=2")).told(&["other/checkpoint.safetensors"]);
    assert!(project.read("other/checkpoint.safetensors") == checkpoint);
}

#[test]
fn a_changed_recipe_begins_its_training_again_in_spite_of_a_checkpoint() {
    let project = Project::new(400);
    let run = format!("run tiny.toml --to distil {LONG}");
    project.kill_at(&run, "runs/tiny/student/checkpoint.safetensors");
    project.succeed(&format!("{run} --set distil.epochs=2"));
    project.succeed(&format!("{run} --set distil.epochs=2 --runs calm"));
    let student = |runs: &str| project.read(format!("{runs}/tiny/student/model.safetensors"));
    assert!(student("runs") == student("calm"));
}

#[test]
fn a_method_begins_where_another_methods_checkpoint_lies() {
    let project = Project::new(400);
    project.kill_at(&format!("run tiny.toml --to distil {LONG}"), "runs/tiny/student/checkpoint.safetensors");
    let methods = "--set student.methods=[\"distil\",\"am-softmax\"] --to am-softmax";
    let outcome = project.succeed(&format!("run tiny.toml {methods} {LONG} --set distil.epochs=2"));
    assert!(outcome.says("am-softmax", "checkpoint"), "{}", outcome.stderr);
}

#[test]
fn a_run_ends_well_when_nobody_reads_its_messages() {
    let project = Project::new(300);
    for log in ["text", "json"] {
        let mut run = project.program(&format!("run tiny.toml --to distil --log {log} --set name={log}"));
        let mut child = run.stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        assert!(child.wait().unwrap().success());
        assert!(project.has(format!("runs/{log}/student/model.safetensors")));
    }
}

#[test]
fn a_stage_runs_again_when_its_files_are_gone_or_cut() {
    let project = Project::new(300);
    project.succeed("run tiny.toml");
    let student = "runs/tiny/student/model.safetensors";
    let whole = project.read(student);
    std::fs::remove_file(project.path(student)).unwrap();
    let again = project.succeed("run tiny.toml");
    assert!(again.says("distil", "model.safetensors") && again.says("embed", "skipped"), "{}", again.stderr);
    assert!(project.read(student) == whole);
    for (file, stage) in [
        ("runs/tiny/cache/train/shard-00000.parquet", "embed"),
        ("runs/tiny/exports/student.int8.limbeck", "export-student"),
    ] {
        let whole = project.read(file).len();
        project.halve(file);
        let again = project.succeed("run tiny.toml");
        assert!(again.says(stage, file), "{}", again.stderr);
        assert_eq!(project.read(file).len(), whole, "{file}");
        assert_eq!(project.succeed("run tiny.toml").skipped(), 10, "{file}");
    }
}

#[test]
fn another_number_of_threads_does_not_train_a_student_again() {
    let fewer = crate::shared::FINISHED.copy().succeed("run tiny.toml --set threads=1 --to export-student");
    assert!(fewer.says("distil", "skipped"), "{}", fewer.stderr);
}

#[test]
fn too_little_text_is_an_error_before_any_is_embedded() {
    let outcome = Project::new(60).fail("run tiny.toml --set text.hold_out=0.02");
    outcome.told(&["text.hold_out"]);
    assert!(!outcome.says("embed", ""), "{}", outcome.stderr);
}

#[test]
fn word_order_is_left_out_where_few_sentences_can_be_reordered() {
    let outcome = Project::new(60).succeed("run tiny.toml --set text.hold_out=0.08");
    assert!(outcome.says("evaluate", "word order"), "{}", outcome.stderr);
}
