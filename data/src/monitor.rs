//! [`Monitor`]: reports the progress of long work and stops it.

use std::sync::LazyLock;

use crate::interrupt::{Interrupt, Interrupted};
use crate::progress::{Bar, Progress, Silent};

/// Where long work reports its progress, and the flag that stops it. Cheap to copy; every long function takes one.
#[derive(Clone, Copy)]
pub struct Monitor<'a> {
    /// Takes bars and notes.
    pub progress: &'a dyn Progress,
    /// Asks the work to stop.
    pub interrupt: &'a Interrupt,
}

impl<'a> Monitor<'a> {
    /// A monitor of these two.
    pub fn new(progress: &'a dyn Progress, interrupt: &'a Interrupt) -> Self {
        Self { progress, interrupt }
    }

    /// A monitor that shows nothing and never stops the work: for tests and examples.
    pub fn silent() -> Self {
        static NEVER: LazyLock<Interrupt> = LazyLock::new(Interrupt::new);
        Self::new(&Silent, &NEVER)
    }

    /// An error once a stop was asked for, so that `?` leaves the work.
    pub fn check(&self) -> Result<(), Interrupted> {
        self.interrupt.check()
    }

    /// Starts a bar over `total` units (unknown: `None`). Dropping the bar finishes it.
    pub fn stage(&self, name: &str, total: Option<u64>, unit: &str) -> Box<dyn Bar + 'a> {
        self.progress.stage(name, total, unit)
    }

    /// Prints one line that stays on the screen.
    pub fn note(&self, line: &str) {
        self.progress.note(line);
    }
}
