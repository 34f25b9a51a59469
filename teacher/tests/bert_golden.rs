//! BERT in candle against PyTorch's values, on a tiny model whose weights lie in the repository.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use limbeck_encoder::TokenBatch;
use limbeck_teacher::bert::Bert;
use limbeck_teacher::{BertConfig, Error, Pooler};
use limbeck_training::losses::infonce_hard_negative;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");

struct Golden {
    config: BertConfig,
    tensors: HashMap<String, Tensor>,
    /// The initial weights by their Hugging Face names.
    weights: HashMap<String, Var>,
}

fn golden() -> Golden {
    let config_path = format!("{GOLDEN}/bert_simcse_training.config.json");
    let json = std::fs::read_to_string(&config_path).unwrap();
    let config = BertConfig::from_json(&json, Path::new(&config_path)).unwrap();
    let path = format!("{GOLDEN}/bert_simcse_training.safetensors");
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let initial = tensors.iter().filter_map(|(name, tensor)| Some((name.strip_prefix("init.")?, tensor)));
    let weights = initial.map(|(name, tensor)| (name.to_owned(), Var::from_tensor(tensor).unwrap())).collect();
    Golden { config, tensors, weights }
}

impl Golden {
    fn bert(&self) -> Bert {
        Bert::new(&self.config, true, &mut |name, shape| {
            let tensor = self.weights[name].as_tensor().clone();
            assert_eq!(tensor.dims(), shape, "{name}");
            Ok(tensor)
        })
        .unwrap()
    }

    /// The file's rows are padded with the id 0.
    fn batch(&self, name: &str) -> TokenBatch {
        let rows: Vec<Vec<i64>> = self.tensors[name].to_vec2().unwrap();
        let tokens = |row: &Vec<i64>| row.iter().take_while(|&&id| id != 0).map(|&id| id as u32).collect();
        let rows: Vec<Vec<u32>> = rows.iter().map(tokens).collect();
        rows.iter().map(Vec::as_slice).collect()
    }
}

#[test]
fn the_first_steps_loss_and_gradients_are_pytorchs() {
    let golden = golden();
    let bert = golden.bert();
    let [anchor, positive, negative] = ["anchor", "positive", "hard_negative"]
        .map(|part| bert.pooled(&golden.batch(&format!("step1.{part}.input_ids")), Pooler::Cls).unwrap());
    let loss = infonce_hard_negative(&anchor, &positive, &negative, 0.05, 0.0).unwrap();
    let expected: Vec<f64> = golden.tensors["loss"].to_vec1().unwrap();
    let found = loss.to_scalar::<f64>().unwrap();
    assert!((found - expected[0]).abs() < 1e-6, "{found} where {} is expected", expected[0]);

    let gradients = loss.backward().unwrap();
    // The softmax of attention doesn't see the key's bias: its gradient is rounding noise.
    for (name, weight) in golden.weights.iter().filter(|(name, _)| !name.ends_with("key.bias")) {
        let expected = &golden.tensors[&format!("step1.grad.{name}")];
        let found = gradients.get(weight).unwrap_or_else(|| panic!("{name} has no gradient"));
        let largest = |tensor: &Tensor| tensor.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
        let difference = largest(&(found - expected).unwrap()) / largest(expected);
        assert!(difference < 1e-4, "{name} differs by {difference} of its largest value");
    }
}

#[test]
fn a_text_in_a_batch_has_the_vector_that_it_has_alone() {
    let golden = golden();
    let bert = golden.bert();
    let rows: [&[u32]; 4] = [&[2, 17, 40, 3], &[2, 3], &[], &[2, 99, 98, 5, 6, 7, 8, 9, 3]];
    let batch: TokenBatch = rows.into_iter().collect();
    for pooler in Pooler::ALL {
        let together: Vec<Vec<f64>> = bert.pooled(&batch, pooler).unwrap().to_vec2().unwrap();
        for (row, expected) in rows.iter().zip(&together) {
            let alone = bert.pooled(&std::iter::once(*row).collect(), pooler).unwrap();
            let alone: Vec<Vec<f64>> = alone.to_vec2().unwrap();
            // A text without a token has no first token either; what stands there is finite and no more.
            assert!(expected.iter().all(|x| x.is_finite()));
            if !row.is_empty() {
                let close = alone[0].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-10);
                assert!(close, "{pooler}: {row:?}");
            }
        }
    }
}

#[test]
fn f32_and_f16_are_near_f64() {
    let golden = golden();
    let batch = golden.batch("step1.anchor.input_ids");
    let vectors = |dtype: DType| {
        let weight = |name: &str| golden.weights[name].as_tensor().to_dtype(dtype);
        let bert = Bert::new(&golden.config, true, &mut |name, _| Ok(weight(name).unwrap())).unwrap();
        let pooled = bert.pooled(&batch, Pooler::Mean).unwrap();
        pooled.to_dtype(DType::F64).unwrap()
    };
    let exact = vectors(DType::F64);
    for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F16, 0.05)] {
        let difference = (vectors(dtype) - &exact).unwrap().abs().unwrap().max_all().unwrap();
        assert!(difference.to_scalar::<f64>().unwrap() < tolerance, "{dtype:?}: {difference}");
    }
}

#[test]
fn an_id_outside_the_vocabulary_and_a_text_too_long_are_named() {
    let bert = golden().bert();
    let unknown: TokenBatch = [&[2, 3][..], &[2, 100, 3]].into_iter().collect();
    assert!(matches!(bert.pooled(&unknown, Pooler::Mean), Err(Error::TokenId { row: 1, id: 100, vocabulary: 100 })));
    let long: TokenBatch = [&[1; 33][..]].into_iter().collect();
    assert!(matches!(bert.pooled(&long, Pooler::Mean), Err(Error::TooLong { row: 0, tokens: 33, positions: 32 })));
}
