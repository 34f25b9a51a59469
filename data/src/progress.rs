//! How a library tells of its progress: the command draws bars, tests stay [`Silent`].

/// Takes news of what is being done. Libraries never print; whoever calls them decides what is shown and where.
pub trait Progress: Sync {
    /// Begins a piece of work of `total` units (unknown: `None`). It's finished when the bar is dropped.
    fn stage(&self, what: &str, total: Option<u64>, unit: &str) -> Box<dyn Bar + '_>;

    /// Says one line that stays on the screen.
    fn note(&self, line: &str);
}

/// A piece of work going on.
pub trait Bar: Send + Sync {
    /// `n` more units are done.
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
