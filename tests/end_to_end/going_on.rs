//! Going on: text that grew, and a student that starts from one that was trained before.

use std::sync::LazyLock;

use crate::shared::FINISHED;
use crate::support::{Project, sentences};

const CACHE: &str = "runs/tiny/cache/train";

/// A finished run, and a copy of its student and static control in `before`.
static BEFORE: LazyLock<Project> = LazyLock::new(|| {
    let project = FINISHED.copy();
    for part in ["student", "baselines"] {
        copy(&project, &format!("runs/tiny/{part}"), &format!("before/{part}"));
    }
    project
});

fn copy(project: &Project, from: &str, to: &str) {
    for (name, bytes) in project.files(from) {
        project.write(std::path::Path::new(to).join(name), bytes);
    }
}

fn has_token_vectors(project: &Project) -> bool {
    project.files(CACHE).keys().any(|name| name.to_string_lossy().starts_with("tokens"))
}

/// The held-out cosine of `stage` before its first step.
fn start(project: &Project, stage: &str) -> f64 {
    project.metrics("runs/tiny/metrics.jsonl", stage)[0]["fidelity_cosine"].as_f64().unwrap()
}

#[test]
fn an_input_that_grew_costs_its_new_texts_alone() {
    let project = Project::new(500);
    let embed = "embed --teacher teacher --input text.txt --to cache";
    project.succeed(embed);
    let tokens = project.read("cache/tokens.parquet");
    project.write("text.txt", sentences(560).join("\n"));
    project.succeed(embed).told(&["embed: all, 60 of 560 texts are new; 500 vectors kept"]);
    assert!(project.json("cache/cache.json")["rows"] == 560 && project.read("cache/tokens.parquet") == tokens);
    assert!(!project.succeed(embed).stderr.contains("are new"));
}

#[test]
fn an_input_that_lacks_texts_of_the_cache_is_refused_and_the_cache_stays() {
    let project = Project::new(300);
    let embed = "embed --teacher teacher --input text.txt --to cache";
    project.succeed(embed);
    let before = project.files("cache");
    project.write("text.txt", sentences(310)[5..].join("\n"));
    project.fail(embed).told(&["is of another cache: its text is", "embed into another folder"]);
    assert!(project.files("cache") == before);
}

#[test]
fn a_run_whose_text_grew_embeds_the_new_sentences_and_trains_anew() {
    let project = FINISHED.copy();
    let rows = |project: &Project, part: &str| {
        project.json(format!("runs/tiny/cache/{part}/cache.json"))["rows"].as_u64().unwrap()
    };
    let before = [rows(&project, "train"), rows(&project, "held-out")];
    let lines = project.text("text.txt").lines().count();
    project.write("text.txt", sentences(lines + 100).join("\n"));
    let outcome = project.succeed("run tiny.toml --to distil");
    let after = [rows(&project, "train"), rows(&project, "held-out")];
    assert_eq!(after.iter().sum::<u64>(), before.iter().sum::<u64>() + 100);
    for (part, (before, after)) in ["train", "held-out"].iter().zip(before.iter().zip(after)) {
        let line = format!("{part}, {} of {after} texts are new; {before} vectors kept", after - before);
        assert!(outcome.stderr.replace(',', "").contains(&line.replace(',', "")), "{line}: {}", outcome.stderr);
    }
    assert!(outcome.says("distil", "embed changed"), "{}", outcome.stderr);
}

#[test]
fn a_run_goes_on_from_a_student_and_from_the_control_beside_it() {
    let project = Project::at(&BEFORE.path("")).copy();
    let trained = |stage| project.metrics("runs/tiny/metrics.jsonl", stage).last().unwrap()["fidelity_cosine"].as_f64();
    let best = [trained("distil").unwrap(), trained("static-trained").unwrap()];
    let lines = project.text("text.txt").lines().count();
    project.write("text.txt", sentences(lines + 100).join("\n"));
    std::fs::remove_file(project.path("runs/tiny/metrics.jsonl")).unwrap();
    let run = "run tiny.toml --set student.from=before";
    project.succeed(run);
    for (stage, best) in ["distil", "static-trained"].into_iter().zip(best) {
        let start = start(&project, stage);
        assert!((start - best).abs() < 0.05, "{stage} starts at {start}, the one before ended at {best}");
    }
    assert_eq!(project.json("runs/tiny/student/config.json")["origin"]["from"], "before");
    let again = project.succeed(run);
    assert!(!again.stderr.contains("not done") && again.skipped() == 10, "{}", again.stderr);

    // Another student in the same place.
    copy(&project, "runs/tiny/student", "before/student");
    let plan = project.succeed(&format!("{run} --dry-run"));
    assert_eq!((plan.planned("embed"), plan.planned("distil")), ("skip: up to date", "run: from changed"));
}

#[test]
fn a_student_of_another_vocabulary_goes_on_without_vectors_of_tokens() {
    let project = Project::new(600);
    project.succeed("run tiny.toml --set student.vocabulary=corpus --runs general --to baselines");
    let run = "run tiny.toml --set student.from=general/tiny --to baselines";
    let outcome = project.succeed(run);
    assert!(!has_token_vectors(&project) && !outcome.stderr.contains("least-squares"), "{}", outcome.stderr);
    let [general, own] = ["general", "runs"].map(|runs| project.read(format!("{runs}/tiny/student/tokenizer.json")));
    assert!(general == own);
    // Without the control beside it, the static control starts anew, and says so.
    copy(&project, "general/tiny/student", "alone");
    project.succeed("run tiny.toml --set student.from=alone --to baselines").told(&[
        "no static control lies beside ",
        "/alone; the static control starts from the static start",
        "least-squares",
    ]);
}

#[test]
fn a_run_does_not_go_on_from_a_student_that_it_writes_over() {
    let project = Project::at(&BEFORE.path("")).copy();
    for from in ["runs/tiny", "runs/tiny/student"] {
        let outcome = project.fail(&format!("run tiny.toml --set student.from={from}"));
        outcome.told(&["student.from: runs/tiny/student lies in this run's own folder", "cp -r runs/tiny/student"]);
    }
}

#[test]
fn a_key_that_contradicts_the_student_and_a_student_of_another_width_are_named() {
    let project = Project::at(&BEFORE.path("")).copy();
    let run = "run tiny.toml --runs others --set student.from";
    project
        .fail(&format!("{run}=before --set student.embedding=8"))
        .told(&["student.embedding is 8, in the student that student.from names it is 16", "leave the key out"]);
    project.fail(&format!("{run}=before --set student.vocabulary=corpus")).told(&["student.vocabulary stands beside"]);
    project.fail(&format!("{run}=nowhere")).told(&["student.from: there is no nowhere"]);
    project.fail(&format!("{run}=teacher")).told(&["no student to go on from"]);

    crate::support::static_model(&project.path("static"), 1);
    project.succeed("encode --model static --input text.txt --to narrow.parquet");
    project.succeed(
        "distil --recipe tiny.toml --cache narrow.parquet --tokenizer teacher/tokenizer.json --to narrow \
         --set student.embedding=8 --set distil.epochs=1",
    );
    project
        .fail(&format!("{run}=narrow --set student.embedding=8"))
        .told(&["narrow gives vectors of 8 numbers, the teacher's have 32"]);
}

#[test]
fn the_command_goes_on_from_a_run_s_student() {
    let project = Project::at(&BEFORE.path("")).copy();
    project.succeed(&format!("distil --cache {CACHE} --student before --to on --set distil.epochs=1"));
    assert!(project.read("on/tokenizer.json") == project.read("before/student/tokenizer.json"));
    let refused = project.refuse(&format!(
        "distil --cache {CACHE} --to on --set student.from=before --tokenizer teacher/tokenizer.json"
    ));
    refused.told(&["--tokenizer"]);
    project.succeed(&format!("distil --cache {CACHE} --to by-recipe --set student.from=before --set distil.epochs=1"));
    assert!(project.read("by-recipe/model.safetensors") == project.read("on/model.safetensors"));
}

#[test]
fn another_method_goes_on_from_the_student_too() {
    let project = Project::at(&BEFORE.path("")).copy();
    let methods = r#"student.methods=["simcse"]"#;
    project.succeed(&format!("run tiny.toml --runs others --set student.from=before --set {methods} --to simcse"));
    let [before, after] = ["before", "others/tiny"].map(|run| project.json(format!("{run}/student/config.json")));
    assert_eq!(before["embedding"], after["embedding"]);
    assert!(project.read("before/student/tokenizer.json") == project.read("others/tiny/student/tokenizer.json"));
}
