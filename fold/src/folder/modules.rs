//! A student in sentence-transformers' own modules, as limbeck-student's `export::modules` writes it, read back to the
//! bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use limbeck_encoder::Tokenizer;
use serde_json::Value;

use super::{ConfigFile, StudentWeights, WEIGHTS, read_json};
use crate::config::StudentConfig;
use crate::error::{Error, Result};
use crate::tensors::TensorFile;

/// The token that the modules' tokenizer appends to every text.
pub const END_TOKEN: &str = "<|limbeck-end|>";

/// The features of a position that the modules pool. Without convolutions they are the table's channels; otherwise they
/// come from the banks of the module `CNN`, which all have the same number of filters. Its first banks have width 1 and
/// carry channels of the table through unchanged.
pub struct ModuleLayout<'a> {
    /// The student's shape.
    pub config: &'a StudentConfig,
    /// The channels of the embedding that are carried through, from the first: all where the student has a skip. The
    /// end token's channel follows them.
    pub carried: usize,
    /// The filters of every bank.
    pub filters: usize,
}

impl<'a> ModuleLayout<'a> {
    /// The layout of the modules of a student of this shape.
    pub fn of(config: &'a StudentConfig) -> Self {
        Self {
            config,
            carried: if config.skip { config.embedding } else { 0 },
            filters: config.convolutions.iter().map(|bank| bank.filters).max().unwrap_or(1),
        }
    }

    /// The channels of the table: the embedding, the end token's channel, and the one that gives rows the same length.
    pub fn channels(&self) -> usize {
        self.config.embedding + 2
    }

    /// The banks of width 1 that carry channels through.
    pub fn carrying(&self) -> usize {
        (self.carried + 1).div_ceil(self.filters)
    }

    /// The number of a position's features.
    pub fn features(&self) -> usize {
        match self.config.convolutions.len() {
            0 => self.channels(),
            banks => (self.carrying() + banks) * self.filters,
        }
    }

    /// The inputs of the last layer: own filters, whether the text is empty, carried means, and their negatives.
    pub fn outputs(&self) -> usize {
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
pub(super) fn read_weights(folder: &Path, config: StudentConfig) -> Result<StudentWeights> {
    let layout = ModuleLayout::of(&config);
    let open = |name: &str| TensorFile::open(folder.join(name).join(WEIGHTS));
    let channels = layout.channels();
    let table = open("")?.get("embeddings.weight", &[config.vocabulary + 1, channels])?;
    let banks = (!config.convolutions.is_empty()).then(|| open("1_CNN")).transpose()?;
    let mut last = open(if banks.is_some() { "5_Dense" } else { "4_Dense" })?;
    let weight = last.get("linear.weight", &[config.dimension, layout.outputs()])?;
    let columns = |first: usize, count: usize| -> Vec<f32> {
        let rows = weight.chunks_exact(layout.outputs());
        rows.flat_map(|row| &row[first..first + count]).copied().collect()
    };
    let mut dense = BTreeMap::new();
    if let Some(mut banks) = banks {
        for (index, bank) in config.convolutions.iter().enumerate() {
            let name = format!("convs.{}", layout.carrying() + index);
            let kernel = banks.get(&format!("{name}.weight"), &[layout.filters, channels, bank.width])?;
            let bias = banks.get(&format!("{name}.bias"), &[layout.filters])?;
            // Of each filter the channels of the embedding, which come first.
            let filters = kernel.chunks_exact(channels * bank.width).take(bank.filters);
            let kernel = filters.flat_map(|filter| &filter[..config.embedding * bank.width]).copied().collect();
            dense.insert(format!("conv{}.weight", bank.width), kernel);
            dense.insert(format!("conv{}.bias", bank.width), bias[..bank.filters].to_vec());
        }
        dense.insert("linear.weight".into(), columns(0, config.filters()));
        dense.insert("linear.bias".into(), last.get("linear.bias", &[config.dimension])?);
    }
    if config.skip {
        dense.insert("skip.weight".into(), columns(config.filters() + 1, config.embedding));
    }
    if let Some((name, shape)) = config.dense_shapes().into_iter().find(|(name, _)| !dense.contains_key(name)) {
        let value = format!("without a {name} of shape {shape:?}");
        let error = Error::setting("the student's weights", value, "what config.json describes");
        return Err(Error::folder(folder, error));
    }
    // The last row is the student's row for an empty text; the row before it is the end token's.
    let end = config.vocabulary - 1;
    let rows = table.chunks_exact(channels).enumerate().filter(|&(row, _)| row != end);
    let table = rows.flat_map(|(_, row)| &row[..config.embedding]).copied().collect();
    Ok(StudentWeights { config, table, dense })
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
