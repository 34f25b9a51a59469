//! Sentences per second of folded students with random numbers in the family's shapes.
//!
//! ```sh
//! cargo bench -p limbeck-encoder
//! LIMBECK_TOKENIZER=tokenizer.json LIMBECK_LINES=lines.txt cargo bench -p limbeck-encoder -- from_text
//! ```
//!
//! Without the two files the text is made up. The tables are as large as a real student's, and a text's rows lie all
//! over them, so the caches are used as by a real student.

mod fixtures;

use std::path::Path;
use std::sync::LazyLock;

use divan::{Bencher, counter::ItemsCount};
use fixtures::numbers;
use limbeck_encoder::{
    Special, Student, TokenBatch, Tokenizer,
    folded::{Attention, Convolution, Parts, Precision, write},
};

fn main() {
    divan::main();
}

/// How many sentences a call encodes.
const SENTENCES: usize = 4_096;

const DIMENSION: usize = 384;

/// A student's sizes: heads, the width of each head's values, width and filters of the score convolution.
#[derive(Debug, Clone, Copy)]
struct StudentSizes {
    name: &'static str,
    heads: usize,
    values: usize,
    score: (usize, usize),
    precision: Precision,
}

const STATIC: StudentSizes =
    StudentSizes { name: "static", heads: 0, values: 0, score: (0, 0), precision: Precision::Int8 };
const M: StudentSizes = StudentSizes { name: "m", heads: 16, values: 32, score: (5, 96), precision: Precision::Int8 };
const SHAPES: [StudentSizes; 7] = [
    STATIC,
    StudentSizes { name: "xs", heads: 4, values: 32, score: (3, 32), precision: Precision::Int8 },
    StudentSizes { name: "s", heads: 8, values: 32, score: (5, 64), precision: Precision::Int8 },
    M,
    StudentSizes { name: "l", heads: 16, values: 64, score: (5, 128), precision: Precision::Int8 },
    StudentSizes { name: "static f32", precision: Precision::F32, ..STATIC },
    StudentSizes { name: "m f32", precision: Precision::F32, ..M },
];

impl std::fmt::Display for StudentSizes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A tokenizer.json and texts, the user's or made up.
static TEXTS: LazyLock<(Vec<u8>, Vec<String>)> = LazyLock::new(|| {
    let file = |name| std::env::var_os(name).map(|path| std::fs::read(&path).expect(name));
    let (mut tokenizer, mut lines) = fixtures::bert(30_000, SENTENCES);
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
    LazyLock::new(|| Tokenizer::from_bytes(&TEXTS.0, Path::new("tokenizer.json")).expect("a tokenizer"));

static TOKENS: LazyLock<TokenBatch> = LazyLock::new(|| {
    let texts: Vec<&str> = TEXTS.1.iter().map(String::as_str).collect();
    TOKENIZER.encode_batch(&texts, Special::Without, None).expect("texts")
});

fn student(shape: &StudentSizes) -> Student {
    let mut random = fastrand::Rng::with_seed(1);
    let mut numbers = |count| numbers(&mut random, count);
    let vocabulary = TOKENIZER.vocabulary() + 1;
    let StudentSizes { heads, values, score: (width, filters), precision, .. } = *shape;
    let attention = (heads > 0).then(|| Attention {
        width_of_embedding: values,
        embeddings: numbers(vocabulary * heads * values),
        own_values: true,
        score: Convolution { width, filters, table: numbers(vocabulary * width * filters), bias: numbers(filters) },
        score_weight: numbers(heads * filters),
        score_bias: numbers(heads),
        heads: numbers(DIMENSION * heads * values),
        skip: None,
    });
    let parts = Parts {
        vocabulary,
        dimension: DIMENSION,
        tokenizer: TOKENIZER.json().to_vec(),
        empty_token: vocabulary as u32 - 1,
        attention,
        skip_table: Some(numbers(vocabulary * DIMENSION)),
        ..Parts::default()
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("student");
    write(&path, &parts, precision).expect("a student");
    Student::load(&path).expect("the student")
}

#[divan::bench]
fn tokenise(bencher: Bencher) {
    let texts = &TEXTS.1;
    let mut ids = Vec::new();
    LazyLock::force(&TOKENIZER);
    bencher.counter(ItemsCount::new(texts.len())).bench_local(|| {
        ids.clear();
        texts.iter().for_each(|text| TOKENIZER.encode_into(text, Special::Without, None, &mut ids).expect("text"));
        ids.len()
    });
}

#[divan::bench(args = SHAPES)]
fn from_text(bencher: Bencher, shape: &StudentSizes) {
    let (student, texts) = (student(shape), &TEXTS.1);
    bencher.counter(ItemsCount::new(texts.len())).bench_local(|| student.encode(texts));
}

#[divan::bench(args = SHAPES)]
fn from_ids(bencher: Bencher, shape: &StudentSizes) {
    let student = student(shape);
    bencher.counter(ItemsCount::new(TOKENS.rows())).bench_local(|| student.encode_tokens(&TOKENS));
}

#[divan::bench(args = [1, 2])]
fn threads(bencher: Bencher, threads: usize) {
    let student = student(&M).with_threads(threads).expect("threads");
    let texts = &TEXTS.1;
    bencher.counter(ItemsCount::new(texts.len())).bench_local(|| student.encode(texts));
}

/// One sentence in a call. The slowest sample is a user's longest wait.
#[divan::bench(args = SHAPES, sample_size = 1, sample_count = 20_000)]
fn alone(bencher: Bencher, shape: &StudentSizes) {
    let student = student(shape);
    let mut texts = TEXTS.1.iter().cycle();
    let next = || texts.next().map(std::slice::from_ref).unwrap_or_default();
    bencher.with_inputs(next).bench_local_values(|text| student.encode(text));
}

/// The time for a word, in texts of this many words.
#[divan::bench(args = [1_000, 10_000, 100_000])]
fn long_text(bencher: Bencher, words: usize) {
    let student = student(&M);
    let text = TEXTS.1.iter().flat_map(|line| line.split(' ')).cycle().take(words).collect::<Vec<_>>().join(" ");
    bencher.counter(ItemsCount::new(words)).bench_local(|| student.encode(&[&text]));
}
