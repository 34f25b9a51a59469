//! A student of max-pooling and skip in sentence-transformers' own modules.
//!
//! ```text
//! Transformer ─► CNN ─► WordWeights ─► Pooling ─► Dense + ReLU ─► Dense ─► Normalize
//!  rows of E      convs   ends × ε      max, mean   sort, ± mean    linear, skip
//! ```
//!
//! - **Transformer** is a Mamba without layers: an embedding table and a final RMSNorm. One more channel gives every
//!   row the same length, so that the norm changes nothing. (The module meant for this, `WordEmbeddings`, can't take a
//!   fast tokenizer before sentence-transformers 5.4.) Mamba has neither positions nor a mask of length × length, so
//!   long texts stay cheap.
//! - **CNN** holds the student's banks, and before them banks of width 1 that carry E through unchanged, for the mean.
//! - **An end token** follows every text: a text needs at least one token, and no tokenizer adds a token to the empty
//!   text alone. Its row is zero but for a channel of its own, so convolutions treat it as padding; it is the padding
//!   token too. `WordWeights` gives it the weight 1e-8 and all others 1: it adds nothing to a sum, and its candidate
//!   for the maximum is 0, which the ReLU gives anyway. In an empty text it stands alone, and the mean of its channel
//!   is 1.
//! - **Dense + ReLU** picks the maxima of the student's banks, whether the text is empty, and the means; each mean
//!   stands there with both signs, so that the ReLU loses nothing.
//! - **Dense** is `linear` and `skip` side by side, and one column more that gives an empty text its vector.
//!
//! A student without convolutions has no CNN module. [`crate::folder`] reads the modules back.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use limbeck_data::files::write_json;
use limbeck_encoder::TokenBatch;
use limbeck_training::checkpoint::{self, Stored};
use limbeck_training::sentence_transformers::{dense, limits, pooling};
use serde_json::{Value, json};

use super::tokenizer::TokenizerFiles;
use super::write_tokenizer;
use crate::error::{Error, Result};
use crate::folder::{END_TOKEN, ModuleLayout, StudentFolder};
use crate::graph::Backend;
use crate::model::TextCnn;

/// The weight of the end token: nothing beside 1 in f32, and above 1e-9, the least divisor in `Pooling`.
const END_WEIGHT: f64 = 1e-8;

const RELU: &str = "torch.nn.modules.activation.ReLU";
const IDENTITY: &str = "torch.nn.modules.linear.Identity";

/// The folder's name of the module at `index`; empty for the first module, which lies in the export's own folder.
pub(super) fn folder_name(index: usize, class: &str) -> String {
    let name = class.rsplit('.').next().unwrap_or(class);
    if index == 0 { String::new() } else { format!("{index}_{name}") }
}

/// Writes the modules' folders and returns the modules' classes in Python.
pub(super) fn write(student: &StudentFolder, to: &Path) -> Result<Vec<&'static str>> {
    let model = &student.model;
    let mut modules = vec!["sentence_transformers.models.Transformer"];
    let mut add = |class: &'static str| -> PathBuf {
        modules.push(class);
        to.join(folder_name(modules.len() - 1, class))
    };
    write_table(student, to)?;
    let layout = ModuleLayout::of(&model.config);
    if !layout.config.convolutions.is_empty() {
        write_banks(&layout, model, &add("sentence_transformers.models.CNN"))?;
    }
    write_word_weights(student, &add("sentence_transformers.models.WordWeights"))?;
    write_pooling(&layout, &add("sentence_transformers.models.Pooling"))?;
    write_sorting(&layout, &add("sentence_transformers.models.Dense"))?;
    write_output(&layout, model, &add("sentence_transformers.models.Dense"))?;
    add("sentence_transformers.models.Normalize");
    Ok(modules)
}

/// The Mamba without layers. Row `v` is E\[v\], the end token's channel, and the channel that gives all rows the same
/// length. The end token's row takes the place of the student's row for an empty text, which comes last: no id reaches
/// it, but the student can be read back.
fn write_table(student: &StudentFolder, to: &Path) -> Result<()> {
    let config = &student.model.config;
    let (rows, d) = (config.vocabulary, config.embedding);
    let width = d + 2;
    let mut table = vec![0.0f32; (rows + 1) * width];
    let squares: Vec<f64> = (student.model.table.values().chunks_exact(d))
        .map(|row| row.iter().map(|&x| f64::from(x).powi(2)).sum())
        .collect();
    let longest = squares.iter().copied().fold(1.0, f64::max) * 1.01;
    let empty = config.empty_token() as usize;
    let rows_of_table = student.model.table.values().chunks_exact(d);
    let rows_of_table = rows_of_table.clone().chain(rows_of_table.skip(empty));
    for (token, (row, values)) in table.chunks_exact_mut(width).zip(rows_of_table).enumerate() {
        let mut square = squares[token.min(empty)];
        if token == empty {
            (row[d], square) = (1.0, 1.0);
        } else {
            row[..d].copy_from_slice(values);
        }
        row[d + 1] = (longest - square).sqrt() as f32;
    }
    let norm = vec![(longest / width as f64).sqrt() as f32; width];
    let tensors = [
        ("embeddings.weight".into(), Stored::rows(&table, width)),
        ("norm_f.weight".into(), Stored::Tensor(tensor(norm, &[width])?)),
    ];
    write_tensors(&tensors, to)?;
    let described = json!({
        "model_type": "mamba",
        "architectures": ["MambaModel"],
        "vocab_size": rows + 1,
        "hidden_size": width,
        "num_hidden_layers": 0,
        "state_size": 1,
        "layer_norm_epsilon": 0.0,
        "pad_token_id": config.empty_token(),
        "use_cache": false,
        "torch_dtype": "float32",
        "limbeck": {"student": config, "origin": student.origin},
    });
    write_json(&to.join("config.json"), &described)?;
    write_tokenizer(&TokenizerFiles::with_end(&student.tokenizer, config.max_tokens, END_TOKEN)?, to)?;
    let longest = config.max_tokens.map(|tokens| tokens + 1);
    Ok(write_json(&to.join("sentence_bert_config.json"), &limits(longest))?)
}

fn write_banks(layout: &ModuleLayout, model: &TextCnn, to: &Path) -> Result<()> {
    let (filters, inputs, d) = (layout.filters, layout.channels(), layout.config.embedding);
    let mut banks = Vec::new();
    let carried: Vec<usize> = (0..layout.carried).chain([d]).collect();
    for channels in carried.chunks(filters) {
        let mut kernel = vec![0.0; filters * inputs];
        channels.iter().enumerate().for_each(|(filter, channel)| kernel[filter * inputs + channel] = 1.0);
        banks.push((tensor(kernel, &[filters, inputs, 1])?, tensor(vec![0.0; filters], &[filters])?));
    }
    for bank in &layout.config.convolutions {
        let own = || -> candle_core::Result<(Tensor, Tensor)> {
            let kernel =
                model.dense.in_host_memory(&format!("conv{}.weight", bank.width))?.pad_with_zeros(1, 0, inputs - d)?;
            let bias = model.dense.in_host_memory(&format!("conv{}.bias", bank.width))?;
            let missing = filters - bank.filters;
            Ok((kernel.pad_with_zeros(0, 0, missing)?, bias.pad_with_zeros(0, 0, missing)?))
        };
        banks.push(own().map_err(Error::tensor("widening a bank of convolutions"))?);
    }
    let mut tensors = Vec::new();
    for (bank, (kernel, bias)) in banks.into_iter().enumerate() {
        tensors.push((format!("convs.{bank}.weight"), Stored::Tensor(kernel)));
        tensors.push((format!("convs.{bank}.bias"), Stored::Tensor(bias)));
    }
    let own_widths = layout.config.convolutions.iter().map(|bank| bank.width);
    let widths: Vec<usize> = std::iter::repeat_n(1, layout.carrying()).chain(own_widths).collect();
    let described = json!({"in_word_embedding_dimension": inputs, "out_channels": filters, "kernel_sizes": widths});
    write_tensors(&tensors, to)?;
    Ok(write_json(&to.join("cnn_config.json"), &described)?)
}

/// From the pooled features, maxima before means, to the inputs of the last layer: own maxima; relu(2m − 1) of the mean
/// m of the end token's channel, which is 1 for an empty text and 0 for any other; the carried means; their negatives.
fn write_sorting(layout: &ModuleLayout, to: &Path) -> Result<()> {
    let (pooled, carried, outputs) = (layout.features(), layout.carried, layout.outputs());
    let (inputs, means) = if layout.config.convolutions.is_empty() { (pooled, 0) } else { (2 * pooled, pooled) };
    // The end token's channel follows E in the table, and the carried channels in the banks.
    let end = if layout.config.convolutions.is_empty() { layout.config.embedding } else { carried };
    let empty = layout.config.filters();
    let mut weight = vec![0.0; outputs * inputs];
    let own = layout.config.convolutions.iter().enumerate();
    let own = own.flat_map(|(bank, config)| (0..config.filters).map(move |filter| (bank, filter)));
    for (output, (bank, filter)) in own.enumerate() {
        weight[output * inputs + (layout.carrying() + bank) * layout.filters + filter] = 1.0;
    }
    weight[empty * inputs + means + end] = 2.0;
    for channel in 0..carried {
        weight[(empty + 1 + channel) * inputs + means + channel] = 1.0;
        weight[(empty + 1 + carried + channel) * inputs + means + channel] = -1.0;
    }
    let mut bias = vec![0.0; outputs];
    bias[empty] = -1.0;
    write_dense(tensor(weight, &[outputs, inputs])?, tensor(bias, &[outputs])?, RELU, to)
}

/// `linear`, the empty text's output without the bias, `skip` and its negative.
fn write_output(layout: &ModuleLayout, model: &TextCnn, to: &Path) -> Result<()> {
    let empty = [model.config.empty_token()];
    let tokens: TokenBatch = [&empty[..]].into_iter().collect();
    let empty = model.project(&model.pool(&model.rows(&tokens)?, Backend::Padded)?, None)?;
    let layer = || -> candle_core::Result<(Tensor, Tensor)> {
        let parameter = |name| model.dense.in_host_memory(name);
        let empty = empty.to_device(&Device::Cpu)?.reshape(((), 1))?;
        let (mut columns, bias) = match layout.config.convolutions.is_empty() {
            true => (Vec::new(), empty.zeros_like()?),
            false => (vec![parameter("linear.weight")?], parameter("linear.bias")?.reshape(((), 1))?),
        };
        columns.push(empty.sub(&bias)?);
        if layout.carried > 0 {
            let skip = parameter("skip.weight")?;
            columns.extend([skip.clone(), skip.neg()?]);
        }
        Ok((Tensor::cat(&columns, 1)?, bias.flatten_all()?))
    };
    let (weight, bias) = layer().map_err(Error::tensor("the modules' last layer"))?;
    write_dense(weight, bias, IDENTITY, to)
}

/// Writes a linear layer, `weight` (`[outputs, inputs]`) and `bias`, as sentence-transformers' module `Dense`.
fn write_dense(weight: Tensor, bias: Tensor, activation: &str, to: &Path) -> Result<()> {
    let described = dense(weight.dims()[1], weight.dims()[0], activation);
    let tensors =
        [("linear.weight".to_owned(), Stored::Tensor(weight)), ("linear.bias".to_owned(), Stored::Tensor(bias))];
    write_tensors(&tensors, to)?;
    Ok(write_json(&to.join("config.json"), &described)?)
}

fn write_word_weights(student: &StudentFolder, to: &Path) -> Result<()> {
    let end = student.tokenizer.vocabulary() as u32;
    let token = |id: u32| Value::String(student.tokenizer.token(id).unwrap_or_default());
    let mut vocabulary: Vec<Value> = (0..end).map(token).collect();
    vocabulary.push(END_TOKEN.into());
    let described = json!({"vocab": vocabulary, "word_weights": {END_TOKEN: END_WEIGHT}, "unknown_word_weight": 1});
    Ok(write_json(&to.join("config.json"), &described)?)
}

fn write_pooling(layout: &ModuleLayout, to: &Path) -> Result<()> {
    let modes =
        if layout.config.convolutions.is_empty() { &["mean_tokens"][..] } else { &["mean_tokens", "max_tokens"] };
    Ok(write_json(&to.join("config.json"), &pooling(layout.features(), modes))?)
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
    Tensor::from_vec(values, shape, &Device::Cpu).map_err(Error::tensor("the modules' weights"))
}

fn write_tensors(tensors: &[(String, Stored)], folder: &Path) -> Result<()> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    Ok(checkpoint::write(&folder.join("model.safetensors"), tensors, Some(metadata))?)
}
