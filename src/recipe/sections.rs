use std::path::PathBuf;

use indexmap::IndexMap;
use limbeck_data::cache::Precision as Storage;
use limbeck_data::examples::ExampleColumns;
use limbeck_data::text::Unit;
use limbeck_encoder::Precision;
use limbeck_student::am_softmax::AmSoftmaxSettings;
use limbeck_student::config::{ARCHITECTURE, AttentionConfig, ConvolutionConfig, StudentConfig};
use limbeck_student::distil::DistilSettings;
use limbeck_teacher::Pooler;
use limbeck_teacher::train::BertSettings;
use limbeck_training::contrastive::ContrastiveSettings;
use serde::{Deserialize, Serialize};

use super::train_student::TrainStudentSection;
use super::vocabulary::{VocabularyKind, VocabularySource};

/// A whole recipe as it is typed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// The run's name and its folder; the recipe's file name without `.toml` where none is given.
    pub name: String,
    /// The recipe that this one is laid over, relative to its own folder: what isn't said here is as it is there, and a stage
    /// that is the same is done once, in that one's run.
    #[serde(skip_serializing)]
    pub base: Option<String>,
    /// What `base` names, as it was read.
    #[serde(skip)]
    pub over: Option<Box<(PathBuf, Recipe)>>,
    /// Threads of everything that computes; all cores where none are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    pub runtime: RuntimeSection,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher: Option<TeacherSection>,
    /// The teacher is trained where there is such a section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_teacher: Option<TrainTeacherSection>,
    pub train_student: TrainStudentSection,
    /// Training with every sentence its own class.
    pub am_softmax: AmSoftmaxSettings,
    pub text: TextSection,
    pub cache: CacheSection,
    pub student: StudentSection,
    pub distil: DistilSettings,
    pub baselines: BaselineSection,
    pub evaluate: EvaluateSection,
    pub bench: BenchSection,
    #[serde(skip_serializing_if = "CardSection::is_empty")]
    pub card: CardSection,
}

/// `[runtime]`: where ONNX Runtime comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeSection {
    /// `pypi:onnxruntime==VERSION` (the library inside is found for the platform), another URI, or a path.
    /// `ORT_DYLIB_PATH` goes before it.
    pub library: String,
}

impl Default for RuntimeSection {
    fn default() -> Self {
        Self { library: crate::model::DEFAULT_RUNTIME.into() }
    }
}

/// `[teacher]`: the sentence encoder to learn from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TeacherSection {
    /// A URI or path of a Hugging Face BERT folder.
    pub source: String,
    /// Checked where it is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The folder's own where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooler: Option<Pooler>,
    /// What is put before every text; the folder's own where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The folder's own where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// The precision in which the cache is made; the teacher is measured in f32 whatever it is.
    #[serde(deserialize_with = "teacher_precision")]
    pub precision: Precision,
    /// `cpu`, `cuda` or `cuda:N`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// A teacher runs in f32 or int8; f16 is for a student's tables.
fn teacher_precision<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Precision, D::Error> {
    let name = String::deserialize(from)?;
    let allowed = [Precision::F32, Precision::Int8].into_iter().find(|precision| precision.name() == name);
    allowed.ok_or_else(|| serde::de::Error::unknown_variant(&name, &["f32", "int8"]))
}

/// `[train_teacher]`: SimCSE training, which starts from the model that `[teacher]` names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainTeacherSection {
    /// A URI or path of pairs or triples for supervised SimCSE; without one it's unsupervised, on the recipe's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples: Option<String>,
    /// The columns of the examples, where their header doesn't tell.
    pub columns: ExampleColumns,
    /// So many examples at most; of the recipe's text, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// STS files, never test sets: the best weights are chosen by the mean of their Spearman.
    pub dev: Vec<String>,
    pub bert: BertSettings,
    pub simcse: ContrastiveSettings,
}

/// One `[[text.source]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceSection {
    /// A URI, a file or a folder.
    pub uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The column or field with the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The encoding where it isn't UTF-8, such as `windows-1252`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// `line` or `file`: what one text is.
    pub unit: Unit,
    /// Whether texts are documents to be split into sentences.
    pub split: bool,
    /// Whether the folder that a file lies in is its label, for topic accuracy.
    pub label: bool,
    /// A uniform sample of so many texts of this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// `[text]`: what is read, and what is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextSection {
    pub source: Vec<SourceSection>,
    /// Files whose sentences are never trained on.
    pub exclude: Vec<String>,
    /// A uniform sample of so many texts in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    pub seed: u64,
    pub min_chars: usize,
    pub max_chars: usize,
    /// The share of texts (of documents, where there are any) that is held out to measure on.
    pub hold_out: f64,
    /// The share of texts to train on that stand there a second time, their words in another order: what order is worth has to
    /// be seen to be learned.
    #[serde(skip_serializing_if = "is_zero")]
    pub reordered: f64,
}

impl Default for TextSection {
    fn default() -> Self {
        let plan = limbeck_data::text::TextPlan::default();
        Self {
            source: Vec::new(),
            exclude: Vec::new(),
            limit: None,
            seed: plan.seed,
            min_chars: plan.min_chars,
            max_chars: plan.max_chars,
            hold_out: plan.hold_out,
            reordered: 0.0,
        }
    }
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// `[cache]`: how vectors are stored, or a cache made elsewhere in place of a teacher's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSection {
    /// `f16` or `f32`.
    pub storage: Storage,
    /// A Parquet file or folder with a text and a vector column: any embedding model's vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_column: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector_column: Option<String>,
}

impl Default for CacheSection {
    fn default() -> Self {
        Self { storage: Storage::F16, path: None, text_column: None, vector_column: None }
    }
}

/// A way in which a student learns; each is a stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    Distil,
    Simcse,
    AmSoftmax,
}

/// `[student]`: the student's shape, and how it learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StudentSection {
    /// The width of the embedding table; at most the teacher's, where the default stops too.
    pub embedding: usize,
    pub convolutions: Vec<ConvolutionConfig>,
    /// `attention.heads = 0` leaves attention out.
    pub attention: AttentionConfig,
    pub skip: bool,
    /// The longest input in tokens; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// A URI or path of a tokenizer.json; the teacher's where it is not given. Needed with a cache made elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// `teacher`, `corpus` (less what the training text doesn't use), `extended` (and the text's most frequent words) or `trained` on the
    /// training text.
    #[serde(skip_serializing_if = "VocabularySource::is_teacher")]
    pub vocabulary: VocabularySource,
    /// With `corpus`: how often a token must stand in the text to stay, 2 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary_min_count: Option<u64>,
    /// With `trained` and `extended`: the most tokens, 16,000 and 60,000 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary_size: Option<usize>,
    /// With `trained`: `wordpiece` or `unigram`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary_kind: Option<VocabularyKind>,
    /// How the student learns, one method after another: `distil`, `simcse`, `am-softmax`, each at most once.
    #[serde(skip_serializing_if = "is_distil_alone")]
    pub methods: Vec<Method>,
}

fn is_distil_alone(methods: &[Method]) -> bool {
    methods == [Method::Distil]
}

impl Default for StudentSection {
    fn default() -> Self {
        Self {
            embedding: 256,
            convolutions: Vec::new(),
            attention: AttentionConfig::default(),
            skip: true,
            max_tokens: None,
            tokenizer: None,
            vocabulary: VocabularySource::Teacher,
            vocabulary_min_count: None,
            vocabulary_size: None,
            vocabulary_kind: None,
            methods: vec![Method::Distil],
        }
    }
}

impl StudentSection {
    /// The width of the embedding for a teacher of this width, which is the most there can be: the default stops there.
    pub fn width(&self, teacher: usize) -> usize {
        let is_default = self.embedding == Self::default().embedding;
        if is_default { self.embedding.min(teacher) } else { self.embedding }
    }

    /// The student's shape for a teacher of this width and a table of so many rows.
    pub fn config(&self, vocabulary: usize, dimension: usize) -> StudentConfig {
        StudentConfig {
            architecture: ARCHITECTURE.into(),
            vocabulary,
            embedding: self.width(dimension),
            dimension,
            convolutions: self.convolutions.clone(),
            attention: (self.attention.heads > 0).then_some(self.attention),
            skip: self.skip,
            max_tokens: self.max_tokens,
        }
    }
}

/// `[baselines]`: static students to stand beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaselineSection {
    /// The student's start, untrained: what Model2Vec makes of the teacher.
    pub untrained: bool,
    /// A student of skip alone, trained on the same targets in the same way: the honest control.
    pub trained: bool,
}

impl Default for BaselineSection {
    fn default() -> Self {
        Self { untrained: true, trained: true }
    }
}

/// `[evaluate]`: what is measured of quality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateSection {
    /// STS files with the columns `sentence1`, `sentence2` and `score`: TSV, CSV, JSON lines or Parquet.
    pub sts: Vec<String>,
    /// Whether to measure word order; needs a teacher.
    pub word_order: bool,
    /// How many held-out sentences word order is measured on, at most.
    pub word_order_sentences: usize,
}

impl Default for EvaluateSection {
    fn default() -> Self {
        Self { sts: Vec::new(), word_order: true, word_order_sentences: 500 }
    }
}

/// `[bench]`: what is measured of speed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BenchSection {
    pub rounds: usize,
    /// Seconds a model and round.
    pub seconds: f64,
}

impl Default for BenchSection {
    fn default() -> Self {
        Self { rounds: 5, seconds: 2.0 }
    }
}

/// `[card]`: what the student's card says that nobody can measure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CardSection {
    /// The student's licence, by the name that the Hugging Face hub has for it: `mit`, `apache-2.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The languages it is for, by their codes: `["en"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub language: Vec<String>,
    /// Licences of the teacher and the texts, by their URIs as they stand in the recipe.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub licenses: IndexMap<String, String>,
}

impl CardSection {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
