//! One HTTP request to the API, and what came of it.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use ureq::Agent;
use ureq::http::{HeaderMap, Response};

use super::error::ApiError;
use super::retry::asked_wait;
use super::settings::ApiSettings;

/// The longest answer that is read, in bytes.
const MOST_BYTES: u64 = 1 << 30;
/// The longest error that is read, in bytes.
const MOST_ERROR_BYTES: u64 = 1 << 16;
/// Characters of a server's own words in an error.
const MOST_CHARACTERS: usize = 300;
/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(30);

/// Sends requests to one API.
pub(super) struct ApiClient {
    agent: Agent,
    endpoint: String,
    /// The key. No format of this struct shows it.
    key: Option<String>,
}

/// What came of a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// An answer.
    Answer(Vec<u8>),
    /// Too many texts, or one too long.
    TooMuch { status: u16, message: String },
    /// Another try may succeed, after the time that the server asks for.
    Later { why: String, after: Option<Duration> },
    /// The server sends the request elsewhere.
    Redirect { to: String },
    /// Another try would fail too.
    Refused { status: u16, message: String, hint: &'static str },
    /// The request can't be sent.
    Unsendable { why: String },
}

impl ApiClient {
    /// A client that takes the key from the environment.
    ///
    /// # Errors
    /// The variable is not set, or holds what can't be a key.
    pub(super) fn new(settings: &ApiSettings) -> Result<Self, ApiError> {
        let key = settings.key_env.as_deref().map(|variable| key_of(variable, &settings.url)).transpose()?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // The key must not reach another host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(Duration::from_secs(settings.timeout)))
            .user_agent(concat!("limbeck/", env!("CARGO_PKG_VERSION")));
        if settings.is_local() {
            config = config.proxy(None);
        }
        Ok(Self { agent: config.build().into(), endpoint: settings.endpoint(), key })
    }

    /// The address that requests go to.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends `body`.
    pub(super) fn post(&self, body: &[u8]) -> Reply {
        let mut request = self.agent.post(&self.endpoint).content_type("application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        match request.send(body) {
            Ok(response) => self.reply(response),
            Err(error) => self.failure(&error),
        }
    }

    fn reply(&self, mut response: Response<ureq::Body>) -> Reply {
        let status = response.status().as_u16();
        if status == 200 {
            let read = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
            return read.map_or_else(|error| self.failure(&error), Reply::Answer);
        }
        let header = |name: &str, headers: &HeaderMap| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        if (300..400).contains(&status) {
            let to = header("location", response.headers()).unwrap_or_else(|| "nowhere".into());
            return Reply::Redirect { to: self.without_key(&to) };
        }
        let after = header("retry-after", response.headers());
        let body = response.body_mut().with_config().limit(MOST_ERROR_BYTES).read_to_vec().unwrap_or_default();
        let said = ServerError::read(&body);
        let message = self.shown(&said.message);
        match status {
            413 | 422 => Reply::TooMuch { status, message },
            // No wait brings money back.
            429 if said.code.as_deref() == Some("insufficient_quota") => {
                Reply::Refused { status, message, hint: "the account has no quota left" }
            }
            408 | 429 | 500.. => {
                let after = after.and_then(|header| asked_wait(&header, SystemTime::now()));
                Reply::Later { why: format!("the server answers {status}{message}"), after }
            }
            _ => Reply::Refused { status, message, hint: hint(status) },
        }
    }

    /// A request without an answer.
    fn failure(&self, error: &ureq::Error) -> Reply {
        use ureq::Error::{ConnectionFailed, HostNotFound, Io, Protocol, Timeout};
        let why = self.without_key(&error.to_string());
        match error {
            Io(_) | Timeout(_) | HostNotFound | ConnectionFailed | Protocol(_) => Reply::Later { why, after: None },
            _ => Reply::Unsendable { why },
        }
    }

    /// The server's own words, short, in one line and without the key, after a colon.
    fn shown(&self, message: &str) -> String {
        let message = self.without_key(message).split_whitespace().collect::<Vec<_>>().join(" ");
        match message.char_indices().nth(MOST_CHARACTERS) {
            _ if message.is_empty() => message,
            Some((end, _)) => format!(": {}…", &message[..end]),
            None => format!(": {message}"),
        }
    }

    fn without_key(&self, text: &str) -> String {
        match &self.key {
            Some(key) => text.replace(key, "[key]"),
            None => text.to_owned(),
        }
    }
}

fn key_of(variable: &str, url: &str) -> Result<String, ApiError> {
    let no_key =
        |problem| ApiError::NoKey { variable: variable.to_owned(), url: url.trim_end_matches('/').to_owned(), problem };
    let value = std::env::var_os(variable).ok_or_else(|| no_key("is not set"))?;
    let value = value.into_string().map_err(|_| no_key("holds what is no text"))?;
    let key = value.trim();
    if key.is_empty() {
        return Err(no_key("is empty"));
    }
    match key.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(key.to_owned()),
        false => Err(no_key("holds blanks or characters that no key has")),
    }
}

/// What to correct after a refusal.
fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => "the key is missing or not accepted: see the variable that key_env names",
        404 | 405 => "the address or the model is wrong: url goes up to /v1, and model is a name that the server has",
        400 => "the model, dimensions or encoding may not suit this server, or a text is too long for it",
        _ => "see the server's own documentation",
    }
}

/// An error as servers write it: OpenAI's `{"error": {"message", "code"}}`, or any text.
#[derive(Default)]
struct ServerError {
    message: String,
    code: Option<String>,
}

impl ServerError {
    fn read(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Outer {
            error: Inner,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Inner {
            Parts { message: String, code: Option<serde_json::Value> },
            Text(String),
        }
        match serde_json::from_slice::<Outer>(body) {
            Ok(Outer { error: Inner::Parts { message, code } }) => {
                Self { message, code: code.and_then(|code| code.as_str().map(str::to_owned)) }
            }
            Ok(Outer { error: Inner::Text(message) }) => Self { message, code: None },
            Err(_) => Self { message: String::from_utf8_lossy(body).into_owned(), code: None },
        }
    }
}
