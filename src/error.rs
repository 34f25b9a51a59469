//! The error of the library and the command `limbeck`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use limbeck_data::Interrupted;
use limbeck_encoder::EncodeError;
use miette::Diagnostic;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that a command, a stage or a measurement can fail with. The help of a variant says what to do next.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Error {
    /// Arguments that contradict one another: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// A command was interrupted.
    #[error("{message}")]
    #[diagnostic(code(limbeck::interrupted))]
    Stopped {
        /// What the work said when it stopped.
        message: String,
        /// What is kept, and the command that goes on.
        #[help]
        next: String,
    },
    /// An engine failed.
    #[error("{model} cannot encode {what}")]
    Encode {
        /// The model's name.
        model: String,
        /// Which texts: `the sentences of 4 STS sets`.
        what: String,
        /// The engine's own error.
        #[source]
        source: EncodeError,
    },
    /// An engine gave fewer or more vectors than it was given texts.
    #[error("{model} gave {rows} vectors for {texts} texts ({what})")]
    Rows {
        /// The model's name.
        model: String,
        /// Which texts.
        what: String,
        /// How many vectors came.
        rows: usize,
        /// How many texts went in.
        texts: usize,
    },
    /// An engine gave a NaN or an infinity.
    #[error("{model} gave {value} in the vector of {text:?} ({what})")]
    #[diagnostic(help("the model's weights are damaged or its training diverged: see it with `limbeck inspect`"))]
    NotFinite {
        /// The model's name.
        model: String,
        /// Which texts.
        what: String,
        /// The first value that isn't finite.
        value: f32,
        /// The beginning of the text.
        text: String,
    },
    /// There is too little to measure on.
    #[error("{what}: {found} found, at least {needed} needed")]
    #[diagnostic(help("give more text"))]
    TooFew {
        /// What there is too little of, and for what.
        what: String,
        /// How many there are.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// Two lists that belong together differ in length.
    #[error("{what}: {left} against {right}")]
    Lengths {
        /// Which two lists.
        what: String,
        /// The first one's length.
        left: usize,
        /// The second one's length.
        right: usize,
    },
    /// A linear system without a solution.
    #[error("the linear probe has no solution at a penalty of {penalty:e}: its vectors hold values too large")]
    Singular {
        /// The ridge penalty.
        penalty: f64,
    },
    /// A file that `--each` would write over, and did not write.
    #[error("{}: a Parquet file lies there that --each did not write", path.display())]
    #[diagnostic(help("name another folder by --to, or delete the file"))]
    NotEach {
        /// The file.
        path: PathBuf,
    },
    /// The same file or run was given twice.
    #[error("{} is given twice", path.display())]
    #[diagnostic(help("name each file once"))]
    Twice {
        /// The file.
        path: PathBuf,
    },
    /// A line of a file is not what it should be.
    #[error("{}, line {line}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A JSON file is not what it should be.
    #[error("{} is no {what}", path.display())]
    Json {
        /// What it should be: `summary`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The parser's error, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// The state of a run can't be read or written.
    #[error("{} is no state of a run", path.display())]
    #[diagnostic(help("delete {}, and the run's stages are done again", path.display()))]
    State {
        /// The file.
        path: PathBuf,
        /// The parser's error, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// A folder without a finished run.
    #[error("{}: no finished run here (summary.json is missing)", path.display())]
    #[diagnostic(help("name the folder of a run, as in runs/quickstart; `limbeck run RECIPE` makes one"))]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// A figure that can't be drawn.
    #[error("the figure {title:?} cannot be drawn: {what}")]
    Plot {
        /// Its title.
        title: String,
        /// What was in the way.
        what: String,
    },
    /// A recipe that can't be read or has no meaning.
    #[error("{}: {what}", path.display())]
    Recipe {
        /// The recipe's file.
        path: PathBuf,
        /// What is wrong, with its place.
        what: String,
        /// What to write instead, where that is known.
        #[help]
        hint: Option<String>,
    },
    /// A path that names no model.
    #[error("{}: {what}", path.display())]
    #[diagnostic(help(
        "a model is a student's folder, a folded file, a Model2Vec folder, a Hugging Face model folder, an ONNX file \
         beside its tokenizer.json, or the URI of one"
    ))]
    NoModel {
        /// What was to be a model.
        path: PathBuf,
        /// Why it is none.
        what: String,
    },
    /// A stage was asked for that the recipe lacks, or whose inputs are missing.
    #[error("stage {stage}: {problem}")]
    #[diagnostic(help("`limbeck run RECIPE --dry-run` shows the recipe's stages"))]
    Stage {
        /// The stage's name.
        stage: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// candle can't compute on the GPU asked for.
    #[error("the GPU cuda:{number} can't be had for training")]
    #[diagnostic(help(
        "training on a GPU takes a build with `--features cuda` and the CUDA toolkit; leave the device out for the CPU"
    ))]
    CandleDevice {
        /// The GPU's number.
        number: u32,
        /// Why.
        #[source]
        source: Box<candle_core::Error>,
    },
    /// Reading or writing a tensor file failed.
    #[error("{}: cannot read its tensors", path.display())]
    Tensors {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<candle_core::Error>,
    },
    /// The system refused a signal handler.
    #[error("cannot handle Ctrl-C")]
    Signal {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Training.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Training(#[from] limbeck_training::Error),
    /// Teachers and ONNX.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Teacher(Box<limbeck_teacher::Error>),
    /// Students.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Student(Box<limbeck_student::Error>),
    /// Models that are read and folded.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Fold(#[from] limbeck_fold::Error),
    /// Tokenizers and folded files.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Encoder(#[from] limbeck_encoder::Error),
    /// The service.
    #[cfg(feature = "serve")]
    #[error(transparent)]
    #[diagnostic(transparent)]
    Serve(#[from] limbeck_serve::Error),
    /// Files and texts.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] limbeck_data::Error),
    /// The caller asked for a stop.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Interrupted(#[from] Interrupted),
}

impl From<limbeck_student::Error> for Error {
    fn from(error: limbeck_student::Error) -> Self {
        Self::Student(Box::new(error))
    }
}

impl From<limbeck_encoder::files::FileError> for Error {
    fn from(error: limbeck_encoder::files::FileError) -> Self {
        Self::Data(error.into())
    }
}

impl From<limbeck_teacher::Error> for Error {
    fn from(error: limbeck_teacher::Error) -> Self {
        Self::Teacher(Box::new(error))
    }
}

impl Error {
    /// `model` could not encode so many `texts`: serves `map_err`.
    pub(crate) fn encode(model: impl Into<String>, texts: usize) -> impl FnOnce(EncodeError) -> Self {
        move |source| Self::Encode { model: model.into(), what: format!("{texts} texts"), source }
    }

    /// An error of parsing or writing the JSON file `path`, which should be `what`: serves `map_err`.
    pub(crate) fn json(what: &'static str, path: &Path) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Json { what, path: path.to_path_buf(), source }
    }

    /// Whether a training found the checkpoint of another one.
    pub fn is_other_training(&self) -> bool {
        self.code().is_some_and(|code| code.to_string() == "limbeck::other_training")
    }

    /// What the user could do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        self.help().map(|help| help.to_string())
    }

    /// Whether the work was asked to stop.
    pub fn is_interrupted(&self) -> bool {
        limbeck_data::is_interrupted(self)
    }

    /// The error and its causes in one line; a cause that the text before it already contains is left out.
    pub fn message(&self) -> String {
        let mut parts = vec![self.to_string()];
        for cause in self.causes() {
            let text = cause.to_string();
            if !parts.last().is_some_and(|last| last.contains(&text)) {
                parts.push(text);
            }
        }
        parts.join(": ")
    }

    /// Whether stdout was closed by its reader, as `head` does.
    pub fn is_closed_pipe(&self) -> bool {
        self.is_refusal(ErrorKind::BrokenPipe)
    }

    /// Whether a file or folder that was named isn't there.
    pub fn is_missing_file(&self) -> bool {
        self.is_refusal(ErrorKind::NotFound)
    }

    /// Whether the system's refusal of this kind is among the causes.
    fn is_refusal(&self, kind: ErrorKind) -> bool {
        self.causes().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == kind))
    }

    /// The causes, from the nearest to the first.
    fn causes(&self) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
        std::iter::successors(std::error::Error::source(self), |cause| cause.source())
    }
}
