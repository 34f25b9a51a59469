//! [`Bm25`]: search by words, with which every dense search is compared and fused.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use bm25::{Embedder, EmbedderBuilder, Tokenizer};
use limbeck_encoder::WordTokenizer;
use rayon::prelude::*;

/// How fast the weight of a repeated word saturates.
const K1: f32 = 1.5;
/// How much the length of a document counts.
const B: f32 = 0.75;

/// An index of documents by their words.
///
/// The crate `bm25` gives the weight of a word in a document; its own scorer looks each word of a query up in each
/// document, so the lists of documents by word stand here. They hold eight bytes for each distinct word of a document.
pub struct Bm25 {
    embedder: Embedder<u64, Words>,
    /// By the hash of a word: the documents that have the word, in order.
    postings: HashMap<u64, Vec<Posting>, BuildHasherDefault<PlainHasher>>,
    documents: usize,
}

/// A word in a document.
struct Posting {
    document: u32,
    weight: f32,
}

/// The words of [`WordTokenizer`] as the crate takes them.
#[derive(Default)]
struct Words(WordTokenizer);

impl Tokenizer for Words {
    fn tokenize(&self, text: &str) -> Vec<String> {
        self.0.words(text)
    }
}

/// How many words the texts have in all, as [`Bm25`] counts them.
pub fn count_words(texts: &[String]) -> usize {
    texts.par_iter().map_init(WordTokenizer::new, |words, text| words.words(text).len()).sum()
}

impl Bm25 {
    /// An index without documents, which will have `average` words on average.
    pub fn new(average: f64) -> Self {
        let builder = EmbedderBuilder::<u64, Words>::with_avgdl(average as f32);
        Self { embedder: builder.k1(K1).b(B).build(), postings: HashMap::default(), documents: 0 }
    }

    /// Adds documents behind those that are there.
    pub fn add(&mut self, texts: &[String]) {
        let embed = |text: &String| {
            let mut words: Vec<(u64, f32)> =
                self.embedder.embed(text).0.into_iter().map(|word| (word.index, word.value)).collect();
            // A word that is repeated comes with the same weight each time.
            words.sort_unstable_by_key(|(word, _)| *word);
            words.dedup_by_key(|(word, _)| *word);
            words
        };
        let all: Vec<Vec<(u64, f32)>> = texts.par_iter().map(embed).collect();
        for words in all {
            let document = self.documents as u32;
            for (word, weight) in words {
                self.postings.entry(word).or_default().push(Posting { document, weight });
            }
            self.documents += 1;
        }
    }

    /// The number of documents.
    pub fn documents(&self) -> usize {
        self.documents
    }

    /// The score of every document for `query`; 0 where they share no word.
    pub fn scores(&self, query: &str) -> Vec<f32> {
        let mut scores = vec![0.0; self.documents];
        // A word that the query repeats counts as often.
        for word in self.embedder.embed(query).indices() {
            let Some(postings) = self.postings.get(word) else { continue };
            let with = postings.len() as f32;
            let idf = (1.0 + (self.documents as f32 - with + 0.5) / (with + 0.5)).ln();
            postings.iter().for_each(|posting| scores[posting.document as usize] += idf * posting.weight);
        }
        scores
    }
}

/// Takes a hash as it is.
#[derive(Default)]
struct PlainHasher(u64);

impl std::hash::Hasher for PlainHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, &byte| hash.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u64(&mut self, hash: u64) {
        // The table takes its buckets from the low bits, which fxhash mixes least.
        self.0 = hash.rotate_left(26);
    }
}

#[cfg(test)]
mod tests {
    use bm25::Scorer;

    use super::*;

    const DOCUMENTS: [&str; 4] = [
        "The cat sat on the mat; the cat slept.",
        "Dogs chase cats.",
        "",
        "A dog barks at the moon and the dogs answer.",
    ];

    fn index() -> Bm25 {
        let documents = DOCUMENTS.map(str::to_owned);
        let mut index = Bm25::new(count_words(&documents) as f64 / documents.len() as f64);
        index.add(&documents[..2]);
        index.add(&documents[2..]);
        index
    }

    #[test]
    fn scores_are_those_of_the_crates_own_scorer() {
        let index = index();
        let mut scorer = Scorer::<usize, u64>::new();
        for (place, document) in DOCUMENTS.iter().enumerate() {
            scorer.upsert(&place, index.embedder.embed(document));
        }
        for query in ["cats", "a dog and a dog", "moon mat", "nothing of this"] {
            let embedded = index.embedder.embed(query);
            let expected: Vec<f32> = (0..4).map(|place| scorer.score(&place, &embedded).unwrap()).collect();
            let scores = index.scores(query);
            assert!(scores.iter().zip(&expected).all(|(own, other)| (own - other).abs() < 1e-6), "{scores:?}");
        }
    }

    #[test]
    fn only_documents_that_share_a_word_have_a_score() {
        let matched: Vec<bool> = index().scores("The dog").iter().map(|score| *score > 0.0).collect();
        assert_eq!(matched, [false, true, false, true]);
    }

    #[test]
    fn a_query_of_stop_words_matches_nothing() {
        assert_eq!(index().scores("the and of"), [0.0; 4]);
    }
}
