//! Settings of a tokenizer.json: truncation, padding, and the unknown token.

use serde_json::{Value, json};

use super::tests::{VOCAB, bert, ids};
use super::*;

fn open(json: &Value) -> Result<Tokenizer> {
    Tokenizer::from_bytes(json.to_string().as_bytes(), Path::new("test"))
}

/// A tokenizer with this model and nothing else.
fn of_model(model: Value) -> Value {
    json!({"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, "model": model})
}

#[test]
fn truncation_and_padding_in_any_spelling_are_not_applied() {
    let settings = [
        (json!({"max_length": 2, "strategy": "longest_first", "direction": "right"}), json!({"strategy": "longest"})),
        (json!({"max_length": "2", "direction": 3}), json!([1])),
        (json!({}), json!({})),
        (json!(false), json!("max_length")),
        (Value::Null, json!({"strategy": {"Fixed": 9}, "direction": "left", "pad_id": 0})),
    ];
    for (truncation, padding) in settings {
        let said = format!("{truncation} {padding}");
        let json = bert(&VOCAB, |json| (json["truncation"], json["padding"]) = (truncation, padding));
        let tokenizer = Tokenizer::from_bytes(&json, Path::new("test")).unwrap();
        assert_eq!(ids(&tokenizer, "hello world hello", Special::With, None), [2, 5, 6, 5, 3], "{said}");
        assert!(tokenizer.json() == json, "the JSON stays as it was loaded");
    }
}

#[test]
fn the_direction_of_truncation_is_read_without_case() {
    let truncation = |truncation: Value| {
        let json = bert(&VOCAB, |json| json["truncation"] = truncation);
        Tokenizer::from_bytes(&json, Path::new("test")).unwrap().truncation()
    };
    let (beginning, end) = (KeptSide::Beginning, KeptSide::End);
    let asked = |max_tokens, side| Some(Truncation { max_tokens, side });
    assert_eq!(truncation(Value::Null).unwrap(), None);
    assert_eq!(truncation(json!({"max_length": 8})).unwrap(), asked(8, beginning));
    assert_eq!(truncation(json!({"max_length": 8.0, "direction": "RIGHT"})).unwrap(), asked(8, beginning));
    assert_eq!(truncation(json!({"max_length": 0, "direction": "left", "strategy": 1})).unwrap(), asked(0, end));
    assert_eq!(truncation(json!({"max_length": 512, "direction": "Left"})).unwrap(), asked(512, end));
    for wrong in
        [json!({}), json!({"max_length": "8"}), json!({"max_length": -1}), json!({"max_length": 1.5}), json!(8)]
    {
        let error = truncation(wrong.clone()).unwrap_err();
        assert!(error.to_string().starts_with("test: truncation") && error.hint().is_some(), "{wrong}: {error}");
    }
    let error = truncation(json!({"max_length": 8, "direction": "middle"})).unwrap_err().to_string();
    assert!(error.contains("direction") && error.contains("middle"), "{error}");
}

#[test]
fn a_model_that_fails_on_unknown_words_is_refused_at_once() {
    let lacking = [
        (json!({"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "[UNK]"}), "[UNK]"),
        (json!({"type": "BPE", "vocab": {"a": 0}, "merges": [], "unk_token": "<unk>"}), "<unk>"),
        (json!({"type": "Unigram", "vocab": [["a", -1.0]], "unk_id": null}), "unk_id"),
    ];
    for (model, missing) in lacking {
        let error = open(&of_model(model)).unwrap_err();
        assert!(matches!(error, Error::UnknownToken { .. }) && error.hint().is_some(), "{error}");
        assert!(error.to_string().starts_with("test") && error.to_string().contains(missing), "{error}");
    }
    // WordPiece looks for the unknown token in its own vocabulary, not among the added tokens.
    let json = bert(&VOCAB, |json| {
        json["model"]["vocab"].as_object_mut().unwrap().remove("[UNK]");
    });
    let error = Tokenizer::from_bytes(&json, Path::new("test")).unwrap_err();
    assert!(error.to_string().contains("WordPiece") && error.to_string().contains("[UNK]"), "{error}");
}

#[test]
fn unknown_characters_have_the_models_tokens_or_none() {
    let mut bytes: serde_json::Map<_, _> = (0..256).map(|b| (format!("<0x{b:02X}>"), Value::from(b))).collect();
    bytes.insert("a".into(), 256.into());
    let models = [
        (json!({"type": "BPE", "vocab": {"a": 0}, "merges": []}), vec![0, 0]),
        (json!({"type": "BPE", "vocab": {"a": 0, "<unk>": 1}, "merges": [], "unk_token": "<unk>"}), vec![0, 1, 0]),
        (json!({"type": "Unigram", "vocab": [["a", -1.0], ["?", -9.0]], "unk_id": 1}), vec![0, 1, 0]),
        (json!({"type": "WordLevel", "vocab": {"a": 0, "?": 1}, "unk_token": "?"}), vec![1]),
        (
            json!({"type": "BPE", "vocab": bytes, "merges": [], "unk_token": "none", "byte_fallback": true}),
            vec![256, 0xc3, 0xb6, 256],
        ),
    ];
    for (model, expected) in models {
        let tokenizer = open(&of_model(model.clone())).unwrap();
        assert_eq!(ids(&tokenizer, "aöa", Special::Without, None), expected, "{model}");
    }
}

#[test]
fn the_largest_id_includes_added_tokens_and_special_tokens_lie_within() {
    let added = |id: u32| {
        bert(&VOCAB, |json| {
            let mut token = json["added_tokens"][4].clone();
            (token["id"], token["content"]) = (id.into(), "[OTHER]".into());
            json["added_tokens"].as_array_mut().unwrap().push(token);
        })
    };
    let size = VOCAB.len() as u32 + 5;
    let largest = |json: &[u8]| Tokenizer::from_bytes(json, Path::new("test")).unwrap().largest_id();
    assert_eq!(largest(&bert(&VOCAB, |_| ())), Some(size - 1));
    assert_eq!(largest(&added(size)), Some(size));
    let outside = bert(&VOCAB, |json| json["post_processor"]["sep"] = json!(["[SEP]", 400]));
    let error = Tokenizer::from_bytes(&outside, Path::new("test")).unwrap_err();
    assert!(matches!(error, Error::TokenizerId { id: 400, .. }), "{error}");
}
