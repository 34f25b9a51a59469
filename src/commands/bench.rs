//! `limbeck bench`: sentences per second of models side by side.

use std::path::PathBuf;
use std::time::Duration;

use crate::measure::NamedModel;
use crate::measure::speed::{Settings, measure_speed};
use crate::models::ModelOptions;
use clap::Args;
use limbeck_data::Monitor;
use limbeck_encoder::Precision;

use super::common::{ModelArguments, is_teacher, open_all, refuse_teacher_options};
use super::input::TextArguments;
use crate::error::{Error, Result};

#[derive(Args)]
#[command(after_help = "Example:\n  limbeck bench --model runs/quickstart/teacher runs/quickstart/student \
                  --input texts.txt --threads 2 --json")]
pub(super) struct Arguments {
    /// A student, a teacher, a Model2Vec folder, or the URI of one; several are measured side by side
    #[arg(long, value_name = "M", required = true, num_args = 1..)]
    model: Vec<String>,

    /// Text: .txt, .md, .jsonl, .json, .tsv, .csv or .parquet, compressed too, or a folder of them
    #[arg(long, value_name = "TEXT")]
    input: PathBuf,

    #[command(flatten)]
    text: TextArguments,

    /// How often each model has its turn
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,

    /// About how many seconds a turn lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    seconds: f64,

    /// Print JSON, an object a model
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    run: ModelArguments,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    if arguments.rounds == 0 || !(arguments.seconds > 0.0 && arguments.seconds <= 3600.0) {
        return Err(Error::Usage("--rounds must be above 0, --seconds too and at most 3600".into()));
    }
    let texts: Vec<String> = arguments
        .text
        .read(&arguments.input)?
        .filter(|text| !text.as_ref().is_ok_and(|text| text.trim().is_empty()))
        .collect::<limbeck_data::Result<_>>()?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    // A student's folder is benched as it is meant to be used where speed counts.
    let options = ModelOptions { folded: Some(Precision::Int8), ..arguments.run.options(None, None) };
    let opened = open_all(&arguments.model, &arguments.run, &options, monitor)?;
    if !opened.iter().any(is_teacher) {
        refuse_teacher_options(&arguments.run)?;
    }
    let models: Vec<NamedModel> = opened.iter().map(|model| NamedModel::new(&model.name, &*model.encoder)).collect();
    let settings =
        Settings { rounds: arguments.rounds, round: Duration::from_secs_f64(arguments.seconds), ..Settings::default() };
    let measured = measure_speed(&models, &texts, &settings, monitor)?;
    for row in &measured {
        if arguments.json {
            say!("{}", serde_json::json!(row));
        } else {
            let alone = &row.milliseconds_alone;
            say!(
                "{}: {:.0} sentences a second on {} threads; alone {:.3} ms (p50), {:.3} ms (p99)",
                row.model,
                row.sentences_per_second,
                row.threads,
                alone.p50,
                alone.p99
            );
        }
    }
    Ok(())
}
