//! An API's teacher against a server on loopback.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use limbeck_data::cache::{Cache, CacheSpec};
use limbeck_data::progress::{Bar, Progress};
use limbeck_data::{VectorType, is_interrupted};
use limbeck_encoder::{Tokenizer, normalise};
use serde_json::json;

use super::super::test_server::{Answer, ApiServer, Request as Seen, WIDTH, vector};
use super::*;
use crate::Error;
use crate::embed::{self, EmbedJob, EmbedSummary, EmbedTeacher, TextSources};

/// The key of the tests: cargo sets this variable to `limbeck-teacher`.
const KEY_ENV: &str = "CARGO_PKG_NAME";
const KEY: &str = "limbeck-teacher";

const QUICK: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(1),
    most: Duration::from_millis(2),
    longest_asked: Duration::from_secs(900),
    tries: 4,
};

fn settings(server: &ApiServer) -> ApiSettings {
    let (url, key_env) = (server.url.clone(), Some(KEY_ENV.into()));
    ApiSettings { url, model: "m".into(), key_env, batch: 4, concurrency: 3, ..ApiSettings::default() }
}

fn open(settings: ApiSettings) -> Result<ApiTeacher> {
    ApiTeacher::open_with(settings, None, QUICK, Monitor::silent())
}

/// The error of opening a teacher.
#[track_caller]
fn refused(settings: ApiSettings) -> Error {
    open(settings).err().expect("the teacher opens")
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|row| format!("text number {row} of {}", row % 7)).collect()
}

fn encode(teacher: &ApiTeacher, texts: &[String]) -> Result<Embeddings> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    teacher.encode_texts(&texts, 0, Monitor::silent(), &mut |_| Ok(()))
}

/// The unit vectors that the server has for `texts`.
fn expected(texts: &[String]) -> Vec<f32> {
    let unit = |text: &String| {
        let mut vector = vector(text);
        normalise(&mut vector);
        vector
    };
    texts.iter().flat_map(unit).collect()
}

/// Keeps the notes.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn stage<'a>(&'a self, name: &str, total: Option<u64>, unit: &str) -> Box<dyn Bar + 'a> {
        Silent.stage(name, total, unit)
    }

    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

#[test]
fn vectors_keep_the_order_of_the_texts_over_several_requests_at_a_time() {
    let server = ApiServer::new();
    let teacher = open(settings(&server)).unwrap();
    let texts = texts(30);
    let vectors = encode(&teacher, &texts).unwrap();
    assert_eq!((vectors.dimension(), vectors.as_slice()), (WIDTH, &expected(&texts)[..]));
    let requests = server.requests();
    // One to begin with, and eight of four texts.
    assert_eq!(requests.len(), 9);
    assert!(requests.iter().all(|request| request.path == "/v1/embeddings"));
    assert!(requests.iter().all(|request| request.authorization.as_deref() == Some("Bearer limbeck-teacher")));
    assert_eq!(requests[0].body["encoding_format"], "base64");
}

#[test]
fn a_prefix_stands_before_every_text_and_a_blank_in_place_of_the_empty_text() {
    let server = ApiServer::new();
    let teacher = open(ApiSettings { prefix: "query: ".into(), ..settings(&server) }).unwrap();
    encode(&teacher, &["a b".into(), String::new()]).unwrap();
    assert_eq!(server.requests()[1].texts(), ["query: a b", "query: "]);
    encode(&open(settings(&server)).unwrap(), &[String::new()]).unwrap();
    assert_eq!(server.requests()[3].texts(), [" "]);
}

#[test]
fn a_batch_that_is_too_large_is_halved_until_it_fits() {
    for status in [413, 422] {
        let server = ApiServer::answering(move |_, request| match request.texts().len() {
            0..=1 => Answer::vectors(request),
            _ => Answer::error(status, "too many"),
        });
        let notes = Notes::default();
        let teacher = open(settings(&server)).unwrap();
        let texts = texts(6);
        let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
        let interrupt = Interrupt::new();
        let vectors = teacher.encode_texts(&refs, 0, Monitor::new(&notes, &interrupt), &mut |_| Ok(())).unwrap();
        assert_eq!(vectors.as_slice(), expected(&texts));
        let notes = notes.0.into_inner().unwrap();
        assert!(notes.len() == 1 && notes[0].contains("texts at once"), "{notes:?}");
    }
}

#[test]
fn a_text_that_is_refused_alone_is_named() {
    let server =
        ApiServer::answering(|_, request| match request.texts().iter().any(|text| text.contains("number 9 ")) {
            true => Answer::error(413, "too long"),
            false => Answer::vectors(request),
        });
    let teacher = open(settings(&server)).unwrap();
    let texts = texts(12);
    let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
    let error = teacher.encode_texts(&refs, 100, Monitor::silent(), &mut |_| Ok(())).unwrap_err();
    let said = "refuses text 110 though it is sent alone (413: too long): \"text number 9 of 2\"";
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn overload_errors_of_the_server_and_broken_connections_are_waited_out() {
    let server = ApiServer::answering(|number, request| match number {
        0 => Answer::error(429, "slow down").with("retry-after", "0"),
        1 => Answer::error(503, "starting"),
        2 => Answer::broken(),
        _ => Answer::vectors(request),
    });
    let teacher = open(settings(&server)).unwrap();
    assert_eq!(server.requests().len(), 4);
    assert_eq!(teacher.spent().requests, 1);
}

#[test]
fn a_server_that_stays_away_is_given_up() {
    let server = ApiServer::answering(|_, _| Answer::error(500, "no luck"));
    let error = refused(settings(&server));
    assert_eq!(server.requests().len(), QUICK.tries);
    let said = "text 1: given up after 4 tries: the server answers 500: no luck";
    assert!(error.to_string().ends_with(said), "{error}");
}

#[test]
fn a_wait_of_hours_is_given_up_at_once() {
    let server = ApiServer::answering(|_, _| Answer::error(429, "tomorrow").with("retry-after", "86400"));
    let error = refused(settings(&server)).to_string();
    assert!(
        error.ends_with("given up after 1 tries: the server answers 429: tomorrow, and asks to wait 86400 seconds")
    );
}

#[test]
fn an_interruption_ends_the_wait_for_a_server() {
    let interrupt = Interrupt::new();
    let stop = interrupt.clone();
    let server = ApiServer::answering(move |_, _| {
        stop.set();
        Answer::error(429, "slow down").with("retry-after", "600")
    });
    let opened = ApiTeacher::open(settings(&server), None, Monitor::new(&Silent, &interrupt));
    assert!(is_interrupted(&opened.err().unwrap()));
}

#[test]
fn a_redirect_is_not_followed_and_the_key_reaches_no_other_host() {
    let other = ApiServer::new();
    let to = format!("{}/embeddings", other.url);
    for status in [301, 302, 307, 308] {
        let to = to.clone();
        let server = ApiServer::answering(move |_, _| Answer::error(status, "there").with("location", &to));
        let error = refused(settings(&server)).to_string();
        assert!(error.contains(&format!("redirects to {}/embeddings", other.url)), "{error}");
    }
    assert!(other.requests().is_empty());
}

#[test]
fn a_refusal_is_not_tried_again_and_does_not_show_the_key() {
    for (status, hint) in [(401, "key_env"), (404, "model"), (400, "too long")] {
        let server = ApiServer::answering(move |_, seen: &Seen| {
            Answer::error(status, &format!("no: {}", seen.authorization.as_deref().unwrap_or_default()))
        });
        let error = refused(settings(&server));
        assert_eq!(server.requests().len(), 1);
        assert!(error.to_string().ends_with(&format!("answers {status}: no: Bearer [key]")), "{error}");
        assert!(error.hint().unwrap().contains(hint));
        assert!(!format!("{error:?}").contains(KEY), "{error:?}");
    }
}

#[test]
fn an_account_without_quota_is_not_waited_for() {
    let server = ApiServer::answering(|_, _| {
        let body = json!({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}});
        Answer::json(body).with_status(429)
    });
    assert!(refused(settings(&server)).hint().unwrap().contains("quota"));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_key_that_is_not_set_is_named_by_its_variable() {
    let server = ApiServer::new();
    let error = refused(ApiSettings { key_env: Some("LIMBECK_NO_SUCH_KEY".into()), ..settings(&server) });
    assert!(error.to_string().contains("LIMBECK_NO_SUCH_KEY") && server.requests().is_empty(), "{error}");
}

#[test]
fn a_server_without_a_key_gets_none() {
    let server = ApiServer::new();
    open(ApiSettings { key_env: None, ..settings(&server) }).unwrap();
    assert_eq!(server.requests()[0].authorization, None);
}

#[test]
fn an_answer_that_cannot_be_is_an_error_that_names_the_request() {
    let server = ApiServer::answering(|number, request| match number {
        0 => Answer::vectors(request),
        _ => Answer::json(json!({"data": [{"index": 0, "embedding": vector("a")}]})),
    });
    let teacher = open(settings(&server)).unwrap();
    let error = encode(&teacher, &texts(3)).unwrap_err().to_string();
    let said = "/v1/embeddings, texts 1 to 3: the answer has 1 vectors for 3 texts; that of index 1 is missing";
    assert!(error.ends_with(said), "{error}");
}

#[test]
fn vectors_of_another_width_than_asked_for_are_refused() {
    let server = ApiServer::new();
    let error = refused(ApiSettings { dimensions: Some(8), ..settings(&server) }).to_string();
    assert!(error.ends_with("the vector of index 0 has 16 values where 8 are expected"), "{error}");
    assert_eq!(server.requests()[0].body["dimensions"], 8);
}

#[test]
fn tokens_are_counted_as_the_server_says_and_estimated_where_it_does_not() {
    let server = ApiServer::new();
    let teacher = open(settings(&server)).unwrap();
    encode(&teacher, &["one two three".into()]).unwrap();
    assert_eq!(teacher.spent(), Spending { requests: 2, characters: 14, tokens: 4, estimated: 0 });
    let silent = ApiServer::answering(|_, request| {
        let data: Vec<_> =
            (0..request.texts().len()).map(|index| json!({"index": index, "embedding": [1.0]})).collect();
        Answer::json(json!({"data": data}))
    });
    let teacher = open(settings(&silent)).unwrap();
    encode(&teacher, &["one two three".into()]).unwrap();
    assert_eq!(teacher.spent(), Spending { requests: 2, characters: 14, tokens: 5, estimated: 5 });
}

const SHARD_ROWS: usize = 8;

/// Fills a cache in `folder`, its ledger beside it.
fn fill(settings: ApiSettings, folder: &Path, student: Option<&Tokenizer>) -> Result<EmbedSummary> {
    let ledger = folder.with_extension("usage.json");
    let teacher = ApiTeacher::open_with(settings, Some(&ledger), QUICK, Monitor::silent())?;
    let fingerprint = teacher.cache_fingerprint("a hash".into());
    let spec =
        CacheSpec { shard_rows: SHARD_ROWS, ..CacheSpec::new(teacher.dimension(), VectorType::F32, fingerprint) };
    let texts = Box::new([Ok(texts(30))].into_iter());
    let teacher = EmbedTeacher::Texts(&teacher);
    let job =
        EmbedJob { teacher, texts, sources: TextSources::default(), total: None, folder, spec, tokens: true, student };
    embed::run(job, Monitor::silent())
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names.map(|path| (path.file_name().unwrap().into(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn a_cap_ends_the_job_after_finished_shards_and_a_higher_one_goes_on_to_the_same_bytes() {
    let (room, server) = (tempfile::tempdir().unwrap(), ApiServer::new());
    let [calm, capped] = ["calm", "capped"].map(|name| room.path().join(name));
    let summary = fill(settings(&server), &calm, None).unwrap();
    assert_eq!((summary.rows, summary.written), (30, 4));
    // A shard takes 40 tokens and the question before it one.
    let with_cap = |most| ApiSettings { max_total_tokens: Some(most), ..settings(&server) };
    let error = fill(with_cap(100), &capped, None).unwrap_err();
    assert!(matches!(&error, Error::Api(ApiError::Cap { .. })), "{error}");
    assert!(error.to_string().starts_with("the cap max_total_tokens = 100 is reached: 81 tokens are spent"), "{error}");
    assert_eq!(Cache::open(&capped).unwrap().shards(), 2);
    // The ledger outlives the process: the same cap stays reached.
    assert!(matches!(fill(with_cap(100), &capped, None), Err(Error::Api(ApiError::Cap { .. }))));
    let summary = fill(with_cap(1_000), &capped, None).unwrap();
    assert_eq!((summary.written, summary.kept), (2, 2));
    assert!(contents(&calm) == contents(&capped));
}

#[test]
fn a_cap_on_cost_counts_by_the_price() {
    let (room, server) = (tempfile::tempdir().unwrap(), ApiServer::new());
    // 81 tokens and 40 more at 10 a million.
    let capped = ApiSettings { price: Some(10.0), max_cost: Some(0.001), ..settings(&server) };
    let error = fill(capped, &room.path().join("cache"), None).unwrap_err().to_string();
    assert!(error.contains("max_cost = 0.001 is reached: 81 tokens for 0.0008 are spent"), "{error}");
}

#[test]
fn the_key_is_in_no_file_of_a_cache_nor_beside_it() {
    let (room, server) = (tempfile::tempdir().unwrap(), ApiServer::new());
    let folder = room.path().join("cache");
    fill(settings(&server), &folder, None).unwrap();
    let files =
        [contents(&folder), [("usage".into(), std::fs::read(folder.with_extension("usage.json")).unwrap())].into()];
    for (name, bytes) in files.iter().flatten() {
        assert!(!String::from_utf8_lossy(bytes).contains(KEY), "{}", name.display());
    }
    let fingerprint = Cache::open(&folder).unwrap().fingerprint().unwrap().clone();
    assert_eq!(fingerprint.teacher, format!("m at {}", server.url));
}

#[test]
fn another_url_model_width_or_prefix_is_another_cache() {
    let server = ApiServer::new();
    let of = |change: fn(&mut ApiSettings)| {
        let mut settings = settings(&server);
        change(&mut settings);
        open(settings).unwrap().cache_fingerprint("t".into())
    };
    let same = of(|_| ());
    assert_eq!(of(|settings| settings.batch = 7), same);
    assert_eq!(of(|settings| settings.key_env = None), same);
    assert_ne!(of(|settings| settings.model = "n".into()), same);
    assert_ne!(of(|settings| settings.dimensions = Some(WIDTH)), same);
    assert_ne!(of(|settings| settings.prefix = "query: ".into()), same);
}

#[test]
fn the_tokens_of_a_student_get_the_vectors_of_their_texts_each_asked_for_once() {
    let (room, server) = (tempfile::tempdir().unwrap(), ApiServer::new());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/onnx/tokenizer.json");
    let student = Tokenizer::from_file(&path).unwrap();
    let folder = room.path().join("cache");
    fill(settings(&server), &folder, Some(&student)).unwrap();
    let vectors = Cache::open(&folder).unwrap().student_tokens(student.json()).unwrap().unwrap();
    assert_eq!(vectors.texts, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "dog", "sat", ""]);
    let of = |texts: &[&str]| expected(&texts.iter().map(|text| text.to_string()).collect::<Vec<_>>());
    assert_eq!(vectors.embeddings, of(&[" ", " ", " ", " ", "the", "cat", "dog", "sat", " "]));
    let asked: Vec<String> = server.requests()[1..3].iter().flat_map(Seen::texts).collect();
    assert_eq!(asked.len(), 5, "{asked:?}");
    assert_eq!(embed::vocabulary_texts(&student), ["", "the", "cat", "dog", "sat"]);
}
