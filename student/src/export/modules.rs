//! A student of max-pooling and skip in sentence-transformers' own modules.
//!
//! ```text
//! Transformer ─► CNN ─► WordWeights ─► Pooling ─► Dense + ReLU ─► Dense ─► Normalize
//!  rows of E      convs   ends × ε      max, mean   sort, ± mean    linear, skip
//! ```
//!
//! - **Transformer** is a Mamba of no layers: an embedding table and a final RMSNorm, which is undone by one more channel
//!   that gives every row the same length. (`WordEmbeddings`, made for this, can't take a fast tokenizer before
//!   sentence-transformers 5.4.) Mamba has neither positions nor a mask of length × length, so long texts stay cheap.
//! - **CNN** holds the student's banks, and before them banks of width 1 that carry E through as it is, for the mean.
//! - **An end token** stands after every text, since a text needs one token at least and no tokenizer gives one to the
//!   empty text alone. Its row is zero but for a channel of its own, so convolutions take it for padding, and
//!   it is the padding token too. `WordWeights` weighs it with 1e-8, all others with 1: it adds nothing to a sum, and its candidate for the maximum is 0, which the
//!   ReLU after it gives anyway. In an empty text it is alone, and the mean of its channel is 1.
//! - **Dense + ReLU** picks the maxima of the student's banks; whether the text is empty; and the means, each with both
//!   signs, so that the ReLU loses nothing.
//! - **Dense** is `linear` and `skip` side by side, and for an empty text what the student makes of its own token for it.
//!
//! Without convolutions, CNN is left out.

use std::path::Path;

use limbeck_data::files;
use limbeck_encoder::TokenBatch;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use super::tokenizer::TokenizerFiles;
use super::{write_json, write_tokenizer};
use crate::error::{During, Error, Result};
use crate::folder::StudentFolder;
use crate::graph::Graph;
use crate::model::TextCnn;

/// What stands after every text.
pub(super) const END: &str = "<|limbeck-end|>";
/// Its weight: nothing beside 1 in f32, and above the 1e-9 at which `Pooling` stops a division.
const END_WEIGHT: f64 = 1e-8;

/// A tensor to be written.
struct Tensor {
    name: String,
    shape: Vec<usize>,
    numbers: Vec<f32>,
}

fn tensor(name: impl Into<String>, shape: &[usize], numbers: Vec<f32>) -> Tensor {
    Tensor { name: name.into(), shape: shape.to_vec(), numbers }
}

/// Writes the modules' folders; gives each one's name and class.
pub fn write(student: &StudentFolder, to: &Path) -> Result<Vec<(String, &'static str)>> {
    let model = &student.model;
    let mut modules = vec![(String::new(), "sentence_transformers.models.Transformer")];
    let mut add = |class: &'static str| -> std::path::PathBuf {
        let name = format!("{}_{}", modules.len(), class.rsplit('.').next().unwrap_or(class));
        modules.push((name.clone(), class));
        to.join(name)
    };
    write_table(student, to)?;
    let features = Features::of(model);
    if !features.own.is_empty() {
        features.write_banks(model, &add("sentence_transformers.models.CNN"))?;
    }
    write_word_weights(student, &add("sentence_transformers.models.WordWeights"))?;
    write_pooling(features.width(), !features.own.is_empty(), &add("sentence_transformers.models.Pooling"))?;
    features.sorting().write(&add("sentence_transformers.models.Dense"))?;
    features.output(model)?.write(&add("sentence_transformers.models.Dense"))?;
    add("sentence_transformers.models.Normalize");
    Ok(modules)
}

/// The Mamba of no layers: row `v` is E\[v\], the end's channel, and what gives all rows one length. The student's row for
/// an empty text, in whose place the end's stands, comes last: no id reaches it, but the student can be read back.
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
    let tensors = [tensor("embeddings.weight", &[rows + 1, width], table), tensor("norm_f.weight", &[width], norm)];
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
    write_json(&described, &to.join("config.json"))?;
    write_tokenizer(&TokenizerFiles::with_end(&student.tokenizer, config.max_tokens, END)?, to)?;
    let longest = config.max_tokens.map(|tokens| tokens + 1);
    write_json(&json!({"max_seq_length": longest, "do_lower_case": false}), &to.join("sentence_bert_config.json"))
}

/// What `Pooling` pools: a position's features. Without convolutions they are the table's channels; else the banks of
/// `CNN`, which all have as many filters, those of width 1 that carry channels through first.
struct Features {
    /// How many channels of the embedding are carried through, from the first on: all where there is a skip. The end's
    /// channel comes after them.
    carried: usize,
    /// Width and filters of the student's own banks.
    own: Vec<(usize, usize)>,
    /// Filters of every bank.
    filters: usize,
    /// The embedding's channels.
    embedding: usize,
}

impl Features {
    fn of(model: &TextCnn) -> Self {
        let config = &model.config;
        let own: Vec<_> = config.convolutions.iter().map(|bank| (bank.width, bank.filters)).collect();
        let filters = own.iter().map(|&(_, filters)| filters).max().unwrap_or(1);
        Self { carried: if config.skip { config.embedding } else { 0 }, own, filters, embedding: config.embedding }
    }

    /// Channels of the table.
    fn channels(&self) -> usize {
        self.embedding + 2
    }

    /// How many banks of width 1 carry channels.
    fn carrying(&self) -> usize {
        (self.carried + 1).div_ceil(self.filters)
    }

    /// How many features a position has.
    fn width(&self) -> usize {
        match self.own.is_empty() {
            true => self.channels(),
            false => (self.carrying() + self.own.len()) * self.filters,
        }
    }

    /// Filters of the student's own banks together.
    fn own_filters(&self) -> usize {
        self.own.iter().map(|&(_, filters)| filters).sum()
    }

    fn write_banks(&self, model: &TextCnn, to: &Path) -> Result<()> {
        let (filters, inputs, d, carrying) = (self.filters, self.channels(), self.embedding, self.carrying());
        let mut tensors = Vec::new();
        let carried: Vec<usize> = (0..self.carried).chain([d]).collect();
        for (bank, channels) in carried.chunks(filters).enumerate() {
            let mut weight = vec![0.0; filters * inputs];
            channels.iter().enumerate().for_each(|(filter, channel)| weight[filter * inputs + channel] = 1.0);
            tensors.push(tensor(format!("convs.{bank}.weight"), &[filters, inputs, 1], weight));
            tensors.push(tensor(format!("convs.{bank}.bias"), &[filters], vec![0.0; filters]));
        }
        for (bank, &(width, _)) in self.own.iter().enumerate() {
            let bank = carrying + bank;
            let kernel = model.dense.numbers(&format!("conv{width}.weight"))?; // [filters, d, width]
            let mut weight = vec![0.0; filters * inputs * width];
            for (to, from) in weight.chunks_exact_mut(inputs * width).zip(kernel.chunks_exact(d * width)) {
                to[..from.len()].copy_from_slice(from);
            }
            let mut bias = model.dense.numbers(&format!("conv{width}.bias"))?;
            bias.resize(filters, 0.0);
            tensors.push(tensor(format!("convs.{bank}.weight"), &[filters, inputs, width], weight));
            tensors.push(tensor(format!("convs.{bank}.bias"), &[filters], bias));
        }
        let widths: Vec<usize> =
            vec![1; carrying].into_iter().chain(self.own.iter().map(|&(width, _)| width)).collect();
        let described = json!({"in_word_embedding_dimension": inputs, "out_channels": filters, "kernel_sizes": widths});
        write_tensors(&tensors, to)?;
        write_json(&described, &to.join("cnn_config.json"))
    }

    /// From the pooled features, maxima before means, to those that count: own maxima; relu(2m − 1) of the mean m of the
    /// end's channel, which is 1 in an empty text and 0 in any other; the carried means; their negatives.
    fn sorting(&self) -> Dense {
        let (pooled, carried) = (self.width(), self.carried);
        let (inputs, means) = if self.own.is_empty() { (pooled, 0) } else { (2 * pooled, pooled) };
        // In the table's order E comes first; in the banks' the carried channels do. Either way the end's comes after.
        let end = if self.own.is_empty() { self.embedding } else { carried };
        let empty = self.own_filters();
        let outputs = empty + 1 + 2 * carried;
        let mut weight = vec![0.0; outputs * inputs];
        let mut output = 0;
        for (bank, &(_, filters)) in self.own.iter().enumerate() {
            for filter in 0..filters {
                weight[output * inputs + (self.carrying() + bank) * self.filters + filter] = 1.0;
                output += 1;
            }
        }
        weight[empty * inputs + means + end] = 2.0;
        for channel in 0..carried {
            weight[(empty + 1 + channel) * inputs + means + channel] = 1.0;
            weight[(empty + 1 + carried + channel) * inputs + means + channel] = -1.0;
        }
        let mut bias = vec![0.0; outputs];
        bias[empty] = -1.0;
        Dense { inputs, outputs, weight, bias, activation: "torch.nn.modules.activation.ReLU" }
    }

    /// `linear`, what an empty text adds to its bias, `skip` and its negative.
    fn output(&self, model: &TextCnn) -> Result<Dense> {
        let (filters, carried, dimension) = (self.own_filters(), self.carried, model.config.dimension);
        let bias = match self.own.is_empty() {
            true => vec![0.0; dimension],
            false => model.dense.numbers("linear.bias")?,
        };
        let mut weight = empty_output(model, &bias)?;
        if filters > 0 {
            weight = beside(&model.dense.numbers("linear.weight")?, filters, &weight, 1);
        }
        if carried > 0 {
            let skip = model.dense.numbers("skip.weight")?;
            let negative: Vec<f32> = skip.iter().map(|weight| -weight).collect();
            weight = beside(&weight, filters + 1, &skip, carried);
            weight = beside(&weight, filters + 1 + carried, &negative, carried);
        }
        Ok(Dense { inputs: filters + 1 + 2 * carried, outputs: dimension, weight, bias, activation: IDENTITY })
    }
}

/// The output of a text without tokens, not normalised, less `bias`.
fn empty_output(model: &TextCnn, bias: &[f32]) -> Result<Vec<f32>> {
    let empty = [model.config.empty_token()];
    let tokens: TokenBatch = [&empty[..]].into_iter().collect();
    let rows = model.rows(&tokens)?;
    let output = model.project(&model.pool(&rows, Graph::Plain)?, None)?;
    let mut output = output.flatten_all().and_then(|output| output.to_vec1::<f32>()).during("the empty text")?;
    output.iter_mut().zip(bias).for_each(|(output, bias)| *output -= bias);
    Ok(output)
}

/// Two matrices of as many rows, side by side.
fn beside(left: &[f32], left_width: usize, right: &[f32], right_width: usize) -> Vec<f32> {
    let rows = left.chunks_exact(left_width).zip(right.chunks_exact(right_width));
    rows.flat_map(|(left, right)| left.iter().chain(right).copied()).collect()
}

const IDENTITY: &str = "torch.nn.modules.linear.Identity";

struct Dense {
    inputs: usize,
    outputs: usize,
    /// `[outputs, inputs]`
    weight: Vec<f32>,
    bias: Vec<f32>,
    activation: &'static str,
}

impl Dense {
    fn write(self, to: &Path) -> Result<()> {
        let Self { inputs, outputs, weight, bias, activation } = self;
        let described = json!({
            "in_features": inputs,
            "out_features": outputs,
            "bias": true,
            "activation_function": activation,
        });
        let tensors = [tensor("linear.weight", &[outputs, inputs], weight), tensor("linear.bias", &[outputs], bias)];
        write_tensors(&tensors, to)?;
        write_json(&described, &to.join("config.json"))
    }
}

fn write_word_weights(student: &StudentFolder, to: &Path) -> Result<()> {
    let end = student.tokenizer.vocabulary() as u32;
    let token = |id: u32| Value::String(student.tokenizer.token(id).unwrap_or_default());
    let mut vocabulary: Vec<Value> = (0..end).map(token).collect();
    vocabulary.push(END.into());
    let described = json!({"vocab": vocabulary, "word_weights": {END: END_WEIGHT}, "unknown_word_weight": 1});
    write_json(&described, &to.join("config.json"))
}

fn write_pooling(width: usize, max: bool, to: &Path) -> Result<()> {
    let described = json!({
        "word_embedding_dimension": width,
        "pooling_mode_cls_token": false,
        "pooling_mode_mean_tokens": true,
        "pooling_mode_max_tokens": max,
        "pooling_mode_mean_sqrt_len_tokens": false,
        "pooling_mode_weightedmean_tokens": false,
        "pooling_mode_lasttoken": false,
        "include_prompt": true,
    });
    write_json(&described, &to.join("config.json"))
}

fn write_tensors(tensors: &[Tensor], folder: &Path) -> Result<()> {
    let path = folder.join("model.safetensors");
    let broken = |error: safetensors::SafeTensorError| Error::Folder { path: path.clone(), reason: error.to_string() };
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|tensor| tensor.numbers.iter().flat_map(|number| number.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map_err(broken)?;
        Ok((tensor.name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let metadata = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let whole = safetensors::serialize(views, Some(metadata)).map_err(broken)?;
    Ok(files::write_bytes(&path, &whole)?)
}
