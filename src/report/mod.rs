//! The results of a run for people: `report.html`, the student's model card, and curves for the terminal.
//!
//! Everything here is drawn from the files of a run: `summary.json`, `held-out.json`, `metrics.jsonl` and
//! `recipe.toml`. Nothing is measured again, and the same files give the same bytes.

pub mod card;
mod figures;
mod history;
mod page;
mod plot;
mod run;
mod sparkline;

pub use history::History;
pub use page::page;
pub use run::{FILE, FinishedRun, read_all};
pub use sparkline::{curves, sparkline};
