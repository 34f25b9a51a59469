//! Distillation of a student of size `m`: texts a second, from the cache to the trained student, one epoch.
//!
//! ```sh
//! cargo bench -p limbeck-student
//! ```
//!
//! Texts and targets are made up; the tables, the words of a batch and the cache are as large as in earnest.

#[path = "../../encoder/benches/fixtures/mod.rs"]
mod fixtures;

use std::path::Path;

use candle_core::Device;
use divan::{Bencher, counter::ItemsCount};
use limbeck_data::cache::{Cache, CacheSpec, CacheWriter, Fingerprint, SHARD_ROWS};
use limbeck_data::progress::Silent;
use limbeck_data::{Interrupt, Monitor, VectorType};
use limbeck_encoder::Tokenizer;
use limbeck_student::config::{ARCHITECTURE, AttentionConfig, StudentConfig};
use limbeck_student::distil::{DistilJob, DistilSettings, Targets, distil};

fn main() {
    divan::main();
}

const DIMENSION: usize = 384;

/// Writes a cache of `rows` texts.
fn write_cache(folder: &Path, rows: usize) {
    let (tokenizer, texts) = fixtures::bert(30_000, rows);
    let spec = CacheSpec::new(DIMENSION, VectorType::F16, Fingerprint::default());
    let mut writer = CacheWriter::open(folder, spec).expect("a cache");
    let mut random = fastrand::Rng::with_seed(2);
    for (shard, texts) in texts.chunks(SHARD_ROWS).enumerate() {
        writer.write(shard, texts, &fixtures::numbers(&mut random, texts.len() * DIMENSION)).expect("a shard");
    }
    let tokens = Tokenizer::from_bytes(&tokenizer, Path::new("tokenizer.json")).expect("a tokenizer");
    let words: Vec<String> = (0..=tokens.vocabulary()).map(|id| tokens.token(id as u32).unwrap_or_default()).collect();
    writer
        .write_tokens(&tokenizer, &words, &fixtures::numbers(&mut random, words.len() * DIMENSION))
        .expect("the tokens");
    writer.finish(rows as u64).expect("the cache");
}

/// One epoch over so many texts: the time a text should not depend on how many there are.
#[divan::bench(args = [32_768, 131_072], sample_count = 3, sample_size = 1)]
fn epoch(bencher: Bencher, rows: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path().join("cache");
    write_cache(&at, rows);
    let cache = Cache::open(&at).expect("the cache");
    let tokenizer = Tokenizer::from_file(&cache.tokenizer().expect("its tokenizer")).expect("a tokenizer");
    let targets = || Targets { cache: &cache, held_out: None, tokenizer: &tokenizer, max_tokens: None };
    let config = StudentConfig {
        architecture: ARCHITECTURE.into(),
        vocabulary: targets().vocabulary(),
        embedding: DIMENSION,
        dimension: DIMENSION,
        convolutions: Vec::new(),
        attention: Some(AttentionConfig { heads: 16, width: 5, filters: 96, values: Some(32) }),
        skip: true,
        max_tokens: None,
    };
    let settings = DistilSettings { epochs: 1, ..DistilSettings::default() };
    bencher.counter(ItemsCount::new(rows)).bench_local(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let job = DistilJob {
            targets: targets(),
            documents: None,
            config: config.clone(),
            settings: &settings,
            student: None,
            folder: folder.path(),
            metrics: folder.path().join("metrics.jsonl"),
            stage: "distil",
            device: Device::Cpu,
        };
        distil(&job, Monitor::new(&Silent, &Interrupt::new())).expect("a student")
    });
}
