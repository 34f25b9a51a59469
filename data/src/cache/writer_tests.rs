//! Tests of writing a cache and reading it back.

use std::fs;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float16Type, UInt64Type};
use miette::Diagnostic;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding};

use super::test_support::error;
use super::*;
use crate::VectorType;

fn spec() -> CacheSpec {
    let fingerprint = Fingerprint { teacher: "t".into(), pooling: "mean".into(), ..Fingerprint::default() };
    CacheSpec { dimension: 3, storage: VectorType::F16, fingerprint, shard_rows: 4, part: None, own_text: false }
}

/// Shard `shard` of a text of ten rows: two shards of four and one of two.
fn rows(shard: usize) -> (Vec<String>, Vec<f32>) {
    let ids = shard * 4..(shard * 4 + 4).min(10);
    let texts = ids.clone().map(|id| format!("text {id}\u{1f600}")).collect();
    (texts, ids.flat_map(|id| [1.0, id as f32 / 16.0, -0.5]).collect())
}

fn fill(folder: &Path, spec: CacheSpec, shards: &[usize]) -> CacheWriter {
    let mut writer = CacheWriter::open(folder, spec).unwrap();
    for &shard in shards {
        let (texts, vectors) = rows(shard);
        if writer.owns(shard) && !writer.is_done(shard, &texts) {
            writer.write(shard, &texts, &vectors).unwrap();
        }
    }
    writer
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect();
    files.sort();
    files
}

fn whole(folder: &Path) -> Vec<(String, Vec<u8>)> {
    fill(folder, spec(), &[0, 1, 2]).finish(10).unwrap();
    contents(folder)
}

#[test]
fn slices_in_any_order_make_up_the_shards() {
    let folder = tempfile::tempdir().unwrap();
    let spec = CacheSpec { dimension: 40, shard_rows: 3_000, ..spec() };
    let mut writer = CacheWriter::open(folder.path(), spec).unwrap();
    for (shard, rows) in [(0, 3_000), (1, 3_000), (2, 1)] {
        let texts: Vec<String> = (0..rows).map(|row| format!("{shard} {row} {}", "x".repeat(row % 97))).collect();
        let vectors: Vec<f32> = (0..rows * 40).map(|at| 1.0 + (at % 1_000 + shard) as f32 / 1_024.0).collect();
        writer.write(shard, &texts, &vectors).unwrap();
    }
    writer.finish(6_001).unwrap();

    let cache = Cache::open(folder.path()).unwrap();
    let slices = cache.slices();
    assert!(slices.iter().all(|slice| slice.rows.len() <= 256));
    assert_eq!(slices.iter().map(|slice| slice.rows.len()).sum::<usize>(), 6_001);
    let shards: Vec<Shard> = (0..3).map(|shard| cache.read(shard).unwrap()).collect();
    for slice in slices.iter().rev() {
        let (whole, part, rows) = (&shards[slice.shard], cache.read_slice(slice).unwrap(), slice.rows.clone());
        assert_eq!(part.first_id, whole.first_id + rows.start as u64);
        assert_eq!(part.texts, whole.texts[rows.clone()]);
        assert_eq!(part.embeddings, whole.embeddings[rows.start * 40..rows.end * 40]);
    }
    let (odd, whole) = (Slice { shard: 1, rows: 100..2_000 }, &shards[1]);
    assert_eq!(cache.read_slice(&odd).unwrap().texts, whole.texts[100..2_000]);
    let no_shard = Slice { shard: 3, rows: 0..1 };
    assert!(matches!(error(cache.read_slice(&no_shard)), CacheError::NoSuchShard { shard: 3, .. }));
    let beyond = Slice { shard: 2, rows: 0..2 };
    assert!(matches!(error(cache.read_slice(&beyond)), CacheError::Damaged { .. }));

    let (_, metadata) = parquet_in::open(&folder.path().join("shard-00000.parquet")).unwrap();
    let index = metadata.metadata().page_index_for_row_group(0);
    for column in 0..3 {
        let pages = index.page_locations(column).expect("an index of the pages");
        let first_rows: Vec<i64> = pages.iter().map(|page| page.first_row_index).collect();
        assert_eq!(first_rows, (0..12).map(|page| 256 * page).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    whole(folder.path());
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!((cache.rows(), cache.dimension(), cache.shards()), (10, 3, 3));
    assert!(cache.complete() && cache.missing().is_empty());
    assert_eq!(cache.fingerprint(), Some(&spec().fingerprint));
    for shard in 0..3 {
        let (texts, embeddings) = rows(shard);
        assert_eq!(cache.shard_rows(shard), texts.len());
        assert_eq!(cache.read(shard).unwrap(), Shard { first_id: shard as u64 * 4, texts, embeddings });
    }
    assert!(matches!(error(cache.read(3)), CacheError::NoSuchShard { shard: 3, shards: 3, .. }));
}

#[test]
fn the_bytes_do_not_depend_on_the_order_of_writing_or_on_pauses() {
    let [one, two] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let expected = whole(one.path());
    // The files of a killed process: one shard listed, one in place but not listed, one half written.
    drop(fill(two.path(), spec(), &[2]));
    fs::write(two.path().join("shard-00001.parquet"), "not listed").unwrap();
    fs::write(two.path().join(".limbeck-abc.tmp"), "half").unwrap();
    drop(fill(two.path(), spec(), &[0]));
    let writer = fill(two.path(), spec(), &[0, 1, 2]);
    assert!(writer.rejected().is_empty());
    writer.finish(10).unwrap();
    assert!(contents(two.path()) == expected);
    let again = CacheWriter::open(two.path(), spec()).unwrap();
    assert!((0..3).all(|shard| again.is_done(shard, &rows(shard).0)));
    assert!(!again.is_done(1, &rows(0).0));
    drop(again);
    assert!(contents(two.path()) == expected);
}

#[test]
fn a_truncated_shard_is_named_and_redone() {
    let folder = tempfile::tempdir().unwrap();
    let expected = whole(folder.path());
    let path = folder.path().join("shard-00001.parquet");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    fs::remove_file(folder.path().join("shard-00002.parquet")).unwrap();

    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!((cache.complete(), cache.missing()), (false, &[2][..]));
    let damaged = error(cache.read(1));
    assert!(damaged.to_string().contains("shard-00001.parquet") && damaged.help().is_some(), "{damaged}");

    let writer = CacheWriter::open(folder.path(), spec()).unwrap();
    assert!(writer.is_done(0, &rows(0).0) && !writer.is_done(1, &rows(1).0) && !writer.is_done(2, &rows(2).0));
    assert!(writer.rejected()[0].contains("shard-00001.parquet does not have the sha256"), "{:?}", writer.rejected());
    assert!(writer.rejected()[1].contains("shard-00002.parquet is gone"), "{:?}", writer.rejected());
    drop(writer);
    assert!(whole(folder.path()) == expected);
}

#[test]
fn a_cache_made_otherwise_is_refused_and_the_difference_named() {
    let folder = tempfile::tempdir().unwrap();
    whole(folder.path());
    let before = contents(folder.path());
    let mut others = vec![spec(), spec(), spec(), spec()];
    others[0].fingerprint.teacher = "other".into();
    others[1].fingerprint.max_tokens = "128".into();
    others[2].storage = VectorType::F32;
    others[3].shard_rows = 8;
    for (other, expected) in others.into_iter().zip(["teacher", "max_tokens", "storage", "shard_rows"]) {
        match error(CacheWriter::open(folder.path(), other)) {
            CacheError::Mismatch { field, .. } => assert_eq!(field, expected),
            other => panic!("another error: {other}"),
        }
    }
    assert!(contents(folder.path()) == before);
}

#[test]
fn parts_make_one_cache_and_what_is_missing_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let part = |i| CacheSpec { part: Some((i, 2)), ..spec() };
    fill(folder.path(), part(0), &[0, 1, 2]).finish(10).unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!((cache.shards(), cache.complete(), cache.missing()), (2, false, &[1][..]));
    assert_eq!(cache.read(1).unwrap().first_id, 8);
    fill(folder.path(), part(1), &[0, 1, 2]).finish(10).unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!((cache.shards(), cache.complete(), cache.rows()), (3, true, 10));
    let names: Vec<_> = contents(folder.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[..2], ["cache-0-of-2.json", "cache-1-of-2.json"]);

    // A writer without parts continues the work of the parts.
    let writer = CacheWriter::open(folder.path(), spec()).unwrap();
    assert!((0..3).all(|shard| writer.is_done(shard, &rows(shard).0)));
    writer.finish(10).unwrap();
    assert!(Cache::open(folder.path()).unwrap().complete());
}

#[test]
fn parts_with_texts_of_their_own_make_one_cache() {
    let folder = tempfile::tempdir().unwrap();
    let part = |i| CacheSpec { part: Some((i, 3)), own_text: true, ..spec() };
    // The second part has no text.
    for (i, rows_of_part) in [(0, 10_u64), (1, 0), (2, 4)] {
        assert!(!Cache::open(folder.path()).is_ok_and(|cache| cache.complete()));
        let mut writer = CacheWriter::open(folder.path(), part(i)).unwrap();
        for place in 0..rows_of_part.div_ceil(4) as usize {
            let (texts, vectors) = rows(place);
            writer.write(writer.done().shard_number(place), &texts, &vectors).unwrap();
        }
        writer.finish(rows_of_part).unwrap();
    }
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!((cache.shards(), cache.complete(), cache.rows()), (4, true, 14));
    fs::remove_file(folder.path().join("shard-00003.parquet")).unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!((cache.complete(), cache.missing()), (false, &[3][..]));
    let one_text = error(CacheWriter::open(folder.path(), CacheSpec { part: Some((0, 3)), ..spec() }));
    assert!(matches!(one_text, CacheError::Mismatch { field: "parts", .. }), "{one_text}");
}

#[test]
fn one_process_at_a_time_writes_a_part() {
    let folder = tempfile::tempdir().unwrap();
    let first = CacheWriter::open(folder.path(), spec()).unwrap();
    assert!(matches!(error(CacheWriter::open(folder.path(), spec())), CacheError::Locked { .. }));
    let other_part = CacheSpec { part: Some((0, 2)), ..spec() };
    drop(CacheWriter::open(folder.path(), other_part).unwrap());
    drop(first);
    drop(CacheWriter::open(folder.path(), spec()).unwrap());
}

#[test]
fn what_could_not_be_read_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CacheWriter::open(folder.path(), spec()).unwrap();
    let texts = ["a".to_owned(), "b".to_owned()];
    let problem = |writer: &mut CacheWriter, vectors: &[f32]| match error(writer.write(0, &texts, vectors)) {
        CacheError::Row { row, problem, .. } => (row, problem),
        other => panic!("another error: {other}"),
    };
    let not_finite = |position| (1, RowProblem::NotFinite { position });
    assert_eq!(problem(&mut writer, &[1.0, 0.0, 0.0, 0.0, f32::NAN, 0.0]), not_finite(1));
    assert_eq!(problem(&mut writer, &[1.0, 0.0, 0.0, 0.0, 0.0, 1e5]), not_finite(2));
    assert_eq!(problem(&mut writer, &[1.0, 0.0, 0.0, 0.0, 1e-9, 0.0]), (1, RowProblem::Zero));
    assert!(matches!(error(writer.write(0, &texts, &[1.0; 5])), CacheError::Unwritable { .. }));
    assert!(matches!(error(writer.write(0, &[], &[])), CacheError::Unwritable { .. }));
    assert_eq!(contents(folder.path()).len(), 1, "only the lock");
    assert!(matches!(error(writer.finish(4)), CacheError::Incomplete { missing: 1, first: 0, .. }));
}

#[test]
fn token_vectors_and_the_tokenizer_lie_beside_the_shards() {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["[PAD]".to_owned(), "the".to_owned(), String::new()];
    let vectors = [1.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.0, 0.0, 1.0];
    let mut writer = fill(folder.path(), spec(), &[0, 1, 2]);
    assert!(!writer.has_tokens());
    writer.write_tokens(b"{}", &texts, &vectors).unwrap();
    writer.finish(10).unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    let tokens = cache.tokens().unwrap().unwrap();
    assert_eq!(tokens, TokenVectors { dimension: 3, texts: texts.to_vec(), embeddings: vectors.to_vec() });
    assert_eq!(fs::read(cache.tokenizer().unwrap()).unwrap(), b"{}");

    let path = folder.path().join(TOKENS_FILE);
    fs::write(&path, "damaged").unwrap();
    assert!(cache.tokens().unwrap_err().to_string().contains(TOKENS_FILE));
    let mut writer = CacheWriter::open(folder.path(), spec()).unwrap();
    assert!(!writer.has_tokens() && writer.rejected()[0].contains(TOKENS_FILE));
    writer.write_tokens(b"{}", &texts, &vectors).unwrap();
    assert_eq!(read_token_vectors(&path).unwrap(), tokens);
}

#[test]
fn token_vectors_of_students_lie_side_by_side_and_a_damaged_file_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let texts = ["a".to_owned(), String::new()];
    let (one, other) = ([1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    let mut writer = fill(folder, spec(), &[]);
    writer.write_student_tokens(b"one", &texts, &one).unwrap();
    writer.write_student_tokens(b"other", &texts, &other).unwrap();
    assert!(writer.has_student_tokens(b"one") && writer.has_student_tokens(b"other"));
    assert!(!writer.has_student_tokens(b"third") && !writer.has_tokens());
    drop(writer);
    let cache = Cache::open(folder).unwrap();
    assert_eq!(cache.student_tokens(b"one").unwrap().unwrap().embeddings, one);
    assert_eq!(cache.student_tokens(b"other").unwrap().unwrap().embeddings, other);
    assert_eq!(cache.student_tokens(b"third").unwrap(), None);

    let file = student_tokens_file(b"one");
    fs::write(folder.join(&file), b"no Parquet").unwrap();
    assert!(Cache::open(folder).unwrap().student_tokens(b"one").unwrap_err().to_string().contains(&file));
    let writer = CacheWriter::open(folder, spec()).unwrap();
    assert!(!writer.has_student_tokens(b"one") && writer.has_student_tokens(b"other"));
    assert!(writer.rejected()[0].contains(&file));
}

#[test]
fn shards_are_plain_parquet() {
    let folder = tempfile::tempdir().unwrap();
    whole(folder.path());
    let file = fs::File::open(folder.path().join("shard-00001.parquet")).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let names: Vec<_> = builder.schema().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["id", "text", "embedding"]);
    let DataType::FixedSizeList(element, 3) = builder.schema().field(2).data_type() else { panic!("no fixed list") };
    assert_eq!(element.data_type(), &DataType::Float16);

    let metadata = builder.metadata();
    assert_eq!(metadata.num_row_groups(), 1);
    let column = metadata.row_group(0).column(2);
    assert_eq!(column.compression(), Compression::UNCOMPRESSED);
    assert!(column.encodings().all(|encoding| matches!(encoding, Encoding::PLAIN | Encoding::RLE)));
    assert!(column.dictionary_page_offset().is_none() && column.statistics().is_none());

    let batch: RecordBatch = builder.build().unwrap().next().unwrap().unwrap();
    assert_eq!(batch.column(0).as_primitive::<UInt64Type>().values()[..], [4, 5, 6, 7]);
    assert_eq!(batch.column(1).as_string::<i32>().value(0), "text 4\u{1f600}");
    let numbers = batch.column(2).as_fixed_size_list().values().clone();
    assert_eq!(numbers.as_primitive::<Float16Type>().value(1).to_f32(), 0.25);
}

#[test]
fn an_index_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.json");
    fs::write(&path, "{").unwrap();
    assert!(matches!(error(Cache::open(folder.path())), CacheError::Index { .. }));
    fs::write(&path, r#"{"version": 99}"#).unwrap();
    let version = error(CacheWriter::open(folder.path(), spec()));
    assert!(matches!(version, CacheError::Version { found: 99, .. }), "{version}");
    let files = whole(tempfile::tempdir().unwrap().path());
    let good = String::from_utf8(files.into_iter().find(|(name, _)| name == "cache.json").unwrap().1).unwrap();
    for (from, to) in [
        ("\"shard-00001.parquet\"", "\"../../elsewhere\""),
        ("\"shard_rows\": 4", "\"shard_rows\": 0"),
        ("\"shard\": 1", "\"shard\": 7"),
        ("\"rows\": 10", "\"rows\": 18446744073709551615"),
    ] {
        assert!(good.contains(from), "{from}");
        fs::write(&path, good.replace(from, to)).unwrap();
        assert!(matches!(error(Cache::open(folder.path())), CacheError::Index { .. }), "{to}");
    }
}

#[test]
fn a_number_type_that_a_cache_cannot_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = error(CacheWriter::open(folder.path(), CacheSpec { storage: VectorType::Int8, ..spec() }));
    assert!(refused.to_string().ends_with("vectors are stored as f16 or f32, not as int8"), "{refused}");
}
