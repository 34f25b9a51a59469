//! The hand-written passes against PyTorch's values, against candle's automatic differentiation, and against quotients
//! of differences.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use limbeck_encoder::TokenBatch;
use limbeck_teacher::backprop::{Dropout, Gradients, Network, Parameters};
use limbeck_teacher::bert::Bert;
use limbeck_teacher::{Activation, BertConfig, Pooler};
use limbeck_training::losses::infonce_hard_negative;
use limbeck_training::optimiser::{AdamW, AdamWSettings};
use limbeck_training::random::Random;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");

fn golden() -> (BertConfig, HashMap<String, Tensor>, Parameters) {
    let config_path = format!("{GOLDEN}/bert_simcse_training.config.json");
    let config = BertConfig::from_json(&std::fs::read_to_string(&config_path).unwrap(), Path::new("g")).unwrap();
    let path = format!("{GOLDEN}/bert_simcse_training.safetensors");
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let find = &mut |name: &str, _: &[usize]| Ok(tensors[&format!("init.{name}")].clone());
    let parameters = Parameters::new(&config, true, find).unwrap();
    (config, tensors, parameters)
}

/// The golden file's rows are padded with the id 0.
fn rows(tensor: &Tensor) -> Vec<Vec<u32>> {
    let rows: Vec<Vec<i64>> = tensor.to_vec2().unwrap();
    rows.iter().map(|row| row.iter().take_while(|&&id| id != 0).map(|&id| id as u32).collect()).collect()
}

fn assert_close(name: &str, found: &Tensor, expected: &Tensor, share: f64) {
    assert_eq!(found.dims(), expected.dims(), "{name}");
    let numbers = |tensor: &Tensor| -> Vec<f64> { tensor.flatten_all().unwrap().to_vec1().unwrap() };
    let (found, expected) = (numbers(found), numbers(expected));
    let largest = expected.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    let off = found.iter().zip(&expected).fold(0.0f64, |a, (x, y)| a.max((x - y).abs()));
    assert!(off <= share * largest, "{name} is off by {off} of {largest}");
}

#[test]
fn five_steps_of_supervised_simcse_are_pytorchs() {
    let (config, tensors, parameters) = golden();
    let network = Network { config: &config, parameters: &parameters, pooler: Pooler::Cls, head: true };
    let named = parameters.iter().map(|(name, variable)| (name.to_owned(), variable.clone()));
    let decays = |name: &str| !name.ends_with("bias") && !name.contains("LayerNorm");
    let mut optimiser = AdamW::new(named.collect::<Vec<_>>(), AdamWSettings::default(), decays).unwrap();
    let losses: Vec<f64> = tensors["loss"].to_vec1().unwrap();
    for step in 1..=5u64 {
        let part = |part: &str| rows(&tensors[&format!("step{step}.{part}.input_ids")]);
        let texts = [part("anchor"), part("positive"), part("hard_negative")].concat();
        let batch: TokenBatch = texts.iter().map(Vec::as_slice).collect();
        let tape = network.forward::<f64>(&batch, &mut Dropout::none()).unwrap();
        let vectors = Tensor::from_slice(tape.vectors(), (18, 32), &Device::Cpu).unwrap();
        let vectors = Var::from_tensor(&vectors).unwrap();
        let view = |at: usize| vectors.narrow(0, at * 6, 6).unwrap();
        let loss = infonce_hard_negative(&view(0), &view(1), &view(2), 0.05, 0.0).unwrap();
        let found = loss.to_scalar::<f64>().unwrap();
        let expected = losses[step as usize - 1];
        assert!((found - expected).abs() < 1e-6 * expected, "step {step}: {found} where {expected} is expected");
        let gradient = loss.backward().unwrap().get(&vectors).unwrap().flatten_all().unwrap();
        let mut gradients = Gradients::new(&parameters, &|_| true);
        network.backward(&batch, tape, &gradient.to_vec1::<f64>().unwrap(), &mut gradients).unwrap();
        let norm = gradients.norm();
        let gradients = gradients.into_tensors().unwrap();
        for (name, gradient) in &gradients {
            // Softmax doesn't see key biases: PyTorch's values are rounding noise.
            if step == 1 && !name.ends_with("key.bias") {
                assert_close(name, gradient, &tensors[&format!("step1.grad.{name}")], 1e-7);
            }
        }
        let scale = (1.0 / (norm + 1e-6)).min(1.0);
        optimiser.update(|name, _| gradients.get(name), scale, 1e-3, step).unwrap();
    }
    for (name, variable) in parameters.iter().filter(|(name, _)| !name.ends_with("key.bias")) {
        assert_close(name, variable, &tensors[&format!("final.{name}")], 1e-5);
    }
}

/// The gradients of Σ vectors ∘ weights by both ways of computing them.
fn both_gradients(config: &BertConfig, parameters: &Parameters, pooler: Pooler) -> [BTreeMap<String, Tensor>; 2] {
    let texts: [&[u32]; 3] = [&[5, 9, 2, 44, 7], &[5, 7], &[5, 61, 62, 63, 61, 2, 7, 3]];
    let batch: TokenBatch = texts.into_iter().collect();
    let weights: Vec<f64> = (0..3 * config.hidden_size).map(|at| (at as f64 * 0.7).sin()).collect();
    let head = pooler == Pooler::Cls;
    let network = Network { config, parameters, pooler, head };
    let tape = network.forward::<f64>(&batch, &mut Dropout::none()).unwrap();
    let mut gradients = Gradients::new(parameters, &|_| true);
    let vectors = tape.vectors().to_vec();
    network.backward(&batch, tape, &weights, &mut gradients).unwrap();

    let find = &mut |name: &str, _: &[usize]| Ok(parameters.get(name).unwrap().as_tensor().clone());
    let bert = Bert::new(config, true, find).unwrap();
    let pooled = bert.pooled(&batch, pooler).unwrap();
    let plain: Vec<f64> = pooled.flatten_all().unwrap().to_vec1().unwrap();
    assert!(vectors.iter().zip(&plain).all(|(x, y)| (x - y).abs() < 1e-9), "{pooler}");
    let weights = Tensor::from_vec(weights, (3, config.hidden_size), &Device::Cpu).unwrap();
    let store = (pooled * weights).unwrap().sum_all().unwrap().backward().unwrap();
    let plain = parameters.iter().map(|(name, variable)| {
        let gradient = store.get(variable).cloned().unwrap_or_else(|| variable.zeros_like().unwrap());
        (name.to_owned(), gradient)
    });
    [gradients.into_tensors().unwrap(), plain.collect()]
}

#[test]
fn every_pooler_and_activation_has_the_gradients_of_candles_graph() {
    let (mut config, _, parameters) = golden();
    for activation in [Activation::Gelu, Activation::GeluNew, Activation::Relu] {
        config.hidden_act = activation;
        for pooler in Pooler::TRAINABLE {
            let [fast, plain] = both_gradients(&config, &parameters, pooler);
            for (name, gradient) in fast.iter().filter(|(name, _)| !name.ends_with("key.bias")) {
                assert_close(&format!("{pooler}, {name}"), gradient, &plain[name], 1e-6);
            }
        }
    }
}

#[test]
fn gradients_through_dropout_are_quotients_of_differences() {
    let (config, _, parameters) = golden();
    let network = Network { config: &config, parameters: &parameters, pooler: Pooler::Mean, head: true };
    let texts: [&[u32]; 2] = [&[5, 9, 2, 44, 7], &[5, 61, 7]];
    let batch: TokenBatch = texts.into_iter().collect();
    let dropout = || Dropout::new(Random::new(3, &[]), 0.2, 0.3);
    let weights: Vec<f64> = (0..64).map(|at| (f64::from(at) * 0.7).sin()).collect();
    let value = || -> f64 {
        let vectors = network.vectors::<f64>(&batch, &mut dropout()).unwrap();
        vectors.iter().zip(&weights).map(|(x, w)| x * w).sum()
    };
    let tape = network.forward::<f64>(&batch, &mut dropout()).unwrap();
    let mut gradients = Gradients::new(&parameters, &|_| true);
    network.backward(&batch, tape, &weights, &mut gradients).unwrap();
    let gradients = gradients.into_tensors().unwrap();
    for (name, variable) in parameters.iter() {
        let original: Vec<f64> = variable.flatten_all().unwrap().to_vec1().unwrap();
        let gradient: Vec<f64> = gradients[name].flatten_all().unwrap().to_vec1().unwrap();
        // A token that occurs, and the last number of the others.
        let at = if name.contains("word_embeddings") { 9 * 32 + 5 } else { 3 };
        let moved = |by: f64| {
            let mut numbers = original.clone();
            numbers[at] += by;
            variable.set(&Tensor::from_vec(numbers, variable.dims(), &Device::Cpu).unwrap()).unwrap();
            value()
        };
        let quotient = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        moved(0.0);
        let off = (quotient - gradient[at]).abs();
        assert!(off < 1e-7 + 1e-5 * quotient.abs(), "{name}: {} where {quotient} is expected", gradient[at]);
    }
}

#[test]
fn a_text_alone_has_the_vector_that_it_has_in_a_batch_and_f32_is_near_f64() {
    let (config, _, parameters) = golden();
    let find = &mut |name: &str, _: &[usize]| Ok(parameters.get(name).unwrap().to_dtype(DType::F32).unwrap());
    let narrow = Parameters::new(&config, true, find).unwrap();
    let wide = Network { config: &config, parameters: &parameters, pooler: Pooler::LastTwo, head: false };
    let network = Network { parameters: &narrow, ..wide.clone() };
    let texts: [&[u32]; 3] = [&[5, 9, 2, 44, 7], &[5, 61, 7], &[]];
    let batch: TokenBatch = texts.into_iter().collect();
    let together = network.vectors::<f32>(&batch, &mut Dropout::none()).unwrap();
    let exact = wide.vectors::<f64>(&batch, &mut Dropout::none()).unwrap();
    assert!(together.iter().zip(&exact).all(|(x, y)| (f64::from(*x) - y).abs() < 1e-5));
    for (at, text) in texts.into_iter().enumerate() {
        let alone = network.vectors::<f32>(&std::iter::once(text).collect(), &mut Dropout::none()).unwrap();
        assert!(alone.iter().zip(&together[at * 32..]).all(|(x, y)| (x - y).abs() < 1e-6));
    }
}
