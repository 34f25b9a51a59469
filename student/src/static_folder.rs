//! Static models that others made: a vector a token, a text's vector is their mean.
//!
//! Two layouts are read: Model2Vec's (`config.json` with `"model_type": "model2vec"`, `model.safetensors`,
//! `tokenizer.json`) and a sentence-transformers folder whose first module is `StaticEmbedding`. Either becomes a folded
//! student of a skip table alone.
//!
//! Model2Vec takes unknown tokens out before the mean. Here their row is zero, which gives the same direction; and
//! every vector has length 1, whatever the folder says about that.

use std::ops::Range;
use std::path::{Path, PathBuf};

use half::f16;
use limbeck_encoder::folded::{self, Parts};
use limbeck_encoder::{Precision, Tokenizer};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use crate::config::MOST_NUMBERS;
use crate::error::{Error, Result};

/// How many tokens Model2Vec reads where the config doesn't say.
const MODEL2VEC_TOKENS: usize = 512;

mod encoder;

pub use encoder::StaticEncoder;

/// Who made a static model, which says how it reads text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    Model2Vec,
    /// The module `StaticEmbedding`.
    SentenceTransformers,
}

impl Maker {
    /// Its name, as in `pip install`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model2Vec => "model2vec",
            Self::SentenceTransformers => "sentence-transformers",
        }
    }
}

/// A static model, read from its folder.
pub struct StaticFolder {
    pub maker: Maker,
    pub tokenizer: Tokenizer,
    /// `tokens × dimension`, row after row; a token's weight is multiplied in.
    pub table: Vec<f32>,
    pub dimension: usize,
    /// How many tokens of a text are read; none: all.
    pub max_tokens: Option<usize>,
    /// How many characters of a text are read, before it is cut into tokens; none: all.
    pub max_characters: Option<usize>,
    /// How many numbers the file has: fewer than the table where tokens share rows.
    pub parameters: u64,
}

/// Where the parts of a static model lie.
struct Layout {
    maker: Maker,
    config: PathBuf,
    weights: PathBuf,
    tokenizer: PathBuf,
}

impl Layout {
    fn find(folder: &Path) -> Option<Self> {
        let read = |path: &Path| -> Option<Value> { serde_json::from_slice(&std::fs::read(path).ok()?).ok() };
        let at = |maker, config: PathBuf, parts: &Path| Self {
            maker,
            config,
            weights: parts.join("model.safetensors"),
            tokenizer: parts.join("tokenizer.json"),
        };
        let config = folder.join("config.json");
        if read(&config).is_some_and(|config| config["model_type"] == "model2vec") {
            return Some(at(Maker::Model2Vec, config, folder));
        }
        let modules = folder.join("modules.json");
        let list = read(&modules)?;
        let first = list.get(0)?;
        let parts = folder.join(first["path"].as_str()?);
        (class(first) == "StaticEmbedding").then(|| at(Maker::SentenceTransformers, modules, &parts))
    }
}

/// The class of a module in modules.json, without the Python module that it is in.
fn class(module: &Value) -> &str {
    module["type"].as_str().and_then(|name| name.rsplit('.').next()).unwrap_or_default()
}

/// Whether `folder` says that it holds a static model.
pub fn is_static(folder: &Path) -> bool {
    Layout::find(folder).is_some()
}

/// The files that a static model is read from.
///
/// # Errors
/// When `folder` says of no static model.
pub fn files_of(folder: &Path) -> Result<[PathBuf; 3]> {
    let Layout { config, weights, tokenizer, .. } = layout(folder)?;
    Ok([config, weights, tokenizer])
}

fn layout(folder: &Path) -> Result<Layout> {
    let reason = "holds neither a Model2Vec config.json nor a modules.json that begins with StaticEmbedding";
    Layout::find(folder).ok_or_else(|| Error::Folder { path: folder.into(), reason: reason.into() })
}

impl StaticFolder {
    /// Reads the model in `folder`.
    ///
    /// # Errors
    /// A file that is missing or isn't what it should be, a table without a row for every token, numbers that aren't
    /// finite; each error names the file.
    pub fn open(folder: &Path) -> Result<Self> {
        let layout = layout(folder)?;
        let (config, tokenizer_json) = (json(&layout.config)?, json(&layout.tokenizer)?);
        let tokenizer = Tokenizer::from_file(&layout.tokenizer)?;
        let mut unknown = None;
        let max_tokens;
        let mut max_characters = None;
        match layout.maker {
            Maker::Model2Vec => {
                max_tokens = most_tokens(&config, &layout.config)?;
                max_characters = max_tokens.map(|tokens| tokens.saturating_mul(median_length(&tokenizer)));
                unknown = tokenizer.unknown();
            }
            Maker::SentenceTransformers => {
                let others = config.as_array().into_iter().flatten().skip(1).map(class);
                if let Some(other) = others.into_iter().find(|&class| class != "Normalize") {
                    let reason = format!("has the module {other} after StaticEmbedding, which is not known here");
                    return Err(Error::Folder { path: layout.config, reason });
                }
                // That library leaves the tokenizer's own truncation on.
                let truncation = &tokenizer_json["truncation"];
                max_tokens = truncation["max_length"].as_u64().map(|most| most as usize);
                if max_tokens == Some(0) || truncation["direction"] == "Left" {
                    let reason = "cuts texts to no token, or their beginnings off, which is not known here".into();
                    return Err(Error::Folder { path: layout.tokenizer, reason });
                }
            }
        }
        let names = match layout.maker {
            Maker::Model2Vec => ["embeddings", "embedding.weight"],
            // Model2Vec's, where its config says nothing of it.
            Maker::SentenceTransformers => ["embedding.weight", "embeddings"],
        };
        let Table { mut numbers, dimension, parameters } = table(&layout.weights, names, tokenizer.vocabulary())?;
        if let Some(unknown) = unknown {
            let row = unknown as usize * dimension;
            numbers.get_mut(row..row + dimension).into_iter().for_each(|row| row.fill(0.0));
        }
        let maker = layout.maker;
        Ok(Self { maker, tokenizer, table: numbers, dimension, max_tokens, max_characters, parameters })
    }

    /// The tables of a folded student. A row of zeros is added for a text without tokens, whose vector is zero.
    ///
    /// Its metadata is JSON that says the maker, and [`StaticFolder::max_characters`], which a folded student by itself
    /// knows nothing of.
    pub fn into_parts(self) -> Parts {
        let vocabulary = self.tokenizer.vocabulary();
        let mut table = self.table;
        table.resize((vocabulary + 1) * self.dimension, 0.0);
        Parts {
            vocabulary: vocabulary + 1,
            dimension: self.dimension,
            skip_table: Some(table),
            tokenizer: self.tokenizer.json().to_vec(),
            empty_token: vocabulary as u32,
            max_tokens: self.max_tokens,
            parameters: self.parameters,
            metadata: json!({"maker": self.maker.name(), "max_characters": self.max_characters}).to_string(),
            ..Parts::default()
        }
    }
}

/// Writes the model as a folded file, for [`StaticEncoder`]; gives its size in bytes.
pub fn write_folded(model: StaticFolder, precision: Precision, to: &Path) -> Result<u64> {
    Ok(folded::write(to, &model.into_parts(), precision)?)
}

fn json(path: &Path) -> Result<Value> {
    let bytes =
        std::fs::read(path).map_err(|source| Error::File { path: path.into(), operation: "reading", source })?;
    let broken = |error| Error::Folder { path: path.into(), reason: format!("is no JSON ({error})") };
    serde_json::from_slice(&bytes).map_err(broken)
}

/// `max_length`: a number, `null` for no limit, or left out.
fn most_tokens(config: &Value, path: &Path) -> Result<Option<usize>> {
    match config.get("max_length") {
        None => Ok(Some(MODEL2VEC_TOKENS)),
        Some(Value::Null) => Ok(None),
        Some(most) => match most.as_u64() {
            Some(most) if most > 0 => Ok(Some(most as usize)),
            _ => Err(Error::Folder { path: path.into(), reason: format!("max_length is {most}, no count of tokens") }),
        },
    }
}

/// The median length of the tokens in characters, rounded down: Model2Vec's guess of how much text a token takes.
fn median_length(tokenizer: &Tokenizer) -> usize {
    let ids = 0..tokenizer.vocabulary() as u32;
    let mut lengths: Vec<usize> = ids.filter_map(|id| Some(tokenizer.token(id)?.chars().count())).collect();
    lengths.sort_unstable();
    let at = |index: usize| lengths.get(index).copied().unwrap_or(0);
    let middle = lengths.len() / 2;
    if lengths.len().is_multiple_of(2) { (at(middle.saturating_sub(1)) + at(middle)) / 2 } else { at(middle) }
}

struct Table {
    numbers: Vec<f32>,
    dimension: usize,
    parameters: u64,
}

/// Reads a row for each of `tokens` tokens from the matrix of the first of `names` that is there: by `mapping` and times `weights`, where
/// those are.
fn table(path: &Path, names: [&str; 2], tokens: usize) -> Result<Table> {
    let broken = |reason: String| Error::Folder { path: path.into(), reason };
    let bytes =
        std::fs::read(path).map_err(|source| Error::File { path: path.into(), operation: "reading", source })?;
    let file =
        SafeTensors::deserialize(&bytes).map_err(|error| broken(format!("is no whole safetensors file ({error})")))?;
    let tensor = |name: &str| file.tensor(name).ok();
    let found = names.into_iter().find_map(|name| Some((name, tensor(name)?)));
    let (name, matrix) = found.ok_or_else(|| broken(format!("has no tensor {:?}", names[0])))?;
    let &[rows, dimension] = matrix.shape() else {
        return Err(broken(format!("{name} has the shape {:?}, not [tokens, dimension]", matrix.shape())));
    };
    let of_tokens = |name: &str, found: &TensorView<'_>| match found.shape() {
        &[found] if found >= tokens => Ok(()),
        shape => Err(broken(format!("{name} has the shape {shape:?}, the tokenizer makes {tokens} tokens"))),
    };
    let weights = match tensor("weights") {
        Some(found) => {
            of_tokens("weights", &found)?;
            Some(numbers(&found, 0..found.shape().iter().product()).map_err(|what| broken(format!("weights {what}")))?)
        }
        None => None,
    };
    let mapping = match tensor("mapping") {
        Some(found) => {
            of_tokens("mapping", &found)?;
            Some(places(&found).map_err(|what| broken(format!("mapping {what}")))?)
        }
        None => None,
    };
    if dimension == 0 || tokens == 0 || mapping.is_none() && rows < tokens {
        return Err(broken(format!("{name} has the shape [{rows}, {dimension}], the tokenizer makes {tokens} tokens")));
    }
    if dimension > MOST_NUMBERS {
        return Err(broken(format!("{name} has rows of {dimension} numbers; {MOST_NUMBERS} are the most")));
    }
    let mut table = Vec::with_capacity(tokens * dimension);
    for token in 0..tokens {
        let row = mapping.as_ref().map_or(Some(token), |mapping| mapping[token]);
        let row = row.filter(|&row| row < rows).ok_or_else(|| {
            broken(format!("mapping sends token {token} to a row that is not among the {rows} of {name}"))
        })?;
        let weight = weights.as_ref().map_or(1.0, |weights| weights[token]);
        let numbers = numbers(&matrix, row * dimension..(row + 1) * dimension);
        let numbers = numbers.map_err(|what| broken(format!("{name} {what}")))?;
        table.extend(numbers.into_iter().map(|number| (number * weight) as f32));
    }
    if let Some(at) = table.iter().position(|number| !number.is_finite()) {
        return Err(broken(format!("token {} has a number that isn't finite", at / dimension)));
    }
    let parameters = rows * dimension + weights.map_or(0, |weights| weights.len());
    Ok(Table { numbers: table, dimension, parameters: parameters as u64 })
}

/// The tensor's numbers in `range`, each exactly; or what is wrong with it.
fn numbers(tensor: &TensorView<'_>, range: Range<usize>) -> std::result::Result<Vec<f64>, String> {
    let dtype = tensor.dtype();
    let size = dtype.bitsize() / 8;
    let bytes = tensor.data().get(range.start * size..range.end * size).unwrap_or_default();
    Ok(match dtype {
        Dtype::F64 => each(bytes, f64::from_le_bytes),
        Dtype::F32 => each(bytes, |bytes| f32::from_le_bytes(bytes).into()),
        Dtype::F16 => each(bytes, |bytes| f16::from_le_bytes(bytes).into()),
        Dtype::I8 => each(bytes, |bytes| i8::from_le_bytes(bytes).into()),
        other => return Err(format!("is of type {other:?}; F64, F32, F16 and I8 are read")),
    })
}

/// The tensor's numbers as places of rows, none where one is below 0; or what is wrong with it.
fn places(tensor: &TensorView<'_>) -> std::result::Result<Vec<Option<usize>>, String> {
    let bytes = tensor.data();
    Ok(match tensor.dtype() {
        Dtype::I64 => each(bytes, |bytes| usize::try_from(i64::from_le_bytes(bytes)).ok()),
        Dtype::I32 => each(bytes, |bytes| usize::try_from(i32::from_le_bytes(bytes)).ok()),
        other => return Err(format!("is of type {other:?}; I64 and I32 are read")),
    })
}

fn each<const N: usize, T>(bytes: &[u8], of: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&bytes| of(bytes)).collect()
}

#[cfg(test)]
mod tests;
