//! Distillation: a student learns the cached vectors of a teacher.
//!
//! ```text
//! cache ─► survey (token counts, held-out sample) ─► start ─► for each epoch, window of slices, batch:
//!              tokens ─► pool ─► project ─► losses against the targets ─► gradients ─► AdamW, sparse and dense
//!                                              every so often: held-out fidelity (best kept), checkpoint
//! ```
//!
//! The order of the examples is a function of the seed, the epoch and the cache; random numbers of the step. A run that was
//! killed goes on from its last checkpoint and ends in the same bytes.

mod begin;
mod checkpoint;
mod matryoshka;
mod order;
mod settings;
mod step;
mod targets;
#[cfg(test)]
mod tests;
mod train;

pub use begin::start_student;
pub use matryoshka::Matryoshka;
pub use settings::{ContrastiveKd, DistilSettings, InfoNce, Losses, RelationalKl};
pub use targets::{HeldOut, Survey, Targets};
pub use train::{DistilJob, DistilSummary, distil, forget};
