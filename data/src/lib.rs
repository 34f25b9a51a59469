//! Text, assets and the embedding cache.

pub mod assets;
pub mod cache;
mod caught;
pub mod error;
pub mod examples;
pub mod files;
pub mod interrupt;
pub mod monitor;
pub mod progress;
pub mod sts;
pub mod text;

pub use error::{Error, Result};
pub use interrupt::{Interrupt, Interrupted, is_interrupted};
pub use monitor::Monitor;
