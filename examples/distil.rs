//! Distils a student from a cache of vectors by the library, without a recipe.
//!
//! ```sh
//! limbeck embed --teacher hf:sentence-transformers/all-MiniLM-L6-v2 --input corpus.txt.gz --to cache
//! cargo run --release --example distil -- cache student
//! ```
//!
//! The cache may also be Parquet that another tool wrote, with a text and a vector column; then name a tokenizer too.

use std::error::Error;
use std::path::{Path, PathBuf};

use candle_core::Device;
use limbeck_data::Monitor;
use limbeck_data::cache::Cache;
use limbeck_encoder::{Precision, Tokenizer};
use limbeck_student::config::{ARCHITECTURE, AttentionConfig, StudentConfig};
use limbeck_student::distil::{DistilJob, DistilSettings, Targets, distil, remove_checkpoints};
use limbeck_student::fold::write_folded;
use limbeck_student::folder::StudentFolder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [cache, to, named @ ..] = arguments.as_slice() else {
        return Err("distil CACHE STUDENT [TOKENIZER.json]".into());
    };
    let cache = Cache::open(cache)?;
    let tokenizer = named.first().cloned().or(cache.tokenizer()).ok_or("the cache has no tokenizer.json: name one")?;
    let tokenizer = Tokenizer::from_file(&tokenizer)?;

    let targets = Targets { cache: &cache, held_out: None, tokenizer: &tokenizer, max_tokens: None };
    let config = StudentConfig {
        architecture: ARCHITECTURE.into(),
        vocabulary: targets.vocabulary(),
        embedding: targets.dimension(),
        dimension: targets.dimension(),
        convolutions: Vec::new(),
        attention: Some(AttentionConfig { heads: 4, width: 3, filters: 32, values: Some(32) }),
        skip: true,
        max_tokens: None,
    };
    let job = DistilJob {
        documents: None,
        targets,
        config,
        settings: &DistilSettings::default(),
        student: None,
        folder: to,
        metrics: to.join("metrics.jsonl"),
        stage: "distil",
        device: Device::Cpu,
    };
    let (model, summary) = distil(&job, Monitor::silent())?;
    println!("held-out cosine {:.3} at the start, {:.3} after {} steps", summary.start, summary.best, summary.steps);

    let student = StudentFolder { model, tokenizer, lexical: None, origin: serde_json::Value::Null };
    student.save(to)?;
    remove_checkpoints(to)?;
    let folded = to.join("student.int8.limbeck");
    println!("{}: {} bytes", folded.display(), write_folded(&student, Precision::Int8, Path::new(&folded))?);
    Ok(())
}
