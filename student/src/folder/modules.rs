//! A student in sentence-transformers' own modules, as [`export::modules`](crate::export) writes it, read back to the
//! bit.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use limbeck_encoder::Tokenizer;
use serde_json::Value;

use super::{ConfigFile, WEIGHTS, read_json};
use crate::config::StudentConfig;
use crate::dense::DenseParameters;
use crate::error::{Error, Result};
use crate::model::TextCnn;
use crate::tensors::TensorFile;

/// The token that the modules' tokenizer appends to every text.
pub(crate) const END_TOKEN: &str = "<|limbeck-end|>";

/// The features of a position that the modules pool. Without convolutions they are the table's channels; otherwise they
/// come from the banks of the module `CNN`, which all have the same number of filters. Its first banks have width 1 and
/// carry channels of the table through unchanged.
pub(crate) struct ModuleLayout<'a> {
    /// The student's shape.
    pub(crate) config: &'a StudentConfig,
    /// The channels of the embedding that are carried through, from the first: all where the student has a skip. The
    /// end token's channel follows them.
    pub(crate) carried: usize,
    /// The filters of every bank.
    pub(crate) filters: usize,
}

impl<'a> ModuleLayout<'a> {
    pub(crate) fn of(config: &'a StudentConfig) -> Self {
        Self {
            config,
            carried: if config.skip { config.embedding } else { 0 },
            filters: config.convolutions.iter().map(|bank| bank.filters).max().unwrap_or(1),
        }
    }

    /// The channels of the table: the embedding, the end token's channel, and the one that gives rows the same length.
    pub(crate) fn channels(&self) -> usize {
        self.config.embedding + 2
    }

    /// The banks of width 1 that carry channels through.
    pub(crate) fn carrying(&self) -> usize {
        (self.carried + 1).div_ceil(self.filters)
    }

    /// The number of a position's features.
    pub(crate) fn features(&self) -> usize {
        match self.config.convolutions.len() {
            0 => self.channels(),
            banks => (self.carrying() + banks) * self.filters,
        }
    }

    /// The inputs of the last layer: own filters, whether the text is empty, carried means, and their negatives.
    pub(crate) fn outputs(&self) -> usize {
        self.config.filters() + 1 + 2 * self.carried
    }
}

/// Whether this `config.json` is that of a student in modules.
pub(super) fn is_modules(config: &Value) -> bool {
    config["model_type"] == "mamba" && config["limbeck"]["student"].is_object()
}

/// The student's config within the config of the modules.
pub(super) fn config(modules: &Value) -> serde_json::Result<ConfigFile> {
    let own = &modules["limbeck"];
    let config = serde_json::from_value(own["student"].clone())?;
    Ok(ConfigFile { config, lexical: None, origin: own["origin"].clone() })
}

/// The weight files beside the table's: those of the banks, where the student has convolutions, and of the last layer.
pub(super) fn weight_files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let files = ["1_CNN", "4_Dense", "5_Dense"].map(|name| folder.join(name).join(WEIGHTS));
    files.into_iter().filter(|file| file.is_file())
}

/// Reads the student's weights out of the modules'.
///
/// # Errors
/// A missing or truncated file, tensors that don't fit the config; each error names the file.
pub(super) fn read_model(folder: &Path, config: StudentConfig, device: &Device) -> Result<TextCnn> {
    let layout = ModuleLayout::of(&config);
    let open = |name: &str| TensorFile::open(folder.join(name).join(WEIGHTS), device);
    let table = open("")?.get("embeddings.weight", &[config.vocabulary + 1, layout.channels()])?;
    let banks = (!layout.config.convolutions.is_empty()).then(|| open("1_CNN")).transpose()?;
    let last = open(if banks.is_some() { "5_Dense" } else { "4_Dense" })?;
    let weight = last.get("linear.weight", &[config.dimension, layout.outputs()])?;
    let mut dense = HashMap::new();
    if let Some(banks) = banks {
        for (index, bank) in layout.config.convolutions.iter().enumerate() {
            let name = format!("convs.{}", layout.carrying() + index);
            let kernel = banks.get(&format!("{name}.weight"), &[layout.filters, layout.channels(), bank.width])?;
            let bias = banks.get(&format!("{name}.bias"), &[layout.filters])?;
            let kernel = cut(&kernel, &[bank.filters, layout.config.embedding])?;
            dense.insert(format!("conv{}.weight", bank.width), kernel);
            dense.insert(format!("conv{}.bias", bank.width), cut(&bias, &[bank.filters])?);
        }
        dense.insert("linear.weight".into(), columns(&weight, 0, layout.config.filters())?);
        dense.insert("linear.bias".into(), last.get("linear.bias", &[config.dimension])?);
    }
    if config.skip {
        dense.insert("skip.weight".into(), columns(&weight, layout.config.filters() + 1, layout.config.embedding)?);
    }
    let dense = DenseParameters::new(&config, |name| dense.get(name).cloned());
    let dense = dense.map_err(|error| Error::folder(folder, error))?;
    // The last row is the student's row for an empty text; the row before it is the end token's.
    let rows = |table: &Tensor| -> candle_core::Result<Vec<f32>> {
        let end = config.vocabulary - 1;
        let table = table.narrow(1, 0, layout.config.embedding)?.contiguous()?;
        Tensor::cat(&[table.narrow(0, 0, end)?, table.narrow(0, end + 1, 1)?], 0)?.flatten_all()?.to_vec1()
    };
    let table = rows(&table).map_err(Error::tensor("reading the modules' table"))?;
    TextCnn::new(config, table, dense, device.clone())
}

/// The beginning of `tensor` along its first dimensions.
fn cut(tensor: &Tensor, sizes: &[usize]) -> Result<Tensor> {
    let cut = sizes.iter().enumerate().try_fold(tensor.clone(), |cut, (dim, &size)| cut.narrow(dim, 0, size));
    cut.and_then(|cut| cut.contiguous()).map_err(Error::tensor("reading the modules' weights"))
}

/// `count` columns of a matrix.
fn columns(matrix: &Tensor, first: usize, count: usize) -> Result<Tensor> {
    let columns = matrix.narrow(1, first, count).and_then(|columns| columns.contiguous());
    columns.map_err(Error::tensor("reading the modules' weights"))
}

/// The tokenizer without the end token.
pub(super) fn tokenizer(path: &Path) -> Result<Tokenizer> {
    let mut json = read_json(path)?;
    for part in ["post_processor", "truncation"] {
        json.get_mut(part).into_iter().for_each(|part| *part = Value::Null);
    }
    if let Some(added) = json.get_mut("added_tokens").and_then(Value::as_array_mut) {
        added.retain(|token| token["content"] != END_TOKEN);
    }
    match json.pointer_mut("/model/vocab") {
        Some(Value::Object(vocabulary)) => drop(vocabulary.shift_remove(END_TOKEN)),
        Some(Value::Array(pieces)) => pieces.retain(|piece| piece[0] != END_TOKEN),
        _ => {}
    }
    Ok(Tokenizer::from_bytes(json.to_string().as_bytes(), path)?)
}
