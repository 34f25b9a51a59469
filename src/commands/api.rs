//! A teacher behind an API on the command line.

use std::path::Path;

use clap::{Args, ValueEnum};
use limbeck_data::Monitor;
use limbeck_encoder::Tokenizer;
use limbeck_teacher::api::{API_SHARD_ROWS, ApiEncoding, ApiEstimate, ApiSettings, ApiTeacher, Spending};
use limbeck_teacher::embed::{TextChunks, vocabulary_texts};

use super::common::ModelArguments;
use crate::error::{Error, Result};
use crate::models::DEFAULT_RUNTIME;

// A teacher behind an API.
#[derive(Args)]
#[command(next_help_heading = "A teacher behind an API")]
pub(super) struct ApiArguments {
    /// In place of --teacher: an API that answers as OpenAI's POST /v1/embeddings, by its address up to /v1
    #[arg(long, value_name = "URL", conflicts_with = "teacher", requires = "api_model")]
    api_url: Option<String>,

    /// The model's name there
    #[arg(long, value_name = "NAME", requires = "api_url")]
    api_model: Option<String>,

    /// The environment variable that holds the key, which is stored nowhere
    #[arg(long, value_name = "VARIABLE", requires = "api_url")]
    api_key_env: Option<String>,

    /// The width of the vectors, for models that let it be chosen
    #[arg(long, value_name = "N", requires = "api_url")]
    api_dimensions: Option<usize>,

    /// Texts of a request; 128 by default
    #[arg(long, value_name = "N", requires = "api_url")]
    api_batch: Option<usize>,

    /// Requests at a time; 4 by default
    #[arg(long, value_name = "N", requires = "api_url")]
    api_concurrency: Option<usize>,

    /// How the server is asked to write vectors; base64 by default
    #[arg(long, value_name = "ENCODING", requires = "api_url")]
    api_encoding: Option<Encoding>,

    /// Seconds after which a request counts as failed; 120 by default
    #[arg(long, value_name = "SECONDS", requires = "api_url")]
    api_timeout: Option<u64>,

    /// Stop before more tokens than these are spent, all starts together
    #[arg(long, value_name = "N", requires = "api_url")]
    api_max_total_tokens: Option<u64>,

    /// Stop before more money than this is spent, in the currency of --api-price
    #[arg(long, value_name = "COST", requires_all = ["api_url", "api_price"])]
    api_max_cost: Option<f64>,

    /// The price of a million tokens
    #[arg(long, value_name = "PRICE", requires = "api_url")]
    api_price: Option<f64>,

    /// Say how many texts, tokens and requests it would take and what they cost, and send nothing
    #[arg(long, requires = "api_url")]
    pub(super) dry_run: bool,
}

/// The encodings of [`ApiEncoding`].
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Encoding {
    Base64,
    Float,
}

impl ApiArguments {
    /// How the API is asked, where one is named.
    ///
    /// # Errors
    /// Settings that can't be, and options in `model` that are for teachers on this machine.
    pub(super) fn settings(&self, prefix: Option<&str>, model: &ModelArguments) -> Result<Option<ApiSettings>> {
        let (Some(url), Some(name)) = (&self.api_url, &self.api_model) else { return Ok(None) };
        refuse_local_options(model)?;
        let usual = ApiSettings::default();
        let settings = ApiSettings {
            url: url.clone(),
            model: name.clone(),
            key_env: self.api_key_env.clone(),
            dimensions: self.api_dimensions,
            prefix: prefix.unwrap_or_default().to_owned(),
            batch: self.api_batch.unwrap_or(usual.batch),
            concurrency: self.api_concurrency.unwrap_or(usual.concurrency),
            encoding: match self.api_encoding {
                Some(Encoding::Float) => ApiEncoding::Float,
                Some(Encoding::Base64) | None => ApiEncoding::Base64,
            },
            timeout: self.api_timeout.unwrap_or(usual.timeout),
            max_total_tokens: self.api_max_total_tokens,
            max_cost: self.api_max_cost,
            price: self.api_price,
        };
        settings.check().map_err(|error| Error::Usage(error.to_string()))?;
        Ok(Some(settings))
    }
}

/// Refuses options that have no effect on a teacher behind an API.
fn refuse_local_options(arguments: &ModelArguments) -> Result<()> {
    let run = &arguments.run;
    let precision = arguments.precision.map(|_| "--precision");
    let runtime = (run.runtime != DEFAULT_RUNTIME).then_some("--runtime");
    match precision.or_else(|| run.teacher_option()).or(runtime) {
        Some(option) => Err(Error::Usage(format!("{option} is for a teacher on this machine, not for an API"))),
        None => Ok(()),
    }
}

/// The file in a cache's folder that keeps what was spent on it; each of several parts has its own.
fn ledger_name(part: Option<(u32, u32)>) -> String {
    match part {
        Some((part, parts)) => format!("api-usage-{part}-of-{parts}.json"),
        None => "api-usage.json".into(),
    }
}

/// Opens the API's teacher for the cache in `folder`.
pub(super) fn open(
    settings: ApiSettings,
    folder: &Path,
    part: Option<(u32, u32)>,
    monitor: Monitor,
) -> Result<ApiTeacher> {
    Ok(ApiTeacher::open(settings, Some(&folder.join(ledger_name(part))), monitor)?)
}

/// Prints what the texts would take, of several parts all together, and sends nothing.
pub(super) fn print_estimate(
    settings: &ApiSettings,
    texts: TextChunks,
    student: Option<&Tokenizer>,
    folder: &Path,
) -> Result<()> {
    let mut estimate = ApiEstimate::default();
    for chunk in texts {
        chunk?.chunks(API_SHARD_ROWS).for_each(|shard| estimate.add(shard, settings));
    }
    if let Some(student) = student {
        estimate.add(&vocabulary_texts(student), settings);
    }
    let spent = Spending::read(&folder.join(ledger_name(None)), settings)?;
    say!("{}", estimate.line(settings, &spent));
    Ok(())
}
