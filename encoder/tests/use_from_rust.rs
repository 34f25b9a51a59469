//! The promises to users of the crate: a student can be shared between threads, no text allocates, and the dependencies
//! are few.

#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::process::Command;

use limbeck_encoder::folded::{Attention, Convolution, MaxPooled, Parts, write};
use limbeck_encoder::{Precision, Student, Tokenizer};

/// The system's allocator, with a count of this thread's allocations.
struct CountingAllocator;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all calls go to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::realloc`.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const WORDS: [&str; 12] = ["[PAD]", "[UNK]", "the", "cat", "sat", "##s", "un", "##able", ".", ",", "guitar", "##play"];

fn tokenizer() -> Vec<u8> {
    let vocabulary: serde_json::Map<_, _> =
        WORDS.iter().enumerate().map(|(id, word)| (word.to_string(), id.into())).collect();
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary},
    });
    json.to_string().into_bytes()
}

/// A student with max-pooling, attention and a skip.
fn parts() -> Parts {
    let vocabulary = WORDS.len() + 1;
    let numbers = |count: usize| (0..count).map(|i| ((i * 7919 % 1000) as f32 - 499.0) / 1000.0).collect::<Vec<_>>();
    let convolution =
        |width: usize| Convolution { width, filters: 8, table: numbers(vocabulary * width * 8), bias: numbers(8) };
    Parts {
        vocabulary,
        dimension: 16,
        max_pooled: Some(MaxPooled { convolutions: vec![convolution(3)], weight: numbers(16 * 8), bias: numbers(16) }),
        attention: Some(Attention {
            own_values: false,
            width_of_embedding: 8,
            embeddings: numbers(vocabulary * 8),
            score: convolution(5),
            score_weight: numbers(2 * 8),
            score_bias: numbers(2),
            heads: numbers(16 * 16),
            skip: Some(numbers(16 * 8)),
        }),
        tokenizer: tokenizer(),
        empty_token: vocabulary as u32 - 1,
        ..Parts::default()
    }
}

#[test]
fn a_student_and_a_tokenizer_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Student>();
    shared::<Tokenizer>();
}

#[test]
fn ten_times_the_texts_take_no_more_allocations() {
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..6_400)
        .map(|i| match i % 5 {
            0 => String::new(),
            1 => "The cats sat, unable.".into(),
            2 => "xyz GUITARPLAY\tguitarplays ".repeat(i % 7),
            3 => "a".repeat(300),
            _ => "the cat ".repeat(20),
        })
        .collect();
    for precision in Precision::ALL {
        let path = folder.path().join(precision.name());
        write(&path, &parts(), precision).unwrap();
        let student = Student::load(&path).unwrap();
        let count = |texts: &[String]| {
            let before = ALLOCATIONS.get();
            let vectors = student.encode(texts).unwrap();
            assert_eq!(vectors.rows(), texts.len());
            ALLOCATIONS.get() - before
        };
        count(&texts);
        let (few, many) = (count(&texts[..640]), count(&texts));
        assert!(many <= few, "{precision:?}: {few} allocations for 640 texts, {many} for 6,400");
        assert!(few < 100, "{precision:?}: {few} allocations for a call");
    }
}

#[test]
fn the_crate_depends_on_neither_candle_nor_onnx_runtime_nor_parquet() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--package", "limbeck-encoder", "--edges", "normal", "--prefix", "none", "--offline"]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(tree.lines().any(|line| line.starts_with("tokenizers ")), "no dependency tree: {tree}");
    for unwanted in ["candle", "ort", "parquet", "arrow", "limbeck-data", "hf-hub", "ureq"] {
        let is_it =
            |line: &str| line.split([' ', '-']).next() == Some(unwanted) || line.starts_with(&format!("{unwanted} "));
        assert!(!tree.lines().any(is_it), "{unwanted} is among the dependencies");
    }
}
