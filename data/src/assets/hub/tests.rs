//! Tests with a small HTTP server, which speaks as much of the hub's protocol as the client needs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::super::{Asset, AssetStore, Uri};
use crate::error::{Error, Result};
use crate::files::sha256_bytes;
use crate::interrupt::Interrupt;
use crate::progress::{Bar, Progress, Silent};

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// One request as the server saw it.
#[derive(Debug, Clone, Default)]
struct Seen {
    method: String,
    path: String,
    /// The bytes asked for.
    range: String,
    /// The header `Authorization`.
    token: String,
}

/// The behaviour of the server, which tests change while it runs.
#[derive(Default)]
struct Script {
    files: BTreeMap<String, Vec<u8>>,
    requests: Vec<Seen>,
    /// Files whose next answers break off, each after so many bytes.
    drops: BTreeMap<&'static str, Vec<usize>>,
    /// Files of which other bytes are sent than announced.
    lies: Vec<&'static str>,
    /// Answers everything with this status.
    refuses: Option<u16>,
    /// Answers so many requests, whose paths contain the text, with a status and headers.
    busy: Vec<(&'static str, &'static str)>,
    /// Whether there are files but no lists.
    unlisted: bool,
    /// Whether HEAD is unknown.
    without_head: bool,
    /// Whether the repository has another name now, which a relative redirect tells.
    renamed: bool,
    /// The server that has the large files; the same one where it is empty.
    elsewhere: String,
}

struct TestHub {
    script: Arc<Mutex<Script>>,
    endpoint: String,
    room: tempfile::TempDir,
}

impl TestHub {
    /// A server of a model with a few files, one of them large, and an empty store.
    fn new() -> Self {
        let weights: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
        let hub = Self::with(&[
            ("config.json", "{}"),
            ("tokenizer.json", "{\"version\": 1}"),
            ("modules.json", r#"[{"idx": 0, "path": ""}, {"idx": 1, "path": "1_Pooling"}]"#),
            ("1_Pooling/config.json", "{\"pooling\": 1}"),
            ("pytorch_model.bin", "not wanted"),
        ]);
        hub.set(|script| script.files.insert("model.safetensors".into(), weights));
        hub
    }

    /// A server of a repository with these files.
    fn with(files: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        let script = Arc::new(Mutex::new(Script { files, ..Script::default() }));
        let (shared, host) = (script.clone(), address.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, host) = (shared.clone(), host.clone());
                thread::spawn(move || answer(stream, &script, &host));
            }
        });
        Self { script, endpoint: format!("http://{address}"), room: tempfile::tempdir().unwrap() }
    }

    fn settings(&self) -> HubSettings {
        let cache = Some(self.room.path().join("hub"));
        HubSettings { endpoint: Some(self.endpoint.clone()), cache, ..HubSettings::default() }
    }

    fn store(&self) -> AssetStore {
        self.store_with(self.settings())
    }

    fn store_at(&self, endpoint: &str) -> AssetStore {
        self.store_with(HubSettings { endpoint: Some(endpoint.to_owned()), ..self.settings() })
    }

    fn store_with(&self, settings: HubSettings) -> AssetStore {
        AssetStore::new(self.room.path().join("store")).with_hub(settings)
    }

    /// A store that has nothing yet and does not ask the hub.
    fn offline(&self) -> AssetStore {
        let settings = HubSettings { offline: true, ..self.settings() };
        AssetStore::new(self.room.path().join("offline store")).with_hub(settings)
    }

    fn fetch(&self, uri: &str) -> Result<Asset> {
        fetch(&self.store(), uri)
    }

    /// The ranges of a file that were asked for; an empty one is the whole file.
    fn ranges(&self, file: &str) -> Vec<String> {
        let script = self.script.lock().unwrap();
        let of = |seen: &Seen| (seen.path.ends_with(file) && seen.method == "GET").then(|| seen.range.clone());
        script.requests.iter().filter_map(of).collect()
    }

    fn asked(&self) -> usize {
        self.script.lock().unwrap().requests.len()
    }

    fn set<R>(&self, change: impl FnOnce(&mut Script) -> R) {
        change(&mut self.script.lock().unwrap());
    }

    fn blob(&self, file: &str) -> PathBuf {
        let tag = sha256_bytes(&self.script.lock().unwrap().files[file]);
        self.room.path().join("hub/models--owner--name/blobs").join(tag)
    }

    fn part(&self, file: &str) -> PathBuf {
        self.blob(file).with_extension("incomplete")
    }
}

fn fetch(store: &AssetStore, uri: &str) -> Result<Asset> {
    store.fetch(&uri.parse::<Uri>().unwrap(), None, Monitor::silent())
}

/// The names of the files below a folder, sorted.
fn names(folder: &std::path::Path) -> Vec<String> {
    let files = crate::files::visible_files(folder).map(std::result::Result::unwrap);
    files.map(|file| file.strip_prefix(folder).unwrap().display().to_string()).collect()
}

/// Records the notes.
#[derive(Default)]
struct RecordedNotes(Mutex<Vec<String>>);

impl RecordedNotes {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Progress for RecordedNotes {
    fn stage(&self, _what: &str, _total: Option<u64>, _unit: &str) -> Box<dyn Bar + '_> {
        Box::new(Silent)
    }

    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

/// Answers one request and closes the connection.
fn answer(mut stream: TcpStream, script: &Mutex<Script>, host: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(std::io::Result::ok);
    let Some(request) = lines.next() else { return };
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let of = |line: &String| line.to_lowercase().starts_with(name).then(|| line[name.len()..].trim().to_owned());
        headers.iter().find_map(of).unwrap_or_default()
    };
    let mut words = request.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let range = header("range:");
    let seen =
        Seen { method: method.clone(), path: path.clone(), range: range.clone(), token: header("authorization:") };
    let mut script = script.lock().unwrap();
    script.requests.push(seen);
    let is_head = method == "HEAD";

    let mut head = |status: &str, headers: &str| {
        stream.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").as_bytes()).unwrap();
    };
    if let Some(status) = script.refuses {
        return head(&format!("{status} No"), "Content-Length: 0\r\n");
    }
    if let Some(at) = script.busy.iter().position(|(part, _)| path.contains(part)) {
        let (_, answer) = script.busy.remove(at);
        let (status, pause) = answer.split_once('\n').unwrap_or((answer, ""));
        return head(status, format!("{pause}\r\nContent-Length: 0\r\n").trim_start());
    }
    if is_head && script.without_head {
        return head("501 Unknown", "Content-Length: 0\r\n");
    }
    let (path, kind) = match path.replace("/datasets/", "/") {
        plain if plain == path => (path.clone(), "/api/models/"),
        plain => (plain, "/api/"),
    };
    if path.starts_with(&format!("{kind}owner/name/revision/")) && !script.unlisted {
        let files: Vec<_> = script.files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let body = serde_json::json!({ "sha": COMMIT, "siblings": files }).to_string();
        head("200 OK", &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        let _ = stream.write_all(body.as_bytes());
        return;
    }
    if script.renamed && path.starts_with("/owner/name/resolve/") {
        let location = path.replace("/owner/name/", "/owner/new/");
        return head("307 Moved", &format!("Location: {location}\r\nContent-Length: 0\r\n"));
    }
    let resolved = path.strip_prefix("/owner/name/resolve/").or(path.strip_prefix("/owner/new/resolve/"));
    let resolved = resolved.and_then(|rest| rest.split_once('/'));
    let Some(name) = resolved.map(|(_, name)| name).or(path.strip_prefix("/elsewhere/")) else {
        return head("404 Not Found", "Content-Length: 0\r\n");
    };
    let Some(content) = script.files.get(name).cloned() else {
        return head("404 Not Found", "Content-Length: 0\r\n");
    };
    let tag = sha256_bytes(&content);
    let known = format!("X-Repo-Commit: {COMMIT}\r\nETag: \"{tag}\"\r\n");
    // Large files lie elsewhere, as on the real hub.
    if name == "model.safetensors" && resolved.is_some() {
        let server = if script.elsewhere.is_empty() { format!("http://{host}") } else { script.elsewhere.clone() };
        let headers =
            format!("Location: {server}/elsewhere/{name}\r\nX-Linked-ETag: \"{tag}\"\r\nContent-Length: 0\r\n");
        return head("302 Found", &(known + &headers));
    }
    let (range, known) = (range.as_str(), known.as_str());
    send_file(stream, &mut script, (name, &content), (known, range, is_head));
}

/// Sends a file, or the part of it that the range says, after the headers `known`.
fn send_file(
    mut stream: TcpStream,
    script: &mut Script,
    (name, content): (&str, &[u8]),
    (known, range, is_head): (&str, &str, bool),
) {
    let mut head = |status: &str, headers: &str| {
        stream.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").as_bytes()).unwrap();
    };
    let total = content.len();
    let (first, last) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
    let (first, last) = (first.parse().unwrap(), last.parse().unwrap_or(total.saturating_sub(1)));
    if !range.is_empty() && first > last {
        return head("416 Range Not Satisfiable", "Content-Length: 0\r\n");
    }
    let mut body = if total == 0 { Vec::new() } else { content[first..=last].to_vec() };
    let mut headers = format!("Content-Length: {}\r\n", body.len());
    if range.is_empty() {
        head("200 OK", &format!("{known}{headers}"));
    } else {
        headers += &format!("Content-Range: bytes {first}-{last}/{total}\r\n");
        head("206 Partial Content", &format!("{known}{headers}"));
    }
    if is_head {
        return;
    }
    if script.lies.contains(&name) {
        body.iter_mut().for_each(|byte| *byte ^= 1);
    }
    if let Some(bytes) = script.drops.get_mut(name).and_then(Vec::pop) {
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
    let asked = hub.asked();
    assert_eq!(hub.fetch("hf:owner/name").unwrap(), asset);
    assert_eq!(hub.asked(), asked);
    // One list, then every file at its commit, even if `main` has moved by then.
    let script = hub.script.lock().unwrap();
    assert!(
        script.requests.iter().skip(1).all(|seen| seen.path.contains(COMMIT) || seen.path.starts_with("/elsewhere/"))
    );
}

#[test]
fn a_dropped_connection_is_taken_up_where_it_broke_off() {
    let hub = TestHub::new();
    hub.set(|script| script.drops.insert("model.safetensors", vec![100_000]));
    let asset = hub.fetch("hf:owner/name").unwrap();
    let weights = fs::read(asset.path.join("model.safetensors")).unwrap();
    assert_eq!(weights, hub.script.lock().unwrap().files["model.safetensors"]);
    let ranges = hub.ranges("elsewhere/model.safetensors");
    assert_eq!(ranges, ["", "bytes=100000-"]);
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
    let part = hub.part("model.safetensors");
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, &hub.script.lock().unwrap().files["model.safetensors"][..50_000]).unwrap();
    hub.fetch("hf:owner/name").unwrap();
    assert_eq!(hub.ranges("elsewhere/model.safetensors"), ["bytes=50000-"]);
}

#[test]
fn a_part_that_was_whole_when_killed_does_not_stand_in_the_way() {
    let hub = TestHub::new();
    let part = hub.part("model.safetensors");
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
    assert_eq!(error.to_string(), "owner/name has neither model.safetensors nor model.onnx");
    assert!(error.hint().unwrap().contains("pytorch_model.bin"));
}

#[test]
fn a_mirror_without_lists_serves_too() {
    let hub = TestHub::new();
    hub.set(|script| script.unlisted = true);
    let asset = hub.fetch("hf:owner/name").unwrap();
    assert!(asset.path.join("1_Pooling/config.json").exists() && asset.path.join("model.safetensors").exists());
    assert_eq!(
        hub.fetch("hf:owner/other").unwrap_err().to_string(),
        "owner/other has neither model.safetensors nor model.onnx"
    );
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
fn of_several_that_want_the_same_one_fetches_it() {
    let hub = TestHub::new();
    let assets: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| hub.fetch("hf:owner/name").unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(assets.iter().all(|asset| *asset == assets[0]));
    assert_eq!(hub.ranges("elsewhere/model.safetensors"), [""]);
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

/// `modules.json` with these paths and types.
fn modules(modules: &[(&str, &str)]) -> String {
    let module = |(path, kind): &(&str, &str)| serde_json::json!({ "path": path, "type": format!("st.models.{kind}") });
    serde_json::Value::from(modules.iter().map(module).collect::<Vec<_>>()).to_string()
}

#[test]
fn the_folders_that_modules_json_names_are_fetched_whatever_their_names() {
    let list =
        modules(&[("", "Transformer"), ("pool", "Pooling"), ("./2_Dense", "Dense"), ("3_Normalize", "Normalize")]);
    let hub = TestHub::with(&[
        ("config.json", "{}"),
        ("model.safetensors", "weights"),
        ("vocab.txt", "[UNK]"),
        ("special_tokens_map.json", "{}"),
        ("sentence_roberta_config.json", "{}"),
        ("modules.json", &list),
        ("pool/config.json", "{}"),
        ("2_Dense/config.json", "{}"),
        ("2_Dense/model.safetensors", "dense"),
        ("2_Dense/pytorch_model.bin", "not wanted"),
        ("4_Other/config.json", "not wanted"),
        ("onnx/model.onnx", "not wanted"),
        ("README.md", "not wanted"),
    ]);
    let fetched = names(&hub.fetch("hf:owner/name").unwrap().path);
    let expected = [
        "2_Dense/config.json",
        "2_Dense/model.safetensors",
        "config.json",
        "model.safetensors",
        "modules.json",
        "pool/config.json",
        "sentence_roberta_config.json",
        "special_tokens_map.json",
        "vocab.txt",
    ];
    assert_eq!(fetched, expected);
}

#[test]
fn weights_in_the_first_modules_folder_are_enough() {
    let list = modules(&[("0_StaticEmbedding", "StaticEmbedding"), ("1_Normalize", "Normalize")]);
    let hub = TestHub::with(&[
        ("modules.json", &list),
        ("0_StaticEmbedding/model.safetensors", "vectors"),
        ("0_StaticEmbedding/tokenizer.json", "{}"),
    ]);
    let fetched = names(&hub.fetch("hf:owner/name").unwrap().path);
    assert_eq!(fetched, ["0_StaticEmbedding/model.safetensors", "0_StaticEmbedding/tokenizer.json", "modules.json"]);
}

#[test]
fn the_weights_of_a_later_module_are_not_taken_for_the_models() {
    let list = modules(&[("", "Transformer"), ("2_Dense", "Dense")]);
    let hub = TestHub::with(&[
        ("config.json", "{}"),
        ("modules.json", &list),
        ("pytorch_model.bin", "pickle"),
        ("2_Dense/model.safetensors", "dense"),
    ]);
    let error = hub.fetch("hf:owner/name").unwrap_err();
    assert_eq!(error.to_string(), "owner/name has neither model.safetensors nor model.onnx");
}

#[test]
fn all_the_shards_that_an_index_names_are_fetched() {
    let index = r#"{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors",
                                   "c": "model-1-of-2.safetensors"}}"#;
    let hub = TestHub::with(&[
        ("config.json", "{}"),
        ("model.safetensors.index.json", index),
        ("model-1-of-2.safetensors", "one"),
        ("model-2-of-2.safetensors", "two"),
        ("other.safetensors", "not wanted"),
    ]);
    let fetched = names(&hub.fetch("hf:owner/name").unwrap().path);
    let shards = ["model-1-of-2.safetensors", "model-2-of-2.safetensors", "model.safetensors.index.json"];
    assert_eq!(fetched[1..], shards);
    hub.set(|script| script.files.remove("model-2-of-2.safetensors"));
    fs::remove_dir_all(hub.room.path().join("hub")).unwrap();
    let error = hub.fetch("hf:owner/name").unwrap_err();
    assert_eq!(error.to_string(), "owner/name has no model-2-of-2.safetensors");
}

#[test]
fn a_list_that_leads_out_of_the_repository_is_refused() {
    for path in ["../../x", "/etc", "a/../../b", "..", "C:\\x"] {
        let hub = TestHub::with(&[("modules.json", &modules(&[(path, "Pooling")])), ("model.safetensors", "")]);
        let error = hub.fetch("hf:owner/name").unwrap_err();
        assert!(matches!(&error, Error::Asset(AssetError::UnsafeName { name, .. }) if name == path), "{error}");
    }
    let index = r#"{"weight_map": {"a": "../../../.ssh/key"}}"#;
    let hub = TestHub::with(&[("model.safetensors.index.json", index)]);
    let error = hub.fetch("hf:owner/name").unwrap_err();
    let expected =
        "owner/name: model.safetensors.index.json names `../../../.ssh/key`, which is no path within its folder";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_repository_without_safetensors_brings_its_onnx_file_and_the_data_beside_it() {
    let hub = TestHub::with(&[
        ("config.json", "{}"),
        ("onnx/model.onnx", "graph"),
        ("onnx/model.onnx_data", "weights"),
        ("onnx/model.onnx_data_1", "more weights"),
        ("onnx/model_fp16.onnx", "not wanted"),
    ]);
    let fetched = names(&hub.fetch("hf:owner/name").unwrap().path);
    assert_eq!(fetched, ["config.json", "onnx/model.onnx", "onnx/model.onnx_data", "onnx/model.onnx_data_1"]);
}

#[test]
fn a_repository_with_other_onnx_files_only_names_one_of_them() {
    let hub = TestHub::with(&[("config.json", "{}"), ("onnx/model_quantized.onnx", "graph")]);
    let error = hub.fetch("hf:owner/name").unwrap_err();
    assert_eq!(error.hint().unwrap(), "name one of its ONNX files, as in hf:owner/name/onnx/model_quantized.onnx");
}

#[test]
fn an_onnx_file_brings_its_data_its_tokenizer_and_its_modules() {
    let list = modules(&[("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense")]);
    let hub = TestHub::with(&[
        ("config.json", "{}"),
        ("tokenizer.json", "{}"),
        ("tokenizer_config.json", "{}"),
        ("sentence_bert_config.json", "{}"),
        ("config_sentence_transformers.json", "{}"),
        ("modules.json", &list),
        ("1_Pooling/config.json", "{}"),
        ("2_Dense/config.json", "{}"),
        ("2_Dense/model.safetensors", "dense"),
        ("model.safetensors", "not wanted"),
        ("onnx/config.json", "{\"beside\": 1}"),
        ("onnx/model.onnx", "not wanted"),
        ("onnx/model_quantized.onnx", "graph"),
        ("onnx/model_quantized.onnx.data", "weights"),
    ]);
    let asset = hub.fetch("hf:owner/name/onnx/model_quantized.onnx").unwrap();
    assert_eq!(fs::read(&asset.path).unwrap(), b"graph");
    assert_eq!(asset.sha256, sha256_bytes(b"graph"));
    let folder = asset.path.parent().unwrap().parent().unwrap();
    let mut fetched = names(folder);
    fetched.retain(|name| !name.starts_with("onnx/"));
    assert_eq!(fetched[..2], ["1_Pooling/config.json", "2_Dense/config.json"]);
    // The layer's weights, but not the network's: the ONNX file is the network.
    assert!(fetched.contains(&"2_Dense/model.safetensors".to_owned()));
    assert!(!names(folder).contains(&"onnx/model.onnx".to_owned()));
    let small = ["config.json", "config_sentence_transformers.json", "modules.json", "sentence_bert_config.json"];
    assert_eq!(fetched[3..7], small);
    assert_eq!(names(&folder.join("onnx")), ["config.json", "model_quantized.onnx", "model_quantized.onnx.data"]);
    // What it brings is looked after too.
    fs::remove_file(folder.join("tokenizer.json")).unwrap();
    assert_eq!(hub.fetch("hf:owner/name/onnx/model_quantized.onnx").unwrap(), asset);
    assert!(folder.join("tokenizer.json").exists());
}

#[test]
fn a_hub_that_moves_a_repository_or_knows_no_head_serves_too() {
    let hub = TestHub::new();
    hub.set(|script| (script.renamed, script.without_head) = (true, true));
    let asset = hub.fetch("hf:owner/name").unwrap();
    assert_eq!(fs::read(asset.path.join("model.safetensors")).unwrap().len(), 300_000);
    // The first byte, which tells the size, and then the file.
    assert_eq!(hub.ranges("new/resolve/0123456789abcdef0123456789abcdef01234567/config.json"), ["bytes=0-0", ""]);
}

#[test]
fn the_token_goes_to_the_hub_and_to_no_other_server() {
    let (hub, other) = (TestHub::new(), TestHub::new());
    hub.set(|script| script.elsewhere = other.endpoint.clone());
    let store = hub.store_with(HubSettings { token: Some("secret".into()), ..hub.settings() });
    let asset = fetch(&store, "hf:owner/name").unwrap();
    assert_eq!(fs::read(asset.path.join("model.safetensors")).unwrap().len(), 300_000);
    let tokens = |hub: &TestHub| hub.script.lock().unwrap().requests.iter().map(|seen| seen.token.clone()).collect();
    let (own, others): (Vec<String>, Vec<String>) = (tokens(&hub), tokens(&other));
    assert!(own.len() > 3 && own.iter().all(|token| token == "Bearer secret"), "{own:?}");
    assert_eq!(others, [""]);
}

#[test]
fn the_files_lie_where_the_hubs_own_tools_look_for_them() {
    let hub = TestHub::new();
    hub.fetch("hf:owner/name").unwrap();
    let repository = hub.room.path().join("hub/models--owner--name");
    assert_eq!(fs::read_to_string(repository.join("refs/main")).unwrap(), COMMIT);
    let file = repository.join("snapshots").join(COMMIT).join("1_Pooling/config.json");
    let blob = repository.join("blobs").join(sha256_bytes(b"{\"pooling\": 1}"));
    assert_eq!(fs::canonicalize(&file).unwrap(), fs::canonicalize(blob).unwrap());
    if cfg!(unix) {
        let link = fs::read_link(file).unwrap();
        assert!(link.starts_with("../../../blobs"), "{}", link.display());
    }
}

#[test]
fn an_empty_file_is_a_file() {
    let hub = TestHub::with(&[("model.safetensors", ""), ("vocab.txt", "")]);
    let asset = hub.fetch("hf:owner/name").unwrap();
    assert_eq!(fs::read(asset.path.join("vocab.txt")).unwrap(), b"");
}

#[test]
fn offline_nothing_is_asked_and_what_was_fetched_serves() {
    let hub = TestHub::new();
    let online = hub.fetch("hf:owner/name").unwrap();
    let asked = hub.asked();
    let notes = RecordedNotes::default();
    let uri = "hf:owner/name".parse().unwrap();
    let asset = hub.offline().fetch(&uri, None, Monitor::new(&notes, &Interrupt::new())).unwrap();
    assert_eq!(asset, online);
    assert_eq!(hub.asked(), asked);
    assert!(notes.all()[0].starts_with("owner/name: HF_HUB_OFFLINE is set; 5 files that were fetched before serve"));
}

#[test]
fn offline_what_is_not_whole_is_an_error_that_names_what_is_missing() {
    let hub = TestHub::new();
    let error = fetch(&hub.offline(), "hf:owner/name").unwrap_err();
    assert!(error.to_string().starts_with("owner/name isn't whole in "), "{error}");
    assert!(error.to_string().ends_with("HF_HUB_OFFLINE forbids to fetch it: revision main is missing"), "{error}");
    assert!(error.hint().unwrap().starts_with("unset HF_HUB_OFFLINE"));
    hub.fetch("hf:owner/name/config.json").unwrap();
    let error = fetch(&hub.offline(), "hf:owner/name").unwrap_err();
    assert!(error.to_string().ends_with("model.safetensors is missing"), "{error}");
    // A module whose settings were never fetched would be computed wrongly.
    let folder = hub.fetch("hf:owner/name").unwrap().path;
    fs::remove_file(folder.join("1_Pooling/config.json")).unwrap();
    let error = fetch(&hub.offline(), "hf:owner/name").unwrap_err();
    assert!(error.to_string().ends_with("1_Pooling/config.json is missing"), "{error}");
}

#[test]
fn offline_a_model_without_modules_json_is_told() {
    let hub = TestHub::with(&[("config.json", "{}"), ("model.safetensors", "weights")]);
    hub.fetch("hf:owner/name").unwrap();
    let notes = RecordedNotes::default();
    let uri = "hf:owner/name".parse().unwrap();
    hub.offline().fetch(&uri, None, Monitor::new(&notes, &Interrupt::new())).unwrap();
    assert!(notes.all()[0].ends_with("there is no modules.json, which would say how to pool"), "{:?}", notes.all());
}

#[test]
fn without_a_network_what_was_fetched_serves() {
    let hub = TestHub::new();
    hub.fetch("hf:owner/name@main").unwrap();
    let settings = HubSettings { endpoint: Some("http://127.0.0.1:1".into()), ..hub.settings() };
    let store = AssetStore::new(hub.room.path().join("another store")).with_hub(settings);
    assert!(fetch(&store, "hf:owner/name").unwrap().path.join("model.safetensors").exists());
}

#[test]
fn a_hub_that_asks_for_a_pause_gets_it_for_the_list_and_for_files() {
    let hub = TestHub::new();
    hub.set(|script| {
        script.busy = vec![
            ("/api/", "429 Slow\nRetry-After: 7"),
            ("/api/", "429 Slow\nRateLimit: \"api\";r=0;t=5"),
            ("config.json", "503 Busy\nRetry-After: 3"),
            ("elsewhere", "429 Slow\nRetry-After: 2"),
        ];
    });
    let notes = RecordedNotes::default();
    let uri = "hf:owner/name".parse().unwrap();
    let asset = hub.store().fetch(&uri, None, Monitor::new(&notes, &Interrupt::new())).unwrap();
    assert_eq!(fs::read(asset.path.join("model.safetensors")).unwrap().len(), 300_000);
    let expected = [7, 5, 3, 2].map(|pause| format!("{} asks for a pause of {pause} s: waiting", hub.endpoint));
    assert_eq!(notes.all(), expected);
}

#[test]
fn a_pause_longer_than_minutes_is_refused_and_said() {
    let hub = TestHub::new();
    hub.set(|script| script.busy = vec![("/api/", "429 Slow\nRetry-After: 3600")]);
    let error = hub.fetch("hf:owner/name").unwrap_err();
    assert!(error.to_string().ends_with("it has too much to do now"), "{error}");
    // As many short ones as make a long one, too.
    hub.set(|script| script.busy = vec![("/api/", "429 Slow\nRetry-After: 100"); 4]);
    assert!(hub.fetch("hf:owner/name").is_err());
}

#[test]
fn an_interruption_ends_a_pause() {
    let hub = TestHub::new();
    hub.set(|script| script.busy = vec![("/api/", "429 Slow\nRetry-After: 250")]);
    /// Stops the work when it hears of the pause.
    struct Stopper(Interrupt);
    impl Progress for Stopper {
        fn stage(&self, _what: &str, _total: Option<u64>, _unit: &str) -> Box<dyn Bar + '_> {
            Box::new(Silent)
        }
        fn note(&self, _line: &str) {
            self.0.set();
        }
    }
    let stopper = Stopper(Interrupt::new());
    let interrupt = stopper.0.clone();
    let uri = "hf:owner/name".parse().unwrap();
    let error = hub.store().fetch(&uri, None, Monitor::new(&stopper, &interrupt)).unwrap_err();
    assert!(matches!(error, Error::Interrupted(_)), "{error}");
    assert_eq!(hub.asked(), 1);
}

/// A data set with files of several kinds.
fn data_set() -> TestHub {
    TestHub::with(&[
        (".gitattributes", "hidden"),
        ("README.md", "card"),
        ("data/train-0.parquet", "p0"),
        ("data/train-1.parquet", "p1"),
        ("data/test.jsonl", "{}"),
        ("data/deep/x.parquet", "px"),
        ("data/.hidden.parquet", "hidden"),
        ("database.csv", "a,b"),
    ])
}

#[test]
fn one_file_of_a_data_set_is_that_file() {
    let hub = data_set();
    let asset = hub.fetch("hf:datasets/owner/name@v2/data/test.jsonl").unwrap();
    assert_eq!(fs::read(&asset.path).unwrap(), b"{}");
    assert_eq!(asset.sha256, sha256_bytes(b"{}"));
    assert!(asset.path.starts_with(hub.room.path().join("hub/datasets--owner--name/snapshots")));
    let script = hub.script.lock().unwrap();
    assert_eq!(script.requests[0].path, "/api/datasets/owner/name/revision/v2");
    let file = format!("/datasets/owner/name/resolve/{COMMIT}/data/test.jsonl");
    assert!(script.requests[1..].iter().all(|seen| seen.path == file));
}

#[test]
fn a_folder_of_a_data_set_is_the_files_below_it() {
    let hub = data_set();
    // Another file of the repository, which the folder must not hold.
    hub.fetch("hf:datasets/owner/name/database.csv").unwrap();
    let asset = hub.fetch("hf:datasets/owner/name/data").unwrap();
    assert_eq!(names(&asset.path), ["deep/x.parquet", "test.jsonl", "train-0.parquet", "train-1.parquet"]);
    assert_eq!(asset.path.file_name().unwrap(), "data");
}

#[test]
fn a_pattern_is_a_folder_with_the_matching_files_only() {
    let hub = data_set();
    hub.fetch("hf:datasets/owner/name/data").unwrap();
    let matching = |pattern: &str| {
        let asset = hub.fetch(&format!("hf:datasets/owner/name/{pattern}")).unwrap();
        let path = asset.path.clone();
        assert_eq!(hub.fetch(&format!("hf:datasets/owner/name/{pattern}")).unwrap(), asset);
        assert_eq!(
            AssetStore::new("unused").fetch(&Uri::Path(path.clone()), None, Monitor::silent()).unwrap().sha256,
            asset.sha256
        );
        names(&path)
    };
    assert_eq!(matching("data/*.parquet"), ["data/train-0.parquet", "data/train-1.parquet"]);
    assert_eq!(matching("**/*.{parquet,csv}").len(), 4);
    assert_eq!(matching("data/train-[1-9].parquet"), ["data/train-1.parquet"]);
    let asset = hub.fetch("hf:datasets/owner/name/data/*.parquet").unwrap();
    assert_eq!(fs::read(asset.path.join("data/train-1.parquet")).unwrap(), b"p1");
    // A damaged file is fetched again here too.
    fs::write(asset.path.join("data/train-1.parquet"), "damaged").unwrap();
    assert_eq!(hub.fetch("hf:datasets/owner/name/data/*.parquet").unwrap(), asset);
    assert_eq!(fs::read(asset.path.join("data/train-1.parquet")).unwrap(), b"p1");
}

#[test]
fn a_path_that_names_nothing_in_a_data_set_is_an_error_with_what_is_there() {
    let hub = data_set();
    for path in ["train.parquet", "*.parquet", "dat"] {
        let error = hub.fetch(&format!("hf:datasets/owner/name/{path}")).unwrap_err();
        assert_eq!(error.to_string(), format!("owner/name has no {path}"));
        assert!(error.hint().unwrap().starts_with("it has: README.md, data/deep/x.parquet"), "{:?}", error.hint());
    }
    let error = hub.fetch("hf:datasets/owner/name/data/[.parquet").unwrap_err();
    assert_eq!(error.to_string(), "`data/[.parquet` is no pattern of paths");
}

/// A path that no user can create, whatever their rights: one below a file.
fn uncreatable(room: &std::path::Path) -> PathBuf {
    let file = room.join("file");
    fs::write(&file, "").unwrap();
    file.join("store")
}

#[test]
fn where_the_store_cannot_be_written_the_hubs_folder_serves() {
    let hub = TestHub::new();
    let online = hub.fetch("hf:owner/name").unwrap();
    let store = AssetStore::new(uncreatable(hub.room.path())).with_hub(hub.settings());
    let notes = RecordedNotes::default();
    let uri = "hf:owner/name".parse().unwrap();
    let asset = store.fetch(&uri, None, Monitor::new(&notes, &Interrupt::new())).unwrap();
    assert_eq!(asset, online);
    assert!(notes.all()[0].ends_with("the hub's folder serves"), "{:?}", notes.all());
    // One file of a data set, too; the folder of a pattern's matches needs the store.
    let data = data_set();
    let store = AssetStore::new(uncreatable(data.room.path())).with_hub(data.settings());
    assert!(fetch(&store, "hf:datasets/owner/name/database.csv").is_ok());
    assert!(matches!(fetch(&store, "hf:datasets/owner/name/data/*.parquet"), Err(Error::Io { .. })));
}

#[test]
fn what_lies_in_the_hubs_folder_is_used_without_writing_anything() {
    let hub = TestHub::new();
    let online = hub.fetch("hf:owner/name").unwrap();
    let root = uncreatable(hub.room.path());
    let everything = || {
        let files = walkdir::WalkDir::new(hub.room.path()).sort_by_file_name().into_iter().flatten();
        files.map(|entry| (entry.path().to_owned(), entry.metadata().unwrap().modified().unwrap())).collect::<Vec<_>>()
    };
    let before = everything();
    let store = AssetStore::new(root);
    let offline = store.clone().with_hub(HubSettings { offline: true, ..hub.settings() });
    assert_eq!(fetch(&offline, "hf:owner/name").unwrap(), online);
    assert_eq!(fetch(&store.with_hub(hub.settings()), "hf:owner/name").unwrap(), online);
    assert_eq!(everything(), before);
}

#[test]
fn without_a_place_for_the_hubs_files_only_the_hub_is_out_of_reach() {
    let hub = TestHub::new();
    let settings = HubSettings { cache: None, ..hub.settings() };
    let error = fetch(&hub.store_with(settings), "hf:owner/name").unwrap_err();
    assert!(matches!(error, Error::Asset(AssetError::NoHome)));
    assert!(error.hint().unwrap().contains("HF_HOME"));
}
