//! Tests of reading external Parquet.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::*;
use half::f16;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::test_support::error;
use super::*;
use crate::Error;

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, group_rows: usize) {
    write_compressed(path, columns, group_rows, Compression::UNCOMPRESSED);
}

fn write_compressed(path: &Path, columns: Vec<(&str, ArrayRef)>, group_rows: usize, compression: Compression) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties =
        WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn texts(count: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values((0..count).map(|row| format!("text {row}"))))
}

/// Row `i` is `[i + 1, -1]`.
fn lists(count: usize) -> ArrayRef {
    let rows = (0..count).map(|row| Some([Some(row as f32 + 1.0), Some(-1.0)]));
    Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows))
}

fn list_of(rows: &[&[f32]]) -> ArrayRef {
    let rows = rows.iter().map(|row| Some(row.iter().map(|&number| Some(number))));
    Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows))
}

#[test]
fn lists_of_every_type_are_read_as_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made elsewhere.parquet");
    let field = |data_type| Arc::new(Field::new("item", data_type, true));
    let fixed = |data_type, numbers: ArrayRef| -> ArrayRef {
        Arc::new(FixedSizeListArray::new(field(data_type), 2, numbers, None))
    };
    let halves = Float16Array::from([1.0, -1.0, 2.0, -1.0].map(f16::from_f32).to_vec());
    let doubles = || Float64Array::from(vec![1.0, -1.0, 2.0, -1.0]);
    let large = (0..2).map(|row| Some([Some(row as f64 + 1.0), Some(-1.0)]));
    let vectors = [
        lists(2),
        fixed(DataType::Float16, Arc::new(halves)),
        fixed(DataType::Float64, Arc::new(doubles())),
        Arc::new(LargeListArray::from_iter_primitive::<Float64Type, _, _>(large)),
    ];
    let texts: [ArrayRef; 3] = [
        Arc::new(LargeStringArray::from(vec!["a", ""])),
        Arc::new(StringViewArray::from(vec!["a", ""])),
        Arc::new(vec!["a", ""].into_iter().collect::<DictionaryArray<Int32Type>>()),
    ];
    for (vectors, texts) in vectors.iter().zip(texts.iter().cycle()) {
        // The names give no clue, and another column lies between.
        let number: ArrayRef = Arc::new(Int32Array::from(vec![7, 8]));
        write(&path, vec![("v", vectors.clone()), ("n", number), ("s", texts.clone())], 1000);
        let cache = Cache::open(&path).unwrap();
        assert_eq!((cache.rows(), cache.dimension(), cache.shards()), (2, 2, 1));
        assert!(cache.complete() && cache.fingerprint().is_none());
        let shard = cache.read(0).unwrap();
        assert_eq!(shard.texts, ["a", ""]);
        assert_eq!(shard.embeddings, [1.0, -1.0, 2.0, -1.0]);
    }
}

#[test]
fn the_usual_compressions_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("compressed.parquet");
    for compression in
        [Compression::SNAPPY, Compression::GZIP(Default::default()), Compression::ZSTD(Default::default())]
    {
        write_compressed(&path, vec![("text", texts(100)), ("v", lists(100))], 40, compression);
        let cache = Cache::open(&path).unwrap();
        assert_eq!((cache.rows(), cache.read(2).unwrap().embeddings[0]), (100, 81.0));
    }
}

#[test]
fn large_row_groups_are_cut_and_read_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.parquet"), vec![("text", texts(40_000)), ("v", lists(40_000))], 35_000);
    fs::create_dir(folder.path().join("b")).unwrap();
    write(&folder.path().join("b/c.parquet"), vec![("text", texts(10)), ("v", lists(10))], 35_000);
    fs::write(folder.path().join("_SUCCESS"), "").unwrap();
    fs::write(folder.path().join("._hidden.parquet"), "no Parquet").unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!(cache.rows(), 40_010);
    let sizes: Vec<_> = (0..cache.shards()).map(|shard| cache.shard_rows(shard)).collect();
    assert_eq!(sizes, [16_384, 16_384, 35_000 - 32_768, 5_000, 10]);
    let in_order: Vec<_> = (0..5).map(|shard| cache.read(shard).unwrap()).collect();
    let mut id = 0;
    for (shard, rows) in in_order.iter().zip(sizes) {
        assert_eq!((shard.first_id, shard.rows(), shard.embeddings.len()), (id, rows, rows * 2));
        id += rows as u64;
    }
    assert_eq!(in_order[1].texts[0], "text 16384");
    assert_eq!(in_order[2].embeddings[0], 32_769.0);
    assert_eq!(in_order[4].texts[9], "text 9");
    for shard in [2, 0, 3, 1, 1, 4] {
        assert!(cache.read(shard).unwrap() == in_order[shard], "shard {shard}");
    }
    let slices = cache.slices().iter().map(|slice| cache.read_slice(slice).unwrap()).collect::<Vec<_>>();
    assert!(slices == in_order, "a slice is a shard");
}

#[test]
fn an_unfit_row_is_named_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let good: &[f32] = &[1.0, 2.0];
    let cases = [
        (list_of(&[good, good, &[1.0, f32::NAN]]), RowProblem::NotFinite { position: 1 }),
        (list_of(&[good, good, &[f32::INFINITY, 1.0]]), RowProblem::NotFinite { position: 0 }),
        (list_of(&[good, good, &[0.0, 0.0]]), RowProblem::Zero),
        (list_of(&[good, good, &[1.0]]), RowProblem::Width { found: 1, expected: 2 }),
    ];
    for (vectors, expected) in cases {
        // Row groups of two: the third row is the first of the second shard, and keeps its number in the file.
        write(&path, vec![("text", texts(3)), ("v", vectors)], 2);
        let cache = Cache::open(&path).unwrap();
        cache.read(0).unwrap();
        let error = error(cache.read(1));
        assert!(error.to_string().contains("rows.parquet, row 2"), "{error}");
        assert!(matches!(error, CacheError::Row { row: 2, problem, .. } if problem == expected));
    }
    let nulls: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    write(&path, vec![("text", nulls), ("v", lists(2))], 2);
    let null = error(Cache::open(&path).unwrap().read(0));
    assert!(matches!(null, CacheError::Row { row: 1, problem: RowProblem::NullText, .. }));
    let rows = [Some(vec![Some(1.0)]), None];
    let nulls: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows));
    write(&path, vec![("text", texts(2)), ("v", nulls)], 2);
    let null = error(Cache::open(&path).unwrap().read(0));
    assert!(matches!(null, CacheError::Row { row: 1, problem: RowProblem::NullVector, .. }));
}

#[test]
fn columns_are_found_by_name_or_type_or_the_choice_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.parquet");
    let other = || Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef;
    write(&path, vec![("title", other()), ("body", texts(2)), ("v", lists(2)), ("w", list_of(&[&[5.0], &[6.0]]))], 9);
    let unclear = error(Cache::open(&path));
    assert!(matches!(unclear, CacheError::WhichColumn { role: "text", found: 2, .. }));
    assert!(unclear.to_string().contains("title (Utf8)"), "{unclear}");
    let columns = Columns { text: Some("body".into()), vector: Some("w".into()) };
    let shard = Cache::open_columns(&path, &columns).unwrap().read(0).unwrap();
    assert_eq!((shard.texts[0].as_str(), &shard.embeddings[..]), ("text 0", &[5.0, 6.0][..]));
    let wrong = Columns { text: Some("v".into()), ..columns };
    assert!(matches!(error(Cache::open_columns(&path, &wrong)), CacheError::NoSuchColumn { role: "text", .. }));

    write(&path, vec![("title", other()), ("text", texts(2)), ("v", lists(2))], 9);
    assert_eq!(Cache::open(&path).unwrap().read(0).unwrap().texts[0], "text 0");
    write(&path, vec![("text", texts(2))], 9);
    assert!(matches!(error(Cache::open(&path)), CacheError::WhichColumn { role: "vector", found: 0, .. }));
}

#[test]
fn a_truncated_or_empty_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.parquet");
    write(&path, vec![("text", texts(3)), ("v", lists(3))], 9);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let cut = Cache::open(&path).unwrap_err();
    assert!(matches!(cut, Error::ReadParquet { .. }));
    assert!(cut.to_string().contains("cut.parquet") && cut.hint().is_some(), "{cut}");
    write(&path, vec![("text", texts(0)), ("v", lists(0))], 9);
    assert!(matches!(error(Cache::open(&path)), CacheError::Empty { .. }));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(error(Cache::open(empty.path())), CacheError::Nothing { .. }));
    assert!(Cache::open(&folder.path().join("no")).unwrap_err().to_string().contains("no"));
}
