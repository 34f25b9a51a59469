//! The ten documents that a teacher puts first for each query, by the vectors that it made before.
//!
//! The cache is read once, a shard at a time, and only the ten best documents of each query are held, with sixteen
//! bytes for each document of the collection.

use std::path::Path;

use limbeck_data::cache::Cache;
use limbeck_data::collection::read_corpus;
use limbeck_data::{Monitor, text};
use limbeck_encoder::Embeddings;
use ndarray::ArrayView2;

use super::documents::{each_block, each_cached_shard};
use super::label_free::{FIRST, FirstTen};
use crate::error::Result;
use crate::measure::model::NamedModel;
use crate::measure::similarity::unit_rows;

/// Searches the documents of `corpus` by the unit vectors in `caches`; the teacher embeds only the documents that these
/// lack. `own` has the place of the document that a query was taken from, which does not count.
///
/// # Errors
/// A corpus or a cache that cannot be read, vectors of two widths, what encoding gives, an interrupt.
pub(super) fn by_caches(
    queries: &Embeddings,
    own: &[Option<u32>],
    (teacher, caches): (&NamedModel<'_>, &[Cache]),
    corpus: &Path,
    monitor: Monitor<'_>,
) -> Result<FirstTen> {
    let mut documents = DocumentPlaces::read(corpus, monitor)?;
    let mut best = Best { queries: unit_rows(queries), own, lists: vec![Vec::new(); queries.rows()] };
    each_cached_shard(caches, queries.dimension(), monitor, |texts| {
        let (mut places, mut vectors) = (Vec::new(), Vec::new());
        for (text, vector) in texts {
            for place in documents.take(text) {
                places.push(place);
                vectors.extend_from_slice(vector);
            }
        }
        best.add(&places, &Embeddings::new(vectors, queries.dimension()));
    })?;
    if documents.found.iter().any(|found| !found) {
        embed_missing(&documents, &mut best, teacher, corpus, monitor)?;
    }
    Ok(FirstTen::new(best.lists.into_iter().map(|list| list.into_iter().map(|(_, place)| place).collect()).collect()))
}

/// Adds the documents that no cache holds, which the teacher embeds.
fn embed_missing(
    documents: &DocumentPlaces,
    best: &mut Best<'_>,
    teacher: &NamedModel<'_>,
    corpus: &Path,
    monitor: Monitor<'_>,
) -> Result<()> {
    let mut first = 0;
    each_block(read_corpus(corpus)?, monitor, |_, texts| {
        let block = first..first + texts.len() as u32;
        first = block.end;
        let missing: Vec<(u32, &str)> = block
            .zip(texts)
            .filter(|(place, _)| !documents.found[*place as usize])
            .map(|(place, text)| (place, text.as_str()))
            .collect();
        let (places, texts): (Vec<u32>, Vec<&str>) = missing.into_iter().unzip();
        if !texts.is_empty() {
            best.add(&places, &teacher.call(&texts, "documents that the cache lacks")?);
        }
        Ok(())
    })
}

/// The places of documents by their texts.
struct DocumentPlaces {
    /// The hash of each document and its place, sorted.
    by_hash: Vec<(u64, u32)>,
    /// Whether a vector of the document was found, by its place.
    found: Vec<bool>,
}

impl DocumentPlaces {
    fn read(corpus: &Path, monitor: Monitor<'_>) -> Result<Self> {
        let mut by_hash = Vec::new();
        each_block(read_corpus(corpus)?, monitor, |_, texts| {
            let first = by_hash.len() as u32;
            by_hash.extend((first..).zip(texts).map(|(place, text)| (text::hash(text), place)));
            Ok(())
        })?;
        let found = vec![false; by_hash.len()];
        by_hash.sort_unstable();
        Ok(Self { by_hash, found })
    }

    /// The places of the documents with this text that had no vector yet.
    fn take(&mut self, text: &str) -> Vec<u32> {
        let hash = text::hash(text);
        let begin = self.by_hash.partition_point(|(other, _)| *other < hash);
        let same = self.by_hash[begin..].iter().take_while(|(other, _)| *other == hash).map(|(_, place)| *place);
        let places: Vec<u32> = same.filter(|&place| !self.found[place as usize]).collect();
        places.iter().for_each(|&place| self.found[place as usize] = true);
        places
    }
}

/// The best documents of each query so far.
struct Best<'a> {
    /// Queries × dimension, rows of length 1.
    queries: ndarray::Array2<f32>,
    own: &'a [Option<u32>],
    /// By query: cosine and place, the best first; of equal ones the first in the collection.
    lists: Vec<Vec<(f32, u32)>>,
}

impl Best<'_> {
    fn add(&mut self, places: &[u32], vectors: &Embeddings) {
        let unit = unit_rows(vectors);
        let vectors: ArrayView2<'_, f32> = unit.view();
        let cosines = self.queries.dot(&vectors.t());
        for (at, list) in self.lists.iter_mut().enumerate() {
            for (&cosine, &place) in cosines.row(at).iter().zip(places) {
                if self.own.get(at).copied().flatten() == Some(place) {
                    continue;
                }
                let before = |&(other, at): &(f32, u32)| other.total_cmp(&cosine).then(place.cmp(&at)).is_gt();
                let rank = list.partition_point(before);
                if rank < FIRST {
                    list.insert(rank, (cosine, place));
                    list.truncate(FIRST);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use limbeck_data::VectorType;
    use limbeck_data::cache::{CacheSpec, CacheWriter, Fingerprint};

    use super::*;
    use crate::measure::retrieval::vectors::DocumentVectors;
    use crate::measure::test_support::{FakeEncoder, bag, silent};

    fn texts(count: usize) -> Vec<String> {
        (0..count).map(|at| format!("{} and {} words", at % 37, at * 7 % 31)).collect()
    }

    /// The ten first documents by a cache that holds `cached` of the texts, and by their vectors.
    fn both(cached: &[usize], own: &[Option<u32>]) -> [FirstTen; 2] {
        let folder = tempfile::tempdir().unwrap();
        let texts = texts(300);
        let file = folder.path().join("corpus.txt");
        std::fs::write(&file, texts.join("\n")).unwrap();
        let encoder = FakeEncoder::new(bag);
        let teacher = NamedModel::new("teacher", &encoder);
        let encode = |texts: &[&str]| teacher.encode(texts, "texts", silent()).unwrap();
        let held: Vec<String> = cached.iter().map(|&at| texts[at].clone()).collect();
        let mut vectors = encode(&held.iter().map(String::as_str).collect::<Vec<_>>()).as_slice().to_vec();
        for vector in vectors.chunks_exact_mut(16) {
            limbeck_encoder::normalise(vector);
        }
        let cache = folder.path().join("cache");
        let spec = CacheSpec::new(16, VectorType::F32, Fingerprint::default());
        let mut writer = CacheWriter::open(&cache, spec).unwrap();
        writer.write(0, &held, &vectors).unwrap();
        writer.finish(held.len() as u64).unwrap();
        let queries = encode(&["3 and 4 words", "30", "and 7"]);
        let caches = [Cache::open(&cache).unwrap()];
        let by_cache = by_caches(&queries, own, (&teacher, &caches), &file, silent()).unwrap();
        let mut documents = DocumentVectors::new(16);
        documents.add(&encode(&texts.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
        [by_cache, FirstTen::by_vectors(&queries, &documents, own, silent()).unwrap()]
    }

    #[test]
    fn the_documents_found_are_those_of_a_search_without_a_cache() {
        let all: Vec<usize> = (0..300).collect();
        let [by_cache, by_vectors] = both(&all, &[]);
        assert!(by_vectors.compare(&by_cache).unwrap().found_at_10 > 99.9);
    }

    #[test]
    fn the_teacher_embeds_what_the_cache_lacks() {
        let some: Vec<usize> = (0..300).step_by(3).collect();
        let [by_cache, by_vectors] = both(&some, &[Some(3), None, Some(100)]);
        assert!(by_vectors.compare(&by_cache).unwrap().found_at_10 > 99.9);
    }
}
