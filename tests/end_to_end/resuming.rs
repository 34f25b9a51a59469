//! Killed at any moment and started again, a run ends in the same bytes.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::support::{bytes_of, limbeck, project, succeed};

/// Starts the command and kills it after `milliseconds`; says whether it was still running.
pub fn kill_after(folder: &Path, arguments: &[&str], milliseconds: u64) -> bool {
    let mut child =
        limbeck().current_dir(folder).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(milliseconds));
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

#[test]
fn a_killed_training_ends_in_the_bytes_of_an_undisturbed_one() {
    let (_keep, folder) = project(1500);
    let run = |runs: &'static str| ["run", "tiny.toml", "--runs", runs, "--to", "distil", "--set", "distil.epochs=30"];
    succeed(&folder, &run("calm"));
    succeed(&folder, &["run", "tiny.toml", "--runs", "killed", "--to", "embed"]);
    let mut killed = 0;
    for milliseconds in [300, 450, 600, 350, 500] {
        killed += usize::from(kill_after(&folder, &run("killed"), milliseconds));
    }
    assert!(killed > 0, "the training was over before it could be killed");
    succeed(&folder, &run("killed"));
    for name in ["student", "cache"] {
        let (calm, killed) = (folder.join("calm/tiny").join(name), folder.join("killed/tiny").join(name));
        let (calm, killed) = (bytes_of(&calm), bytes_of(&killed));
        let mut names: Vec<_> = calm.keys().collect();
        names.sort();
        assert_eq!(names, {
            let mut names: Vec<_> = killed.keys().collect();
            names.sort();
            names
        });
        for name in names {
            assert!(calm[name] == killed[name], "{} differs", name.display());
        }
    }
    let log = |runs: &str| std::fs::read_to_string(folder.join(runs).join("tiny/metrics.jsonl")).unwrap();
    assert_eq!(log("calm"), log("killed"));
}

#[test]
fn a_killed_embedding_ends_in_the_bytes_of_an_undisturbed_one() {
    let (_keep, folder) = project(13_000);
    let embed = |to: &'static str| ["embed", "--teacher", "teacher", "--input", "text.txt", "--to", to];
    succeed(&folder, &embed("calm"));
    for milliseconds in [100, 300, 500, 700, 900] {
        kill_after(&folder, &embed("killed"), milliseconds);
    }
    succeed(&folder, &embed("killed"));
    let names = |folder: &Path| -> Vec<_> {
        let mut names: Vec<_> =
            bytes_of(folder).into_iter().filter(|(path, _)| !path.to_string_lossy().starts_with('.')).collect();
        names.sort();
        names
    };
    assert!(names(&folder.join("calm")) == names(&folder.join("killed")));
}
