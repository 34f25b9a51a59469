//! What is answered at which path.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use limbeck_encoder::shorten_into;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::batch::{Job, Vectors};
use crate::body;
use crate::gate::{Gate, Place};
use crate::input::Input;
use crate::key::Key;
use crate::metrics::{Metrics, Now};
use crate::model::Model;
use crate::refusal::Refusal;
use crate::request::EmbeddingsRequest;
use crate::response;
use crate::settings::Limits;

/// What all requests share.
pub(crate) struct Service {
    pub(crate) model: Arc<Model>,
    pub(crate) key: Option<Key>,
    pub(crate) limits: Limits,
    pub(crate) gate: Arc<Gate>,
    pub(crate) metrics: Arc<Metrics>,
    /// The queue before the model.
    pub(crate) queue: Sender<Job>,
    pub(crate) connections: Arc<AtomicUsize>,
    /// Seconds since 1970 at the start, which stand for the model's age.
    created: u64,
}

impl Service {
    pub(crate) fn new(model: Arc<Model>, key: Option<Key>, limits: Limits, queue: Sender<Job>) -> Self {
        let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let (gate, metrics, connections) = (Arc::new(Gate::new(&limits)), Arc::default(), Arc::default());
        Self { model, key, limits, gate, metrics, queue, connections, created }
    }

    /// The service's paths.
    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/v1/embeddings", post(embeddings))
            .route("/v1/models", get(models))
            .route("/v1/models/{*name}", get(model))
            .route("/health", get(health))
            .route("/metrics", get(metrics))
            .fallback(unknown_path)
            .method_not_allowed_fallback(unknown_method)
            .layer(middleware::from_fn_with_state(self.clone(), count))
            .with_state(self)
    }

    fn check_key(&self, parts: &Parts) -> Result<(), Refusal> {
        let given = parts.headers.get(AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
        match &self.key {
            Some(key) if !key.is_in(given) => Err(Refusal::key()),
            _ => Ok(()),
        }
    }

    /// Looks at the head of a request for vectors.
    fn check_head(&self, parts: &Parts) -> Result<(), Refusal> {
        self.check_key(parts)?;
        // A page in a browser can send other types to this machine without asking first, and this one it can't.
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            true => Ok(()),
            false => Err(Refusal::content_type()),
        }
    }

    async fn answer(&self, parts: &Parts, body: Body) -> Result<Response, Refusal> {
        let Limits { body_bytes, texts, client_timeout, .. } = self.limits;
        if let Err(refusal) = self.check_head(parts) {
            body::discard(body, &parts.headers, client_timeout).await;
            return Err(refusal);
        }
        let mut place = self.gate.place();
        let body = body::read(body, &parts.headers, body_bytes, client_timeout, &mut place).await?;
        place.add_request()?;
        let request = EmbeddingsRequest::parse(&body, texts)?;
        drop(body);
        let dimension = self.model.check(&request)?;
        place.add_texts(request.input.rows())?;
        let EmbeddingsRequest { input, encoding, .. } = request;
        let (vectors, place) = self.vectors(input, place).await?;
        let vectors = self.shortened(vectors, dimension);
        let rows = vectors.values.chunks_exact(vectors.width);
        let written = response::embeddings(rows, vectors.width, encoding, self.model.name(), vectors.tokens);
        let written = written.map_err(|_| Refusal::internal())?;
        // The request counts until the last byte has gone to the client.
        let answer = Bytes::from_owner(Answer { written, _place: place });
        Ok(([(CONTENT_TYPE, "application/json")], answer).into_response())
    }

    /// The vectors of `input`, from the queue.
    async fn vectors(&self, input: Input, place: Place) -> Result<(Vectors, Place), Refusal> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job { input, place, reply }).map_err(|_| Refusal::stopping())?;
        match timeout(self.limits.timeout, answer).await {
            Ok(Ok(vectors)) => vectors,
            Ok(Err(_)) => Err(Refusal::stopping()),
            Err(_) => Err(Refusal::late()),
        }
    }

    /// The vectors with dense halves of `dimension` numbers.
    fn shortened(&self, vectors: Vectors, dimension: usize) -> Vectors {
        let (lexical, width) = (self.model.lexical, vectors.width);
        if dimension + lexical >= width {
            return vectors;
        }
        let mut values = Vec::with_capacity(vectors.values.len() / width * (dimension + lexical));
        let rows = vectors.values.chunks_exact(width);
        rows.for_each(|row| shorten_into(row, dimension, lexical, &mut values));
        Vectors { values, width: dimension + lexical, tokens: vectors.tokens }
    }
}

/// The bytes of an answer, and the request's place.
struct Answer {
    written: Vec<u8>,
    _place: Place,
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.written
    }
}

async fn count(State(service): State<Arc<Service>>, request: Request, next: middleware::Next) -> Response {
    let response = next.run(request).await;
    service.metrics.answered(response.status().as_u16());
    response
}

async fn embeddings(State(service): State<Arc<Service>>, request: Request) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let answer = service.answer(&parts, body).await;
    service.metrics.request(begun.elapsed());
    answer.unwrap_or_else(Refusal::into_response)
}

fn json_answer(value: &serde_json::Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

async fn models(State(service): State<Arc<Service>>, request: Request) -> Result<Response, Refusal> {
    service.check_key(&request.into_parts().0)?;
    let names = service.model.names.iter();
    let models: Vec<_> = names.map(|name| response::model(name, service.created)).collect();
    Ok(json_answer(&json!({"object": "list", "data": models})))
}

async fn model(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    service.check_key(&request.into_parts().0)?;
    match service.model.names.contains(&name) {
        true => Ok(json_answer(&response::model(&name, service.created))),
        false => Err(Refusal::model(&name, &service.model.names)),
    }
}

async fn health() -> Response {
    json_answer(&json!({"status": "ok"}))
}

async fn metrics(State(service): State<Arc<Service>>, request: Request) -> Result<Response, Refusal> {
    service.check_key(&request.into_parts().0)?;
    let gate = &service.gate;
    let connections = service.connections.load(Ordering::Relaxed);
    let now = Now { requests: gate.requests(), texts: gate.texts(), bytes: gate.bytes(), connections };
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], service.metrics.text(&now)).into_response())
}

async fn unknown_path(State(service): State<Arc<Service>>, request: Request) -> Refusal {
    refuse(&service, request, Refusal::path).await
}

async fn unknown_method(State(service): State<Arc<Service>>, request: Request) -> Refusal {
    refuse(&service, request, Refusal::method).await
}

async fn refuse(service: &Service, request: Request, refusal: fn(&axum::http::Method, &str) -> Refusal) -> Refusal {
    let (parts, body) = request.into_parts();
    body::discard(body, &parts.headers, service.limits.client_timeout).await;
    refusal(&parts.method, parts.uri.path())
}
