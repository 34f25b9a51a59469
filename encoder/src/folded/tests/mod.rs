//! Shared by the tests of the folded file: small students, and the formula in f64.

mod corruption;
mod exactness;
mod golden;
mod lexical;
mod memory;

use std::path::PathBuf;

use fastrand::Rng;
use tempfile::TempDir;

use super::{Attention, Convolution, MaxPooled, Parts, Precision, Student, to_bytes, write};

/// `count` numbers, about normal (each the sum of twelve uniform numbers, minus six), times `scale`.
fn normals(random: &mut Rng, count: usize, scale: f32) -> Vec<f32> {
    let mut normal = || (0..12).map(|_| random.f32()).sum::<f32>() - 6.0;
    (0..count).map(|_| normal() * scale).collect()
}

/// A WordPiece tokenizer.json with the words `w0`, `w1` … after five special tokens.
pub(crate) fn tokenizer_json(vocabulary: usize) -> Vec<u8> {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned);
    let words = special.into_iter().chain((5..vocabulary).map(|id| format!("w{}", id - 5)));
    let vocab: serde_json::Map<_, _> = words.zip(0u32..).map(|(word, id)| (word, id.into())).collect();
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": true
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null, "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab
        }
    })
    .to_string()
    .into_bytes()
}

/// The sizes of a student.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) vocabulary: usize,
    pub(crate) dimension: usize,
    /// The widths of the max-pooled convolutions, and the number of filters of each.
    pub(crate) max_pooled: (&'static [usize], usize),
    /// d, heads, score filters, and whether the attention has a skip.
    pub(crate) attention: Option<(usize, usize, usize, bool)>,
    pub(crate) skip_table: bool,
    /// Whether each head has values of its own.
    pub(crate) own_values: bool,
}

/// A random student. Row `v` of each table is scaled by `weight(v)`.
pub(crate) fn student(sizes: Sizes, seed: u64, weight: impl Fn(usize) -> f32) -> Parts {
    let Sizes { vocabulary, dimension, max_pooled: (widths, filters), attention, skip_table, own_values } = sizes;
    let random = &mut Rng::with_seed(seed);
    let table = |random: &mut Rng, width: usize, scale: f32| -> Vec<f32> {
        (0..vocabulary).flat_map(|v| normals(random, width, scale * weight(v))).collect()
    };
    let convolution = |random: &mut Rng, width: usize, filters: usize| Convolution {
        width,
        filters,
        table: table(random, width * filters, 1.0 / (width as f32).sqrt()),
        bias: normals(random, filters, 0.3),
    };
    let max_pooled = (!widths.is_empty()).then(|| MaxPooled {
        convolutions: widths.iter().map(|&width| convolution(random, width, filters)).collect(),
        weight: normals(random, dimension * widths.len() * filters, 0.1),
        bias: normals(random, dimension, 0.1),
    });
    let attention = attention.map(|(d, heads, filters, skip)| Attention {
        width_of_embedding: d,
        score: convolution(random, 5, filters),
        embeddings: table(random, if own_values { heads * d } else { d }, 1.0),
        own_values,
        score_weight: normals(random, heads * filters, 0.3),
        score_bias: normals(random, heads, 0.3),
        heads: normals(random, dimension * heads * d, 0.05),
        skip: skip.then(|| normals(random, dimension * d, 0.1)),
    });
    let skip_table = skip_table.then(|| (0..vocabulary).flat_map(|v| normals(random, dimension, weight(v))).collect());
    Parts {
        vocabulary,
        dimension,
        max_pooled,
        attention,
        skip_table,
        lexical: None,
        tokenizer: tokenizer_json(vocabulary - 1),
        empty_token: vocabulary as u32 - 1,
        max_tokens: None,
        parameters: 1234,
        metadata: r#"{"name":"test"}"#.into(),
    }
}

/// Sizes of every kind.
pub(crate) fn every_make() -> Vec<Sizes> {
    let full = Sizes {
        vocabulary: 300,
        dimension: 40,
        max_pooled: (&[1, 3, 5], 24),
        attention: Some((48, 8, 40, true)),
        skip_table: false,
        own_values: false,
    };
    vec![
        full,
        Sizes { attention: None, skip_table: true, ..full },
        Sizes { attention: None, max_pooled: (&[], 0), skip_table: true, ..full },
        Sizes { attention: None, ..full },
        Sizes { max_pooled: (&[], 0), ..full },
        Sizes { max_pooled: (&[], 0), attention: Some((33, 3, 7, false)), skip_table: true, ..full },
        Sizes { max_pooled: (&[7], 33), attention: Some((32, 17, 32, true)), ..full },
        Sizes { max_pooled: (&[33], 5), attention: Some((1, 1, 1, true)), dimension: 1, ..full },
        Sizes { attention: Some((64, 8, 40, false)), skip_table: true, own_values: true, ..full },
        Sizes { max_pooled: (&[], 0), attention: Some((33, 19, 7, false)), own_values: true, ..full },
    ]
}

/// Sentences of token ids of many lengths, an empty one among them.
pub(crate) fn sentences(count: usize, vocabulary: usize, seed: u64) -> Vec<Vec<u32>> {
    let mut random = Rng::with_seed(seed);
    let lengths = [0, 1, 2, 3, 4, 5, 12, 13, 40, 127, 128, 129, 300];
    (0..count).map(|row| (0..lengths[row % lengths.len()]).map(|_| random.u32(..vocabulary as u32)).collect()).collect()
}

/// A student, written to a file and opened.
pub(crate) fn open(parts: &Parts, precision: Precision) -> (TempDir, PathBuf, Student) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("student.folded");
    let bytes = write(&path, parts, precision).unwrap();
    assert_eq!(bytes, std::fs::metadata(&path).unwrap().len());
    let student = Student::load(&path).unwrap();
    (folder, path, student)
}

/// The formula of [`Parts`], in f64.
pub(crate) fn reference(parts: &Parts, ids: &[u32]) -> Vec<f64> {
    let empty = [parts.empty_token];
    let ids: Vec<usize> = if ids.is_empty() { &empty } else { ids }.iter().map(|&id| id as usize).collect();
    let mut out = vec![0.0f64; parts.dimension];
    let mut add = |matrix: &[f32], at: usize, row: usize, x: &[f64]| {
        for (out, weights) in out.iter_mut().zip(matrix.chunks_exact(row)) {
            *out += weights[at..].iter().zip(x).map(|(&w, x)| f64::from(w) * x).sum::<f64>();
        }
    };
    if let Some(max_pooled) = &parts.max_pooled {
        let features: Vec<f64> = (max_pooled.convolutions.iter())
            .flat_map(|convolution| {
                let all = convolve(convolution, &ids);
                (0..convolution.filters).map(move |f| all.iter().map(|row| row[f]).fold(0.0, f64::max))
            })
            .collect();
        add(&max_pooled.weight, 0, features.len(), &features);
        add(&max_pooled.bias, 0, 1, &[1.0]);
    }
    let mean = |table: &[f32], (row, at, width): (usize, usize, usize), weights: &[f64]| -> Vec<f64> {
        let number = |j: usize| ids.iter().zip(weights).map(|(&id, w)| w * f64::from(table[id * row + at + j])).sum();
        (0..width).map(number).collect()
    };
    let uniform = vec![1.0 / ids.len() as f64; ids.len()];
    if let Some(attention) = &parts.attention {
        let (d, heads) = (attention.width_of_embedding, attention.score_bias.len());
        let features = convolve(&attention.score, &ids);
        for (head, weights) in attention.score_weight.chunks_exact(attention.score.filters).enumerate() {
            let score = |x: &Vec<f64>| -> f64 { weights.iter().zip(x).map(|(&w, x)| f64::from(w) * x).sum() };
            let scores: Vec<f64> = features.iter().map(score).collect();
            let greatest = scores.iter().copied().fold(f64::MIN, f64::max);
            let powers: Vec<f64> = scores.iter().map(|score| (score - greatest).exp()).collect();
            let total: f64 = powers.iter().sum();
            let weights: Vec<f64> = powers.iter().map(|power| power / total).collect();
            let (row, at) = if attention.own_values { (heads * d, head * d) } else { (d, 0) };
            add(&attention.heads, head * d, heads * d, &mean(&attention.embeddings, (row, at, d), &weights));
        }
        if let Some(skip) = &attention.skip {
            add(skip, 0, d, &mean(&attention.embeddings, (d, 0, d), &uniform));
        }
    }
    if let Some(table) = &parts.skip_table {
        let skip = mean(table, (parts.dimension, 0, parts.dimension), &uniform);
        out.iter_mut().zip(skip).for_each(|(out, skip)| *out += skip);
    }
    let length = out.iter().map(|x| x * x).sum::<f64>().sqrt();
    out.iter().map(|x| if length > 0.0 { x / length } else { 0.0 }).collect()
}

/// relu(convolution + bias): a row for each position.
fn convolve(convolution: &Convolution, ids: &[usize]) -> Vec<Vec<f64>> {
    let Convolution { width, filters, table, bias } = convolution;
    let number = |position: usize, filter: usize| -> f64 {
        let tap = |t: usize| match (position + t).checked_sub(width / 2).and_then(|i| ids.get(i)) {
            Some(&id) => f64::from(table[(id * width + t) * filters + filter]),
            None => 0.0,
        };
        ((0..*width).map(tap).sum::<f64>() + f64::from(bias[filter])).max(0.0)
    };
    (0..ids.len()).map(|position| (0..*filters).map(|filter| number(position, filter)).collect()).collect()
}

/// The cosine of two vectors.
pub(crate) fn cosine(a: &[f32], b: &[f64]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(&a, b)| f64::from(a) * b).sum();
    let squares = a.iter().map(|&a| f64::from(a).powi(2)).sum::<f64>() * b.iter().map(|b| b * b).sum::<f64>();
    dot / squares.sqrt()
}

/// The greatest difference of two vectors' values.
pub(crate) fn difference(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(&a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max)
}
