//! [`Hit`]: a document that a search has found.

use std::collections::HashMap;

use limbeck_data::collection::Document;
use serde::Serialize;

use super::Corpus;
use crate::error::Result;

/// A title, or the beginning of a text without one, has this many characters at most.
const SHOWN: usize = 100;

/// A document found. As JSON: `{"rank", "id", "title", "score"}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// From 1.
    pub rank: usize,
    /// The document's id.
    pub id: String,
    /// Its title, or the beginning of its text where it has none.
    pub title: String,
    /// Its score.
    pub score: f32,
}

/// Reads the documents at the places of `found` lists, each from the best to the last.
///
/// # Errors
/// A corpus that cannot be read.
pub fn hits(corpus: &Corpus, found: &[Vec<(usize, f32)>]) -> Result<Vec<Vec<Hit>>> {
    let mut wanted: HashMap<usize, Option<(String, String)>> =
        found.iter().flatten().map(|&(place, _)| (place, None)).collect();
    let mut left = wanted.len();
    for (place, document) in corpus.documents()?.enumerate() {
        if left == 0 {
            break;
        }
        let document = document?;
        if let Some(shown) = wanted.get_mut(&place) {
            *shown = Some((document.id.clone(), title(&document)));
            left -= 1;
        }
    }
    let hit = |(at, &(place, score)): (usize, &(usize, f32))| {
        let (id, title) = wanted.get(&place).cloned().flatten()?;
        Some(Hit { rank: at + 1, id, title, score })
    };
    Ok(found.iter().map(|list| list.iter().enumerate().filter_map(hit).collect()).collect())
}

/// What is shown of a document in one line.
fn title(document: &Document) -> String {
    let whole = if document.title.trim().is_empty() { &document.text } else { &document.title };
    let words: Vec<&str> = whole.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_without_a_title_is_shown_by_its_beginning() {
        let document = |title: &str, text: String| Document { id: "1".into(), title: title.into(), text };
        assert_eq!(title(&document("A\n title ", "text".into())), "A title");
        let long = title(&document(" ", "word ".repeat(50)));
        assert!(long.ends_with("word…") && long.chars().count() <= SHOWN + 1, "{long}");
    }

    #[test]
    fn hits_have_the_ids_of_their_places() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("c.txt"), "zero\none\ntwo\n").unwrap();
        let corpus = Corpus::new(&folder.path().join("c.txt"));
        let found = hits(&corpus, &[vec![(2, 0.9), (0, 0.1)], vec![(1, 3.0)]]).unwrap();
        let shown: Vec<Vec<(usize, &str)>> =
            found.iter().map(|list| list.iter().map(|hit| (hit.rank, hit.title.as_str())).collect()).collect();
        assert_eq!(shown, [vec![(1, "two"), (2, "zero")], vec![(1, "one")]]);
    }
}
