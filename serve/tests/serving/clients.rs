//! Clients that are slow, break off or share a connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use limbeck_serve::Limits;
use serde_json::json;

use crate::support::{Answer, Gated, Running};

const HEAD: &str = "POST /v1/embeddings HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";

/// Limits that a client which stops sending soon meets.
fn impatient() -> Limits {
    Limits { client_timeout: Duration::from_millis(500), ..Limits::default() }
}

#[test]
fn a_head_that_does_not_come_whole_ends_the_connection() {
    let server = Running::limited(impatient());
    let mut stream = server.connect();
    stream.write_all(HEAD.as_bytes()).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    server.wait_for("limbeck_connections", 1.0);
    assert_eq!(server.metric("limbeck_requests_in_flight"), 0.0);
}

#[test]
fn an_idle_connection_is_closed() {
    let server = Running::limited(impatient());
    let mut rest = Vec::new();
    server.connect().read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn a_body_that_does_not_come_whole_is_answered_in_time() {
    let server = Running::limited(impatient());
    let mut stream = server.connect();
    write!(stream, "{HEAD}content-length: 100\r\n\r\n{{\"input\":").unwrap();
    Answer::read(stream).refused(408);
    assert_eq!(server.metric("limbeck_body_bytes_held"), 0.0);
}

#[test]
fn clients_that_do_not_send_take_no_place_from_others() {
    let server = Running::limited(Limits { requests: 1, ..Limits::default() });
    let mut slow = [server.connect(), server.connect()];
    slow.iter_mut().for_each(|stream| write!(stream, "{HEAD}content-length: 100\r\n\r\n{{\"input\":").unwrap());
    server.wait_for("limbeck_body_bytes_held", 18.0);
    assert_eq!(server.embed(&json!({"input": "gin"})).status, 200);
}

#[test]
fn a_body_that_breaks_off_leaves_nothing_behind() {
    let server = Running::new();
    let mut stream = server.connect();
    write!(stream, "{HEAD}content-length: 100\r\n\r\n{{\"input\":").unwrap();
    server.wait_for("limbeck_body_bytes_held", 9.0);
    stream.shutdown(Shutdown::Both).unwrap();
    server.wait_for("limbeck_body_bytes_held", 0.0);
    assert_eq!(server.metric("limbeck_requests_in_flight"), 0.0);
}

#[test]
fn a_client_that_leaves_gives_its_place_back_and_its_texts_are_not_encoded() {
    let engine = Arc::new(Gated::default());
    let server = Running::of(engine.clone(), Limits::default(), None);
    let ask = |input: &str| {
        let (mut stream, body) = (server.connect(), json!({"input": input}).to_string());
        write!(stream, "{HEAD}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        stream
    };
    let first = ask("is being encoded");
    engine.wait_for_call();
    let second = ask("waits");
    server.wait_for("limbeck_texts_held", 2.0);
    drop((first, second));
    server.wait_for("limbeck_connections", 1.0);
    assert_eq!(server.metric("limbeck_requests_in_flight"), 2.0, "the queue is bounded too");
    engine.open();
    server.wait_for("limbeck_requests_abandoned_total", 1.0);
    server.wait_for("limbeck_texts_held", 0.0);
    assert_eq!(server.metric("limbeck_texts_total"), 1.0);
}

#[test]
fn a_client_that_does_not_take_its_answer_is_let_go() {
    let server = Running::limited(Limits { texts: 100_000, ..impatient() });
    let (mut stream, body) = (server.connect(), json!({"input": vec!["gin tonic"; 100_000]}).to_string());
    write!(stream, "{HEAD}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    server.wait_for("limbeck_texts_total", 100_000.0);
    server.wait_for("limbeck_texts_held", 0.0);
    let mut answer = Vec::new();
    // The connection ends in the middle of the answer.
    let _ = stream.read_to_end(&mut answer);
    let head = String::from_utf8_lossy(&answer[..200]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert!(answer.len() < length.parse::<usize>().unwrap());
}

#[test]
fn requests_one_after_another_share_a_connection() {
    let server = Running::new();
    let mut stream = server.connect();
    let body = r#"{"input": "gin"}"#;
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..3 {
        write!(stream, "{HEAD}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut length = 0;
        for line in lines.by_ref().lines() {
            let line = line.unwrap().to_ascii_lowercase();
            if let Some(found) = line.strip_prefix("content-length: ") {
                length = found.parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        lines.read_exact(&mut answer).unwrap();
        assert!(answer.starts_with(b"{\"object\":\"list\""));
    }
}

#[test]
fn many_clients_at_once_each_get_their_own_vectors() {
    let server = Running::new();
    let words = ["gin", "tonic", "lime", "ice", "salt"];
    let expected = crate::support::student().encode(&words).unwrap();
    thread::scope(|scope| {
        for client in 0..16 {
            let (server, expected) = (&server, &expected);
            scope.spawn(move || {
                for round in 0..20 {
                    let at = (client + round) % words.len();
                    assert_eq!(server.embed(&json!({"input": words[at]})).vectors(), [expected.row(at)]);
                }
            });
        }
    });
    assert_eq!(server.metric("limbeck_texts_total"), 320.0);
}
