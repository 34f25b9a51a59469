//! `limbeck word-order`: pairs of a sentence and the same words in another order.

use std::path::PathBuf;

use crate::measure::word_order::{pairs, write};
use clap::Args;
use limbeck_data::Monitor;

use super::input::TextArguments;
use super::overwrite_guard::refuse_kept;
use crate::error::Result;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  limbeck word-order --input runs/quickstart/text/held-out.parquet --to pairs.tsv\n  \
                        limbeck evaluate --model runs/quickstart/student --teacher runs/quickstart/teacher \
                        --word-order pairs.tsv"
)]
pub(super) struct Arguments {
    /// The sentences: .txt, .md, .jsonl, .json, .tsv, .csv or .parquet, compressed too
    #[arg(long, value_name = "TEXT")]
    input: PathBuf,

    #[command(flatten)]
    text: TextArguments,

    /// At most this many sentences of five words or more, the first
    #[arg(long, value_name = "N", default_value = "500")]
    limit: std::num::NonZeroUsize,

    /// The seed of the swaps and shuffles
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// The TSV file to write: kind, sentence, reordered
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    refuse_kept(&arguments.to, [&arguments.input])?;
    let (mut all, mut sentences) = (Vec::new(), 0);
    for text in arguments.text.read(&arguments.input)? {
        monitor.check()?;
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
