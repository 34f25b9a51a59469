//! [`Settings`]: where the service listens and what it bounds.

use std::net::SocketAddr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::key::Key;

/// Bodies of the largest size that are held at a time; further ones are refused until there is room.
const BODIES_HELD: usize = 8;
/// Requests of the most texts whose vectors are held at a time.
const REQUESTS_OF_TEXTS_HELD: usize = 32;
/// Connections for each request that is answered at a time: clients keep idle ones.
const CONNECTIONS_A_REQUEST: usize = 3;

/// Where the service listens, and what it bounds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// The names that the model answers to, the first of which answers tell.
    pub names: Vec<String>,
    /// What clients have to send; anyone is answered without one.
    pub key: Option<Key>,
    /// What is bounded.
    pub limits: Limits,
}

/// What a client may ask for. The memory of all requests together follows from these bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body; a longer one is answered by 413.
    pub body_bytes: usize,
    /// Texts of a request; more are answered by 422.
    pub texts: usize,
    /// Requests at a time; further ones are answered by 429.
    pub requests: usize,
    /// How long a request waits for its vectors before it is answered by 503.
    pub timeout: Duration,
    /// How long a client may take to send a request's head, to send its body, and to take a part of the answer. An idle
    /// connection is closed after this time too.
    pub client_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            texts: 2_048,
            requests: 256,
            timeout: Duration::from_secs(60),
            client_timeout: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Bytes of bodies that are held at a time.
    pub(crate) fn bytes_held(&self) -> usize {
        self.body_bytes.saturating_mul(BODIES_HELD)
    }

    /// Texts whose vectors are held at a time.
    pub(crate) fn texts_held(&self) -> usize {
        self.texts.saturating_mul(REQUESTS_OF_TEXTS_HELD)
    }

    /// Connections at a time; further ones wait to be accepted.
    pub(crate) fn connections(&self) -> usize {
        self.requests.saturating_mul(CONNECTIONS_A_REQUEST)
    }
}

impl Settings {
    /// Refuses settings that can't be.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |name, value: String, allowed| Err(Error::Setting { name, value, allowed });
        if self.names.is_empty() {
            return refuse("the model's name", "missing".into(), "clients ask for a model by its name");
        }
        if let Some(name) = self.names.iter().find(|name| name.trim().is_empty()) {
            return refuse("the model's name", format!("{name:?}"), "a name has visible characters");
        }
        let limits = &self.limits;
        for (name, value) in [("body_bytes", limits.body_bytes), ("texts", limits.texts), ("requests", limits.requests)]
        {
            // Semaphores count up to an eighth of all numbers.
            if !(1..=u32::MAX as usize).contains(&value) {
                return refuse(name, value.to_string(), "1 to 4,294,967,295 is possible");
            }
        }
        for (name, value) in [("timeout", limits.timeout), ("client_timeout", limits.client_timeout)] {
            if value.is_zero() || value > Duration::from_secs(86_400) {
                return refuse(name, format!("{value:?}"), "more than nothing and at most a day is possible");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { address: ([127, 0, 0, 1], 0).into(), names: vec!["m".into()], key: None, limits: Limits::default() }
    }

    #[track_caller]
    fn refused(change: fn(&mut Settings)) -> &'static str {
        let mut settings = settings();
        change(&mut settings);
        match settings.check() {
            Err(Error::Setting { name, .. }) => name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_defaults_are_possible() {
        settings().check().unwrap();
    }

    #[test]
    fn settings_that_cannot_be_are_refused_by_name() {
        assert_eq!(refused(|s| s.names.clear()), "the model's name");
        assert_eq!(refused(|s| s.names[0] = " ".into()), "the model's name");
        assert_eq!(refused(|s| s.limits.body_bytes = 0), "body_bytes");
        assert_eq!(refused(|s| s.limits.texts = 0), "texts");
        assert_eq!(refused(|s| s.limits.requests = usize::MAX), "requests");
        assert_eq!(refused(|s| s.limits.timeout = Duration::ZERO), "timeout");
        assert_eq!(refused(|s| s.limits.client_timeout = Duration::MAX), "client_timeout");
    }
}
