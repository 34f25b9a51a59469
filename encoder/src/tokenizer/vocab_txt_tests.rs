//! Ids of `vocab.txt` are those of transformers 5.24's `BertTokenizerFast`.

use serde_json::{Value, json};

use super::tests::ids;
use super::*;

const TOKENS: [&str; 28] = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "hello",
    "Hello",
    "world",
    "##s",
    "cafe",
    "café",
    "Café",
    "##é",
    "我",
    "们",
    "我们",
    "un",
    "##able",
    "a",
    "b",
    "##b",
    "!",
    ".",
    "##\u{301}",
    "e",
    "<u>",
    "<s>",
    "</s>",
];

const TEXTS: [&str; 8] = [
    "Hello worlds!",
    "Café cafe CAFÉ",
    "我们hello我",
    "un\u{0}able a\tb\u{200d}b",
    "[MASK] hello[SEP]",
    "e\u{301} cafe\u{301}",
    "<u> <s> a",
    "",
];

/// A folder with the vocabulary `text` and these settings.
fn folder(text: &[u8], config: Option<&Value>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("vocab.txt"), text).unwrap();
    if let Some(config) = config {
        std::fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    }
    folder
}

fn vocabulary() -> Vec<u8> {
    (TOKENS.join("\n") + "\n").into_bytes()
}

#[test]
fn a_vocab_txt_has_the_ids_of_transformers() {
    let uncased: [&[u32]; 8] = [
        &[2, 5, 7, 8, 21, 3],
        &[2, 9, 9, 9, 3],
        &[2, 13, 14, 5, 13, 3],
        &[2, 16, 17, 18, 19, 20, 3],
        &[2, 4, 5, 3, 3],
        &[2, 24, 9, 3],
        &[2, 1, 1, 1, 1, 1, 1, 18, 3],
        &[2, 3],
    ];
    // The ids of some texts differ from the uncased ones.
    type Changed = &'static [(usize, &'static [u32])];
    let unknown = json!({
        "content": "<u>", "lstrip": false, "rstrip": false, "single_word": false, "normalized": false,
        "__type": "AddedToken"
    });
    let cases: [(Option<Value>, Changed); 7] = [
        (None, &[]),
        (Some(json!({"do_lower_case": true, "strip_accents": null, "never_split": []})), &[]),
        (
            Some(json!({"do_lower_case": false, "tokenizer_class": "BertTokenizer"})),
            &[(0, &[2, 6, 7, 8, 21, 3]), (1, &[2, 11, 9, 1, 3]), (5, &[2, 24, 23, 9, 23, 3])],
        ),
        (
            Some(json!({"do_lower_case": true, "strip_accents": false})),
            &[(1, &[2, 10, 9, 10, 3]), (5, &[2, 24, 23, 9, 23, 3])],
        ),
        (
            Some(json!({"do_lower_case": false, "strip_accents": true})),
            &[(0, &[2, 6, 7, 8, 21, 3]), (1, &[2, 1, 9, 1, 3])],
        ),
        (Some(json!({"tokenize_chinese_chars": false, "never_split": null})), &[(2, &[2, 1, 3])]),
        (
            Some(json!({"unk_token": unknown, "cls_token": "<s>", "sep_token": "</s>"})),
            &[
                (0, &[26, 5, 7, 8, 21, 27]),
                (1, &[26, 9, 9, 9, 27]),
                (2, &[26, 13, 14, 5, 13, 27]),
                (3, &[26, 16, 17, 18, 19, 20, 27]),
                (4, &[26, 4, 5, 25, 25, 25, 27]),
                (5, &[26, 24, 9, 27]),
                (6, &[26, 25, 26, 18, 27]),
                (7, &[26, 27]),
            ],
        ),
    ];
    for (config, changed) in cases {
        let folder = folder(&vocabulary(), config.as_ref());
        let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
        for (at, text) in TEXTS.into_iter().enumerate() {
            let expected = changed.iter().find(|(changed, _)| *changed == at).map_or(uncased[at], |(_, ids)| ids);
            assert_eq!(ids(&tokenizer, text, Special::With, None), expected, "{text:?} with {config:?}");
        }
        assert_eq!(tokenizer.largest_id(), Some(27));
        let again = Tokenizer::from_bytes(tokenizer.json(), Path::new("again")).unwrap();
        assert_eq!(ids(&again, TEXTS[1], Special::With, None), ids(&tokenizer, TEXTS[1], Special::With, None));
    }
}

#[test]
fn a_tokenizer_json_goes_before_a_vocab_txt() {
    let folder = folder(&vocabulary(), None);
    let json = super::tests::bert(&["hello"], |_| ());
    std::fs::write(folder.path().join("tokenizer.json"), &json).unwrap();
    assert!(Tokenizer::from_folder(folder.path()).unwrap().json() == json);
    assert!(Tokenizer::from_file(&folder.path().join("vocab.txt")).unwrap().largest_id() == Some(27));
}

#[test]
fn added_tokens_of_the_settings_are_found() {
    let token = |content: &str, special: bool| json!({"content": content, "special": special, "normalized": !special});
    let config = json!({"added_tokens_decoder": {
        "28": token("Gin Tonic", false), "2": token("[CLS]", true), "29": token("<x>", true)
    }});
    let folder = folder(&vocabulary(), Some(&config));
    let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
    assert_eq!(ids(&tokenizer, "a gin tonic<x>", Special::Without, None), [18, 28, 29]);
    assert_eq!(tokenizer.largest_id(), Some(29));
}

#[test]
fn a_damaged_vocabulary_is_an_error_that_names_the_line() {
    let cases: [(Vec<u8>, &str); 6] = [
        ([&vocabulary()[..], b"gin\n\n"].concat(), "line 30 is empty"),
        ([b"gin\n\n", &vocabulary()[..]].concat(), "line 2 is empty"),
        ([&vocabulary()[..], b"hello\r\n"].concat(), "lines 6 and 29"),
        ([&vocabulary()[..], b"caf\xe9\n"].concat(), "line 29 is not UTF-8"),
        ([b"\xef\xbb\xbf", &vocabulary()[..]].concat(), "byte order mark"),
        (b"[PAD]\n[UNK]\n[CLS]\n".to_vec(), "[SEP]"),
    ];
    for (text, what) in cases {
        let folder = folder(&text, None);
        let error = Tokenizer::from_folder(folder.path()).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("vocab.txt") && said.contains(what) && error.hint().is_some(), "{said}, not {what}");
    }
}

#[test]
fn settings_that_are_damaged_or_unknown_are_errors_that_name_the_file() {
    let cases = [
        json!([]),
        json!({"do_lower_case": "false"}),
        json!({"strip_accents": 1}),
        json!({"tokenize_chinese_chars": "no"}),
        json!({"do_basic_tokenize": false}),
        json!({"never_split": ["gin"]}),
        json!({"unk_token": 3}),
        json!({"unk_token": {"content": "[UNK]", "lstrip": "no"}}),
        json!({"additional_special_tokens": ["<x>"]}),
        json!({"tokenizer_class": "BertJapaneseTokenizer"}),
        json!({"tokenizer_class": 3}),
        json!({"added_tokens_decoder": {"5": {"content": "world"}}}),
        json!({"added_tokens_decoder": {"5": {"content": "gin"}}}),
        json!({"added_tokens_decoder": {"30": {"content": "gin"}}}),
        json!({"added_tokens_decoder": [1]}),
    ];
    for config in cases {
        let folder = folder(&vocabulary(), Some(&config));
        let error = Tokenizer::from_folder(folder.path()).unwrap_err();
        assert!(matches!(error, Error::VocabularyFile { .. }), "{config}: {error}");
        assert!(error.to_string().contains("tokenizer_config.json"), "{config}: {error}");
    }
    let others = [
        ("config.json", json!({"model_type": "mpnet"})),
        ("config.json", json!({"tokenizer_class": "MPNetTokenizer"})),
        ("added_tokens.json", json!({"gin": 28})),
        ("special_tokens_map.json", json!({"cls_token": "<s>"})),
        ("special_tokens_map.json", json!({"additional_special_tokens": ["<x>"]})),
        ("tokenizer_config.json", Value::Null),
    ];
    for (name, value) in others {
        let folder = folder(&vocabulary(), None);
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
        let error = Tokenizer::from_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains(name), "{name}: {error}");
    }
    let missing = folder(&vocabulary(), Some(&json!({"mask_token": "<mask>"})));
    let error = Tokenizer::from_folder(missing.path()).unwrap_err().to_string();
    assert!(error.contains("vocab.txt") && error.contains("<mask>"), "{error}");
}

#[test]
fn a_folder_with_another_vocabulary_is_refused_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let error = Tokenizer::from_folder(folder.path()).unwrap_err();
    assert!(error.to_string().contains("no tokenizer.json and no vocab.txt") && error.hint().is_some(), "{error}");
    for name in ["vocab.json", "sentencepiece.bpe.model"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), "{}").unwrap();
        let error = Tokenizer::from_folder(folder.path()).unwrap_err();
        assert!(error.to_string().contains(name) && error.hint().unwrap().contains("save_pretrained"), "{error}");
    }
}
