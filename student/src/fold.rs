//! From a trained student to the tables of a folded file.

use std::path::Path;

use candle_core::{Device, Tensor};
use limbeck_encoder::folded::{self, Attention, Convolution, MaxPooled, Parts};
use limbeck_encoder::{Precision, Tokenizer};

use crate::error::{Error, Result};
use crate::folder::StudentFolder;
use crate::graph::fold;
use crate::model::TextCnn;

/// The student as tables: every convolution multiplied with every token's embedding, and the skip too where no part of
/// the student needs the embeddings themselves. The lexical half, which is no part of the model, is left out.
pub fn parts(model: &TextCnn, tokenizer: &Tokenizer, metadata: String) -> Result<Parts> {
    let shape = (model.config.vocabulary, model.config.embedding);
    let table = Tensor::from_slice(model.table.values(), shape, &Device::Cpu);
    let folded = table.and_then(|table| Folding { model, table }.parts(tokenizer, metadata));
    folded.map_err(Error::tensor("folding"))
}

/// A student whose weights are being folded, on the CPU: the embedding table lies in host memory in any case.
struct Folding<'a> {
    model: &'a TextCnn,
    /// The embedding table, `[vocabulary, embedding]`.
    table: Tensor,
}

impl Folding<'_> {
    fn parts(&self, tokenizer: &Tokenizer, metadata: String) -> candle_core::Result<Parts> {
        let config = &self.model.config;
        let keeps_embeddings = config.attention.is_some() && config.own_values().is_none();
        Ok(Parts {
            vocabulary: config.vocabulary,
            dimension: config.dimension,
            max_pooled: (!config.convolutions.is_empty()).then(|| self.max_pooled()).transpose()?,
            attention: config.attention.is_some().then(|| self.attention()).transpose()?,
            skip_table: (config.skip && !keeps_embeddings).then(|| self.product("skip.weight")).transpose()?,
            lexical: None,
            tokenizer: tokenizer.json().to_vec(),
            empty_token: config.empty_token(),
            max_tokens: config.max_tokens,
            parameters: config.parameters(),
            metadata,
        })
    }

    fn values(&self, name: &str) -> candle_core::Result<Vec<f32>> {
        flat(&self.model.dense.in_host_memory(name)?)
    }

    /// A linear map of every token's embedding: `[vocabulary, outputs]`.
    fn product(&self, name: &str) -> candle_core::Result<Vec<f32>> {
        flat(&self.table.matmul(&self.model.dense.in_host_memory(name)?.t()?)?)
    }

    fn convolution(&self, name: &str) -> candle_core::Result<Convolution> {
        let kernel = self.model.dense.in_host_memory(&format!("{name}.weight"))?;
        let (filters, _, width) = kernel.dims3()?;
        let table = flat(&fold(&self.table, &kernel)?)?;
        Ok(Convolution { width, filters, table, bias: self.values(&format!("{name}.bias"))? })
    }

    fn max_pooled(&self) -> candle_core::Result<MaxPooled> {
        let banks = self.model.config.convolutions.iter();
        let convolutions = banks.map(|bank| self.convolution(&format!("conv{}", bank.width)));
        Ok(MaxPooled {
            convolutions: convolutions.collect::<candle_core::Result<_>>()?,
            weight: self.values("linear.weight")?,
            bias: self.values("linear.bias")?,
        })
    }

    fn attention(&self) -> candle_core::Result<Attention> {
        let config = &self.model.config;
        let values = config.own_values();
        let embeddings = match values {
            Some(_) => self.product("value.weight")?,
            None => self.model.table.values().to_vec(),
        };
        Ok(Attention {
            width_of_embedding: values.unwrap_or(config.embedding),
            embeddings,
            own_values: values.is_some(),
            score: self.convolution("score_conv")?,
            score_weight: self.values("score.weight")?,
            score_bias: self.values("score.bias")?,
            heads: self.values("heads.weight")?,
            skip: (config.skip && values.is_none()).then(|| self.values("skip.weight")).transpose()?,
        })
    }
}

fn flat(tensor: &Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

/// Writes the student, with its lexical half where it has one, as a folded file and returns its size in bytes.
pub fn write_folded(student: &StudentFolder, precision: Precision, to: &Path) -> Result<u64> {
    let mut parts = parts(&student.model, &student.tokenizer, student.origin.to_string())?;
    if let Some(half) = &student.lexical {
        parts.parameters += (half.words() * half.dimension()) as u64;
        parts.lexical = Some(half.table());
    }
    Ok(folded::write(to, &parts, precision)?)
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use limbeck_encoder::folded::Shape;

    use super::*;
    use crate::config::{ARCHITECTURE, AttentionConfig, ConvolutionConfig, StudentConfig};
    use crate::dense::DenseParameters;
    use crate::test_support::{WORDS, word_tokenizer};

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
                    vocabulary: WORDS.len() + 1,
                    embedding: 8,
                    dimension: 7,
                    convolutions,
                    attention,
                    skip,
                    max_tokens: None,
                };
                let dense = DenseParameters::fresh(&config, 1, DType::F32, &Device::Cpu).unwrap();
                let table = vec![0.5; config.vocabulary * config.embedding];
                let model = TextCnn::new(config.clone(), table, dense, Device::Cpu).unwrap();
                let parts = parts(&model, &word_tokenizer(), String::new()).unwrap();
                assert_eq!(config.folded_shape(), Shape::of(&parts));
            }
        }
    }
}
