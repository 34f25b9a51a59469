//! Which compressed Parquet columns can be read.

use std::path::Path;

use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;

use crate::error::{Error, Result};

/// Refuses compression that the parquet crate is built without, or does not know, in the top-level columns at `roots`.
pub(crate) fn check_codecs(metadata: &ParquetMetaData, roots: &[usize], path: &Path) -> Result<()> {
    let schema = metadata.file_metadata().schema_descr();
    let columns = metadata.row_groups().iter().flat_map(|group| group.columns().iter().enumerate());
    for (leaf, column) in columns {
        let codec = match column.compression() {
            Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) | Compression::ZSTD(_) => continue,
            Compression::BROTLI(_) => "brotli".to_owned(),
            other => other.to_string(),
        };
        if roots.contains(&schema.get_column_root_idx(leaf)) {
            let column = schema.get_column_root(leaf).name().to_owned();
            return Err(Error::Codec { path: path.to_owned(), column, codec });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, RecordBatch};
    use parquet::arrow::ArrowWriter;

    use super::*;

    /// The metadata of a file with the columns `a` and `b`, of which `b` says that it is compressed with `codec`.
    fn metadata(codec: Compression) -> ParquetMetaData {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("a", numbers.clone()), ("b", numbers)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let mut file = writer.close().unwrap().into_builder();
        let groups = file.take_row_groups().into_iter().map(|group| {
            let mut group = group.into_builder();
            let mut columns = group.take_columns();
            let b = columns.pop().unwrap().into_builder().set_compression(codec).build().unwrap();
            columns.push(b);
            group.set_column_metadata(columns).build().unwrap()
        });
        let groups = groups.collect();
        file.set_row_groups(groups).build()
    }

    #[test]
    fn a_codec_that_is_not_built_in_is_refused_with_what_helps() {
        for (codec, name) in [(Compression::BROTLI(Default::default()), "brotli"), (Compression::LZ4_RAW, "LZ4_RAW")] {
            let error = check_codecs(&metadata(codec), &[0, 1], Path::new("x.parquet")).unwrap_err();
            let expected = format!("x.parquet: the column `b` is compressed with {name}, which cannot be read here");
            assert_eq!(error.to_string(), expected);
            assert!(error.hint().unwrap().contains("snappy, zstd or gzip"));
        }
    }

    #[test]
    fn a_column_that_is_not_read_may_have_any_codec() {
        assert!(check_codecs(&metadata(Compression::LZ4), &[0], Path::new("x.parquet")).is_ok());
        assert!(check_codecs(&metadata(Compression::SNAPPY), &[0, 1], Path::new("x.parquet")).is_ok());
    }
}
