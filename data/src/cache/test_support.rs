//! What the cache's tests share.

use super::CacheError;
use crate::Error;

/// The error of a cache that `result` should be.
#[track_caller]
pub(super) fn error<T>(result: crate::Result<T>) -> CacheError {
    match result {
        Err(Error::Cache(error)) => error,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("no error"),
    }
}
