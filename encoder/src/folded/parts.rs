//! A student's numbers as training leaves them, before [`write`](super::write()) folds them into a file.

use half::f16;

use super::{LexicalTable, Precision};

/// A whole student: tables with a row for each token, the matrices after them, and the tokenizer.
///
/// ```text
/// output = normalise(weight · relu(max over positions(conv) + bias) + bias + Σ_h heads_h · attended_h + skip)
/// ```
///
/// `skip` is the attention's `skip · mean(E)` or the mean of `skip_table`'s rows. Every part is optional; a student
/// needs at least one.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// How many rows each table has; token ids lie below it.
    pub vocabulary: usize,
    /// The width of the output.
    pub dimension: usize,
    /// Convolutions, pooled by each filter's greatest value.
    pub max_pooled: Option<MaxPooled>,
    /// Weighted means of the embeddings, one for each head.
    pub attention: Option<Attention>,
    /// `[vocabulary, dimension]`: E · skip. Excludes an attention that has a `skip` of its own.
    pub skip_table: Option<Vec<f32>>,
    /// The words of a lexical half, which stands beside the vector of all these parts.
    pub lexical: Option<LexicalTable>,
    /// The text of the tokenizer.json.
    pub tokenizer: Vec<u8>,
    /// The id that stands for a text without tokens; a row of the tables like any other.
    pub empty_token: u32,
    /// How many tokens of a text are read; `None` reads all.
    pub max_tokens: Option<usize>,
    /// How many trained parameters the student has, for tables.
    pub parameters: u64,
    /// JSON of the writer's choice, stored unchanged. Empty counts as none.
    pub metadata: String,
}

/// Convolutions pooled by each filter's greatest value, and the layer after them.
#[derive(Debug, Clone, Default)]
pub struct MaxPooled {
    /// The convolutions, of any widths.
    pub convolutions: Vec<Convolution>,
    /// `[dimension, Σ filters]`, the filters in the order of the convolutions.
    pub weight: Vec<f32>,
    /// `[dimension]`.
    pub bias: Vec<f32>,
}

/// A convolution folded with the embeddings: a sum of table rows. "Same" zero padding.
#[derive(Debug, Clone, Default)]
pub struct Convolution {
    /// How many neighbouring tokens the convolution sees; odd.
    pub width: usize,
    /// How many features the convolution has at each position.
    pub filters: usize,
    /// `[vocabulary, width · filters]`, tap after tap: block `t` is E · W_t, and looks at position `i + t - width / 2`.
    pub table: Vec<f32>,
    /// `[filters]`.
    pub bias: Vec<f32>,
}

/// Attention heads scored by a convolution.
///
/// `attended_h = Σ_i softmax_i(score_weight_h · relu(score_i) + score_bias_h) · E[s_i]`, or `… · V_h[s_i]` where every
/// head has values of its own.
#[derive(Debug, Clone, Default)]
pub struct Attention {
    /// The width d of an embedding, or of one head's own values.
    pub width_of_embedding: usize,
    /// `[vocabulary, d]`; where heads have values of their own `[vocabulary, H · d]`, head after head.
    pub embeddings: Vec<f32>,
    /// Whether each head attends to values of its own. That excludes `skip`, which needs embeddings.
    pub own_values: bool,
    /// The convolution whose features score a position.
    pub score: Convolution,
    /// `[H, filters]`.
    pub score_weight: Vec<f32>,
    /// `[H]`. The bias cancels in the softmax and is kept for completeness.
    pub score_bias: Vec<f32>,
    /// `[dimension, H · d]`, head after head.
    pub heads: Vec<f32>,
    /// `[dimension, d]`, multiplied by the plain mean of the embeddings.
    pub skip: Option<Vec<f32>>,
}

impl Parts {
    /// All convolutions in the order of the file: the score's first.
    pub(super) fn convolutions(&self) -> impl Iterator<Item = &Convolution> {
        let pooled = self.max_pooled.iter().flat_map(|max_pooled| &max_pooled.convolutions);
        self.attention.iter().map(|attention| &attention.score).chain(pooled)
    }

    /// Checks that all lengths fit together and all numbers are finite, in f16 too where `precision` is that. The sizes
    /// are [`Shape::check`](super::Shape)'s.
    pub(super) fn check(&self, precision: Precision) -> Result<(), String> {
        if self.empty_token as usize >= self.vocabulary {
            return Err(format!("empty token {} is outside the vocabulary of {}", self.empty_token, self.vocabulary));
        }
        if self.max_tokens == Some(0) {
            return Err("at most 0 tokens a text".into());
        }
        if let Some(MaxPooled { convolutions, weight, bias }) = &self.max_pooled {
            if convolutions.is_empty() {
                return Err("max-pooling without convolutions".into());
            }
            for (index, convolution) in convolutions.iter().enumerate() {
                convolution.check(self.vocabulary, &format!("max-pooled convolution {index}"))?;
            }
            let filters = convolutions.iter().map(|convolution| convolution.filters).sum();
            numbers("max-pooled weight", weight, &[self.dimension, filters])?;
            numbers("max-pooled bias", bias, &[self.dimension])?;
        }
        if let Some(attention) = &self.attention {
            attention.check(self.vocabulary, self.dimension)?;
        }
        if let Some(table) = &self.skip_table {
            numbers("skip table", table, &[self.vocabulary, self.dimension])?;
        }
        if let Some(lexical) = &self.lexical {
            lexical.check_for(precision)?;
        }
        let tables = self.convolutions().map(|convolution| &convolution.table);
        let tables = tables.chain(self.attention.iter().map(|attention| &attention.embeddings)).chain(&self.skip_table);
        match tables.flatten().find(|value| precision == Precision::F16 && value.abs() > f16::MAX.to_f32()) {
            Some(value) => Err(format!("a table's number {value} is beyond f16")),
            None => Ok(()),
        }
    }
}

impl Convolution {
    fn check(&self, vocabulary: usize, name: &str) -> Result<(), String> {
        if self.width.is_multiple_of(2) || self.filters == 0 {
            return Err(format!("{name}: width {} must be odd, filters {} above zero", self.width, self.filters));
        }
        numbers(&format!("{name}: table"), &self.table, &[vocabulary, self.width, self.filters])?;
        numbers(&format!("{name}: bias"), &self.bias, &[self.filters])
    }
}

impl Attention {
    fn check(&self, vocabulary: usize, dimension: usize) -> Result<(), String> {
        let (d, heads) = (self.width_of_embedding, self.score_bias.len());
        if d == 0 || heads == 0 {
            return Err(format!("attention of {heads} heads over embeddings {d} wide"));
        }
        self.score.check(vocabulary, "score convolution")?;
        numbers("embeddings", &self.embeddings, &[vocabulary, if self.own_values { heads } else { 1 }, d])?;
        numbers("score weight", &self.score_weight, &[heads, self.score.filters])?;
        numbers("score bias", &self.score_bias, &[heads])?;
        numbers("heads", &self.heads, &[dimension, heads, d])?;
        self.skip.as_ref().map_or(Ok(()), |skip| numbers("skip", skip, &[dimension, d]))
    }
}

/// Checks that `values` has this shape and neither infinity nor NaN.
fn numbers(name: &str, values: &[f32], shape: &[usize]) -> Result<(), String> {
    let count = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if count != Some(values.len()) {
        return Err(format!("{name}: {} numbers, the shape {shape:?} needs another count", values.len()));
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(format!("{name}: number {at} is {}", values[at])),
        None => Ok(()),
    }
}
