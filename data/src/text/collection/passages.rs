//! Cuts a text into passages.

use unicode_segmentation::UnicodeSegmentation;

/// Windows over the text whose `sentences` these are, in order: as many whole sentences as have at most `most_words`
/// words together, or a single longer one. Each is the stretch of `text` from its first sentence to its last. None
/// where one window holds all.
pub(super) fn passages<'a>(text: &'a str, sentences: &[&'a str], most_words: usize) -> Vec<&'a str> {
    let start_of = |sentence: &str| sentence.as_ptr().addr() - text.as_ptr().addr();
    let mut found = Vec::new();
    let (mut start, mut end, mut words) = (0, 0, 0);
    for sentence in sentences {
        let more = sentence.unicode_words().count();
        if words > 0 && words + more > most_words {
            found.push(&text[start..end]);
            words = 0;
        }
        if words == 0 {
            start = start_of(sentence);
        }
        end = start_of(sentence) + sentence.len();
        words += more;
    }
    if found.is_empty() {
        return found;
    }
    found.push(&text[start..end]);
    found
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
    fn a_sentence_that_is_longer_than_a_window_stays_whole() {
        assert_eq!(cut("A. One two three four. B.", 2), ["A.", "One two three four.", "B."]);
        assert_eq!(cut("他来了。你呢？我在家里。", 5), ["他来了。你呢？", "我在家里。"]);
    }

    #[test]
    fn a_text_that_fits_into_one_window_gives_none() {
        assert!(cut("One two. Three.", 3).is_empty());
        assert!(cut("One two three four", 3).is_empty());
        assert!(cut("", 3).is_empty());
    }
}
