use std::path::PathBuf;
use std::str::FromStr;

use limbeck_data::cache::is_tokens_name;
use serde_json::{Value, json};

use super::context::Context;
use crate::recipe::{CacheOrigin, Method, Recipe, StudentSection};

/// The stages. Their order is that of [`Context::stages`]: a recipe may order the methods by which a student learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    Fetch,
    Text,
    TrainTeacher,
    ExportTeacher,
    Vocabulary,
    Embed,
    Distil,
    Simcse,
    AmSoftmax,
    Baselines,
    ExportStudent,
    Evaluate,
    Bench,
    Report,
}

impl From<Method> for Stage {
    fn from(method: Method) -> Self {
        match method {
            Method::Distil => Self::Distil,
            Method::Simcse => Self::Simcse,
            Method::AmSoftmax => Self::AmSoftmax,
        }
    }
}

/// What happens with a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It runs, and why.
    Run(String),
    /// It is up to date.
    Skip,
    /// It lies past `--to`.
    Left,
}

impl Stage {
    /// All stages there are.
    pub const ALL: [Self; 14] = [
        Self::Fetch,
        Self::Text,
        Self::TrainTeacher,
        Self::ExportTeacher,
        Self::Vocabulary,
        Self::Embed,
        Self::Distil,
        Self::Simcse,
        Self::AmSoftmax,
        Self::Baselines,
        Self::ExportStudent,
        Self::Evaluate,
        Self::Bench,
        Self::Report,
    ];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Text => "text",
            Self::TrainTeacher => "train-teacher",
            Self::ExportTeacher => "export-teacher",
            Self::Vocabulary => "vocabulary",
            Self::Embed => "embed",
            Self::Distil => "distil",
            Self::Simcse => "simcse",
            Self::AmSoftmax => "am-softmax",
            Self::Baselines => "baselines",
            Self::ExportStudent => "export-student",
            Self::Evaluate => "evaluate",
            Self::Bench => "bench",
            Self::Report => "report",
        }
    }

    /// The stages whose work it reads.
    pub(super) fn reads(self, context: &Context) -> Vec<Self> {
        match self {
            Self::Fetch => vec![],
            Self::Text => vec![Self::Fetch],
            Self::TrainTeacher => vec![Self::Fetch, Self::Text],
            Self::ExportTeacher => vec![Self::Fetch, Self::TrainTeacher],
            Self::Vocabulary => vec![Self::Text, Self::ExportTeacher],
            Self::Embed => vec![Self::Text, Self::ExportTeacher, Self::Vocabulary],
            Self::Distil | Self::AmSoftmax => [Self::Embed].into_iter().chain(context.method_before(self)).collect(),
            Self::Simcse => {
                [Self::Fetch, Self::Text, Self::Embed].into_iter().chain(context.method_before(self)).collect()
            }
            Self::Baselines => vec![Self::Embed],
            Self::ExportStudent => context.last_method().into_iter().chain([Self::Baselines]).collect(),
            Self::Evaluate => vec![Self::ExportTeacher, Self::Embed, Self::ExportStudent],
            Self::Bench => vec![Self::ExportTeacher, Self::Embed, Self::ExportStudent],
            Self::Report => vec![Self::Evaluate, Self::Bench],
        }
    }

    /// What its result depends on beside what it reads. The number of threads isn't among it but for a bench: what a training left on
    /// another machine stays what it is.
    pub(super) fn settings(self, context: &Context) -> Value {
        let recipe = &context.plan.recipe;
        match self {
            Self::Fetch => {
                let teacher = recipe.teacher.as_ref().map(|teacher| (&teacher.source, &teacher.sha256));
                let sources: Vec<_> = recipe.text.source.iter().map(|source| (&source.uri, &source.sha256)).collect();
                // Of labelled examples the trainings know by themselves: nothing else is done anew for them.
                json!({"teacher": teacher, "text": sources, "runtime": recipe.runtime.library,
                       "tokenizer": recipe.student.tokenizer})
            }
            Self::Text => {
                let files: Vec<_> = context.plan.text.iter().chain(&context.plan.exclude).map(Context::stamp).collect();
                json!({"text": recipe.text, "files": files})
            }
            Self::TrainTeacher => {
                let teacher = recipe.teacher.as_ref().map(|t| (&t.pooler, &t.prefix, t.max_tokens, &t.device));
                let dev = recipe.train_teacher.iter().flat_map(|train| &train.dev);
                let uris = context.plan.teacher().map(|teacher| &teacher.uri).into_iter().chain(&context.plan.examples);
                let files = uris.map(Context::stamp).chain(dev.map(|file| Context::stamp_content(file.as_ref())));
                let files: Vec<_> = files.collect();
                json!({"train_teacher": recipe.train_teacher, "teacher": teacher, "files": files})
            }
            Self::ExportTeacher => {
                let teacher = recipe.teacher.as_ref().map(|t| (&t.pooler, &t.prefix, t.max_tokens, t.precision));
                json!({"teacher": teacher, "files": context.plan.teacher().map(|teacher| Context::stamp(&teacher.uri))})
            }
            Self::Vocabulary => {
                let named = context.plan.tokenizer.as_ref().map(Context::stamp);
                let student = &recipe.student;
                json!({"vocabulary": student.vocabulary, "min_count": student.vocabulary_min_count,
                       "size": student.vocabulary_size, "kind": student.vocabulary_kind, "tokenizer": named,
                       "files": context.elsewhere()})
            }
            Self::Embed => {
                let device = recipe.teacher.as_ref().map(|teacher| teacher.device.clone());
                let mut all = json!({"cache": recipe.cache, "device": device, "files": context.elsewhere()});
                // The vectors of its tokens lie in the cache, and students read a cache made elsewhere by it.
                if let Some(tokenizer) = &context.plan.tokenizer {
                    all["tokenizer"] = Context::stamp(tokenizer);
                }
                all
            }
            Self::Distil => {
                json!({"student": shape(recipe), "distil": recipe.distil})
            }
            Self::Simcse => {
                let files: Vec<_> = context.plan.student_examples.iter().map(Context::stamp).collect();
                json!({"student": shape(recipe), "train_student": recipe.train_student, "seed": recipe.distil.seed,
                       "files": files, "dev": context.stamped_dev()})
            }
            Self::AmSoftmax => json!({"student": shape(recipe), "am_softmax": recipe.am_softmax,
                "start": recipe.train_student.start, "seed": recipe.distil.seed, "dev": context.stamped_dev()}),
            Self::Baselines => json!({"baselines": recipe.baselines, "embedding": recipe.student.embedding,
                "max_tokens": recipe.student.max_tokens, "distil": recipe.distil}),
            Self::ExportStudent => json!({}),
            Self::Evaluate => {
                let files: Vec<_> = context.plan.sts.iter().map(|path| Context::stamp_content(path)).collect();
                json!({"evaluate": recipe.evaluate, "files": files})
            }
            Self::Bench => json!({"bench": recipe.bench, "threads": context.plan.threads}),
            // The card tells of the text beyond what is in its files.
            Self::Report => json!({"name": recipe.name, "card": recipe.card, "text": recipe.text}),
        }
    }

    /// Whether it goes on where it was broken off.
    pub(super) fn goes_on(self) -> bool {
        let trains =
            matches!(self, Self::TrainTeacher | Self::Distil | Self::Simcse | Self::AmSoftmax | Self::Baselines);
        trains || matches!(self, Self::Embed | Self::Evaluate)
    }

    /// The files that those who read it know it by, if not by what it was made from: a text file that was touched, or edited where nothing
    /// is taken from it, gives the same sentences, and then nothing after them is done anew.
    pub(super) fn contents(self, context: &Context) -> Option<Vec<PathBuf>> {
        if self != Self::Text {
            return None;
        }
        let documents = context.folder.join("text").join(limbeck_data::text::DOCUMENTS_FILE);
        // Only a text of articles has documents.
        Some(self.outputs(context).into_iter().chain(documents.exists().then_some(documents)).collect())
    }

    /// The large ones of the files that it left, in the run's folder: what a full disk or a careless hand cuts short.
    pub(super) fn large(self, context: &Context) -> Vec<PathBuf> {
        let folders = match self {
            Self::Embed => ["train", "held-out"].map(|name| context.folder.join("cache").join(name)).into(),
            _ => self.students(context),
        };
        let names = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
        let within = folders.into_iter().flat_map(names).map(|entry| entry.path());
        // Vectors of tokens may come and go with the students that ask for them.
        let is_large = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let kinds = [".safetensors", ".limbeck", ".onnx", ".parquet"];
            kinds.iter().any(|kind| name.ends_with(kind)) && !is_tokens_name(&name)
        };
        self.outputs(context).into_iter().chain(within).filter(is_large).collect()
    }

    /// The folders of the students that it leaves.
    fn students(self, context: &Context) -> Vec<PathBuf> {
        match self {
            Self::Distil | Self::Simcse | Self::AmSoftmax => vec![context.method_folder(self)],
            Self::Baselines => {
                context.baselines().map(|(name, _)| context.folder.join("baselines").join(name)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The files that must be there for it to count as done, in the run's folder.
    pub(super) fn outputs(self, context: &Context) -> Vec<PathBuf> {
        let paths: &[&str] = match self {
            Self::Fetch => &["assets.json"],
            Self::Text => &["text/train.parquet", "text/held-out.parquet"],
            Self::TrainTeacher => &["teacher/config.json", "teacher/model.safetensors"],
            Self::ExportTeacher if context.int8() => &["teacher/model.onnx", "teacher/model.int8.onnx"],
            Self::ExportTeacher => &["teacher/model.onnx"],
            Self::Vocabulary => &["vocabulary/tokenizer.json"],
            Self::Embed => match &context.plan.cache {
                CacheOrigin::Teacher(_) => &["cache/train/cache.json", "cache/held-out/cache.json"],
                CacheOrigin::Elsewhere { .. } => &[],
            },
            Self::Distil | Self::Simcse | Self::AmSoftmax | Self::Baselines => &[],
            Self::ExportStudent => &["exports/student.f32.limbeck", "exports/student.int8.limbeck"],
            Self::Evaluate => &["evaluation.json", "held-out.json"],
            Self::Bench => &["bench.json"],
            Self::Report => &["summary.json", "report.html", "student/README.md"],
        };
        let students = self.students(context).into_iter().map(|folder| folder.join("config.json"));
        paths.iter().map(|path| context.folder.join(path)).chain(students).collect()
    }
}

/// What `[student]` says but for the methods: which come before a method is told by what it reads, and which come after
/// doesn't concern it.
fn shape(recipe: &Recipe) -> StudentSection {
    StudentSection { methods: vec![Method::Distil], ..recipe.student.clone() }
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|stage| stage.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|stage| stage.name()).collect();
            format!("there is no stage {name}; they are {}", names.join(", "))
        })
    }
}
