//! AdamW for dense variables, and its sparse sister for embedding tables.

mod adamw;
mod in_place;
mod sparse;

pub use adamw::{AdamW, AdamWSettings};
pub use sparse::SparseTable;

pub use crate::number::Number;
