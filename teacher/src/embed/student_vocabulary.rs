//! The teacher's vector of every token of a student's own vocabulary.

use std::collections::HashSet;

use limbeck_data::Interrupt;
use limbeck_data::cache::CacheWriter;
use limbeck_data::progress::Progress;
use limbeck_encoder::{TokenBatch, Tokenizer};
use serde_json::Value;

use super::Teacher;
use super::tokens::{Frame, encode};
use crate::Result;
use crate::inference_error::InferenceError;

/// Encodes each token of `student`, then the empty text, and writes them beside the shards. A token that the teacher has too is
/// that token; of any other, what it stands for is encoded as a text.
pub(super) fn write(
    teacher: &dyn Teacher,
    student: &Tokenizer,
    writer: &mut CacheWriter,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<()> {
    let frame = Frame::of(teacher.tokenizer(), teacher.prefix()).map_err(InferenceError::from)?;
    let names: Vec<String> = (0..student.vocabulary() as u32)
        .map(|id| student.token(id).unwrap_or_default())
        .chain([String::new()])
        .collect();
    let meanings = meanings(teacher.tokenizer(), student);
    let texts: Vec<&str> = meanings.iter().filter_map(Meaning::text).collect();
    let tokenised = teacher.tokenise(&texts)?;
    let mut tokenised = tokenised.iter();
    let mut tokens = TokenBatch::new();
    for meaning in &meanings {
        match meaning {
            Meaning::Token(id) => frame.around(*id, &mut tokens),
            Meaning::Text(_) => tokens.push(tokenised.next().unwrap_or_default()),
        }
    }
    let vectors = encode(teacher, &tokens, progress, interrupt)?;
    Ok(writer.write_student_tokens(student.json(), &names, vectors.as_slice())?)
}

/// What a student's token is to the teacher.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// A token of its own.
    Token(u32),
    /// A text.
    Text(String),
}

impl Meaning {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Token(_) => None,
            Self::Text(text) => Some(text),
        }
    }
}

/// What each of the student's tokens, in order of id, and the empty text are to the teacher.
fn meanings(teacher: &Tokenizer, student: &Tokenizer) -> Vec<Meaning> {
    let (theirs, own) = (Nature::of(teacher), Nature::of(student));
    let meaning = |id: u32| {
        let token = student.token(id).unwrap_or_default();
        let same = if own.model == theirs.model { teacher.id(&token) } else { None };
        if let Some(id) = same {
            return Meaning::Token(id);
        }
        // Of a token that stands for no text, only the unknown one has a counterpart.
        if own.unknown.as_deref() == Some(token.as_str())
            && let Some(id) = theirs.unknown.as_deref().and_then(|unknown| teacher.id(unknown))
        {
            return Meaning::Token(id);
        }
        match own.special.contains(&token) {
            true => Meaning::Text(String::new()),
            false => Meaning::Text(student.text(id).unwrap_or_default()),
        }
    };
    (0..student.vocabulary() as u32).map(meaning).chain([Meaning::Text(String::new())]).collect()
}

/// What can only be seen in a tokenizer.json.
struct Nature {
    /// The model's type: tokens of two tokenizers of one type that are written alike are alike.
    model: String,
    unknown: Option<String>,
    special: HashSet<String>,
}

impl Nature {
    fn of(tokenizer: &Tokenizer) -> Self {
        // It was read before, so it is JSON.
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
    fn a_token_that_the_teacher_has_is_that_token_and_another_is_a_text() {
        let teacher = words(&["[PAD]", "[UNK]", "rain", "##ing"]);
        let student = words(&["[PAD]", "[UNK]", "##ing", "rain", "##bow", "ing"]);
        let text = |text: &str| Meaning::Text(text.into());
        let expected = vec![
            Meaning::Token(0),
            Meaning::Token(1),
            Meaning::Token(3),
            Meaning::Token(2),
            text("bow"),
            text("ing"),
            text(""),
        ];
        assert_eq!(meanings(&teacher, &student), expected);
    }

    #[test]
    fn tokens_of_another_kind_of_tokenizer_are_texts_and_only_the_unknown_one_is_the_same() {
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
        let text = |text: &str| Meaning::Text(text.into());
        let expected = vec![text(""), Meaning::Token(1), text("rain"), text("ing"), text("")];
        assert_eq!(meanings(&sentencepiece, &wordpiece), expected);
        let expected = vec![text(""), Meaning::Token(1), text("rain"), text("ing"), text("rain"), text(""), text("")];
        assert_eq!(meanings(&wordpiece, &sentencepiece), expected);
    }
}
