//! A student whose vocabulary isn't its teacher's.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::support::{fail, project, run, succeed, text};

fn tokens(path: &Path) -> usize {
    let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    json["model"]["vocab"].as_object().unwrap().len()
}

fn token_files(cache: &Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(cache).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("tokens")).collect()
}

#[test]
fn a_recipe_s_student_has_a_vocabulary_of_its_own_and_one_cache_serves_several() {
    let (_keep, folder) = project(800);
    let folder = folder.as_path();
    let train = folder.join("runs/tiny/cache/train");
    let own = folder.join("runs/tiny/vocabulary/tokenizer.json");
    let arguments = ["run", "tiny.toml", "--set", "student.vocabulary=corpus"];
    let table = succeed(folder, &arguments);
    assert!(table.contains("student"), "{table}");
    let pruned = tokens(&own);
    assert!(pruned < tokens(&folder.join("teacher/tokenizer.json")), "{pruned}");
    let bytes = std::fs::read(&own).unwrap();
    assert!(std::fs::read(folder.join("runs/tiny/student/tokenizer.json")).unwrap() == bytes);
    assert_eq!(token_files(&train).len(), 1);
    // It starts from the teacher's token vectors: better than nothing before the first step.
    let log = std::fs::read_to_string(folder.join("runs/tiny/metrics.jsonl")).unwrap();
    let start: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert!(start["fidelity_cosine"].as_f64().unwrap() > 0.2, "{start}");

    let again = run(folder, &arguments);
    assert_eq!(text(&again.stderr).matches("up to date, skipped").count(), 11, "{}", text(&again.stderr));

    let shard = std::fs::metadata(train.join("shard-00000.parquet")).unwrap().modified().unwrap();
    let trained = ["--set", "student.vocabulary=trained", "--set", "student.vocabulary_size=300", "--to", "distil"];
    let output = run(folder, &[&["run", "tiny.toml"][..], &trained].concat());
    let stderr = text(&output.stderr);
    assert!(output.status.success() && !stderr.contains("least-squares"), "{stderr}");
    assert!(tokens(&own) <= 300 && std::fs::read(&own).unwrap() != bytes);
    assert_eq!(token_files(&train).len(), 2);
    assert_eq!(std::fs::metadata(train.join("shard-00000.parquet")).unwrap().modified().unwrap(), shard);
}

#[test]
fn the_commands_make_a_vocabulary_its_vectors_and_a_student() {
    let (_keep, folder) = project(400);
    let folder = folder.as_path();
    let made = |kind: &str, to: &str| {
        let kind: &[&str] = match kind {
            "corpus" => &["--kind", kind, "--to", to],
            _ => &["--kind", kind, "--size", "280", "--to", to],
        };
        succeed(folder, &[&["vocabulary", "--input", "text.txt", "--teacher", "teacher"], kind].concat());
        std::fs::read(folder.join(to)).unwrap()
    };
    assert!(made("wordpiece", "one.json") == made("wordpiece", "two.json"));
    made("corpus", "other.json");
    let embed = ["embed", "--teacher", "teacher", "--input", "text.txt", "--to", "cache"];
    succeed(folder, &[&embed[..], &["--student-tokenizer", "one.json"]].concat());
    assert_eq!(token_files(&folder.join("cache")).len(), 2);
    let distil = |tokenizer: &str, to: &str| {
        let settings = ["--set", "student.embedding=16", "--set", "distil.epochs=1", "--set", "distil.batch=64"];
        let output = run(
            folder,
            &[&["distil", "--cache", "cache", "--tokenizer", tokenizer, "--to", to][..], &settings].concat(),
        );
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    assert!(!distil("one.json", "first").contains("least-squares"));
    // Of these tokens the cache has no vectors.
    assert!(distil("other.json", "second").contains("least-squares"));
    succeed(folder, &["encode", "--model", "first", "--input", "text.txt", "--to", "vectors.npy"]);
}

#[test]
fn settings_that_would_say_nothing_are_refused() {
    let (_keep, folder) = project(10);
    let stderr = fail(&folder, &["run", "tiny.toml", "--set", "student.vocabulary_size=300"]);
    assert!(stderr.contains("student.vocabulary = \"trained\""), "{stderr}");
    let base = ["vocabulary", "--input", "text.txt", "--teacher", "teacher", "--to", "v.json", "--kind"];
    for more in [&["corpus", "--size", "300"][..], &["wordpiece", "--min-count", "3"]] {
        assert_eq!(run(&folder, &[&base[..], more].concat()).status.code(), Some(2));
    }
    let stderr = fail(&folder, &[&base[..], &["unigram", "--size", "20"]].concat());
    assert!(stderr.contains("between 256"), "{stderr}");
}
