//! From a trained student to the tables that the folded encoder reads.

use std::path::Path;

use candle_core::{Device, Tensor};
use limbeck_encoder::folded::{self, Attention, Convolution, MaxPooled, Parts};
use limbeck_encoder::{Precision, Tokenizer};

use crate::error::{During, Result};
use crate::folder::StudentFolder;
use crate::graph::fold;
use crate::model::TextCnn;

/// The student as tables: every convolution times every token's embedding, and the skip too where nothing else needs the
/// embeddings.
pub fn parts(model: &TextCnn, tokenizer: &Tokenizer, metadata: String) -> Result<Parts> {
    let config = &model.config;
    let shape = (config.vocabulary, config.embedding);
    let table = Tensor::from_slice(model.table.values(), shape, &Device::Cpu).during("folding")?;
    let numbers = |name: &str| model.dense.numbers(name);
    // The table is in host memory wherever the student is.
    let on_cpu = |name: &str| model.dense.get(name)?.to_device(&Device::Cpu).during("folding");
    // A linear map of every token's embedding: [vocabulary, outputs].
    let product = |table: &Tensor, name: &str| -> Result<Vec<f32>> {
        let weight = on_cpu(name)?;
        weight.t().and_then(|weight| flat(&table.matmul(&weight)?)).during("folding")
    };
    let embeddings_kept = config.attention.is_some() && config.own_values().is_none();
    let convolution = |weight: &str, bias: &str| -> Result<Convolution> {
        let kernel = on_cpu(weight)?;
        let (filters, _, width) = kernel.dims3().during("folding")?;
        Ok(Convolution {
            width,
            filters,
            table: fold(&table, &kernel).and_then(|taps| flat(&taps)).during("folding")?,
            bias: numbers(bias)?,
        })
    };
    let max_pooled = || -> Result<MaxPooled> {
        let convolutions = config.convolutions.iter();
        let convolutions =
            convolutions.map(|c| convolution(&format!("conv{}.weight", c.width), &format!("conv{}.bias", c.width)));
        Ok(MaxPooled {
            convolutions: convolutions.collect::<Result<_>>()?,
            weight: numbers("linear.weight")?,
            bias: numbers("linear.bias")?,
        })
    };
    let attention = || -> Result<Attention> {
        let values = config.own_values();
        let embeddings = match values {
            Some(_) => product(&table, "value.weight")?,
            None => model.table.values().to_vec(),
        };
        Ok(Attention {
            width_of_embedding: values.unwrap_or(config.embedding),
            embeddings,
            own_values: values.is_some(),
            score: convolution("score_conv.weight", "score_conv.bias")?,
            score_weight: numbers("score.weight")?,
            score_bias: numbers("score.bias")?,
            heads: numbers("heads.weight")?,
            skip: (config.skip && values.is_none()).then(|| numbers("skip.weight")).transpose()?,
        })
    };
    Ok(Parts {
        vocabulary: config.vocabulary,
        dimension: config.dimension,
        max_pooled: (!config.convolutions.is_empty()).then(max_pooled).transpose()?,
        attention: config.attention.is_some().then(attention).transpose()?,
        skip_table: (config.skip && !embeddings_kept).then(|| product(&table, "skip.weight")).transpose()?,
        tokenizer: tokenizer.json().to_vec(),
        empty_token: config.empty_token(),
        max_tokens: config.max_tokens,
        parameters: config.parameters(),
        metadata,
    })
}

fn flat(tensor: &Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

/// Writes the student as a folded file; gives its size in bytes.
pub fn write_folded(student: &StudentFolder, precision: Precision, to: &Path) -> Result<u64> {
    let parts = parts(&student.model, &student.tokenizer, student.origin.to_string())?;
    Ok(folded::write(to, &parts, precision)?)
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use limbeck_encoder::folded::Shape;

    use super::*;
    use crate::config::{ARCHITECTURE, AttentionConfig, ConvolutionConfig, StudentConfig};
    use crate::model::Dense;
    use crate::test_support::{WORDS, word_tokenizer};

    /// What is refused before a training is what folding would refuse after it.
    #[test]
    fn a_config_tells_the_shape_that_folding_gives() {
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
                let dense = Dense::fresh(&config, 1, DType::F32, &Device::Cpu).unwrap();
                let table = vec![0.5; config.vocabulary * config.embedding];
                let model = TextCnn::new(config.clone(), table, dense, Device::Cpu).unwrap();
                let parts = parts(&model, &word_tokenizer(), String::new()).unwrap();
                assert_eq!(config.folded_shape(), Shape::of(&parts));
            }
        }
    }
}
