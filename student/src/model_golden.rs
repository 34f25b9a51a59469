//! The TextCNN against PyTorch, with both backends (`tests/golden`, f64).

use std::collections::HashMap;

use limbeck_training::losses::cosine_distance;
use limbeck_training::optimiser::{AdamW, AdamWSettings};

use super::*;
use crate::config::{ARCHITECTURE, AttentionConfig, ConvolutionConfig};

type Tensors = HashMap<String, Tensor>;

fn golden(name: &str) -> Tensors {
    let path = format!("{}/../tests/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

fn config(convolutions: &[usize], heads: usize) -> StudentConfig {
    StudentConfig {
        architecture: ARCHITECTURE.into(),
        vocabulary: 50,
        embedding: 12,
        dimension: 10,
        convolutions: convolutions.iter().map(|&width| ConvolutionConfig { width, filters: 7 }).collect(),
        attention: (heads > 0).then_some(AttentionConfig { heads, width: 5, filters: 6, values: None }),
        skip: true,
        max_tokens: None,
    }
}

fn model(config: StudentConfig, tensors: &Tensors, prefix: &str) -> TextCnn<f64> {
    let table = tensors[&format!("{prefix}embedding.weight")].flatten_all().unwrap().to_vec1().unwrap();
    let dense = DenseParameters::new(&config, |name| tensors.get(&format!("{prefix}{name}")).cloned()).unwrap();
    TextCnn::new(config, table, dense, Device::Cpu).unwrap()
}

/// The golden batches are padded with token 0.
fn batch(ids: &Tensor) -> TokenBatch {
    let mut batch = TokenBatch::new();
    for row in ids.to_vec2::<i64>().unwrap() {
        let length = row.iter().rposition(|&id| id != 0).map_or(0, |last| last + 1);
        batch.push(&row[..length].iter().map(|&id| id as u32).collect::<Vec<_>>());
    }
    batch
}

fn assert_close(name: &str, got: &Tensor, want: &Tensor) {
    assert_eq!(got.dims(), want.dims(), "{name}");
    let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let (got, want) = (values(got), values(want));
    let largest = want.iter().fold(0f64, |a, b| a.max(b.abs()));
    let off = got.iter().zip(&want).fold(0f64, |a, (g, w)| a.max((g - w).abs()));
    assert!(off <= 1e-4 * largest, "{name} is off by {off} of {largest}");
}

/// Forward pass, loss and every gradient of one golden file.
fn check_gradients(file: &str, config: StudentConfig, backend: Backend) {
    let tensors = golden(file);
    let model = model(config, &tensors, "");
    let batch = batch(&tensors["input_ids"]);
    assert_close("output", &model.embed(&batch, backend).unwrap(), &tensors["output"]);

    let rows = model.rows(&batch).unwrap();
    let pooled = model.pool(&rows, backend).unwrap();
    for (name, part) in [("features", &pooled.max_pooled), ("attended", &pooled.attended), ("mean", &pooled.mean)] {
        if let (Some(got), Some(want)) = (part, tensors.get(name)) {
            assert_close(name, got, want);
        }
    }
    let loss = cosine_distance(&model.project(&pooled, None).unwrap(), &tensors["target"]).unwrap();
    let gradients = loss.backward().unwrap();
    assert_close("loss", &loss.reshape(1).unwrap(), &tensors["loss"]);
    for (name, variable) in model.dense.iter() {
        if name != "score.bias" {
            assert_close(name, gradients.get(variable).unwrap(), &tensors[&format!("grad.{name}")]);
        }
    }
    let ids = Tensor::new(rows.tokens.tokens(), &Device::Cpu).unwrap();
    let want = tensors["grad.embedding.weight"].index_select(&ids, 0).unwrap();
    assert_close("embedding", gradients.get(&rows.variable).unwrap(), &want);
}

#[test]
fn max_pooling_and_skip_equal_pytorch_with_both_backends() {
    for backend in [Backend::Ragged, Backend::Padded] {
        check_gradients("textcnn", config(&[1, 3, 5], 0), backend);
    }
}

#[test]
fn attention_heads_equal_pytorch_with_both_backends() {
    for backend in [Backend::Ragged, Backend::Padded] {
        check_gradients("attention_heads", config(&[], 3), backend);
    }
}

#[test]
fn heads_with_values_of_their_own_equal_pytorch_with_both_backends() {
    let attention = AttentionConfig { heads: 3, width: 5, filters: 6, values: Some(4) };
    for backend in [Backend::Ragged, Backend::Padded] {
        let config = StudentConfig { attention: Some(attention), ..config(&[], 0) };
        check_gradients("attention_values", config, backend);
    }
}

#[test]
fn ten_training_steps_end_where_pytorch_ends_with_both_backends() {
    let tensors = golden("textcnn_training");
    for backend in [Backend::Ragged, Backend::Padded] {
        let mut model = model(config(&[1, 3, 5], 0), &tensors, "init.");
        let settings = AdamWSettings::default();
        let named = model.dense.iter().map(|(name, variable)| (name.to_string(), variable.clone()));
        let mut optimiser = AdamW::new(named.collect::<Vec<_>>(), settings, |_| true).unwrap();
        let mut losses = Vec::new();
        for step in 1..=10 {
            let rows = model.rows(&batch(&tensors[&format!("step{step}.input_ids")])).unwrap();
            let output = model.project(&model.pool(&rows, backend).unwrap(), None).unwrap();
            let loss = cosine_distance(&output, &tensors[&format!("step{step}.target")]).unwrap();
            losses.push(loss.to_scalar::<f64>().unwrap());
            let gradients = loss.backward().unwrap();
            optimiser.step(&gradients, 2e-3, step).unwrap();
            let slope = gradients.get(&rows.variable).unwrap();
            model.table.update(rows.tokens.tokens(), slope, 2e-3, step, &settings).unwrap();
        }
        assert_close("loss", &Tensor::new(losses, &Device::Cpu).unwrap(), &tensors["loss"]);
        for (name, variable) in model.dense.iter() {
            assert_close(name, variable.as_tensor(), &tensors[&format!("final.{name}")]);
        }
        let table = Tensor::from_slice(model.table.values(), (50, 12), &Device::Cpu).unwrap();
        assert_close("embedding", &table, &tensors["final.embedding.weight"]);
    }
}
