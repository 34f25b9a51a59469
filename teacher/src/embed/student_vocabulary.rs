//! The teacher's vector of every token of a student's own vocabulary.

use std::collections::HashSet;

use limbeck_data::Monitor;
use limbeck_data::cache::CacheWriter;
use limbeck_encoder::{TokenBatch, Tokenizer};
use serde_json::Value;

use super::teacher::Teacher;
use super::teacher_vocabulary::{Surroundings, encode, names};
use crate::Result;

/// Encodes each token of `student`, then the empty text, and writes the vectors beside the shards. A token that the
/// teacher has too is encoded as that token; of any other token, its text is encoded.
pub(super) fn write(
    teacher: &dyn Teacher,
    student: &Tokenizer,
    writer: &mut CacheWriter,
    monitor: Monitor,
) -> Result<()> {
    let surroundings = Surroundings::of(teacher.tokenizer(), teacher.prefix())?;
    let names = names(student);
    let meanings = meanings(teacher.tokenizer(), student);
    let texts = meanings.iter().filter_map(|meaning| match meaning {
        TokenMeaning::Text(text) => Some(&text[..]),
        TokenMeaning::Token(_) => None,
    });
    let tokenised = teacher.tokenise(&texts.collect::<Vec<_>>())?;
    let mut tokenised = tokenised.iter();
    let mut tokens = TokenBatch::new();
    for meaning in &meanings {
        match meaning {
            TokenMeaning::Token(id) => surroundings.push(*id, &mut tokens),
            TokenMeaning::Text(_) => tokens.push(tokenised.next().unwrap_or_default()),
        }
    }
    let vectors = encode(teacher, &tokens, monitor)?;
    Ok(writer.write_student_tokens(student.json(), &names, vectors.as_slice())?)
}

/// A student's token from the teacher's view.
#[derive(Debug, PartialEq, Eq)]
enum TokenMeaning {
    /// One of the teacher's tokens.
    Token(u32),
    /// A text.
    Text(String),
}

/// The meanings of the student's tokens, in order of id, and of the empty text.
fn meanings(teacher: &Tokenizer, student: &Tokenizer) -> Vec<TokenMeaning> {
    let (theirs, own) = (VocabularyTraits::of(teacher), VocabularyTraits::of(student));
    let meaning = |id: u32| {
        let token = student.token(id).unwrap_or_default();
        let same = if own.model == theirs.model { teacher.id(&token) } else { None };
        // Of the tokens that stand for no text, only the unknown one has a counterpart.
        let unknown = theirs.unknown.as_deref().filter(|_| own.unknown.as_ref() == Some(&token));
        match same.or_else(|| teacher.id(unknown?)) {
            Some(id) => TokenMeaning::Token(id),
            None if own.special.contains(&token) => TokenMeaning::Text(String::new()),
            None => TokenMeaning::Text(student.text(id).unwrap_or_default()),
        }
    };
    (0..student.vocabulary() as u32).map(meaning).chain([TokenMeaning::Text(String::new())]).collect()
}

/// Properties of a vocabulary that only the tokenizer.json shows.
struct VocabularyTraits {
    /// The model's type. Tokens of two tokenizers of one type mean the same if they are spelt alike.
    model: String,
    unknown: Option<String>,
    special: HashSet<String>,
}

impl VocabularyTraits {
    fn of(tokenizer: &Tokenizer) -> Self {
        // The tokenizer was read from these bytes, so they are JSON.
        let json: Value = serde_json::from_slice(tokenizer.json()).unwrap_or_default();
        let model = &json["model"];
        let added = json["added_tokens"].as_array().into_iter().flatten();
        Self {
            model: model["type"].as_str().unwrap_or_default().to_string(),
            unknown: tokenizer.unknown().and_then(|id| tokenizer.token(id)),
            special: added.filter_map(|token| token["content"].as_str()).map(str::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn tokenizer(model: Value, added: &[(u32, &str)]) -> Tokenizer {
        let added: Vec<Value> = added
            .iter()
            .map(|(id, content)| {
                serde_json::json!({"id": id, "content": content, "special": true, "single_word": false,
                                   "lstrip": false, "rstrip": false, "normalized": false})
            })
            .collect();
        let metaspace =
            serde_json::json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
        let unigram = model["type"] == "Unigram";
        let (before, decoder) = match unigram {
            true => (metaspace.clone(), metaspace),
            false => (
                serde_json::json!({"type": "BertPreTokenizer"}),
                serde_json::json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
            ),
        };
        let json = serde_json::json!({"version": "1.0", "added_tokens": added, "normalizer": null,
            "pre_tokenizer": before, "post_processor": null, "decoder": decoder, "model": model});
        Tokenizer::from_bytes(json.to_string().as_bytes(), Path::new("test")).unwrap()
    }

    fn words(words: &[&str]) -> Tokenizer {
        let vocab: serde_json::Map<String, Value> =
            words.iter().zip(0u32..).map(|(word, id)| (word.to_string(), id.into())).collect();
        let model = serde_json::json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                                       "max_input_chars_per_word": 100, "vocab": vocab});
        tokenizer(model, &[(0, "[PAD]"), (1, "[UNK]")])
    }

    #[test]
    fn a_token_of_the_teacher_means_that_token_and_another_means_its_text() {
        let teacher = words(&["[PAD]", "[UNK]", "rain", "##ing"]);
        let student = words(&["[PAD]", "[UNK]", "##ing", "rain", "##bow", "ing"]);
        let text = |text: &str| TokenMeaning::Text(text.into());
        let expected = vec![
            TokenMeaning::Token(0),
            TokenMeaning::Token(1),
            TokenMeaning::Token(3),
            TokenMeaning::Token(2),
            text("bow"),
            text("ing"),
            text(""),
        ];
        assert_eq!(meanings(&teacher, &student), expected);
    }

    #[test]
    fn tokens_of_another_type_of_tokenizer_mean_texts_but_for_the_unknown_one() {
        let vocab = serde_json::json!([
            ["<s>", 0.0],
            ["<unk>", 0.0],
            ["▁rain", -1.0],
            ["ing", -2.0],
            ["rain", -3.0],
            ["▁", -4.0]
        ]);
        let model = serde_json::json!({"type": "Unigram", "unk_id": 1, "byte_fallback": false, "vocab": vocab});
        let sentencepiece = tokenizer(model, &[(0, "<s>"), (1, "<unk>")]);
        let wordpiece = words(&["[PAD]", "[UNK]", "rain", "##ing"]);
        let text = |text: &str| TokenMeaning::Text(text.into());
        let expected = vec![text(""), TokenMeaning::Token(1), text("rain"), text("ing"), text("")];
        assert_eq!(meanings(&sentencepiece, &wordpiece), expected);
        let expected =
            vec![text(""), TokenMeaning::Token(1), text("rain"), text("ing"), text("rain"), text(""), text("")];
        assert_eq!(meanings(&wordpiece, &sentencepiece), expected);
    }
}
