use std::path::Path;

use limbeck_data::Interrupt;
use limbeck_data::progress::Silent;
use limbeck_encoder::{Special, Tokenizer};
use serde_json::{Value, json};

use super::{Texts, Vocabulary, Watch, build};

/// BERT's tokenizer of these words behind its special tokens, which stand at the end to have ids that change.
fn bert(words: &[&str]) -> Tokenizer {
    let special = ["[CLS]", "[SEP]", "[MASK]"];
    let all: Vec<&str> = ["[PAD]", "[UNK]"].into_iter().chain(words.iter().copied()).chain(special).collect();
    let id = |token: &str| all.iter().position(|other| *other == token).unwrap();
    let mut base: Value = serde_json::from_slice(include_bytes!("bert.json")).unwrap();
    base["model"]["vocab"] = all.iter().map(|token| (token.to_string(), Value::from(id(token)))).collect();
    for token in base["added_tokens"].as_array_mut().unwrap() {
        token["id"] = id(token["content"].as_str().unwrap()).into();
    }
    for name in ["[CLS]", "[SEP]"] {
        base["post_processor"]["special_tokens"][name]["ids"] = json!([id(name)]);
    }
    open(base.to_string().as_bytes())
}

/// Sentencepiece's tokenizer of these pieces behind its special tokens.
fn sentencepiece(pieces: &[(&str, f64)]) -> Tokenizer {
    let mut base: Value = serde_json::from_slice(include_bytes!("sentencepiece.json")).unwrap();
    base["model"]["vocab"].as_array_mut().unwrap().extend(pieces.iter().map(|pair| json!(pair)));
    open(base.to_string().as_bytes())
}

fn open(json: &[u8]) -> Tokenizer {
    Tokenizer::from_bytes(json, Path::new("test")).unwrap()
}

fn made(vocabulary: Vocabulary, base: &Tokenizer, texts: &[String]) -> crate::Result<Tokenizer> {
    let mut chunks = texts.chunks(700).map(|chunk| Ok(chunk.to_vec()));
    let texts: Texts = &mut chunks;
    let watch = Watch { progress: &Silent, interrupt: &Interrupt::new() };
    build(vocabulary, base, texts, watch).map(|json| open(&json))
}

fn tokens(tokenizer: &Tokenizer, text: &str, special: Special) -> Vec<String> {
    let mut ids = Vec::new();
    tokenizer.encode_into(text, special, None, &mut ids).unwrap();
    ids.into_iter().map(|id| tokenizer.token(id).unwrap()).collect()
}

fn own(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    tokens(tokenizer, text, Special::Without)
}

/// Sentences of words built of syllables, some far more frequent than others, with ideographs among them.
fn text(rows: usize) -> Vec<String> {
    let syllables = ["ka", "lo", "mi", "tu", "ren", "sta", "qui", "po", "ém", "wex", "ing", "un"];
    let mut state = 7u64;
    let mut below = move |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let mut sentence = || {
        let mut sentence = String::new();
        for _ in 0..3 + below(5) {
            for _ in 0..1 + below(3) {
                let most = 1 + below(syllables.len());
                sentence += syllables[below(most)];
            }
            sentence += [" ", " ", ", ", "中", "文字"][below(5)];
        }
        sentence + &format!("{}.", below(1000))
    };
    (0..rows).map(|_| sentence()).collect()
}

#[test]
fn the_same_text_gives_the_same_bytes_whatever_the_threads() {
    let (texts, base) = (text(1500), bert(&["a"]));
    for vocabulary in [Vocabulary::WordPiece { size: 600 }, Vocabulary::Unigram { size: 400 }] {
        let train = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| made(vocabulary, &base, &texts).unwrap().json().to_vec())
        };
        let first = train(1);
        for threads in [1, 2, 3, 4, 4] {
            assert!(train(threads) == first, "{vocabulary:?} with {threads} threads");
        }
        let other = made(vocabulary, &base, &texts[..1000]).unwrap();
        assert!(other.json() != first, "{vocabulary:?} of another text");
    }
}

#[test]
fn a_trained_wordpiece_has_the_frequent_words_whole_and_reads_everything_in_ascii() {
    let base = bert(&["a"]);
    let mut texts = text(1500);
    texts.extend(vec!["Transformation, transformations!".to_string(); 50]);
    let tokenizer = made(Vocabulary::WordPiece { size: 600 }, &base, &texts).unwrap();
    assert!(tokenizer.vocabulary() <= 600 && tokenizer.vocabulary() > 300, "{tokenizer:?}");
    // As the teacher does, it takes capitals for small letters.
    assert_eq!(own(&tokenizer, "Transformation kalo"), ["transformation", "kalo"]);
    assert_eq!(own(&tokenizer, "中文字"), ["中", "文", "字"]);
    assert_eq!(own(&tokenizer, "x9~q[]"), ["x", "##9", "~", "q", "[", "]"]);
    assert_eq!(own(&tokenizer, "☃"), ["[UNK]"]);
    assert_eq!(tokens(&tokenizer, "kalo", Special::With), ["[CLS]", "kalo", "[SEP]"]);
    assert_eq!(tokenizer.token(0).unwrap(), "[PAD]");
    // The fast path takes it.
    assert!(format!("{tokenizer:?}").contains("fast: true"), "{tokenizer:?}");
}

#[test]
fn an_extended_vocabulary_keeps_its_tokens_and_has_frequent_words_whole() {
    let base = bert(&["trans", "##form", "##ation", "the", "a", "##s", "."]);
    let mut texts = vec!["The transformation, transformations. a 中文 rare".to_string(); 30];
    texts.extend(vec!["Zebra".to_string(); 40]);
    texts.push("seldom".into());
    let tokenizer = made(Vocabulary::Extended { size: 300 }, &base, &texts).unwrap();
    assert_eq!(own(&tokenizer, "The zebra transformations."), ["the", "zebra", "transformations", "."]);
    assert_eq!(own(&tokenizer, "transforms"), own(&base, "transforms"));
    // Neither what is rare nor an ideograph, which is a word already.
    assert_eq!(own(&tokenizer, "seldom 中"), ["[UNK]", "[UNK]"]);
    assert_eq!(tokens(&tokenizer, "zebra", Special::With), ["[CLS]", "zebra", "[SEP]"]);
    assert!(format!("{tokenizer:?}").contains("fast: true"), "{tokenizer:?}");
    // The most frequent first, in the room there is.
    let word = |n: u8| format!("w{}{}", char::from(b'a' + n / 26), char::from(b'a' + n % 26));
    texts.extend((0..=u8::MAX).flat_map(|n| vec![word(n); 300 - usize::from(n)]));
    let full = made(Vocabulary::Extended { size: 256 }, &base, &texts).unwrap();
    assert_eq!(full.vocabulary(), 256);
    assert_eq!(own(&full, &format!("{} {}", word(0), word(u8::MAX))), [word(0), "[UNK]".into()]);
    let unigram = sentencepiece(&[("▁the", -1.0)]);
    assert!(made(Vocabulary::Extended { size: 300 }, &unigram, &texts).is_err());
}

#[test]
fn a_teacher_that_tells_capitals_has_a_student_that_does() {
    let base = sentencepiece(&[("▁the", -1.0), ("▁THE", -2.0), ("▁", -3.0)]);
    let texts = vec!["Paris paris Paris paris".to_string(); 20];
    let tokenizer = made(Vocabulary::WordPiece { size: 400 }, &base, &texts).unwrap();
    assert_eq!(own(&tokenizer, "Paris paris XY"), ["Paris", "paris", "X", "##Y"]);
    let tokenizer = made(Vocabulary::WordPiece { size: 400 }, &bert(&["the"]), &texts).unwrap();
    assert_eq!(own(&tokenizer, "Paris"), ["paris"]);
}

#[test]
fn a_trained_unigram_has_frequent_pieces_and_every_character_of_the_text() {
    let base = sentencepiece(&[("▁the", -1.0), ("▁", -3.0)]);
    let mut texts = text(1500);
    texts.extend((0..50).map(|at| format!("今天天气很好{at}")));
    let tokenizer = made(Vocabulary::Unigram { size: 500 }, &base, &texts).unwrap();
    assert!(tokenizer.vocabulary() <= 500 && tokenizer.vocabulary() > 200, "{tokenizer:?}");
    assert_eq!(own(&tokenizer, "今天天气很好"), ["▁今天天气很好"]);
    for text in &texts {
        assert!(!own(&tokenizer, text).contains(&"<unk>".to_string()), "{text}");
    }
    assert!(!own(&tokenizer, "Zebra? [x]^~").contains(&"<unk>".to_string()));
    assert!(own(&tokenizer, "☃").contains(&"<unk>".to_string()));
    let whole = tokens(&tokenizer, "kalo", Special::With);
    assert_eq!((whole.first().unwrap().as_str(), whole.last().unwrap().as_str()), ("<s>", "</s>"));
}

#[test]
fn of_a_pruned_wordpiece_what_the_text_uses_and_every_character_stays() {
    let words =
        ["rain", "##bow", "##s", "sun", "moon", "k", "##k", "w", "##w", "##b", "##o", "中", "##中", "m", "##n", "x"];
    let base = bert(&words);
    let texts: Vec<String> = ["rain rainbow", "Rainbows 中", "sun sun"].map(str::to_string).into();
    let pruned = made(Vocabulary::Corpus { min_count: 2 }, &base, &texts).unwrap();
    for text in ["rain rainbow", "sun", "kw 中 x", "[SEP]"] {
        assert_eq!(own(&pruned, text), own(&base, text), "{text}");
    }
    assert_eq!(tokens(&pruned, "sun", Special::With), ["[CLS]", "sun", "[SEP]"]);
    // "##s" stands once; "##中" stands nowhere, for no text can have it.
    assert_eq!((pruned.id("moon"), pruned.id("##中")), (None, None));
    assert!(pruned.id("##s").is_some(), "a character");
    assert_eq!(own(&pruned, "moon"), ["m", "##o", "##o", "##n"]);
    assert_eq!(pruned.vocabulary(), base.vocabulary() - 2);
    assert!(format!("{pruned:?}").contains("fast: true"));
}

#[test]
fn what_no_characters_could_spell_is_not_pruned() {
    let base = bert(&["rain", "sun", "s", "##u", "##n", "hail"]);
    let pruned = made(Vocabulary::Corpus { min_count: 1 }, &base, &["rain".to_string()]).unwrap();
    assert_eq!(
        (own(&pruned, "sun"), own(&pruned, "hail")),
        (vec!["s".into(), "##u".into(), "##n".into()], vec!["hail".to_string()])
    );
}

#[test]
fn of_a_pruned_unigram_scores_and_the_texts_characters_stay() {
    let pieces = [
        ("▁rain", -2.0),
        ("▁", -3.0),
        ("bow", -4.0),
        ("s", -5.0),
        ("▁sun", -4.5),
        ("n", -8.0),
        ("u", -8.5),
        ("r", -9.0),
        ("a", -9.1),
        ("i", -9.2),
        ("ж", -9.5),
        ("b", -9.6),
        ("o", -9.7),
        ("w", -9.8),
        ("▁snow", -6.0),
    ];
    let base = sentencepiece(&pieces);
    let texts: Vec<String> = ["rainbow rain", "rainbows", "sun"].map(str::to_string).into();
    let pruned = made(Vocabulary::Corpus { min_count: 2 }, &base, &texts).unwrap();
    assert_eq!(own(&pruned, "rain bow"), own(&base, "rain bow"));
    assert_eq!(own(&pruned, "sun"), ["▁", "s", "u", "n"], "▁sun stood once");
    assert_eq!((pruned.id("ж"), pruned.id("▁snow")), (None, None));
    assert_eq!(own(&pruned, "ж"), ["▁", "<unk>"]);
    assert_eq!(tokens(&pruned, "rain", Special::With), ["<s>", "▁rain", "</s>"]);
    let json: Value = serde_json::from_slice(pruned.json()).unwrap();
    let scores = json["model"]["vocab"].as_array().unwrap();
    assert!(scores.contains(&json!(["▁rain", -2.0])) && scores.contains(&json!(["bow", -4.0])));
}

/// As in every tokenizer that stands beside an ONNX export.
#[test]
fn a_tokenizer_without_a_post_processor_serves_too() {
    let mut json: Value = serde_json::from_slice(bert(&["rain", "sun"]).json()).unwrap();
    json["post_processor"] = Value::Null;
    let base = open(json.to_string().as_bytes());
    for vocabulary in
        [Vocabulary::Corpus { min_count: 1 }, Vocabulary::WordPiece { size: 300 }, Vocabulary::Unigram { size: 300 }]
    {
        let tokenizer = made(vocabulary, &base, &["rain".to_string()]).unwrap();
        assert!(!own(&tokenizer, "rain").is_empty());
    }
}

#[test]
fn no_piece_of_a_trained_unigram_stands_twice_whatever_the_order_of_special_tokens() {
    let mut json: Value = serde_json::from_slice(sentencepiece(&[]).json()).unwrap();
    let special = ["<unk>", "<s>", "</s>", "[PAD]", "<mask>"];
    json["model"]["vocab"] = special.iter().map(|token| json!([token, 0.0])).collect();
    json["model"]["unk_id"] = 0.into();
    json["post_processor"] = Value::Null;
    let added = |(id, token): (usize, &&str)| json!({"id": id, "content": token, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false});
    json["added_tokens"] = special.iter().enumerate().map(added).collect();
    let tokenizer = made(Vocabulary::Unigram { size: 300 }, &open(json.to_string().as_bytes()), &text(50)).unwrap();
    let made: Value = serde_json::from_slice(tokenizer.json()).unwrap();
    let pieces: Vec<&str> =
        made["model"]["vocab"].as_array().unwrap().iter().map(|piece| piece[0].as_str().unwrap()).collect();
    let distinct: std::collections::BTreeSet<&str> = pieces.iter().copied().collect();
    assert_eq!((pieces[..3].to_vec(), distinct.len()), (vec!["[PAD]", "<unk>", "<s>"], pieces.len()));
}

#[test]
fn what_cannot_be_is_an_error_that_says_why() {
    let base = bert(&["a"]);
    let refused = |vocabulary, texts: &[String]| made(vocabulary, &base, texts).unwrap_err();
    let message = refused(Vocabulary::WordPiece { size: 10 }, &text(5)).to_string();
    assert!(message.contains("student.vocabulary_size is 10") && message.contains("256"), "{message}");
    assert!(refused(Vocabulary::Corpus { min_count: 0 }, &text(5)).to_string().contains("min_count"));
    for vocabulary in
        [Vocabulary::WordPiece { size: 300 }, Vocabulary::Unigram { size: 300 }, Vocabulary::Corpus { min_count: 1 }]
    {
        let error = refused(vocabulary, &[]);
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("has none"), "{error}");
    }
}

#[test]
fn tiny_texts_train_too() {
    for vocabulary in [Vocabulary::WordPiece { size: 300 }, Vocabulary::Unigram { size: 300 }] {
        let tokenizer = made(vocabulary, &bert(&["a"]), &["a".to_string()]).unwrap();
        assert!(!own(&tokenizer, "a b").is_empty());
    }
}
