//! [`Interrupt`]: asks running work to stop at its next safe place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often a wait looks for a request to stop.
const LOOK: Duration = Duration::from_millis(50);

/// A flag that a signal handler sets and long work reads. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a stop.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was asked for.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error once a stop was asked for, so that `?` leaves the work.
    pub fn check(&self) -> Result<(), Interrupted> {
        if self.is_set() { Err(Interrupted) } else { Ok(()) }
    }

    /// Sleeps for `pause`, unless a stop is asked for.
    ///
    /// # Errors
    /// A stop was asked for, before or meanwhile.
    pub fn wait(&self, pause: Duration) -> Result<(), Interrupted> {
        let end = Instant::now() + pause;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.min(LOOK));
        }
    }
}

/// The work was stopped by its caller. Finished parts of the work are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("interrupted")]
#[diagnostic(code(limbeck::interrupted), help("give the same command again to go on"))]
pub struct Interrupted;

/// Whether `error`, of any crate of this workspace, is an interruption. It compares the diagnostic code with that of
/// [`Interrupted`]; every error that carries an interruption forwards or repeats that code.
pub fn is_interrupted(error: &dyn miette::Diagnostic) -> bool {
    let expected = miette::Diagnostic::code(&Interrupted).map(|code| code.to_string());
    error.code().map(|code| code.to_string()) == expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_sees_what_was_set() {
        let interrupt = Interrupt::new();
        let clone = interrupt.clone();
        assert_eq!(clone.check(), Ok(()));
        interrupt.set();
        assert_eq!(clone.check(), Err(Interrupted));
    }

    #[test]
    fn an_interruption_ends_a_wait() {
        let interrupt = Interrupt::new();
        assert_eq!(interrupt.wait(Duration::ZERO), Ok(()));
        interrupt.set();
        assert!(interrupt.wait(Duration::from_secs(3_600)).is_err());
    }

    #[test]
    fn an_interruption_is_known_by_its_code_also_inside_another_error() {
        assert!(is_interrupted(&Interrupted));
        assert!(!is_interrupted(&miette::MietteError::OutOfBounds));
    }
}
