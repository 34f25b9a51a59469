//! From a student's weights to the tables of a folded file.

use std::path::Path;

use limbeck_encoder::folded::{self, Attention, Convolution, MaxPooled, Parts};
use limbeck_encoder::{Precision, Tokenizer};

use crate::error::Result;
use crate::folder::{StudentFiles, StudentWeights};
use crate::matrix::{Matrix, product};

/// The student as tables: every convolution multiplied with every token's embedding, and the skip too where no part of
/// the student needs the embeddings themselves. The lexical half, which is no part of the weights, is left out.
///
/// # Panics
/// When the weights aren't those that their config describes; [`StudentFiles::open`] reads no others.
pub fn parts(weights: &StudentWeights, tokenizer: &Tokenizer, metadata: String) -> Parts {
    let config = &weights.config;
    let keeps_embeddings = config.attention.is_some() && config.own_values().is_none();
    let folding = Folding(weights);
    Parts {
        vocabulary: config.vocabulary,
        dimension: config.dimension,
        max_pooled: (!config.convolutions.is_empty()).then(|| folding.max_pooled()),
        attention: config.attention.map(|attention| folding.attention(attention.width, attention.filters)),
        skip_table: (config.skip && !keeps_embeddings).then(|| folding.product("skip.weight")),
        lexical: None,
        tokenizer: tokenizer.json().to_vec(),
        empty_token: config.empty_token(),
        max_tokens: config.max_tokens,
        parameters: config.parameters(),
        metadata,
    }
}

/// The tables of a student that was read, with its lexical half where it has one.
pub fn folded_parts(student: &StudentFiles) -> Parts {
    let mut parts = parts(&student.weights, &student.tokenizer, student.origin.to_string());
    if let Some(half) = &student.lexical {
        parts.parameters += (half.words() * half.dimension()) as u64;
        parts.lexical = Some(half.table());
    }
    parts
}

/// Writes a student that was read as a folded file and returns the file's size in bytes.
///
/// # Errors
/// As [`folded::write()`].
pub fn write_folded(student: &StudentFiles, precision: Precision, to: &Path) -> Result<u64> {
    Ok(folded::write(to, &folded_parts(student), precision)?)
}

/// Weights that are being folded.
struct Folding<'a>(&'a StudentWeights);

impl Folding<'_> {
    fn values(&self, name: &str) -> Vec<f32> {
        self.0.dense[name].clone()
    }

    /// The embedding table.
    fn table(&self) -> Matrix<'_> {
        Matrix::of_rows(&self.0.table, self.0.config.embedding)
    }

    /// A linear map of every token's embedding: `[vocabulary, outputs]`.
    fn product(&self, name: &str) -> Vec<f32> {
        product(&self.table(), &Matrix::of_rows(&self.0.dense[name], self.0.config.embedding).transposed())
    }

    /// Every token's embedding multiplied with every tap: `[vocabulary, width · filters]`, tap-major.
    fn convolution(&self, name: &str, width: usize, filters: usize) -> Convolution {
        let embedding = self.0.config.embedding;
        // From [filters, embedding, width] to [embedding, width · filters].
        let kernel = &self.0.dense[&format!("{name}.weight")];
        let mut taps = vec![0.0; kernel.len()];
        for (at, &value) in kernel.iter().enumerate() {
            let (filter, channel, tap) = (at / (embedding * width), at / width % embedding, at % width);
            taps[(channel * width + tap) * filters + filter] = value;
        }
        let table = product(&self.table(), &Matrix::of_rows(&taps, width * filters));
        Convolution { width, filters, table, bias: self.values(&format!("{name}.bias")) }
    }

    fn max_pooled(&self) -> MaxPooled {
        let banks = self.0.config.convolutions.iter();
        let convolutions = banks.map(|bank| self.convolution(&format!("conv{}", bank.width), bank.width, bank.filters));
        MaxPooled {
            convolutions: convolutions.collect(),
            weight: self.values("linear.weight"),
            bias: self.values("linear.bias"),
        }
    }

    /// The heads, whose scores come from a convolution of this width and so many filters.
    fn attention(&self, width: usize, filters: usize) -> Attention {
        let config = &self.0.config;
        let values = config.own_values();
        Attention {
            width_of_embedding: values.unwrap_or(config.embedding),
            embeddings: if values.is_some() { self.product("value.weight") } else { self.0.table.clone() },
            own_values: values.is_some(),
            score: self.convolution("score_conv", width, filters),
            score_weight: self.values("score.weight"),
            score_bias: self.values("score.bias"),
            heads: self.values("heads.weight"),
            skip: (config.skip && values.is_none()).then(|| self.values("skip.weight")),
        }
    }
}

#[cfg(test)]
mod tests {
    use limbeck_encoder::folded::Shape;

    use super::*;
    use crate::config::{ARCHITECTURE, AttentionConfig, ConvolutionConfig, StudentConfig};

    fn tokenizer() -> Tokenizer {
        let json = serde_json::json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "gin": 1, "tonic": 2}, "unk_token": "[UNK]"},
        });
        Tokenizer::from_bytes(json.to_string().as_bytes(), Path::new("test")).unwrap()
    }

    /// So a shape that folding would refuse after a training is refused before it.
    #[test]
    fn the_shape_that_a_config_announces_is_the_shape_that_folding_gives() {
        let heads = AttentionConfig { heads: 2, width: 3, filters: 4, values: None };
        let own = AttentionConfig { values: Some(5), ..heads };
        let bank = ConvolutionConfig { width: 3, filters: 6 };
        for attention in [None, Some(heads), Some(own)] {
            for (convolutions, skip) in [(vec![], true), (vec![bank], true), (vec![bank], false)] {
                let config = StudentConfig {
                    architecture: ARCHITECTURE.into(),
                    vocabulary: 4,
                    embedding: 8,
                    dimension: 7,
                    convolutions,
                    attention,
                    skip,
                    max_tokens: None,
                };
                let shapes = config.dense_shapes().into_iter();
                let dense = shapes.map(|(name, shape)| (name, vec![0.5; shape.iter().product()])).collect();
                let weights = StudentWeights { config: config.clone(), table: vec![0.5; 32], dense };
                assert_eq!(config.folded_shape(), Shape::of(&parts(&weights, &tokenizer(), String::new())));
            }
        }
    }
}
