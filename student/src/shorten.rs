//! [`shorten`]: a student of fewer numbers a vector, along the principal directions of its own vectors.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use limbeck_data::Monitor;

use crate::config::StudentConfig;
use crate::dense::DenseParameters;
use crate::directions::{principal_directions, quadratic, scatter};
use crate::encoder::{embed, refuse_not_finite};
use crate::error::{Error, Result};
use crate::folder::StudentFolder;
use crate::graph::Backend;
use crate::model::TextCnn;

/// The parameters whose rows are the numbers of the output.
const OUTPUTS: [&str; 4] = ["linear.weight", "linear.bias", "heads.weight", "skip.weight"];
/// The texts that are encoded between two looks at the monitor.
const CHUNK: usize = 1024;

/// What [`shorten`] gives.
pub struct Shortened {
    /// The student of fewer numbers; its lexical half is as it was.
    pub student: StudentFolder,
    /// The mean squared length that is left of vectors of length 1, from 0 to 1, before they are scaled to 1 again.
    pub kept: f64,
}

/// The student whose vectors are those of `student` along `dimension` directions: those in which its vectors of
/// `texts` have the largest squared lengths. As close to all cosines of these vectors as so few numbers come by a
/// linear map (Eckart and Young 1936). Everything but the output's maps stays.
///
/// # Errors
/// A dimension of 0 or above the student's, no text, a vector that isn't finite, an interrupt.
pub fn shorten(student: StudentFolder, texts: &[&str], dimension: usize, monitor: Monitor<'_>) -> Result<Shortened> {
    let wide = student.model.config.dimension;
    let allowed = format!("from 1 to {wide}, the student's own");
    Error::require((1..=wide).contains(&dimension), "the dimension", dimension, allowed)?;
    Error::require(!texts.is_empty(), "texts to shorten by", 0, "at least 1")?;
    let products = products_of(&student, texts, monitor)?;
    let directions = principal_directions(&products, wide, dimension)?;
    let squares: f64 = directions.chunks_exact(wide).map(|direction| quadratic(&products, direction)).sum();
    let whole: f64 = (0..wide).map(|at| products[at * wide + at]).sum();
    let StudentFolder { model, tokenizer, lexical, mut origin } = student;
    if let Some(origin) = origin.as_object_mut() {
        origin.insert("shortened_from".into(), wide.into());
    }
    let model = projected(&model, directions, dimension)?;
    Ok(Shortened { student: StudentFolder { model, tokenizer, lexical, origin }, kept: squares / whole })
}

/// The sum of the vectors' products with themselves: `[dimension, dimension]`.
fn products_of(student: &StudentFolder, texts: &[&str], monitor: Monitor<'_>) -> Result<Vec<f64>> {
    let wide = student.model.config.dimension;
    let backend = Backend::of(&student.model.device);
    let bar = monitor.stage("encoding", Some(texts.len() as u64), "texts");
    let mut sum = vec![0f64; wide * wide];
    for (at, chunk) in texts.chunks(CHUNK).enumerate() {
        monitor.check()?;
        let vectors = embed(&student.model, &student.tokenizer, backend, chunk)?;
        refuse_not_finite(&vectors, wide, at * CHUNK)?;
        sum.iter_mut().zip(scatter(&vectors, wide)).for_each(|(sum, product)| *sum += product);
        bar.add(chunk.len() as u64);
    }
    Ok(sum)
}

/// The model with its outputs multiplied by `directions`, `[dimension, outputs]`.
fn projected(model: &TextCnn, directions: Vec<f32>, dimension: usize) -> Result<TextCnn> {
    let shortened = |directions: &Tensor, name: &str| {
        let values = model.dense.in_host_memory(name)?;
        match (OUTPUTS.contains(&name), values.rank()) {
            (true, 1) => directions.matmul(&values.unsqueeze(1)?)?.squeeze(1),
            (true, _) => directions.matmul(&values),
            (false, _) => Ok(values),
        }
    };
    let all = Tensor::from_vec(directions, (dimension, model.config.dimension), &Device::Cpu).and_then(|directions| {
        let names = model.dense.iter().map(|(name, _)| name.to_owned());
        names.map(|name| Ok((name.clone(), shortened(&directions, &name)?))).collect::<candle_core::Result<_>>()
    });
    let mut all: HashMap<String, Tensor> = all.map_err(Error::tensor("shortening the student"))?;
    let config = StudentConfig { dimension, ..model.config.clone() };
    let dense = DenseParameters::new(&config, |name| all.remove(name))?;
    TextCnn::new(config, model.table.values().to_vec(), dense, Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ARCHITECTURE, AttentionConfig, ConvolutionConfig};
    use crate::contrast::unlearned;
    use crate::test_support::word_tokenizer;

    const TEXTS: [&str; 4] = ["a dog", "the old river sees", "new cat hears the house", ""];

    /// A random student with every part.
    fn student() -> StudentFolder {
        let tokenizer = word_tokenizer();
        let config = StudentConfig {
            architecture: ARCHITECTURE.into(),
            vocabulary: tokenizer.vocabulary() + 1,
            embedding: 6,
            dimension: 10,
            convolutions: vec![ConvolutionConfig { width: 3, filters: 5 }],
            attention: Some(AttentionConfig { heads: 2, width: 3, filters: 4, values: None }),
            skip: true,
            max_tokens: None,
        };
        unlearned(config, tokenizer, 1).unwrap()
    }

    fn vectors(student: &StudentFolder) -> Vec<f32> {
        embed(&student.model, &student.tokenizer, Backend::of(&Device::Cpu), &TEXTS).unwrap()
    }

    fn assert_same_cosines(one: &[f32], other: &[f32]) {
        let cosine = |vectors: &[f32], a: usize, b: usize| {
            let width = vectors.len() / TEXTS.len();
            (0..width).map(|at| vectors[a * width + at] * vectors[b * width + at]).sum::<f32>()
        };
        for (a, b) in (0..TEXTS.len()).flat_map(|a| (0..TEXTS.len()).map(move |b| (a, b))) {
            assert!((cosine(one, a, b) - cosine(other, a, b)).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn as_many_numbers_as_the_texts_have_directions_keep_all_cosines() {
        let before = vectors(&student());
        let Shortened { student, kept } = shorten(student(), &TEXTS, TEXTS.len(), Monitor::silent()).unwrap();
        assert_eq!(student.model.config.dimension, 4);
        assert!((kept - 1.0).abs() < 1e-5, "{kept}");
        assert_same_cosines(&before, &vectors(&student));
    }

    #[test]
    fn fewer_numbers_keep_less_and_vectors_still_have_length_one() {
        let Shortened { student, kept } = shorten(student(), &TEXTS, 2, Monitor::silent()).unwrap();
        assert!(kept > 0.25 && kept < 1.0, "{kept}");
        for vector in vectors(&student).chunks_exact(2) {
            assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn no_number_and_more_than_there_are_are_refused() {
        for dimension in [0, 11] {
            let error = shorten(student(), &TEXTS, dimension, Monitor::silent()).err().unwrap().to_string();
            assert!(error.contains("from 1 to 10"), "{error}");
        }
        assert!(shorten(student(), &[], 2, Monitor::silent()).is_err());
    }
}
