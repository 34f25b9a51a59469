//! Every id must be the reference's.

use std::{fs, io::Read, path::PathBuf, sync::LazyLock};

use tokenizers::{Normalizer, OffsetReferential, OffsetType, PreTokenizer};

use super::*;

/// A BERT tokenizer.json. Five special tokens stand before `vocab`; `change` may alter the JSON.
pub(super) fn bert(vocab: &[&str], change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].iter().chain(vocab);
    let vocab: serde_json::Map<_, _> = words.zip(0u32..).map(|(word, id)| (word.to_string(), id.into())).collect();
    let special = |(id, content): (u32, &str)| {
        serde_json::json!({
            "id": id, "content": content, "special": true, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false
        })
    };
    let added: Vec<_> = (0u32..).zip(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]).map(special).collect();
    let mut json = serde_json::json!({
        "version": "1.0",
        "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Left"},
        "padding": {
            "strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0,
            "pad_token": "[PAD]"
        },
        "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": true
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab
        }
    });
    change(&mut json);
    serde_json::to_vec(&json).unwrap()
}

/// Adds another special token, with this id in the JSON.
fn add_token(json: &mut serde_json::Value, id: u32, content: &str) {
    let mut token = json["added_tokens"][4].clone();
    (token["id"], token["content"]) = (id.into(), content.into());
    json["added_tokens"].as_array_mut().unwrap().push(token);
}

/// A vocabulary with gaps: `un` can be continued by `##a` or `##able`, but `##abl` is no token.
pub(super) const VOCAB: [&str; 24] = [
    "hello", "world", "un", "##able", "##a", "##break", "##s", "cafe", "!", ",", ".", "我", "们", "今", "天", "a", "b",
    "c", "##b", "##cd", "the", "##é", "-", "🦀",
];

fn small() -> Tokenizer {
    Tokenizer::from_bytes(&bert(&VOCAB, |_| ()), Path::new("test")).unwrap()
}

pub(super) fn ids(tokenizer: &Tokenizer, text: &str, special: Special, max_tokens: Option<usize>) -> Vec<u32> {
    let mut ids = vec![77];
    tokenizer.encode_into(text, special, max_tokens, &mut ids).unwrap();
    assert_eq!(ids.remove(0), 77, "the ids before stay");
    ids
}

pub(super) fn reference(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.reference().unwrap().ids(text, false).unwrap()
}

#[test]
fn words_become_pieces_and_unknown_words_become_the_unknown_token() {
    let tokenizer = small();
    assert!(tokenizer.fast.is_some());
    let tokens = |text| -> Vec<String> {
        let ids = ids(&tokenizer, text, Special::Without, None);
        ids.iter().map(|&id| tokenizer.token(id).unwrap()).collect()
    };
    assert_eq!(tokens("Hello, WORLDS! Café"), ["hello", ",", "world", "##s", "!", "cafe"]);
    assert_eq!(tokens("unbreakable 我们"), ["un", "##break", "##able", "我", "们"]);
    assert_eq!(
        tokens("unabl unxyz ac"),
        ["[UNK]", "[UNK]", "[UNK]"],
        "a rest that is only the beginning of a token is unknown"
    );
    assert_eq!(tokens(" \t\u{0}\n"), [""; 0]);
    assert_eq!(tokenizer.id("##able"), Some(8));
    assert_eq!((tokenizer.id("nothing"), tokenizer.token(1_000)), (None, None));
    assert_eq!(tokenizer.vocabulary(), VOCAB.len() + 5);
}

#[test]
fn truncation_and_padding_of_the_json_are_ignored_and_max_tokens_counts_special_tokens() {
    let tokenizer = small();
    let text = "hello hello hello hello hello world";
    let (hello, world) = (5, 6);
    let own = [hello, hello, hello, hello, hello, world];
    assert_eq!(ids(&tokenizer, text, Special::Without, None), own);
    assert_eq!(ids(&tokenizer, text, Special::With, None), [&[2][..], &own, &[3]].concat());
    assert_eq!(ids(&tokenizer, text, Special::With, Some(4)), [2, hello, hello, 3]);
    assert_eq!(ids(&tokenizer, text, Special::With, Some(8)), ids(&tokenizer, text, Special::With, None));
    assert_eq!(ids(&tokenizer, text, Special::With, Some(2)), [2, 3]);
    assert_eq!(ids(&tokenizer, text, Special::Without, Some(2)), [hello, hello]);
    assert_eq!(ids(&tokenizer, text, Special::Without, Some(0)), [0; 0]);
    assert_eq!(ids(&tokenizer, "", Special::With, Some(9)), [2, 3]);
    let error = tokenizer.encode_into(text, Special::With, Some(1), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Error::NoRoom { max_tokens: 1, special: 2 }));
    assert!(error.hint().unwrap().contains('3'));
}

#[test]
fn a_batch_has_the_rows_of_its_texts_in_order() {
    let tokenizer = small();
    let texts: Vec<String> =
        (0..1_000).map(|i| "hello world ".repeat(i % 7) + if i % 3 == 0 { "🦀\u{301}" } else { "" }).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let batch = tokenizer.encode_batch(&texts, Special::With, Some(6)).unwrap();
    assert_eq!(batch.rows(), texts.len());
    for (text, row) in texts.iter().zip(batch.iter()) {
        assert_eq!(row, ids(&tokenizer, text, Special::With, Some(6)));
    }
}

#[test]
fn tokie_and_the_reference_split_every_plain_character_alike() {
    for lowercase in [true, false] {
        let json = bert(&VOCAB, |json| json["normalizer"]["lowercase"] = lowercase.into());
        let tokenizer = Tokenizer::from_bytes(&json, Path::new("test")).unwrap();
        assert!(tokenizer.fast.is_some());
        let tokie = tokie::hf::from_json_str(std::str::from_utf8(&json).unwrap()).unwrap();
        let reference = &tokenizer.reference().unwrap().tokenizer;
        let words = |text: &str| -> (Vec<String>, Vec<String>) {
            let mut normalised = tokenizers::NormalizedString::from(text);
            reference.get_normalizer().unwrap().normalize(&mut normalised).unwrap();
            let mut split = tokenizers::PreTokenizedString::from(normalised.get());
            reference.get_pre_tokenizer().unwrap().pre_tokenize(&mut split).unwrap();
            let splits = split.get_splits(OffsetReferential::Original, OffsetType::Byte);
            let reference = splits.into_iter().map(|(word, ..)| word.to_owned()).collect();
            let normalised = tokie.normalizer().normalize(text);
            (reference, tokie.pretokenizer().unwrap().split(&normalised).map(str::to_owned).collect())
        };
        let ascii = (0..0x7f_u8).map(char::from);
        let all: Vec<char> = ascii.chain(plain::all()).collect();
        for c in &all {
            for text in [format!("{c}"), format!("ab{c}cd"), format!("é {c}é {c}我{c}")] {
                let (reference, fast) = words(&text);
                assert_eq!(fast, reference, "{text:?} (U+{:04X}), lowercase: {lowercase}", *c as u32);
            }
        }
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..30_000 {
            // Every second character is ASCII.
            let character = || if random.bool() { all[random.usize(..0x7f)] } else { all[random.usize(..all.len())] };
            let text: String = std::iter::repeat_with(character).take(12).collect();
            let (reference, fast) = words(&text);
            assert_eq!(fast, reference, "{text:?}, lowercase: {lowercase}");
        }
    }
}

#[test]
fn every_character_has_the_references_ids_in_every_position() {
    for lowercase in [true, false] {
        let json = bert(&VOCAB, |json| json["normalizer"]["lowercase"] = lowercase.into());
        let tokenizer = Tokenizer::from_bytes(&json, Path::new("test")).unwrap();
        let fast = tokenizer.fast.as_ref().unwrap();
        let all: Vec<char> = ('\0'..=char::MAX).collect();
        let mut found = Vec::new();
        for characters in all.chunks(16) {
            // Some characters alone, some side by side, some inside a word.
            let text: String = characters.chunks(3).map(|some| String::from_iter(some) + " a").collect();
            found.clear();
            assert!(fast.encode(&text, usize::MAX, &mut found), "{text:?}");
            assert_eq!(found, reference(&tokenizer, &text), "{text:?}, lowercase: {lowercase}");
        }
    }
}

#[test]
fn texts_of_any_kind_have_the_references_ids() {
    let tokenizer = small();
    for text in tokenizer_check::texts() {
        assert_eq!(ids(&tokenizer, &text, Special::Without, None), reference(&tokenizer, &text), "{text:?}");
    }
}

#[test]
fn ascii_of_any_kind_has_the_references_ids() {
    for lowercase in [true, false] {
        let json = bert(&[&VOCAB[..], &["##c", "ab", "abc", "##", "#"]].concat(), |json| {
            json["normalizer"]["lowercase"] = lowercase.into();
            json["model"]["max_input_chars_per_word"] = 12.into();
        });
        let tokenizer = Tokenizer::from_bytes(&json, Path::new("test")).unwrap();
        let fast = tokenizer.fast.as_ref().unwrap();
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..50_000 {
            let text: String = (0..random.usize(..40))
                .map(|_| match random.usize(..4) {
                    0 => char::from(random.u8(..0x7f)),
                    1 => [' ', '#', 'A', '\t'][random.usize(..4)],
                    _ => random.char('a'..='d'),
                })
                .collect();
            let mut found = Vec::new();
            if fast.encode(&text, usize::MAX, &mut found) {
                assert_eq!(found, reference(&tokenizer, &text), "{text:?}, lowercase: {lowercase}");
            }
        }
    }
}

#[test]
fn tokenizers_of_other_kinds_use_only_the_reference() {
    type Change = fn(&mut serde_json::Value);
    let changes: [Change; 6] = [
        |json| json["normalizer"]["strip_accents"] = false.into(),
        |json| json["normalizer"]["handle_chinese_chars"] = false.into(),
        |json| json["normalizer"]["clean_text"] = false.into(),
        |json| json["pre_tokenizer"]["type"] = "Whitespace".into(),
        |json| json["model"]["continuing_subword_prefix"] = "@@".into(),
        |json| json["normalizer"] = serde_json::json!({"type": "Lowercase"}),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let tokenizer = Tokenizer::from_bytes(&bert(&VOCAB, change), Path::new("test")).unwrap();
        assert!(tokenizer.fast.is_none(), "change {index}");
        for text in tokenizer_check::texts() {
            assert_eq!(
                ids(&tokenizer, &text, Special::Without, None),
                reference(&tokenizer, &text),
                "{index}: {text:?}"
            );
        }
    }
}

#[test]
fn a_long_text_in_pieces_has_the_ids_of_the_whole() {
    let tokenizer = small();
    let mut texts = vec![
        "Hello, worlds! unbreakable-unable café ".repeat(2_000),
        "我们今天hello我们，".repeat(4_000),
        "🦀hello\u{301}[SEP]world,[CLS] \u{fffd}\u{0}un\u{0}able ".repeat(2_000),
        "a".repeat(100_000),
        "a,".repeat(50_000),
        "hello_world[MASK]_".repeat(5_000),
        "Привет, мир! во́лки и ёлки ".repeat(2_000),
        "हिन्दी में लिखा hello\u{301} वाक्य। 한국어 \u{1112}\u{1161}\u{11ab} كتاب\u{200d} ".repeat(2_000),
    ];
    texts.push(texts.concat());
    for text in &texts {
        let whole = reference(&tokenizer, text);
        assert_eq!(ids(&tokenizer, text, Special::Without, None), whole);
        for room in [0, 1, 100, 5_000, whole.len().saturating_sub(1), whole.len()] {
            assert_eq!(ids(&tokenizer, text, Special::Without, Some(room)), whole[..room.min(whole.len())]);
        }
    }
    for text in [&texts[0], &texts[6], &texts[7]] {
        let piece = tokenizer.cuts.as_ref().unwrap().first(text);
        assert!((16_384..16_500).contains(&piece), "{piece}");
    }
}

#[test]
fn a_checked_tokenizer_makes_its_reference_for_the_first_text_that_needs_it() {
    let json = bert(&VOCAB, |json| json["added_tokens"][4]["single_word"] = true.into());
    let whole = Tokenizer::from_bytes(&json, Path::new("test")).unwrap();
    let text = |text: &str, tokenizer: &Tokenizer| ids(tokenizer, text, Special::Without, None);
    let tokenizer = Tokenizer::from_compared(&json, json.clone(), Path::new("test")).unwrap();
    assert_eq!(tokenizer.vocabulary(), whole.vocabulary());
    for plain in
        ["Hello, [world] #unbreakable!", "café 我们 🦀", "[CLS", "", "e\u{301}", "\u{7f}", "un\u{7f}able", "a[SEP]b"]
    {
        assert_eq!(text(plain, &tokenizer), reference(&whole, plain));
        assert!(tokenizer.reference.get().is_none(), "{plain:?}");
    }
    for odd in ["é[MASK]", "e\u{301}[MASK]", "[MASK]我"] {
        let tokenizer = Tokenizer::from_compared(&json, json.clone(), Path::new("test")).unwrap();
        assert_eq!(text(odd, &tokenizer), reference(&whole, odd), "{odd:?}");
        assert!(tokenizer.reference.get().is_some(), "{odd:?}");
    }
    assert_eq!(ids(&tokenizer, "a", Special::With, None), ids(&whole, "a", Special::With, None));
    let other = bert(&VOCAB, |json| json["pre_tokenizer"]["type"] = "Whitespace".into());
    assert!(Tokenizer::from_compared(&other, other.clone(), Path::new("test")).unwrap().reference.get().is_some());
}

#[test]
fn an_added_token_whose_id_differs_from_the_json_is_an_error_and_not_fast() {
    let json = bert(&VOCAB, |json| {
        add_token(json, 0, "[OTHER]");
    });
    let whole = Tokenizer::from_bytes(&json, Path::new("test")).unwrap();
    assert!(!whole.is_fast() && ids(&whole, "[OTHER]", Special::Without, None) == reference(&whole, "[OTHER]"));
    let tokenizer = Tokenizer::from_compared(&json, json.clone(), Path::new("test")).unwrap();
    let error = tokenizer.encode_into("a [OTHER]", Special::Without, None, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Error::TokenizerId { .. }) && error.to_string().starts_with("test"), "{error}");
}

#[test]
fn an_added_token_of_ideographs_is_not_cut_in_two() {
    let json = bert(&VOCAB, |json| {
        add_token(json, 14, "今天");
        json["model"]["vocab"]["今天"] = (VOCAB.len() + 5).into();
    });
    let tokenizer = Tokenizer::from_bytes(&json, Path::new("test")).unwrap();
    for text in [format!("我{}", "今天".repeat(6_000)), format!("我 {}", "今天".repeat(6_000))] {
        assert_eq!(ids(&tokenizer, &text, Special::Without, None), reference(&tokenizer, &text));
    }
}

#[test]
fn added_tokens_that_begin_with_a_letter_are_found() {
    let tokenizer = Tokenizer::from_bytes(
        &bert(&VOCAB, |json| {
            json["added_tokens"][4]["content"] = "unable".into();
            json["model"]["vocab"]["unable"] = 4.into();
            json["model"]["vocab"].as_object_mut().unwrap().remove("[MASK]");
        }),
        Path::new("test"),
    )
    .unwrap();
    assert!(tokenizer.fast.is_some());
    for text in ["unable", "hello unableworld", "un able", "é unable"] {
        assert_eq!(ids(&tokenizer, text, Special::Without, None), reference(&tokenizer, text), "{text:?}");
    }
}

#[test]
fn a_file_that_is_no_tokenizer_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let whole = bert(&VOCAB, |_| ());
    assert!(matches!(Tokenizer::from_file(&path), Err(Error::Read { .. })));
    for text in [&b""[..], b"{}", b"[1, 2", b"\xff", &whole[..whole.len() / 2], b"null"] {
        fs::write(&path, text).unwrap();
        let error = Tokenizer::from_file(&path).unwrap_err();
        assert!(
            matches!(error, Error::TokenizerJson { .. }) && error.to_string().contains("tokenizer.json"),
            "{error}"
        );
        assert!(error.hint().is_some());
    }
    for cut in (0..whole.len()).step_by(13) {
        assert!(Tokenizer::from_bytes(&whole[..cut], &path).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_json_over_which_the_library_panics_is_an_error_that_names_the_file() {
    let changes: [fn(&mut serde_json::Value); 2] = [
        |json| json["pre_tokenizer"] = serde_json::json!({"type": "FixedLength", "length": 0}),
        |json| json["normalizer"] = serde_json::json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
    ];
    for change in changes {
        let error = Tokenizer::from_bytes(&bert(&VOCAB, change), Path::new("test")).unwrap_err();
        assert!(matches!(error, Error::TokenizerJson { .. }) && error.to_string().starts_with("test"), "{error}");
    }
}

#[test]
fn dropout_and_sampling_of_a_model_are_switched_off() {
    let models = [
        serde_json::json!({
            "type": "BPE", "dropout": 0.5, "unk_token": null, "vocab": {"a": 0, "b": 1, "ab": 2, "abab": 3},
            "merges": [["a", "b"], ["ab", "ab"]]
        }),
        serde_json::json!({
            "type": "Unigram", "unk_id": 0, "alpha": 0.1, "nbest_size": 8,
            "vocab": [["<unk>", 0.0], ["a", -1.0], ["b", -1.0], ["ab", -1.5], ["abab", -2.5]]
        }),
    ];
    for model in models {
        let json = serde_json::json!({"version": "1.0", "added_tokens": [], "model": model});
        let tokenizer = Tokenizer::from_bytes(&serde_json::to_vec(&json).unwrap(), Path::new("test")).unwrap();
        for _ in 0..50 {
            assert_eq!(ids(&tokenizer, "ababababab", Special::Without, None).len(), 3, "{model}");
        }
    }
}

/// The library would panic over such templates.
#[test]
fn a_template_that_names_a_missing_token_or_text_is_an_error_that_names_the_file() {
    let piece = |kind: &str, id: &str| serde_json::json!({kind: {"id": id, "type_id": 0}});
    let template = |single: [serde_json::Value; 2]| {
        let token = serde_json::json!({"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]});
        let tokens = serde_json::json!({"[CLS]": token});
        serde_json::json!({"type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": tokens})
    };
    let of = |processor: serde_json::Value| {
        Tokenizer::from_bytes(&bert(&VOCAB, |json| json["post_processor"] = processor), Path::new("test"))
    };
    let nested = |template| serde_json::json!({"type": "Sequence", "processors": [template]});
    let whole = template([piece("SpecialToken", "[CLS]"), piece("Sequence", "A")]);
    for whole in [whole.clone(), nested(whole)] {
        assert_eq!(ids(&of(whole).unwrap(), "a", Special::With, None).len(), 2);
    }
    for second in [piece("SpecialToken", "[SEP]"), piece("Sequence", "B")] {
        let broken = template([piece("Sequence", "A"), second]);
        for broken in [broken.clone(), nested(broken)] {
            let error = of(broken).unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(error.to_string().starts_with("test") && source.contains("template"), "{error}: {source}");
        }
    }
}

#[test]
fn the_unknown_token_is_given_by_its_token_or_by_its_id() {
    assert_eq!(small().unknown(), Some(1));
    let unigram = |unknown: u32| {
        let vocab = [("<pad>", 0.0), ("a", -1.0), ("<unk>", 0.0)];
        let model = serde_json::json!({"type": "Unigram", "vocab": vocab, "unk_id": unknown});
        let json = serde_json::json!({"version": "1.0", "added_tokens": [], "model": model});
        Tokenizer::from_bytes(json.to_string().as_bytes(), Path::new("test")).unwrap().unknown()
    };
    assert_eq!(unigram(2), Some(2));
}

/// Lines of the corpora in `$LIMBECK_SHARED/data` (by default `../shared` beside the repository), every `step`-th.
fn corpus_lines(step: usize) -> Option<Vec<String>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let shared = std::env::var_os("LIMBECK_SHARED").map_or(PathBuf::from(default), PathBuf::from);
    let mut lines = Vec::new();
    for language in ["en", "zh"] {
        let folder = fs::read_dir(shared.join("data/corpus").join(language)).ok()?;
        for file in
            folder.filter_map(|file| file.ok()).filter(|file| file.path().extension().is_some_and(|e| e == "gz"))
        {
            let mut text = String::new();
            flate2::read::GzDecoder::new(fs::File::open(file.path()).ok()?).read_to_string(&mut text).ok()?;
            lines.extend(text.lines().step_by(step).map(str::to_owned));
        }
    }
    Some(lines)
}

/// `$LIMBECK_STEP`: every n-th line is compared. `$LIMBECK_TOKENIZER` names the tokenizer.json (by default the test
/// makes a small one from the corpora).
static STEP: LazyLock<usize> =
    LazyLock::new(|| std::env::var("LIMBECK_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(100));

#[test]
fn real_text_has_the_references_ids() {
    let Some(lines) = corpus_lines(*STEP) else {
        eprintln!("skipped: no corpora (set LIMBECK_SHARED)");
        return;
    };
    let tokenizer = match std::env::var_os("LIMBECK_TOKENIZER") {
        Some(path) => Tokenizer::from_file(Path::new(&path)).unwrap(),
        None => {
            let mut vocab: std::collections::BTreeSet<String> = (' '..='~').map(String::from).collect();
            for (index, line) in lines.iter().enumerate().filter(|(index, _)| index % 10 == 0) {
                vocab.extend(line.split_whitespace().map(|word| word.to_lowercase()));
                vocab.extend(line.chars().filter(|_| index % 100 == 0).map(|c| format!("##{}", c.to_lowercase())));
            }
            let vocab: Vec<&str> = vocab.iter().map(String::as_str).collect();
            Tokenizer::from_bytes(&bert(&vocab, |_| ()), Path::new("test")).unwrap()
        }
    };
    assert!(tokenizer.fast.is_some());
    let mut fast = 0;
    for line in &lines {
        fast += usize::from(tokenizer.fast.as_ref().unwrap().encode(line, usize::MAX, &mut Vec::new()));
        assert_eq!(ids(&tokenizer, line, Special::Without, None), reference(&tokenizer, line), "{line:?}");
    }
    eprintln!("{} lines alike, {fast} of them by the fast path", lines.len());
    assert!(fast * 10 > lines.len() * 8, "most lines take the fast path");
}
