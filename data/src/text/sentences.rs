//! Cuts a document into sentences.

use unicode_segmentation::UnicodeSegmentation;

/// The sentences of `document`, trimmed, in order.
///
/// A sentence ends where Unicode's annex 29 ends it (at full stops, question and exclamation marks of all scripts) and
/// at each line end. The annex has no list of abbreviations: `Mr. Blair` is cut after `Mr.`, while `3.5` and `e.g.
/// this` stay whole. Pieces without a letter or digit are left out.
pub fn sentences(document: &str) -> impl Iterator<Item = &str> {
    document.lines().flat_map(|line| line.unicode_sentences()).map(str::trim).filter(|sentence| !sentence.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_line_ends_end_a_sentence() {
        let document =
            "A headline\n\nIt rose 3.5% to £2.  Did it? \"Yes!\" He left, e.g. for good.\r\n...\n他来了。你呢？";
        let found: Vec<_> = sentences(document).collect();
        assert_eq!(
            found,
            [
                "A headline",
                "It rose 3.5% to £2.",
                "Did it?",
                "\"Yes!\"",
                "He left, e.g. for good.",
                "他来了。",
                "你呢？"
            ]
        );
    }

    #[test]
    fn a_document_without_letters_has_no_sentences() {
        assert_eq!(sentences(" \n\t\n--\n").count(), 0);
    }
}
