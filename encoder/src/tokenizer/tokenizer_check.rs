//! Checks that the fast path gives the reference's ids, before a tokenizer uses the fast path at all.

use super::fast::FastPath;

/// Whether the fast path gives every text of [`texts`] that it accepts the ids that `reference` gives.
pub(super) fn agrees(fast: &FastPath, reference: impl Fn(&str) -> Option<Vec<u32>>) -> bool {
    texts().iter().all(|text| {
        let mut ids = Vec::new();
        !fast.encode(text, usize::MAX, &mut ids) || reference(text).is_some_and(|reference| reference == ids)
    })
}

/// Texts of every kind over which tokenizers may differ.
pub(super) fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "a",
        "Hello, World!",
        "The quick brown fox jumps over the lazy dog.",
        "don't can't we'll it's 'quoted' \"double\" `back`",
        "e-mail: someone@example.com, https://example.com/a?b=c&d=%20#e",
        "$1,234.56 + 7% = 3.14e-10; (a+b)*[c] {d} <e> | f \\ g / h ^ ~ _",
        "naïve café résumé Ünïcödé ÀÉÎÕÜ ß Æ œ ø Ł",
        "ΑΒΓ αβγς Привет, МИР! שלום العربية हिन्दी ไทย 한국어 ქართული",
        "Zürich Ångström İstanbul ǅ ﬁ ﬀ",
        "I ❤️ 🦀 and 👩‍👩‍👧‍👦, 👍🏽 🇩🇪 ✨!",
        "今天天气很好，我们去公园吧。",
        "日本語のテキスト、カタカナ と ひらがな。",
        "中文english混合123文本",
        "𠀀𠀁 豈更 ㍿ ① ⅷ ½",
        "tab\tnewline\ncarriage\r\nform\u{c}feed\u{b}vertical",
        "zero\u{200b}width\u{200d}joiner\u{feff}bom soft\u{ad}hyphen",
        "no\u{a0}break\u{2003}em\u{3000}ideographic\u{2028}line\u{85}next",
        "null\u{0}bell\u{7}escape\u{1b}delete\u{7f}replacement\u{fffd}",
        "e\u{301}a\u{308}\u{323} combining",
        "   many   spaces   ",
        "...!!!???---___***",
        "“curly” ‘quotes’ – dashes — … • ·",
        "[CLS] [SEP] [PAD] [UNK] [MASK] <s> </s> <pad> <unk> <mask> <|endoftext|>",
        "text[SEP]text [cls] [ CLS ] [CLS",
        "##ing ## # ##a",
        "unaffable antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
        "qzxjkvqzxjkv zzzzzzzzzz xqxqxqxq asdfghjklöä",
        "RT @user: OMG!!! #hashtag http://t.co/AbC123 lol :-) <3",
        "x1y2z3 2024-11-24T06:42:00Z v1.2.3-rc.4 0xDEADBEEF 1st 2nd",
        "\u{e000}\u{f8ff} private \u{10ffff}",
    ]
    .map(str::to_owned)
    .into();
    for length in [99, 100, 101, 1_000] {
        texts.push(format!("before {} after", "a".repeat(length)));
        texts.push(format!("before {} after", "é".repeat(length)));
    }
    texts.push("word ".repeat(1_000));
    texts
}
