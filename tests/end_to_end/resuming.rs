//! A run that is killed or interrupted and started again ends in the same bytes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::shared::{FINISHED, MODELS};
use crate::support::{Outcome, Project, sentences};

/// Kills `line` after each of these times. At least one of the runs must not have ended by itself.
#[track_caller]
fn kill_often(project: &Project, line: &str, milliseconds: &[u64]) {
    let killed = milliseconds.iter().filter(|&&milliseconds| project.kill_after(line, milliseconds)).count();
    assert!(killed > 0, "limbeck {line} ended before it could be killed");
}

/// The folders `one` and `other` hold the same files, hidden ones apart.
#[track_caller]
fn assert_same(project: &Project, one: &str, other: &str) {
    let is_hidden = |path: &PathBuf| path.to_string_lossy().starts_with('.');
    let [one, other] = [one, other].map(|name| {
        let mut files = project.files(name);
        files.retain(|path, _| !is_hidden(path));
        files
    });
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in &one {
        let [ours, theirs] = [bytes, &other[name]].map(|bytes| String::from_utf8_lossy(bytes));
        let first = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
        let first = first.map(|lines| format!("{lines:?}").chars().take(400).collect::<String>());
        assert!(bytes == &other[name], "{} differs: {first:?}", name.display());
    }
}

#[test]
fn a_killed_distillation_ends_in_the_bytes_of_an_undisturbed_one() {
    let project = Project::new(1_500);
    let run = |runs: &str| format!("run tiny.toml --runs {runs} --to distil --set distil.epochs=30");
    project.succeed(&run("calm"));
    project.succeed("run tiny.toml --runs killed --to embed");
    kill_often(&project, &run("killed"), &[300, 450, 600, 350, 500]);
    project.succeed(&run("killed"));
    for name in ["student", "cache"] {
        assert_same(&project, &format!("calm/tiny/{name}"), &format!("killed/tiny/{name}"));
    }
    assert_eq!(project.text("calm/tiny/metrics.jsonl"), project.text("killed/tiny/metrics.jsonl"));
}

#[test]
fn a_killed_embedding_ends_in_the_bytes_of_an_undisturbed_one() {
    let project = Project::new(13_000);
    let embed = |to: &str| format!("embed --teacher teacher --input text.txt --to {to}");
    project.succeed(&embed("calm"));
    for milliseconds in [100, 300, 500, 700, 900] {
        project.kill_after(&embed("killed"), milliseconds);
    }
    project.succeed(&embed("killed"));
    assert_same(&project, "calm", "killed");
}

#[test]
fn a_killed_append_ends_in_the_bytes_of_an_undisturbed_one() {
    let project = Project::new(0);
    let all = sentences(13_000);
    project.write("text.txt", all[..4_000].join("\n"));
    let embed = |to: &str| format!("embed --teacher teacher --input text.txt --to {to}");
    project.succeed(&embed("calm"));
    for (name, bytes) in project.files("calm") {
        project.write(Path::new("killed").join(name), bytes);
    }
    // The new texts come first, so that every text has another place.
    project.write("text.txt", [&all[4_000..], &all[..4_000]].concat().join("\n"));
    project.succeed(&embed("calm")).told(&["9,000 of 13,000 texts are new; 4,000 vectors kept"]);
    for milliseconds in [60, 100, 200, 300, 500, 700] {
        project.kill_after(&embed("killed"), milliseconds);
    }
    project.succeed(&embed("killed"));
    assert_same(&project, "calm", "killed");
}

#[test]
fn a_killed_teacher_training_ends_in_the_bytes_of_an_undisturbed_one() {
    let project = Project::new(2_000);
    let settings = "--set train_teacher.simcse.epochs=4 --set train_teacher.simcse.checkpoint_every=7";
    let train =
        |to: &str| format!("train-teacher --teacher teacher --input text.txt --dev pairs.tsv --to {to} {settings}");
    project.succeed(&train("calm"));
    kill_often(&project, &train("killed"), &[300, 500, 400, 700]);
    project.succeed(&train("killed"));
    assert_same(&project, "calm", "killed");
}

/// Interrupts a long distillation once it has logged some steps. Returns the project and what the program said.
#[cfg(unix)]
fn interrupted() -> (Project, Outcome) {
    let project = FINISHED.copy();
    let line = "run tiny.toml --set distil.epochs=2000 --from distil";
    std::fs::remove_file(project.path("runs/tiny/metrics.jsonl")).unwrap();
    let mut child = project.program(line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    project.wait_for(&mut child, "runs/tiny/metrics.jsonl", 2_000);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let outcome = Outcome::new(line, &child.wait_with_output().unwrap());
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    (project, outcome)
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_names_what_it_kept_and_the_command_that_goes_on() {
    let (_, outcome) = interrupted();
    outcome.told(&["hint: ", "fetch, text, export-teacher, embed", "distil", "checkpoint"]);
    // With --from the next run would throw the checkpoint away.
    let goes_on = outcome.stderr.lines().any(|line| line.ends_with("run tiny.toml --set distil.epochs=2000"));
    assert!(goes_on, "{}", outcome.stderr);
}

#[cfg(unix)]
#[test]
fn inspect_tells_at_which_step_an_interrupted_training_is() {
    let (project, _) = interrupted();
    let inspected = project.succeed("inspect runs/tiny/student").stdout;
    assert!(inspected.starts_with("training, not finished\n  after step  "), "{inspected}");
}

#[test]
fn a_training_with_a_damaged_checkpoint_fails_by_name_or_ends_well() {
    let project = MODELS.copy();
    let distil = "distil --cache cache --to broken --set student.embedding=8 --set distil.epochs=4 \
                  --set distil.checkpoint_every=1";
    project.kill_at(distil, "broken/checkpoint.safetensors");
    let files = project.files("broken");
    let whole = project.read("broken/checkpoint.safetensors");
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for case in 0..24 {
        let mut random = fastrand::Rng::with_seed(case);
        let mut bytes = whole.clone();
        // Every other case damages the header, which holds the state; the others damage the tensors or cut the file.
        let at = if case % 2 == 0 { random.usize(8..header) } else { random.usize(header..whole.len()) };
        match case % 4 {
            3 => bytes.truncate(at),
            _ => bytes[at] = random.u8(..),
        }
        std::fs::remove_dir_all(project.path("broken")).unwrap();
        files.iter().for_each(|(name, bytes)| project.write(Path::new("broken").join(name), bytes));
        project.write("broken/checkpoint.safetensors", bytes);
        let Outcome { code, stderr, .. } = project.run(distil);
        let named = code == Some(1) && stderr.contains("broken/") && !stderr.contains("panicked");
        assert!(code == Some(0) || named, "case {case}: {stderr}");
    }
}
