//! [`Progress`]: how a library reports progress. The command draws bars; tests use [`Silent`].

/// Shows progress. Libraries never print; their caller decides what is shown and where.
pub trait Progress: Sync {
    /// Starts a bar over `total` units (unknown: `None`). Dropping the bar finishes it.
    fn stage(&self, what: &str, total: Option<u64>, unit: &str) -> Box<dyn Bar + '_>;

    /// Prints one line that stays on the screen.
    fn note(&self, line: &str);
}

/// The progress of one piece of work.
pub trait Bar: Send + Sync {
    /// Adds `n` finished units.
    fn add(&self, n: u64);

    /// Shows a short message beside the bar.
    fn set(&self, message: &str);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _what: &str, _total: Option<u64>, _unit: &str) -> Box<dyn Bar + '_> {
        Box::new(Silent)
    }

    fn note(&self, _line: &str) {}
}

impl Bar for Silent {
    fn add(&self, _n: u64) {}

    fn set(&self, _message: &str) {}
}
