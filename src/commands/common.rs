//! What several commands share.

use std::path::{Path, PathBuf};

use crate::halves::dense_dimension;
use crate::models::{DEFAULT_RUNTIME, ModelFiles, ModelOptions, Opener, StudentEngine, find_model};
use crate::recipe::{self, Recipe};
use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, Uri};
use limbeck_encoder::{Encoder, Precision};
use limbeck_teacher::{OnnxDevice, Pooler};

use crate::error::{Error, Result};

/// The local path of an asset, which is fetched into the user's store if it isn't there.
pub(super) fn locate(uri: &Uri, monitor: Monitor) -> Result<PathBuf> {
    Ok(AssetStore::of_user().locate(uri, monitor)?)
}

/// The local folder of a student.
///
/// # Errors
/// An asset that can't be fetched, or is no student's folder.
pub(super) fn locate_student(uri: &Uri, monitor: Monitor) -> Result<PathBuf> {
    let path = locate(uri, monitor)?;
    match find_model(&path)? {
        ModelFiles::Student(folder) => Ok(folder),
        _ => Err(Error::NoModel { path, what: "is no student's folder".into() }),
    }
}

/// The local paths of files, each named by a path or a URI.
pub(super) fn locate_files(names: &[PathBuf], monitor: Monitor) -> Result<Vec<PathBuf>> {
    Ok(AssetStore::of_user().locate_all(names, monitor)?)
}

// How models are run, and in which precision.
#[derive(Args, Clone)]
pub(super) struct ModelArguments {
    #[command(flatten)]
    pub(super) run: RunArguments,

    /// Precision that a model computes in: f32, f16 (a student's tables only) or int8; f32 by default, but a student is
    /// benched in int8
    #[arg(long, value_name = "PRECISION", value_parser = precision)]
    pub(super) precision: Option<Precision>,
}

// The recipe of a command that does the work of one stage.
#[derive(Args)]
pub(super) struct RecipeArguments {
    /// A recipe; the command reads the sections named above
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,

    /// Put a value over the recipe's, by its key there
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// Threads; all cores by default
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,
}

impl RecipeArguments {
    /// The recipe with its overrides. Sets the number of threads too.
    ///
    /// # Errors
    /// An override outside `sections`, or of a key that begins as one in `others`: the command would ignore both.
    /// `others` says what to use instead.
    pub(super) fn read(&self, sections: &[&str], others: &[(&str, &str)]) -> Result<Recipe> {
        let recipe = match &self.recipe {
            Some(path) => recipe::read(path, &self.overrides)?,
            None => recipe::from_overrides(&self.overrides)?,
        };
        let is_read = |key: &&str| key.split('.').next().is_some_and(|top| top == "threads" || sections.contains(&top));
        if let Some(key) = self.overridden().find(|key| !is_read(key)) {
            let sections: Vec<String> = sections.iter().map(|section| format!("[{section}]")).collect();
            let what = format!("--set {key}: of a recipe, {} is read here", sections.join(", "));
            return Err(Error::Usage(what));
        }
        for (begin, instead) in others {
            if let Some(key) = self.overridden().find(|key| key.starts_with(begin)) {
                return Err(Error::Usage(format!("--set {key}: that is for `limbeck run`; {instead}")));
            }
        }
        let asked = self.threads.or(recipe.threads);
        if let Some(asked) = asked {
            possible(asked).map_err(|expected| Error::Usage(format!("threads is {asked}: {expected}")))?;
        }
        set_threads(asked);
        Ok(recipe)
    }

    /// The keys that `--set` names.
    pub(super) fn overridden(&self) -> impl Iterator<Item = &str> {
        self.overrides.iter().map(|set| set.split('=').next().unwrap_or_default().trim())
    }
}

// How models are run.
#[derive(Args, Clone)]
pub(super) struct RunArguments {
    /// Threads; all cores by default
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(super) threads: Option<usize>,

    /// How a teacher pools its tokens: cls, cls-before-pooler, mean, first-last, last-two, max, mean-sqrt-len,
    /// weighted-mean or last-token; the model's own by default
    #[arg(long, value_name = "POOLER")]
    pub(super) pooler: Option<Pooler>,

    /// Longest input of a teacher in tokens; the model's own by default
    #[arg(long, value_name = "N")]
    pub(super) max_tokens: Option<usize>,

    /// What computes a teacher: cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(super) device: OnnxDevice,

    /// ONNX Runtime: pypi:onnxruntime==VERSION, a URI or a path; ORT_DYLIB_PATH goes before it
    #[arg(long, value_name = "URI", default_value = DEFAULT_RUNTIME)]
    pub(super) runtime: String,

    /// What computes a student
    #[arg(long, value_name = "ENGINE", value_enum, default_value = "folded")]
    pub(super) engine: StudentEngine,
}

impl RunArguments {
    /// The first option given that only a teacher on this machine has.
    pub(super) fn teacher_option(&self) -> Option<&'static str> {
        let given = [
            ("--device", self.device != OnnxDevice::Cpu),
            ("--pooler", self.pooler.is_some()),
            ("--max-tokens", self.max_tokens.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }
}

impl ModelArguments {
    /// The opener of models, with rayon's threads set too.
    pub(super) fn opener<'a>(&self, store: &'a AssetStore, monitor: Monitor<'a>) -> Opener<'a> {
        let run = &self.run;
        let threads = set_threads(run.threads);
        Opener { store, monitor, threads, runtime: run.runtime.clone(), device: run.device }
    }

    /// How the model is to be run, with `prefix`, or the teacher's prompt `prompt`, before every text of a teacher.
    pub(super) fn options(&self, prefix: Option<&str>, prompt: Option<&str>) -> ModelOptions {
        ModelOptions {
            precision: self.precision,
            folded: None,
            pooler: self.run.pooler,
            prefix: prefix.map(str::to_string),
            prompt: prompt.map(str::to_string),
            max_tokens: self.run.max_tokens,
            engine: self.run.engine,
        }
    }
}

/// Sets the threads that candle, tokenizers and the training use, all cores by default, and gives their number. Only
/// the first call of a process counts.
pub(super) fn set_threads(asked: Option<usize>) -> usize {
    let threads = asked.unwrap_or_else(recipe::available_threads);
    // An error says that a pool is there already, with the threads of the first call.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    threads
}

/// Parses a number of threads.
pub(super) fn threads(number: &str) -> std::result::Result<usize, String> {
    // What is no number isn't possible either.
    possible(number.parse().unwrap_or(0))
}

/// The same number of threads where it is possible, else what is.
fn possible(threads: usize) -> std::result::Result<usize, String> {
    match threads {
        1..=recipe::MOST_THREADS => Ok(threads),
        _ => Err(format!("1 to {} is expected; leave it out for all cores", recipe::MOST_THREADS)),
    }
}

/// Parses a precision.
pub(super) fn precision(name: &str) -> std::result::Result<Precision, String> {
    Precision::ALL
        .into_iter()
        .find(|precision| precision.name() == name)
        .ok_or_else(|| "f32, f16 or int8 is expected".into())
}

/// A model that was opened, and what it is called in output.
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) encoder: Box<dyn Encoder>,
}

/// An error unless the model's vectors, or their dense halves, have `dimension` numbers or more.
pub(super) fn check_dimension(dimension: usize, model: &Opened) -> Result<()> {
    let whole = dense_dimension(&*model.encoder);
    if dimension == 0 || dimension > whole {
        let vectors = if model.encoder.lexical().is_some() { "dense halves" } else { "vectors" };
        let what = format!("--dimension {dimension}: {} gives {vectors} of {whole} numbers", model.name);
        return Err(Error::Usage(what));
    }
    Ok(())
}

/// Opens several models in order.
pub(super) fn open_all(
    names: &[String],
    arguments: &ModelArguments,
    options: &ModelOptions,
    monitor: Monitor,
) -> Result<Vec<Opened>> {
    let store = AssetStore::of_user();
    let opener = arguments.opener(&store, monitor);
    names.iter().map(|name| Ok(Opened { name: name.clone(), encoder: opener.open(name, options)? })).collect()
}

/// Whether the model is a teacher: ONNX Runtime computes it, on the device that was asked for.
pub(super) fn is_teacher(model: &Opened) -> bool {
    model.encoder.info().engine == "onnxruntime"
}

/// An error where an option is given that only teachers have: for commands none of whose models is one.
pub(super) fn refuse_teacher_options(arguments: &ModelArguments) -> Result<()> {
    let Some(option) = arguments.run.teacher_option() else { return Ok(()) };
    let what = format!("{option} is for teachers, and none is among the models; students run on the CPU as they are");
    Err(Error::Usage(what))
}

/// Prints where a command's result lies.
pub(super) fn print_path(path: &Path) -> Result<()> {
    say!("{}", path.display());
    Ok(())
}

/// An error of writing to standard output.
pub(super) fn stdout_failed(source: std::io::Error) -> Error {
    limbeck_data::Error::io("write", Path::new("standard output"))(source).into()
}
