//! Reading back what [`modules`](super::modules) wrote: the student is the same to the last bit.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use limbeck_encoder::Tokenizer;
use serde_json::Value;

use super::modules::END;
use crate::config::StudentConfig;
use crate::error::{During, Error, Result};
use crate::folder::{StudentFolder, tensors};
use crate::model::{Dense, TextCnn};

/// Whether a folder with this `config.json` was written by [`modules`](super::modules).
pub fn is_modules(config: &Value) -> bool {
    config["model_type"] == "mamba" && config["limbeck"]["student"].is_object()
}

/// The files with weights beside the table's: the banks, where there are convolutions, and the last layer.
pub fn weights(folder: &Path) -> Vec<PathBuf> {
    let names = ["1_CNN", "4_Dense", "5_Dense"].into_iter().map(|name| folder.join(name).join("model.safetensors"));
    names.filter(|file| file.is_file()).collect()
}

/// Opens such a folder.
///
/// # Errors
/// A missing or truncated file, a config that is none, tensors that don't fit it; each error names the file.
pub fn open(folder: &Path, config: &Value, device: &Device) -> Result<StudentFolder> {
    let path = folder.join("config.json");
    let wrong = |path: &Path, reason: String| Error::Folder { path: path.to_path_buf(), reason };
    let own = &config["limbeck"];
    let config: StudentConfig = serde_json::from_value(own["student"].clone())
        .map_err(|error| wrong(&path, format!("is no student's config ({error})")))?;
    config.check().map_err(|error| wrong(&path, error.to_string()))?;
    let (d, filters) = (config.embedding, config.filters());
    let load = |name: &str| -> Result<(PathBuf, HashMap<String, Tensor>)> {
        let path = folder.join(name).join("model.safetensors");
        let tensors = tensors(&path, device)?;
        Ok((path, tensors))
    };
    let get = |(path, tensors): &(PathBuf, HashMap<String, Tensor>), name: &str, shape: &[usize]| -> Result<Tensor> {
        let found = tensors.get(name).filter(|tensor| tensor.dims() == shape).cloned();
        found.ok_or_else(|| wrong(path, format!("has no {name} of shape {shape:?}")))
    };
    let part = "weights in modules";
    let table = get(&load("")?, "embeddings.weight", &[config.vocabulary + 1, d + 2])?;
    let table = table.narrow(1, 0, d).and_then(|table| table.to_vec2::<f32>()).during(part)?;
    // The last row is what stands for an empty text; the one before it is the end token's.
    let (ends, rest) = (config.vocabulary - 1, config.vocabulary);
    let table: Vec<f32> = table[..ends].iter().chain(&table[rest..]).flatten().copied().collect();

    let mut found = HashMap::new();
    if filters > 0 {
        let banks = load("1_CNN")?;
        let most = config.convolutions.iter().map(|bank| bank.filters).max().unwrap_or(1);
        let carrying = (if config.skip { d } else { 0 } + 1).div_ceil(most);
        for (index, bank) in config.convolutions.iter().enumerate() {
            let name = format!("convs.{}", carrying + index);
            let kernel = get(&banks, &format!("{name}.weight"), &[most, d + 2, bank.width])?;
            let kernel = kernel.narrow(0, 0, bank.filters).and_then(|kernel| kernel.narrow(1, 0, d)?.contiguous());
            let bias = get(&banks, &format!("{name}.bias"), &[most])?.narrow(0, 0, bank.filters);
            found.insert(format!("conv{}.weight", bank.width), kernel.during(part)?);
            found.insert(format!("conv{}.bias", bank.width), bias.during(part)?);
        }
    }
    let last = load(if filters > 0 { "5_Dense" } else { "4_Dense" })?;
    let carried = if config.skip { d } else { 0 };
    let weight = get(&last, "linear.weight", &[config.dimension, filters + 1 + 2 * carried])?;
    let columns = |from: usize, count: usize| weight.narrow(1, from, count)?.contiguous();
    if filters > 0 {
        found.insert("linear.weight".into(), columns(0, filters).during(part)?);
        found.insert("linear.bias".into(), get(&last, "linear.bias", &[config.dimension])?);
    }
    if config.skip {
        found.insert("skip.weight".into(), columns(filters + 1, d).during(part)?);
    }
    let dense = Dense::new(&config, |name| found.get(name).cloned());
    let dense = dense.map_err(|error| wrong(folder, error.to_string()))?;
    let tokenizer = tokenizer(&folder.join("tokenizer.json"))?;
    if tokenizer.vocabulary() + 1 != config.vocabulary {
        let reason = format!("says {} tokens, the tokenizer makes {}", config.vocabulary, tokenizer.vocabulary() + 1);
        return Err(wrong(&path, reason));
    }
    let model = TextCnn::new(config, table, dense, device.clone())?;
    Ok(StudentFolder { model, tokenizer, origin: own["origin"].clone() })
}

/// The tokenizer without the end token.
fn tokenizer(path: &Path) -> Result<Tokenizer> {
    let failed = |source| Error::File { path: path.to_path_buf(), operation: "reading", source };
    let bytes = std::fs::read(path).map_err(failed)?;
    let broken = |error: serde_json::Error| Error::Folder { path: path.to_path_buf(), reason: error.to_string() };
    let mut json: Value = serde_json::from_slice(&bytes).map_err(broken)?;
    for part in ["post_processor", "truncation"] {
        json.get_mut(part).into_iter().for_each(|part| *part = Value::Null);
    }
    if let Some(added) = json.get_mut("added_tokens").and_then(Value::as_array_mut) {
        added.retain(|token| token["content"] != END);
    }
    match json.pointer_mut("/model/vocab") {
        Some(Value::Object(vocabulary)) => drop(vocabulary.shift_remove(END)),
        Some(Value::Array(pieces)) => pieces.retain(|piece| piece[0] != END),
        _ => {}
    }
    Ok(Tokenizer::from_bytes(json.to_string().as_bytes(), path)?)
}
