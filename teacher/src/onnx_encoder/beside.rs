//! The settings of a model that another program exported: they stand in files beside the ONNX file.

use std::path::Path;

use serde::Deserialize;

use crate::config::positions;
use crate::head::Head;
use crate::model_files::parse_if_there;
use crate::sentence_transformers::{FolderFiles, Prompts, folder_of_onnx};
use crate::{Architecture, Pooler, Result};

/// Where texts are cut in a model without a limit of its own: the positions that BERT and most of its kin have.
const MAX_TOKENS: usize = 512;

/// What the files of sentence-transformers and `config.json` say of an ONNX file.
#[derive(Debug)]
pub(super) struct FilesBeside {
    pub pooler: Option<Pooler>,
    pub head: Head,
    pub max_tokens: usize,
    pub lower_case: bool,
    pub prompts: Prompts,
}

impl Default for FilesBeside {
    fn default() -> Self {
        let (pooler, head, prompts) = (None, Head::default(), Prompts::default());
        Self { pooler, head, max_tokens: MAX_TOKENS, lower_case: false, prompts }
    }
}

#[derive(Deserialize)]
struct ModelConfig {
    #[serde(default)]
    model_type: Option<String>,
    max_position_embeddings: Option<usize>,
    #[serde(default)]
    pad_token_id: Option<u32>,
}

impl FilesBeside {
    /// Reads the folder of the ONNX file at `path`.
    ///
    /// # Errors
    /// A module or setting that isn't supported; a file that is missing or broken.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let folder = folder_of_onnx(path);
        let FolderFiles { modules, limits, prompts } = FolderFiles::read(&folder)?;
        let config = [&folder, &modules.transformer].map(|place| place.join("config.json"));
        let config = match parse_if_there::<ModelConfig>(&config[0])? {
            Some(config) => Some(config),
            None => parse_if_there(&config[1])?,
        };
        let positions = config.and_then(|config| config.tokens()).unwrap_or(usize::MAX);
        Ok(Self {
            pooler: modules.pooler,
            head: modules.head,
            max_tokens: limits.max_tokens.unwrap_or(MAX_TOKENS).min(positions),
            lower_case: limits.lower_case,
            prompts,
        })
    }
}

impl ModelConfig {
    /// The most tokens that the model has positions for, if its kind counts them in a table.
    fn tokens(&self) -> Option<usize> {
        let architecture = self.model_type.as_deref().and_then(Architecture::named);
        let padding = architecture.and_then(|architecture| architecture.position_padding(self.pad_token_id));
        Some(positions(self.max_position_embeddings?, padding))
    }
}
