//! A vocabulary pruned to the tokens that a text uses.

use std::collections::HashSet;

use limbeck_data::Monitor;
use limbeck_encoder::{Special, Tokenizer};

use super::TextChunks;
use super::characters::{is_ideograph, single};
use super::tokenizer_json::TokenizerJson;
use crate::error::{Error, Result};

/// The tokenizer.json of `base` without the tokens that occur fewer than `min_count` times in the texts.
///
/// Special tokens stay, and so does the first token, which is a student's padding. Some more tokens stay so that every
/// text with tokens still has tokens: of WordPiece each character, at the start of words and inside; of Unigram the
/// characters of the text and of ASCII, and the bytes that it falls back to.
pub(super) fn prune(base: &Tokenizer, texts: TextChunks, min_count: u64, monitor: Monitor) -> Result<Vec<u8>> {
    let json = TokenizerJson::parse(base.json())?;
    let kind = json.kind().to_owned();
    let value = format!("\"corpus\", the tokenizer's model {kind:?}");
    let allowed = "\"teacher\" or \"trained\" there: WordPiece and Unigram can be pruned";
    Error::require(["WordPiece", "Unigram"].contains(&kind.as_str()), "student.vocabulary", value, allowed)?;
    let counts = count(base, texts, monitor)?;
    let special: HashSet<String> = json.special().into_iter().collect();
    let stays = |id: usize, token: &str| {
        id == 0 || special.contains(token) || counts.get(id).is_some_and(|&count| count >= min_count)
    };
    if kind == "WordPiece" { prune_wordpiece(json, stays) } else { prune_unigram(json, &counts, stays) }
}

fn prune_wordpiece(json: TokenizerJson, stays: impl Fn(usize, &str) -> bool) -> Result<Vec<u8>> {
    let rules = WordRules::of(&json);
    let all = json.words();
    let tokens = || all.iter().map(|(_, token)| token.as_str());
    let stays = |id: u64, token: &str| stays(id as usize, token) || rules.is_needed_character(token);
    let mut kept: HashSet<&str> =
        all.iter().filter(|(id, token)| stays(*id, token)).map(|(_, token)| token.as_str()).collect();
    let is_lost = |token: &&str| !kept.contains(token) && rules.is_reachable(token) && !rules.spells(&kept, token);
    let lost: Vec<&str> = tokens().filter(is_lost).collect();
    kept.extend(lost);
    let mut pruned: Vec<String> = tokens().filter(|token| kept.contains(token)).map(str::to_owned).collect();
    pruned.extend(json.outside(&pruned));
    json.with_words(&pruned)
}

fn prune_unigram(json: TokenizerJson, counts: &[u64], stays: impl Fn(usize, &str) -> bool) -> Result<Vec<u8>> {
    let vocab = json.0["model"]["vocab"].as_array().into_iter().flatten();
    let pieces: Vec<(&str, f64)> = vocab.filter_map(|pair| Some((pair[0].as_str()?, pair[1].as_f64()?))).collect();
    let mut characters: HashSet<char> = (0x21u8..0x7f).map(char::from).collect();
    for ((piece, _), _) in pieces.iter().zip(counts).filter(|(_, count)| **count > 0) {
        characters.extend(piece.chars());
    }
    let falls_back = json.0["model"]["byte_fallback"] == true;
    let stays = |id: usize, piece: &str| {
        stays(id, piece)
            || single(piece).is_some_and(|c| characters.contains(&c))
            || falls_back && piece.len() == 6 && piece.starts_with("<0x")
    };
    let kept = pieces.iter().enumerate().filter(|(id, (piece, _))| stays(*id, piece));
    let mut kept: Vec<(String, f64)> = kept.map(|(_, (piece, score))| (piece.to_string(), *score)).collect();
    let there: Vec<String> = kept.iter().map(|(piece, _)| piece.clone()).collect();
    kept.extend(json.outside(&there).into_iter().map(|token| (token, 0.0)));
    json.with_pieces(&kept)
}

/// The count of each token in the texts.
fn count(base: &Tokenizer, texts: TextChunks, monitor: Monitor) -> Result<Vec<u64>> {
    let bar = monitor.stage("counting tokens", None, "texts");
    let mut counts = vec![0u64; base.vocabulary()];
    for texts in texts {
        monitor.check()?;
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
        false => Err(Error::vocabulary("counting tokens")("the text has none".into())),
    }
}

/// How a WordPiece tokenizer splits text into words and marks tokens.
struct WordRules {
    /// The mark of a token inside a word.
    prefix: String,
    /// Whether each ideograph is a word.
    ideographs: bool,
    /// Whether each punctuation character is a word.
    punctuation: bool,
}

impl WordRules {
    fn of(json: &TokenizerJson) -> Self {
        Self {
            prefix: json.0["model"]["continuing_subword_prefix"].as_str().unwrap_or("##").to_string(),
            ideographs: json.0["normalizer"]["handle_chinese_chars"] == true,
            punctuation: json.0["pre_tokenizer"]["type"] == "BertPreTokenizer",
        }
    }

    /// Whether the token belongs inside words, and its text without the mark.
    fn part<'a>(&self, token: &'a str) -> (bool, &'a str) {
        match token.strip_prefix(self.prefix.as_str()).filter(|rest| !rest.is_empty()) {
            Some(rest) => (true, rest),
            None => (false, token),
        }
    }

    /// Whether a text can have the token. A character that is always a word of its own never occurs inside another.
    fn is_reachable(&self, token: &str) -> bool {
        let (inside, text) = self.part(token);
        let alone = |c: char| self.ideographs && is_ideograph(c) || self.punctuation && c.is_ascii_punctuation();
        !(text.chars().any(alone) && (inside || single(text).is_none()))
    }

    fn is_needed_character(&self, token: &str) -> bool {
        single(self.part(token).1).is_some() && self.is_reachable(token)
    }

    /// Whether the longest-match-first rule finds tokens among `kept` for the text of `token`.
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
