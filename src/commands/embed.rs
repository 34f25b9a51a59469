//! `limbeck embed`: the embed stage on a teacher and text named on the command line.

mod each;

use std::path::{Path, PathBuf};

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, Uri};
use limbeck_data::cache::{CacheSpec, GoneTexts, change_text};
use limbeck_data::text::has_pieces;
use limbeck_data::{VectorType, files};
use limbeck_encoder::Tokenizer;
use limbeck_teacher::OnnxEncoder;
use limbeck_teacher::embed::{EmbedJob, TextChunks, TextSources, run as embed};

use super::api::{self, ApiArguments};
use super::common::{ModelArguments, locate, print_path, set_threads};
use super::each_arguments::{EachArguments, shard};
use super::input::{LeftOutTexts, TextArguments};
use super::overwrite_guard::refuse_cache;
use crate::cache_teacher::CacheTeacher;
use crate::error::{Error, Result};
use crate::models::{StudentEngine, tokenizer_file};
use crate::pipeline::stages::embed::{note, note_new_texts};

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck embed --teacher ./all-MiniLM-L6-v2 --input corpus.txt.gz --to cache\n  \
                        limbeck embed --api-url https://api.openai.com/v1 --api-model text-embedding-3-small \
                        --api-key-env OPENAI_API_KEY --api-max-total-tokens 1000000 --input corpus.txt --to cache\n  \
                        limbeck embed --teacher ./all-MiniLM-L6-v2 --input articles --to vectors --each --keep id,url")]
pub(super) struct Arguments {
    /// The teacher: a Hugging Face model folder, an ONNX file beside its tokenizer.json, or a URI
    #[arg(long, value_name = "M", required_unless_present = "api_url")]
    teacher: Option<Uri>,

    /// Text: .txt, .md, .jsonl, .json, .tsv, .csv or .parquet, compressed too, or a folder of them
    #[arg(long, value_name = "TEXT")]
    input: PathBuf,

    /// The cache's folder, or with --each the folder of the files
    #[arg(long, value_name = "CACHE")]
    to: PathBuf,

    #[command(flatten)]
    pub(super) each: EachArguments,

    #[command(flatten)]
    text: TextArguments,

    /// Text put before every text; the model's own by default
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// The model's prompt of that name is put before every text, such as query
    #[arg(long, value_name = "NAME", conflicts_with = "prefix")]
    prompt: Option<String>,

    /// A student's own tokenizer.json or its URI: the vectors of its tokens are cached too, for
    /// `limbeck distil --tokenizer`
    #[arg(long, value_name = "FILE")]
    student_tokenizer: Option<Uri>,

    /// How vectors are stored: f16 or f32
    #[arg(long, value_name = "PRECISION", default_value = "f16", value_parser = storage)]
    storage: VectorType,

    /// Make only the Ith of N parts (from 0), so that N machines fill one cache: of a folder or a Parquet file every
    /// Nth file or row group, of another file every Nth shard
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<(u32, u32)>,

    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    api: ApiArguments,
}

/// Parses how a cache stores vectors.
pub(super) fn storage(name: &str) -> std::result::Result<VectorType, String> {
    name.parse().ok().filter(VectorType::fits_cache).ok_or_else(|| "f16 or f32 is expected".into())
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    if arguments.model.run.engine != StudentEngine::Folded {
        return Err(Error::Usage("--engine is for students; a teacher runs in ONNX Runtime".into()));
    }
    let api = arguments.api.settings(arguments.prefix.as_deref(), &arguments.model)?;
    if api.is_some() && arguments.prompt.is_some() {
        let what = "--prompt names a prompt of a model's folder, which an API doesn't show; give the text by --prefix";
        return Err(Error::Usage(what.into()));
    }
    if arguments.each.each {
        each::check(arguments)?;
    }
    let path = arguments.teacher.as_ref().map(|teacher| locate(teacher, monitor)).transpose()?;
    if let Some(path) = path.as_ref().filter(|_| arguments.each.each) {
        return each::run(arguments, path, &open_onnx(arguments, path, monitor)?, monitor);
    }
    refuse_cache(&arguments.to, path.as_deref().unwrap_or(Path::new("")), &arguments.input)?;
    let student = match &arguments.student_tokenizer {
        Some(uri) => Some(Tokenizer::from_file(&tokenizer_file(locate(uri, monitor)?))?),
        None => None,
    };
    arguments.text.note_other_files(&arguments.input, monitor)?;
    let left_out = LeftOutTexts::default();
    let (texts, own_hash) = texts_of(arguments, &left_out)?;
    let mut texts = texts.peekable();
    if let Some(Err(_)) = texts.peek() {
        // Before the vocabulary is embedded rather than after it.
        texts.next().transpose()?;
    }
    let teacher = match (api, path) {
        (Some(settings), _) if arguments.api.dry_run => {
            return api::print_estimate(&settings, Box::new(texts), student.as_ref(), &arguments.to);
        }
        (Some(settings), _) => {
            set_threads(arguments.model.run.threads);
            CacheTeacher::Api(Box::new(api::open(settings, &arguments.to, arguments.shard, monitor)?))
        }
        (None, path) => CacheTeacher::Onnx(Box::new(open_onnx(arguments, &path.unwrap_or_default(), monitor)?)),
    };
    let own_text = own_hash.is_some();
    let spec = teacher.spec(own_hash.map_or_else(|| hash_of_text(arguments), Ok)?, arguments.storage)?;
    let spec = CacheSpec { part: arguments.shard, own_text, ..spec };
    // The input may have grown since the cache was made.
    let again = arguments.text.chunks(&arguments.input, &LeftOutTexts::default())?;
    let is_grown = change_text(&arguments.to, &spec, again, GoneTexts::Refuse, monitor)?;
    let job = EmbedJob {
        teacher: teacher.for_job(),
        texts: Box::new(texts),
        sources: TextSources::default(),
        total: None,
        folder: &arguments.to,
        spec,
        tokens: true,
        student: student.as_ref(),
    };
    let summary = embed(job, monitor)?;
    left_out.note(&arguments.input, monitor);
    note("all", &summary, &TextSources::default(), monitor);
    if is_grown {
        note_new_texts("all", &summary, monitor);
    }
    print_path(&arguments.to)
}

/// The texts to embed; of a part that has files or row groups of its own, a hash of the layout of all too.
fn texts_of(arguments: &Arguments, left_out: &LeftOutTexts) -> Result<(TextChunks<'static>, Option<String>)> {
    let own = arguments.shard.filter(|_| has_pieces(&arguments.input));
    Ok(match own {
        Some(shard) => {
            let (texts, hash) = arguments.text.chunks_of_shard(&arguments.input, shard, left_out)?;
            (Box::new(texts), Some(hash))
        }
        None => (Box::new(arguments.text.chunks(&arguments.input, left_out)?), None),
    })
}

/// Opens the teacher at `path`.
fn open_onnx(arguments: &Arguments, path: &Path, monitor: Monitor) -> Result<OnnxEncoder> {
    let store = AssetStore::of_user();
    let opener = arguments.model.opener(&store, monitor);
    let options = arguments.model.options(arguments.prefix.as_deref(), arguments.prompt.as_deref());
    opener.open_teacher(path, &options)
}

/// The hash of all input files.
fn hash_of_text(arguments: &Arguments) -> Result<String> {
    let mut all = format!("{:?} {:?} ", arguments.text.column, arguments.text.encoding);
    if arguments.input.is_file() {
        all += &files::sha256_file(&arguments.input)?;
        return Ok(files::sha256_bytes(all.as_bytes()));
    }
    for text in arguments.text.read(&arguments.input)? {
        all = files::sha256_bytes(format!("{all}{}", text?).as_bytes());
    }
    Ok(all)
}
