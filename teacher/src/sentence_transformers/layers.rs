//! The folders of Dense and LayerNorm modules.

use std::path::Path;

use serde::Deserialize;

use super::pooling::yes;
use super::unsupported;
use crate::head::{DenseLayer, HeadActivation, LayerNorm, Residual};
use crate::model_files::{parse_required, required, weights_hint_of};
use crate::{Result, Weights};

/// `config.json` of a Dense.
#[derive(Deserialize)]
struct DenseConfig {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    activation_function: Option<String>,
    module_input_name: Option<String>,
    module_output_name: Option<String>,
    #[serde(default)]
    use_residual: bool,
}

/// The dense layer in `folder`.
pub(super) fn dense(folder: &Path) -> Result<DenseLayer> {
    let hint = "modules.json names a dense layer";
    let (file, config) = parse_required::<DenseConfig>(folder, "config.json", hint)?;
    // Tanh is the default of sentence-transformers.
    let class = config.activation_function.as_deref().unwrap_or("torch.nn.modules.activation.Tanh");
    let Some(activation) = HeadActivation::of_class(class) else {
        let known = HeadActivation::all_names();
        return Err(unsupported(&file, format!("the activation `{class}` is not supported ({known} are)")));
    };
    let names = [&config.module_input_name, &config.module_output_name];
    if let Some(name) = names.into_iter().flatten().find(|name| *name != "sentence_embedding") {
        return Err(unsupported(&file, format!("a dense layer of `{name}` is not supported (sentence_embedding is)")));
    }
    let (inputs, outputs) = (config.in_features, config.out_features);
    if inputs == 0 || outputs == 0 {
        return Err(unsupported(&file, format!("a dense layer of {inputs} to {outputs} can't be")));
    }
    let weights = Weights::open(&required(folder, "model.safetensors", weights_hint_of(folder))?)?;
    let weight = weights.f32("linear.weight", &[outputs, inputs])?;
    let mut dense = DenseLayer::new(folder.to_owned(), weight, inputs, activation);
    if config.bias {
        dense = dense.with_bias(weights.f32("linear.bias", &[outputs])?);
    }
    Ok(match (config.use_residual, inputs == outputs) {
        (false, _) => dense,
        (true, true) => dense.with_residual(Residual::Input),
        (true, false) => dense.with_residual(Residual::Projected(weights.f32("residual.weight", &[outputs, inputs])?)),
    })
}

/// Whether a dense layer right after the first token's state can be the `pooler.dense` of a BERT.
pub(super) fn is_cls(dense: &DenseLayer) -> bool {
    dense.activation() == HeadActivation::Tanh && *dense.residual() == Residual::None && dense.inputs() == dense.width()
}

/// The LayerNorm in `folder`.
pub(super) fn layer_norm(folder: &Path) -> Result<LayerNorm> {
    #[derive(Deserialize)]
    struct NormConfig {
        dimension: usize,
    }
    let (_, config) = parse_required::<NormConfig>(folder, "config.json", "modules.json names a LayerNorm")?;
    let weights = Weights::open(&required(folder, "model.safetensors", weights_hint_of(folder))?)?;
    let [weight, bias] = ["norm.weight", "norm.bias"].map(|name| weights.f32(name, &[config.dimension]));
    Ok(LayerNorm::new(folder.to_owned(), weight?, bias?))
}
