//! Static models of other libraries: each token has a vector, and a text's vector is their mean.
//!
//! Two layouts are read: Model2Vec's (`config.json` with `"model_type": "model2vec"`, `model.safetensors`,
//! `tokenizer.json`), and a sentence-transformers folder whose first module is `StaticEmbedding`. Both become a folded
//! student that has a skip table and nothing else.
//!
//! Model2Vec removes unknown tokens before it takes the mean. Here their row is zero, which gives the same direction.
//! Every vector has length 1, even if the folder says that vectors aren't normalised.

mod encoder;
mod table;

pub use encoder::StaticEncoder;

use std::path::{Path, PathBuf};

use limbeck_encoder::folded::{self, Parts};
use limbeck_encoder::{KeptSide, Precision, Tokenizer};
use serde_json::{Value, json};

use self::table::StaticTable;
use crate::error::{Error, Result};
use crate::folder::read_json;

/// The tokens of a text that Model2Vec reads if the config has no limit.
const MODEL2VEC_TOKENS: usize = 512;

/// The library that a static model is of, which determines how text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum StaticMaker {
    /// The library Model2Vec.
    #[strum(serialize = "model2vec")]
    Model2Vec,
    /// The module `StaticEmbedding` of sentence-transformers.
    SentenceTransformers,
}

impl StaticMaker {
    /// The library's name in Python's package index.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A static model, read from its folder.
pub struct StaticFolder {
    /// The library that the model is of.
    pub maker: StaticMaker,
    /// The model's tokenizer.
    pub tokenizer: Tokenizer,
    /// `tokens × dimension`, row after row; rows are multiplied with their token's weight.
    pub table: Vec<f32>,
    /// The width of the vectors.
    pub dimension: usize,
    /// The tokens of a text that are read; `None`: all.
    pub max_tokens: Option<usize>,
    /// The characters of a text that are read, before tokenisation; `None`: all.
    pub max_characters: Option<usize>,
    /// The values in the file: fewer than the table has where tokens share rows.
    pub parameters: u64,
}

/// The library of the static model in `folder`, and the model's files: config, weights and tokenizer.
fn find(folder: &Path) -> Option<(StaticMaker, [PathBuf; 3])> {
    let files = |config, parts: &Path| [config, parts.join("model.safetensors"), parts.join("tokenizer.json")];
    let config = folder.join("config.json");
    if read_json(&config).is_ok_and(|config| config["model_type"] == "model2vec") {
        return Some((StaticMaker::Model2Vec, files(config, folder)));
    }
    let modules = folder.join("modules.json");
    let list = read_json(&modules).ok()?;
    let first = list.get(0)?;
    let parts = folder.join(first["path"].as_str()?);
    (class(first) == "StaticEmbedding").then(|| (StaticMaker::SentenceTransformers, files(modules, &parts)))
}

fn find_or_refuse(folder: &Path) -> Result<(StaticMaker, [PathBuf; 3])> {
    let reason = "holds neither a Model2Vec config.json nor a modules.json that begins with StaticEmbedding";
    find(folder).ok_or_else(|| Error::folder(folder, reason))
}

/// The class of a module in modules.json, without its Python package.
fn class(module: &Value) -> &str {
    module["type"].as_str().and_then(|name| name.rsplit('.').next()).unwrap_or_default()
}

/// Whether `folder` says that it holds a static model.
pub fn is_static(folder: &Path) -> bool {
    find(folder).is_some()
}

/// The files that a static model is read from.
///
/// # Errors
/// A folder that holds no static model.
pub fn files_of(folder: &Path) -> Result<[PathBuf; 3]> {
    Ok(find_or_refuse(folder)?.1)
}

impl StaticFolder {
    /// Reads the model in `folder`.
    ///
    /// # Errors
    /// A missing or damaged file, a table without a row for every token, values that aren't finite; each error names
    /// the file.
    pub fn open(folder: &Path) -> Result<Self> {
        let (maker, [config_path, weights, tokenizer_path]) = find_or_refuse(folder)?;
        let config = read_json(&config_path)?;
        let tokenizer = Tokenizer::from_file(&tokenizer_path)?;
        let (names, max_tokens, max_characters, unknown) = match maker {
            StaticMaker::Model2Vec => {
                let most = most_tokens(&config, &config_path)?;
                let characters = most.map(|tokens| tokens.saturating_mul(median_length(&tokenizer)));
                (["embeddings", "embedding.weight"], most, characters, tokenizer.unknown())
            }
            StaticMaker::SentenceTransformers => {
                let mut others = config.as_array().into_iter().flatten().skip(1).map(class);
                if let Some(other) = others.find(|&class| class != "Normalize") {
                    let reason = format!("has the module {other} after StaticEmbedding, which is not known here");
                    return Err(Error::folder(&config_path, reason));
                }
                // The library truncates as tokenizer.json says.
                let truncation = tokenizer.truncation()?;
                if truncation.is_some_and(|asked| asked.max_tokens == 0 || asked.side == KeptSide::End) {
                    let reason = "cuts texts to no token, or their beginnings off, which is not known here";
                    return Err(Error::folder(&tokenizer_path, reason));
                }
                let most = truncation.map(|asked| asked.max_tokens);
                // The second name is that of a Model2Vec file.
                (["embedding.weight", "embeddings"], most, None, None)
            }
        };
        let StaticTable { values: mut table, dimension, parameters } = StaticTable::open(&weights, names, &tokenizer)?;
        if let Some(unknown) = unknown {
            let row = unknown as usize * dimension;
            table.get_mut(row..row + dimension).into_iter().for_each(|row| row.fill(0.0));
        }
        Ok(Self { maker, tokenizer, table, dimension, max_tokens, max_characters, parameters })
    }

    /// The tables of a folded student. One more row, of zeros, gives a text without tokens the vector zero.
    ///
    /// The metadata is JSON with the maker and [`StaticFolder::max_characters`], for which the folded file has no
    /// field.
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

/// Writes the model as a folded file, for [`StaticEncoder`], and returns its size in bytes.
pub fn write_folded(model: StaticFolder, precision: Precision, to: &Path) -> Result<u64> {
    Ok(folded::write(to, &model.into_parts(), precision)?)
}

/// `max_length` of the config: a number, `null` for no limit, or absent for [`MODEL2VEC_TOKENS`].
fn most_tokens(config: &Value, path: &Path) -> Result<Option<usize>> {
    match config.get("max_length") {
        None => Ok(Some(MODEL2VEC_TOKENS)),
        Some(Value::Null) => Ok(None),
        Some(most) => match most.as_u64() {
            Some(most) if most > 0 => Ok(Some(most as usize)),
            _ => Err(Error::folder(path, format!("max_length is {most}, no count of tokens"))),
        },
    }
}

/// The median length of the tokens in characters, rounded down: Model2Vec's estimate of the text that a token takes.
fn median_length(tokenizer: &Tokenizer) -> usize {
    let ids = 0..tokenizer.vocabulary() as u32;
    let mut lengths: Vec<usize> = ids.filter_map(|id| Some(tokenizer.token(id)?.chars().count())).collect();
    lengths.sort_unstable();
    let at = |index: usize| lengths.get(index).copied().unwrap_or(0);
    let middle = lengths.len() / 2;
    if lengths.len().is_multiple_of(2) { (at(middle.saturating_sub(1)) + at(middle)) / 2 } else { at(middle) }
}

#[cfg(test)]
mod tests;
