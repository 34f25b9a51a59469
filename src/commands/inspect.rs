//! `limbeck inspect`: what a file or folder is.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::models::{ModelFiles, find_model};
use candle_core::Device;
use clap::Args;
use limbeck_data::Error as DataError;
use limbeck_data::cache::Cache;
use limbeck_data::text::hash;
use limbeck_encoder::{LexicalHalf, Student};
use limbeck_student::folder::StudentFolder;
use limbeck_student::join::{self, Join};
use limbeck_student::static_folder::StaticFolder;
use limbeck_teacher::TeacherFolder;
use limbeck_training::checkpoint::CheckpointFiles;
use serde_json::Value;

use crate::error::{Error, Result};

#[derive(Args)]
#[command(after_help = "Example:\n  limbeck inspect runs/quickstart/cache/train")]
pub(super) struct Arguments {
    /// The file or folder
    path: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let path = &arguments.path;
    std::fs::metadata(path).map_err(DataError::io("read", path))?;
    let has_cache = path.is_dir()
        && std::fs::read_dir(path).into_iter().flatten().flatten().any(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.starts_with("cache") && name.ends_with(".json") || name.ends_with(".parquet")
        });
    if has_cache || path.extension().is_some_and(|extension| extension == "parquet") {
        return cache(path);
    }
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        return tensors(path);
    }
    let found = match find_model(path) {
        // What is in training may have no model yet.
        Err(error @ Error::NoModel { .. }) => return if training(path)? { Ok(()) } else { Err(error) },
        found => found?,
    };
    // Beside a model of before; a checkpoint of something else says nothing of it.
    let _ = training(path);
    match found {
        ModelFiles::Student(folder) => student(&folder),
        ModelFiles::Folded(file) => {
            let student = Student::load(&file).map_err(|error| match error {
                limbeck_encoder::Error::NotFolded { path } => {
                    let what = "is none of the files known here: a folded student, Parquet, safetensors, ONNX";
                    Error::NoModel { path, what: what.into() }
                }
                other => other.into(),
            })?;
            let info = student.info();
            say!("folded student, {}", info.precision);
            say!("  dimension   {}", info.dimension);
            if let Some(half) = student.lexical() {
                say!("  of these    {} dense, {}", student.dense_dimension(), lexical_line(half));
            }
            say!("  parameters  {}", info.parameters);
            say!("  bytes       {}", info.bytes);
            say!("  vocabulary  {}", student.vocabulary());
            say!("  made from   {}", student.metadata());
            Ok(())
        }
        ModelFiles::Static(folder) => {
            let model = StaticFolder::open(&folder)?;
            say!("static model of {}", model.maker.name());
            say!("  dimension   {}", model.dimension);
            say!("  parameters  {}", model.parameters);
            say!("  vocabulary  {}", model.tokenizer.vocabulary());
            say!("  max tokens  {}", model.max_tokens.map_or("no limit".into(), |most| most.to_string()));
            Ok(())
        }
        ModelFiles::Bert(folder) => {
            let teacher = TeacherFolder::open(&folder)?;
            say!("{}", teacher.config.architecture);
            say!("  layers      {}", teacher.config.num_hidden_layers);
            say!("  width       {}", teacher.config.hidden_size);
            say!("  parameters  {}", teacher.weights.parameters());
            say!("  pooling     {}", teacher.head.describe(teacher.pooler));
            say!("  dimension   {}", teacher.dimension()?);
            say!("  max tokens  {}", teacher.max_tokens);
            say!("  prefix      {:?}", teacher.prefix);
            Ok(())
        }
        ModelFiles::Onnx { file, tokenizer } => {
            say!("ONNX model\n  file        {}\n  tokenizer   {}", file.display(), tokenizer.display());
            Ok(())
        }
    }
}

/// Says where a training stands whose checkpoint is in `folder`; false where there is none.
fn training(folder: &Path) -> Result<bool> {
    let Some(state) = CheckpointFiles::new(folder).state::<Value>()? else { return Ok(false) };
    // Of another make.
    let Some(step) = state["step"].as_u64() else { return Ok(false) };
    say!("training, not finished");
    say!("  after step  {step}");
    if let (Some(quality), Some(step)) = (state["best"][0].as_f64(), state["best"][1].as_u64()) {
        say!("  best so far {quality:.4} after step {step}");
    }
    say!("  the command that began it goes on from there");
    Ok(true)
}

fn lexical_line(half: &LexicalHalf) -> String {
    format!("{} lexical for {} words", half.dimension(), half.words())
}

fn student(folder: &Path) -> Result<()> {
    let student = StudentFolder::open(folder, &Device::Cpu)?;
    let config = &student.model.config;
    say!("TextCNN student");
    say!("  vocabulary  {}", config.vocabulary);
    say!("  embedding   {}", config.embedding);
    say!("  dimension   {}", config.dimension);
    say!("  parameters  {}", config.parameters());
    for bank in &config.convolutions {
        say!("  max-pooled  {} filters of width {}", bank.filters, bank.width);
    }
    if let Some(attention) = config.attention {
        let values = attention.values.map_or("the whole embedding".into(), |values| format!("{values} values each"));
        let (heads, filters, width) = (attention.heads, attention.filters, attention.width);
        say!("  attention   {heads} heads of {values}, scored by {filters} filters of width {width}");
    }
    say!("  skip        {}", config.skip);
    if let Some(half) = &student.lexical {
        say!("  beside it   {}", lexical_line(half));
    }
    say!("  made from   {}", student.origin);
    Ok(())
}

/// Reads a whole cache, so that damage is found.
fn cache(path: &Path) -> Result<()> {
    let cache = Cache::open(path)?;
    say!("embedding cache");
    say!("  rows        {}", cache.rows());
    say!("  dimension   {}", cache.dimension());
    say!("  shards      {}", cache.shards());
    say!("  complete    {}", cache.complete());
    if let Some(storage) = cache.storage() {
        say!("  storage     {storage}");
    }
    if let Some(fingerprint) = cache.fingerprint() {
        say!("  made from   {}", serde_json::json!(fingerprint));
    }
    if path.join(join::FILE).is_file() {
        let Join { settings, sources, .. } = Join::open(path)?;
        let widths: Vec<usize> = sources.iter().map(|source| source.dimension).collect();
        say!("  joined of   vectors of {widths:?} numbers, weights {:?}, centre {}", settings.weights, settings.centre);
    }
    if let Some(tokens) = cache.tokens()? {
        say!("  tokens      {}", tokens.texts.len());
    }
    let (mut met, mut duplicates) = (HashSet::new(), 0_u64);
    for shard in 0..cache.shards() {
        let shard = cache.read(shard)?;
        // Parts of a cache leave out their own duplicates alone.
        duplicates += shard.texts.iter().filter(|text| !met.insert(hash(text))).count() as u64;
        if shard.first_id == 0 {
            say!("  first text  {:?}", shard.texts.first().map(String::as_str).unwrap_or_default());
        }
    }
    if duplicates > 0 {
        say!("  duplicates  {duplicates}");
    }
    say!("  all shards read: no damage");
    Ok(())
}

fn tensors(path: &Path) -> Result<()> {
    let tensors = candle_core::safetensors::load(path, &Device::Cpu)
        .map_err(|source| Error::Tensors { path: path.to_path_buf(), source: Box::new(source) })?;
    let mut names: Vec<_> = tensors.iter().collect();
    names.sort_by(|a, b| a.0.cmp(b.0));
    say!("safetensors, {} tensors", names.len());
    for (name, tensor) in names {
        say!("  {name:40} {:?} {:?}", tensor.dtype(), tensor.dims());
    }
    Ok(())
}
