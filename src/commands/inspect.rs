use std::path::{Path, PathBuf};

use anyhow::Context as _;
use candle_core::Device;
use clap::Args;
use limbeck::model::{Kind, kind};
use limbeck_data::cache::Cache;
use limbeck_encoder::Student;
use limbeck_student::folder::StudentFolder;
use limbeck_teacher::TeacherFolder;

use super::common::Session;

/// Say what a file or folder is: a cache, a model or a checkpoint
#[derive(Args)]
#[command(after_help = "Example:\n  limbeck inspect runs/quickstart/cache/train")]
pub struct Arguments {
    /// The file or folder
    path: PathBuf,
}

pub fn run(arguments: &Arguments, _session: &Session) -> anyhow::Result<()> {
    let path = &arguments.path;
    std::fs::metadata(path).with_context(|| path.display().to_string())?;
    let has_cache = path.is_dir()
        && std::fs::read_dir(path)?.flatten().any(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.starts_with("cache") && name.ends_with(".json") || name.ends_with(".parquet")
        });
    if has_cache || path.extension().is_some_and(|extension| extension == "parquet") {
        return cache(path);
    }
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        return tensors(path);
    }
    match kind(path)? {
        Kind::Student(folder) => student(&folder),
        Kind::Folded(file) => {
            let student = Student::open(&file)?;
            let info = student.info();
            println!("folded student, {}", info.precision);
            println!("  dimension   {}", info.dimension);
            println!("  parameters  {}", info.parameters);
            println!("  bytes       {}", info.bytes);
            println!("  vocabulary  {}", student.vocabulary());
            println!("  made from   {}", student.metadata());
            Ok(())
        }
        Kind::Bert(folder) => {
            let teacher = TeacherFolder::open(&folder)?;
            println!("BERT");
            println!("  layers      {}", teacher.config.num_hidden_layers);
            println!("  width       {}", teacher.config.hidden_size);
            println!("  parameters  {}", teacher.weights.parameters());
            println!("  pooler      {}", teacher.pooler);
            println!("  max tokens  {}", teacher.max_tokens);
            println!("  prefix      {:?}", teacher.prefix);
            Ok(())
        }
        Kind::Onnx { file, tokenizer } => {
            println!("ONNX model\n  file        {}\n  tokenizer   {}", file.display(), tokenizer.display());
            Ok(())
        }
    }
}

fn student(folder: &Path) -> anyhow::Result<()> {
    let student = StudentFolder::open(folder, &Device::Cpu)?;
    let config = &student.model.config;
    println!("TextCNN student");
    println!("  vocabulary  {}", config.vocabulary);
    println!("  embedding   {}", config.embedding);
    println!("  dimension   {}", config.dimension);
    println!("  parameters  {}", config.parameters());
    for bank in &config.convolutions {
        println!("  max-pooled  {} filters of width {}", bank.filters, bank.width);
    }
    if let Some(attention) = config.attention {
        println!("  attention   {} heads, {} filters of width {}", attention.heads, attention.filters, attention.width);
    }
    println!("  skip        {}", config.skip);
    println!("  made from   {}", student.origin);
    Ok(())
}

/// Reads a whole cache, so that damage is found.
fn cache(path: &Path) -> anyhow::Result<()> {
    let cache = Cache::open(path)?;
    println!("embedding cache");
    println!("  rows        {}", cache.rows());
    println!("  dimension   {}", cache.dimension());
    println!("  shards      {}", cache.shards());
    println!("  complete    {}", cache.complete());
    if let Some(storage) = cache.precision() {
        println!("  storage     {}", storage.name());
    }
    if let Some(fingerprint) = cache.fingerprint() {
        println!("  made from   {}", serde_json::to_string(fingerprint)?);
    }
    if let Some(tokens) = cache.tokens()? {
        println!("  tokens      {}", tokens.texts.len());
    }
    for shard in 0..cache.shards() {
        let shard = cache.read(shard)?;
        if shard.first_id == 0 {
            println!("  first text  {:?}", shard.texts.first().map(String::as_str).unwrap_or_default());
        }
    }
    println!("  all shards read: no damage");
    Ok(())
}

fn tensors(path: &Path) -> anyhow::Result<()> {
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).with_context(|| path.display().to_string())?;
    let mut names: Vec<_> = tensors.iter().collect();
    names.sort_by(|a, b| a.0.cmp(b.0));
    println!("safetensors, {} tensors", names.len());
    for (name, tensor) in names {
        println!("  {name:40} {:?} {:?}", tensor.dtype(), tensor.dims());
    }
    Ok(())
}
