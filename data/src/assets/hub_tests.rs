//! Tests with a small HTTP server, which speaks as much of the hub's protocol as the client needs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::super::{AssetStore, Uri};
use crate::error::{Error, Result};
use crate::files::sha256_bytes;

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The behaviour of the server, which tests change while it runs.
#[derive(Default)]
struct Script {
    files: BTreeMap<&'static str, Vec<u8>>,
    /// The path of each request, and the range asked for.
    requests: Vec<(String, String)>,
    /// Files whose next answers break off, each after so many bytes.
    drops: BTreeMap<&'static str, Vec<usize>>,
    /// Files of which other bytes are sent than announced.
    lies: Vec<&'static str>,
    /// Answers everything with this status.
    refuses: Option<u16>,
    /// Whether there are files but no lists.
    unlisted: bool,
}

struct TestHub {
    script: Arc<Mutex<Script>>,
    endpoint: String,
    room: tempfile::TempDir,
}

impl TestHub {
    /// A server of a model with a few files, one of them large, and an empty store.
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let script = Arc::new(Mutex::new(Script::default()));
        let weights: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
        script.lock().unwrap().files = BTreeMap::from([
            ("config.json", b"{}".to_vec()),
            ("tokenizer.json", b"{\"version\": 1}".to_vec()),
            ("model.safetensors", weights),
            ("1_Pooling/config.json", b"{\"pooling\": 1}".to_vec()),
            ("pytorch_model.bin", b"not wanted".to_vec()),
        ]);
        let (shared, host) = (script.clone(), address.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, host) = (shared.clone(), host.clone());
                thread::spawn(move || answer(stream, &script, &host));
            }
        });
        Self { script, endpoint: format!("http://{address}"), room: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> AssetStore {
        self.store_at(&self.endpoint)
    }

    fn store_at(&self, endpoint: &str) -> AssetStore {
        let cache = Some(self.room.path().join("hub"));
        let settings = HubSettings { endpoint: Some(endpoint.to_owned()), cache, token: None };
        AssetStore::new(self.room.path().join("store")).with_hub(settings)
    }

    fn fetch(&self, uri: &str) -> Result<super::super::Asset> {
        self.store().fetch(&uri.parse::<Uri>().unwrap(), None, Monitor::silent())
    }

    /// The ranges of a file that were asked for, without requests of the first byte alone, which ask for the size.
    fn ranges(&self, file: &str) -> Vec<String> {
        let script = self.script.lock().unwrap();
        let of =
            |(path, range): &(String, String)| (path.ends_with(file) && range != "bytes=0-0").then(|| range.clone());
        script.requests.iter().filter_map(of).collect()
    }

    fn set<R>(&self, change: impl FnOnce(&mut Script) -> R) {
        change(&mut self.script.lock().unwrap());
    }

    fn blob(&self, file: &str) -> PathBuf {
        let tag = sha256_bytes(&self.script.lock().unwrap().files[file]);
        self.room.path().join("hub/models--owner--name/blobs").join(tag)
    }
}

/// Answers one request and closes the connection.
fn answer(mut stream: TcpStream, script: &Mutex<Script>, host: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(std::io::Result::ok);
    let Some(request) = lines.next() else { return };
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let range = headers.iter().find_map(|line| line.to_lowercase().strip_prefix("range: ").map(str::to_owned));
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut script = script.lock().unwrap();
    script.requests.push((path.clone(), range.clone().unwrap_or_default()));

    let mut head = |status: &str, headers: &str| {
        stream.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").as_bytes()).unwrap();
    };
    if let Some(status) = script.refuses {
        return head(&format!("{status} No"), "Content-Length: 0\r\n");
    }
    if path.starts_with("/api/models/owner/name/revision/") && !script.unlisted {
        let files: Vec<_> = script.files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let body = serde_json::json!({ "sha": COMMIT, "siblings": files }).to_string();
        head("200 OK", &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        let _ = stream.write_all(body.as_bytes());
        return;
    }
    let resolved = path.strip_prefix("/owner/name/resolve/").and_then(|rest| rest.split_once('/'));
    let Some(name) = resolved.map(|(_, name)| name).or(path.strip_prefix("/elsewhere/")) else {
        return head("404 Not Found", "Content-Length: 0\r\n");
    };
    let Some((name, content)) = script.files.get_key_value(name).map(|(name, content)| (*name, content.clone())) else {
        return head("404 Not Found", "Content-Length: 0\r\n");
    };
    let tag = sha256_bytes(&content);
    let known = format!("X-Repo-Commit: {COMMIT}\r\nETag: \"{tag}\"\r\n");
    // Large files lie elsewhere, as on the real hub.
    if name == "model.safetensors" && resolved.is_some() {
        let headers =
            format!("Location: http://{host}/elsewhere/{name}\r\nX-Linked-ETag: \"{tag}\"\r\nContent-Length: 0\r\n");
        return head("302 Found", &(known + &headers));
    }
    let range = range.unwrap_or_else(|| "bytes=0-".into());
    let (first, last) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).unwrap();
    let first: usize = first.parse().unwrap();
    let last = last.parse().unwrap_or(content.len() - 1);
    if first > last {
        return head("416 Range Not Satisfiable", "Content-Length: 0\r\n");
    }
    let mut body = content[first..=last].to_vec();
    let headers =
        format!("Content-Range: bytes {first}-{last}/{}\r\nContent-Length: {}\r\n", content.len(), body.len());
    head("206 Partial Content", &(known + &headers));
    if script.lies.contains(&name) {
        body.iter_mut().for_each(|byte| *byte ^= 1);
    }
    if last > first
        && let Some(bytes) = script.drops.get_mut(name).and_then(Vec::pop)
    {
        body.truncate(bytes);
    }
    let _ = stream.write_all(&body);
}

#[test]
fn a_model_is_fetched_once_and_then_needs_no_network() {
    let hub = TestHub::new();
    let asset = hub.fetch("hf:owner/name").unwrap();
    assert_eq!(fs::read(asset.path.join("1_Pooling/config.json")).unwrap(), b"{\"pooling\": 1}");
    assert_eq!(fs::read(asset.path.join("model.safetensors")).unwrap().len(), 300_000);
    assert!(!asset.path.join("pytorch_model.bin").exists());
    assert!(asset.path.ends_with(COMMIT));
    let asked = hub.script.lock().unwrap().requests.len();
    assert_eq!(hub.fetch("hf:owner/name").unwrap(), asset);
    assert_eq!(hub.script.lock().unwrap().requests.len(), asked);
    // One list, then every file at its commit, even if `main` has moved by then.
    let script = hub.script.lock().unwrap();
    assert!(script.requests.iter().skip(1).all(|(path, _)| path.contains(COMMIT) || path.starts_with("/elsewhere/")));
}

#[test]
fn a_dropped_connection_is_taken_up_where_it_broke_off() {
    let hub = TestHub::new();
    hub.set(|script| script.drops.insert("model.safetensors", vec![100_000]));
    let asset = hub.fetch("hf:owner/name").unwrap();
    let weights = fs::read(asset.path.join("model.safetensors")).unwrap();
    assert_eq!(weights, hub.script.lock().unwrap().files["model.safetensors"]);
    let ranges = hub.ranges("elsewhere/model.safetensors");
    assert_eq!(ranges, ["bytes=0-", "bytes=100000-"]);
}

#[test]
fn a_connection_that_always_breaks_ends_in_an_error_and_the_next_run_goes_on() {
    let hub = TestHub::new();
    hub.set(|script| script.drops.insert("model.safetensors", vec![10_000; 4]));
    let error = hub.fetch("hf:owner/name").unwrap_err();
    assert!(error.to_string().ends_with("the connection broke off again and again"), "{error}");
    hub.fetch("hf:owner/name").unwrap();
    assert_eq!(hub.ranges("elsewhere/model.safetensors").last().unwrap(), "bytes=40000-");
}

#[test]
fn a_download_killed_in_an_earlier_run_is_taken_up_too() {
    let hub = TestHub::new();
    let part = hub.blob("model.safetensors").with_extension("part");
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, &hub.script.lock().unwrap().files["model.safetensors"][..50_000]).unwrap();
    hub.fetch("hf:owner/name").unwrap();
    assert_eq!(hub.ranges("elsewhere/model.safetensors"), ["bytes=50000-"]);
}

#[test]
fn a_part_that_was_whole_when_killed_does_not_stand_in_the_way() {
    let hub = TestHub::new();
    let part = hub.blob("model.safetensors").with_extension("part");
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, &hub.script.lock().unwrap().files["model.safetensors"]).unwrap();
    assert!(hub.fetch("hf:owner/name").is_ok());
}

#[test]
fn bytes_other_than_announced_are_not_kept() {
    let hub = TestHub::new();
    hub.set(|script| script.lies.push("model.safetensors"));
    let error = hub.fetch("hf:owner/name").unwrap_err();
    assert!(error.to_string().starts_with("model.safetensors came as sha256"), "{error}");
    hub.set(|script| script.lies.clear());
    assert!(hub.fetch("hf:owner/name").is_ok());
}

#[test]
fn a_damaged_file_is_fetched_again() {
    let hub = TestHub::new();
    let before = hub.fetch("hf:owner/name").unwrap();
    fs::write(hub.blob("model.safetensors"), "damaged").unwrap();
    assert_eq!(hub.fetch("hf:owner/name").unwrap(), before);
    assert_eq!(fs::read(before.path.join("model.safetensors")).unwrap().len(), 300_000);
}

#[test]
fn one_file_can_be_had_alone() {
    let hub = TestHub::new();
    let asset = hub.fetch("hf:owner/name@v1/1_Pooling/config.json").unwrap();
    assert_eq!(fs::read(&asset.path).unwrap(), b"{\"pooling\": 1}");
    assert_eq!(asset.sha256, sha256_bytes(b"{\"pooling\": 1}"));
    assert!(!asset.path.parent().unwrap().parent().unwrap().join("config.json").exists());
}

#[test]
fn what_the_repository_lacks_is_named_with_what_it_has() {
    let hub = TestHub::new();
    let error = hub.fetch("hf:owner/name/no.json").unwrap_err();
    assert_eq!(error.to_string(), "owner/name has no no.json");
    hub.set(|script| script.files.remove("model.safetensors"));
    let error = hub.fetch("hf:owner/name").unwrap_err();
    assert_eq!(error.to_string(), "owner/name has no model.safetensors");
    assert!(error.hint().unwrap().contains("pytorch_model.bin"));
}

#[test]
fn a_mirror_without_lists_serves_too() {
    let hub = TestHub::new();
    hub.set(|script| script.unlisted = true);
    let asset = hub.fetch("hf:owner/name").unwrap();
    assert!(asset.path.join("1_Pooling/config.json").exists() && asset.path.join("model.safetensors").exists());
    assert_eq!(hub.fetch("hf:owner/other").unwrap_err().to_string(), "owner/other has no config.json");
}

#[test]
fn a_refusal_and_silence_are_told_apart() {
    let hub = TestHub::new();
    hub.set(|script| script.refuses = Some(401));
    let error = hub.fetch("hf:owner/name").unwrap_err();
    assert!(error.to_string().ends_with("it isn't there, or is closed to you"), "{error}");
    assert!(error.hint().unwrap().contains("HF_TOKEN"));

    // A port that nobody listens on.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = hub.store_at(&format!("http://{closed}"));
    let error = silent.fetch(&"hf:owner/name".parse().unwrap(), None, Monitor::silent()).unwrap_err();
    assert!(error.to_string().ends_with("it can't be reached"), "{error}");
    assert!(error.hint().unwrap().contains("HF_ENDPOINT"));
}

#[test]
fn without_a_network_what_the_hubs_own_tools_fetched_serves() {
    let hub = TestHub::new();
    hub.fetch("hf:owner/name@main").unwrap();
    // Those tools leave a branch that points to the commit.
    let refs = hub.room.path().join("hub/models--owner--name/refs");
    fs::write(refs.join("main"), COMMIT).unwrap();
    let settings = HubSettings {
        endpoint: Some("http://127.0.0.1:1".into()),
        cache: Some(hub.room.path().join("hub")),
        token: None,
    };
    let store = AssetStore::new(hub.room.path().join("another store")).with_hub(settings);
    let asset = store.fetch(&"hf:owner/name".parse().unwrap(), None, Monitor::silent()).unwrap();
    assert!(asset.path.join("model.safetensors").exists());
}

#[test]
fn of_several_that_want_the_same_one_fetches_it() {
    let hub = TestHub::new();
    let assets: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| hub.fetch("hf:owner/name").unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(assets.iter().all(|asset| *asset == assets[0]));
    assert_eq!(hub.ranges("elsewhere/model.safetensors"), ["bytes=0-"]);
}

#[test]
fn a_hash_in_the_recipe_is_checked() {
    let hub = TestHub::new();
    let uri: Uri = "hf:owner/name/config.json".parse().unwrap();
    let right = sha256_bytes(b"{}");
    assert!(hub.store().fetch(&uri, Some(&right.to_uppercase()), Monitor::silent()).is_ok());
    let error = hub.store().fetch(&uri, Some("00"), Monitor::silent()).unwrap_err();
    assert_eq!(error.to_string(), format!("hf:owner/name/config.json: the sha256 is {right}, not 00"));
    assert!(matches!(error, Error::Asset(AssetError::Hash { .. })));
}
