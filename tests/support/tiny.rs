//! A tiny teacher, a static model and a little text, the same everywhere.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;

const WIDTH: usize = 32;
const LAYERS: usize = 2;
const INNER: usize = 64;
const POSITIONS: usize = 64;

/// Random tensors, the same everywhere.
struct Weights {
    random: fastrand::Rng,
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
}

impl Weights {
    fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), tensors: Vec::new() }
    }

    /// Adds a tensor of values from `offset - scale` to `offset + scale`.
    fn add(&mut self, name: String, shape: &[usize], scale: f32, offset: f32) {
        let count = shape.iter().product();
        let bytes = (0..count).flat_map(|_| (offset + scale * (2.0 * self.random.f32() - 1.0)).to_le_bytes()).collect();
        self.tensors.push((name, shape.to_vec(), bytes));
    }

    fn norm(&mut self, name: &str) {
        self.add(format!("{name}.weight"), &[WIDTH], 0.0, 1.0);
        self.add(format!("{name}.bias"), &[WIDTH], 0.0, 0.0);
    }
}

/// The words that the tiny tokenizer knows.
fn words() -> Vec<String> {
    let mut words: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from).to_vec();
    words.extend(('a'..='z').flat_map(|c| [c.to_string(), format!("##{c}")]));
    words.extend(
        NOUNS
            .iter()
            .chain(VERBS)
            .chain(&["the", "a", "in", "on", "."])
            .filter(|w| w.len() != 1 || **w == ".")
            .map(|w| w.to_string()),
    );
    words
}

const NOUNS: &[&str] =
    &["dog", "cat", "market", "river", "house", "music", "guitar", "garden", "teacher", "student", "train", "city"];
const VERBS: &[&str] = &["sees", "likes", "plays", "follows", "leaves", "paints", "hears", "builds"];

/// Writes a BERT of two narrow layers with a WordPiece tokenizer into `folder`.
pub(crate) fn tiny_teacher(folder: &Path, seed: u64) {
    std::fs::create_dir_all(folder).unwrap();
    let words = words();
    let mut weights = Weights::new(seed);
    for (name, rows) in [("word", words.len()), ("position", POSITIONS), ("token_type", 2)] {
        let scale = if name == "word" { 1.0 } else { 0.3 };
        weights.add(format!("embeddings.{name}_embeddings.weight"), &[rows, WIDTH], scale, 0.0);
    }
    weights.norm("embeddings.LayerNorm");
    for layer in 0..LAYERS {
        let at = format!("encoder.layer.{layer}");
        for (name, outputs, inputs) in [
            ("attention.self.query", WIDTH, WIDTH),
            ("attention.self.key", WIDTH, WIDTH),
            ("attention.self.value", WIDTH, WIDTH),
            ("attention.output.dense", WIDTH, WIDTH),
            ("intermediate.dense", INNER, WIDTH),
            ("output.dense", WIDTH, INNER),
        ] {
            weights.add(format!("{at}.{name}.weight"), &[outputs, inputs], 0.3, 0.0);
            weights.add(format!("{at}.{name}.bias"), &[outputs], 0.05, 0.0);
        }
        weights.norm(&format!("{at}.attention.output.LayerNorm"));
        weights.norm(&format!("{at}.output.LayerNorm"));
    }
    let views = weights
        .tensors
        .iter()
        .map(|(name, shape, bytes)| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    let config = json!({
        "model_type": "bert", "architectures": ["BertModel"], "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
        "num_attention_heads": 4, "intermediate_size": INNER, "vocab_size": words.len(),
        "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "pad_token_id": 0,
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer(&words)).unwrap();
}

/// Writes a Model2Vec folder of the tiny tokenizer's words, with vectors of 8 values.
pub(crate) fn static_model(folder: &Path, seed: u64) {
    std::fs::create_dir_all(folder).unwrap();
    let words = words();
    let mut weights = Weights::new(seed);
    weights.add("embeddings".into(), &[words.len(), 8], 1.0, 0.0);
    let views = weights.tensors.iter();
    let views = views.map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    std::fs::write(folder.join("config.json"), json!({"model_type": "model2vec", "normalize": true}).to_string())
        .unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer(&words)).unwrap();
}

fn tokenizer(words: &[String]) -> String {
    let vocabulary: BTreeMap<&str, usize> = words.iter().enumerate().map(|(id, word)| (word.as_str(), id)).collect();
    let special = |id: usize| {
        json!({"id": id, "content": words[id], "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    let added: Vec<_> = (0..5).map(special).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                               "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary},
    })
    .to_string()
}

/// `count` distinct sentences of the tiny tokenizer's words.
pub(crate) fn sentences(count: usize) -> Vec<String> {
    let mut sentences = Vec::with_capacity(count);
    let (n, v) = (NOUNS.len(), VERBS.len());
    for at in 0..count {
        let (a, b, c) = (at % n, (at / n) % v, (at / (n * v)) % n);
        let place = NOUNS[(at / (n * v * n)) % n];
        sentences.push(format!("the {} {} the {} in the {place}", NOUNS[a], VERBS[b], NOUNS[c]));
    }
    sentences
}
