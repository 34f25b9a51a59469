//! How long to wait before a request is made again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};

/// The waits between the tries of one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RetryPolicy {
    /// The wait after the first failure; each further one doubles it.
    pub first: Duration,
    /// The longest of these waits.
    pub most: Duration,
    /// The longest wait that a server may ask for.
    pub longest_asked: Duration,
    /// This many failures in a row are given up.
    pub tries: usize,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { first: seconds(1), most: seconds(60), longest_asked: seconds(900), tries: 10 }
    }
}

impl RetryPolicy {
    /// The wait after so many failures in a row: what the server asks for, else a doubling one, of which `jitter` (0 to
    /// 1) takes away up to a half. `None` where the request is to be given up.
    pub(super) fn pause(&self, failures: usize, asked: Option<Duration>, jitter: f64) -> Option<Duration> {
        if failures >= self.tries || asked.is_some_and(|asked| asked > self.longest_asked) {
            return None;
        }
        let doubled = || self.first.saturating_mul(1 << (failures.clamp(1, 21) - 1)).min(self.most);
        Some(asked.unwrap_or_else(|| doubled().mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)))
    }
}

/// A number from 0 to 1, another one each time, so that clients which failed together don't come back together.
pub(super) fn jitter() -> f64 {
    (RandomState::new().build_hasher().finish() >> 11) as f64 / (1u64 << 53) as f64
}

/// What a `Retry-After` header asks for: seconds, or a date, which is compared with `now`.
pub(super) fn asked_wait(header: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = header.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let date = httpdate::parse_http_date(header.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_the_longest_and_end_after_the_last_try() {
        let policy = RetryPolicy { tries: 9, ..RetryPolicy::default() };
        let waits: Vec<Option<u64>> =
            (1..=9).map(|failures| policy.pause(failures, None, 0.0).map(|wait| wait.as_secs())).collect();
        let expected = [1, 2, 4, 8, 16, 32, 60, 60].map(Some);
        assert_eq!((&waits[..8], waits[8]), (&expected[..], None));
    }

    #[test]
    fn jitter_takes_away_up_to_a_half() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.pause(2, None, 1.0), Some(SECOND));
        assert!((0..100).map(|_| jitter()).all(|jitter| (0.0..1.0).contains(&jitter)));
        assert_ne!(jitter(), jitter());
    }

    #[test]
    fn the_server_s_own_wait_goes_before_and_too_long_a_one_is_given_up() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.pause(1, Some(20 * SECOND), 1.0), Some(20 * SECOND));
        assert_eq!(policy.pause(1, Some(901 * SECOND), 0.0), None);
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(asked_wait("7", now), Some(7 * SECOND));
        assert_eq!(asked_wait("-3", now), Some(Duration::ZERO));
        assert_eq!(asked_wait("Sun, 06 Nov 1994 08:49:57 GMT", now), Some(20 * SECOND));
        assert_eq!(asked_wait("Sun, 06 Nov 1994 08:49:07 GMT", now), Some(Duration::ZERO));
        assert_eq!(asked_wait("soon", now), None);
    }
}
