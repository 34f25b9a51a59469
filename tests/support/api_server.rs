//! A small server that speaks OpenAI's `POST /v1/embeddings` on loopback, as well or as badly as a test wants.

#![allow(dead_code, reason = "each test program uses a part of this")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};

/// A request as the server got it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

impl Request {
    /// The texts that it asks vectors for.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = self.body["input"].as_array().into_iter().flatten();
        texts.map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// What the server says.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    /// The vectors of the request's texts, the last first, with the number of their words as usage.
    pub(crate) fn vectors(request: &Request) -> Self {
        let texts = request.texts();
        let data: Vec<Value> = texts
            .iter()
            .enumerate()
            .rev()
            .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": vector(text)}))
            .collect();
        let tokens: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
        Self::json(json!({"object": "list", "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}))
    }

    /// This JSON, with status 200.
    pub(crate) fn json(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.to_string() }
    }

    /// An error as OpenAI writes it.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self { status, headers: Vec::new(), body: json!({"error": {"message": message, "code": null}}).to_string() }
    }

    /// The connection is closed without an answer.
    pub(crate) fn broken() -> Self {
        Self { status: 0, headers: Vec::new(), body: String::new() }
    }

    /// The answer with another status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The answer with one more header.
    pub(crate) fn with(mut self, header: &'static str, value: &str) -> Self {
        self.headers.push((header, value.to_owned()));
        self
    }
}

/// The width of the server's vectors.
pub(crate) const WIDTH: usize = 16;

/// The vector of a text: the sum of one direction for each of its words.
pub(crate) fn vector(text: &str) -> Vec<f32> {
    let mut sum = vec![0.01f32; WIDTH];
    for word in text.split_whitespace() {
        let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        let mut state = word.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
        for value in &mut sum {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *value += (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
        }
    }
    sum
}

/// The server; it runs until the test program ends.
pub(crate) struct ApiServer {
    /// The address up to `/v1`.
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl ApiServer {
    /// A server that gives vectors.
    pub(crate) fn new() -> Self {
        Self::answering(|_, request| Answer::vectors(request))
    }

    /// A server that answers request `n`, from 0, as `answer` says.
    pub(crate) fn answering(answer: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (seen.clone(), answer.clone());
                thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    let number = {
                        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.push(request.clone());
                        seen.len() - 1
                    };
                    write(stream, &answer(number, &request));
                });
            }
        });
        Self { url, requests }
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut authorization, mut length) = (None, 0);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(value.trim().to_owned()),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, authorization, body: serde_json::from_slice(&body).unwrap_or_default() })
}

fn write(mut stream: TcpStream, answer: &Answer) {
    if answer.status == 0 {
        return;
    }
    let headers: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let (status, length) = (answer.status, answer.body.len());
    let head = format!("HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(answer.body.as_bytes()));
}
