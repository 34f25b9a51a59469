//! What the command shows while it works: bars on a terminal, a line a stage elsewhere, and Ctrl-C.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use limbeck_data::Interrupt;
use limbeck_data::progress::{Bar, Progress};

/// How much the command says on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// Bars on a terminal, lines elsewhere.
    Normal,
    /// Errors only.
    Quiet,
}

/// Progress on stderr.
pub struct Terminal {
    bars: MultiProgress,
    talk: Talk,
    shows_bars: bool,
}

impl Terminal {
    /// The terminal, or whatever stderr is.
    pub fn new(talk: Talk) -> Self {
        let shows_bars = talk == Talk::Normal && std::io::stderr().is_terminal();
        let target = if shows_bars { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), talk, shows_bars }
    }
}

impl Progress for Terminal {
    fn stage(&self, what: &str, total: Option<u64>, unit: &str) -> Box<dyn Bar + '_> {
        if !self.shows_bars {
            return Box::new(limbeck_data::progress::Silent);
        }
        let bytes = unit == "bytes";
        let (style, bar) = match total {
            Some(total) if total > 0 => {
                let counts = if bytes {
                    "{bytes}/{total_bytes} {bytes_per_sec}".to_string()
                } else {
                    format!("{{human_pos}}/{{human_len}} {unit} {{per_sec}}")
                };
                (format!("{{prefix}} [{{bar:30}}] {counts}, {{eta}} left {{msg}}"), ProgressBar::new(total))
            }
            _ => ("{prefix} {spinner} {elapsed} {msg}".to_string(), ProgressBar::new_spinner()),
        };
        let style = ProgressStyle::with_template(&style).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.bars.add(bar.with_style(style.progress_chars("=> ")).with_prefix(what.to_string()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Box::new(Shown(bar))
    }

    fn note(&self, line: &str) {
        if self.talk == Talk::Normal {
            self.bars.suspend(|| eprintln!("{line}"));
        }
    }
}

struct Shown(ProgressBar);

impl Bar for Shown {
    fn add(&self, n: u64) {
        self.0.inc(n);
    }

    fn set(&self, message: &str) {
        self.0.set_message(message.to_string());
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A flag that Ctrl-C (and SIGTERM) sets; the second time ends the program at once.
pub fn interrupt() -> anyhow::Result<Interrupt> {
    let interrupt = Interrupt::new();
    let flag = interrupt.clone();
    ctrlc::set_handler(move || {
        if flag.is_set() {
            std::process::exit(1);
        }
        flag.set();
        eprintln!("stopping at the next safe place; once more to stop at once");
    })?;
    Ok(interrupt)
}
