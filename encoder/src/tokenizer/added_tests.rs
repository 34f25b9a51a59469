//! Added tokens are found as the reference finds them.

use serde_json::{Value, json};

use super::tests::{VOCAB, bert, ids, reference};
use super::*;

/// A tokenizer with these added tokens after BERT's own.
fn with_added(tokens: Vec<Value>, lowercase: bool) -> Tokenizer {
    let json = bert(&VOCAB, |json| {
        json["normalizer"]["lowercase"] = lowercase.into();
        json["added_tokens"].as_array_mut().unwrap().extend(tokens);
    });
    Tokenizer::from_bytes(&json, Path::new("test")).unwrap()
}

/// An added token; `flags` are the bits of the five properties.
fn token(id: usize, content: &str, flags: u8) -> Value {
    let flag = |bit: u8| flags >> bit & 1 == 1;
    json!({
        "id": id, "content": content, "normalized": flag(0), "lstrip": flag(1), "rstrip": flag(2),
        "single_word": flag(3), "special": flag(4)
    })
}

/// `length` characters that often make or touch a token.
fn characters(random: &mut fastrand::Rng, length: usize) -> String {
    let some =
        ['a', 'b', 'B', '_', '-', '[', ']', ' ', ' ', '\t', '\u{0}', 'é', 'É', '我', '\u{301}', '\u{2003}', '🦀'];
    std::iter::repeat_with(|| some[random.usize(..some.len())]).take(length).collect()
}

#[test]
fn added_tokens_with_any_properties_have_the_references_ids() {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut fast, mut texts) = (0, 0);
    for round in 0..60 {
        let flags: [u8; 8] = std::array::from_fn(|_| random.u8(..32));
        let mut seen = std::collections::HashSet::new();
        let tokens: Vec<Value> = (0..random.usize(1..8))
            .filter_map(|_| {
                let length = random.usize(1..5);
                let content = characters(&mut random, length);
                // The reference picks one of two tokens with the same normalised text by chance.
                let normal: String = content.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
                (!normal.is_empty() && seen.insert(normal.replace('é', "e"))).then_some(content)
            })
            .zip(VOCAB.len() + 5..)
            .map(|(content, id)| token(id, &content, flags[id % 8]))
            .collect();
        let said = json!(tokens).to_string();
        let tokenizer = with_added(tokens, round % 2 == 0);
        for _ in 0..100 {
            let length = random.usize(..20);
            let text = characters(&mut random, length);
            let mut found = Vec::new();
            let path = tokenizer.fast.as_ref();
            fast += usize::from(path.is_some_and(|path| path.encode(&text, usize::MAX, &mut found)));
            texts += 1;
            let whole = reference(&tokenizer, &text);
            assert_eq!(ids(&tokenizer, &text, Special::Without, None), whole, "{text:?} with {said}");
            let room = random.usize(..8);
            let cut = &whole[..room.min(whole.len())];
            assert_eq!(ids(&tokenizer, &text, Special::Without, Some(room)), cut, "{text:?} with {said}");
        }
    }
    assert!(fast * 2 > texts, "the fast path takes {fast} of {texts} texts");
}

#[test]
fn thousands_of_added_tokens_have_the_references_ids() {
    for flags in [0, 1, 2 + 4, 8, 1 + 8] {
        let first = VOCAB.len() + 5;
        let tokens = (0..3_000).map(|n| token(first + n, &format!("sku{n}x"), flags)).collect();
        let tokenizer = with_added(tokens, true);
        assert!(tokenizer.is_fast());
        let text = |n: usize| format!("hello sku{n}xsku{}x, SKU{n}X é sku{n}  un-sku{n}x 🦀 sku{n}x_ able", n / 2);
        for n in (0..3_100).step_by(37) {
            let text = text(n);
            assert_eq!(ids(&tokenizer, &text, Special::Without, None), reference(&tokenizer, &text), "{text:?}");
        }
    }
}

#[test]
fn the_longest_added_token_counts_and_strips_the_spaces_around_it() {
    let first = VOCAB.len() + 5;
    let tokens = vec![token(first, "ab", 0), token(first + 1, "abc", 2 + 4), token(first + 2, "Worlds", 1)];
    let tokenizer = with_added(tokens, true);
    let own = |text: &str| -> Vec<usize> {
        let mut ids = Vec::new();
        assert!(tokenizer.fast.as_ref().unwrap().encode(text, usize::MAX, &mut ids));
        ids.iter().map(|&id| id as usize).collect()
    };
    // 20: a, 22: c.
    assert_eq!(own("abab abc c a"), [first, first, first + 1, 22, 20]);
    assert_eq!(own("wORLDs a"), [first + 2, 20]);
    assert_eq!(own("Abc"), [1]);
}

#[test]
fn added_tokens_that_no_text_can_tell_apart_are_refused() {
    let first = VOCAB.len() + 5;
    let of = |flags| {
        let tokens = vec![token(first, "COVID", 1), token(first + 1, "covid", flags)];
        let json = bert(&VOCAB, |json| json["added_tokens"].as_array_mut().unwrap().extend(tokens));
        Tokenizer::from_bytes(&json, Path::new("test"))
    };
    let error = of(1).unwrap_err();
    assert!(error.to_string().contains("\"COVID\" and \"covid\"") && error.hint().is_some(), "{error}");
    let tokenizer = of(0).unwrap();
    assert_eq!(ids(&tokenizer, "covid Covid", Special::Without, None), [first as u32 + 1, first as u32]);
}
