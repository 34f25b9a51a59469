//! Small SimCSE trainings of the golden teacher, each once whole and once stopped and resumed, and hashes of what they
//! leave.
//!
//! Two versions of the trainer that print the same lines, on the same machine, train the same teachers to the last bit.
//!
//! `cargo run --release -p limbeck-teacher --example teacher_hashes`

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{Device, Tensor};
use limbeck_data::examples::Examples;
use limbeck_data::files::sha256_file;
use limbeck_data::progress::{Bar, Progress, Silent};
use limbeck_data::{Interrupt, Monitor};
use limbeck_encoder::Encoder;
use limbeck_teacher::train::{BertSettings, Head, train};
use limbeck_teacher::{Pooler, TeacherFolder};
use limbeck_training::contrastive::{ContrastiveSettings, Dev, DevScores, Job, TrainingExamples};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");

/// The golden model, with a tokenizer of one-letter words.
fn start(folder: &Path) -> TeacherFolder {
    let tensors = candle_core::safetensors::load(format!("{GOLDEN}/bert_simcse_training.safetensors"), &Device::Cpu);
    let narrow = |tensor: &Tensor| tensor.to_dtype(candle_core::DType::F32).unwrap();
    let initial = tensors.unwrap().into_iter();
    let weights = initial.filter_map(|(name, tensor)| Some((name.strip_prefix("init.")?.to_owned(), narrow(&tensor))));
    candle_core::safetensors::save(&weights.collect(), folder.join("model.safetensors")).unwrap();
    std::fs::copy(format!("{GOLDEN}/bert_simcse_training.config.json"), folder.join("config.json")).unwrap();
    let letters = ('a'..='z').enumerate().map(|(at, letter)| format!("\"{letter}\": {}", at + 10));
    let vocabulary = letters.collect::<Vec<_>>().join(", ");
    let tokenizer = format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {{"type": "Whitespace"}}, "decoder": null,
        "post_processor": {{"type": "TemplateProcessing",
            "single": [{{"SpecialToken": {{"id": "[CLS]", "type_id": 0}}}}, {{"Sequence": {{"id": "A", "type_id": 0}}}}], "pair": [],
            "special_tokens": {{"[CLS]": {{"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}}}}}},
        "model": {{"type": "WordLevel", "vocab": {{"[UNK]": 0, "[CLS]": 1, {vocabulary}}}, "unk_token": "[UNK]"}}}}"#
    );
    std::fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
    let mut opened = TeacherFolder::open(folder).unwrap();
    opened.pooler = Pooler::ClsBeforePooler;
    opened
}

/// Asks for a stop at a step.
struct StopAt<'a>(u64, AtomicU64, &'a Interrupt);

impl Progress for StopAt<'_> {
    fn stage(&self, _what: &str, _total: Option<u64>, unit: &str) -> Box<dyn Bar + '_> {
        if unit == "steps" { Box::new(Counting(self)) } else { Box::new(Silent) }
    }

    fn note(&self, _line: &str) {}
}

struct Counting<'a>(&'a StopAt<'a>);

impl Bar for Counting<'_> {
    fn add(&self, n: u64) {
        let StopAt(step, steps, interrupt) = self.0;
        if steps.fetch_add(n, Ordering::Relaxed) + n == *step {
            interrupt.set();
        }
    }

    fn set(&self, _message: &str) {}
}

/// A dev score that knows nothing of quality, but depends on every weight.
struct AnyDev;

impl Dev for AnyDev {
    fn scores(&self, model: &dyn Encoder) -> Result<DevScores, Box<dyn std::error::Error + Send + Sync>> {
        let vectors = model.encode(&["a b c", "d", "e f"])?;
        let spearman = vectors.row(0).iter().zip(vectors.row(1)).map(|(x, y)| f64::from(x * y)).sum();
        Ok(DevScores { spearman, alignment: Some(1.0), uniformity: None })
    }

    fn hash(&self) -> String {
        "dev".into()
    }
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let start = start(folder.path());
    let letter = |at: usize| char::from(b'a' + (at % 26) as u8);
    let texts: Vec<String> =
        (0..60).map(|at| format!("{} {} {}", letter(at), letter(at * 7 + 3), letter(at / 5))).collect();
    let shifted = |by: usize| texts.iter().cycle().skip(by).take(60).cloned().collect::<Vec<_>>();
    let triples = Examples {
        anchors: texts.clone(),
        positives: shifted(1),
        hard_negatives: Some(shifted(7)),
        ..Examples::default()
    };
    let simcse = ContrastiveSettings {
        batch: 10,
        epochs: 2,
        learning_rate: 1e-3,
        evaluate_every: 3,
        checkpoint_every: 2,
        ..ContrastiveSettings::default()
    };
    let parts = BertSettings { micro_batch: 7, ..BertSettings::default() };
    let head = BertSettings { head: Head::Training, ..BertSettings::default() };
    for (name, examples, bert, dev) in [
        ("texts", TrainingExamples::Texts(&texts), &BertSettings::default(), false),
        ("texts, dev, in parts", TrainingExamples::Texts(&texts), &parts, true),
        ("triples, head", TrainingExamples::Labelled(&triples), &head, true),
    ] {
        let [whole, parts] = ["whole", "parts"].map(|part| folder.path().join(format!("{name}-{part}")));
        let run = |to: &Path, progress: &dyn Progress, interrupt: &Interrupt| {
            std::fs::create_dir_all(to).unwrap();
            let dev = dev.then_some(&AnyDev as &dyn Dev);
            let job =
                Job { examples, settings: &simcse, dev, folder: to, metrics: to.join("metrics.jsonl"), stage: "train" };
            train(&start, bert, &job, &Device::Cpu, Monitor::new(progress, interrupt))
        };
        run(&whole, &Silent, &Interrupt::new()).unwrap();
        for step in [3, 5, 8] {
            let interrupt = Interrupt::new();
            assert!(run(&parts, &StopAt(step, AtomicU64::new(0), &interrupt), &interrupt).is_err());
        }
        run(&parts, &Silent, &Interrupt::new()).unwrap();
        for file in ["model.safetensors", "config.json", "metrics.jsonl"] {
            let [one, other] = [&whole, &parts].map(|folder| sha256_file(&folder.join(file)).unwrap());
            let same = if one == other { "resumed alike" } else { "RESUMED DIFFERS" };
            println!("{name:<28} {file:<18} {} {same}", &one[..24]);
        }
    }
}
