//! The shape of a student, as `config.json` keeps it.

use limbeck_encoder::folded::{AttentionShape, ConvolutionShape, Shape};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The value of `architecture` in a student's `config.json`.
pub const ARCHITECTURE: &str = "limbeck-textcnn";

/// A bank of max-pooled convolutions of one width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvolutionConfig {
    /// The tokens that a filter sees; odd.
    pub width: usize,
    /// The number of filters.
    pub filters: usize,
}

/// Attention heads whose scores come from a narrow convolution. Keys that a recipe leaves out have the values of
/// [`Default`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttentionConfig {
    /// The number of heads.
    pub heads: usize,
    /// The tokens that the score's convolution sees; odd.
    pub width: usize,
    /// The filters of the score's convolution.
    pub filters: usize,
    /// The width of the values that each head attends to, a linear map of the embeddings; `None`: the heads attend to
    /// the embeddings themselves. Narrow values make a folded student faster and smaller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<usize>,
}

impl Default for AttentionConfig {
    fn default() -> Self {
        Self { heads: 8, width: 5, filters: 64, values: None }
    }
}

/// The shape of a student.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudentConfig {
    /// Always [`ARCHITECTURE`].
    pub architecture: String,
    /// Rows of the embedding table: one for each token of the tokenizer, and a last one for a text without any token.
    pub vocabulary: usize,
    /// Width of the embedding table.
    pub embedding: usize,
    /// Width of the output vectors.
    pub dimension: usize,
    /// Banks of max-pooled convolutions; may be empty.
    pub convolutions: Vec<ConvolutionConfig>,
    /// Attention heads, if the student has any.
    pub attention: Option<AttentionConfig>,
    /// Whether a linear map of the mean embedding is added to the output.
    pub skip: bool,
    /// The longest input in tokens; `None`: no limit.
    pub max_tokens: Option<usize>,
}

/// The widest table or vector. No embedding model comes near; a larger width is a mistake.
pub const MAX_WIDTH: usize = 1 << 16;

impl StudentConfig {
    /// The token that stands for a text without any token.
    pub fn empty_token(&self) -> u32 {
        self.vocabulary as u32 - 1
    }

    /// The number of max-pooled filters, all widths together.
    pub fn filters(&self) -> usize {
        self.convolutions.iter().map(|bank| bank.filters).sum()
    }

    /// The width of each head's own values, if heads have values of their own.
    pub fn own_values(&self) -> Option<usize> {
        self.attention.and_then(|attention| attention.values)
    }

    /// The width of the attended features, all heads together.
    pub fn attended(&self) -> usize {
        self.attention.map_or(0, |attention| attention.heads * attention.values.unwrap_or(self.embedding))
    }

    /// The static control: the same student with the skip alone.
    pub fn static_control(&self) -> Self {
        Self { convolutions: Vec::new(), attention: None, skip: true, ..self.clone() }
    }

    /// Names and shapes of the dense parameters (all but the embedding table), in a fixed order.
    pub fn dense_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (d, out) = (self.embedding, self.dimension);
        let weight = |layer: &str, shape: &[usize]| (format!("{layer}.weight"), shape.to_vec());
        let with_bias =
            |layer: &str, shape: &[usize]| [weight(layer, shape), (format!("{layer}.bias"), vec![shape[0]])];
        let mut shapes = Vec::new();
        for &ConvolutionConfig { width, filters } in &self.convolutions {
            shapes.extend(with_bias(&format!("conv{width}"), &[filters, d, width]));
        }
        if !self.convolutions.is_empty() {
            shapes.extend(with_bias("linear", &[out, self.filters()]));
        }
        if let Some(AttentionConfig { heads, width, filters, values }) = self.attention {
            shapes.extend(with_bias("score_conv", &[filters, d, width]));
            shapes.extend(with_bias("score", &[heads, filters]));
            shapes.extend(values.map(|values| weight("value", &[heads * values, d])));
            shapes.push(weight("heads", &[out, self.attended()]));
        }
        shapes.extend(self.skip.then(|| weight("skip", &[out, d])));
        shapes
    }

    /// The number of trained parameters.
    pub fn parameters(&self) -> u64 {
        let dense: usize = self.dense_shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        (self.vocabulary * self.embedding + dense) as u64
    }

    /// Refuses impossible shapes.
    pub fn check(&self) -> Result<()> {
        Error::require(self.architecture == ARCHITECTURE, "architecture", &self.architecture, ARCHITECTURE)?;
        let score = self.attention.map(|attention| (attention.width, attention.filters, attention.heads));
        let banks = self.convolutions.iter().map(|bank| (bank.width, bank.filters, 1));
        for (width, filters, heads) in banks.chain(score) {
            Error::require(width % 2 == 1, "a convolution's width", width, "odd")?;
            let has_none = filters == 0 || heads == 0 || self.own_values() == Some(0);
            Error::require(!has_none, "a number of filters, heads or values", 0, "at least 1")?;
        }
        let mut widths: Vec<usize> = self.convolutions.iter().map(|bank| bank.width).collect();
        widths.sort_unstable();
        let are_distinct = widths.windows(2).all(|pair| pair[0] < pair[1]);
        Error::require(are_distinct, "convolutions", format!("{widths:?}"), "of distinct widths")?;
        let has_parts = self.has_features() || self.skip;
        Error::require(has_parts, "the student", "empty", "given convolutions, attention or the skip")?;
        let has_sizes = self.vocabulary > 1 && self.embedding > 0 && self.dimension > 0 && self.max_tokens != Some(0);
        Error::require(has_sizes, "a size of the student", 0, "at least 1")?;
        for width in [self.embedding, self.dimension] {
            Error::require(width <= MAX_WIDTH, "a width of the student", width, format!("at most {MAX_WIDTH}"))?;
        }
        Ok(())
    }

    /// Whether the student has convolutions or attention heads, whose features dropout applies to.
    pub fn has_features(&self) -> bool {
        !self.convolutions.is_empty() || self.attention.is_some()
    }

    /// The shape of the folded student that [`crate::fold`] makes.
    pub fn folded_shape(&self) -> Shape {
        let shape = |&ConvolutionConfig { width, filters }: &_| ConvolutionShape { width, filters };
        Shape {
            vocabulary: self.vocabulary,
            dimension: self.dimension,
            max_pooled: self.convolutions.iter().map(shape).collect(),
            attention: self.attention.map(|AttentionConfig { heads, width, filters, values }| AttentionShape {
                width_of_embedding: values.unwrap_or(self.embedding),
                heads,
                skip: self.skip && values.is_none(),
                own_values: values.is_some(),
                score: ConvolutionShape { width, filters },
            }),
            skip_table: self.skip && self.attention.is_none_or(|attention| attention.values.is_some()),
        }
    }

    /// Refuses a student that can't be folded; called before a training, so that no training is wasted.
    pub fn check_folds(&self) -> Result<()> {
        self.folded_shape().check().map_err(|source| Error::Unfoldable { source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> StudentConfig {
        StudentConfig {
            architecture: ARCHITECTURE.into(),
            vocabulary: 50,
            embedding: 12,
            dimension: 10,
            convolutions: vec![ConvolutionConfig { width: 3, filters: 7 }],
            attention: Some(AttentionConfig { heads: 3, width: 5, filters: 6, values: None }),
            skip: true,
            max_tokens: None,
        }
    }

    #[test]
    fn parameters_are_the_sum_of_all_tensors() {
        let expected = 50 * 12 + (7 * 12 * 3 + 7) + (10 * 7 + 10) + (6 * 12 * 5 + 6) + (3 * 6 + 3) + 10 * 36 + 10 * 12;
        assert_eq!(config().parameters(), expected as u64);
    }

    #[test]
    fn impossible_shapes_are_refused() {
        let mut even = config();
        even.convolutions[0].width = 4;
        let mut twice = config();
        twice.convolutions.push(twice.convolutions[0]);
        let nothing =
            StudentConfig { skip: false, ..StudentConfig { attention: None, convolutions: vec![], ..config() } };
        for (broken, word) in [(even, "odd"), (twice, "distinct"), (nothing, "skip")] {
            let message = broken.check().unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
        assert!(config().check().is_ok() && config().static_control().check().is_ok());
    }

    #[test]
    fn a_student_too_wide_to_fold_is_refused_before_its_training() {
        let [mut wide, mut wide_score, mut filters, mut values] = std::array::from_fn(|_| config());
        wide.convolutions[0].width = 259;
        filters.convolutions[0].filters = 65_537;
        wide_score.attention = Some(AttentionConfig { width: 131, ..AttentionConfig::default() });
        values.attention = Some(AttentionConfig { values: Some(32), heads: 2_049, ..AttentionConfig::default() });
        for (broken, most) in [(wide, "257"), (wide_score, "129"), (filters, "65536"), (values, "65536")] {
            let error = broken.check_folds().unwrap_err();
            let message = std::error::Error::source(&error).unwrap().to_string();
            assert!(message.contains(most) && broken.check().is_ok(), "{message}");
        }
        assert!(config().check_folds().is_ok() && config().static_control().check_folds().is_ok());
    }
}
