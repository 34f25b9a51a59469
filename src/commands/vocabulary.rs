//! `limbeck vocabulary`: the vocabulary stage on text and a tokenizer named on the command line.

use std::path::PathBuf;

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::assets::Uri;
use limbeck_encoder::Tokenizer;
use limbeck_student::vocabulary::Vocabulary;

use super::common::{locate, print_path, set_threads, threads};
use super::input::{LeftOutTexts, TextArguments};
use super::overwrite_guard::{refuse_inputs, refuse_tokenizer};
use crate::error::{Error, Result};
use crate::models::tokenizer_file;
use crate::pipeline::stages::vocabulary::vocabulary_into;
use crate::recipe::{DEFAULT_EXTENDED_SIZE, DEFAULT_MIN_COUNT, DEFAULT_SIZE};

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck vocabulary --input corpus.txt.gz --teacher ./multilingual-e5-small \
                  --kind wordpiece --size 16000 --to tokenizer.json\n  \
                  limbeck vocabulary --input corpus.txt.gz --teacher ./multilingual-e5-small \
                  --kind corpus --min-count 3 --to tokenizer.json")]
pub(super) struct Arguments {
    /// Text: .txt, .md, .jsonl, .json, .tsv, .csv or .parquet, compressed too, or a folder of them
    #[arg(long, value_name = "TEXT")]
    input: PathBuf,

    /// The teacher, whose tokenizer is pruned or extended, or says whether capitals matter: a folder, a tokenizer.json
    /// or a URI
    #[arg(long, value_name = "M")]
    teacher: Uri,

    /// corpus: the teacher's tokens that the text uses; extended: the teacher's and the text's most frequent words;
    /// wordpiece or unigram: trained on the text
    #[arg(long, value_name = "KIND", value_parser = ["corpus", "extended", "wordpiece", "unigram"])]
    kind: String,

    /// At most so many tokens; 16000 by default where they are trained, 60000 with --kind extended
    #[arg(long, value_name = "N")]
    size: Option<usize>,

    /// With --kind corpus, how often a token must stand in the text to stay; 2 by default
    #[arg(long, value_name = "N")]
    min_count: Option<u64>,

    #[command(flatten)]
    text: TextArguments,

    /// The tokenizer.json to write
    #[arg(long, value_name = "FILE")]
    to: PathBuf,

    /// Threads; all cores by default
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,
}

impl Arguments {
    fn vocabulary(&self) -> Result<Vocabulary> {
        let size = self.size.unwrap_or(DEFAULT_SIZE);
        match (self.kind.as_str(), self.size, self.min_count) {
            ("corpus", None, min_count) => Ok(Vocabulary::Corpus { min_count: min_count.unwrap_or(DEFAULT_MIN_COUNT) }),
            ("extended", size, None) => Ok(Vocabulary::Extended { size: size.unwrap_or(DEFAULT_EXTENDED_SIZE) }),
            ("wordpiece", _, None) => Ok(Vocabulary::WordPiece { size }),
            ("unigram", _, None) => Ok(Vocabulary::Unigram { size }),
            ("corpus", ..) => {
                let what = "--size is for extended, wordpiece and unigram; --kind corpus takes --min-count";
                Err(Error::Usage(what.into()))
            }
            _ => Err(Error::Usage("--min-count is for --kind corpus; the others take --size".into())),
        }
    }
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let vocabulary = arguments.vocabulary()?;
    vocabulary.check()?;
    set_threads(arguments.threads);
    let path = tokenizer_file(locate(&arguments.teacher, monitor)?);
    refuse_inputs(&arguments.to, [&arguments.input, &path])?;
    refuse_tokenizer(&arguments.to)?;
    let base = Tokenizer::from_file(&path)?;
    let mut texts = arguments.text.chunks(&arguments.input, &LeftOutTexts::default())?;
    vocabulary_into(vocabulary, &base, &mut texts, &arguments.to, monitor)?;
    print_path(&arguments.to)
}
