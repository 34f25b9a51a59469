//! Runs a reader on damaged files in a process of its own, so that an abort, a hang or absurd memory fails one test
//! only.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::mutation::{Content, damaged};
use crate::readers::{self, Later};
use crate::support::Project;

/// What a reader gives: numbers that must be finite, or its error.
pub(crate) type Outcome = Result<Vec<f32>, Box<dyn Error + Send + Sync>>;

/// Tells a child process which check is its own.
const KEY: &str = "LIMBECK_CORRUPTION";

/// Tells a child process where the intact files are.
const INTACT: &str = "LIMBECK_CORRUPTION_INTACT";

/// Tells a child process where to put damaged ones.
const SCRATCH: &str = "LIMBECK_CORRUPTION_SCRATCH";

/// What a child process prints at its end.
const DONE: &str = "all cases done";

/// The file in which a child process writes down the case it is at.
const NOTE: &str = "case";

/// No case may take longer. The slowest takes some milliseconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(30);

/// Address space of the child in KiB: thousands of times the size of any file.
const MOST_MEMORY: &str = "6291456";

/// The intact files, made once.
static FILES: LazyLock<Project> = LazyLock::new(|| Project::shared("corruption", 200, readers::prepare));

/// What has to come of a damaged file.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// An error.
    Refused,
    /// An error, or finite numbers.
    Sound,
}

/// Damage to one file.
pub(crate) struct Damage {
    file: &'static str,
    content: Content,
    cases: u64,
}

impl Damage {
    pub(crate) fn to(file: &'static str, content: Content) -> Self {
        Self { file, content, cases: 0 }
    }

    pub(crate) fn cases(self, cases: u64) -> Self {
        Self { cases, ..self }
    }

    /// Damages the file in every case and gives it to `read`, which takes its path.
    #[track_caller]
    pub(crate) fn check<R: Fn(&Path) -> Outcome>(self, verdict: Verdict, read: R) {
        let key = format!("{} for {}", self.file, std::any::type_name::<R>());
        match (std::env::var(KEY), std::env::var(INTACT), std::env::var(SCRATCH)) {
            (Ok(wanted), Ok(intact), Ok(scratch)) => {
                if wanted == key {
                    self.run_cases(&Scratch::new(&intact, &scratch, self.file), verdict, read);
                    println!("{key}: {DONE}");
                }
            }
            _ => self.start_child(&key),
        }
    }

    /// Runs this test program once more; there only the check of this key has work.
    #[track_caller]
    fn start_child(&self, key: &str) {
        let program = std::env::current_exe().unwrap();
        let mut child = if cfg!(unix) {
            let mut shell = Command::new("sh");
            // Not every system limits the address space.
            shell.args(["-c", &format!("ulimit -v {MOST_MEMORY} 2>/dev/null; exec \"$0\" \"$@\"")]).arg(program);
            shell
        } else {
            Command::new(program)
        };
        let scratch = tempfile::tempdir().unwrap();
        child.args(["--nocapture", "--test-threads=1"]).env("RAYON_NUM_THREADS", "1");
        child.env(KEY, key).env(INTACT, FILES.path("")).env(SCRATCH, scratch.path());
        let output = child.output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let last = std::fs::read_to_string(scratch.path().join(NOTE)).unwrap_or_default();
        let done = output.status.success() && stdout.contains(&format!("{key}: {DONE}"));
        assert!(done, "{key}: {}; the last case was {last}\n{stderr}", output.status);
    }

    fn run_cases(&self, scratch: &Scratch, verdict: Verdict, read: impl Fn(&Path) -> Outcome) {
        let whole = std::fs::read(&scratch.file).unwrap();
        let found = read(&scratch.file).unwrap_or_else(|error| panic!("the intact file: {}", said(&*error)));
        assert!(found.iter().all(|value| value.is_finite()), "the intact file has values that are not finite");

        static PANIC: Mutex<String> = Mutex::new(String::new());
        std::panic::set_hook(Box::new(|panic| *PANIC.lock().unwrap() = panic.to_string()));
        let watch = Watch::start();
        let mut problems = Vec::new();
        for case in 0..self.cases {
            let (done, bytes) = damaged(&whole, self.content, &mut Rng::with_seed(case));
            if bytes == whole {
                continue;
            }
            let name = format!("case {case} of {}: {done}", self.file);
            scratch.note(&name);
            scratch.replace(&bytes);
            watch.begin(&name);
            let outcome = catch_unwind(AssertUnwindSafe(|| read(&scratch.file)));
            watch.end();
            let problem = match outcome {
                Err(_) => Some(format!("panicked: {}", PANIC.lock().unwrap())),
                Ok(Ok(_)) if verdict == Verdict::Refused => Some("was not refused".into()),
                Ok(Ok(values)) => values.iter().any(|value| !value.is_finite()).then(|| "is not finite".into()),
                Ok(Err(error)) => scratch.is_unnamed(&*error).then(|| format!("is not named: {}", said(&*error))),
            };
            problems.extend(problem.map(|problem| format!("{name}: {problem}")));
        }
        let _ = std::panic::take_hook();
        let shown: Vec<&String> = problems.iter().take(12).collect();
        assert!(problems.is_empty(), "{} problems, among them {shown:#?}", problems.len());
    }
}

/// An error and its sources.
fn said(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        said += &format!(": {error}");
        source = error.source();
    }
    said
}

/// A copy of the files that a reader needs, one of them to be damaged.
struct Scratch {
    folder: PathBuf,
    file: PathBuf,
}

impl Scratch {
    /// Copies the file, and all that lie in its folder, from `intact` to `folder`.
    fn new(intact: &str, folder: &str, file: &str) -> Self {
        let (intact, folder) = (PathBuf::from(intact), PathBuf::from(folder));
        let parent = Path::new(file).parent().unwrap();
        if parent == Path::new("") {
            std::fs::copy(intact.join(file), folder.join(file)).unwrap();
        } else {
            let copy = Project::at(&folder.join(parent));
            Project::at(&intact.join(parent)).files("").into_iter().for_each(|(name, bytes)| copy.write(name, bytes));
        }
        Self { file: folder.join(file), folder }
    }

    /// Writes down the case, for whoever looks at a process that was killed.
    fn note(&self, case: &str) {
        std::fs::write(self.folder.join(NOTE), case).unwrap();
    }

    /// Puts a new file in place. (Some file systems wait for the disk when a file is written over.)
    fn replace(&self, bytes: &[u8]) {
        std::fs::remove_file(&self.file).unwrap();
        std::fs::write(&self.file, bytes).unwrap();
    }

    /// Whether an error from opening names neither the file nor another one beside the file.
    fn is_unnamed(&self, error: &(dyn Error + Send + Sync + 'static)) -> bool {
        !error.is::<Later>() && !said(error).contains(&*self.folder.to_string_lossy())
    }
}

/// Ends the process when a case takes too long.
struct Watch(&'static Mutex<Option<(Instant, String)>>);

impl Watch {
    fn start() -> Self {
        static RUNNING: Mutex<Option<(Instant, String)>> = Mutex::new(None);
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(Duration::from_millis(200));
                if let Some((begun, case)) = &*RUNNING.lock().unwrap()
                    && begun.elapsed() > LIMIT
                {
                    eprintln!("{case}: took more than {LIMIT:?}");
                    std::process::exit(1);
                }
            }
        });
        Self(&RUNNING)
    }

    fn begin(&self, case: &str) {
        *self.0.lock().unwrap() = Some((Instant::now(), case.to_owned()));
    }

    fn end(&self) {
        *self.0.lock().unwrap() = None;
    }
}
