//! The sizes of a folded student.

use serde::{Deserialize, Serialize};

use super::parts::{Convolution, Parts};

/// The sizes of a student's parts, as the file's header holds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// How many rows each table has.
    pub vocabulary: usize,
    /// The width of the output.
    pub dimension: usize,
    /// The max-pooled convolutions.
    pub max_pooled: Vec<ConvolutionShape>,
    /// The attention, where the student has one.
    pub attention: Option<AttentionShape>,
    /// Whether the student has a skip table.
    pub skip_table: bool,
}

/// The sizes of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvolutionShape {
    /// How many neighbouring tokens the convolution sees; odd.
    pub width: usize,
    /// How many filters the convolution has.
    pub filters: usize,
}

/// The sizes of the attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionShape {
    /// The width of an embedding, or of one head's own values.
    pub width_of_embedding: usize,
    /// How many heads the attention has.
    pub heads: usize,
    /// Whether the attention has a skip over the mean embedding.
    pub skip: bool,
    /// Whether each head has values of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_values: bool,
    /// The convolution that scores positions.
    pub score: ConvolutionShape,
}

impl Shape {
    /// The shape of `parts`, which have been checked.
    pub fn of(parts: &Parts) -> Self {
        let convolution = |c: &Convolution| ConvolutionShape { width: c.width, filters: c.filters };
        Self {
            vocabulary: parts.vocabulary,
            dimension: parts.dimension,
            max_pooled: parts.max_pooled.iter().flat_map(|m| &m.convolutions).map(convolution).collect(),
            attention: parts.attention.as_ref().map(|a| AttentionShape {
                width_of_embedding: a.width_of_embedding,
                heads: a.score_bias.len(),
                skip: a.skip.is_some(),
                own_values: a.own_values,
                score: convolution(&a.score),
            }),
            skip_table: parts.skip_table.is_some(),
        }
    }
}
