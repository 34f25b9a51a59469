//! Tests with a small HTTP server.

use std::error::Error as _;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use super::super::{Asset, AssetStore, Uri};
use super::*;
use crate::files::sha256_bytes;

/// A server that gives prepared answers, one a connection, and an empty store.
struct TestServer {
    address: String,
    answers: Arc<Mutex<Vec<Vec<u8>>>>,
    /// The first line and the range of each request.
    seen: Arc<Mutex<Vec<(String, String)>>>,
    room: tempfile::TempDir,
}

impl TestServer {
    fn new(answers: &[&[u8]]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answers: Arc<Mutex<Vec<_>>> = Arc::new(Mutex::new(answers.iter().rev().map(|a| a.to_vec()).collect()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (prepared, requests) = (answers.clone(), seen.clone());
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(std::io::Result::ok);
                let lines: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let range =
                    lines.iter().find_map(|line| line.to_lowercase().strip_prefix("range: ").map(str::to_owned));
                requests.lock().unwrap().push((lines[0].clone(), range.unwrap_or_default()));
                let answer = prepared.lock().unwrap().pop();
                let _ = stream
                    .write_all(&answer.unwrap_or_else(|| b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n".to_vec()));
            }
        });
        Self { address, answers, seen, room: tempfile::tempdir().unwrap() }
    }

    fn fetch(&self, rest: &str, sha256: Option<&str>) -> Result<Asset> {
        let uri: Uri = format!("{}{rest}", self.address).parse().unwrap();
        AssetStore::new(self.room.path().join("store")).fetch(&uri, sha256, Monitor::silent())
    }

    fn asked(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

const LINES: &[u8] = b"{\"text\": \"one\"}\n";

fn whole(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).as_bytes(), body]
        .concat()
}

#[test]
fn a_file_with_its_sha256_is_fetched_once_and_lies_by_its_hash() {
    let hash = sha256_bytes(LINES);
    let server = TestServer::new(&[&whole(LINES)]);
    let asset = server.fetch(&format!("/data/x.jsonl?v=1#sha256={}", hash.to_uppercase()), None).unwrap();
    assert_eq!(fs::read(&asset.path).unwrap(), LINES);
    assert!(asset.path.ends_with(format!("objects/{hash}/x.jsonl")), "{}", asset.path.display());
    // The recipe's key does as well as the fragment.
    let by_key = server.fetch("/data/x.jsonl?v=1", Some(&hash)).unwrap();
    assert_eq!((by_key.path, by_key.sha256), (asset.path, hash));
    assert_eq!(server.asked(), 1);
    assert_eq!(server.seen.lock().unwrap()[0].0, "GET /data/x.jsonl?v=1 HTTP/1.1");
}

#[test]
fn a_file_without_a_sha256_is_refused_before_anything_is_asked() {
    let server = TestServer::new(&[]);
    let error = server.fetch("/x.jsonl", None).unwrap_err();
    assert_eq!(error.to_string(), format!("{}/x.jsonl: an https: source needs its sha256", server.address));
    assert!(error.hint().unwrap().contains(&format!("curl -L {}/x.jsonl | sha256sum", server.address)));
    assert_eq!(server.asked(), 0);
}

#[test]
fn other_bytes_are_an_error_that_names_both_hashes() {
    let server = TestServer::new(&[&whole(b"other")]);
    let (wanted, found) = (sha256_bytes(LINES), sha256_bytes(b"other"));
    let error = server.fetch("/x.jsonl", Some(&wanted)).unwrap_err();
    let expected = format!("{}/x.jsonl: the sha256 is {found}, not {wanted}", server.address);
    assert_eq!(error.to_string(), expected);
    let two = server.fetch(&format!("/x.jsonl#sha256={wanted}"), Some(&found)).unwrap_err();
    assert!(two.to_string().ends_with(&format!("is {wanted}, not {found}")), "{two}");
}

#[test]
fn a_broken_connection_is_taken_up_where_the_server_can_and_begun_anew_where_not() {
    let hash = sha256_bytes(LINES);
    let (head, tail) = LINES.split_at(5);
    let broken = [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", LINES.len()).as_bytes(), head].concat();
    let range = format!("Content-Range: bytes 5-{}/{}\r\nContent-Length: {}", LINES.len() - 1, LINES.len(), tail.len());
    let rest = [format!("HTTP/1.1 206 Part\r\n{range}\r\n\r\n").as_bytes(), tail].concat();
    for second in [rest, whole(LINES)] {
        let server = TestServer::new(&[&broken, &second]);
        let asset = server.fetch("/x.jsonl", Some(&hash)).unwrap();
        assert_eq!(fs::read(asset.path).unwrap(), LINES);
        assert_eq!(server.seen.lock().unwrap()[1].1, "bytes=5-");
    }
}

#[test]
fn a_redirect_is_followed_but_not_to_another_machine_by_http() {
    let hash = sha256_bytes(LINES);
    let moved = |to: &str| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes();
    let server = TestServer::new(&[&moved("../y.jsonl"), &whole(LINES)]);
    // The file keeps the name that it was asked for by.
    let asset = server.fetch("/a/x.jsonl", Some(&hash)).unwrap();
    assert!(asset.path.ends_with("x.jsonl"));
    let server = TestServer::new(&[&moved("http://example.org/x.jsonl")]);
    let error = server.fetch("/x.jsonl", Some(&hash)).unwrap_err();
    let source = error.source().unwrap().to_string();
    assert_eq!(source, "a redirect leads to http://example.org/x.jsonl, which isn't safe");
}

#[test]
fn what_is_not_there_is_told_with_the_status() {
    let server = TestServer::new(&[]);
    let error = server.fetch("/x.jsonl", Some(&sha256_bytes(LINES))).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot fetch {}/x.jsonl", server.address));
    assert_eq!(error.source().unwrap().to_string(), "the answer is HTTP status 404");
    assert_eq!(error.hint().unwrap(), "check the address");
    assert!(server.answers.lock().unwrap().is_empty());
}

#[test]
fn a_name_that_is_no_plain_file_name_is_replaced() {
    assert_eq!(file_name("https://a.org/b/c.tsv.gz?x=/d"), "c.tsv.gz");
    assert_eq!(file_name("https://a.org/b/..?x"), "file");
    assert_eq!(file_name("https://a.org/.bashrc"), "file");
    assert_eq!(file_name("https://a.org/b;c"), "file");
}

#[test]
fn sets_may_be_named_by_paths_and_addresses_together() {
    let hash = sha256_bytes(LINES);
    let server = TestServer::new(&[&whole(LINES)]);
    let store = AssetStore::new(server.room.path().join("store"));
    let names = ["no/such.tsv".into(), format!("{}/x.jsonl#sha256={hash}", server.address).into()];
    let found = store.locate_all(&names, Monitor::silent()).unwrap();
    assert_eq!(found[0], Path::new("no/such.tsv"));
    assert_eq!(fs::read(&found[1]).unwrap(), LINES);
    assert!(store.locate_all(&["ftp://a/b".into()], Monitor::silent()).is_err());
}
