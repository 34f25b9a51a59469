//! Golden values that PyTorch computed, see `tests/golden/README.md` of the repository.

use safetensors::SafeTensors;

use super::*;
use crate::TokenBatch;

struct Golden(Vec<u8>);

impl Golden {
    fn load(name: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/");
        Self(std::fs::read(format!("{folder}{name}.safetensors")).unwrap())
    }

    fn f64s(&self, name: &str) -> (Vec<f64>, Vec<usize>) {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = tensors.tensor(name).unwrap();
        let numbers = tensor.data().as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect();
        (numbers, tensor.shape().to_vec())
    }

    fn f32s(&self, name: &str) -> Vec<f32> {
        self.f64s(name).0.iter().map(|&number| number as f32).collect()
    }

    /// The sentences, without padding zeros.
    fn sentences(&self) -> Vec<Vec<u32>> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = tensors.tensor("input_ids").unwrap();
        let ids: Vec<u32> = tensor.data().as_chunks::<8>().0.iter().map(|&id| i64::from_le_bytes(id) as u32).collect();
        let sentence = |row: &[u32]| row[..row.iter().rposition(|&id| id != 0).map_or(0, |last| last + 1)].to_vec();
        ids.chunks_exact(tensor.shape()[1]).map(sentence).collect()
    }

    /// The table E · W of a convolution.
    fn convolution(&self, name: &str) -> Convolution {
        let (embeddings, e) = self.f64s("embedding.weight");
        let (weight, w) = self.f64s(&format!("{name}.weight"));
        let &[filters, d, width] = w.as_slice() else { panic!("{w:?}") };
        let mut table = Vec::new();
        for row in embeddings.chunks_exact(e[1]) {
            for tap in 0..width {
                for filter in 0..filters {
                    let number = |j: usize| row[j] * weight[(filter * d + j) * width + tap];
                    table.push((0..d).map(number).sum::<f64>() as f32);
                }
            }
        }
        Convolution { width, filters, table, bias: self.f32s(&format!("{name}.bias")) }
    }

    fn parts(
        &self,
        max_pooled: Option<MaxPooled>,
        attention: Option<Attention>,
        skip_table: Option<Vec<f32>>,
    ) -> Parts {
        Parts {
            vocabulary: 50,
            dimension: 10,
            max_pooled,
            attention,
            skip_table,
            tokenizer: tokenizer_json(50),
            empty_token: 1,
            ..Parts::default()
        }
    }

    fn compare(&self, parts: &Parts) {
        let (expected, shape) = self.f64s("output");
        let tokens: TokenBatch = self.sentences().iter().map(Vec::as_slice).collect();
        assert!(tokens.iter().any(|row| row.len() < tokens.longest()), "some sentence should be shorter");
        let floats = open(parts, Precision::F32).2.encode_tokens(&tokens).unwrap();
        let int8 = open(parts, Precision::Int8).2.encode_tokens(&tokens).unwrap();
        for (row, expected) in expected.chunks_exact(shape[1]).enumerate() {
            assert!(difference(floats.row(row), expected) < 1e-5, "row {row}: {:?} {expected:?}", floats.row(row));
            assert!(cosine(int8.row(row), expected) > 0.999, "row {row}: {:?} {expected:?}", int8.row(row));
        }
    }
}

#[test]
fn a_textcnn_folds_to_the_golden_output() {
    let golden = Golden::load("textcnn");
    let (embeddings, e) = golden.f64s("embedding.weight");
    let (skip, _) = golden.f64s("skip.weight");
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() as f32;
    let skips = |row| skip.chunks_exact(e[1]).map(move |skip| dot(row, skip)).collect::<Vec<_>>();
    let skip_table = embeddings.chunks_exact(e[1]).flat_map(skips).collect();
    let max_pooled = MaxPooled {
        convolutions: ["conv1", "conv3", "conv5"].map(|name| golden.convolution(name)).into(),
        weight: golden.f32s("linear.weight"),
        bias: golden.f32s("linear.bias"),
    };
    golden.compare(&golden.parts(Some(max_pooled), None, Some(skip_table)));
}

#[test]
fn attention_heads_fold_to_the_golden_output() {
    let golden = Golden::load("attention_heads");
    let attention = Attention {
        width_of_embedding: 12,
        embeddings: golden.f32s("embedding.weight"),
        own_values: false,
        score: golden.convolution("score_conv"),
        score_weight: golden.f32s("score.weight"),
        score_bias: golden.f32s("score.bias"),
        heads: golden.f32s("heads.weight"),
        skip: Some(golden.f32s("skip.weight")),
    };
    golden.compare(&golden.parts(None, Some(attention), None));
}
