//! Tests of a cache whose text changes.

use std::fs;
use std::path::Path;

use super::*;
use crate::progress::Silent;
use crate::{Error, Interrupt, Monitor, Result, VectorType};

/// Rows of a full shard.
const ROWS: usize = 4;

fn spec(text: &str) -> CacheSpec {
    let fingerprint = Fingerprint { teacher: "t".into(), text: text.into(), ..Fingerprint::default() };
    CacheSpec { dimension: 2, storage: VectorType::F16, fingerprint, shard_rows: ROWS, part: None, own_text: false }
}

fn texts(names: impl IntoIterator<Item = usize>) -> Vec<String> {
    names.into_iter().map(|name| format!("text {name}")).collect()
}

/// A vector that f16 rounds, so that a second rounding or a second embedding would show.
fn vector(text: &str, version: f32) -> [f32; 2] {
    let name: f32 = text.strip_prefix("text ").unwrap().parse().unwrap();
    [version + name / 1_000.0, 0.3]
}

fn change(folder: &Path, spec: &CacheSpec, texts: &[String], gone: GoneTexts) -> Result<bool> {
    let chunks = texts.chunks(3).map(|chunk| Ok(chunk.to_vec()));
    change_text(folder, spec, chunks, gone, Monitor::new(&Silent, &Interrupt::new()))
}

/// Writes the shards that aren't there, stopping before shard `end`; the vectors of new texts are of `version`. Returns
/// the new texts.
fn fill(folder: &Path, spec: &CacheSpec, texts: &[String], version: f32, end: usize) -> Vec<String> {
    let mut writer = CacheWriter::open(folder, spec.clone()).unwrap();
    let (mut former, mut new) = (writer.former(), Vec::new());
    for (shard, texts) in texts.chunks(ROWS).enumerate().take(end) {
        if writer.is_done(shard, texts) {
            continue;
        }
        let known = former.find(texts).unwrap();
        let unknown: Vec<String> = known.unknown_rows().into_iter().map(|row| texts[row].clone()).collect();
        let vectors: Vec<f32> = unknown.iter().flat_map(|text| vector(text, version)).collect();
        writer.write(shard, texts, &known.merged(&vectors)).unwrap();
        new.extend(unknown);
    }
    if end > texts.len().div_ceil(ROWS) {
        writer.finish(texts.len() as u64).unwrap();
    }
    new
}

/// A cache of the texts 0 to 9, with vectors of version 1.
fn old(folder: &Path) -> Vec<String> {
    let texts = texts(0..10);
    fill(folder, &spec("old"), &texts, 1.0, usize::MAX);
    texts
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    names(folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn appended_texts_alone_are_new_and_full_shards_are_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    old(folder);
    let before = contents(folder);
    let (spec, all) = (spec("grown"), texts(0..15));
    assert!(change(folder, &spec, &all, GoneTexts::Refuse).unwrap());
    let written = || fs::metadata(folder.join("shard-00000.parquet")).unwrap().modified().unwrap();
    let time = written();
    assert_eq!(fill(folder, &spec, &all, 2.0, usize::MAX), texts(10..15));
    assert_eq!(written(), time);

    let cache = Cache::open(folder).unwrap();
    assert!(cache.complete() && cache.rows() == 15 && cache.fingerprint() == Some(&spec.fingerprint));
    let expected = |text: &String| vector(text, if all[..10].contains(text) { 1.0 } else { 2.0 });
    for shard in 0..cache.shards() {
        let read = cache.read(shard).unwrap();
        let values: Vec<f32> = read.texts.iter().flat_map(expected).collect();
        let stored = values.iter().map(|&value| half::f16::from_f32(value).to_f32()).collect::<Vec<_>>();
        assert_eq!((&read.texts[..], read.embeddings), (&all[shard * ROWS..][..read.texts.len()], stored));
    }
    assert!(contents(folder)[1..3] == before[1..3], "a full shard has other bytes");
    assert_eq!(names(folder).len(), 5, "{:?}", names(folder));
}

#[test]
fn texts_in_another_order_keep_their_vectors_and_those_that_are_gone_lose_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    old(folder);
    let all = texts([20, 9, 8, 7, 6, 5, 21, 3, 2, 1]);
    let spec = spec("other");
    assert!(change(folder, &spec, &all, GoneTexts::Drop).unwrap());
    assert!(!Cache::open(folder).unwrap().complete());
    assert_eq!(fill(folder, &spec, &all, 2.0, usize::MAX), texts([20, 21]));
    let cache = Cache::open(folder).unwrap();
    assert_eq!(cache.read(1).unwrap().embeddings[..2], [half::f16::from_f32(1.006).to_f32(), 0.30004883]);
    assert!(names(folder).iter().all(|name| !name.starts_with("former")));
}

#[test]
fn a_change_that_is_killed_anywhere_ends_in_the_same_bytes() {
    let calm = tempfile::tempdir().unwrap();
    let (spec, all) = (spec("other"), texts([20, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 22]));
    let change = |folder: &Path| change(folder, &spec, &all, GoneTexts::Drop).unwrap();
    old(calm.path());
    change(calm.path());
    fill(calm.path(), &spec, &all, 2.0, usize::MAX);
    let expected = contents(calm.path());
    for end in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        old(folder);
        assert!(change(folder));
        // Killed before the files are moved, and after some of the shards; then asked for the change once more.
        if end > 0 {
            fill(folder, &spec, &all, 2.0, end);
            // A shard in place that the index doesn't list.
            fs::write(folder.join(format!("shard-{end:05}.parquet")), "not listed").unwrap();
        }
        assert!(!change(folder));
        fill(folder, &spec, &all, 2.0, usize::MAX);
        assert!(contents(folder) == expected, "killed before shard {end}");
    }
}

#[test]
fn a_text_that_changes_back_in_the_midst_finds_every_vector() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let first = old(folder);
    let before = contents(folder);
    let (other, all) = (spec("other"), texts([20, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    change(folder, &other, &all, GoneTexts::Drop).unwrap();
    fill(folder, &other, &all, 2.0, 2);
    assert!(change(folder, &spec("old"), &first, GoneTexts::Drop).unwrap());
    assert_eq!(fill(folder, &spec("old"), &first, 3.0, usize::MAX), Vec::<String>::new());
    assert!(contents(folder) == before);
}

#[test]
fn a_text_without_what_the_cache_holds_can_be_refused_and_then_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    old(folder);
    let before = contents(folder);
    let refused = |all: &[String]| change(folder, &spec("other"), all, GoneTexts::Refuse).unwrap_err();
    for all in [texts(1..15), texts(0..9), texts(0..8), texts([0, 1, 2, 30, 4, 5, 6, 7, 8, 9])] {
        let error = refused(&all);
        assert!(matches!(error, Error::Cache(CacheError::Mismatch { field: "text", .. })), "{error}");
    }
    assert!(contents(folder) == before);
    assert!(change(folder, &spec("other"), &texts([9, 30, 8, 7, 6, 5, 4, 3, 2, 1, 0]), GoneTexts::Refuse).unwrap());
}

#[test]
fn another_teacher_s_cache_and_the_same_text_s_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let all = old(folder);
    let before = contents(folder);
    let mut other = spec("new");
    other.fingerprint.prefix = "query: ".into();
    let part = CacheSpec { part: Some((0, 2)), ..spec("new") };
    let wide = CacheSpec { storage: VectorType::F32, ..spec("new") };
    for spec in [other, part, wide, spec("old")] {
        assert!(!change(folder, &spec, &all, GoneTexts::Drop).unwrap());
    }
    assert!(contents(folder) == before);
    assert!(!change(&folder.join("none"), &spec("new"), &all, GoneTexts::Drop).unwrap());
}

#[test]
fn a_former_shard_that_is_damaged_is_named_and_its_texts_are_new() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    old(folder);
    let (spec, all) = (spec("other"), texts([20, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    change(folder, &spec, &all, GoneTexts::Drop).unwrap();
    fs::write(folder.join("shard-00001.parquet"), "damaged").unwrap();
    let writer = CacheWriter::open(folder, spec.clone()).unwrap();
    assert!(writer.rejected()[0].contains("shard-00001.parquet does not have"), "{:?}", writer.rejected());
    drop(writer);
    assert_eq!(fill(folder, &spec, &all, 2.0, usize::MAX), texts([20, 4, 5, 6, 7]));
}
