//! A server in this process, and clients of its own making.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use limbeck_encoder::folded::{Parts, write};
use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, Precision, Student};
use limbeck_serve::{Host, Key, Limits, Server, Settings};
use serde_json::Value;

/// The words of the student, by their token ids.
pub(crate) const WORDS: [&str; 6] = ["[UNK]", "gin", "tonic", "lime", "ice", "salt"];
/// The width of its vectors.
pub(crate) const WIDTH: usize = 4;

/// A static student of [`WORDS`].
pub(crate) fn student() -> Student {
    let vocabulary: serde_json::Map<_, _> =
        WORDS.iter().enumerate().map(|(id, word)| (word.to_string(), id.into())).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
    });
    let rows = WORDS.len() + 1;
    let table = (0..rows * WIDTH).map(|at| ((at * 7919) % 31) as f32 / 31.0 - 0.4).collect();
    let parts = Parts {
        vocabulary: rows,
        dimension: WIDTH,
        skip_table: Some(table),
        tokenizer: tokenizer.to_string().into(),
        empty_token: WORDS.len() as u32,
        ..Parts::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("student.limbeck");
    write(&path, &parts, Precision::F32).unwrap();
    Student::from_bytes(&std::fs::read(&path).unwrap()).unwrap()
}

/// An encoder of fixed vectors that waits until it is let go.
#[derive(Default)]
pub(crate) struct Gated {
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Gated {
    /// Lets all calls go, those to come too.
    pub(crate) fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }

    /// Waits until the encoder has been called.
    pub(crate) fn wait_for_call(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |(calls, _)| *calls == 0).unwrap());
    }
}

impl Encoder for Gated {
    fn encode(&self, texts: &[&str]) -> Result<Embeddings, EncodeError> {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |(_, open)| !*open).unwrap());
        Ok(Embeddings::new([0.0, 1.0].repeat(texts.len()), 2))
    }

    fn info(&self) -> EncoderInfo {
        EncoderInfo { dimension: 2, parameters: 0, bytes: 0, engine: "test", precision: "f32", threads: 1 }
    }
}

/// A flag that stops the server.
struct Flag(AtomicBool);

impl Host for Flag {
    fn should_stop(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self, _line: &str) {}
}

/// A server of this process. Dropped, it stops, and the drop waits for its end.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    flag: Arc<Flag>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// A server of the small student, with the default limits and without a key.
    pub(crate) fn new() -> Self {
        Self::of(Arc::new(student()), Limits::default(), None)
    }

    /// A server of the small student with other limits.
    pub(crate) fn limited(limits: Limits) -> Self {
        Self::of(Arc::new(student()), limits, None)
    }

    pub(crate) fn of(encoder: Arc<dyn Encoder>, limits: Limits, key: Option<Key>) -> Self {
        let names = vec!["small".into(), "other/name".into()];
        let settings = Settings { address: ([127, 0, 0, 1], 0).into(), names, key, limits };
        let server = Server::bind(encoder, settings).unwrap();
        let (address, flag) = (server.address().unwrap(), Arc::new(Flag(AtomicBool::new(false))));
        let host = flag.clone();
        let thread = Some(std::thread::spawn(move || server.run(&*host).unwrap()));
        Self { address, flag, thread }
    }

    /// Asks the server to stop.
    pub(crate) fn stop(&self) {
        self.flag.0.store(true, Ordering::Relaxed);
    }

    /// Waits for the server's end.
    pub(crate) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// The answer to a `POST /v1/embeddings` of this JSON.
    pub(crate) fn embed(&self, body: &Value) -> Answer {
        self.post("/v1/embeddings", body.to_string().as_bytes())
    }

    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Answer {
        self.send("POST", path, &["content-type: application/json"], body)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    /// Sends a request with these headers on a connection of its own.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let length = format!("content-length: {}", body.len());
        let headers =
            headers.iter().chain([&length.as_str()]).map(|header| format!("{header}\r\n")).collect::<String>();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n").unwrap();
        // A server that refuses may close before it has read everything.
        let _ = stream.write_all(body);
        Answer::read(stream)
    }

    /// A connection on which nothing was sent.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// The value that `/metrics` tells of `name`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is missing in {text}")).parse().unwrap()
    }

    /// Waits until `/metrics` tells that `name` is `value`.
    pub(crate) fn wait_for(&self, name: &str, value: f64) {
        while self.metric(name) != value {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        if !std::thread::panicking() {
            self.join();
        }
    }
}

/// An answer of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Reads the connection to its end.
    pub(crate) fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The vectors of the answer, which must have been given.
    #[track_caller]
    pub(crate) fn vectors(&self) -> Vec<Vec<f32>> {
        assert_eq!(self.status, 200, "{}", self.body);
        let json = self.json();
        let rows = json["data"].as_array().unwrap().iter();
        let number = |value: &Value| value.as_f64().unwrap() as f32;
        rows.map(|row| row["embedding"].as_array().unwrap().iter().map(number).collect()).collect()
    }

    /// The answer is an error of this status in OpenAI's form; gives its message.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/json"));
        let error = self.json()["error"].take();
        let fields: Vec<&str> = error.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["message", "type", "param", "code"]);
        error["message"].as_str().unwrap().to_owned()
    }
}
