//! Text, assets and the embedding cache.

pub mod error;
pub mod files;
pub mod interrupt;
pub mod progress;

pub use error::{Error, Result};
pub use interrupt::{Interrupt, Interrupted};
