//! [`Host`]: the program around the service.

/// The program around the service.
pub trait Host: Sync {
    /// Whether the service is to stop. It is asked every 50 ms.
    fn should_stop(&self) -> bool;

    /// Takes a line for the log: what failed, without a client's text.
    fn note(&self, line: &str);
}
