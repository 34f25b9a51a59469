//! A teacher behind an API that answers as OpenAI's `POST /v1/embeddings`.
//!
//! ```text
//! texts ──► requests (plan) ──► client ──► answer: sorted by index, checked, of length 1
//!              │                  ├── 413, 422: halves
//!              │                  └── 429, 5xx, no connection: wait, again
//!              └── ledger: tokens and caps, kept in a file
//! ```
//!
//! The key comes from an environment variable and is in no file, log or error.

mod answer;
mod client;
mod error;
mod ledger;
mod requests;
mod retry;
mod settings;
mod teacher;
#[cfg(test)]
#[path = "../../../tests/support/api_server.rs"]
mod test_server;

pub use error::ApiError;
pub use ledger::{Spending, cost};
pub use requests::ApiEstimate;
pub use settings::{ApiEncoding, ApiSettings};
pub use teacher::ApiTeacher;

/// Rows of a shard of a cache that an API fills: a job that is killed pays again for fewer texts than these.
pub const API_SHARD_ROWS: usize = 2_048;
