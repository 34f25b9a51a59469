use std::path::Path;

use limbeck_data::progress::Silent;
use limbeck_data::{Interrupt, Monitor};
use limbeck_encoder::{Special, Tokenizer};
use serde_json::{Value, json};

use super::{TextChunks, Vocabulary, build};

/// BERT's tokenizer of these words, with most special tokens at the end, so that their ids change.
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

/// Sentencepiece's tokenizer of its special tokens and these pieces.
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
    let texts: TextChunks = &mut chunks;
    build(vocabulary, base, texts, Monitor::new(&Silent, &Interrupt::new())).map(|json| open(&json))
}

fn tokens(tokenizer: &Tokenizer, text: &str, special: Special) -> Vec<String> {
    let mut ids = Vec::new();
    tokenizer.encode_into(text, special, None, &mut ids).unwrap();
    ids.into_iter().map(|id| tokenizer.token(id).unwrap()).collect()
}

fn own(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    tokens(tokenizer, text, Special::Without)
}

/// Random sentences: words of syllables, some far more frequent than others, and ideographs.
fn text(rows: usize) -> Vec<String> {
    let syllables = ["ka", "lo", "mi", "tu", "ren", "sta", "qui", "po", "ém", "wex", "ing", "un"];
    let mut random = fastrand::Rng::with_seed(7);
    let mut below = move |limit: usize| random.usize(..limit);
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
fn the_same_text_gives_the_same_bytes_with_any_number_of_threads() {
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
fn a_trained_wordpiece_has_frequent_words_as_tokens_and_spells_all_ascii() {
    let base = bert(&["a"]);
    let mut texts = text(1500);
    texts.extend(vec!["Transformation, transformations!".to_string(); 50]);
    let tokenizer = made(Vocabulary::WordPiece { size: 600 }, &base, &texts).unwrap();
    assert!(tokenizer.vocabulary() <= 600 && tokenizer.vocabulary() > 300, "{tokenizer:?}");
    // Capitals become small letters, as in the teacher's tokenizer.
    assert_eq!(own(&tokenizer, "Transformation kalo"), ["transformation", "kalo"]);
    assert_eq!(own(&tokenizer, "中文字"), ["中", "文", "字"]);
    assert_eq!(own(&tokenizer, "x9~q[]"), ["x", "##9", "~", "q", "[", "]"]);
    assert_eq!(own(&tokenizer, "☃"), ["[UNK]"]);
    assert_eq!(tokens(&tokenizer, "kalo", Special::With), ["[CLS]", "kalo", "[SEP]"]);
    assert_eq!(tokenizer.token(0).unwrap(), "[PAD]");
    // The fast path supports it.
    assert!(format!("{tokenizer:?}").contains("fast: true"), "{tokenizer:?}");
}

#[test]
fn an_extended_vocabulary_keeps_its_tokens_and_adds_frequent_words() {
    let base = bert(&["trans", "##form", "##ation", "the", "a", "##s", "."]);
    let mut texts = vec!["The transformation, transformations. a 中文 rare".to_string(); 30];
    texts.extend(vec!["Zebra".to_string(); 40]);
    texts.push("seldom".into());
    let tokenizer = made(Vocabulary::Extended { size: 300 }, &base, &texts).unwrap();
    assert_eq!(own(&tokenizer, "The zebra transformations."), ["the", "zebra", "transformations", "."]);
    assert_eq!(own(&tokenizer, "transforms"), own(&base, "transforms"));
    // Rare words and ideographs are not added.
    assert_eq!(own(&tokenizer, "seldom 中"), ["[UNK]", "[UNK]"]);
    assert_eq!(tokens(&tokenizer, "zebra", Special::With), ["[CLS]", "zebra", "[SEP]"]);
    assert!(format!("{tokenizer:?}").contains("fast: true"), "{tokenizer:?}");
    // With less room, the most frequent words are added.
    let word = |n: u8| format!("w{}{}", char::from(b'a' + n / 26), char::from(b'a' + n % 26));
    texts.extend((0..=u8::MAX).flat_map(|n| vec![word(n); 300 - usize::from(n)]));
    let full = made(Vocabulary::Extended { size: 256 }, &base, &texts).unwrap();
    assert_eq!(full.vocabulary(), 256);
    assert_eq!(own(&full, &format!("{} {}", word(0), word(u8::MAX))), [word(0), "[UNK]".into()]);
    let unigram = sentencepiece(&[("▁the", -1.0)]);
    assert!(made(Vocabulary::Extended { size: 300 }, &unigram, &texts).is_err());
}

#[test]
fn a_trained_vocabulary_treats_capitals_as_the_teachers_does() {
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
fn a_pruned_wordpiece_keeps_the_texts_tokens_and_every_character() {
    let words =
        ["rain", "##bow", "##s", "sun", "moon", "k", "##k", "w", "##w", "##b", "##o", "中", "##中", "m", "##n", "x"];
    let base = bert(&words);
    let texts: Vec<String> = ["rain rainbow", "Rainbows 中", "sun sun"].map(str::to_string).into();
    let pruned = made(Vocabulary::Corpus { min_count: 2 }, &base, &texts).unwrap();
    for text in ["rain rainbow", "sun", "kw 中 x", "[SEP]"] {
        assert_eq!(own(&pruned, text), own(&base, text), "{text}");
    }
    assert_eq!(tokens(&pruned, "sun", Special::With), ["[CLS]", "sun", "[SEP]"]);
    // "##s" occurs once; "##中" never, since no text can have it.
    assert_eq!((pruned.id("moon"), pruned.id("##中")), (None, None));
    assert!(pruned.id("##s").is_some(), "a character");
    assert_eq!(own(&pruned, "moon"), ["m", "##o", "##o", "##n"]);
    assert_eq!(pruned.vocabulary(), base.vocabulary() - 2);
    assert!(format!("{pruned:?}").contains("fast: true"));
}

#[test]
fn a_token_that_no_characters_spell_is_not_pruned() {
    let base = bert(&["rain", "sun", "s", "##u", "##n", "hail"]);
    let pruned = made(Vocabulary::Corpus { min_count: 1 }, &base, &["rain".to_string()]).unwrap();
    assert_eq!(
        (own(&pruned, "sun"), own(&pruned, "hail")),
        (vec!["s".into(), "##u".into(), "##n".into()], vec!["hail".to_string()])
    );
}

#[test]
fn a_pruned_unigram_keeps_scores_and_the_texts_characters() {
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
    assert_eq!(own(&pruned, "sun"), ["▁", "s", "u", "n"], "▁sun occurs once");
    assert_eq!((pruned.id("ж"), pruned.id("▁snow")), (None, None));
    assert_eq!(own(&pruned, "ж"), ["▁", "<unk>"]);
    assert_eq!(tokens(&pruned, "rain", Special::With), ["<s>", "▁rain", "</s>"]);
    let json: Value = serde_json::from_slice(pruned.json()).unwrap();
    let scores = json["model"]["vocab"].as_array().unwrap();
    assert!(scores.contains(&json!(["▁rain", -2.0])) && scores.contains(&json!(["bow", -4.0])));
}

/// The tokenizer of an ONNX export has none.
#[test]
fn a_vocabulary_can_be_made_from_a_tokenizer_without_a_post_processor() {
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
fn the_pieces_of_a_trained_unigram_are_distinct_for_any_order_of_special_tokens() {
    let mut json: Value = serde_json::from_slice(sentencepiece(&[]).json()).unwrap();
    let special = ["<unk>", "<s>", "</s>", "[PAD]", "<mask>"];
    json["model"]["vocab"] = special.iter().map(|token| json!([token, 0.0])).collect();
    json["model"]["unk_id"] = 0.into();
    json["post_processor"] = Value::Null;
    let added = |(id, token): (usize, &&str)| {
        json!({"id": id, "content": token, "special": true, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false})
    };
    json["added_tokens"] = special.iter().enumerate().map(added).collect();
    let tokenizer = made(Vocabulary::Unigram { size: 300 }, &open(json.to_string().as_bytes()), &text(50)).unwrap();
    let made: Value = serde_json::from_slice(tokenizer.json()).unwrap();
    let pieces: Vec<&str> =
        made["model"]["vocab"].as_array().unwrap().iter().map(|piece| piece[0].as_str().unwrap()).collect();
    let distinct: std::collections::BTreeSet<&str> = pieces.iter().copied().collect();
    assert_eq!((pieces[..3].to_vec(), distinct.len()), (vec!["[PAD]", "<unk>", "<s>"], pieces.len()));
}

#[test]
fn impossible_sizes_and_empty_texts_are_refused_with_the_reason() {
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
fn a_text_of_one_word_is_enough_to_train_on() {
    for vocabulary in [Vocabulary::WordPiece { size: 300 }, Vocabulary::Unigram { size: 300 }] {
        let tokenizer = made(vocabulary, &bert(&["a"]), &["a".to_string()]).unwrap();
        assert!(!own(&tokenizer, "a b").is_empty());
    }
}
