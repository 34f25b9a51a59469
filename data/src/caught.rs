//! The parquet library panics on some damaged files; here such a panic becomes an error of the file.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;

/// Does some work of the library. Whatever the work had in its hands must not be used after an error.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let said = said.unwrap_or("without a message");
        Err(ParquetError::General(format!("the parquet library panicked: {said}")))
    })
}

/// The next batch of a reader.
pub(crate) fn next_batch(reader: &mut ParquetRecordBatchReader) -> Option<Result<RecordBatch, ArrowError>> {
    caught(|| Ok(reader.next())).unwrap_or_else(|error| Some(Err(error.into())))
}
