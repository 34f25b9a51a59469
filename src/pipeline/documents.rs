//! [`Documents`]: the texts that the words of a lexical half are counted in.

use std::path::PathBuf;

use limbeck_data::cache::Cache;
use limbeck_data::text::{PreparedText, ROW_GROUP_ROWS};

use super::context::Context;
use super::stages::{embed, text};
use crate::error::Result;

/// Texts one by one.
type TextIterator<'a> = Box<dyn Iterator<Item = limbeck_data::Result<String>> + 'a>;

/// Where a run's documents lie.
pub(super) enum Documents {
    /// In a collection: documents with their titles.
    Collection(PathBuf),
    /// In prepared text: what students are trained on.
    Texts(PreparedText),
    /// In a cache made elsewhere.
    Cache(Cache),
}

impl Documents {
    /// The documents of the run of `context`: those of its collection, else the texts to train on.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub(super) fn of(context: &Context) -> Result<Self> {
        if !context.plan().embeds_text() {
            return Ok(Self::Cache(embed::open_caches(context)?.0));
        }
        let collection = context.folder_of(text::ID).collection();
        match collection.is_file() {
            true => Ok(Self::Collection(collection)),
            false => Ok(Self::Texts(text::prepared_text(context)?)),
        }
    }

    /// All documents, from the first; a collection's with their titles before them.
    ///
    /// # Errors
    /// A file that can't be read.
    pub(super) fn read(&self) -> limbeck_data::Result<TextIterator<'_>> {
        Ok(match self {
            Self::Collection(path) => Box::new(text::whole_documents(path)?),
            Self::Texts(texts) => {
                let batches = texts.batches(ROW_GROUP_ROWS)?.map(|batch| Ok(batch?.texts));
                Box::new(batches.flat_map(one_by_one))
            }
            Self::Cache(cache) => {
                let shards = (0..cache.shards()).map(|shard| Ok(cache.read(shard)?.texts));
                Box::new(shards.flat_map(one_by_one))
            }
        })
    }
}

fn one_by_one(texts: limbeck_data::Result<Vec<String>>) -> impl Iterator<Item = limbeck_data::Result<String>> {
    let (texts, error) = match texts {
        Ok(texts) => (texts, None),
        Err(error) => (Vec::new(), Some(Err(error))),
    };
    error.into_iter().chain(texts.into_iter().map(Ok))
}
