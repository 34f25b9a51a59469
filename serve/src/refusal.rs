//! [`Refusal`]: every error that a client is told, in OpenAI's form.

use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error as OpenAI writes it: `{"error": {"message", "type", "param", "code"}}` with a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// The field of the request that is wrong.
    param: Option<&'static str>,
    code: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: None }
    }

    fn with_code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// 400: a field is not what it should be.
    pub(crate) fn field(param: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { param, ..Self::new(StatusCode::BAD_REQUEST, message) }
    }

    /// 400: the body ended or broke before it was whole.
    pub(crate) fn broken_body() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "the body ended before it was whole")
    }

    /// 401: no key, or another.
    pub(crate) fn key() -> Self {
        let message = "a valid key is needed: send it as Authorization: Bearer KEY";
        Self::new(StatusCode::UNAUTHORIZED, message).with_code("invalid_api_key")
    }

    /// 404: nothing lies at this path.
    pub(crate) fn path(method: &Method, path: &str) -> Self {
        let message =
            format!("there is no {method} {path}; there are /v1/embeddings, /v1/models, /health and /metrics");
        Self::new(StatusCode::NOT_FOUND, message).with_code("unknown_url")
    }

    /// 404: another model is asked for.
    pub(crate) fn model(asked: &str, names: &[String]) -> Self {
        let message = format!("the model {asked:?} does not exist here; this server has {}", names.join(", "));
        let refusal = Self::new(StatusCode::NOT_FOUND, message).with_code("model_not_found");
        Self { param: Some("model"), ..refusal }
    }

    /// 405: the path takes another method.
    pub(crate) fn method(method: &Method, path: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("{path} does not take {method}"))
    }

    /// 408: the client took too long to send its body.
    pub(crate) fn slow_body() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")
    }

    /// 413: the body is too long.
    pub(crate) fn body(most: usize) -> Self {
        let message = format!("the body is longer than {most} bytes; send fewer texts in a request");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// 415: the body is not announced as JSON.
    pub(crate) fn content_type() -> Self {
        let message = "the body has to be JSON, sent with Content-Type: application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    }

    /// 422: too many texts.
    pub(crate) fn texts(found: usize, most: usize) -> Self {
        let message = format!("input holds {found} texts; a request takes at most {most}");
        Self { param: Some("input"), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, message) }
    }

    /// 429: too much is asked for at once.
    pub(crate) fn busy(what: &str) -> Self {
        let message = format!("the server holds as many {what} as it may; try again");
        Self::new(StatusCode::TOO_MANY_REQUESTS, message).with_code("rate_limit_exceeded")
    }

    /// 500: the model failed. The server's notes say how.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the model failed on this request; the server's log says more")
    }

    /// 503: the vectors did not come in time.
    pub(crate) fn late() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the vectors were not ready in time; try again, or send fewer texts")
    }

    /// 503: the service ends.
    pub(crate) fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping")
    }

    fn kind(&self) -> &'static str {
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => "requests",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = json!({"message": self.message, "type": self.kind(), "param": self.param, "code": self.code});
        let mut response = (self.status, json!({"error": error}).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
