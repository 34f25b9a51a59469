//! [`Documents`]: which texts of a cache are whole documents, and so come more often in a pass.

use std::collections::HashSet;

use limbeck_data::cache::Shard;
use limbeck_data::text;

/// The whole documents of a collection, known by their hashes. Among their sentences, titles and spans, which are many
/// times as many, a student hardly sees them.
#[derive(Debug, Clone, Default)]
pub struct Documents(HashSet<u64>);

impl<T: AsRef<str>> FromIterator<T> for Documents {
    fn from_iter<I: IntoIterator<Item = T>>(documents: I) -> Self {
        Self(documents.into_iter().map(|document| text::hash(document.as_ref())).collect())
    }
}

impl Documents {
    /// For each of these rows of `shard`, whether it is a whole document.
    pub(super) fn among<'a>(&'a self, shard: &'a Shard, rows: &'a [usize]) -> impl Iterator<Item = bool> + 'a {
        rows.iter().map(|&row| self.0.contains(&text::hash(&shard.texts[row])))
    }
}
