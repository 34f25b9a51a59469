//! Fixtures that the tests of several trainings share.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use limbeck_data::Interrupt;
use limbeck_data::progress::{Bar, Progress, Silent};
use limbeck_encoder::Tokenizer;
use serde_json::{Map, Value, json};

/// The tokens of [`word_tokenizer`]: `unk` is the token of every other word.
pub(crate) const WORDS: [&str; 12] =
    ["pad", "unk", "a", "dog", "cat", "sees", "hears", "the", "river", "house", "old", "new"];

/// A tokenizer of a few words.
pub(crate) fn word_tokenizer() -> Tokenizer {
    let vocabulary: Map<String, Value> =
        WORDS.iter().enumerate().map(|(id, word)| (word.to_string(), json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "unk"},
    });
    Tokenizer::from_bytes(tokenizer.to_string().as_bytes(), Path::new("test")).unwrap()
}

/// Asks for a stop at a step.
pub(crate) struct StopAt<'a> {
    step: u64,
    steps: AtomicU64,
    interrupt: &'a Interrupt,
}

impl<'a> StopAt<'a> {
    pub(crate) fn new(step: u64, interrupt: &'a Interrupt) -> Self {
        Self { step, steps: AtomicU64::new(0), interrupt }
    }
}

impl Progress for StopAt<'_> {
    fn stage(&self, _what: &str, _total: Option<u64>, unit: &str) -> Box<dyn Bar + '_> {
        if unit == "steps" { Box::new(StepCounter(self)) } else { Box::new(Silent) }
    }

    fn note(&self, _line: &str) {}
}

struct StepCounter<'a>(&'a StopAt<'a>);

impl Bar for StepCounter<'_> {
    fn add(&self, n: u64) {
        if self.0.steps.fetch_add(n, Ordering::Relaxed) + n == self.0.step {
            self.0.interrupt.set();
        }
    }

    fn set(&self, _message: &str) {}
}
