//! Progress where there is no terminal: a line when a stage ends, or JSON as it goes on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use limbeck_data::progress::Bar;
use serde_json::json;

use super::Log;

/// In JSON a stage tells of itself this often at most.
const EVERY: Duration = Duration::from_secs(10);
/// A stage shorter than this, and without anything counted, is not worth a line.
const BRIEF: f64 = 0.5;

/// A stage that is counted and told of.
pub(super) struct Counted {
    log: Log,
    what: String,
    unit: String,
    total: Option<u64>,
    done: AtomicU64,
    begun: Instant,
    told: Mutex<Instant>,
}

impl Counted {
    /// Begins a stage.
    pub(super) fn begin(log: Log, what: &str, total: Option<u64>, unit: &str) -> Self {
        if log == Log::Json {
            tell!("{}", json!({"event": "begin", "stage": what, "total": total, "unit": unit}));
        }
        let begun = Instant::now();
        let (what, unit) = (what.to_owned(), unit.to_owned());
        Self { log, what, unit, total, done: AtomicU64::new(0), begun, told: Mutex::new(begun) }
    }

    fn event(&self, event: &str, done: u64) -> serde_json::Value {
        let seconds = self.begun.elapsed().as_secs_f64();
        json!({
            "event": event, "stage": self.what, "done": done, "total": self.total, "unit": self.unit,
            "seconds": (seconds * 1e3).round() / 1e3, "rate": (rate(done, seconds) * 10.0).round() / 10.0,
        })
    }
}

impl Bar for Counted {
    fn add(&self, n: u64) {
        let done = self.done.fetch_add(n, Ordering::Relaxed) + n;
        if self.log != Log::Json {
            return;
        }
        // Whoever finds the clock taken leaves the telling to the one who took it.
        if let Ok(mut told) = self.told.try_lock()
            && told.elapsed() >= EVERY
        {
            *told = Instant::now();
            tell!("{}", self.event("progress", done));
        }
    }

    fn set(&self, _message: &str) {}
}

impl Drop for Counted {
    fn drop(&mut self) {
        let done = self.done.load(Ordering::Relaxed);
        match self.log {
            Log::Json => tell!("{}", self.event("end", done)),
            Log::Text => {
                if let Some(line) = line(&self.what, (done, self.total), &self.unit, self.begun.elapsed().as_secs_f64())
                {
                    tell!("{line}");
                }
            }
        }
    }
}

/// Units a second; 0 before any time has passed.
fn rate(done: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { done as f64 / seconds } else { 0.0 }
}

/// The line that a stage leaves.
fn line(what: &str, (done, total): (u64, Option<u64>), unit: &str, seconds: f64) -> Option<String> {
    if done == 0 && seconds < BRIEF {
        return None;
    }
    if done == 0 && (unit.is_empty() || total.is_none()) {
        return Some(format!("{what}: {seconds:.1} s"));
    }
    let of = total.filter(|&total| total > done).map_or_else(String::new, |total| format!(" of {total}"));
    let rate = rate(done, seconds);
    let places = usize::from(rate < 10.0);
    Some(format!("{what}: {done}{of} {unit} in {seconds:.1} s, {rate:.places$} a second"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_leaves_a_line_with_its_rate() {
        assert_eq!(
            line("embed", (500, Some(500)), "sentences", 2.0).unwrap(),
            "embed: 500 sentences in 2.0 s, 250 a second"
        );
        assert_eq!(
            line("embed", (100, Some(500)), "sentences", 2.0).unwrap(),
            "embed: 100 of 500 sentences in 2.0 s, 50 a second"
        );
        assert_eq!(line("bench", (36, Some(36)), "turns", 90.0).unwrap(), "bench: 36 turns in 90.0 s, 0.4 a second");
        assert_eq!(line("exporting", (0, None), "", 1.25).unwrap(), "exporting: 1.2 s");
        assert_eq!(line("exporting", (0, None), "", 0.1), None);
        assert_eq!(rate(3, 0.0), 0.0);
    }
}
