//! Cuts a text into passages.

use unicode_segmentation::UnicodeSegmentation;

/// Windows over the text whose `sentences` these are, in order: as many whole sentences as have at most `most_words`
/// words together. A longer sentence is cut after as many words, because much text has no marks that end sentences.
/// Each window is a stretch of `text`. None where one window holds all.
pub(super) fn passages<'a>(text: &'a str, sentences: &[&'a str], most_words: usize) -> Vec<&'a str> {
    let start_of = |piece: &str| piece.as_ptr().addr() - text.as_ptr().addr();
    let mut found = Vec::new();
    let (mut start, mut end, mut words) = (0, 0, 0);
    for piece in sentences.iter().flat_map(|sentence| pieces(sentence, most_words)) {
        let more = piece.unicode_words().count();
        if words > 0 && words + more > most_words {
            found.push(&text[start..end]);
            words = 0;
        }
        if words == 0 {
            start = start_of(piece);
        }
        end = start_of(piece) + piece.len();
        words += more;
    }
    if !found.is_empty() {
        found.push(&text[start..end]);
    }
    found
}

/// The sentence, cut where it has more than `most_words` words.
fn pieces(sentence: &str, most_words: usize) -> impl Iterator<Item = &str> {
    let starts = sentence.unicode_word_indices().step_by(most_words).skip(1).map(|(start, _)| start);
    let mut from = 0;
    starts.chain([sentence.len()]).collect::<Vec<_>>().into_iter().map(move |start| {
        let piece = sentence[from..start].trim_end();
        from = start;
        piece
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::sentences;

    fn cut(text: &str, most_words: usize) -> Vec<&str> {
        passages(text, &sentences(text).collect::<Vec<_>>(), most_words)
    }

    #[test]
    fn windows_hold_whole_sentences_and_do_not_overlap() {
        let text = "One two three. Four five.\n  Six seven eight nine ten. Eleven.\n\nTwelve.";
        assert_eq!(cut(text, 5), ["One two three. Four five.", "Six seven eight nine ten.", "Eleven.\n\nTwelve."]);
        assert_eq!(cut(text, 7), ["One two three. Four five.", "Six seven eight nine ten. Eleven.\n\nTwelve."]);
    }

    #[test]
    fn a_sentence_that_is_longer_than_a_window_is_cut_between_words() {
        assert_eq!(cut("A. One two, three four. B.", 2), ["A.", "One two,", "three four.", "B."]);
        assert_eq!(cut("\"one two . three four five", 4), ["\"one two . three four", "five"]);
        assert_eq!(cut("他来了。你呢？我在家里。", 5), ["他来了。你呢？", "我在家里。"]);
    }

    #[test]
    fn a_text_that_fits_into_one_window_gives_none() {
        assert!(cut("One two. Three.", 3).is_empty());
        assert!(cut("", 3).is_empty());
    }
}
