//! `[card]` and `[runtime]`: what the program can't find out by itself.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// `[runtime]`: where ONNX Runtime comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeSection {
    /// `pypi:onnxruntime==VERSION` (the library inside is found for the platform), another URI, or a path.
    /// `ORT_DYLIB_PATH` takes precedence.
    pub library: String,
}

impl Default for RuntimeSection {
    fn default() -> Self {
        Self { library: crate::models::DEFAULT_RUNTIME.into() }
    }
}

/// `[card]`: facts for the student's model card that can't be measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CardSection {
    /// The student's licence by its name on the Hugging Face hub: `mit`, `apache-2.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The student's languages by their codes: `["en"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub language: Vec<String>,
    /// Licences of the teacher and the texts, by their URIs in the recipe.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub licenses: IndexMap<String, String>,
}
