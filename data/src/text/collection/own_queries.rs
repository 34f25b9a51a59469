//! [`OwnQueryDraw`]: draws documents and makes a query of each.

use std::collections::BinaryHeap;

use unicode_segmentation::UnicodeSegmentation;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::document::Document;
use super::files::OwnQuery;
use crate::text::{hash, sentences};

/// The fewest words of a sentence that serves as a query.
const FEWEST_WORDS: usize = 4;
/// The most words of a sentence that serves as a query: nobody asks longer ones.
const MOST_WORDS: usize = 40;
/// Keeps these keys apart from those of samples. No setting changes them, so that plans of the same collection are
/// measured on the same queries.
const QUERY_SEED: u64 = 0x5155_4552_5155_4552;

/// A document that may give a query; the smallest are drawn.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// The document's hash, hashed again.
    key: u64,
    /// The document's place in the collection.
    place: u64,
    query: OwnQuery,
}

/// Draws at most so many documents, those with the smallest keys (bottom-k sampling, as samples of texts are), and
/// makes a query of each: its title, or else one of its sentences.
///
/// They are drawn among the first documents only, up to the last number of the form 1, 3, 5 or 7 times a power of two:
/// more than four fifths of the collection. So documents that are appended seldom change the queries, and with them the
/// texts left out, which would move all texts that follow.
pub(in crate::text) struct OwnQueryDraw {
    limit: usize,
    documents: u64,
    /// The largest key on top.
    smallest: BinaryHeap<Candidate>,
    /// `smallest` as it was at the last such number.
    drawn: BinaryHeap<Candidate>,
}

impl OwnQueryDraw {
    /// `limit` is at least 1.
    pub(in crate::text) fn new(limit: usize) -> Self {
        Self { limit, documents: 0, smallest: BinaryHeap::new(), drawn: BinaryHeap::new() }
    }

    /// Takes the next document, whose hash is `group`.
    pub(in crate::text) fn push(&mut self, document: &Document, group: u64) {
        let (key, place) = (key(group), self.documents);
        let is_full = self.smallest.len() == self.limit;
        let is_drawn =
            !is_full || self.smallest.peek().is_some_and(|largest| (key, place) < (largest.key, largest.place));
        if let Some(text) = is_drawn.then(|| query_of(document)).flatten() {
            if is_full {
                self.smallest.pop();
            }
            let query = OwnQuery { id: document.id.clone(), text: text.to_owned() };
            self.smallest.push(Candidate { key, place, query });
        }
        self.documents += 1;
        if self.documents >> self.documents.trailing_zeros() < 8 {
            self.drawn.clone_from(&self.smallest);
        }
    }

    /// The queries, in the order of their documents.
    pub(in crate::text) fn finish(self) -> Vec<OwnQuery> {
        let mut drawn = self.drawn.into_vec();
        drawn.sort_by_key(|candidate| candidate.place);
        drawn.into_iter().map(|candidate| candidate.query).collect()
    }
}

/// The title, or else the sentence of 4 to 40 words with the smallest key. A longer one is cut at the marks in it,
/// which end no sentence by Unicode's rules where a small letter follows.
fn query_of(document: &Document) -> Option<&str> {
    if !document.title.is_empty() {
        return Some(&document.title);
    }
    let is_fit = |query: &&str| (FEWEST_WORDS..=MOST_WORDS).contains(&query.unicode_words().count());
    let queries = || sentences(&document.text).flat_map(cut_at_marks).filter(is_fit);
    // Of a text without a mark the beginning serves.
    queries().min_by_key(|query| key(hash(query))).or_else(|| first_words(&document.text))
}

/// The sentence, cut at full stops, question and exclamation marks and semicolons before a space where it is long.
fn cut_at_marks(sentence: &str) -> impl Iterator<Item = &str> {
    let is_long = sentence.unicode_words().nth(MOST_WORDS).is_some();
    let mut before = ' ';
    let pieces = sentence.split(move |character: char| {
        let is_end = is_long && character.is_whitespace() && matches!(before, '.' | '?' | '!' | ';');
        before = character;
        is_end
    });
    pieces.map(str::trim)
}

/// The first 40 words of a text that has 4 or more.
fn first_words(text: &str) -> Option<&str> {
    let words: Vec<(usize, &str)> = text.unicode_word_indices().take(MOST_WORDS).collect();
    let (first, (last, word)) = (words.first()?, words.last()?);
    (words.len() >= FEWEST_WORDS).then(|| &text[first.0..last + word.len()])
}

fn key(hash: u64) -> u64 {
    xxh3_64_with_seed(&hash.to_le_bytes(), QUERY_SEED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(limit: usize, documents: impl IntoIterator<Item = (u64, &'static str, String)>) -> Vec<OwnQuery> {
        let mut draw = OwnQueryDraw::new(limit);
        for (id, title, text) in documents {
            let document = Document { id: id.to_string(), title: title.to_owned(), text };
            draw.push(&document, hash(&document.whole()));
        }
        draw.finish()
    }

    fn numbered(count: u64) -> impl Iterator<Item = (u64, &'static str, String)> {
        (0..count).map(|id| (id, "", format!("Short one. The sentence of number {id}.")))
    }

    #[test]
    fn the_title_is_the_query_or_else_a_sentence_of_four_words() {
        let text = || "Too short here. But this sentence is long. And so is this sentence.".to_owned();
        let found = drawn(9, [(1, "A title", text()), (2, "", text()), (3, "", "No. Not here.".to_owned())]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], OwnQuery { id: "1".to_owned(), text: "A title".to_owned() });
        assert!(found[1].id == "2" && found[1].text.ends_with("sentence is long.") || found[1].text.starts_with("And"));
    }

    #[test]
    fn a_long_sentence_is_cut_at_its_marks_or_after_forty_words() {
        let long = format!("{} . the end of this text", "word ".repeat(50).trim());
        assert_eq!(drawn(9, [(1, "", long)])[0].text, "the end of this text");
        let unmarked = "word ".repeat(100);
        assert_eq!(drawn(9, [(1, "", unmarked)])[0].text, "word ".repeat(40).trim());
    }

    #[test]
    fn documents_are_drawn_evenly_and_keep_their_order() {
        let found = drawn(200, numbered(4096));
        let ids: Vec<u64> = found.iter().map(|query| query.id.parse().unwrap()).collect();
        assert!(ids.len() == 200 && ids.is_sorted());
        assert!((70..130).contains(&ids.iter().filter(|id| **id < 2048).count()));
        assert!(found.iter().all(|query| query.text.starts_with("The sentence of number")));
    }

    #[test]
    fn appended_documents_change_nothing_below_the_next_step() {
        assert_eq!(drawn(50, numbered(4200)), drawn(50, numbered(5119)));
        assert_ne!(drawn(50, numbered(4200)), drawn(50, numbered(5120)));
        assert_eq!(drawn(50, numbered(11)).len(), 10);
    }
}
