use std::path::PathBuf;

use clap::Args;
use limbeck::evaluate::sts::{read_sets, sts};
use limbeck::evaluate::{Model, Watch};

use super::common::{ModelArguments, Session, open_all};

/// Score models on graded sentence pairs: Spearman and Pearson × 100
#[derive(Args)]
#[command(
    after_help = "Example:\n  limbeck evaluate --model runs/quickstart/student --sts STSB.test.tsv STS15.test.tsv --json"
)]
pub struct Arguments {
    /// A student, a teacher, or the URI of one; several are scored in turn
    #[arg(long, value_name = "M", required = true, num_args = 1..)]
    model: Vec<String>,

    /// TSV files with the header `sentence1 sentence2 score`, gzip too
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    sts: Vec<PathBuf>,

    /// What is put before every text, such as "query: "; a teacher's own by default
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,

    /// Print JSON, an object a model
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    run: ModelArguments,
}

pub fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<()> {
    let sets = read_sets(&arguments.sts)?;
    let prefix = arguments.prefix.as_deref().unwrap_or_default();
    // The prefix given here is put before the text once, and stands in place of the model's own.
    let own = arguments.prefix.as_ref().map(|_| "");
    for model in open_all(&arguments.model, &arguments.run, own, session)? {
        let watch = Watch { progress: session.progress, interrupt: &session.interrupt };
        let scores = sts(&Model::new(&model.name, &*model.encoder).with_prefix(prefix), &sets, watch)?;
        if arguments.json {
            say!("{}", serde_json::to_string(&scores)?);
            continue;
        }
        say!("{}", model.name);
        for (set, score) in &scores.scores {
            say!("  {set:20} {:6.2}  (Pearson {:.2}, {} pairs)", score.spearman, score.pearson, score.pairs);
        }
        say!("  {:20} {:6.2}", "average", scores.average);
        for (what, figure) in [("alignment", scores.alignment), ("uniformity", scores.uniformity)] {
            if let Some(figure) = figure {
                say!("  {what:20} {figure:6.3}");
            }
        }
    }
    Ok(())
}
