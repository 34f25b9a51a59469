//! [`WordCounts`]: how often each word occurs in each document.

use std::collections::{BinaryHeap, HashMap};

use limbeck_data::{Monitor, text};
use limbeck_encoder::WordTokenizer;

use super::sparse::SparseMatrix;
use crate::error::Result;

/// At most so many words have a row: of more, those of the most documents.
const MAX_WORDS: usize = 200_000;
/// Documents between two looks at whether a stop was asked for.
const CHECKED: usize = 1_024;

/// The words of documents, in ascending order, and their counts.
pub(super) struct WordCounts {
    pub(super) words: Vec<String>,
    /// The number of documents with each word.
    frequencies: Vec<u32>,
    /// Documents in rows, words in columns, and counts.
    counts: SparseMatrix<u32>,
}

impl WordCounts {
    /// Counts the words of at most `most` documents: all of them, or those whose hashes are the smallest.
    pub(super) fn of<I>(read: &impl Fn() -> limbeck_data::Result<I>, most: usize, monitor: Monitor<'_>) -> Result<Self>
    where
        I: Iterator<Item = limbeck_data::Result<String>>,
    {
        let (total, limit) = largest_hash(read()?, most, monitor)?;
        let bar = monitor.stage("counting words", Some(total.min(most) as u64), "documents");
        let mut dictionary = Dictionary::default();
        let mut counts = SparseMatrix::new();
        for document in read()? {
            let document = document?;
            if text::hash(&document) > limit || counts.rows() == most {
                continue;
            }
            counts.push(dictionary.count(&document));
            bar.add(1);
            if counts.rows().is_multiple_of(CHECKED) {
                monitor.check()?;
            }
        }
        Ok(dictionary.finish(counts, MAX_WORDS))
    }

    /// The number of documents.
    pub(super) fn documents(&self) -> usize {
        self.counts.rows()
    }

    /// BM25's inverse document frequency of each word: ln(1 + (N − df + ½) / (df + ½)).
    pub(super) fn inverse_frequencies(&self) -> Vec<f32> {
        let documents = self.documents() as f64;
        let weight = |&frequency: &u32| {
            let frequency = f64::from(frequency);
            (1.0 + (documents - frequency + 0.5) / (frequency + 0.5)).ln() as f32
        };
        self.frequencies.iter().map(weight).collect()
    }

    /// √count · weight of each word in each document.
    pub(super) fn weighted(&self, weights: &[f32]) -> SparseMatrix<f32> {
        self.counts.map(self.words.len(), |word, count| (count as f32).sqrt() * weights[word as usize])
    }
}

/// The number of documents, and the `most`th smallest hash of them; the largest hash there is where they are no more.
fn largest_hash(
    documents: impl Iterator<Item = limbeck_data::Result<String>>,
    most: usize,
    monitor: Monitor<'_>,
) -> Result<(usize, u64)> {
    let (mut smallest, mut total) = (BinaryHeap::with_capacity(most.min(CHECKED)), 0usize);
    for document in documents {
        let hash = text::hash(&document?);
        total += 1;
        if smallest.len() < most {
            smallest.push(hash);
        } else if let Some(mut largest) = smallest.peek_mut()
            && hash < *largest
        {
            *largest = hash;
        }
        if total.is_multiple_of(CHECKED) {
            monitor.check()?;
        }
    }
    let limit = if total > most { smallest.peek().copied().unwrap_or(0) } else { u64::MAX };
    Ok((total, limit))
}

/// Words in the order in which they were met.
#[derive(Default)]
struct Dictionary {
    tokenizer: WordTokenizer,
    ids: HashMap<String, u32>,
    frequencies: Vec<u32>,
    /// The words of the document that is counted.
    met: Vec<u32>,
}

impl Dictionary {
    /// The words of a document by their ids, in ascending order, with their counts.
    fn count(&mut self, document: &str) -> impl Iterator<Item = (u32, u32)> {
        let Self { tokenizer, ids, frequencies, met } = self;
        met.clear();
        tokenizer.for_each_word(document, |word| {
            let id = ids.get(word).copied().unwrap_or_else(|| {
                let id = frequencies.len() as u32;
                ids.insert(word.to_owned(), id);
                frequencies.push(0);
                id
            });
            met.push(id);
        });
        met.sort_unstable();
        met.chunk_by(|a, b| a == b).map(|same| {
            frequencies[same[0] as usize] += 1;
            (same[0], same.len() as u32)
        })
    }

    /// The counts of the `most` words of the most documents, in the words' order.
    fn finish(self, counts: SparseMatrix<u32>, most: usize) -> WordCounts {
        let mut words: Vec<(String, u32)> = self.ids.into_iter().collect();
        let frequency = |id: u32| self.frequencies[id as usize];
        if words.len() > most {
            words.sort_unstable_by(|a, b| frequency(b.1).cmp(&frequency(a.1)).then_with(|| a.0.cmp(&b.0)));
            words.truncate(most);
        }
        words.sort_unstable();
        let mut columns = vec![None; self.frequencies.len()];
        (0u32..).zip(&words).for_each(|(column, &(_, id))| columns[id as usize] = Some(column));
        let mut ordered = SparseMatrix::new();
        for row in 0..counts.rows() {
            let mut row: Vec<(u32, u32)> =
                counts.row(row).iter().filter_map(|&(id, count)| Some((columns[id as usize]?, count))).collect();
            row.sort_unstable();
            ordered.push(row.into_iter());
        }
        let frequencies = words.iter().map(|&(_, id)| frequency(id)).collect();
        WordCounts { words: words.into_iter().map(|(word, _)| word).collect(), frequencies, counts: ordered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(documents: &[&str], most: usize) -> WordCounts {
        let read = || Ok(documents.iter().map(|document| Ok(document.to_string())));
        WordCounts::of(&read, most, Monitor::silent()).unwrap()
    }

    #[test]
    fn words_are_counted_in_their_order() {
        let counts = counts(&["wings and a wing", "", "cells of a wing"], 10);
        assert_eq!((counts.words.clone(), counts.documents()), (vec!["cell".to_owned(), "wing".into()], 3));
        assert_eq!((counts.counts.row(0), counts.counts.row(1)), (&[(1, 2)][..], &[][..]));
        assert_eq!((counts.counts.row(2), &*counts.frequencies), (&[(0, 1), (1, 1)][..], &[1, 2][..]));
    }

    #[test]
    fn a_word_of_many_documents_weighs_little() {
        let weights = counts(&["wing", "wing", "wing cell"], 10).inverse_frequencies();
        let expected = [(1.0f32 + 2.5 / 1.5).ln(), (1.0f32 + 0.5 / 3.5).ln()];
        assert!(weights.iter().zip(expected).all(|(weight, expected)| (weight - expected).abs() < 1e-6), "{weights:?}");
    }

    #[test]
    fn of_many_documents_those_of_the_smallest_hashes_are_taken_in_any_order() {
        let texts: Vec<String> = (0..50).map(|at| format!("word{at}")).collect();
        let mut refs: Vec<&str> = texts.iter().map(String::as_str).collect();
        let first = counts(&refs, 9);
        assert_eq!((first.documents(), first.words.len()), (9, 9));
        refs.reverse();
        assert_eq!(counts(&refs, 9).words, first.words);
        refs.sort_by_key(|document| text::hash(document));
        let mut smallest = refs[..9].to_vec();
        smallest.sort_unstable();
        assert_eq!(first.words, smallest);
    }

    #[test]
    fn of_many_words_the_rarest_are_dropped() {
        let mut dictionary = Dictionary::default();
        let mut counts = SparseMatrix::new();
        for document in ["rare wing", "wing cell", "cell odd", "cell"] {
            counts.push(dictionary.count(document));
        }
        let counts = dictionary.finish(counts, 2);
        assert_eq!((counts.words, counts.counts.row(0)), (vec!["cell".to_owned(), "wing".into()], &[(1, 1)][..]));
    }
}
