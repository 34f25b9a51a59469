use std::path::PathBuf;

use clap::Args;
use limbeck::measure::word_order::{pairs, write};
use limbeck_data::text::read_texts;

use super::common::Session;
use super::guard::refuse_kept;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  limbeck word-order --input runs/quickstart/text/held-out.parquet --to pairs.tsv\n  \
                        limbeck evaluate --model runs/quickstart/student --teacher runs/quickstart/teacher --word-order pairs.tsv"
)]
pub struct Arguments {
    /// The sentences: .txt, .jsonl, .tsv, .csv or .parquet, gzip too
    #[arg(long, value_name = "TEXT")]
    input: PathBuf,

    /// The column or field with the text
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// So many sentences of five words or more at most, the first
    #[arg(long, value_name = "N", default_value = "500")]
    limit: std::num::NonZeroUsize,

    /// The seed of what is swapped and shuffled
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// The TSV file to write: kind, sentence, reordered
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

pub fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<()> {
    refuse_kept(&arguments.to, [&arguments.input])?;
    let (mut all, mut sentences) = (Vec::new(), 0);
    for text in read_texts(&arguments.input, arguments.column.as_deref(), None)? {
        session.interrupt.check()?;
        let of_text = pairs(&[&text?], arguments.seed);
        sentences += usize::from(!of_text.is_empty());
        all.extend(of_text);
        if sentences == arguments.limit.get() {
            break;
        }
    }
    write(&arguments.to, &all)?;
    say!("{}: {} pairs of {sentences} sentences", arguments.to.display(), all.len());
    Ok(())
}
