//! `[cache]`.

use limbeck_data::VectorType;
use serde::{Deserialize, Serialize};

use super::Recipe;
use super::problem::{Check, problem};
use super::text::TextSection;

/// `[cache]`: how vectors are stored, or a cache made elsewhere in place of a teacher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSection {
    /// The type of stored vectors, `f16` or `f32`.
    #[serde(deserialize_with = "VectorType::deserialize_for_cache")]
    pub storage: VectorType,
    /// A Parquet file or folder with a text and a vector column: any embedding model's vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The text column of that cache, where its type doesn't tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_column: Option<String>,
    /// The vector column of that cache, where its type doesn't tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector_column: Option<String>,
}

impl Default for CacheSection {
    fn default() -> Self {
        Self { storage: VectorType::F16, path: None, text_column: None, vector_column: None }
    }
}

impl CacheSection {
    /// Refuses columns beside a teacher, whose cache has columns of its own.
    pub fn check_beside_teacher(&self) -> Check {
        if self.text_column.is_some() || self.vector_column.is_some() {
            return problem(
                "cache.text_column and cache.vector_column stand beside [teacher]",
                "they name columns of a cache made elsewhere, by cache.path",
            );
        }
        Ok(())
    }

    /// Refuses what a cache made elsewhere can't stand beside.
    pub fn check_elsewhere(recipe: &Recipe) -> Check {
        if recipe.student.tokenizer.is_none() && recipe.student.from.is_none() {
            return problem("cache.path needs student.tokenizer", "name a tokenizer.json, of any model");
        }
        if recipe.teacher.is_some() || !recipe.text.source.is_empty() {
            return problem(
                "cache.path stands beside [teacher] or [[text.source]]",
                "a cache made elsewhere holds texts and vectors already",
            );
        }
        if recipe.text != TextSection::default() {
            return problem(
                "cache.path stands beside [text]",
                "a student learns from a cache made elsewhere as it is; leave [text] out",
            );
        }
        Ok(())
    }
}
