//! `limbeck encode`: a vector for every row.

mod each;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::halves::{dense_dimension, texts_without_known_words, truncated, unknown_words_line};
use crate::models::ModelOptions;
use crate::output::{Format, VectorWriter};
use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::VectorType;
use limbeck_data::text::{TextReader, read_lines};
use limbeck_encoder::{Embeddings, EncoderInfo, LexicalHalf, Precision};

use super::common::{
    ModelArguments, Opened, RunArguments, check_dimension, is_teacher, open_all, precision, refuse_teacher_options,
};
use super::each_arguments::{EachArguments, shard};
use super::input::TextArguments;
use super::overwrite_guard::refuse_kept;
use crate::error::{Error, Result};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  limbeck encode --model runs/quickstart/student --input texts.txt --to vectors.npy\n  \
                        limbeck encode --model student.limbeck --input texts.txt --dimension 128 --precision binary \
                        --to bits.npy\n  \
                        limbeck encode --model student.limbeck --input articles --to vectors --each --keep id,url\n  \
                        echo 'A man plays a guitar.' | limbeck encode --model student.limbeck"
)]
pub(super) struct Arguments {
    /// A student, a teacher, a Model2Vec folder, or the URI of one
    #[arg(long, value_name = "M")]
    model: String,

    /// Text: .txt, .md, .jsonl, .json, .tsv, .csv or .parquet, compressed too, or a folder of them;
    /// - for lines from standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    input: PathBuf,

    #[command(flatten)]
    text: TextArguments,

    /// Text put before every text; a teacher's own by default
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// A teacher's prompt of that name is put before every text, such as query
    #[arg(long, value_name = "NAME", conflicts_with = "prefix")]
    prompt: Option<String>,

    /// The output's format; by the name of --to where it is not given, else jsonl
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// The file to write, or with --each the folder; standard output by default
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,

    #[command(flatten)]
    pub(super) each: EachArguments,

    /// With --each: do only every Nth file or row group, from the Ith (from 0)
    #[arg(long, value_name = "I/N", requires = "each", value_parser = shard)]
    shard: Option<(u32, u32)>,

    /// Only the first N dimensions of every vector, scaled to length 1 again; of a vector with a lexical half, only the
    /// first N of its dense half
    #[arg(long, value_name = "N")]
    dimension: Option<usize>,

    /// Type of the values written: f32, f16, int8 (times 127, rounded) or binary (a bit a dimension, packed as by
    /// NumPy's packbits; ubinary in sentence-transformers)
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = vector_type)]
    precision: VectorType,

    /// Precision that the model computes in: f32, f16 (a student's tables only) or int8; f32 by default
    #[arg(long, value_name = "PRECISION", value_parser = precision)]
    compute: Option<Precision>,

    #[command(flatten)]
    run: RunArguments,
}

/// Why no vector with a lexical half is written as bits.
const BINARY_HALVES: &str = "--precision binary: bits have no weights, so the two halves of these vectors would count \
                             by their widths, and the zeros of unknown words as differences; int8 keeps both";

fn vector_type(name: &str) -> std::result::Result<VectorType, String> {
    name.parse().map_err(|_| "f32, f16, int8 or binary is expected".into())
}

impl Arguments {
    /// How the model is run; the prefix given here stands in place of the model's own.
    fn options(&self, run: &ModelArguments) -> ModelOptions {
        run.options(self.prefix.as_ref().map(|_| ""), self.prompt.as_deref())
    }
}

/// The vectors of a model as the options want them.
struct ModelVectors<'a> {
    model: &'a Opened,
    prefix: &'a str,
    /// The width of the dense half.
    dense: usize,
    /// The width of the lexical half.
    lexical: usize,
}

impl<'a> ModelVectors<'a> {
    /// Those of `model`, unless it can't give what the options want.
    fn new(arguments: &'a Arguments, run: &ModelArguments, model: &'a Opened) -> Result<Self> {
        if !is_teacher(model) {
            refuse_teacher_options(run)?;
            if arguments.prompt.is_some() {
                return Err(Error::Usage(
                    "--prompt is for a teacher; for a student give the text itself by --prefix".into(),
                ));
            }
        }
        let lexical = model.encoder.lexical().map_or(0, LexicalHalf::dimension);
        let dense = arguments.dimension.unwrap_or_else(|| dense_dimension(&*model.encoder));
        check_dimension(dense, model)?;
        if arguments.precision == VectorType::Binary && model.encoder.lexical().is_some() {
            return Err(Error::Usage(BINARY_HALVES.into()));
        }
        Ok(Self { model, prefix: arguments.prefix.as_deref().unwrap_or_default(), dense, lexical })
    }

    fn dimension(&self) -> usize {
        self.dense + self.lexical
    }

    /// The whole vectors of `texts`, without the options' dimension.
    fn whole(&self, texts: &[&str]) -> Result<Embeddings> {
        let with_prefix = || texts.iter().map(|text| format!("{}{text}", self.prefix)).collect::<Vec<_>>();
        let prefixed = (!self.prefix.is_empty()).then(with_prefix);
        let prefixed: Option<Vec<&str>> = prefixed.as_ref().map(|texts| texts.iter().map(String::as_str).collect());
        let vectors = self.model.encoder.encode(prefixed.as_deref().unwrap_or(texts));
        vectors.map_err(Error::encode(&self.model.name, texts.len()))
    }

    /// The vectors of `texts`.
    fn of(&self, texts: &[&str]) -> Result<Embeddings> {
        Ok(truncated(self.whole(texts)?, self.dense, self.lexical))
    }
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    if arguments.each.each {
        return each::run(arguments, monitor);
    }
    if let Some(extension) = compressed(arguments.to.as_deref()) {
        return Err(Error::Usage(format!("--to: nothing is written compressed; leave .{extension} out")));
    }
    let format = arguments.format.unwrap_or_else(|| by_name(arguments.to.as_deref()));
    let run = ModelArguments { run: arguments.run.clone(), precision: arguments.compute };
    let opened = open_all(std::slice::from_ref(&arguments.model), &run, &arguments.options(&run), monitor)?;
    let [model] = opened.as_slice() else { return Ok(()) };
    let model_vectors = ModelVectors::new(arguments, &run, model)?;
    if let Some(to) = &arguments.to {
        refuse_kept(to, [&arguments.input, Path::new(&arguments.model)])?;
    }
    let mut texts = open_texts(arguments, monitor)?;
    let (half, at_once) = (model.encoder.lexical(), texts_at_once(&model.encoder.info()));
    let (kind, dimension) = (arguments.precision, model_vectors.dimension());
    let mut writer = match (format, &arguments.to) {
        (_, Some(path)) => VectorWriter::create(path, format, dimension, kind)?,
        (Format::Jsonl, None) => VectorWriter::to_stdout(dimension, kind),
        (_, None) => return Err(Error::Usage("this format goes to a file: name it with --to".into())),
    };
    let mut unknown = 0;
    let bar = monitor.stage("encoding", None, "texts");
    loop {
        monitor.check()?;
        let chunk: Vec<String> = texts.by_ref().take(at_once).collect::<limbeck_data::Result<_>>()?;
        if chunk.is_empty() {
            break;
        }
        let rows: Vec<&str> = chunk.iter().map(String::as_str).collect();
        let vectors = model_vectors.whole(&rows)?;
        unknown += half.map_or(0, |half| texts_without_known_words(&vectors, half));
        writer.write(&chunk, &truncated(vectors, model_vectors.dense, model_vectors.lexical))?;
        bar.add(chunk.len() as u64);
    }
    let rows = writer.finish()?;
    drop(bar);
    if unknown > 0 {
        monitor.note(&unknown_words_line(&model.name, unknown, rows as usize));
    }
    if arguments.to.is_some() || !std::io::stdout().is_terminal() {
        monitor.note(&format!("{rows} vectors of {dimension} dimensions"));
    }
    std::io::stdout().flush().map_err(super::common::stdout_failed)?;
    Ok(())
}

/// How many texts are encoded at a time. A folded student's threads take two blocks of 64 each (with one block, two
/// threads are a tenth slower), and more texts would take more memory. Other models group texts of similar length,
/// which works better on more texts.
fn texts_at_once(info: &EncoderInfo) -> usize {
    if info.engine == "folded" { info.threads.max(1).saturating_mul(128) } else { 1024 }
}

/// The name's extension where it stands for a compression, which this command doesn't write.
fn compressed(to: Option<&Path>) -> Option<&str> {
    let extension = to.and_then(Path::extension).and_then(|extension| extension.to_str());
    extension.filter(|extension| ["gz", "zst", "bz2", "xz", "zip"].contains(extension))
}

fn by_name(to: Option<&Path>) -> Format {
    match to.and_then(Path::extension).and_then(|extension| extension.to_str()) {
        Some("npy") => Format::Npy,
        Some("parquet") => Format::Parquet,
        _ => Format::Jsonl,
    }
}

fn open_texts(arguments: &Arguments, monitor: Monitor) -> Result<TextReader> {
    if arguments.input == Path::new("-") {
        if arguments.text.column.is_some() {
            return Err(Error::Usage("--column: lines from standard input have no columns".into()));
        }
        let stdin = std::io::BufReader::new(std::io::stdin());
        return Ok(read_lines(stdin, Path::new("standard input"), arguments.text.encoding.as_deref())?);
    }
    arguments.text.note_other_files(&arguments.input, monitor)?;
    arguments.text.read(&arguments.input)
}
