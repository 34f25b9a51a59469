//! A student with a vocabulary of its own.

use std::sync::LazyLock;

use crate::support::Project;

const OWN: &str = "runs/tiny/vocabulary/tokenizer.json";
const CACHE: &str = "runs/tiny/cache/train";

/// The finished run of a student with the teacher's vocabulary, pruned to the tokens of the text.
static PRUNED: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("pruned", 800, |project| {
        project.succeed("run tiny.toml --set student.vocabulary=corpus");
    })
});

/// How many tokens the tokenizer in the file `name` has.
fn tokens(project: &Project, name: &str) -> usize {
    project.json(name)["model"]["vocab"].as_object().unwrap().len()
}

/// How many files of token vectors a cache has.
fn token_files(project: &Project, cache: &str) -> usize {
    let is_tokens = |name: &std::path::PathBuf| name.to_string_lossy().starts_with("tokens");
    project.files(cache).keys().filter(|name| is_tokens(name)).count()
}

#[test]
fn a_pruned_vocabulary_is_smaller_than_the_teachers_and_is_the_students() {
    assert!(tokens(&PRUNED, OWN) < tokens(&PRUNED, "teacher/tokenizer.json"));
    assert!(PRUNED.read(OWN) == PRUNED.read("runs/tiny/student/tokenizer.json"));
}

#[test]
fn a_student_with_a_pruned_vocabulary_starts_from_the_teachers_token_vectors() {
    let start = &PRUNED.json_lines("runs/tiny/metrics.jsonl")[0];
    assert!(start["fidelity_cosine"].as_f64().unwrap() > 0.1, "{start}");
}

#[test]
fn a_second_run_with_a_vocabulary_of_its_own_skips_every_stage() {
    let again = PRUNED.copy().succeed("run tiny.toml --set student.vocabulary=corpus");
    assert_eq!(again.skipped(), 11, "{}", again.stderr);
}

#[test]
fn one_cache_serves_students_of_several_vocabularies() {
    let project = PRUNED.copy();
    assert_eq!(token_files(&project, CACHE), 1);
    let written = || std::fs::metadata(project.path(CACHE).join("shard-00000.parquet")).unwrap().modified().unwrap();
    let before = written();
    let trained = "--set student.vocabulary=trained --set student.vocabulary_size=300";
    let outcome = project.succeed(&format!("run tiny.toml {trained} --to distil"));
    assert!(!outcome.stderr.contains("least-squares"), "{}", outcome.stderr);
    assert!(tokens(&project, OWN) <= 300 && project.read(OWN) != PRUNED.read(OWN));
    assert_eq!(token_files(&project, CACHE), 2);
    assert_eq!(written(), before, "the text was embedded again");
}

/// The vocabularies `one.json` and `two.json`, trained alike, and `other.json`, pruned; a cache with the token
/// vectors of `one.json`.
static VOCABULARIES: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("vocabularies", 400, |project| {
        let make = "vocabulary --input text.txt --teacher teacher";
        project.succeed(&format!("{make} --kind wordpiece --size 280 --to one.json"));
        project.succeed(&format!("{make} --kind wordpiece --size 280 --to two.json"));
        project.succeed(&format!("{make} --kind corpus --to other.json"));
        project.succeed("embed --teacher teacher --input text.txt --to cache --student-tokenizer one.json");
    })
});

#[test]
fn a_trained_vocabulary_has_the_same_bytes_every_time() {
    assert!(VOCABULARIES.read("one.json") == VOCABULARIES.read("two.json"));
}

#[test]
fn a_cache_keeps_the_vectors_of_a_students_tokens_beside_the_teachers() {
    assert_eq!(token_files(&VOCABULARIES, "cache"), 2);
}

const DISTIL: &str = "distil --cache cache --set student.embedding=16 --set distil.epochs=1 --set distil.batch=64";

#[test]
fn a_student_starts_from_the_token_vectors_in_the_cache() {
    let project = VOCABULARIES.copy();
    let outcome = project.succeed(&format!("{DISTIL} --tokenizer one.json --to student"));
    assert!(!outcome.stderr.contains("least-squares"), "{}", outcome.stderr);
    project.succeed("encode --model student --input text.txt --to vectors.npy");
}

#[test]
fn a_student_starts_from_least_squares_where_the_cache_lacks_vectors_of_its_tokens() {
    VOCABULARIES.copy().succeed(&format!("{DISTIL} --tokenizer other.json --to student")).told(&["least-squares"]);
}

#[test]
fn a_size_for_a_vocabulary_that_is_not_trained_is_an_error() {
    let outcome = Project::new(10).fail("run tiny.toml --set student.vocabulary_size=300");
    outcome.told(&["student.vocabulary", "\"trained\""]);
}

const VOCABULARY: &str = "vocabulary --input text.txt --teacher teacher --to v.json --kind";

#[test]
fn an_option_that_a_kind_of_vocabulary_does_not_read_is_refused() {
    let project = Project::new(10);
    project.refuse(&format!("{VOCABULARY} corpus --size 300"));
    project.refuse(&format!("{VOCABULARY} wordpiece --min-count 3"));
}

#[test]
fn a_vocabulary_size_out_of_range_is_an_error_with_the_least_size() {
    Project::new(10).fail(&format!("{VOCABULARY} unigram --size 20")).told(&["20", "256"]);
}
