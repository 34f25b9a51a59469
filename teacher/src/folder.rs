//! [`TeacherFolder`]: a model folder as Hugging Face and sentence-transformers write it, read and checked.

mod modules;
mod onnx_files;

use std::fs;
use std::path::{Path, PathBuf};

use limbeck_data::files::read_if_present;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use self::modules::Modules;
use crate::{BertConfig, Error, Pooler, Result, Weights};

/// A folder with a BERT or a model like it: `config.json`, `model.safetensors` (or its shards, beside
/// `model.safetensors.index.json`) and `tokenizer.json`. A folder that sentence-transformers
/// or limbeck wrote also states how token vectors become a text's vector.
///
/// A pooler, a longest input and a prefix under the key `limbeck` of `config.json` take precedence over the files of
/// sentence-transformers. The default pooler is the mean.
///
/// sentence-transformers keeps the dense layer of the pooler `cls` in a module of its own, after a pooling by the first
/// token. If the folder has such a module, its weights replace the tensors `pooler.dense` of `model.safetensors`.
#[derive(Debug, Clone)]
pub struct TeacherFolder {
    /// The folder.
    pub path: PathBuf,
    /// The shape of the model.
    pub config: BertConfig,
    /// The whole `config.json`.
    pub config_json: Map<String, Value>,
    /// Its tensors; just their header has been read.
    pub weights: Weights,
    /// The tokenizer's file.
    pub tokenizer: PathBuf,
    /// How token vectors become a text's vector.
    pub pooler: Pooler,
    /// The longest input in tokens, special ones included.
    pub max_tokens: usize,
    /// Put before every text, such as `query: `; empty for most models.
    pub prefix: String,
    /// Whether the folder's own list of modules ends with a normalisation. Encoders of this crate always normalise.
    pub normalized: bool,
}

impl TeacherFolder {
    /// Reads the folder at `path` and checks that the weights' file is whole. No tensor is loaded yet.
    ///
    /// # Errors
    /// A file is missing or broken; the model, a module or a setting is not supported.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            let hint = "a teacher is a folder with config.json, model.safetensors and tokenizer.json".to_owned();
            return Err(Error::MissingFile { path: path.to_owned(), hint });
        }
        let modules = Modules::read(path)?;
        let model = modules.transformer.clone();

        let config_path = required(&model, "config.json", "a Hugging Face model folder has one")?;
        let config_text = fs::read_to_string(&config_path).map_err(limbeck_data::Error::io("read", &config_path))?;
        let config = BertConfig::from_json(&config_text, &config_path);
        let config = config.map_err(|error| onnx_files::name_in_hint(error, [path, &model]))?;
        let own = parse::<LimbeckKey>(&config_text, &config_path)?.limbeck.unwrap_or_default();
        let config_json = parse(&config_text, &config_path)?;

        let index = model.join("model.safetensors.index.json");
        let mut weights = match !model.join("model.safetensors").is_file() && index.is_file() {
            true => Weights::open_index(&index)?,
            false => Weights::open(&required(&model, "model.safetensors", weights_hint_of(&model))?)?,
        };
        if let Some(dense) = &modules.dense {
            let names = [("linear.weight", "pooler.dense.weight"), ("linear.bias", "pooler.dense.bias")];
            weights.adopt(&required(dense, "model.safetensors", weights_hint_of(dense))?, &names)?;
        }
        let tokenizer_hint = "save the model's fast tokenizer beside it: \
                              AutoTokenizer.from_pretrained(…).save_pretrained(…)";
        let tokenizer = match path.join("tokenizer.json") {
            file if file.is_file() => file,
            _ => required(&model, "tokenizer.json", tokenizer_hint)?,
        };

        let stated = own.max_tokens.or(stated_length(path, &model)?).unwrap_or(usize::MAX);
        let prefix = match own.prefix {
            Some(prefix) => prefix,
            None => default_prompt(path, modules.prompt_left_out)?,
        };
        Ok(Self {
            path: path.to_owned(),
            max_tokens: stated.min(config.positions()),
            pooler: own.pooler.or(modules.pooler).unwrap_or_default(),
            prefix,
            normalized: modules.normalized,
            config,
            config_json,
            weights,
            tokenizer,
        })
    }

    /// Refuses an input of more tokens than the model has positions.
    ///
    /// # Errors
    /// One with the number of positions.
    pub fn check_tokens(&self, most: usize) -> Result<()> {
        let positions = self.config.positions();
        let allowed = format!("at most {positions}: the model has no more positions");
        Ok(limbeck_training::Error::require(most <= positions, "max_tokens", most, allowed)?)
    }
}

/// limbeck's own key in `config.json`.
#[derive(Deserialize)]
struct LimbeckKey {
    limbeck: Option<LimbeckSettings>,
}

#[derive(Default, Deserialize)]
struct LimbeckSettings {
    pooler: Option<Pooler>,
    max_tokens: Option<usize>,
    prefix: Option<String>,
}

/// The longest input in tokens by `sentence_bert_config.json`, else by `tokenizer_config.json`, where newer releases of
/// sentence-transformers keep the limit. Each file lies in `folder` or in `model`.
fn stated_length(folder: &Path, model: &Path) -> Result<Option<usize>> {
    #[derive(Deserialize)]
    struct LengthLimits {
        max_seq_length: Option<usize>,
        /// Far beyond any integer in a tokenizer without a limit.
        model_max_length: Option<f64>,
    }
    for name in ["sentence_bert_config.json", "tokenizer_config.json"] {
        for place in [folder, model] {
            let Some(stated) = parse_if_there::<LengthLimits>(&place.join(name))? else { continue };
            let by_tokenizer = stated.model_max_length.filter(|&length| length >= 1.0).map(|length| length as usize);
            if let Some(length) = stated.max_seq_length.or(by_tokenizer) {
                return Ok(Some(length));
            }
        }
    }
    Ok(None)
}

/// The default prompt of `config_sentence_transformers.json`, or nothing. `left_out` is the configuration of a pooling
/// that doesn't count a prompt's tokens.
fn default_prompt(folder: &Path, left_out: Option<PathBuf>) -> Result<String> {
    #[derive(Deserialize)]
    struct SentenceTransformers {
        #[serde(default)]
        prompts: Map<String, Value>,
        default_prompt_name: Option<String>,
    }
    let file = folder.join("config_sentence_transformers.json");
    let Some(config) = parse_if_there::<SentenceTransformers>(&file)? else { return Ok(String::new()) };
    let Some(name) = config.default_prompt_name else { return Ok(String::new()) };
    let unsupported =
        |path: PathBuf, what: String, hint: &str| Error::Unsupported { path, what, hint: hint.to_owned() };
    let Some(prompt) = config.prompts.get(&name).and_then(|prompt| prompt.as_str()) else {
        let what = format!("the default prompt `{name}` is not among the prompts");
        return Err(unsupported(file, what, "add it, or take default_prompt_name away"));
    };
    match left_out {
        Some(path) if !prompt.is_empty() => {
            let what =
                "a pooling that leaves the prompt's tokens out (include_prompt = false) is not supported".to_owned();
            Err(unsupported(path, what, "embed the texts with sentence-transformers and use the vectors as a cache"))
        }
        _ => Ok(prompt.to_owned()),
    }
}

/// The hint for a `folder` without weights.
fn weights_hint_of(folder: &Path) -> &'static str {
    match ["pytorch_model.bin", "pytorch_model.bin.index.json"].iter().any(|name| folder.join(name).exists()) {
        true => {
            "pytorch_model.bin is a Python pickle, which is not read here; load the model with transformers (or \
             sentence-transformers) and save_pretrained(…, safe_serialization=True), or take a revision of it with \
             model.safetensors"
        }
        false => "the weights are expected in this file",
    }
}

fn required(folder: &Path, name: &str, hint: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    match path.is_file() {
        true => Ok(path),
        false => Err(Error::MissingFile { path, hint: hint.to_owned() }),
    }
}

/// The required JSON file `name` of `folder`, and its path.
fn parse_required<T: DeserializeOwned>(folder: &Path, name: &str, hint: &str) -> Result<(PathBuf, T)> {
    let path = required(folder, name, hint)?;
    let text = fs::read_to_string(&path).map_err(limbeck_data::Error::io("read", &path))?;
    let parsed = parse(&text, &path)?;
    Ok((path, parsed))
}

fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T> {
    serde_json::from_str(text).map_err(|source| Error::Json { path: path.to_owned(), source })
}

fn parse_if_there<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let parse =
        |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(|source| Error::Json { path: path.to_owned(), source });
    read_if_present(path)?.map(parse).transpose()
}
