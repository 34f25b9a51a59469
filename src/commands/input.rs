//! Text as commands read it.

use std::collections::HashSet;
use std::path::Path;

use clap::Args;
use limbeck_data::cache::SHARD_ROWS;
use limbeck_data::text::{TextReader, hash, read_texts};

use crate::error::Result;

// How text is read.
#[derive(Args)]
pub(super) struct TextArguments {
    /// The column or field with the text
    #[arg(long, value_name = "NAME")]
    pub(super) column: Option<String>,

    /// The text's encoding where it isn't UTF-8
    #[arg(long, value_name = "NAME")]
    pub(super) encoding: Option<String>,
}

impl TextArguments {
    /// All texts of a file or folder, one after another.
    pub(super) fn read(&self, input: &Path) -> Result<TextReader> {
        Ok(read_texts(input, self.column.as_deref(), self.encoding.as_deref())?)
    }

    /// The texts without blank ones and duplicates, in chunks of a shard; an error takes the place of the chunk that it
    /// stands in.
    pub(super) fn chunks(
        &self,
        input: &Path,
    ) -> Result<impl Iterator<Item = limbeck_data::Result<Vec<String>>> + Send + use<>> {
        let mut texts = distinct(self.read(input)?);
        Ok(std::iter::from_fn(move || {
            let chunk: limbeck_data::Result<Vec<String>> = texts.by_ref().take(SHARD_ROWS).collect();
            chunk.map(|chunk| (!chunk.is_empty()).then_some(chunk)).transpose()
        }))
    }
}

/// The texts without blank ones and duplicates.
pub(super) fn distinct(texts: TextReader) -> impl Iterator<Item = limbeck_data::Result<String>> + Send {
    let mut met = HashSet::new();
    let mut is_new = move |text: &String| !text.trim().is_empty() && met.insert(hash(text));
    texts.filter(move |text| text.as_ref().map_or(true, &mut is_new))
}
