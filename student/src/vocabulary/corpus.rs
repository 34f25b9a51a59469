//! A vocabulary pruned to the tokens that a text uses.

use std::collections::HashSet;

use limbeck_encoder::{Special, Tokenizer};

use super::characters::{is_ideograph, only};
use super::json::{Base, cannot_prune};
use super::{Texts, Watch, during};
use crate::error::Result;

/// The tokenizer.json of `base` less the tokens that stand fewer than `min_count` times in the texts. Special tokens and
/// the first, which is a student's padding, stay, and what is needed so that everything that had tokens still has some: of WordPiece each character, alone and inside words; of
/// Unigram the characters of the text and of ASCII, and the bytes where it falls back to them.
pub(super) fn prune(base: &Tokenizer, texts: Texts, min_count: u64, watch: Watch) -> Result<Vec<u8>> {
    let json = Base::of(base)?;
    let kind = json.kind().to_string();
    if kind != "WordPiece" && kind != "Unigram" {
        return Err(cannot_prune(&kind));
    }
    let counts = count(base, texts, watch)?;
    let special: HashSet<String> = json.special().into_iter().collect();
    let often = |id: u64| counts.get(id as usize).is_some_and(|&count| count >= min_count);
    if kind == "WordPiece" {
        let words = Words::of(&json);
        let tokens = json.words();
        let keep =
            |id: u64, token: &str| id == 0 || often(id) || special.contains(token) || words.is_needed_character(token);
        let mut kept: HashSet<&str> =
            tokens.iter().filter(|(id, token)| keep(*id, token)).map(|(_, token)| token.as_str()).collect();
        let lost: Vec<&str> = tokens
            .iter()
            .map(|(_, token)| token.as_str())
            .filter(|token| !kept.contains(token) && words.is_reachable(token) && !words.spells(&kept, token))
            .collect();
        kept.extend(lost);
        let mut tokens: Vec<String> =
            tokens.iter().filter(|(_, token)| kept.contains(token.as_str())).map(|(_, token)| token.clone()).collect();
        tokens.extend(json.outside(&tokens));
        return json.with_words(&tokens);
    }
    let vocab = json.0["model"]["vocab"].as_array().cloned().unwrap_or_default();
    let pieces: Vec<(&str, f64)> =
        vocab.iter().filter_map(|pair| Some((pair[0].as_str()?, pair[1].as_f64()?))).collect();
    let mut characters: HashSet<char> = (0x21u8..0x7f).map(char::from).collect();
    for ((piece, _), _) in pieces.iter().zip(&counts).filter(|(_, count)| **count > 0) {
        characters.extend(piece.chars());
    }
    let bytes = json.0["model"]["byte_fallback"] == true;
    let keep = |id: usize, piece: &str| {
        id == 0
            || often(id as u64)
            || special.contains(piece)
            || only(piece).is_some_and(|c| characters.contains(&c))
            || bytes && piece.len() == 6 && piece.starts_with("<0x")
    };
    let mut kept: Vec<(String, f64)> = pieces
        .iter()
        .enumerate()
        .filter(|(id, (piece, _))| keep(*id, piece))
        .map(|(_, (piece, score))| (piece.to_string(), *score))
        .collect();
    let there: HashSet<String> = kept.iter().map(|(piece, _)| piece.clone()).collect();
    kept.extend(json.special().into_iter().filter(|token| !there.contains(token)).map(|token| (token, 0.0)));
    json.with_pieces(&kept)
}

/// How often each token stands in the texts.
fn count(base: &Tokenizer, texts: Texts, watch: Watch) -> Result<Vec<u64>> {
    let bar = watch.progress.stage("counting tokens", None, "texts");
    let mut counts = vec![0u64; base.vocabulary()];
    for texts in texts {
        watch.interrupt.check()?;
        let texts = texts?;
        let views: Vec<&str> = texts.iter().map(String::as_str).collect();
        for &id in base.encode_batch(&views, Special::Without, None)?.ids() {
            if let Some(count) = counts.get_mut(id as usize) {
                *count += 1;
            }
        }
        bar.add(texts.len() as u64);
    }
    match counts.iter().any(|&count| count > 0) {
        true => Ok(counts),
        false => Err(during("counting tokens")("the text has none".into())),
    }
}

/// How a WordPiece tokenizer makes words.
struct Words {
    /// What a token inside a word begins with.
    prefix: String,
    /// Whether each ideograph is a word of its own.
    ideographs: bool,
    /// Whether each sign of punctuation is.
    punctuation: bool,
}

impl Words {
    fn of(json: &Base) -> Self {
        Self {
            prefix: json.0["model"]["continuing_subword_prefix"].as_str().unwrap_or("##").to_string(),
            ideographs: json.0["normalizer"]["handle_chinese_chars"] == true,
            punctuation: json.0["pre_tokenizer"]["type"] == "BertPreTokenizer",
        }
    }

    /// Whether the token stands inside words, and what it is without its mark.
    fn part<'a>(&self, token: &'a str) -> (bool, &'a str) {
        match token.strip_prefix(self.prefix.as_str()).filter(|rest| !rest.is_empty()) {
            Some(rest) => (true, rest),
            None => (false, token),
        }
    }

    /// Whether a text could have the token: nothing that is always a word of its own stands inside one.
    fn is_reachable(&self, token: &str) -> bool {
        let (inside, text) = self.part(token);
        let alone = |c: char| self.ideographs && is_ideograph(c) || self.punctuation && c.is_ascii_punctuation();
        !(text.chars().any(alone) && (inside || only(text).is_none()))
    }

    fn is_needed_character(&self, token: &str) -> bool {
        only(self.part(token).1).is_some() && self.is_reachable(token)
    }

    /// Whether the longest-match-first rule finds tokens among `kept` for what `token` stood for.
    fn spells(&self, kept: &HashSet<&str>, token: &str) -> bool {
        let (mut inside, mut rest) = self.part(token);
        while !rest.is_empty() {
            let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let found = ends.into_iter().find(|&end| match inside {
                true => kept.contains(format!("{}{}", self.prefix, &rest[..end]).as_str()),
                false => kept.contains(&rest[..end]),
            });
            let Some(end) = found else { return false };
            (inside, rest) = (true, &rest[end..]);
        }
        true
    }
}
