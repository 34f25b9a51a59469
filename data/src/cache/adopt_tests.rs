//! Tests of adopting a folder that another program wrote.

use std::fs;
use std::path::Path;

use miette::Diagnostic;

use super::parquet_out::{self, CacheRows};
use super::test_support::error;
use super::*;
use crate::{Monitor, VectorType};

/// A file of rows `first..first + 3`, such as another program writes.
fn write(folder: &Path, name: &str, first: u64) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let texts: Vec<String> = (first..first + 3).map(|row| format!("text {row}")).collect();
    let embeddings: Vec<f32> = (first..first + 3).flat_map(|row| [1.0, row as f32]).collect();
    let rows = CacheRows { first_id: 0, texts: &texts, embeddings: &embeddings, dimension: 2 };
    parquet_out::write(fs::File::create(&path).unwrap(), rows, VectorType::F32, 2, &path).unwrap();
}

fn adopted(folder: &Path) -> AdoptedSummary {
    adopt(folder, &Columns::default(), Monitor::silent()).unwrap()
}

#[test]
fn an_adopted_folder_is_read_as_before_and_its_duplicates_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "part-0.parquet", 0);
    write(folder.path(), "deep/part-1.parquet", 2);
    let before = Cache::open(folder.path()).unwrap();
    let shards: Vec<Shard> = (0..before.shards()).map(|shard| before.read(shard).unwrap()).collect();
    let summary = adopted(folder.path());
    let expected = AdoptedSummary { files: 2, new: 2, rows: 6, duplicates: 1, ..AdoptedSummary::default() };
    assert_eq!(summary, expected);
    let cache = Cache::open(folder.path()).unwrap();
    assert!(cache.complete() && cache.rows() == 6 && cache.dimension() == 2);
    assert_eq!((0..cache.shards()).map(|shard| cache.read(shard).unwrap()).collect::<Vec<_>>(), shards);
}

#[test]
fn a_file_that_has_changed_or_gone_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.parquet", 0);
    adopted(folder.path());
    write(folder.path(), "a.parquet", 5);
    let changed = error(Cache::open(folder.path()).unwrap().read(0));
    assert!(changed.to_string().contains("a.parquet has changed") && changed.help().is_some(), "{changed}");
    fs::remove_file(folder.path().join("a.parquet")).unwrap();
    let gone = error(Cache::open(folder.path()));
    assert!(gone.to_string().contains("a.parquet is gone") && gone.help().is_some(), "{gone}");
}

#[test]
fn adopting_again_takes_up_what_has_come_changed_and_gone() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.parquet", "b.parquet", "c.parquet"] {
        write(folder.path(), name, 0);
    }
    adopted(folder.path());
    write(folder.path(), "b.parquet", 9);
    fs::remove_file(folder.path().join("c.parquet")).unwrap();
    write(folder.path(), "d.parquet", 20);
    assert_eq!(Cache::open(folder.path()).err().map(|error| error.to_string().contains("c.parquet")), Some(true));
    let again = adopted(folder.path());
    assert_eq!((again.files, again.new, again.changed, again.gone), (3, 1, 1, 1));
    assert_eq!(Cache::open(folder.path()).unwrap().rows(), 9);
}

#[test]
fn a_file_that_came_later_is_not_read_until_it_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.parquet", 0);
    adopted(folder.path());
    write(folder.path(), "b.parquet", 3);
    assert_eq!(Cache::open(folder.path()).unwrap().rows(), 3);
    adopted(folder.path());
    assert_eq!(Cache::open(folder.path()).unwrap().rows(), 6);
}

#[test]
fn a_cache_of_limbeck_is_not_adopted_and_an_adopted_folder_is_not_embedded_into() {
    let [own, foreign] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let spec = CacheSpec::new(2, VectorType::F32, Fingerprint::default());
    let mut writer = CacheWriter::open(own.path(), spec.clone()).unwrap();
    writer.write(0, &["a".to_owned()], &[1.0, 0.0]).unwrap();
    writer.finish(1).unwrap();
    let refused = error(adopt(own.path(), &Columns::default(), Monitor::silent()));
    assert!(matches!(refused, CacheError::NotForeign { .. }), "{refused}");
    write(foreign.path(), "a.parquet", 0);
    adopted(foreign.path());
    assert!(matches!(error(CacheWriter::open(foreign.path(), spec)), CacheError::Adopted { .. }));
}

#[test]
fn an_index_that_names_files_elsewhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.parquet", 0);
    adopted(folder.path());
    let path = folder.path().join("cache.json");
    let json = fs::read_to_string(&path).unwrap();
    for name in ["../a.parquet", "/a.parquet"] {
        fs::write(&path, json.replace("a.parquet", name)).unwrap();
        assert!(matches!(error(Cache::open(folder.path())), CacheError::Index { .. }), "{name}");
    }
}
