//! [`RunFolder`]: every path of a run, `runs/NAME/`.

use std::path::{Path, PathBuf};

use limbeck_data::text::{COLLECTION_FILE, DOCUMENTS_FILE, OWN_QUERIES_FILE, TRAIN_FILE};
use limbeck_encoder::Precision;

use crate::recipe::Method;

/// The folder of a run and every path in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    root: PathBuf,
}

/// Declares a method for each fixed path below the run's folder.
macro_rules! paths {
    ($($(#[$docs:meta])+ $name:ident = $path:expr;)+) => {
        $($(#[$docs])+ pub fn $name(&self) -> PathBuf { self.root.join($path) })+
    };
}

impl RunFolder {
    /// The run whose files lie in `root`.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    paths! {
        /// The resolved recipe.
        recipe = "recipe.toml";
        /// What each stage was made from: see [`super::State`].
        state = "state.json";
        /// One line per training step or evaluation.
        metrics = "metrics.jsonl";
        /// The tokens that a teacher behind an API has taken.
        api_usage = "api-usage.json";
        /// What was fetched, with its sha256.
        assets = "assets.json";
        /// Prepared text.
        text = "text";
        /// Prepared text to train on.
        train_text = Path::new("text").join(TRAIN_FILE);
        /// Prepared text to measure on.
        held_out_text = "text/held-out.parquet";
        /// Labelled documents, where the text has labels.
        documents = Path::new("text").join(DOCUMENTS_FILE);
        /// The documents of the collections, where the text has any.
        collection = Path::new("text").join(COLLECTION_FILE);
        /// The queries that documents of the collections gave, where the recipe asks for any.
        own_queries = Path::new("text").join(OWN_QUERIES_FILE);
        /// The teacher: weights if it was trained here, and its ONNX exports.
        teacher = "teacher";
        /// The trained teacher as it was before its training, in ONNX.
        untrained_teacher_onnx = "teacher/start.onnx";
        /// The tokenizer of the exported teacher.
        teacher_tokenizer = "teacher/tokenizer.json";
        /// The ONNX file that the teacher is, where the recipe names one.
        foreign_teacher = "teacher/onnx.json";
        /// The student's own vocabulary.
        vocabulary = "vocabulary";
        /// The tokenizer of the student's own vocabulary.
        vocabulary_tokenizer = "vocabulary/tokenizer.json";
        /// Both embedding caches.
        cache = "cache";
        /// The embedding cache to learn from.
        train_cache = "cache/train";
        /// The embedding cache to measure on.
        held_out_cache = "cache/held-out";
        /// The run's student: what its last method left.
        student = "student";
        /// The student's model card.
        card = "student/README.md";
        /// The run's student with a lexical half.
        student_lexical = "student-lexical";
        /// The static control with a lexical half.
        static_lexical = "static-lexical";
        /// The static students.
        baselines = "baselines";
        /// Folded students.
        exports = "exports";
        /// Quality figures of every model.
        evaluation = "evaluation.json";
        /// Similarities and neighbours of held-out texts, which the report shows.
        held_out_figures = "held-out.json";
        /// The pairs that word order was measured on.
        word_order = "word-order.tsv";
        /// Figures of the teacher, kept for the runs laid over this one.
        measured = "measured";
        /// Speed figures of every model.
        bench = "bench.json";
        /// Every figure of the run.
        summary = "summary.json";
        /// The report page.
        report = crate::report::FILE;
    }

    /// The teacher's ONNX export in `precision`.
    pub fn teacher_onnx(&self, precision: Precision) -> PathBuf {
        self.teacher().join(if precision == Precision::Int8 { "model.int8.onnx" } else { "model.onnx" })
    }

    /// The student that `method` left, where a later method goes on from it.
    pub fn method(&self, method: Method) -> PathBuf {
        self.root.join("methods").join(method.name())
    }

    /// The static student `name`.
    pub fn baseline(&self, name: &str) -> PathBuf {
        self.baselines().join(name)
    }

    /// The folded file of `name` (the student or a static one) in `precision`.
    pub fn folded(&self, name: &str, precision: Precision) -> PathBuf {
        self.exports().join(format!("{name}.{}.limbeck", precision.name()))
    }
}
