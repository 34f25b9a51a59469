//! Chooses the files of a repository that a model or an ONNX file needs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::files::{Files, missing, no_weights};
use crate::assets::AssetError;
use crate::assets::uri::is_member;
use crate::error::{Error, Result};

/// The files of a folder that say how to tokenize and what the model is.
const SMALL: [&str; 6] = [
    "config.json",
    "tokenizer.json",
    "vocab.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "sentence_bert_config.json",
];
/// The files that sentence-transformers keeps in the folder of the whole model only.
const WHOLE: [&str; 2] = ["modules.json", "config_sentence_transformers.json"];
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Where a repository without safetensors has its ONNX file.
const ONNX: [&str; 2] = ["model.onnx", "onnx/model.onnx"];

/// A file's name in its repository, and its path on this machine.
pub(super) type Chosen = (String, PathBuf);

/// One module of `modules.json`.
#[derive(Debug, Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    #[serde(default, rename = "type")]
    kind: String,
}

impl Module {
    /// Whether it has no settings and no weights.
    fn is_bare(&self) -> bool {
        self.kind.ends_with("Normalize")
    }
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files of a model: its settings, the settings and weights of all its modules, its weights.
///
/// # Errors
/// A repository with neither safetensors nor ONNX; a file that is announced and missing; a file that can't be fetched.
pub(super) fn model_files(files: &dyn Files) -> Result<Vec<Chosen>> {
    let mut choice = Choice::new(files);
    let modules = choice.settings("")?;
    let mut has_weights = choice.weights("")?;
    for (position, module) in modules.iter().enumerate() {
        let found = choice.settings_of_module(module)?;
        // The first module holds the words' vectors or the network.
        has_weights |= choice.weights(&module.path)? && position == 0;
        choice.check_module(module, found)?;
    }
    if !has_weights {
        choice.onnx_of_model()?;
    }
    Ok(choice.chosen)
}

/// The files of an ONNX model: the file named, which comes first, its external data, and the settings of the root and
/// of the ONNX file's own folder, with the modules of sentence-transformers.
///
/// # Errors
/// A missing ONNX file, or a file that can't be fetched.
pub(super) fn onnx_files(files: &dyn Files, name: &str) -> Result<Vec<Chosen>> {
    let mut choice = Choice::new(files);
    choice.need(name)?;
    choice.external_data(name)?;
    let own = folder_of(name);
    for folder in BTreeSet::from(["", own]) {
        for module in choice.settings(folder)? {
            let found = choice.settings_of_module(&module)?;
            // The ONNX file is the network; layers after the pooling have weights of their own.
            if !module.kind.ends_with("Transformer") {
                choice.weights(&module.path)?;
            }
            choice.check_module(&module, found)?;
        }
    }
    Ok(choice.chosen)
}

/// The files of these names.
///
/// # Errors
/// A file that is missing or can't be fetched.
pub(super) fn all_files<N: AsRef<str>>(files: &dyn Files, names: &[N]) -> Result<Vec<Chosen>> {
    let mut choice = Choice::new(files);
    for name in names {
        choice.need(name.as_ref())?;
    }
    Ok(choice.chosen)
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The files chosen so far, in the order in which they were asked for.
struct Choice<'f> {
    files: &'f dyn Files,
    chosen: Vec<Chosen>,
    asked: HashMap<String, Option<PathBuf>>,
}

impl<'f> Choice<'f> {
    fn new(files: &'f dyn Files) -> Self {
        Self { files, chosen: Vec::new(), asked: HashMap::new() }
    }

    /// Chooses a file that may be missing.
    fn want(&mut self, name: &str) -> Result<Option<PathBuf>> {
        if let Some(found) = self.asked.get(name) {
            return Ok(found.clone());
        }
        let found = self.files.file(name)?;
        self.asked.insert(name.to_owned(), found.clone());
        self.chosen.extend(found.clone().map(|path| (name.to_owned(), path)));
        Ok(found)
    }

    fn need(&mut self, name: &str) -> Result<PathBuf> {
        self.want(name)?.ok_or_else(|| missing(self.files, name))
    }

    /// Chooses the settings in a folder of a whole model, and reads its modules. Their paths begin at the root.
    fn settings(&mut self, folder: &str) -> Result<Vec<Module>> {
        for name in SMALL.into_iter().chain(WHOLE) {
            self.want(&joined(folder, name))?;
        }
        // Older models call it after their network: `sentence_roberta_config.json`.
        let is_older = |name: &&String| {
            let own = name.strip_prefix(folder).map(|name| name.trim_start_matches('/'));
            own.is_some_and(|own| own.starts_with("sentence_") && own.ends_with("_config.json") && !own.contains('/'))
        };
        let older: Vec<_> = self.files.names().into_iter().flatten().filter(is_older).cloned().collect();
        for name in older {
            self.want(&name)?;
        }
        let name = joined(folder, "modules.json");
        let Some(modules) = self.read::<Vec<Module>>(&name)? else { return Ok(Vec::new()) };
        let placed = modules.into_iter().map(|module| {
            let path = module.path.trim_end_matches('/');
            let path = if path == "." { "" } else { path.strip_prefix("./").unwrap_or(path) };
            if !path.is_empty() && !is_member(path) {
                return Err(self.escapes(&name, &module.path));
            }
            let path = if path.is_empty() { folder.to_owned() } else { joined(folder, path) };
            Ok(Module { path, ..module })
        });
        placed.collect()
    }

    /// Chooses the settings of a module that has a folder of its own, and returns whether it has any.
    fn settings_of_module(&mut self, module: &Module) -> Result<bool> {
        let mut found = false;
        for name in SMALL {
            found |= self.want(&joined(&module.path, name))?.is_some();
        }
        Ok(found)
    }

    /// Refuses a module of which nothing is there, where the repository may have more than this machine.
    fn check_module(&self, module: &Module, has_settings: bool) -> Result<()> {
        let weights = joined(&module.path, WEIGHTS);
        if has_settings
            || module.is_bare()
            || !self.files.may_lack()
            || self.asked.get(&weights).is_some_and(Option::is_some)
        {
            return Ok(());
        }
        Err(missing(self.files, &joined(&module.path, "config.json")))
    }

    /// Chooses the weights in a folder, whole or in shards, and returns whether there are any.
    fn weights(&mut self, folder: &str) -> Result<bool> {
        if self.want(&joined(folder, WEIGHTS))?.is_some() {
            return Ok(true);
        }
        let name = joined(folder, INDEX);
        if self.want(&name)?.is_none() {
            return Ok(false);
        }
        let index: Option<Index> = self.read(&name)?;
        let shards: BTreeSet<String> = index.into_iter().flat_map(|index| index.weight_map.into_values()).collect();
        for shard in shards {
            if !is_member(&shard) {
                return Err(self.escapes(&name, &shard));
            }
            self.need(&joined(folder, &shard))?;
        }
        Ok(true)
    }

    /// Chooses the ONNX file of a model without safetensors.
    fn onnx_of_model(&mut self) -> Result<()> {
        for name in ONNX {
            if self.want(name)?.is_some() {
                return self.external_data(name);
            }
        }
        Err(no_weights(self.files))
    }

    /// Chooses the files beside an ONNX file that hold its weights: their names begin with its own.
    fn external_data(&mut self, name: &str) -> Result<()> {
        let stem = name.strip_suffix(".onnx").unwrap_or(name);
        let usual = [format!("{name}_data"), format!("{name}.data"), format!("{stem}.data")];
        let belongs = |other: &&String| {
            let rest = other.strip_prefix(name);
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains('/')) || usual.contains(other)
        };
        let names = match self.files.names() {
            None => usual.to_vec(),
            Some(names) => names.iter().filter(belongs).cloned().collect(),
        };
        for name in names {
            self.want(&name)?;
        }
        Ok(())
    }

    /// The content of a JSON file, if the repository has it.
    fn read<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(path) = self.want(name)? else { return Ok(None) };
        let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let read = serde_json::from_slice(bytes);
        Ok(Some(read.map_err(|source| AssetError::BadList { path, source })?))
    }

    fn escapes(&self, list: &str, name: &str) -> Error {
        let (repository, list, name) = (self.files.repository().to_owned(), list.to_owned(), name.to_owned());
        AssetError::UnsafeName { repository, list, name }.into()
    }
}
