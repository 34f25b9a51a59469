//! What the benchmarks work on: a BERT tokenizer of made-up words, and sentences of them.

/// Numbers that look random.
pub struct Numbers(pub u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Between 0 and 1.
    pub fn share(&mut self) -> f64 {
        self.next() as f64 / (1u64 << 31) as f64
    }

    /// `count` of them between −1 and 1.
    pub fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| 2.0 * self.share() as f32 - 1.0).collect()
    }
}

/// `count` words of two to five syllables, no two alike.
fn words(count: usize) -> Vec<String> {
    const SYLLABLES: [&str; 16] =
        ["ba", "ce", "di", "fo", "gu", "ha", "jer", "kin", "los", "mu", "nat", "pre", "qui", "ron", "sul", "tar"];
    let word = |number: usize| {
        let digits = (0..5).map(|place| number >> (4 * place)).take_while(|&rest| rest > 0);
        digits.map(|rest| SYLLABLES[rest % 16]).collect::<String>()
    };
    (16..16 + count).map(word).collect()
}

/// A tokenizer.json as BERT's, all of whose words are whole, and `sentences` lines of about twelve of them, the first words
/// being the most frequent as in a language.
pub fn bert(vocabulary: usize, sentences: usize) -> (Vec<u8>, Vec<String>) {
    let words = words(vocabulary);
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "."].map(str::to_owned);
    let tokens = special.iter().chain(&words).zip(0u32..);
    let vocab: serde_json::Map<_, _> = tokens.map(|(token, id)| (token.clone(), id.into())).collect();
    let json = serde_json::json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab}
    });
    let mut numbers = Numbers(1);
    let mut sentence = || {
        let length = 5 + (numbers.share() * 14.0) as usize;
        let word = |_| words[(words.len() as f64).powf(numbers.share()) as usize - 1].as_str();
        let line: Vec<&str> = (0..length).map(word).collect();
        format!("{}.", line.join(" "))
    };
    let lines = (0..sentences).map(|_| sentence()).collect();
    (json.to_string().into_bytes(), lines)
}
