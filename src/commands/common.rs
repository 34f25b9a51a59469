//! What several commands share.

use std::path::{Path, PathBuf};

use clap::Args;
use limbeck::model::{DEFAULT_RUNTIME, Opener, Options};
use limbeck::recipe::{self, Recipe};
use limbeck_data::assets::AssetStore;
use limbeck_data::progress::Progress;
use limbeck_data::{Interrupt, Monitor};
use limbeck_encoder::{Encoder, Precision};
use limbeck_teacher::{OnnxDevice, Pooler};

/// What every command gets beside its arguments.
pub struct Session<'a> {
    pub progress: &'a dyn Progress,
    pub interrupt: Interrupt,
}

impl Session<'_> {
    /// The user's asset store.
    pub fn store(&self) -> anyhow::Result<AssetStore> {
        Ok(AssetStore::of_user()?)
    }

    /// The monitor of the command's work.
    pub fn monitor(&self) -> Monitor<'_> {
        Monitor::new(self.progress, &self.interrupt)
    }
}

// How models are run, and in which precision.
#[derive(Args, Clone)]
pub struct ModelArguments {
    #[command(flatten)]
    pub run: RunArguments,

    /// Precision that a model computes in: f32, f16 (a student's tables only) or int8; f32 by default, but a student is
    /// benched in int8
    #[arg(long, value_name = "PRECISION", value_parser = precision)]
    pub precision: Option<Precision>,
}

// The recipe of a command that does one stage's work.
#[derive(Args)]
pub struct RecipeArguments {
    /// A recipe, of which the sections named above are read
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,

    /// Put a value over the recipe's, by the key that it has there
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// Threads; all cores by default
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,
}

impl RecipeArguments {
    /// The recipe with its overrides; its threads, or those given here, are set. The command reads `sections` of it, and an override
    /// of another one would do nothing; nor would one of the keys that begin as in `others`, in place of which something else is told.
    pub fn read(&self, sections: &[&str], others: &[(&str, &str)]) -> anyhow::Result<Recipe> {
        let recipe = match &self.recipe {
            Some(path) => recipe::read(path, &self.overrides)?,
            None => recipe::from_overrides(&self.overrides)?,
        };
        let is_read = |key: &&str| key.split('.').next().is_some_and(|top| top == "threads" || sections.contains(&top));
        if let Some(key) = self.overridden().find(|key| !is_read(key)) {
            let sections: Vec<String> = sections.iter().map(|section| format!("[{section}]")).collect();
            let what = format!("--set {key}: of a recipe, {} is read here", sections.join(", "));
            return Err(super::Usage(what).into());
        }
        for (begin, instead) in others {
            if let Some(key) = self.overridden().find(|key| key.starts_with(begin)) {
                return Err(super::Usage(format!("--set {key}: that is for `limbeck run`; {instead}")).into());
            }
        }
        let asked = self.threads.or(recipe.threads);
        if let Some(asked) = asked {
            possible(asked).map_err(|expected| super::Usage(format!("threads is {asked}: {expected}")))?;
        }
        set_threads(asked.unwrap_or(std::thread::available_parallelism()?.get()));
        Ok(recipe)
    }

    /// The keys that `--set` names.
    pub fn overridden(&self) -> impl Iterator<Item = &str> {
        self.overrides.iter().map(|set| set.split('=').next().unwrap_or_default().trim())
    }
}

// How models are run.
#[derive(Args, Clone)]
pub struct RunArguments {
    /// Threads; all cores by default
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,

    /// How a teacher pools its tokens: cls, cls-before-pooler, mean, first-last or last-two; the model's own by default
    #[arg(long, value_name = "POOLER")]
    pub pooler: Option<Pooler>,

    /// Longest input of a teacher in tokens; the model's own by default
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<usize>,

    /// What computes a teacher: cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: OnnxDevice,

    /// ONNX Runtime: pypi:onnxruntime==VERSION, a URI or a path; ORT_DYLIB_PATH goes before it
    #[arg(long, value_name = "URI", default_value = DEFAULT_RUNTIME)]
    pub runtime: String,

    /// What computes a student: folded (tables) or candle (the trained graph)
    #[arg(long, value_name = "ENGINE", default_value = "folded", value_parser = ["folded", "candle"])]
    pub engine: String,
}

impl ModelArguments {
    /// The number of threads asked for, at least 1.
    pub fn threads(&self) -> anyhow::Result<usize> {
        Ok(self.run.threads.unwrap_or(std::thread::available_parallelism()?.get()))
    }

    /// The opener of models, with rayon's threads set too.
    pub fn opener<'a>(&self, store: &'a AssetStore, monitor: Monitor<'a>) -> anyhow::Result<Opener<'a>> {
        let threads = self.threads()?;
        set_threads(threads);
        Ok(Opener { store, monitor, threads, runtime: self.run.runtime.clone(), device: self.run.device })
    }

    /// How the model is to be run, with `prefix` before every text of a teacher.
    pub fn options(&self, prefix: Option<&str>) -> Options {
        Options {
            precision: self.precision,
            folded: None,
            pooler: self.run.pooler,
            prefix: prefix.map(str::to_string),
            max_tokens: self.run.max_tokens,
            candle: self.run.engine == "candle",
        }
    }
}

/// Sets the threads that candle, tokenizers and the training use; only the first call of a process counts.
pub fn set_threads(threads: usize) {
    // An error says that a pool is there already, with the threads of the first call.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
}

/// Parses a number of threads.
pub fn threads(number: &str) -> Result<usize, String> {
    // What is no number isn't possible either.
    possible(number.parse().unwrap_or(0))
}

/// The same number of threads where it is possible, else what is.
fn possible(threads: usize) -> Result<usize, String> {
    let all = 1..=recipe::MOST_THREADS;
    all.contains(&threads)
        .then_some(threads)
        .ok_or_else(|| format!("1 to {} is expected; leave it out for all cores", all.end()))
}

/// Parses a precision.
pub fn precision(name: &str) -> Result<Precision, String> {
    Precision::ALL
        .into_iter()
        .find(|precision| precision.name() == name)
        .ok_or_else(|| "f32, f16 or int8 is expected".into())
}

/// A model that was opened, and what it is called in output.
pub struct Opened {
    pub name: String,
    pub encoder: Box<dyn Encoder>,
}

/// An error unless the model's vectors have `dimension` numbers or more.
pub fn check_dimension(dimension: usize, model: &Opened) -> anyhow::Result<()> {
    let whole = model.encoder.info().dimension;
    if dimension == 0 || dimension > whole {
        let what = format!("--dimension {dimension}: {} gives vectors of {whole} numbers", model.name);
        return Err(super::Usage(what).into());
    }
    Ok(())
}

/// Opens several models in order, with `prefix` in place of a teacher's own.
pub fn open_all(
    names: &[String],
    arguments: &ModelArguments,
    prefix: Option<&str>,
    session: &Session,
) -> anyhow::Result<Vec<Opened>> {
    open_with(names, arguments, &arguments.options(prefix), session)
}

/// Opens several models in order.
pub fn open_with(
    names: &[String],
    arguments: &ModelArguments,
    options: &Options,
    session: &Session,
) -> anyhow::Result<Vec<Opened>> {
    let store = session.store()?;
    let opener = arguments.opener(&store, session.monitor())?;
    let open = |name: &String| -> anyhow::Result<Opened> {
        Ok(Opened { name: name.clone(), encoder: opener.open(name, options)? })
    };
    names.iter().map(open).collect()
}

/// Whether the model is a teacher: ONNX Runtime computes it, on the device that was asked for.
pub fn is_teacher(model: &Opened) -> bool {
    model.encoder.info().engine == "onnxruntime"
}

/// An error where an option is given that only teachers have, and no model of the command, as `any` says, is one.
pub fn check_teachers(arguments: &ModelArguments, any: bool) -> anyhow::Result<()> {
    let run = &arguments.run;
    let given = [
        ("--device", run.device != OnnxDevice::Cpu),
        ("--pooler", run.pooler.is_some()),
        ("--max-tokens", run.max_tokens.is_some()),
    ];
    match given.iter().find(|(_, given)| *given && !any) {
        Some((option, _)) => {
            let what =
                format!("{option} is for teachers, and none is among the models; students run on the CPU as they are");
            Err(super::Usage(what).into())
        }
        None => Ok(()),
    }
}

/// Says that standard output can't be written to.
pub fn stdout_failed(source: std::io::Error) -> limbeck_data::Error {
    limbeck_data::Error::io("write", Path::new("standard output"))(source)
}
