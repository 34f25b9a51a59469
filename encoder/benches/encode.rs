//! Folded students of random numbers in the family's shapes: sentences a second.
//!
//! ```sh
//! cargo bench -p limbeck-encoder
//! LIMBECK_TOKENIZER=tokenizer.json LIMBECK_LINES=lines.txt cargo bench -p limbeck-encoder -- from_text
//! ```
//!
//! Without the two files the text is made up. The tables are as large as a real student's, and all rows are drawn from the whole of
//! them, so caches are used as in earnest.

mod material;

use std::path::Path;
use std::sync::LazyLock;

use divan::{Bencher, counter::ItemsCount};
use limbeck_encoder::{
    Special, Student, TokenBatch, Tokenizer,
    folded::{Attention, Convolution, Parts, Precision, write},
};
use material::Numbers;

fn main() {
    divan::main();
}

/// How many sentences a call has.
const SENTENCES: usize = 4_096;

const DIMENSION: usize = 384;

/// A student's shape: heads, the width of each one's values, width and filters of their score's convolution.
#[derive(Debug, Clone, Copy)]
struct Shape {
    name: &'static str,
    heads: usize,
    values: usize,
    score: (usize, usize),
    precision: Precision,
}

const STATIC: Shape = Shape { name: "static", heads: 0, values: 0, score: (0, 0), precision: Precision::Int8 };
const M: Shape = Shape { name: "m", heads: 16, values: 32, score: (5, 96), precision: Precision::Int8 };
const SHAPES: [Shape; 7] = [
    STATIC,
    Shape { name: "xs", heads: 4, values: 32, score: (3, 32), precision: Precision::Int8 },
    Shape { name: "s", heads: 8, values: 32, score: (5, 64), precision: Precision::Int8 },
    M,
    Shape { name: "l", heads: 16, values: 64, score: (5, 128), precision: Precision::Int8 },
    Shape { name: "static f32", precision: Precision::F32, ..STATIC },
    Shape { name: "m f32", precision: Precision::F32, ..M },
];

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Tokenizer and text, the user's or made up.
static MATERIAL: LazyLock<(Vec<u8>, Vec<String>)> = LazyLock::new(|| {
    let file = |name| std::env::var_os(name).map(|path| std::fs::read(&path).expect(name));
    let (mut tokenizer, mut lines) = material::bert(30_000, SENTENCES);
    if let Some(json) = file("LIMBECK_TOKENIZER") {
        tokenizer = json;
    }
    if let Some(text) = file("LIMBECK_LINES") {
        let text = String::from_utf8(text).expect("LIMBECK_LINES is UTF-8");
        lines = text.lines().take(SENTENCES).map(str::to_owned).collect();
    }
    (tokenizer, lines)
});

static TOKENIZER: LazyLock<Tokenizer> =
    LazyLock::new(|| Tokenizer::from_bytes(&MATERIAL.0, Path::new("tokenizer.json")).expect("a tokenizer"));

static TOKENS: LazyLock<TokenBatch> = LazyLock::new(|| {
    let texts: Vec<&str> = MATERIAL.1.iter().map(String::as_str).collect();
    TOKENIZER.encode_batch(&texts, Special::Without, None).expect("texts")
});

fn student(shape: &Shape) -> Student {
    let mut numbers = Numbers(1);
    let vocabulary = TOKENIZER.vocabulary() + 1;
    let Shape { heads, values, score: (width, filters), precision, .. } = *shape;
    let attention = (heads > 0).then(|| Attention {
        width_of_embedding: values,
        embeddings: numbers.many(vocabulary * heads * values),
        own_values: true,
        score: Convolution {
            width,
            filters,
            table: numbers.many(vocabulary * width * filters),
            bias: numbers.many(filters),
        },
        score_weight: numbers.many(heads * filters),
        score_bias: numbers.many(heads),
        heads: numbers.many(DIMENSION * heads * values),
        skip: None,
    });
    let parts = Parts {
        vocabulary,
        dimension: DIMENSION,
        tokenizer: TOKENIZER.json().to_vec(),
        empty_token: vocabulary as u32 - 1,
        attention,
        skip_table: Some(numbers.many(vocabulary * DIMENSION)),
        ..Parts::default()
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("student");
    write(&path, &parts, precision).expect("a student");
    Student::load(&path).expect("the student")
}

#[divan::bench]
fn tokenise(bencher: Bencher) {
    let texts = &MATERIAL.1;
    let mut ids = Vec::new();
    LazyLock::force(&TOKENIZER);
    bencher.counter(ItemsCount::new(texts.len())).bench_local(|| {
        ids.clear();
        texts.iter().for_each(|text| TOKENIZER.encode_into(text, Special::Without, None, &mut ids).expect("text"));
        ids.len()
    });
}

#[divan::bench(args = SHAPES)]
fn from_text(bencher: Bencher, shape: &Shape) {
    let (student, texts) = (student(shape), &MATERIAL.1);
    bencher.counter(ItemsCount::new(texts.len())).bench_local(|| student.encode(texts));
}

#[divan::bench(args = SHAPES)]
fn from_ids(bencher: Bencher, shape: &Shape) {
    let student = student(shape);
    bencher.counter(ItemsCount::new(TOKENS.rows())).bench_local(|| student.encode_tokens(&TOKENS));
}

#[divan::bench(args = [1, 2])]
fn threads(bencher: Bencher, threads: usize) {
    let student = student(&M).with_threads(threads).expect("threads");
    let texts = &MATERIAL.1;
    bencher.counter(ItemsCount::new(texts.len())).bench_local(|| student.encode(texts));
}

/// One sentence a call: the slowest of the samples is what a user waits at worst.
#[divan::bench(args = SHAPES, sample_size = 1, sample_count = 20_000)]
fn alone(bencher: Bencher, shape: &Shape) {
    let student = student(shape);
    let mut texts = MATERIAL.1.iter().cycle();
    let next = || texts.next().map(std::slice::from_ref).unwrap_or_default();
    bencher.with_inputs(next).bench_local_values(|text| student.encode(text));
}

/// Time a word, for texts of this many words.
#[divan::bench(args = [1_000, 10_000, 100_000])]
fn long_text(bencher: Bencher, words: usize) {
    let student = student(&M);
    let text = MATERIAL.1.iter().flat_map(|line| line.split(' ')).cycle().take(words).collect::<Vec<_>>().join(" ");
    bencher.counter(ItemsCount::new(words)).bench_local(|| student.encode(&[&text]));
}
