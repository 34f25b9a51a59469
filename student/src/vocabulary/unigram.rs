//! A unigram language model of pieces (Kudo 2018, what sentencepiece makes), trained on a text.
//!
//! The trainer of the `tokenizers` crate sums in an order that depends on threads, and gives characters that the
//! training dropped their scores in the order of a randomly seeded hash map. So one thread trains, on sorted words, and
//! afterwards [`assign_low_scores`] orders those scores.

use limbeck_data::Monitor;
use limbeck_encoder::Tokenizer;
use tokenizers::models::unigram::{Unigram, UnigramTrainer};

use super::alphabet::Alphabet;
use super::characters::{Case, single};
use super::tokenizer_json::TokenizerJson;
use super::{TextChunks, words};
use crate::error::{Error, Result};

/// Words are cut after so many characters: Chinese has no spaces, and the trainer gives up on very long words.
const LONGEST_WORD: usize = 256;
/// The training begins with so many times as many pieces as it ends with.
const SEEDS: usize = 10;
/// The difference between the scores that the crate gives two characters dropped by the training.
const STEP: f64 = 0.0001;

/// The tokenizer.json of at most `size` pieces.
pub(super) fn train(base: &Tokenizer, texts: TextChunks, size: usize, monitor: Monitor) -> Result<Vec<u8>> {
    let case = Case::of(base)?;
    let own = TokenizerJson::parse(base.json())?;
    let json = if own.kind() == "Unigram" { own } else { sentencepiece(case)? };
    let special = json.reserved();
    let mut first: Vec<(String, f64)> = special.iter().map(|token| (token.clone(), 0.0)).collect();
    let empty = TokenizerJson(json.0.clone()).with_pieces(&first)?;
    let counts = words::count(&empty, texts, monitor)?;
    let room = size.saturating_sub(special.len());
    // A unigram model has one form of each character; that the alphabet counts two only leaves more room for long
    // pieces.
    let alphabet = Alphabet::of(&counts, room * 3 / 4, case);
    let sentences = counts.iter().flat_map(|(word, &count)| {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        pieces_of(word, &alphabet).into_iter().map(move |part| (part, count))
    });
    let sentences: Vec<(String, u32)> = sentences.collect();
    let _bar = monitor.stage("training a unigram vocabulary", None, "");
    monitor.check()?;
    let trainer = UnigramTrainer::builder()
        .show_progress(false)
        .vocab_size(room as u32)
        .seed_size((room * SEEDS).min(1_000_000))
        .initial_alphabet(alphabet.all.iter().copied().collect())
        .build()
        .map_err(|error| Error::vocabulary("training a unigram vocabulary")(error.to_string().into()))?;
    let mut model = Unigram::default();
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let alone = alone.map_err(|error| Error::vocabulary("starting a thread")(error.into()))?;
    let trained = alone.install(|| trainer.do_train(sentences, &mut model));
    trained.map_err(Error::vocabulary("training a unigram vocabulary"))?;
    let mut pieces: Vec<(String, f64)> = model.iter().map(|(piece, score)| (piece.clone(), *score)).collect();
    pieces.retain(|(piece, _)| !special.contains(piece));
    assign_low_scores(&mut pieces);
    first.extend(pieces);
    first.truncate(size);
    json.with_pieces(&first)
}

/// The word, cut at characters that the alphabet lacks and after every [`LONGEST_WORD`] characters.
fn pieces_of(word: &str, alphabet: &Alphabet) -> Vec<String> {
    let mut parts = Vec::new();
    for part in word.split(|c| !alphabet.all.contains(&c)) {
        let characters: Vec<char> = part.chars().collect();
        parts.extend(characters.chunks(LONGEST_WORD).map(|part| part.iter().collect::<String>()));
    }
    parts
}

/// Reassigns the lowest scores of characters in the order of the characters, then sorts all pieces by score.
///
/// The trainer appends the characters that it dropped in a random order, the first with the lowest score and each
/// further one with [`STEP`] more. The result doesn't show which characters these are, so all characters with scores in
/// that range take part.
fn assign_low_scores(pieces: &mut [(String, f64)]) {
    let characters = pieces.iter().filter(|(piece, _)| single(piece).is_some()).count();
    let least = pieces.iter().map(|&(_, score)| score).fold(f64::INFINITY, f64::min);
    let most = least + (characters + 1) as f64 * STEP;
    let by_score = |a: &f64, b: &f64| b.total_cmp(a);
    let low = |(piece, score): &(String, f64)| *score <= most && single(piece).is_some();
    let mut scores: Vec<f64> = pieces.iter().filter(|piece| low(piece)).map(|&(_, score)| score).collect();
    scores.sort_by(by_score);
    pieces.sort_by(|(a, _), (b, _)| a.cmp(b));
    let places: Vec<usize> = (0..pieces.len()).filter(|&at| low(&pieces[at])).collect();
    for (at, score) in places.into_iter().zip(scores) {
        pieces[at].1 = score;
    }
    pieces.sort_by(|(_, a), (_, b)| by_score(a, b));
}

/// Sentencepiece's tokenizer without pieces, as in XLM-R.
fn sentencepiece(case: Case) -> Result<TokenizerJson> {
    let mut base = TokenizerJson::parse(include_bytes!("sentencepiece.json"))?;
    if case == Case::Lowered
        && let Some(steps) = base.0.pointer_mut("/normalizer/normalizers").and_then(serde_json::Value::as_array_mut)
    {
        steps.push(serde_json::json!({"type": "Lowercase"}));
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_scores_of_characters_do_not_depend_on_the_trainers_order() {
        let dealt = |order: [&str; 3]| {
            let mut pieces: Vec<(String, f64)> =
                order.iter().zip([-9.0, -8.9999, -8.9998]).map(|(piece, score)| (piece.to_string(), score)).collect();
            pieces.extend([("ab".to_string(), -9.0), ("x".to_string(), -1.0)]);
            assign_low_scores(&mut pieces);
            pieces
        };
        let first = dealt(["a", "b", "c"]);
        assert_eq!(first, dealt(["c", "a", "b"]));
        assert_eq!(first[0].0, "x");
        assert_eq!(first[1], ("a".to_string(), -8.9998));
    }
}
