//! The settings in the metadata of limbeck's exports.

use std::path::Path;

use limbeck_encoder::Special;
use ort::session::Session;

use crate::{Error, Pooler, Result};

/// Where texts are cut in a model without a limit of its own: the positions that BERT and most of its kin have.
const MAX_TOKENS: usize = 512;

pub(super) struct ExportMetadata {
    pub pooler: Option<Pooler>,
    /// None where the export states that texts are not cut.
    pub max_tokens: Option<usize>,
    pub prefix: Option<String>,
    pub special: Special,
}

impl ExportMetadata {
    pub(super) fn read(session: &Session, path: &Path) -> Result<Self> {
        let metadata = session.metadata().map_err(Error::model(path))?;
        let pooler = metadata.custom("limbeck.pooler").map(|name| name.parse::<Pooler>());
        let unfit = |error: Error| Error::OnnxSignature { path: path.to_owned(), problem: error.to_string() };
        Ok(Self {
            pooler: pooler.transpose().map_err(unfit)?,
            max_tokens: match metadata.custom("limbeck.max_tokens").as_deref() {
                Some("none") => None,
                number => Some(number.and_then(|number| number.parse().ok()).unwrap_or(MAX_TOKENS)),
            },
            prefix: metadata.custom("limbeck.prefix"),
            special: match metadata.custom("limbeck.special_tokens").as_deref() {
                Some("none") => Special::Without,
                _ => Special::With,
            },
        })
    }
}
