//! [`Client`]: HTTP requests that follow redirects, and wait where a server asks for it.

use std::cell::Cell;
use std::io;
use std::time::{Duration, SystemTime};

use ureq::http::{Method, Request, Response};
use ureq::{Agent, Body};

use crate::interrupt::Interrupted;
use crate::monitor::Monitor;

/// How often a request or a download is tried, and the first pause between tries. Each later pause is twice as long.
pub(super) const ATTEMPTS: u32 = 4;
pub(super) const PAUSE: Duration = if cfg!(test) { Duration::from_millis(1) } else { Duration::from_millis(300) };
/// The unit of the pauses that servers ask for.
const SECOND: Duration = if cfg!(test) { Duration::from_millis(1) } else { Duration::from_secs(1) };
/// The longest that all pauses a server asks for may last, in seconds, and their number.
const MOST_SECONDS: u64 = 300;
const MOST_PAUSES: u32 = 30;
const MOST_REDIRECTS: usize = 10;
const CONNECT: Duration = Duration::from_secs(30);
/// The longest silence of a server that has begun to answer.
const SILENCE: Duration = Duration::from_secs(60);

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum HttpFailure {
    /// The server refused the request.
    #[error("the answer is HTTP status {0}")]
    Status(u16),
    /// The server cannot be reached, or does not speak HTTP.
    #[error(transparent)]
    Network(#[from] ureq::Error),
    /// The connection ended before the file did.
    #[error("the connection broke off")]
    Body(#[source] io::Error),
    /// More bytes than were announced.
    #[error("more than the announced {0} bytes came")]
    TooLong(u64),
    /// An answer without a header that is needed, or with a wrong one.
    #[error("the answer has no usable `{0}`")]
    Header(&'static str),
    /// One redirect after another.
    #[error("there are too many redirects")]
    Redirects,
    /// A redirect from `https:` to `http:`, or from this machine to another by `http:`.
    #[error("a redirect leads to {0}, which isn't safe")]
    Unsafe(String),
    /// The caller asked for a stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// Which redirects are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    All,
    /// Those that don't tell the file's tag yet. The hub sends the tag and the commit together with the redirect to the
    /// server that has the bytes.
    UntilTagged,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Query<'q> {
    pub method: Method,
    pub url: &'q str,
    /// The bytes asked for, as the header `Range` has them; `None`: all.
    pub range: Option<String>,
    pub follow: Follow,
}

impl<'q> Query<'q> {
    /// All of what lies at `url`.
    pub(super) fn get(url: &'q str) -> Self {
        Self { method: Method::GET, url, range: None, follow: Follow::All }
    }
}

/// Sends requests, and remembers how long it has waited.
pub(super) struct Client<'a> {
    agent: Agent,
    /// A token, and the server that gets it. No other server does.
    token: Option<(String, String)>,
    pub(super) monitor: Monitor<'a>,
    waited: Cell<Duration>,
}

impl<'a> Client<'a> {
    pub(super) fn new(monitor: Monitor<'a>) -> Self {
        let config = Agent::config_builder()
            .user_agent(concat!("limbeck/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .build();
        Self { agent: config.new_agent(), token: None, monitor, waited: Cell::new(Duration::ZERO) }
    }

    /// Sends `token` to the server of `endpoint`.
    pub(super) fn with_token(self, endpoint: &str, token: &str) -> Self {
        Self { token: Some((origin(endpoint).to_owned(), token.to_owned())), ..self }
    }

    /// The answer to a query, whatever its status, after redirects and pauses.
    pub(super) fn send(&self, query: &Query) -> Result<Response<Body>, HttpFailure> {
        let mut url = query.url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.send_patiently(query, &url)?;
            let tagged = query.follow == Follow::UntilTagged && is_tagged(&response);
            match header(&response, "location") {
                Some(location) if is_redirect(response.status().as_u16()) && !tagged => {
                    let target = join(&url, location);
                    if !may_lead(&url, &target) {
                        return Err(HttpFailure::Unsafe(target));
                    }
                    url = target;
                }
                _ => return Ok(response),
            }
        }
        Err(HttpFailure::Redirects)
    }

    /// The answer of one server. One that is overloaded is asked again: after the pause that it asks for, else after
    /// pauses of our own.
    fn send_patiently(&self, query: &Query, url: &str) -> Result<Response<Body>, HttpFailure> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let response = self.send_once(query, url)?;
            let status = response.status().as_u16();
            if !matches!(status, 429 | 500 | 502 | 503 | 504) {
                return Ok(response);
            }
            let asked = pause_asked(&response).filter(|_| matches!(status, 429 | 503));
            let waited = match asked {
                Some(seconds) => attempt <= MOST_PAUSES && self.pause_as_asked(seconds, url)?,
                None => attempt < ATTEMPTS && self.wait(pause).map(|()| true)?,
            };
            if !waited {
                return Ok(response);
            }
            pause *= 2;
        }
        Err(HttpFailure::Status(503))
    }

    fn send_once(&self, query: &Query, url: &str) -> Result<Response<Body>, HttpFailure> {
        self.monitor.check()?;
        let mut request = Request::builder().method(query.method.clone()).uri(url);
        if let Some(range) = &query.range {
            request = request.header("Range", range);
        }
        if let Some((server, token)) = &self.token
            && origin(url) == server
        {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let request = request.body(()).map_err(ureq::Error::from)?;
        Ok(self.agent.run(request)?)
    }

    /// Waits as a server asks, and returns whether all its pauses fit into the time for them.
    fn pause_as_asked(&self, seconds: u64, url: &str) -> Result<bool, HttpFailure> {
        let pause = (SECOND * seconds.min(u64::from(u32::MAX)) as u32).max(PAUSE);
        let waited = self.waited.get() + pause;
        if waited > SECOND * MOST_SECONDS as u32 {
            return Ok(false);
        }
        self.waited.set(waited);
        self.monitor.note(&format!("{} asks for a pause of {seconds} s: waiting", origin(url)));
        self.wait(pause).map(|()| true)
    }

    /// Waits, and stops when the caller asks for it.
    pub(super) fn wait(&self, pause: Duration) -> Result<(), HttpFailure> {
        Ok(self.monitor.interrupt.wait(pause)?)
    }
}

/// The value of a header, if it is text.
pub(super) fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// The tag of the file behind a redirect, or of the file itself, as a file is named by it.
pub(super) fn tag(response: &Response<Body>) -> Option<String> {
    let tag = header(response, "x-linked-etag").or_else(|| header(response, "etag"))?;
    Some(tag.trim_start_matches("W/").trim_matches('"').to_owned())
}

fn is_tagged(response: &Response<Body>) -> bool {
    tag(response).is_some() && header(response, "x-repo-commit").is_some()
}

pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The seconds that an overloaded server asks to wait: in `Retry-After`, as a number or a date, or in `RateLimit`.
fn pause_asked(response: &Response<Body>) -> Option<u64> {
    match header(response, "retry-after") {
        Some(text) => seconds_until(text, SystemTime::now()),
        // `"api";r=0;t=55`
        None => header(response, "ratelimit")?.split(';').find_map(|part| part.trim().strip_prefix("t=")?.parse().ok()),
    }
}

fn seconds_until(text: &str, now: SystemTime) -> Option<u64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let until = httpdate::parse_http_date(text).ok()?;
    // Rounded up, so that the time has come.
    Some(until.duration_since(now).map_or(0, |pause| pause.as_secs_f64().ceil() as u64))
}

/// The scheme and the server of a URL: `https://host:port`.
pub(super) fn origin(url: &str) -> &str {
    let server = url.find("://").map_or(0, |at| at + 3);
    url[server..].find(['/', '?', '#']).map_or(url, |end| &url[..server + end])
}

/// The absolute URL of a redirect from `base`.
fn join(base: &str, location: &str) -> String {
    let is_absolute = location.split_once("://").is_some_and(|(scheme, _)| !scheme.contains(['/', '?', '#']));
    if is_absolute {
        return location.to_owned();
    }
    let server = origin(base);
    if location.starts_with("//") {
        let scheme = server.split_once("//").map_or("", |(scheme, _)| scheme);
        return format!("{scheme}{location}");
    }
    if location.starts_with('/') {
        return format!("{server}{location}");
    }
    let path = base[server.len()..].split(['?', '#']).next().unwrap_or_default();
    let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
    format!("{server}{folder}{location}")
}

/// Whether a redirect keeps what its beginning promised: `https:` stays so, and `http:` on this machine does not lead
/// to another machine.
fn may_lead(from: &str, to: &str) -> bool {
    to.starts_with("https://")
        || (to.starts_with("http://") && from.starts_with("http://") && { is_loopback(to) || !is_loopback(from) })
}

/// Whether the server of a URL is this machine.
pub fn is_loopback(url: &str) -> bool {
    let server = origin(url);
    let server = server.split_once("://").map_or(server, |(_, server)| server);
    let host = if server.starts_with('[') { server.split_inclusive(']').next() } else { server.split(':').next() };
    let host = host.unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_joined_to_the_url_that_it_came_from() {
        let join = |location| join("https://a.org:8/x/y?q=1", location);
        assert_eq!(join("https://b.org/z"), "https://b.org/z");
        assert_eq!(join("//b.org/z"), "https://b.org/z");
        assert_eq!(join("/z?to=http://c"), "https://a.org:8/z?to=http://c");
        assert_eq!(join("z"), "https://a.org:8/x/z");
    }

    #[test]
    fn https_never_leads_to_http_nor_this_machine_to_another() {
        assert!(may_lead("https://a.org/x", "https://b.org/x"));
        assert!(!may_lead("https://a.org/x", "http://a.org/x"));
        assert!(!may_lead("https://a.org/x", "http://localhost/x"));
        assert!(may_lead("http://127.0.0.1:80/x", "http://localhost:81/x"));
        assert!(!may_lead("http://[::1]:80/x", "http://a.org/x"));
        assert!(!may_lead("http://a.org/x", "file:///etc/passwd"));
        assert!(!is_loopback("http://127.0.0.1.evil.org/x") && !is_loopback("http://localhost.evil.org"));
    }

    #[test]
    fn a_pause_is_told_in_seconds_or_as_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(seconds_until("120", now), Some(120));
        assert_eq!(seconds_until("Sun, 06 Nov 1994 08:50:07 GMT", now), Some(30));
        assert_eq!(seconds_until("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(0));
        assert_eq!(seconds_until("soon", now), None);
    }
}
