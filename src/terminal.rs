//! Progress on stderr (bars on a terminal, a line for each stage elsewhere, JSON by `--log json`), and Ctrl-C.

/// A line on standard error. A closed stream or a full disk loses the line, and the work goes on.
macro_rules! tell {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($argument)*);
    }};
}

mod lines;

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use limbeck_data::Interrupt;
use limbeck_data::progress::{Bar, Progress, Silent};
use serde_json::json;

use lines::Counted;

use crate::error::{Error, Result};

/// The form of progress on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Log {
    /// Bars on a terminal, a line a stage elsewhere
    Text,
    /// An object a line: begin, progress and end of each stage, notes, the error
    Json,
}

/// Progress on stderr.
pub struct Terminal {
    bars: MultiProgress,
    shown: Shown,
}

/// What [`Terminal`] shows.
enum Shown {
    Nothing,
    Bars,
    Lines(Log),
}

impl Terminal {
    /// The terminal, or whatever stderr is; a quiet one shows nothing.
    pub fn new(log: Log, is_quiet: bool) -> Self {
        let shown = match log {
            _ if is_quiet => Shown::Nothing,
            Log::Text if std::io::stderr().is_terminal() => Shown::Bars,
            _ => Shown::Lines(log),
        };
        let target = match shown {
            Shown::Bars => ProgressDrawTarget::stderr_with_hz(8),
            _ => ProgressDrawTarget::hidden(),
        };
        Self { bars: MultiProgress::with_draw_target(target), shown }
    }
}

impl Progress for Terminal {
    fn stage(&self, what: &str, total: Option<u64>, unit: &str) -> Box<dyn Bar + '_> {
        match self.shown {
            Shown::Nothing => return Box::new(Silent),
            Shown::Lines(log) => return Box::new(Counted::begin(log, what, total, unit)),
            Shown::Bars => {}
        }
        let [of_total, alone] = match unit {
            "bytes" => ["{bytes}/{total_bytes} {bytes_per_sec}", "{bytes} {bytes_per_sec}"].map(str::to_owned),
            _ => ["{human_pos}/{human_len}", "{human_pos}"].map(|done| format!("{done} {unit} {{per_sec}}")),
        };
        let (style, bar) = match total {
            Some(total) if total > 0 => {
                (format!("{{prefix}} [{{bar:30}}] {of_total}, {{eta}} left {{msg}}"), ProgressBar::new(total))
            }
            _ if unit.is_empty() => ("{prefix} {spinner} {elapsed} {msg}".to_owned(), ProgressBar::new_spinner()),
            _ => (format!("{{prefix}} {{spinner}} {alone}, {{elapsed}} {{msg}}"), ProgressBar::new_spinner()),
        };
        let style = ProgressStyle::with_template(&style).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.bars.add(bar.with_style(style.progress_chars("=> ")).with_prefix(what.to_string()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Box::new(ShownBar(bar))
    }

    fn note(&self, line: &str) {
        match self.shown {
            Shown::Nothing => {}
            Shown::Bars => self.bars.suspend(|| tell_note(Log::Text, line)),
            Shown::Lines(log) => tell_note(log, line),
        }
    }
}

fn tell_note(log: Log, line: &str) {
    match log {
        Log::Json => tell!("{}", json!({"event": "note", "text": line})),
        Log::Text => tell!("{line}"),
    }
}

struct ShownBar(ProgressBar);

impl Bar for ShownBar {
    fn add(&self, n: u64) {
        self.0.inc(n);
    }

    fn set(&self, message: &str) {
        self.0.set_message(message.to_string());
    }
}

impl Drop for ShownBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Prints the error that ended the command.
pub fn tell_error(log: Log, error: &Error) {
    let (message, hint, missing) = (error.message(), error.hint(), error.is_missing_file());
    match log {
        Log::Json => {
            tell!("{}", json!({"event": "error", "message": message, "hint": hint, "missing_file": missing}));
        }
        Log::Text => {
            tell!("error: {message}");
            if let Some(hint) = hint {
                tell!("hint: {hint}");
            }
        }
    }
}

/// A flag that Ctrl-C (and SIGTERM) sets; a second Ctrl-C ends the program at once.
///
/// A file past the shell's limit (`ulimit -f`) then fails with an error of writing instead of ending the program.
///
/// # Errors
/// When the system refuses a signal handler.
pub fn interrupt(log: Log) -> Result<Interrupt> {
    #[cfg(unix)]
    signal_hook::flag::register(
        signal_hook::consts::SIGXFSZ,
        std::sync::Arc::<std::sync::atomic::AtomicBool>::default(),
    )
    .map_err(|source| Error::Signal { source: source.into() })?;
    let interrupt = Interrupt::new();
    let flag = interrupt.clone();
    ctrlc::set_handler(move || {
        if flag.is_set() {
            std::process::exit(1);
        }
        flag.set();
        tell_note(log, "stopping at the next safe place; once more to stop at once");
    })
    .map_err(|source| Error::Signal { source: source.into() })?;
    Ok(interrupt)
}
