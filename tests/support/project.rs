//! [`Project`]: a folder to run the program in.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use super::{sentences, tiny_teacher};

/// Where the program keeps what it fetches for tests; all test programs share the folder.
pub(crate) const TEST_CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/cache");

/// A program that runs longer than this is killed.
const LIMIT: Duration = Duration::from_secs(600);

/// How long a test waits for a program to write a file.
const PATIENCE: Duration = Duration::from_secs(120);

/// Shared projects of earlier test runs are removed at this age.
const STALE: Duration = Duration::from_secs(3600);

const RECIPE: &str = r#"
threads = 2

[teacher]
source = "teacher"

[text]
hold_out = 0.1

[[text.source]]
uri = "text.txt"

[student]
embedding = 16
convolutions = [{ width = 3, filters = 8 }]
attention = { heads = 2, width = 3, filters = 8 }

[distil]
epochs = 3
batch = 64
dropout = 0.1
checkpoint_every = 5
evaluate_every = 10
losses.infonce.weight = 0.01
losses.relational_kl.weight = 0.01
losses.contrastive_kd.weight = 0.01

[evaluate]
sts = ["pairs.tsv"]

[bench]
rounds = 2
seconds = 0.05
"#;

/// A folder that the program runs in. The folder is removed with the value, unless the project is
/// [shared](Project::shared).
pub(crate) struct Project {
    folder: PathBuf,
    /// Removes the folder when dropped.
    _guard: Option<TempDir>,
}

impl Project {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        let guard = tempfile::tempdir().unwrap();
        Self { folder: guard.path().to_path_buf(), _guard: Some(guard) }
    }

    /// A folder that exists already, and stays.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), _guard: None }
    }

    /// A teacher in `teacher`, `count` sentences in `text.txt`, graded pairs in `pairs.tsv`, and the recipe
    /// `tiny.toml` that distils them quickly.
    pub(crate) fn new(count: usize) -> Self {
        let project = Self::empty();
        project.fill(count);
        project
    }

    /// As [`Project::new`], for several tests that only read: `prepare` runs once. The folder outlives the tests; a
    /// test run an hour later removes it.
    pub(crate) fn shared(name: &str, count: usize, prepare: impl FnOnce(&Self)) -> Self {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shared");
        std::fs::create_dir_all(&parent).unwrap();
        for entry in std::fs::read_dir(&parent).unwrap().flatten() {
            let made = entry.metadata().and_then(|metadata| metadata.modified()).unwrap_or_else(|_| SystemTime::now());
            if made.elapsed().unwrap_or_default() > STALE {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
        let folder = parent.join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let project = Self::at(&folder);
        project.fill(count);
        prepare(&project);
        project
    }

    fn fill(&self, count: usize) {
        tiny_teacher(&self.path("teacher"), 1);
        self.write("text.txt", sentences(count).join("\n") + "\n");
        let mut pairs = String::from("sentence1\tsentence2\tscore\n");
        for (at, pair) in sentences(400).chunks(2).enumerate() {
            let _ = writeln!(pairs, "{}\t{}\t{}", pair[0], pair[1], at % 6);
        }
        self.write("pairs.tsv", pairs);
        self.write("tiny.toml", RECIPE);
    }

    /// A copy of this project that a test may change. Files keep their times, which tell the program that they are
    /// unchanged.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::empty();
        for name in self.files("").keys() {
            let (from, to) = (self.folder.join(name), copy.folder.join(name));
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(&from, &to).unwrap();
            let times = std::fs::metadata(&from).unwrap().modified().unwrap();
            std::fs::File::options().write(true).open(&to).unwrap().set_modified(times).unwrap();
        }
        copy
    }

    /// The path of the file or folder `name`.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether the file or folder `name` exists.
    pub(crate) fn has(&self, name: impl AsRef<Path>) -> bool {
        self.path(name).exists()
    }

    /// The bytes of the file `name`.
    pub(crate) fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The file `name` as text.
    pub(crate) fn text(&self, name: impl AsRef<Path>) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// The file `name` as JSON.
    pub(crate) fn json(&self, name: impl AsRef<Path>) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    /// The lines of the file `name`, each as JSON.
    pub(crate) fn json_lines(&self, name: impl AsRef<Path>) -> Vec<Value> {
        self.text(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The lines of the metrics log `name` that `stage` wrote.
    pub(crate) fn metrics(&self, name: impl AsRef<Path>, stage: &str) -> Vec<Value> {
        self.json_lines(name).into_iter().filter(|line| line["stage"] == stage).collect()
    }

    /// Writes the file `name`, and its folder where it is missing.
    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Writes the recipe `name`: `tiny.toml` with `old` replaced by `new`, and `more` behind it.
    pub(crate) fn write_recipe(&self, name: &str, (old, new): (&str, &str), more: &str) {
        self.write(name, self.text("tiny.toml").replace(old, new) + more);
    }

    /// Cuts the file `name` to half its length.
    pub(crate) fn halve(&self, name: &str) {
        let bytes = self.read(name);
        self.write(name, &bytes[..bytes.len() / 2]);
    }

    /// The bytes of every file below the folder `name`, by its path there.
    pub(crate) fn files(&self, name: impl AsRef<Path>) -> BTreeMap<PathBuf, Vec<u8>> {
        let top = self.path(name);
        let mut found = BTreeMap::new();
        let mut left = vec![top.clone()];
        while let Some(folder) = left.pop() {
            for entry in std::fs::read_dir(&folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    found.insert(path.strip_prefix(&top).unwrap().to_path_buf(), std::fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    /// The program with the arguments of `line`, which spaces separate, ready to run here with the tests' own cache.
    pub(crate) fn program(&self, line: &str) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_limbeck"));
        program.current_dir(&self.folder).env("LIMBECK_CACHE", TEST_CACHE).args(line.split_whitespace());
        program
    }

    /// Runs the program with the arguments of `line`, which spaces separate.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> Outcome {
        let assert = assert_cmd::Command::from_std(self.program(line)).timeout(LIMIT).assert();
        Outcome::new(line, assert.get_output())
    }

    /// As [`Project::run`]; the program must succeed.
    #[track_caller]
    pub(crate) fn succeed(&self, line: &str) -> Outcome {
        let outcome = self.run(line);
        assert_eq!(outcome.code, Some(0), "limbeck {line}: {}", outcome.stderr);
        outcome
    }

    /// As [`Project::run`]; the program must fail while working, with exit code 1 and one error.
    #[track_caller]
    pub(crate) fn fail(&self, line: &str) -> Outcome {
        self.fail_with(1, line)
    }

    /// As [`Project::run`]; the program must refuse to begin, with exit code 2 and one error.
    #[track_caller]
    pub(crate) fn refuse(&self, line: &str) -> Outcome {
        self.fail_with(2, line)
    }

    #[track_caller]
    fn fail_with(&self, code: i32, line: &str) -> Outcome {
        let outcome = self.run(line);
        let stderr = &outcome.stderr;
        assert_eq!(outcome.code, Some(code), "limbeck {line}: {stderr}");
        let errors = stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "limbeck {line}: one error, not {errors}: {stderr}");
        assert!(!stderr.contains("panicked"), "limbeck {line}: {stderr}");
        outcome
    }

    /// Starts the program without waiting for its end.
    pub(crate) fn start(&self, line: &str) -> Child {
        self.program(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts the program and kills it after `milliseconds`. Returns whether it was still running.
    pub(crate) fn kill_after(&self, line: &str, milliseconds: u64) -> bool {
        let mut child = self.start(line);
        std::thread::sleep(Duration::from_millis(milliseconds));
        let running = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        running
    }

    /// Starts the program and kills it once the file `name` exists.
    pub(crate) fn kill_at(&self, line: &str, name: &str) {
        let mut child = self.start(line);
        self.wait_for(&mut child, name, 0);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until `child` has written more than `bytes` bytes to the file `name`.
    pub(crate) fn wait_for(&self, child: &mut Child, name: &str, bytes: u64) {
        let (path, begun) = (self.path(name), Instant::now());
        while !std::fs::metadata(&path).is_ok_and(|file| file.len() > bytes) {
            assert!(child.try_wait().unwrap().is_none(), "the program ended before it wrote {name}");
            assert!(begun.elapsed() < PATIENCE, "the program did not write {name}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What a run of the program printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Outcome {
    line: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn new(line: &str, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Self { line: line.to_owned(), code: output.status.code(), stdout, stderr }
    }

    /// Every line of standard output as JSON.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The only line of standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.stdout.trim()).unwrap_or_else(|error| panic!("{}: {error}", self.stdout))
    }

    /// Every line of standard output as a vector.
    pub(crate) fn vectors(&self) -> Vec<Vec<f32>> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// How many stages a run skipped.
    pub(crate) fn skipped(&self) -> usize {
        self.stderr.matches("up to date, skipped").count()
    }

    /// Whether a line on standard error is about `stage` and contains `word`.
    pub(crate) fn says(&self, stage: &str, word: &str) -> bool {
        let prefix = format!("{stage}: ");
        self.stderr.lines().any(|line| line.strip_prefix(&prefix).is_some_and(|rest| rest.contains(word)))
    }

    /// What a dry run plans for `stage`: `run` or `skip` and why.
    #[track_caller]
    pub(crate) fn planned(&self, stage: &str) -> &str {
        let mut lines = self.stdout.lines().map(str::trim_start).filter_map(|line| line.split_once(' '));
        let found = lines.find(|(name, _)| *name == stage);
        found.unwrap_or_else(|| panic!("{stage} is not in the plan: {}", self.stdout)).1.trim_start()
    }

    /// Standard error contains every one of `facts`.
    #[track_caller]
    pub(crate) fn told(&self, facts: &[&str]) -> &Self {
        for fact in facts {
            assert!(self.stderr.contains(fact), "limbeck {}: `{fact}` is missing in: {}", self.line, self.stderr);
        }
        self
    }
}
