//! Requests that are refused, each in OpenAI's form.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use limbeck_serve::Limits;
use serde_json::json;

use crate::support::{Gated, Running};

#[test]
fn wrong_requests_name_the_field() {
    let server = Running::new();
    for (body, field) in [
        (json!({}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": ["gin", 1]}), "input"),
        (json!({"input": [6, 7]}), "input"),
        (json!({"input": "gin", "dimensions": 0}), "dimensions"),
        (json!({"input": "gin", "dimensions": 5}), "dimensions"),
        (json!({"input": "gin", "encoding_format": "hex"}), "encoding_format"),
    ] {
        let answer = server.embed(&body);
        assert_eq!(answer.json()["error"]["param"], field, "{body}");
        answer.refused(400);
    }
}

#[test]
fn a_body_that_is_no_json_is_refused() {
    let server = Running::new();
    for body in [&b""[..], b"{\"input\": \"gin\"", b"\xff\xfe", b"{\"input\": \"\\ud800\"}"] {
        server.post("/v1/embeddings", body).refused(400);
    }
}

#[test]
fn another_model_is_refused_with_those_that_there_are() {
    let answer = Running::new().embed(&json!({"model": "large", "input": "gin"}));
    assert_eq!(answer.json()["error"]["code"], "model_not_found");
    assert!(answer.refused(404).contains("small, other/name"));
    assert!(Running::new().get("/v1/models/large").refused(404).contains("small"));
}

#[test]
fn unknown_paths_methods_and_types_are_refused() {
    let server = Running::new();
    server.post("/v1/chat/completions", b"{}").refused(404);
    server.get("/").refused(404);
    let answer = server.get("/v1/embeddings");
    assert_eq!(answer.header("allow"), Some("post"));
    answer.refused(405);
    server.send("POST", "/v1/embeddings", &[], b"{\"input\": \"gin\"}").refused(415);
    server.send("POST", "/v1/embeddings", &["content-type: text/plain"], b"{\"input\": \"gin\"}").refused(415);
    let json = ["content-type: Application/JSON; charset=utf-8"];
    assert_eq!(server.send("POST", "/v1/embeddings", &json, b"{\"input\": \"gin\"}").status, 200);
}

#[test]
fn a_body_that_is_too_long_is_answered_whether_its_length_is_announced_or_not() {
    let server = Running::limited(Limits { body_bytes: 1_000, ..Limits::default() });
    let long = json!({"input": "gin ".repeat(1_000_000)}).to_string();
    assert!(server.post("/v1/embeddings", long.as_bytes()).refused(413).contains("1000 bytes"));
    let chunked = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    let mut stream = server.connect();
    let head = "POST /v1/embeddings HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n";
    std::io::Write::write_all(&mut stream, format!("{head}{chunked}").as_bytes()).unwrap();
    crate::support::Answer::read(stream).refused(413);
    assert_eq!(server.metric("limbeck_body_bytes_held"), 0.0);
}

#[test]
fn too_many_texts_are_counted_and_refused() {
    let server = Running::new();
    let many = vec!["gin"; 100_000];
    let message = server.embed(&json!({"input": many})).refused(422);
    assert_eq!(message, "input holds 100000 texts; a request takes at most 2048");
    assert_eq!(server.embed(&json!({"input": &many[..2_048]})).vectors().len(), 2_048);
}

#[test]
fn more_requests_at_once_than_allowed_are_refused_until_one_is_answered() {
    let engine = Arc::new(Gated::default());
    let server = Running::of(engine.clone(), Limits { requests: 1, ..Limits::default() }, None);
    thread::scope(|scope| {
        let first = scope.spawn(|| server.embed(&json!({"input": "a"})));
        engine.wait_for_call();
        let refused = server.embed(&json!({"input": "b"}));
        assert_eq!(refused.header("retry-after"), Some("1"));
        refused.refused(429);
        engine.open();
        assert_eq!(first.join().unwrap().status, 200);
    });
    assert_eq!(server.metric("limbeck_requests_in_flight"), 0.0);
    assert_eq!(server.embed(&json!({"input": "c"})).status, 200);
}

#[test]
fn texts_of_all_requests_together_are_bounded() {
    let engine = Arc::new(Gated::default());
    let server = Running::of(engine.clone(), Limits { texts: 2, ..Limits::default() }, None);
    thread::scope(|scope| {
        // Thirty-two requests of the most texts are held.
        let held: Vec<_> = (0..32).map(|_| scope.spawn(|| server.embed(&json!({"input": ["a", "b"]})))).collect();
        server.wait_for("limbeck_texts_held", 64.0);
        server.embed(&json!({"input": "c"})).refused(429);
        engine.open();
        assert!(held.into_iter().all(|request| request.join().unwrap().status == 200));
    });
    assert_eq!(server.metric("limbeck_texts_held"), 0.0);
}

#[test]
fn a_request_that_waits_too_long_is_answered() {
    let engine = Arc::new(Gated::default());
    let limits = Limits { timeout: Duration::from_millis(20), ..Limits::default() };
    let server = Running::of(engine.clone(), limits, None);
    let late = server.embed(&json!({"input": "a"}));
    assert_eq!(late.header("retry-after"), Some("1"));
    late.refused(503);
    engine.open();
}

#[test]
fn a_vector_that_is_not_finite_is_an_error_of_the_server() {
    struct Broken;
    impl limbeck_encoder::Encoder for Broken {
        fn encode(&self, texts: &[&str]) -> Result<limbeck_encoder::Embeddings, limbeck_encoder::EncodeError> {
            match texts[0] {
                "nan" => Ok(limbeck_encoder::Embeddings::new(vec![f32::NAN; texts.len()], 1)),
                "short" => Ok(limbeck_encoder::Embeddings::new(Vec::new(), 1)),
                _ => panic!("a panic that the test asked for"),
            }
        }

        fn info(&self) -> limbeck_encoder::EncoderInfo {
            limbeck_encoder::EncoderInfo { dimension: 1, ..limbeck_encoder::Encoder::info(&Gated::default()) }
        }
    }
    let server = Running::of(Arc::new(Broken), Limits::default(), None);
    for text in ["nan", "short", "panic", "nan"] {
        server.embed(&json!({"input": text})).refused(500);
    }
}
