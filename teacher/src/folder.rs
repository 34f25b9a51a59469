//! [`TeacherFolder`]: a model folder as Hugging Face and sentence-transformers write it, read and checked.

mod onnx_files;

use std::fs;
use std::path::{Path, PathBuf};

use limbeck_encoder::Tokenizer;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::head::Head;
use crate::model_files::{parse, required, weights_hint_of};
use crate::sentence_transformers::{FolderFiles, Prompts};
use crate::{BertConfig, Error, Pooler, Result, Weights};

/// A folder with a BERT or a model like it: `config.json`, `model.safetensors` (or its shards, beside
/// `model.safetensors.index.json`) and `tokenizer.json`. A folder that sentence-transformers
/// or limbeck wrote also states how token vectors become a text's vector.
///
/// A pooler, a longest input and a prefix under the key `limbeck` of `config.json` take precedence over the files of
/// sentence-transformers. The default pooler is the mean.
///
/// sentence-transformers keeps the dense layer of the pooler `cls` in a module of its own, after a pooling by the first
/// token. If the folder has such a module, its weights replace the tensors `pooler.dense` of `model.safetensors`. Other
/// poolings and dense layers are the [`Head`]'s.
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
    /// The tokenizer's file: tokenizer.json, or BERT's vocab.txt.
    pub tokenizer: PathBuf,
    /// How token vectors become a text's vector.
    pub pooler: Pooler,
    /// What the text's vector goes through after the pooler.
    pub head: Head,
    /// The longest input in tokens, special ones included.
    pub max_tokens: usize,
    /// Put before every text, such as `query: `; empty for most models.
    pub prefix: String,
    /// The prompts that the folder names; the default one is the prefix.
    pub prompts: Prompts,
    /// Whether texts are lower-cased before the tokenizer sees them.
    pub lower_case: bool,
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
        let FolderFiles { modules, limits, prompts } = FolderFiles::read(path)?;
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
        if let Some(dense) = &modules.cls_dense {
            let names = [("linear.weight", "pooler.dense.weight"), ("linear.bias", "pooler.dense.bias")];
            weights.adopt(&required(dense, "model.safetensors", weights_hint_of(dense))?, &names)?;
        }
        let tokenizer_hint = "save the model's fast tokenizer beside it: \
                              AutoTokenizer.from_pretrained(…).save_pretrained(…)";
        let tokenizer = match [path, &model].into_iter().find_map(Tokenizer::find) {
            Some(file) => file,
            None => required(&model, "tokenizer.json", tokenizer_hint)?,
        };

        let stated = own.max_tokens.or(limits.max_tokens).unwrap_or(usize::MAX);
        let prefix = match own.prefix {
            Some(prefix) => prefix,
            None => prompts.prefix(None)?,
        };
        let mut pooler = modules.pooler.unwrap_or_default();
        let mut head = modules.head;
        if modules.cls_dense.is_some() {
            // The dense layer is among the weights now.
            pooler = Pooler::Cls;
            head.layers.remove(0);
        }
        if let Some(own) = own.pooler.filter(|own| *own != pooler) {
            pooler = own;
            head = Head::default();
        }
        head.width(config.hidden_size)?;
        Ok(Self {
            path: path.to_owned(),
            max_tokens: stated.min(config.positions()),
            pooler,
            head,
            prefix,
            prompts,
            lower_case: limits.lower_case,
            normalized: modules.normalized,
            config,
            config_json,
            weights,
            tokenizer,
        })
    }

    /// Opens the tokenizer.
    ///
    /// # Errors
    /// The file can't be read, or the tokenizer has ids that the model has no vector for.
    pub fn open_tokenizer(&self) -> Result<Tokenizer> {
        let tokenizer = Tokenizer::from_file(&self.tokenizer)?;
        let vectors = self.config.vocab_size;
        match tokenizer.largest_id().filter(|&id| id as usize >= vectors) {
            Some(id) => {
                let token = tokenizer.token(id).unwrap_or_default();
                Err(Error::TokenWithoutVector { path: self.tokenizer.clone(), id, token, vectors })
            }
            None => Ok(tokenizer),
        }
    }

    /// The width of a text's vector.
    ///
    /// # Errors
    /// The head doesn't fit the pooler's vectors.
    pub fn dimension(&self) -> Result<usize> {
        self.head.width(self.config.hidden_size)
    }

    /// Pools by `pooler` instead of the folder's own poolers. The layers after them stay.
    pub fn set_pooler(&mut self, pooler: Pooler) {
        self.pooler = pooler;
        self.head.also.clear();
    }

    /// Puts `prefix`, or the prompt of the name `prompt`, before every text; with neither, the folder's own stays.
    ///
    /// # Errors
    /// There is no such prompt.
    pub fn set_prefix(&mut self, prefix: Option<&str>, prompt: Option<&str>) -> Result<()> {
        match (prefix, prompt) {
            (Some(prefix), _) => self.prefix = prefix.to_owned(),
            (None, Some(prompt)) => self.prefix = self.prompts.prefix(Some(prompt))?,
            (None, None) => {}
        }
        Ok(())
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
