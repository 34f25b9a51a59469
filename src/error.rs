//! The one error type of this crate's library part.

use std::path::PathBuf;

use limbeck_data::Interrupted;
use limbeck_encoder::EncodeError;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong while models are measured and results are written down.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
    NotFinite {
        /// The model's name.
        model: String,
        /// Which texts.
        what: String,
        /// The first number that is none.
        value: f32,
        /// The beginning of the text.
        text: String,
    },
    /// There is too little to measure on.
    #[error("{what}: {found} found, at least {needed} needed")]
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
    #[error("the linear probe has no solution at a penalty of {penalty:e}: its vectors hold numbers too large")]
    Singular {
        /// The ridge penalty.
        penalty: f64,
    },
    /// The same evaluation set was given twice.
    #[error("{} is given twice", path.display())]
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
    /// A folder without a finished run.
    #[error("{} holds no summary.json: no run has come to its end there", path.display())]
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
    /// A recipe that can't be read or means nothing.
    #[error("{}: {what}", path.display())]
    Recipe {
        /// The recipe's file.
        path: PathBuf,
        /// What is wrong, with its place.
        what: String,
        /// What to write instead, where that can be told.
        hint: Option<String>,
    },
    /// A path that names no model.
    #[error("{}: {what}", path.display())]
    NoModel {
        /// What was to be a model.
        path: PathBuf,
        /// Why it is none.
        what: String,
    },
    /// A stage was asked for that the recipe doesn't have, or one whose inputs aren't there.
    #[error("stage {stage}: {what}")]
    Stage {
        /// The stage's name.
        stage: String,
        /// What is wrong.
        what: String,
    },
    /// Another process is at work in the folder.
    #[error("{}: another process is at work there", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// Training.
    #[error(transparent)]
    Training(#[from] limbeck_training::Error),
    /// Teachers and ONNX.
    #[error(transparent)]
    Teacher(Box<limbeck_teacher::Error>),
    /// Students.
    #[error(transparent)]
    Student(Box<limbeck_student::Error>),
    /// Tokenizers and folded files.
    #[error(transparent)]
    Encoder(#[from] limbeck_encoder::Error),
    /// Files and texts.
    #[error(transparent)]
    Data(#[from] limbeck_data::Error),
    /// candle can't compute on the GPU asked for.
    #[error("the GPU cuda:{number} can't be had for training")]
    CandleDevice {
        number: u32,
        #[source]
        source: Box<candle_core::Error>,
    },
    /// The caller asked for a stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl From<limbeck_student::Error> for Error {
    fn from(error: limbeck_student::Error) -> Self {
        Self::Student(Box::new(error))
    }
}

impl From<limbeck_teacher::Error> for Error {
    fn from(error: limbeck_teacher::Error) -> Self {
        Self::Teacher(Box::new(error))
    }
}

/// What [`Error::Json`] calls the file that says which stages are done.
pub(crate) const STATE: &str = "state of a run";

impl Error {
    /// Whether a training found the checkpoint of another one.
    pub fn is_other_training(&self) -> bool {
        let training = match self {
            Self::Training(error) => error,
            Self::Student(error) => match &**error {
                limbeck_student::Error::Training(error) => error,
                _ => return false,
            },
            Self::Teacher(error) => match &**error {
                limbeck_teacher::Error::Training(error) => error,
                _ => return false,
            },
            _ => return false,
        };
        matches!(training, limbeck_training::Error::OtherTraining { .. })
    }

    /// What the user could do next, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFinite { .. } => {
                Some("the model's weights are damaged or its training diverged: see it with `limbeck inspect`".into())
            }
            Self::NoRun { .. } => {
                Some("name the folder of a run, as in runs/quickstart; `limbeck run RECIPE` ends one".into())
            }
            Self::TooFew { .. } => Some("give more text".into()),
            Self::Json { what, path, .. } if *what == STATE => {
                Some(format!("delete {}, and the run's stages are done again", path.display()))
            }
            Self::Twice { .. } => Some("name each file once".into()),
            Self::Recipe { hint, .. } => hint.clone(),
            Self::NoModel { .. } => Some(
                "a model is a student's folder, a folded file, a Model2Vec folder, a Hugging Face BERT folder, an ONNX file \
                 beside its tokenizer.json, or the URI of one"
                    .into(),
            ),
            Self::CandleDevice { .. } => Some(
                "training on a GPU takes a build with `--features cuda` and the CUDA toolkit; leave the device out for \
                 the CPU"
                    .into(),
            ),
            Self::Busy { .. } => Some("wait for it, or give this run a name or folder of its own".into()),
            Self::Stage { .. } => Some("`limbeck run RECIPE --dry-run` shows the recipe's stages".into()),
            Self::Teacher(source) => source.hint(),
            Self::Training(source) => source.hint(),
            Self::Student(source) => source.hint(),
            Self::Encoder(source) => source.hint(),
            Self::Data(source) => source.hint(),
            _ => None,
        }
    }
}
