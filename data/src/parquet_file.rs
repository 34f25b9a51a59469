//! Reads Parquet files. The parquet library panics on some damaged files; here such a panic becomes an error of the
//! file.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use crate::error::{Error, Result};

/// Runs `work` of the library on the file at `path`. After an error, values that `work` changed must not be used.
pub(crate) fn caught<T>(path: &Path, work: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
    unwound(work).map_err(Error::read_parquet::<ParquetError>(path))
}

fn unwound<T>(work: impl FnOnce() -> parquet::errors::Result<T>) -> parquet::errors::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let message = message.unwrap_or("without a message");
        Err(ParquetError::General(format!("the parquet library panicked: {message}")))
    })
}

/// The next batch of a reader.
pub(crate) fn next_batch(
    reader: &mut ParquetRecordBatchReader,
) -> Option<std::result::Result<RecordBatch, ArrowError>> {
    unwound(|| Ok(reader.next())).unwrap_or_else(|error| Some(Err(error.into())))
}

/// Opens the file at `path` and reads its schema.
pub(crate) fn open(path: &Path, options: ArrowReaderOptions) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    caught(path, || ParquetRecordBatchReaderBuilder::try_new_with_options(file, options))
}

/// The batches of the file at `path`, decoded by `decode`.
pub(crate) fn batches<T, F>(
    builder: ParquetRecordBatchReaderBuilder<File>,
    path: &Path,
    decode: F,
) -> Result<impl Iterator<Item = Result<T>> + Send + use<T, F>>
where
    F: Fn(&RecordBatch) -> std::result::Result<T, ArrowError> + Send,
{
    let (path, mut reader) = (path.to_owned(), caught(path, || builder.build())?);
    let batches = std::iter::from_fn(move || next_batch(&mut reader));
    Ok(batches.map(move |batch| batch.and_then(|batch| decode(&batch)).map_err(Error::read_parquet(&path))))
}

/// The rows of the file at `path`; `decode` gives those of a batch.
pub(crate) fn rows<T, F>(
    builder: ParquetRecordBatchReaderBuilder<File>,
    path: &Path,
    decode: F,
) -> Result<impl Iterator<Item = Result<T>> + Send + use<T, F>>
where
    T: Send,
    F: Fn(&RecordBatch) -> std::result::Result<Vec<T>, ArrowError> + Send,
{
    Ok(batches(builder, path, decode)?
        .flat_map(|batch| batch.map_or_else(|error| vec![Err(error)], |rows| rows.into_iter().map(Ok).collect())))
}
