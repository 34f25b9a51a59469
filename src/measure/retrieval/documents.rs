//! The documents of a collection, a block at a time: read, counted by their words, and encoded.

use limbeck_data::Monitor;
use limbeck_data::cache::Cache;
use limbeck_data::collection::CorpusReader;

use super::vectors::DocumentVectors;
use crate::error::{Error, Result};
use crate::measure::bm25::{Bm25, count_words};
use crate::measure::model::NamedModel;

/// Documents that are encoded or indexed at a time.
pub(crate) const BLOCK: usize = 1_024;

/// Calls `take` with the ids and the texts of a block of documents after the other.
///
/// # Errors
/// A document that cannot be read, an error of `take`, or an interrupt.
pub fn each_block(
    documents: CorpusReader,
    monitor: Monitor<'_>,
    mut take: impl FnMut(&[String], &[String]) -> Result<()>,
) -> Result<()> {
    let (mut ids, mut texts) = (Vec::with_capacity(BLOCK), Vec::with_capacity(BLOCK));
    for document in documents {
        let document = document?;
        texts.push(document.whole().into_owned());
        ids.push(document.id);
        if texts.len() == BLOCK {
            monitor.check()?;
            take(&ids, &texts)?;
            ids.clear();
            texts.clear();
        }
    }
    monitor.check()?;
    if texts.is_empty() { Ok(()) } else { take(&ids, &texts) }
}

/// An index of the documents that `read` gives by their words. `read` is called twice: the average length comes first.
/// `known` is called with the place of the first document of each block, and the block's ids; `what` names the work.
///
/// # Errors
/// As [`each_block`]; an error of `read`.
pub fn word_index(
    read: impl Fn() -> Result<CorpusReader>,
    what: &str,
    mut known: impl FnMut(u32, &[String]),
    monitor: Monitor<'_>,
) -> Result<Bm25> {
    let (mut words, mut documents) = (0, 0_u32);
    each_block(read()?, monitor, |ids, texts| {
        words += count_words(texts);
        known(documents, ids);
        documents += texts.len() as u32;
        Ok(())
    })?;
    let bar = monitor.stage(what, Some(documents.into()), "documents");
    let mut index = Bm25::new(words as f64 / f64::from(documents.max(1)));
    each_block(read()?, monitor, |_, texts| {
        index.add(texts);
        bar.add(texts.len() as u64);
        Ok(())
    })?;
    Ok(index)
}

/// A model's vectors of all documents, of which there are `total`; `what` names them in progress and errors.
///
/// # Errors
/// As [`each_block`]; what encoding gives; the vectors cannot be stored.
pub fn encode_documents(
    documents: CorpusReader,
    total: u64,
    model: &NamedModel<'_>,
    what: &str,
    monitor: Monitor<'_>,
) -> Result<DocumentVectors> {
    let bar = monitor.stage(&format!("{}: {what}", model.name), Some(total), "documents");
    let mut vectors = DocumentVectors::new(model.encoder.info().dimension);
    each_block(documents, monitor, |_, texts| {
        let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
        vectors.add(&model.call(&refs, what)?)?;
        bar.add(texts.len() as u64);
        Ok(())
    })?;
    vectors.finish()
}

/// Calls `take` with each text of the caches and its vector, shard by shard.
///
/// # Errors
/// A cache that cannot be read, or whose vectors are not `width` wide; an interrupt.
pub fn each_cached_shard(
    caches: &[Cache],
    width: usize,
    monitor: Monitor<'_>,
    mut take: impl FnMut(&mut dyn Iterator<Item = (&str, &[f32])>),
) -> Result<()> {
    for cache in caches {
        if cache.dimension() != width {
            let what = format!("values in a vector of {} against the query's", cache.path().display());
            return Err(Error::Lengths { what, left: cache.dimension(), right: width });
        }
        for shard in 0..cache.shards() {
            monitor.check()?;
            let shard = cache.read(shard)?;
            take(&mut shard.texts.iter().map(String::as_str).zip(shard.embeddings.chunks_exact(width)));
        }
    }
    Ok(())
}
