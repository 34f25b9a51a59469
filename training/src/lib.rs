//! How anything in limbeck learns: losses, the optimiser, the schedule, checkpoints and the metrics log.
//!
//! Nothing here knows a model. A loss takes tensors and gives a scalar tensor; the optimiser takes named variables
//! and their gradients; a checkpoint is a folder with tensors and a state of its owner's.

pub mod by_type;
pub mod checkpoint;
pub mod contrastive;
mod error;
pub mod losses;
pub mod metrics;
pub mod optimiser;
pub mod random;
pub mod schedule;
pub mod space;

pub use error::{Error, Result};
