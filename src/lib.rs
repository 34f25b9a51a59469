//! The library behind the command `limbeck`.
//!
//! ```text
//! recipe (TOML) ─► Plan ─► pipeline: stages in order ─► summary ─► report
//!                               │        ▲
//!                 measure ◄─────┘        └───── commands: plans of one stage
//! ```
//!
//! [`recipe`] reads what a run is to do, [`pipeline`] does it stage by stage, [`measure`] measures models, and
//! [`summary`] and [`report`] show the results. [`commands`] is the command line; the binary only parses, calls it and
//! turns an error into an exit code.
//!
//! ```no_run
//! use limbeck::pipeline::{Pipeline, PlannedRun, RunFolder, RunOptions};
//! use limbeck::recipe::{self, Plan};
//! use limbeck_data::progress::Silent;
//! use limbeck_data::{Interrupt, Monitor, assets::AssetStore};
//!
//! # fn main() -> limbeck::Result<()> {
//! let path = "pipelines/quickstart.toml".as_ref();
//! let plan = Plan::new(recipe::read(path, &[])?, path)?;
//! let chain = vec![PlannedRun { plan, folder: RunFolder::new("runs/quickstart".into()) }];
//! let interrupt = Interrupt::new();
//! let pipeline = Pipeline { chain, store: AssetStore::of_user(), monitor: Monitor::new(&Silent, &interrupt) };
//! if let Some(summary) = pipeline.run(&RunOptions::default())? {
//!     println!("{}", limbeck::summary::table(&summary));
//! }
//! # Ok(())
//! # }
//! ```

pub mod cache_teacher;
pub mod commands;
pub mod each;
pub mod error;
pub mod halves;
mod json_file;
pub mod measure;
pub mod models;
pub mod output;
pub mod pipeline;
pub mod recipe;
pub mod report;
pub mod search;
pub mod summary;
pub mod terminal;
mod vector_parquet;
pub mod vectors;

pub use error::{Error, Result};
