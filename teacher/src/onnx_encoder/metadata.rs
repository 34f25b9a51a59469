//! The settings in the metadata of limbeck's exports.

use std::path::Path;

use limbeck_encoder::Special;
use ort::session::Session;

use crate::{Error, Pooler, Result};

pub(super) struct ExportMetadata {
    /// The first pooler; a head after it is in the graph.
    pub pooler: Option<Pooler>,
    pub max_tokens: TokenLimit,
    pub prefix: Option<String>,
    pub lower_case: bool,
    pub special: Special,
}

/// Where texts are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenLimit {
    /// After so many tokens.
    At(usize),
    /// The export states that texts are not cut.
    Nowhere,
    NotStated,
}

impl ExportMetadata {
    pub(super) fn read(session: &Session, path: &Path) -> Result<Self> {
        let metadata = session.metadata().map_err(Error::model(path))?;
        let pooler = metadata.custom("limbeck.pooler");
        let first = |text: String| text.split(['+', ',']).next().unwrap_or_default().parse::<Pooler>();
        let pooler = pooler.map(first);
        let unfit = |error: Error| Error::OnnxSignature { path: path.to_owned(), problem: error.to_string() };
        Ok(Self {
            pooler: pooler.transpose().map_err(unfit)?,
            max_tokens: match metadata.custom("limbeck.max_tokens").as_deref() {
                Some("none") => TokenLimit::Nowhere,
                number => number.and_then(|number| number.parse().ok()).map_or(TokenLimit::NotStated, TokenLimit::At),
            },
            prefix: metadata.custom("limbeck.prefix"),
            lower_case: metadata.custom("limbeck.lower_case").as_deref() == Some("true"),
            special: match metadata.custom("limbeck.special_tokens").as_deref() {
                Some("none") => Special::Without,
                _ => Special::With,
            },
        })
    }
}
