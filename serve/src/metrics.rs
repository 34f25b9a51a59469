//! What `/metrics` tells, in Prometheus' text format.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Statuses that are counted each by itself; others are counted together as 0.
const STATUSES: [u16; 12] = [200, 400, 401, 404, 405, 408, 413, 415, 422, 429, 500, 503];
/// Upper bounds of a request's time, in microseconds.
const TIMES: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000, 30_000_000,
];
/// Upper bounds of the texts of a round.
const TEXTS: [u64; 12] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048];

/// Counts since the start.
#[derive(Default)]
pub(crate) struct Metrics {
    statuses: [AtomicU64; STATUSES.len()],
    other: AtomicU64,
    /// Requests whose client left before the answer.
    pub(crate) abandoned: AtomicU64,
    /// Texts encoded.
    pub(crate) texts: AtomicU64,
    /// Their tokens.
    pub(crate) tokens: AtomicU64,
    /// Microseconds in the model.
    encoding: AtomicU64,
    request_times: Histogram<{ TIMES.len() }>,
    round_texts: Histogram<{ TEXTS.len() }>,
}

/// What holds at the moment of a look.
pub(crate) struct Now {
    pub(crate) requests: usize,
    pub(crate) texts: usize,
    pub(crate) bytes: usize,
    pub(crate) connections: usize,
}

impl Metrics {
    /// Counts an answer.
    pub(crate) fn answered(&self, status: u16) {
        let place = STATUSES.iter().position(|&known| known == status);
        place.map_or(&self.other, |place| &self.statuses[place]).fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the time of a request for vectors.
    pub(crate) fn request(&self, time: Duration) {
        self.request_times.observe(&TIMES, time.as_micros() as u64);
    }

    /// Counts a round of the model.
    pub(crate) fn round(&self, texts: usize, tokens: u64, time: Duration) {
        self.texts.fetch_add(texts as u64, Ordering::Relaxed);
        self.tokens.fetch_add(tokens, Ordering::Relaxed);
        self.encoding.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
        self.round_texts.observe(&TEXTS, texts as u64);
    }

    /// All of it as text.
    pub(crate) fn text(&self, now: &Now) -> String {
        let mut out = Text(String::with_capacity(4096));
        out.head("limbeck_requests_total", "counter", "Answers, by HTTP status; 0 is any other.");
        for (status, count) in STATUSES.iter().zip(&self.statuses).chain([(&0, &self.other)]) {
            out.line(format_args!("limbeck_requests_total{{status=\"{status}\"}} {}", load(count)));
        }
        out.one("limbeck_requests_abandoned_total", "counter", "Clients that left first.", load(&self.abandoned));
        out.one("limbeck_texts_total", "counter", "Texts encoded.", load(&self.texts));
        out.one("limbeck_tokens_total", "counter", "Tokens of these texts.", load(&self.tokens));
        let seconds = load(&self.encoding) as f64 / 1e6;
        out.one("limbeck_encode_seconds_total", "counter", "Seconds in the model.", seconds);
        let help = "From a request's head to its answer, for vectors.";
        self.request_times.write(&mut out, "limbeck_request_seconds", help, &TIMES, 1e6);
        self.round_texts.write(&mut out, "limbeck_round_texts", "Texts encoded together.", &TEXTS, 1.0);
        out.one("limbeck_requests_in_flight", "gauge", "Requests being answered.", now.requests);
        out.one("limbeck_texts_held", "gauge", "Texts whose vectors are made or sent.", now.texts);
        out.one("limbeck_body_bytes_held", "gauge", "Bytes of the bodies being answered.", now.bytes);
        out.one("limbeck_connections", "gauge", "Open connections.", now.connections);
        if let Some(bytes) = resident_bytes() {
            out.one("process_resident_memory_bytes", "gauge", "Resident memory.", bytes);
        }
        out.0
    }
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// The process's resident memory, where the system tells it.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The text being written.
struct Text(String);

impl Text {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // A string takes every write.
        let _ = writeln!(self.0, "{line}");
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }
}

/// How many values lay between the bounds, which the caller keeps.
struct Histogram<const N: usize> {
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; N], above: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }
}

impl<const N: usize> Histogram<N> {
    fn observe(&self, bounds: &[u64; N], value: u64) {
        let place = bounds.iter().position(|&bound| value <= bound);
        place.map_or(&self.above, |place| &self.counts[place]).fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Writes the histogram; `unit` is how many of the counted values make one of those shown.
    fn write(&self, out: &mut Text, name: &str, help: &str, bounds: &[u64; N], unit: f64) {
        out.head(name, "histogram", help);
        let mut below = 0;
        for (&bound, count) in bounds.iter().zip(&self.counts) {
            below += load(count);
            out.line(format_args!("{name}_bucket{{le=\"{}\"}} {below}", bound as f64 / unit));
        }
        below += load(&self.above);
        let sum = load(&self.sum) as f64 / unit;
        out.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {below}\n{name}_sum {sum}\n{name}_count {below}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_cumulative_and_ends_at_infinity() {
        let metrics = Metrics::default();
        for texts in [1, 2, 3, 5_000] {
            metrics.round(texts, 10, Duration::from_micros(1_500_000));
        }
        let text = metrics.text(&Now { requests: 1, texts: 2, bytes: 3, connections: 4 });
        let facts = [
            "limbeck_round_texts_bucket{le=\"1\"} 1",
            "limbeck_round_texts_bucket{le=\"2\"} 2",
            "limbeck_round_texts_bucket{le=\"4\"} 3",
            "limbeck_round_texts_bucket{le=\"2048\"} 3",
            "limbeck_round_texts_bucket{le=\"+Inf\"} 4",
            "limbeck_round_texts_sum 5006",
            "limbeck_round_texts_count 4",
            "limbeck_texts_total 5006",
            "limbeck_tokens_total 40",
            "limbeck_encode_seconds_total 6",
            "limbeck_connections 4",
        ];
        for fact in facts {
            assert!(text.lines().any(|line| line == fact), "`{fact}` is missing in {text}");
        }
    }

    #[test]
    fn times_are_shown_in_seconds_and_statuses_each_by_itself() {
        let metrics = Metrics::default();
        metrics.request(Duration::from_micros(700));
        [200, 200, 422, 418].into_iter().for_each(|status| metrics.answered(status));
        let text = metrics.text(&Now { requests: 0, texts: 0, bytes: 0, connections: 0 });
        for fact in [
            "limbeck_request_seconds_bucket{le=\"0.0005\"} 0",
            "limbeck_request_seconds_bucket{le=\"0.001\"} 1",
            "limbeck_request_seconds_sum 0.0007",
            "limbeck_requests_total{status=\"200\"} 2",
            "limbeck_requests_total{status=\"422\"} 1",
            "limbeck_requests_total{status=\"0\"} 1",
        ] {
            assert!(text.lines().any(|line| line == fact), "`{fact}` is missing in {text}");
        }
    }
}
