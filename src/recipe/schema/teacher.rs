//! `[teacher]` and `[train_teacher]`.

use std::path::PathBuf;

use limbeck_data::examples::ExampleColumns;
use limbeck_data::sts::StsColumns;
use limbeck_encoder::Precision;
use limbeck_teacher::Pooler;
use limbeck_teacher::train::BertSettings;
use limbeck_training::contrastive::ContrastiveSettings;
use serde::{Deserialize, Serialize};

use super::api::ApiSection;
use super::problem::{Check, check_files, check_limit, problem};

/// `[teacher]`: the sentence encoder to learn from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TeacherSection {
    /// A URI or path of a Hugging Face model folder or an ONNX file.
    pub source: String,
    /// The sha256 that the source must have, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How tokens are pooled; the folder's own by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooler: Option<Pooler>,
    /// Text put before every text; the folder's own by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The name of the model's prompt that is put before every text, in place of `prefix`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The longest input in tokens; the folder's own by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// The precision of the teacher that fills the cache, f32 or int8; measurements use f32.
    #[serde(deserialize_with = "teacher_precision")]
    pub precision: Precision,
    /// `cpu`, `cuda` or `cuda:N`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// `[teacher.api]`: a model behind an API, in place of `source`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiSection>,
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
    /// A URI or path of pairs or triples for supervised SimCSE; without it the training is unsupervised, on the
    /// recipe's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples: Option<String>,
    /// The columns of the examples, where their header doesn't tell.
    pub columns: ExampleColumns,
    /// At most this many examples; of the recipe's text, the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// STS files, never test sets: the best weights are chosen by the mean of their Spearman.
    pub dev: Vec<PathBuf>,
    /// The columns of the dev files, where their header doesn't tell.
    #[serde(skip_serializing_if = "super::is_default")]
    pub dev_columns: StsColumns,
    /// Dropout and the like of the model.
    pub bert: BertSettings,
    /// How it learns.
    pub simcse: ContrastiveSettings,
}

impl TeacherSection {
    /// Whether the recipe says what stands before every text.
    pub fn chooses_prefix(&self) -> bool {
        self.prefix.is_some() || self.prompt.is_some()
    }

    /// Refuses what can't be.
    pub fn check(&self) -> Check {
        if let Some(api) = &self.api {
            self.check_beside_api()?;
            return api.check();
        }
        if self.source.is_empty() {
            let hint = "name a model's folder or URI, or an API by [teacher.api]";
            return problem("[teacher] has no source", hint);
        }
        if self.prefix.is_some() && self.prompt.is_some() {
            let hint = "prefix gives the text itself, prompt the name of one of the model's own; leave one out";
            return problem("[teacher] has both a prefix and a prompt", hint);
        }
        check_limit("teacher.max_tokens", self.max_tokens, "leave it out for the model's own")
    }

    /// Refuses every key beside `[teacher.api]`: none of them has an effect there.
    fn check_beside_api(&self) -> Check {
        if !self.source.is_empty() {
            let hint =
                "a teacher is a model's folder or behind an API; over a base, source = \"\" takes its source away";
            return problem("teacher.source stands beside [teacher.api]", hint);
        }
        let (own, usual) = (Self { api: None, ..self.clone() }, Self::default());
        let [own, usual] = [own, usual].map(|section| toml::Table::try_from(section).unwrap_or_default());
        match own.keys().find(|key| own.get(*key) != usual.get(*key)) {
            Some(key) => {
                let hint = match key.as_str() {
                    "prefix" => "teacher.api.prefix is put before every text",
                    _ => "leave it out: it is for a model that runs on this machine",
                };
                problem(format!("teacher.{key} stands beside [teacher.api]"), hint)
            }
            None => Ok(()),
        }
    }

    /// What the teacher is called: its source, or the model and the address of the API.
    pub fn name(&self) -> String {
        self.api.as_ref().map_or_else(|| self.source.clone(), |api| api.settings().name())
    }
}

impl TrainTeacherSection {
    /// Refuses what can't be for a teacher pooled by `pooler`.
    pub fn check(&self, pooler: Pooler) -> Check {
        // Whether there are hard negatives is known when the examples are read.
        self.simcse.check(false)?;
        self.bert.check(pooler)?;
        check_limit("train_teacher.limit", self.limit, "leave it out for all examples")?;
        check_files("train_teacher.dev", &self.dev)
    }
}
