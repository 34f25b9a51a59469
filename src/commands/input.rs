//! Text as commands read it: without blank lines and duplicates.

use std::collections::HashSet;
use std::path::Path;

use limbeck_data::cache::SHARD_ROWS;
use limbeck_data::text::{hash, read_texts};

/// The texts of a file or folder, one after another.
pub(super) fn distinct_texts(
    input: &Path,
    column: Option<&str>,
    encoding: Option<&str>,
) -> limbeck_data::Result<impl Iterator<Item = limbeck_data::Result<String>> + Send + use<>> {
    let mut met = HashSet::new();
    let mut is_new = move |text: &String| !text.trim().is_empty() && met.insert(hash(text));
    Ok(read_texts(input, column, encoding)?.filter(move |text| text.as_ref().map_or(true, &mut is_new)))
}

/// The same in chunks of a shard; an error takes the place of the chunk that it stands in.
pub(super) fn chunks(
    input: &Path,
    column: Option<&str>,
    encoding: Option<&str>,
) -> limbeck_data::Result<impl Iterator<Item = limbeck_data::Result<Vec<String>>> + Send + use<>> {
    let mut texts = distinct_texts(input, column, encoding)?;
    Ok(std::iter::from_fn(move || {
        let chunk: limbeck_data::Result<Vec<String>> = texts.by_ref().take(SHARD_ROWS).collect();
        chunk.map(|chunk| (!chunk.is_empty()).then_some(chunk)).transpose()
    }))
}
