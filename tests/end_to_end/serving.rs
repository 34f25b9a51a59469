//! `limbeck serve`, asked by the program's own client for such servers.
#![cfg(all(unix, feature = "serve"))]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use limbeck_data::Monitor;
use limbeck_encoder::Encoder as _;
use limbeck_teacher::api::{ApiEncoding, ApiSettings, ApiTeacher};

use crate::shared::MODELS;
use crate::support::sentences;

const KEY_ENV: &str = "LIMBECK_TEST_SERVE_KEY";
const KEY: &str = "sk-0123456789-serve";

/// A running server; dropped, it is killed.
struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    /// A server of `model` on a free port.
    fn new(model: &str, more: &str) -> Self {
        let line = format!("serve --model {model} --name small --address 127.0.0.1:0 {more}");
        let mut program = MODELS.program(&line);
        program.env(KEY_ENV, KEY).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }

    fn settings(&self) -> ApiSettings {
        let (url, key_env) = (self.url.clone(), None);
        ApiSettings { url, model: "small".into(), key_env, batch: 16, concurrency: 3, ..ApiSettings::default() }
    }

    /// Sends a signal and waits for the end: the exit code, and what stood on standard error.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code(), stderr)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn teacher(settings: ApiSettings) -> ApiTeacher {
    ApiTeacher::open(settings, None, Monitor::silent()).unwrap()
}

/// The vectors that the command gives for all texts, and those of the API teacher that asks the server are the same to
/// 1e-6.
#[track_caller]
fn assert_same_vectors(model: &str, settings: ApiSettings) -> ApiTeacher {
    let expected = MODELS.succeed(&format!("encode --model {model} --input text.txt")).vectors();
    let (texts, teacher) = (sentences(expected.len()), teacher(settings));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = teacher.encode(&texts).unwrap();
    for (row, expected) in vectors.iter().zip(&expected) {
        let off = row.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(row.len() == expected.len() && off < 1e-6, "{row:?} is not {expected:?}");
    }
    teacher
}

#[test]
fn the_api_teacher_gets_the_vectors_of_a_student_and_of_a_teacher_in_either_encoding() {
    for model in ["out/s.limbeck", "static", "teacher"] {
        let server = Serving::new(model, "");
        for encoding in [ApiEncoding::Base64, ApiEncoding::Float] {
            let teacher = assert_same_vectors(model, ApiSettings { encoding, ..server.settings() });
            assert_eq!(teacher.spent().estimated, 0, "the server counts all tokens");
        }
    }
}

#[test]
fn the_api_teacher_halves_requests_that_hold_more_texts_than_the_server_takes() {
    let server = Serving::new("static", "--max-texts 3");
    assert_same_vectors("static", server.settings());
}

#[test]
fn the_api_teacher_waits_out_a_server_that_takes_one_request_at_a_time() {
    let server = Serving::new("static", "--max-requests 1");
    assert_same_vectors("static", ApiSettings { concurrency: 4, ..server.settings() });
}

#[test]
fn a_key_is_asked_for_and_shown_nowhere() {
    let server = Serving::new("static", &format!("--key-env {KEY_ENV}"));
    let refused = ApiTeacher::open(server.settings(), None, Monitor::silent()).err().unwrap().to_string();
    assert!(refused.contains("401"), "{refused}");
    let command = std::fs::read_to_string(format!("/proc/{}/cmdline", server.child.id())).unwrap_or_default();
    let (_, stderr) = server.end("-TERM");
    assert!(!command.contains(KEY) && !stderr.contains(KEY), "{stderr}");
}

#[test]
fn a_signal_ends_the_service_well() {
    for signal in ["-INT", "-TERM"] {
        let server = Serving::new("static", "");
        teacher(server.settings());
        let (code, stderr) = server.end(signal);
        assert_eq!(code, Some(0), "{stderr}");
    }
}

#[test]
fn what_cannot_be_served_is_an_error_that_says_why() {
    MODELS.refuse("serve --model static --key-file key --key-env KEY");
    MODELS.refuse("serve --model static --max-texts 0");
    MODELS.refuse("serve --model static --prompt query").told(&["--prompt and --prefix are for a teacher"]);
    MODELS.fail("serve --model static --key-file no-such-file").told(&["cannot read the key in no-such-file"]);
    MODELS.fail("serve --model static --key-env LIMBECK_NOT_SET").told(&["LIMBECK_NOT_SET is not set", "hint: a key"]);
    let server = Serving::new("static", "");
    let address = server.url.trim_start_matches("http://").trim_end_matches("/v1");
    let said = format!("error: cannot listen on {address}");
    MODELS.fail(&format!("serve --model static --address {address}")).told(&[&said, "hint: another program"]);
}
