use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, TimestampSecondArray};
use arrow::datatypes::DataType;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;

fn named(names: &[&str]) -> PieceColumns {
    let kept = KeptColumns::Named(names.iter().map(|&name| name.to_owned()).collect());
    PieceColumns { kept, ..PieceColumns::default() }
}

/// Five rows of `id`, `at` and `text` in row groups of two.
fn write_parquet(path: &Path, first: i64) {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + 5));
    let at: ArrayRef = Arc::new(TimestampSecondArray::from_iter_values(0..5).with_timezone("UTC"));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("c"), Some("d"), Some("e")]));
    let batch = RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("at", at, true), ("text", texts, true)])
        .unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn all_rows(piece: &TextPiece, columns: &PieceColumns) -> (Vec<FieldRef>, Vec<String>, Vec<Vec<ArrayRef>>) {
    let PieceRows { fields, batches } = piece.rows(columns).unwrap();
    let (mut texts, mut kept) = (Vec::new(), Vec::new());
    for batch in batches.map(Result::unwrap) {
        texts.extend(batch.texts.iter().map(|text| text.unwrap().to_owned()));
        kept.push(batch.kept);
    }
    (fields, texts, kept)
}

#[test]
fn a_folder_is_cut_into_its_files() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b/one.parquet", "a.jsonl.gz", "c.pdf"] {
        files::write_bytes(&folder.path().join(name), b"").unwrap();
    }
    let found = pieces(folder.path(), &PieceColumns::default()).unwrap();
    let names: Vec<PathBuf> = found.iter().map(TextPiece::output_name).collect();
    assert_eq!(names, ["a.jsonl.gz.parquet", "b/one.parquet"].map(PathBuf::from));
}

#[test]
fn a_parquet_file_is_cut_into_its_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.parquet");
    write_parquet(&path, 0);
    let columns = named(&["id"]);
    let found = pieces(&path, &columns).unwrap();
    let names: Vec<PathBuf> = found.iter().map(TextPiece::output_name).collect();
    assert_eq!(names, [0, 1, 2].map(|group| PathBuf::from(format!("big-{group:05}.parquet"))));
    let texts: Vec<Vec<String>> = found.iter().map(|piece| all_rows(piece, &columns).1).collect();
    assert_eq!(texts, [vec!["a", ""], vec!["c", "d"], vec!["e"]]);
}

#[test]
fn kept_columns_of_parquet_stay_as_they_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    write_parquet(&path, 7);
    let columns = named(&["at", "id"]);
    let (fields, _, kept) = all_rows(&pieces(folder.path(), &columns).unwrap()[0], &columns);
    assert_eq!(fields.iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["at", "id"]);
    assert!(matches!(fields[0].data_type(), DataType::Timestamp(_, Some(zone)) if &**zone == "UTC"));
    let ids: Vec<i64> = kept
        .iter()
        .flat_map(|batch| batch[1].as_primitive::<arrow::datatypes::Int64Type>().values().to_vec())
        .collect();
    assert_eq!(ids, [7, 8, 9, 10, 11]);
}

#[test]
fn kept_fields_of_json_lines_are_strings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jsonl");
    std::fs::write(&path, "{\"id\": 1, \"text\": \"a\"}\n{\"id\": 2, \"text\": \"b\"}\n").unwrap();
    let columns = PieceColumns { kept: KeptColumns::All, ..PieceColumns::default() };
    let (fields, texts, kept) = all_rows(&pieces(&path, &columns).unwrap()[0], &columns);
    assert_eq!(fields.iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["id", "text"]);
    assert_eq!(texts, ["a", "b"]);
    assert_eq!(kept[0][0].as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["1", "2"]);
}

#[test]
fn a_text_of_another_column_is_added_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    std::fs::write(&path, "id,title,text\n1,a,no\n").unwrap();
    let columns = PieceColumns { text: Some("title".into()), with_text: true, ..named(&["id"]) };
    let (fields, texts, kept) = all_rows(&pieces(&path, &columns).unwrap()[0], &columns);
    assert_eq!(fields.iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["id", "text"]);
    assert_eq!(texts, ["a"]);
    assert_eq!(kept[0][1].as_string::<i32>().value(0), "a");
}

#[test]
fn a_column_that_is_missing_is_named_with_those_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    write_parquet(&folder.path().join("x.parquet"), 0);
    std::fs::write(folder.path().join("y.txt"), "a\n").unwrap();
    let columns = named(&["url"]);
    for (piece, known) in pieces(folder.path(), &columns).unwrap().iter().zip(["id, at, text", "text"]) {
        let error = piece.rows(&columns).err().unwrap();
        assert!(error.to_string().contains("has no column `url`"), "{error}");
        assert_eq!(error.hint().unwrap(), format!("its columns are: {known}"));
    }
}

#[test]
fn the_hash_of_a_parquet_piece_is_of_the_columns_that_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let hashes = |first: i64, names: &[&str]| {
        let path = folder.path().join("x.parquet");
        write_parquet(&path, first);
        let columns = named(names);
        pieces(&path, &columns).unwrap().iter().map(|piece| piece.sha256(&columns).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(hashes(0, &[]), hashes(9, &[]));
    assert_ne!(hashes(0, &["id"]), hashes(9, &["id"]));
    let three = hashes(0, &["id"]);
    assert!(three[0] != three[1] && three[1] != three[2]);
}

#[test]
fn files_without_rows_have_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.txt"), "").unwrap();
    let columns = PieceColumns { with_text: true, ..PieceColumns::default() };
    let (fields, texts, _) = all_rows(&pieces(folder.path(), &columns).unwrap()[0], &columns);
    assert_eq!((fields.len(), texts.len()), (1, 0));
}
