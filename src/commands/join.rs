//! `limbeck join`: several teachers' caches as one.

use std::path::PathBuf;

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::VectorType;
use limbeck_data::cache::Cache;
use limbeck_data::files::lock_folder;
use limbeck_student::join::{Join, JoinJob, Settings, join};

use super::common::print_path;
use super::embed::storage;
use super::overwrite_guard::refuse_nested;
use crate::error::{Error, Result};

#[derive(Args)]
#[command(after_help = "Example:\n  limbeck embed --teacher minilm --input corpus.txt.gz --to one\n  \
                  limbeck embed --teacher e5 --prefix 'query: ' --input corpus.txt.gz \\\n      \
                  --student-tokenizer one/tokenizer.json --to two\n  \
                  limbeck join --cache one --cache two --weights 1,1.5 --to both\n  \
                  limbeck distil --cache both --to student")]
pub(super) struct Arguments {
    /// A cache that `limbeck embed` made, or Parquet with a text and a vector column; two or more, of the same texts in
    /// the same order
    #[arg(long = "cache", value_name = "CACHE", required = true)]
    caches: Vec<PathBuf>,

    /// The weight of each teacher's cosine, in the order of the caches; all the same by default
    #[arg(long, value_name = "W,W", value_delimiter = ',', conflicts_with = "like")]
    weights: Vec<f64>,

    /// The share of each teacher's mean vector that is subtracted from its vectors, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, conflicts_with = "like")]
    centre: f64,

    /// The width of the joined vectors; the first cache's by default
    #[arg(long, value_name = "N", conflicts_with = "like")]
    dimension: Option<usize>,

    /// Join other texts' caches of the same teachers by the map of this joined cache
    #[arg(long, value_name = "JOINED")]
    like: Option<PathBuf>,

    /// How vectors are stored: f16 or f32
    #[arg(long, value_name = "PRECISION", default_value = "f16", value_parser = storage)]
    storage: VectorType,

    /// The folder of the joined cache
    #[arg(long, value_name = "CACHE")]
    to: PathBuf,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let count = arguments.caches.len();
    if count < 2 {
        return Err(Error::Usage("--cache: two or more caches can be joined".into()));
    }
    if !arguments.weights.is_empty() && arguments.weights.len() != count {
        return Err(Error::Usage(format!("--weights has {} numbers for {count} caches", arguments.weights.len())));
    }
    refuse_nested(&arguments.to, arguments.caches.iter().chain(&arguments.like))?;
    let caches = arguments.caches.iter().map(|path| Cache::open(path)).collect::<limbeck_data::Result<Vec<_>>>()?;
    let like = arguments.like.as_deref().map(Join::open).transpose()?;
    let weights = if arguments.weights.is_empty() { vec![1.0; count] } else { arguments.weights.clone() };
    let dimension = arguments.dimension.unwrap_or(caches[0].dimension());
    let settings = Settings { weights, centre: arguments.centre, dimension };
    settings.check(&caches).map_err(|error| Error::Usage(format!("--{error}")))?;
    if let Some(like) = &like {
        like.check(&caches)?;
    }
    let _lock = lock_folder(&arguments.to)?;
    let map = match like {
        Some(like) => like,
        None => {
            // An interrupted job has written its map already.
            match Join::open(&arguments.to) {
                Ok(before) if before.is_for(&caches, &settings) => before,
                _ => Join::find(&caches, &settings, monitor)?,
            }
        }
    };
    let (storage, folder) = (arguments.storage, arguments.to.as_path());
    let summary = join(&JoinJob { caches: &caches, join: &map, storage, folder, monitor })?;
    if let Some(why) = summary.no_tokens {
        monitor.note(&format!("{why}: `limbeck distil` needs --tokenizer, and its start is the least-squares model"));
    }
    if summary.left_out > 0 {
        monitor.note(&format!("{} rows that some cache lacks are left out", summary.left_out));
    }
    monitor.note(&format!("{} sentences, {} dimensions", summary.rows, map.map.dimension()));
    print_path(&arguments.to)
}
