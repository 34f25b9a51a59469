//! Bad input: one error that names the file and the place, and nothing is lost.

use std::path::Path;

use crate::shared::MODELS;
use crate::support::{Outcome, Project, static_model, tiny_teacher};

const EMBED: &str = "embed --teacher teacher --input text.txt --to cache";

/// Embeds the file `name` with this content, which must fail.
fn embed_fails(name: &str, content: impl AsRef<[u8]>) -> Outcome {
    let project = Project::new(20);
    project.write(name, content);
    project.fail(&format!("embed --teacher teacher --input {name} --to cache"))
}

#[test]
fn a_missing_text_file_is_named() {
    Project::new(20).fail("embed --teacher teacher --input missing.txt --to cache").told(&["missing.txt"]);
}

#[test]
fn text_that_is_not_utf_8_is_named_with_its_line_and_a_hint() {
    embed_fails("latin.txt", b"fine\ncaf\xe9\n").told(&["latin.txt", "line 2", "hint:"]);
}

#[test]
fn text_in_another_encoding_is_read_when_the_encoding_is_named() {
    let project = Project::new(20);
    project.write("latin.txt", b"fine\ncaf\xe9\n");
    project.succeed("embed --teacher teacher --input latin.txt --encoding windows-1252 --to cache");
}

#[test]
fn an_empty_text_file_is_named() {
    embed_fails("empty.txt", "").told(&["empty.txt"]);
}

#[test]
fn a_line_of_ten_megabytes_is_a_text_that_the_teacher_cuts() {
    let project = Project::new(20);
    project.write("long.txt", "the dog ".repeat(1_250_000) + "\nthe dog\n");
    let outcome = project.succeed("embed --teacher teacher --input long.txt --to cache");
    outcome.told(&["1 of 2 texts are longer than the teacher's 64 tokens and were cut"]);
}

#[test]
fn what_a_folder_holds_beside_text_is_counted() {
    let project = Project::new(20);
    project.write("texts/a.txt", "the dog\n\nthe cat\nthe dog\n");
    project.write("texts/b.pdf", "no text");
    let outcome = project.succeed("embed --teacher teacher --input texts --to cache");
    outcome.told(&["texts: 1 file that holds no text is left out (.pdf 1)", "texts left out: 1 blank, 1 duplicate"]);
    let outcome = project.succeed("encode --model teacher --input texts");
    outcome.told(&["(.pdf 1)"]);
}

#[test]
fn a_model_file_cut_in_half_is_named() {
    let project = MODELS.copy();
    for (model, file) in [
        ("out/s.limbeck", "out/s.limbeck"),
        ("student", "student/model.safetensors"),
        ("onnx", "onnx/model.onnx"),
        ("teacher", "teacher/model.safetensors"),
    ] {
        project.halve(file);
        project.fail(&format!("encode --model {model} --input text.txt")).told(&[file]);
    }
}

#[test]
fn a_shard_cut_in_half_is_named_and_made_again_by_the_same_command() {
    let project = MODELS.copy();
    project.halve("cache/shard-00000.parquet");
    project.fail("inspect cache").told(&["cache/shard-00000.parquet"]);
    project.succeed(EMBED).told(&["shard-00000.parquet"]);
    assert!(project.files("cache") == MODELS.files("cache"));
}

#[test]
fn a_cut_parquet_file_of_another_maker_is_named() {
    let project = MODELS.copy();
    project.write("cut.parquet", &project.read("cache/shard-00000.parquet")[..500]);
    project.fail("distil --cache cut.parquet --tokenizer teacher/tokenizer.json --to x").told(&["cut.parquet"]);
}

#[test]
fn the_cache_of_another_teacher_is_not_written_over() {
    let project = MODELS.copy();
    tiny_teacher(&project.path("teacher"), 2);
    project.fail(EMBED).told(&["cache", "teacher"]);
    assert!(project.files("cache") == MODELS.files("cache"));
}

#[test]
fn a_missing_runtime_library_is_named() {
    let outcome = MODELS.fail("encode --model teacher --input text.txt --runtime no/such/library.so");
    outcome.told(&["no/such/library.so"]);
}

#[test]
fn a_missing_gpu_is_an_error_with_a_hint() {
    let outcome = MODELS.fail("encode --model teacher --input text.txt --device cuda");
    assert!(outcome.stderr.to_lowercase().contains("cuda"), "{}", outcome.stderr);
    outcome.told(&["hint:"]);
}

#[test]
fn a_file_that_a_package_lacks_is_named() {
    Project::empty().fail("fetch pypi:six==1.16.0/six/nothing.py").told(&["nothing.py", "six"]);
}

#[test]
fn a_model_that_no_hub_gives_is_named() {
    let project = Project::empty();
    let mut fetch = project.program("fetch hf:nobody/nothing");
    fetch.env("HF_ENDPOINT", "http://127.0.0.1:9").env("HF_HOME", project.path("hub"));
    let output = fetch.env("LIMBECK_CACHE", project.path("cache")).output().unwrap();
    let outcome = Outcome::new("fetch hf:nobody/nothing", &output);
    assert_eq!(outcome.code, Some(1));
    outcome.told(&["nobody/nothing"]);
}

#[test]
fn a_full_disk_under_standard_output_is_an_error() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: /dev/full is missing");
        return;
    }
    let line = "encode --model teacher --input text.txt";
    let stdout = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let outcome = Outcome::new(line, &MODELS.program(line).stdout(stdout).output().unwrap());
    assert_eq!(outcome.code, Some(1));
    outcome.told(&["standard output"]);
}

#[cfg(unix)]
#[test]
fn a_file_past_the_shells_limit_is_an_error_and_leaves_no_file() {
    let project = Project::empty();
    static_model(&project.path("static"), 2);
    project.write("text.txt", "the dog\n".repeat(5_000));
    // 5,000 vectors of 8 values take 160 kB; the limit is 64 blocks of 512 or 1,024 bytes.
    let encode = "ulimit -f 64; exec \"$0\" encode --model static --input text.txt --to out/v.npy";
    let mut shell = std::process::Command::new("sh");
    shell.current_dir(project.path("")).args(["-c", encode]).arg(project.program("").get_program());
    shell.env("LIMBECK_CACHE", crate::support::TEST_CACHE);
    let outcome = Outcome::new(encode, &shell.output().unwrap());
    assert_eq!(outcome.code, Some(1));
    outcome.told(&["out/v.npy", "File too large"]);
    assert_eq!(std::fs::read_dir(project.path("out")).unwrap().count(), 0);
}
