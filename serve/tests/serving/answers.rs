//! What is answered to requests as they should be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limbeck_encoder::normalise;
use limbeck_serve::{Key, Limits};
use serde_json::json;

use crate::support::{Gated, Running, WIDTH, student};

#[test]
fn a_text_and_a_list_of_texts_get_the_vectors_of_the_encoder() {
    let (server, student) = (Running::new(), student());
    let one = server.embed(&json!({"model": "small", "input": "gin tonic"}));
    assert_eq!(one.vectors(), [student.encode(&["gin tonic"]).unwrap().row(0)]);
    let texts = ["gin", "", "tonic ice", "unknown"];
    let answer = server.embed(&json!({"model": "small", "input": texts}));
    assert_eq!(answer.vectors().concat(), student.encode(&texts).unwrap().into_vec());
    let json = answer.json();
    assert_eq!((&json["object"], &json["model"]), (&json!("list"), &json!("small")));
    assert_eq!(json["usage"], json!({"prompt_tokens": 4, "total_tokens": 4}));
    let indices: Vec<u64> = json["data"].as_array().unwrap().iter().map(|row| row["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [0, 1, 2, 3]);
}

#[test]
fn token_ids_get_the_vectors_of_their_texts() {
    let (server, student) = (Running::new(), student());
    let one = server.embed(&json!({"input": [1, 2]}));
    assert_eq!(one.vectors(), [student.encode(&["gin tonic"]).unwrap().row(0)]);
    let several = server.embed(&json!({"input": [[1, 2], [], [4]]}));
    assert_eq!(several.vectors().concat(), student.encode(&["gin tonic", "", "ice"]).unwrap().into_vec());
    assert_eq!(several.json()["usage"]["total_tokens"], 3);
}

#[test]
fn base64_holds_the_same_numbers() {
    let (server, student) = (Running::new(), student());
    let answer = server.embed(&json!({"input": ["gin", "lime"], "encoding_format": "base64"})).json();
    let bytes = |row: usize| STANDARD.decode(answer["data"][row]["embedding"].as_str().unwrap()).unwrap();
    let expected = student.encode(&["gin", "lime"]).unwrap();
    for row in 0..2 {
        assert_eq!(bytes(row), expected.row(row).iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
    }
}

#[test]
fn fewer_dimensions_give_the_first_numbers_of_length_one() {
    let (server, student) = (Running::new(), student());
    let mut expected = student.encode(&["gin tonic"]).unwrap().row(0)[..2].to_vec();
    normalise(&mut expected);
    assert_eq!(server.embed(&json!({"input": "gin tonic", "dimensions": 2})).vectors(), [expected]);
    assert_eq!(server.embed(&json!({"input": "gin", "dimensions": WIDTH})).vectors()[0].len(), WIDTH);
}

#[test]
fn an_engine_that_shows_no_tokens_counts_none_and_takes_no_ids() {
    let engine = std::sync::Arc::new(Gated::default());
    engine.open();
    let server = Running::of(engine, Limits::default(), None);
    let answer = server.embed(&json!({"input": ["a", "b"]}));
    assert_eq!(
        (answer.vectors().concat(), answer.json()["usage"]["total_tokens"].take()),
        (vec![0., 1., 0., 1.], json!(0))
    );
    assert!(server.embed(&json!({"input": [1]})).refused(400).contains("takes no token ids"));
}

#[test]
fn every_name_of_the_model_is_listed_and_answers() {
    let server = Running::new();
    let list = server.get("/v1/models").json();
    let names: Vec<&str> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!((&list["object"], &names[..]), (&json!("list"), &["small", "other/name"][..]));
    assert_eq!(server.get("/v1/models/other/name").json()["object"], "model");
    assert_eq!(server.embed(&json!({"model": "other/name", "input": "gin"})).json()["model"], "small");
}

#[test]
fn health_and_metrics_tell_of_the_service() {
    let server = Running::new();
    assert_eq!(server.get("/health").json(), json!({"status": "ok"}));
    server.embed(&json!({"input": ["gin tonic", "ice"]}));
    server.embed(&json!({"input": 5}));
    assert_eq!(server.metric("limbeck_texts_total"), 2.0);
    assert_eq!(server.metric("limbeck_tokens_total"), 3.0);
    assert_eq!(server.metric("limbeck_requests_total{status=\"400\"}"), 1.0);
    assert_eq!(server.metric("limbeck_request_seconds_count"), 2.0);
    let metrics = server.get("/metrics");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
}

#[test]
fn a_key_is_asked_for_everywhere_but_for_the_health() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "sk-0123\n").unwrap();
    let key = Key::of_file(file.path()).unwrap();
    let server = Running::of(std::sync::Arc::new(student()), Limits::default(), Some(key));
    assert_eq!(server.get("/health").status, 200);
    for path in ["/v1/models", "/v1/models/small", "/metrics"] {
        server.get(path).refused(401);
        assert_eq!(server.send("GET", path, &["authorization: Bearer sk-0123"], b"").status, 200);
    }
    let body = br#"{"input": "gin"}"#;
    let asked = |headers: &[&str]| server.send("POST", "/v1/embeddings", headers, body);
    let refused = asked(&["content-type: application/json", "authorization: Bearer sk-0124"]);
    assert_eq!(
        (refused.json()["error"]["code"].take(), refused.header("www-authenticate")),
        (json!("invalid_api_key"), Some("bearer"))
    );
    refused.refused(401);
    assert_eq!(asked(&["content-type: application/json", "authorization: Bearer sk-0123"]).status, 200);
}
