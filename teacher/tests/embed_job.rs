//! The embed job with a teacher that needs no model: killed, interrupted, failing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

use limbeck_data::cache::{Cache, CacheSpec, Fingerprint, GoneTexts, change_text};
use limbeck_data::progress::Silent;
use limbeck_data::{Interrupt, Monitor, VectorType, is_interrupted};
use limbeck_encoder::{Embeddings, Special, TokenBatch, Tokenizer};
use limbeck_teacher::embed::{self, CutTexts, EmbedJob, EmbedSource, EmbedSummary, EmbedTeacher, Teacher, TextSources};
use limbeck_teacher::{Error, Result};

const TOKENIZER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/onnx/tokenizer.json");
const ROWS: usize = 300;
const SHARD_ROWS: usize = 32;
const BATCH: usize = 8;

/// A teacher that computes a text's vector from its tokens, as slowly as a test wants.
struct Fake {
    tokenizer: Tokenizer,
    pause: Duration,
    batches: AtomicUsize,
    /// Fails at this batch.
    breaks_at: usize,
    /// Cuts longer texts.
    max_tokens: Option<usize>,
    /// Sets the interrupt at this batch.
    stops_at: Option<(usize, Interrupt)>,
}

impl Fake {
    fn new() -> Self {
        let tokenizer = Tokenizer::from_file(Path::new(TOKENIZER)).unwrap();
        let batches = AtomicUsize::new(0);
        Self { tokenizer, pause: Duration::ZERO, batches, breaks_at: usize::MAX, max_tokens: None, stops_at: None }
    }
}

impl Teacher for Fake {
    fn dimension(&self) -> usize {
        2
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn prefix(&self) -> &str {
        "the "
    }

    fn max_tokens(&self) -> Option<usize> {
        self.max_tokens
    }

    fn tokenise_after(&self, prefix: &str, texts: &[&str]) -> Result<TokenBatch> {
        let texts: Vec<String> = texts.iter().map(|text| format!("{prefix}{text}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        Ok(self.tokenizer.encode_batch(&texts, Special::With, self.max_tokens)?)
    }

    fn encode_tokens(&self, tokens: &TokenBatch, done: &mut dyn FnMut(usize) -> Result<()>) -> Result<Embeddings> {
        let mut vectors = Vec::new();
        let rows: Vec<&[u32]> = tokens.iter().collect();
        for rows in rows.chunks(BATCH) {
            thread::sleep(self.pause);
            let batch = self.batches.fetch_add(1, Ordering::Relaxed);
            if batch == self.breaks_at {
                return Err(Error::NotFinite { path: "fake".into(), row: 0 });
            }
            if let Some((at, interrupt)) = &self.stops_at
                && batch == *at
            {
                interrupt.set();
            }
            for ids in rows {
                let angle = ids.iter().fold(0.0f32, |angle, &id| angle * 0.7 + id as f32);
                vectors.extend([angle.cos(), angle.sin()]);
            }
            done(rows.len())?;
        }
        Ok(Embeddings::new(vectors, 2))
    }
}

/// Texts of 1 to 5 words, in chunks that don't fit the shards.
fn chunks() -> Vec<Vec<String>> {
    let words = ["the", "cat", "dog", "sat", "unknown"];
    let text = |row: usize| (0..=row % 5).map(|word| words[(row / 7 + word * row) % 5]).collect::<Vec<_>>().join(" ");
    (0..ROWS).map(text).collect::<Vec<_>>().chunks(23).map(<[String]>::to_vec).collect()
}

fn job<'a>(teacher: &'a Fake, folder: &'a Path) -> EmbedJob<'a> {
    let fingerprint = Fingerprint { teacher: "fake".into(), ..Fingerprint::default() };
    let spec = CacheSpec {
        dimension: 2,
        storage: VectorType::F16,
        fingerprint,
        shard_rows: SHARD_ROWS,
        part: None,
        own_text: false,
    };
    let texts = Box::new(chunks().into_iter().map(Ok));
    let teacher = EmbedTeacher::Tokens(teacher);
    EmbedJob {
        teacher,
        texts,
        sources: TextSources::default(),
        total: Some(ROWS as u64),
        folder,
        spec,
        tokens: true,
        student: None,
    }
}

fn run(job: EmbedJob) -> Result<EmbedSummary> {
    embed::run(job, Monitor::new(&Silent, &Interrupt::new()))
}

fn fill(teacher: &Fake, folder: &Path) -> Result<EmbedSummary> {
    run(job(teacher, folder))
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names.map(|path| (path.file_name().unwrap().into(), fs::read(path).unwrap())).collect()
}

fn undisturbed() -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    fill(&Fake::new(), folder.path()).unwrap();
    contents(folder.path())
}

fn listed(folder: &Path) -> usize {
    Cache::open(folder).map_or(0, |cache| cache.shards())
}

#[test]
fn every_text_and_every_token_has_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = Fake::new();
    let summary = fill(&teacher, folder.path()).unwrap();
    assert_eq!((summary.rows, summary.written, summary.kept), (ROWS as u64, ROWS.div_ceil(SHARD_ROWS), 0));
    let cache = Cache::open(folder.path()).unwrap();
    assert!(cache.complete());
    let expected = chunks().concat();
    let mut row = 0;
    for shard in (0..cache.shards()).map(|shard| cache.read(shard).unwrap()) {
        assert_eq!(shard.first_id, row as u64);
        let texts: Vec<&str> = shard.texts.iter().map(String::as_str).collect();
        let vectors = teacher.encode_tokens(&teacher.tokenise(&texts).unwrap(), &mut |_| Ok(())).unwrap();
        let near = |(stored, exact): (&f32, &f32)| (stored - exact).abs() < 1e-3;
        assert!(shard.embeddings.iter().zip(vectors.as_slice()).all(near));
        assert_eq!(shard.texts[..], expected[row..row + shard.rows()]);
        row += shard.rows();
    }
    assert_eq!(row, ROWS);

    let tokens = cache.tokens().unwrap().unwrap();
    assert_eq!(tokens.texts, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "dog", "sat", ""]);
    // "cat" alone: [CLS], the prefix "the", itself, [SEP]; and the empty text without it.
    let alone: TokenBatch = [&[2, 4, 5, 3][..], &[2, 4, 3]].into_iter().collect();
    let alone = teacher.encode_tokens(&alone, &mut |_| Ok(())).unwrap();
    assert_eq!(tokens.embeddings[10..12], *alone.row(0));
    assert_eq!(tokens.embeddings[16..18], *alone.row(1));
    assert_eq!(fs::read(cache.tokenizer().unwrap()).unwrap(), fs::read(TOKENIZER).unwrap());
}

#[test]
fn a_student_s_own_tokens_have_their_vectors_beside_the_teacher_s() {
    let folder = tempfile::tempdir().unwrap();
    fill(&Fake::new(), folder.path()).unwrap();
    // The teacher's tokens in another order, without "dog", and a token that the teacher doesn't have.
    let json: serde_json::Value = serde_json::from_slice(&fs::read(TOKENIZER).unwrap()).unwrap();
    let mut own = json.clone();
    let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "sat", "cat", "the", "mouse"];
    own["model"]["vocab"] =
        words.iter().zip(0u32..).map(|(word, id)| (word.to_string(), serde_json::Value::from(id))).collect();
    let student = Tokenizer::from_bytes(own.to_string().as_bytes(), Path::new("own")).unwrap();
    let teacher = Fake::new();
    let summary = run(EmbedJob { student: Some(&student), ..job(&teacher, folder.path()) }).unwrap();
    assert_eq!(summary.written, 0, "the texts' vectors were there");
    let cache = Cache::open(folder.path()).unwrap();
    let vectors = cache.student_tokens(student.json()).unwrap().unwrap();
    assert_eq!(vectors.texts[4..], ["sat", "cat", "the", "mouse", ""]);
    let theirs = cache.tokens().unwrap().unwrap();
    let same = |own: usize, their: usize| {
        assert_eq!(vectors.embeddings[own * 2..own * 2 + 2], theirs.embeddings[their * 2..their * 2 + 2], "{own}");
    };
    (0..4).for_each(|id| same(id, id));
    [(4, 7), (5, 5), (6, 4), (8, 8)].into_iter().for_each(|(own, their)| same(own, their));
    // "mouse" is a text to the teacher, of an unknown word.
    let text = teacher.encode_tokens(&teacher.tokenise(&["mouse"]).unwrap(), &mut |_| Ok(())).unwrap();
    assert_eq!(vectors.embeddings[14..16], *text.row(0));
}

#[test]
fn a_second_run_computes_nothing_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fill(&Fake::new(), folder.path()).unwrap();
    let before = contents(folder.path());
    let again = Fake::new();
    let summary = fill(&again, folder.path()).unwrap();
    assert_eq!((summary.written, summary.kept), (0, ROWS.div_ceil(SHARD_ROWS)));
    assert_eq!(again.batches.into_inner(), 0);
    assert!(contents(folder.path()) == before);
}

/// Not a test: the process that `a_job_killed_at_any_moment_ends_in_the_same_bytes` kills.
#[test]
#[ignore = "run by another test"]
fn child() {
    if let Some(folder) = env::var_os("LIMBECK_TEST_EMBED") {
        let teacher = Fake { pause: Duration::from_millis(2), ..Fake::new() };
        fill(&teacher, Path::new(&folder)).unwrap();
    }
}

#[test]
fn a_job_killed_at_any_moment_ends_in_the_same_bytes() {
    let expected = undisturbed();
    let folder = tempfile::tempdir().unwrap();
    let spawn = || -> Child {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored"])
            .env("LIMBECK_TEST_EMBED", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut finished = 0;
    for _ in 0..3 {
        let mut child = spawn();
        // Killed after at least one more shard is finished, at a moment left to chance.
        while listed(folder.path()) <= finished && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let kept = listed(folder.path());
        assert!(kept > finished || kept == ROWS.div_ceil(SHARD_ROWS));
        finished = kept;
    }
    let summary = fill(&Fake::new(), folder.path()).unwrap();
    assert_eq!((summary.kept, summary.redone.len()), (finished, 0));
    assert!(contents(folder.path()) == expected);
}

#[test]
fn an_interrupted_job_keeps_its_shards_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let interrupt = Interrupt::new();
    // Two batches of the vocabulary, four a shard: within the fourth shard.
    let teacher = Fake { stops_at: Some((2 + 3 * 4 + 1, interrupt.clone())), ..Fake::new() };
    let error = embed::run(job(&teacher, folder.path()), Monitor::new(&Silent, &interrupt)).unwrap_err();
    assert!(is_interrupted(&error));
    assert!(matches!(error, Error::EmbedInterrupted { shards: 3, .. }), "{error}");
    assert!(error.hint().unwrap().contains("again"));
    let summary = fill(&Fake::new(), folder.path()).unwrap();
    assert_eq!(summary.kept, 3);
    assert!(contents(folder.path()) == undisturbed());
}

#[test]
fn an_error_of_the_teacher_ends_the_job_and_keeps_finished_shards() {
    let folder = tempfile::tempdir().unwrap();
    let error = fill(&Fake { breaks_at: 2 + 2 * 4 + 3, ..Fake::new() }, folder.path()).unwrap_err();
    assert!(matches!(error, Error::TextNotFinite { .. }), "{error}");
    assert_eq!(listed(folder.path()), 2);
    fill(&Fake::new(), folder.path()).unwrap();
    assert!(contents(folder.path()) == undisturbed());
}

#[test]
fn a_vector_that_is_not_finite_is_named_by_its_text_and_its_place_among_all() {
    let folder = tempfile::tempdir().unwrap();
    let error = fill(&Fake { breaks_at: 2 + 2 * 4, ..Fake::new() }, folder.path()).unwrap_err().to_string();
    let (row, text) = (2 * SHARD_ROWS + 1, &chunks().concat()[2 * SHARD_ROWS]);
    assert_eq!(error, format!("fake: the vector of text {row} is not finite: {text:?}"));
}

#[test]
fn texts_that_the_teacher_cuts_are_counted_and_those_of_just_its_length_are_not() {
    let folder = tempfile::tempdir().unwrap();
    // [CLS], the prefix, up to three words, [SEP].
    let teacher = Fake { max_tokens: Some(6), ..Fake::new() };
    let summary = fill(&teacher, folder.path()).unwrap();
    let cut = chunks().concat().iter().filter(|text| text.split(' ').count() > 3).count() as u64;
    assert_eq!(summary.cut, [CutTexts { cut, of: ROWS as u64, max_tokens: 6 }]);
    assert!(cut > 0 && cut < ROWS as u64);
    let summary = fill(&Fake { max_tokens: Some(8), ..Fake::new() }, tempfile::tempdir().unwrap().path()).unwrap();
    assert_eq!(summary.cut[0].cut, 0);
}

#[test]
fn each_source_has_its_own_prefix_and_count() {
    let source =
        |name: &str, prefix: Option<&str>| EmbedSource { name: name.into(), prefix: prefix.map(str::to_owned) };
    let sources = vec![source("a", None), source("b", Some("")), source("c", Some("cat dog "))];
    let of_text: Vec<u16> = (0..ROWS).map(|row| (row % 3) as u16).collect();
    let teacher = Fake { max_tokens: Some(5), ..Fake::new() };
    let folder = tempfile::tempdir().unwrap();
    let sources = TextSources { sources, of_text };
    let summary = run(EmbedJob { sources, ..job(&teacher, folder.path()) }).unwrap();
    let words = |row: &usize| chunks().concat()[*row].split_whitespace().count();
    for (source, prefix_words) in [(0, 1), (1, 0), (2, 2)] {
        let own = (0..ROWS).filter(|row| row % 3 == source);
        let cut = own.clone().filter(|row| words(row) + prefix_words > 3).count() as u64;
        assert_eq!(summary.cut[source], CutTexts { cut, of: own.count() as u64, max_tokens: 5 }, "{source}");
    }
    let cache = limbeck_data::cache::Cache::open(folder.path()).unwrap();
    let (first, texts) = (cache.read(0).unwrap(), chunks().concat());
    for (row, prefix) in [(0, "the "), (1, ""), (2, "cat dog "), (4, "")] {
        let tokens = teacher.tokenise_after(prefix, &[texts[row].as_str()]).unwrap();
        let expected = teacher.encode_tokens(&tokens, &mut |_| Ok(())).unwrap();
        let found = first.embeddings[2 * row..2 * row + 2].to_vec();
        assert!(found.iter().zip(expected.row(0)).all(|(f, e)| (f - e).abs() < 1e-3), "{row}: {found:?}");
    }
}

/// Embeds `texts`, which are those of the source 0 but for `of_text`, into what the cache of another text is.
fn grow(teacher: &Fake, folder: &Path, texts: &[String], sources: TextSources) -> Result<EmbedSummary> {
    let mut job = job(teacher, folder);
    job.spec.fingerprint.text = format!("{} texts", texts.len());
    let chunks = || texts.chunks(23).map(|chunk| Ok(chunk.to_vec()));
    let monitor = Interrupt::new();
    change_text(folder, &job.spec, chunks(), GoneTexts::Drop, Monitor::new(&Silent, &monitor))?;
    run(EmbedJob { texts: Box::new(chunks()), total: Some(texts.len() as u64), sources, ..job })
}

#[test]
fn a_text_that_grew_sends_its_new_texts_alone_through_the_teacher_each_by_its_own_source() {
    let teacher = Fake { max_tokens: Some(5), ..Fake::new() };
    let text = |row: usize| format!("cat dog {}", ["the", "cat", "sat"].repeat(row % 4).join(" ")) + &" ".repeat(row);
    let mut texts: Vec<String> = (0..ROWS).map(text).collect();
    let folder = tempfile::tempdir().unwrap();
    let sources = |of_text| {
        let source = |name: &str, prefix: &str| EmbedSource { name: name.into(), prefix: Some(prefix.into()) };
        TextSources { sources: vec![source("a", "the "), source("b", "sat ")], of_text }
    };
    let summary = grow(&teacher, folder.path(), &texts, sources(Vec::new())).unwrap();
    assert_eq!((summary.embedded, summary.kept), (ROWS as u64, 0));
    let before = Cache::open(folder.path()).unwrap().read(8).unwrap();
    let first = fs::read(folder.path().join("shard-00000.parquet")).unwrap();

    // Two in the midst, of the other source, and forty at the end.
    texts.insert(200, "dog".into());
    texts.insert(210, "dog dog".into());
    texts.extend((ROWS..ROWS + 40).map(text));
    let of_text = (0..texts.len()).map(|row| u16::from(row == 200 || row == 210)).collect();
    let batches = teacher.batches.load(Ordering::Relaxed);
    let summary = grow(&teacher, folder.path(), &texts, sources(of_text)).unwrap();
    assert_eq!((summary.rows, summary.embedded, summary.kept), (342, 42, 200 / SHARD_ROWS));
    assert_eq!(summary.cut.iter().map(|cut| cut.of).collect::<Vec<_>>(), [40, 2]);
    assert!(teacher.batches.load(Ordering::Relaxed) - batches <= 8, "texts that were there went through the teacher");
    assert!(fs::read(folder.path().join("shard-00000.parquet")).unwrap() == first);

    let cache = Cache::open(folder.path()).unwrap();
    let (moved, row) = (cache.read(8).unwrap(), |row: usize| 2 * row..2 * row + 2);
    assert_eq!(moved.texts[20], before.texts[18]);
    assert_eq!(moved.embeddings[row(20)], before.embeddings[row(18)]);
    let inserted = cache.read(6).unwrap();
    let tokens = teacher.tokenise_after("sat ", &["dog"]).unwrap();
    let expected = teacher.encode_tokens(&tokens, &mut |_| Ok(())).unwrap();
    let found = &inserted.embeddings[row(8)];
    assert!(found.iter().zip(expected.row(0)).all(|(f, e)| (f - e).abs() < 1e-3), "{found:?}");
    assert!(contents(folder.path()).keys().all(|name| !name.to_string_lossy().starts_with("former")));
}

#[test]
fn a_vector_that_is_not_finite_is_named_by_its_place_among_all_texts() {
    let folder = tempfile::tempdir().unwrap();
    let mut texts: Vec<String> = (0..40).map(|row| format!("cat {row}")).collect();
    grow(&Fake::new(), folder.path(), &texts, TextSources::default()).unwrap();
    texts.push("new".into());
    let broken = Fake { breaks_at: 0, ..Fake::new() };
    let error = grow(&broken, folder.path(), &texts, TextSources::default()).unwrap_err();
    assert!(matches!(&error, Error::TextNotFinite { row: 41, text, .. } if text == "new"), "{error}");
}

#[test]
fn an_error_of_the_text_ends_the_job_and_keeps_finished_shards() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = Fake::new();
    let broken = || limbeck_data::Error::io("read", Path::new("some.txt"))(std::io::Error::other("gone"));
    let texts = chunks().into_iter().take(4).map(Ok).chain([Err(broken())]);
    let error = run(EmbedJob { texts: Box::new(texts), ..job(&teacher, folder.path()) }).unwrap_err();
    assert!(error.to_string().contains("some.txt"), "{error}");
    fill(&Fake::new(), folder.path()).unwrap();
    assert!(contents(folder.path()) == undisturbed());
}

#[test]
fn a_job_without_text_is_an_error() {
    let (folder, teacher) = (tempfile::tempdir().unwrap(), Fake::new());
    let none = EmbedJob { texts: Box::new([].into_iter()), ..job(&teacher, folder.path()) };
    assert!(matches!(run(none), Err(Error::NoText)));
}

#[test]
fn parts_embed_their_own_shards_alone() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = Fake::new();
    for part in [(1, 3), (0, 3), (2, 3)] {
        let mut job = job(&teacher, folder.path());
        job.spec.part = Some(part);
        let summary = run(job).unwrap();
        assert_eq!((summary.rows, summary.kept), (ROWS as u64, 0));
        assert_eq!(summary.written, if part.0 == 0 { 4 } else { 3 });
    }
    let cache = Cache::open(folder.path()).unwrap();
    assert!(cache.complete() && cache.tokens().unwrap().is_some());
    let (parts, one) = (contents(folder.path()), undisturbed());
    let shards = |files: &BTreeMap<PathBuf, Vec<u8>>| -> BTreeMap<PathBuf, Vec<u8>> {
        files
            .iter()
            .filter(|(name, _)| name.extension().unwrap() == "parquet")
            .map(|(n, b)| (n.clone(), b.clone()))
            .collect()
    };
    assert!(shards(&parts) == shards(&one));
}
