//! [`WordTokenizer`]: the words of a text as word search counts them: lower case, without stop words, stemmed.

use snowball_stemmers_rs::{Algorithm, Stemmer};

/// Words that English texts are full of whatever they are about: the list of Lucene's `EnglishAnalyzer`.
const STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
];

/// Cuts texts into the words that BM25 and the lexical half of a student count.
///
/// A word is a run of letters, digits and underscores, two characters at least, in lower case; stop words are left out,
/// and Snowball's English stemmer cuts endings. Scripts that put no spaces between words (Chinese, Japanese) give each
/// pair of neighbouring characters as a word, and a character that stands alone as one.
///
/// ```
/// use limbeck_encoder::WordTokenizer;
///
/// let words = WordTokenizer::new();
/// assert_eq!(words.words("The mappings of B-cells"), ["map", "cell"]);
/// assert_eq!(words.words("高兴的"), ["高兴", "兴的"]);
/// ```
pub struct WordTokenizer {
    stemmer: Stemmer,
}

impl Default for WordTokenizer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for WordTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WordTokenizer").finish_non_exhaustive()
    }
}

impl WordTokenizer {
    /// A tokenizer with English stop words and stems.
    pub fn new() -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English) }
    }

    /// The words of `text`, in order, repeated ones too.
    pub fn words(&self, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        self.for_each_word(text, |word| words.push(word.to_owned()));
        words
    }

    /// Calls `take` with each word of `text`, in order.
    pub fn for_each_word(&self, text: &str, mut take: impl FnMut(&str)) {
        let is_part = |character: char| character.is_alphanumeric() || character == '_';
        for run in text.split(|character| !is_part(character)).filter(|run| !run.is_empty()) {
            let mut rest = run;
            while let Some(first) = rest.chars().next() {
                let unspaced = is_unspaced(first);
                let end = rest.find(|character| is_unspaced(character) != unspaced).unwrap_or(rest.len());
                let (part, after) = rest.split_at(end);
                rest = after;
                match unspaced {
                    true => for_each_pair(part, &mut take),
                    false => self.spaced_word(part, &mut take),
                }
            }
        }
    }

    fn spaced_word(&self, word: &str, take: &mut impl FnMut(&str)) {
        if word.chars().nth(1).is_none() {
            return;
        }
        let lower = word.to_lowercase();
        if STOP_WORDS.binary_search(&lower.as_str()).is_err() {
            take(&self.stemmer.stem(&lower));
        }
    }
}

/// Each pair of neighbouring characters, or the only character.
fn for_each_pair(run: &str, take: &mut impl FnMut(&str)) {
    let mut starts = run.char_indices().map(|(start, _)| start).chain([run.len()]);
    let (mut before, mut here) = (starts.next().unwrap_or(0), starts.next().unwrap_or(run.len()));
    if here == run.len() {
        return take(run);
    }
    for end in starts {
        take(&run[before..end]);
        (before, here) = (here, end);
    }
}

/// Whether the character is of a script that puts no spaces between words: Chinese characters and Japanese kana.
fn is_unspaced(character: char) -> bool {
    matches!(u32::from(character),
        0x3005..=0x3007 | 0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        WordTokenizer::new().words(text)
    }

    #[test]
    fn endings_and_stop_words_are_cut() {
        let text = "The effects of inhibitors on the regulation of cells, and their running.";
        assert_eq!(words(text), ["effect", "inhibitor", "regul", "cell", "run"]);
    }

    #[test]
    fn stems_are_those_of_snowball_3() {
        // Snowball before 3.0 cuts these to `later`, `organ`, `interv` and `pathologist`.
        assert_eq!(
            words("lateral organisms, intervals, pathologists"),
            ["lateral", "organism", "interval", "patholog"]
        );
    }

    #[test]
    fn a_word_has_two_characters_at_least_and_may_hold_digits() {
        assert_eq!(words("I x 3 BRCA1 IL-6 x_1 3.5 42"), ["brca1", "il", "x_1", "42"]);
    }

    #[test]
    fn chinese_text_gives_pairs_of_characters() {
        assert_eq!(words("我爱北京。好"), ["我爱", "爱北", "北京", "好"]);
    }

    #[test]
    fn scripts_side_by_side_are_cut_apart() {
        assert_eq!(words("用BERT模型"), ["用", "bert", "模型"]);
    }

    #[test]
    fn letters_of_any_script_are_lower_case() {
        assert_eq!(words("ÉTUDES Москва"), ["étude", "москва"]);
    }

    #[test]
    fn a_text_without_words_has_none() {
        assert!(words("").is_empty() && words(" - … the a").is_empty());
    }

    #[test]
    fn the_stop_words_are_sorted_so_that_they_are_found() {
        assert!(STOP_WORDS.is_sorted());
    }
}
