use std::path::PathBuf;

use clap::Args;
use limbeck::model::tokenizer_file;
use limbeck_data::assets::Uri;
use limbeck_data::cache::{CacheSpec, Precision as Storage};
use limbeck_data::text::read_texts;
use limbeck_data::{Monitor, files, progress::Progress};
use limbeck_encoder::Tokenizer;
use limbeck_teacher::embed::{EmbedJob, run as embed};

use super::Usage;
use super::common::{ModelArguments, Session};
use super::guard::refuse_cache;
use super::texts::chunks;

#[derive(Args)]
#[command(after_help = "Example:\n  limbeck embed --teacher ./all-MiniLM-L6-v2 --input corpus.txt.gz --to cache")]
pub struct Arguments {
    /// The teacher: a Hugging Face BERT folder, an ONNX file beside its tokenizer.json, or a URI
    #[arg(long, value_name = "M")]
    teacher: String,

    /// Text: .txt, .jsonl, .tsv, .csv or .parquet, gzip too, or a folder of them
    #[arg(long, value_name = "TEXT")]
    input: PathBuf,

    /// The cache's folder
    #[arg(long, value_name = "CACHE")]
    to: PathBuf,

    /// The column or field with the text
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// The text's encoding where it isn't UTF-8
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,

    /// What is put before every text; the model's own by default
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// A student's own tokenizer.json or its URI: the vectors of its tokens are cached too, for `limbeck distil --tokenizer`
    #[arg(long, value_name = "FILE")]
    student_tokenizer: Option<Uri>,

    /// How vectors are stored: f16 or f32
    #[arg(long, value_name = "PRECISION", default_value = "f16", value_parser = storage)]
    storage: Storage,

    /// Make only every Nth shard, from the Ith (from 0), so that N machines fill one cache
    #[arg(long, value_name = "I/N", value_parser = part)]
    shard: Option<(u32, u32)>,

    #[command(flatten)]
    model: ModelArguments,
}

/// Parses how vectors are stored.
pub fn storage(name: &str) -> Result<Storage, String> {
    [Storage::F16, Storage::F32].into_iter().find(|s| s.name() == name).ok_or_else(|| "f16 or f32 is expected".into())
}

fn part(text: &str) -> Result<(u32, u32), String> {
    let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    numbers.filter(|(i, n)| i < n).ok_or_else(|| "I/N with I from 0 to N - 1 is expected".into())
}

pub fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<()> {
    if arguments.model.run.engine != "folded" {
        return Err(Usage("--engine is for students; a teacher runs in ONNX Runtime".into()).into());
    }
    let store = session.store()?;
    let opener = arguments.model.opener(&store, session.progress)?;
    let path = store.locate(&arguments.teacher.parse()?, session.progress)?;
    refuse_cache(&arguments.to, &path, &arguments.input)?;
    let teacher = opener.open_teacher(&path, &arguments.model.options(arguments.prefix.as_deref()))?;
    let fingerprint = teacher.cache_fingerprint(hash_of_text(arguments)?)?;
    let student = match &arguments.student_tokenizer {
        Some(uri) => Some(Tokenizer::from_file(&tokenizer_file(store.locate(uri, session.progress)?))?),
        None => None,
    };
    let mut texts = chunks(&arguments.input, arguments.column.as_deref(), arguments.encoding.as_deref())?.peekable();
    if let Some(Err(_)) = texts.peek() {
        // Found out now rather than after the vocabulary.
        texts.next().transpose()?;
    }
    let dimension = teacher.dimension();
    let spec = CacheSpec { part: arguments.shard, ..CacheSpec::new(dimension, arguments.storage, fingerprint) };
    let job = EmbedJob {
        teacher: &teacher,
        texts: Box::new(texts),
        total: None,
        folder: &arguments.to,
        spec,
        tokens: true,
        student: student.as_ref(),
    };
    let summary = embed(job, Monitor::new(session.progress, &session.interrupt))?;
    note(session.progress, &summary);
    say!("{}", arguments.to.display());
    Ok(())
}

fn note(progress: &dyn Progress, summary: &limbeck_teacher::embed::EmbedSummary) {
    let limbeck_teacher::embed::EmbedSummary { rows, written, kept, .. } = summary;
    progress.note(&format!("{rows} sentences; {written} shards written, {kept} kept"));
}

/// The hash of all input files.
fn hash_of_text(arguments: &Arguments) -> anyhow::Result<String> {
    let mut all = format!("{:?} {:?} ", arguments.column, arguments.encoding);
    if arguments.input.is_file() {
        all += &files::sha256_file(&arguments.input)?;
        return Ok(files::sha256_bytes(all.as_bytes()));
    }
    for text in read_texts(&arguments.input, arguments.column.as_deref(), arguments.encoding.as_deref())? {
        all = files::sha256_bytes(format!("{all}{}", text?).as_bytes());
    }
    Ok(all)
}
