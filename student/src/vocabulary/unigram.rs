//! A unigram language model of pieces (Kudo 2018, what sentencepiece makes), trained on a text.
//!
//! The crate's trainer sums in an order that depends on threads, and gives the characters that its training dropped their scores
//! in the order of a randomly seeded hash map. Here one thread trains, on sorted words, and those scores are dealt out anew.

use limbeck_encoder::Tokenizer;
use tokenizers::models::unigram::{Unigram, UnigramTrainer};

use super::alphabet::Alphabet;
use super::characters::only;
use super::json::Base;
use super::wordpiece::tells_capitals;
use super::{Texts, Watch, during, words};
use crate::error::Result;

/// A word is cut after so many characters: Chinese has no spaces, and the trainer gives up on very long words.
const LONGEST_WORD: usize = 256;
/// The training begins with so many times the pieces that it ends with.
const SEEDS: usize = 10;
/// By how much the crate raises the score of each further character that its training dropped.
const STEP: f64 = 0.0001;

/// The tokenizer.json of at most `size` pieces.
pub(super) fn train(base: &Tokenizer, texts: Texts, size: usize, watch: Watch) -> Result<Vec<u8>> {
    let cased = tells_capitals(base)?;
    let own = Base::of(base)?;
    let json = if own.kind() == "Unigram" { own } else { sentencepiece(cased)? };
    let special = json.reserved();
    let mut first: Vec<(String, f64)> = special.iter().map(|token| (token.clone(), 0.0)).collect();
    let empty = Base(json.0.clone()).with_pieces(&first)?;
    let splitter = tokenizers::Tokenizer::from_bytes(empty).map_err(during("splitting text into words"))?;
    let counts = words::count(&splitter, texts, watch)?;
    let room = size.saturating_sub(special.len());
    // Here a character is one piece wherever it stands, but counting it twice only leaves more room for longer ones.
    let alphabet = Alphabet::of(&counts, room * 3 / 4, cased);
    let sentences: Vec<(String, u32)> = counts
        .iter()
        .flat_map(|(word, &count)| pieces_of(word, &alphabet).into_iter().map(move |part| (part, count)))
        .map(|(part, count)| (part, count.min(u64::from(u32::MAX)) as u32))
        .collect();
    let _bar = watch.progress.stage("training a unigram vocabulary", None, "");
    watch.interrupt.check()?;
    let trainer = UnigramTrainer::builder()
        .show_progress(false)
        .vocab_size(room as u32)
        .seed_size((room * SEEDS).min(1_000_000))
        .initial_alphabet(alphabet.all.iter().copied().collect())
        .build()
        .map_err(|error| during("training a unigram vocabulary")(error.to_string().into()))?;
    let mut model = Unigram::default();
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let alone = alone.map_err(|error| during("starting a thread")(error.into()))?;
    alone
        .install(|| trainer.do_train(sentences, &mut model).map(drop))
        .map_err(during("training a unigram vocabulary"))?;
    let mut pieces: Vec<(String, f64)> = model.iter().map(|(piece, score)| (piece.clone(), *score)).collect();
    pieces.retain(|(piece, _)| !special.contains(piece));
    deal_out(&mut pieces);
    first.extend(pieces);
    first.truncate(size);
    json.with_pieces(&first)
}

/// The word cut where a character isn't in the alphabet, and where it is too long.
fn pieces_of(word: &str, alphabet: &Alphabet) -> Vec<String> {
    let mut parts = Vec::new();
    for part in word.split(|c| !alphabet.all.contains(&c)) {
        let characters: Vec<char> = part.chars().collect();
        parts.extend(characters.chunks(LONGEST_WORD).map(|part| part.iter().collect::<String>()));
    }
    parts
}

/// Gives the least likely characters their scores in their own order, then sorts all pieces by score.
///
/// The trainer appends characters that it dropped with the least score and [`STEP`] more each, in a random order. Which they are
/// can't be seen from outside, so all characters with scores in that range change places.
fn deal_out(pieces: &mut [(String, f64)]) {
    let characters = pieces.iter().filter(|(piece, _)| only(piece).is_some()).count();
    let least = pieces.iter().map(|&(_, score)| score).fold(f64::INFINITY, f64::min);
    let most = least + (characters + 1) as f64 * STEP;
    let by_score = |a: &f64, b: &f64| b.total_cmp(a);
    let low = |(piece, score): &(String, f64)| *score <= most && only(piece).is_some();
    let mut scores: Vec<f64> = pieces.iter().filter(|piece| low(piece)).map(|&(_, score)| score).collect();
    scores.sort_by(by_score);
    pieces.sort_by(|(a, _), (b, _)| a.cmp(b));
    let places: Vec<usize> = (0..pieces.len()).filter(|&at| low(&pieces[at])).collect();
    for (at, score) in places.into_iter().zip(scores) {
        pieces[at].1 = score;
    }
    pieces.sort_by(|(_, a), (_, b)| by_score(a, b));
}

/// Sentencepiece's tokenizer, as XLM-R has it, without pieces.
fn sentencepiece(cased: bool) -> Result<Base> {
    let mut base = Base::parse(include_bytes!("sentencepiece.json"))?;
    if !cased
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
    fn low_characters_get_their_scores_whatever_the_order_they_came_in() {
        let dealt = |order: [&str; 3]| {
            let mut pieces: Vec<(String, f64)> =
                order.iter().zip([-9.0, -8.9999, -8.9998]).map(|(piece, score)| (piece.to_string(), score)).collect();
            pieces.extend([("ab".to_string(), -9.0), ("x".to_string(), -1.0)]);
            deal_out(&mut pieces);
            pieces
        };
        let first = dealt(["a", "b", "c"]);
        assert_eq!(first, dealt(["c", "a", "b"]));
        assert_eq!(first[0].0, "x");
        assert_eq!(first[1], ("a".to_string(), -8.9998));
    }
}
