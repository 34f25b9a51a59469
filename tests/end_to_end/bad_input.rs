//! Bad input: one clear error that names the file and place, and nothing lost.

use std::path::Path;

use super::support::{fail, limbeck, project, static_model, succeed, text, tiny_teacher};

fn embed(folder: &Path, input: &str) -> String {
    fail(folder, &["embed", "--teacher", "teacher", "--input", input, "--to", "cache"])
}

#[test]
fn text_that_cannot_be_read_is_named_with_its_place() {
    let (_keep, folder) = project(20);
    std::fs::write(folder.join("latin.txt"), b"fine\ncaf\xe9\n").unwrap();
    std::fs::write(folder.join("empty.txt"), b"").unwrap();
    std::fs::write(folder.join("long.txt"), "x".repeat(100_000_000)).unwrap();
    let missing = embed(&folder, "missing.txt");
    assert!(missing.contains("missing.txt"), "{missing}");
    let latin = embed(&folder, "latin.txt");
    assert!(latin.contains("latin.txt") && latin.contains('2') && latin.contains("hint:"), "{latin}");
    let empty = embed(&folder, "empty.txt");
    assert!(empty.contains("empty.txt"), "{empty}");
    let long = embed(&folder, "long.txt");
    assert!(long.contains("long.txt") && long.contains('1'), "{long}");
    succeed(
        &folder,
        &["embed", "--teacher", "teacher", "--input", "latin.txt", "--encoding", "windows-1252", "--to", "cache"],
    );
}

#[test]
fn damaged_models_and_caches_are_named() {
    let (_keep, folder) = project(600);
    let embed = ["embed", "--teacher", "teacher", "--input", "text.txt", "--to", "cache"];
    succeed(&folder, &embed);
    succeed(
        &folder,
        &["distil", "--cache", "cache", "--to", "student", "--set", "distil.epochs=1", "--set", "student.embedding=16"],
    );
    succeed(&folder, &["export", "--model", "student", "--format", "folded", "--to", "s.limbeck"]);
    succeed(&folder, &["export-teacher", "--model", "teacher", "--to", "onnx/model.onnx"]);
    let halve = |name: &str| {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        std::fs::write(folder.join(name), &bytes[..bytes.len() / 2]).unwrap();
    };
    halve("s.limbeck");
    halve("student/model.safetensors");
    halve("onnx/model.onnx");
    for (model, file) in [("s.limbeck", "s.limbeck"), ("student", "model.safetensors"), ("onnx", "model.onnx")] {
        let stderr = fail(&folder, &["encode", "--model", model, "--input", "text.txt"]);
        assert!(stderr.contains(file), "{stderr}");
    }
    halve("teacher/model.safetensors");
    let stderr = fail(&folder, &["encode", "--model", "teacher", "--input", "text.txt"]);
    assert!(stderr.contains("model.safetensors"), "{stderr}");
    // A shard that was cut short is named when it is read, and made anew by the same command.
    halve("cache/shard-00000.parquet");
    let stderr = fail(&folder, &["inspect", "cache"]);
    assert!(stderr.contains("shard-00000.parquet"), "{stderr}");
    tiny_teacher(&folder.join("teacher"), 1);
    let redone = limbeck().current_dir(&folder).args(embed).output().unwrap();
    assert!(
        redone.status.success() && text(&redone.stderr).contains("shard-00000.parquet"),
        "{}",
        text(&redone.stderr)
    );
    succeed(&folder, &["inspect", "cache"]);
    std::fs::write(
        folder.join("cut.parquet"),
        &std::fs::read(folder.join("cache/shard-00000.parquet")).unwrap()[..500],
    )
    .unwrap();
    let stderr =
        fail(&folder, &["distil", "--cache", "cut.parquet", "--tokenizer", "teacher/tokenizer.json", "--to", "x"]);
    assert!(stderr.contains("cut.parquet"), "{stderr}");
}

#[test]
fn a_cache_of_another_teacher_is_left_alone() {
    let (_keep, folder) = project(50);
    let embed = ["embed", "--teacher", "teacher", "--input", "text.txt", "--to", "cache"];
    succeed(&folder, &embed);
    let before = super::support::bytes_of(&folder.join("cache"));
    tiny_teacher(&folder.join("teacher"), 2);
    let stderr = fail(&folder, &embed);
    assert!(stderr.contains("cache") && stderr.contains("teacher"), "{stderr}");
    let after = super::support::bytes_of(&folder.join("cache"));
    assert!(before["shard-00000.parquet".as_ref() as &Path] == after["shard-00000.parquet".as_ref() as &Path]);
}

#[test]
fn runtimes_and_devices_that_are_not_there_are_said() {
    let (_keep, folder) = project(20);
    let encode = ["encode", "--model", "teacher", "--input", "text.txt"];
    let none = fail(&folder, &[&encode[..], &["--runtime", "no/such/library.so"]].concat());
    assert!(none.contains("no/such/library.so"), "{none}");
    let cuda = fail(&folder, &[&encode[..], &["--device", "cuda"]].concat());
    assert!(cuda.to_lowercase().contains("cuda") && cuda.contains("hint:"), "{cuda}");
}

#[test]
fn assets_that_are_not_to_be_had_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let stderr = fail(folder.path(), &["fetch", "pypi:six==1.16.0/six/nothing.py"]);
    assert!(stderr.contains("nothing.py") && stderr.contains("six"), "{stderr}");
    let output = limbeck()
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .env("HF_HOME", folder.path())
        .env("LIMBECK_CACHE", folder.path().join("cache"))
        .args(["fetch", "hf:nobody/nothing"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nobody/nothing"), "{}", text(&output.stderr));
}

#[test]
fn a_full_disk_is_said_and_what_was_there_stays() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: there is no /dev/full here");
        return;
    }
    let (_keep, folder) = project(20);
    let stdout = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = limbeck()
        .current_dir(&folder)
        .args(["encode", "--model", "teacher", "--input", "text.txt"])
        .stdout(stdout)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("standard output"), "{}", text(&output.stderr));
}

#[cfg(unix)]
#[test]
fn a_file_past_the_shells_limit_is_an_error_that_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    static_model(&folder.path().join("static"), 2);
    std::fs::write(folder.path().join("text.txt"), "the dog\n".repeat(5_000)).unwrap();
    // 5,000 vectors of 8 numbers take 160 kB, and the limit is 64 blocks of 512 or 1,024 bytes.
    let encode = "ulimit -f 64; exec \"$0\" encode --model static --input text.txt --to out/v.npy";
    let program = limbeck().get_program().to_owned();
    let output =
        std::process::Command::new("sh").current_dir(&folder).arg("-c").arg(encode).arg(program).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot write out/v.npy: File too large"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_dir(folder.path().join("out")).unwrap().count(), 0);
}
