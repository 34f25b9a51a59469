//! The end of the service, and what keeps it from starting.

use std::sync::Arc;
use std::thread;

use limbeck_serve::{Error, Limits, Server, Settings};
use serde_json::json;

use crate::support::{Gated, Running, student};

#[test]
fn requests_in_flight_are_answered_before_the_service_ends() {
    let engine = Arc::new(Gated::default());
    let mut server = Running::of(engine.clone(), Limits::default(), None);
    let idle = server.connect();
    let answer = thread::scope(|scope| {
        let asked = scope.spawn(|| server.embed(&json!({"input": "a"})));
        engine.wait_for_call();
        server.stop();
        engine.open();
        asked.join().unwrap()
    });
    assert_eq!(answer.status, 200);
    server.join();
    assert!(std::net::TcpStream::connect(server.address).is_err());
    drop(idle);
}

#[test]
fn an_address_in_use_is_named() {
    let server = Running::new();
    let names = vec!["m".into()];
    let settings = Settings { address: server.address, names, key: None, limits: Limits::default() };
    let error = Server::bind(Arc::new(student()), settings).err().unwrap();
    assert!(matches!(error, Error::Listen { .. }) && error.to_string().contains(&server.address.to_string()));
}
