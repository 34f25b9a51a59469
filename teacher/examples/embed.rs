//! Embeds a text, a sentence a line, into a cache, and prints the time:
//!
//! ```text
//! cargo run --release -p limbeck-teacher --example embed -- \
//!     LIBRARY TEACHER TEXT CACHE [THREADS [BATCH_TOKENS [text-only]]]
//! ```
//!
//! TEACHER is a folder with a BERT, which is exported to ONNX beside the cache first, or an ONNX file with
//! tokenizer.json beside it. With `text-only` the vocabulary's vectors are left out. Killed and started again, the job
//! goes on where it was.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use limbeck_data::cache::CacheSpec;
use limbeck_data::files::sha256_file;
use limbeck_data::progress::Silent;
use limbeck_data::{Interrupt, Monitor, VectorType};
use limbeck_encoder::{Precision, Tokenizer};
use limbeck_teacher::embed::{EmbedJob, EmbedTeacher, Teacher, TextChunks, run};
use limbeck_teacher::{OnnxEncoder, OnnxOptions, Runtime, TeacherFolder, onnx};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, teacher, text, cache, numbers @ ..] = &arguments[..] else {
        return Err("give LIBRARY TEACHER TEXT CACHE [THREADS [BATCH_TOKENS [text-only]]]".into());
    };
    let (teacher, text, cache) = (Path::new(teacher), Path::new(text), Path::new(cache));
    let (model, tokenizer) = model(teacher, cache)?;
    let tokenizer = Tokenizer::from_file(&tokenizer)?;
    let mut options = OnnxOptions::default();
    if let Some(threads) = numbers.first() {
        options.threads = threads.parse()?;
    }
    if let Some(tokens) = numbers.get(1) {
        options.batch_tokens = Some(tokens.parse()?);
    }
    let runtime = Runtime::load(Path::new(library))?;
    let encoder = OnnxEncoder::load(&runtime, &model, tokenizer, &options)?;
    let fingerprint = encoder.cache_fingerprint(sha256_file(text)?)?;
    let spec = CacheSpec::new(encoder.dimension(), VectorType::F16, fingerprint);
    let start = Instant::now();
    let job = EmbedJob {
        teacher: EmbedTeacher::Tokens(&encoder),
        texts: lines(text)?,
        total: None,
        folder: cache,
        spec,
        tokens: numbers.get(2).is_none_or(|word| word != "text-only"),
        student: None,
    };
    let summary = run(job, Monitor::new(&Silent, &Interrupt::new()))?;
    let seconds = start.elapsed().as_secs_f64();
    let rate = summary.rows as f64 / seconds;
    println!("ONNX Runtime {}: {summary:?} in {seconds:.2} s, {rate:.1} a second", runtime.version);
    Ok(())
}

/// The ONNX file and the tokenizer of a teacher.
fn model(teacher: &Path, cache: &Path) -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    if teacher.is_file() {
        return Ok((teacher.to_owned(), teacher.with_file_name("tokenizer.json")));
    }
    let folder = TeacherFolder::open(teacher)?;
    let model = cache.with_extension("onnx");
    if !model.exists() {
        onnx::export(&folder, folder.pooler, Precision::F32, &model)?;
    }
    Ok((model, folder.tokenizer))
}

fn lines(path: &Path) -> Result<TextChunks<'static>, Box<dyn Error>> {
    let file = File::open(path).map_err(limbeck_data::Error::io("open", path))?;
    let (mut lines, path) = (BufReader::new(file).lines(), path.to_owned());
    Ok(Box::new(std::iter::from_fn(move || {
        let chunk: Result<Vec<String>, _> = lines.by_ref().take(1000).collect();
        match chunk {
            Ok(chunk) if chunk.is_empty() => None,
            chunk => Some(chunk.map_err(limbeck_data::Error::io("read", &path))),
        }
    })))
}
