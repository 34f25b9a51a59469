//! Small trainings of every kind, each once whole and once stopped and resumed, and hashes of what they leave.
//!
//! Two versions of the trainer that print the same lines, on the same machine, train the same students to the last bit.
//!
//! `cargo run --release -p limbeck-student --example training_hashes`

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::Device;
use limbeck_data::cache::{Cache, CacheSpec, CacheWriter, Fingerprint, SHARD_ROWS};
use limbeck_data::examples::Examples;
use limbeck_data::files::{sha256_bytes, sha256_file};
use limbeck_data::progress::{Bar, Progress, Silent};
use limbeck_data::{Interrupt, Monitor, VectorType};
use limbeck_encoder::{Encoder, Tokenizer};
use limbeck_student::am_softmax::{AmSoftmaxJob, AmSoftmaxLoss, AmSoftmaxSettings, CentreStart, Sentences};
use limbeck_student::config::{ARCHITECTURE, AttentionConfig, ConvolutionConfig, StudentConfig};
use limbeck_student::contrast::{ContrastSettings, unlearned};
use limbeck_student::distil::{
    CentredDistance, ContrastiveKd, DistilJob, DistilSettings, InfoNce, Losses, Matryoshka, RelationalKl, Targets,
    distil,
};
use limbeck_student::folder::StudentFolder;
use limbeck_student::{am_softmax, contrast};
use limbeck_training::contrastive::{ContrastiveSettings, Dev, DevScores, Job, TrainingExamples};
use limbeck_training::random::Random;
use serde_json::{Map, Value, json};

type Failed = Box<dyn Error + Send + Sync>;
type Outcome = Result<(), Failed>;

const DIMENSION: usize = 6;
const WORDS: [&str; 12] = ["pad", "unk", "a", "dog", "cat", "sees", "hears", "the", "river", "house", "old", "new"];

fn tokenizer() -> Tokenizer {
    let vocabulary: Map<String, Value> =
        WORDS.iter().enumerate().map(|(id, word)| (word.to_string(), json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "unk"},
    });
    Tokenizer::from_bytes(tokenizer.to_string().as_bytes(), Path::new("test")).unwrap()
}

fn texts(count: usize) -> Vec<String> {
    let mut random = Random::new(1, &[]);
    let mut word = || WORDS[2 + random.below(10)];
    (0..count).map(|_| [(); 5].map(|()| word()).join(" ")).collect()
}

/// A vector that depends on the words and on which word follows which, so that a convolution learns what no mean can.
fn target(text: &str) -> Vec<f32> {
    let words: Vec<u64> = text.split(' ').map(|word| WORDS.iter().position(|w| *w == word).unwrap() as u64).collect();
    let draw = |path: &[u64]| -> Vec<f64> {
        let mut random = Random::new(9, path);
        (0..DIMENSION).map(|_| random.normal()).collect()
    };
    let single = words.iter().map(|&word| draw(&[word]));
    let terms: Vec<Vec<f64>> = single.chain(words.windows(2).map(draw)).collect();
    (0..DIMENSION).map(|at| terms.iter().map(|term| term[at]).sum::<f64>() as f32).collect()
}

/// A cache of `rows` texts.
fn cache(folder: &Path, rows: usize) -> Cache {
    let spec = CacheSpec::new(DIMENSION, VectorType::F16, Fingerprint::default());
    let mut writer = CacheWriter::open(folder, spec).unwrap();
    for (shard, texts) in texts(rows).chunks(SHARD_ROWS).enumerate() {
        let vectors: Vec<f32> = texts.iter().flat_map(|text| target(text)).collect();
        writer.write(shard, texts, &vectors).unwrap();
    }
    writer.finish(rows as u64).unwrap();
    Cache::open(folder).unwrap()
}

fn config(tokenizer: &Tokenizer) -> StudentConfig {
    StudentConfig {
        architecture: ARCHITECTURE.into(),
        vocabulary: tokenizer.vocabulary() + 1,
        embedding: DIMENSION,
        dimension: DIMENSION,
        convolutions: vec![ConvolutionConfig { width: 3, filters: 16 }],
        attention: Some(AttentionConfig { heads: 2, width: 3, filters: 4, values: None }),
        skip: true,
        max_tokens: None,
    }
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
    fn scores(&self, model: &dyn Encoder) -> Result<DevScores, Failed> {
        let vectors = model.encode(&["the dog sees a cat", "river", "old house"])?;
        let spearman = vectors.row(0).iter().zip(vectors.row(1)).map(|(x, y)| f64::from(x * y)).sum();
        Ok(DevScores { spearman, alignment: Some(1.0), uniformity: None })
    }

    fn hash(&self) -> String {
        "dev".into()
    }
}

/// Runs `train` in a folder whole, and in another stopped at some steps, and prints what they left.
fn compare(name: &str, stops: &[u64], train: &dyn Fn(&Path, &dyn Progress, &Interrupt) -> Outcome) {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    train(whole.path(), &Silent, &Interrupt::new()).unwrap();
    for &step in stops {
        let interrupt = Interrupt::new();
        let stopped = train(parts.path(), &StopAt(step, AtomicU64::new(0), &interrupt), &interrupt);
        assert!(stopped.is_err(), "{name} was not stopped at {step}");
    }
    train(parts.path(), &Silent, &Interrupt::new()).unwrap();
    let name = format!("{name:<28}");
    for file in ["model.safetensors", "config.json", "metrics.jsonl"] {
        let [one, other] = [&whole, &parts].map(|folder| sha256_file(&folder.path().join(file)).unwrap());
        let same = if one == other { "resumed alike" } else { "RESUMED DIFFERS" };
        println!("{name} {file:<18} {} {same}", &one[..24]);
    }
    println!("{name} {:<18} {}", "steps", &sha256_bytes(steps(whole.path()).as_bytes())[..24]);
}

/// The figures of every step, without those that a version may add.
fn steps(folder: &Path) -> String {
    let log = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let figures = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let keys = ["step", "epoch", "loss", "learning_rate", "fidelity_cosine", "dev_spearman"];
        keys.map(|key| line[key].to_string()).join(" ") + "\n"
    };
    log.lines().map(figures).collect()
}

fn distillation(
    cache: &Cache,
    settings: &DistilSettings,
    from: Option<&StudentFolder>,
) -> impl Fn(&Path, &dyn Progress, &Interrupt) -> Outcome {
    move |folder, progress, interrupt| {
        let tokenizer = tokenizer();
        let job = DistilJob {
            targets: Targets { cache, held_out: None, tokenizer: &tokenizer, max_tokens: None },
            config: config(&tokenizer),
            settings,
            student: from.map(|from| &from.model),
            folder,
            metrics: folder.join("metrics.jsonl"),
            stage: "distil",
            device: Device::Cpu,
        };
        let (model, summary) = distil(&job, Monitor::new(progress, interrupt))?;
        let origin = json!({
            "steps": summary.steps, "start": summary.start, "best": summary.best, "best_step": summary.best_step,
            "texts": summary.texts,
        });
        Ok(StudentFolder { model, tokenizer, origin }.save(folder)?)
    }
}

fn distillations(cache: &Cache) {
    let settings = DistilSettings {
        epochs: 2,
        window: 1,
        checkpoint_every: 7,
        evaluate_every: 10,
        learning_rate: 2e-2,
        dropout: 0.1,
        ..DistilSettings::default()
    };
    let stops = [10, 20, 25];
    compare("distil", &stops, &distillation(cache, &settings, None));
    let losses = Losses {
        centred: CentredDistance(0.5),
        infonce: InfoNce { weight: 0.1, ..InfoNce::default() },
        relational_kl: RelationalKl { weight: 0.2, ..RelationalKl::default() },
        contrastive_kd: ContrastiveKd { weight: 0.3, ..ContrastiveKd::default() },
        am_softmax: AmSoftmaxLoss { weight: 0.2, ..AmSoftmaxLoss::default() },
        matryoshka: Matryoshka { weight: 0.4, dimensions: vec![2, 4], ..Matryoshka::default() },
        ..Losses::default()
    };
    compare("distil, all losses", &stops, &distillation(cache, &DistilSettings { losses, ..settings.clone() }, None));
    for centres in [CentreStart::Student, CentreStart::Random] {
        let am_softmax =
            AmSoftmaxLoss { weight: 0.2, sampled_classes: 700, views: 3, centres, ..AmSoftmaxLoss::default() };
        let settings = DistilSettings { losses: Losses { am_softmax, ..Losses::default() }, ..settings.clone() };
        compare(&format!("distil, centres {centres:?}"), &stops, &distillation(cache, &settings, None));
    }
    let tokenizer = tokenizer();
    let start = unlearned(config(&tokenizer), tokenizer, 4).unwrap();
    compare("distil from a student", &stops, &distillation(cache, &settings, Some(&start)));
    compare("distil, no epoch", &[], &distillation(cache, &DistilSettings { epochs: 0, ..settings }, None));
}

fn contrastive() {
    let texts = texts(300);
    let shifted = |by: usize| texts.iter().cycle().skip(by).take(300).cloned().collect::<Vec<_>>();
    let pairs = Examples { anchors: texts.clone(), positives: shifted(1), ..Examples::default() };
    let triples = Examples { hard_negatives: Some(shifted(7)), ..pairs.clone() };
    let simcse = ContrastiveSettings {
        batch: 32,
        epochs: 3,
        learning_rate: 5e-3,
        evaluate_every: 5,
        checkpoint_every: 4,
        ..ContrastiveSettings::default()
    };
    for (name, examples, dropout, embedding_dropout, dev) in [
        ("simcse, texts", TrainingExamples::Texts(&texts), 0.1, 0.0, false),
        ("simcse, texts, dev", TrainingExamples::Texts(&texts), 0.1, 0.0, true),
        ("simcse, dropped embeddings", TrainingExamples::Texts(&texts), 0.0, 0.1, true),
        ("simcse, pairs", TrainingExamples::Labelled(&pairs), 0.1, 0.05, true),
        ("simcse, triples", TrainingExamples::Labelled(&triples), 0.1, 0.0, false),
    ] {
        let settings = ContrastSettings { dropout, embedding_dropout };
        compare(name, &[3, 10, 21], &|folder, progress, interrupt| {
            let dev = dev.then_some(&AnyDev as &dyn Dev);
            let job = Job {
                examples,
                settings: &simcse,
                dev,
                folder,
                metrics: folder.join("metrics.jsonl"),
                stage: "simcse",
            };
            let tokenizer = tokenizer();
            let student = unlearned(config(&tokenizer), tokenizer, 4)?;
            contrast::train(student, &settings, &job, Monitor::new(progress, interrupt))?;
            Ok(())
        });
    }
}

fn classes(cache: &Cache) {
    let texts = texts(300);
    let settings = AmSoftmaxSettings {
        epochs: 2,
        batch: 32,
        learning_rate: 5e-3,
        views: 4,
        sampled_classes: 80,
        checkpoint_every: 4,
        evaluate_every: 5,
        ..AmSoftmaxSettings::default()
    };
    let of_cache = Sentences::Cache { cache, held_out: None };
    for (name, sentences, centres, embedding_dropout, dev) in [
        ("am-softmax", Sentences::Texts(&texts), CentreStart::Student, 0.0, false),
        ("am-softmax, dropped, dev", Sentences::Texts(&texts), CentreStart::Student, 0.05, true),
        ("am-softmax, random", Sentences::Texts(&texts), CentreStart::Random, 0.0, true),
        ("am-softmax, teacher", of_cache, CentreStart::Teacher, 0.0, true),
    ] {
        let settings = AmSoftmaxSettings { centres, embedding_dropout, limit: Some(400), ..settings.clone() };
        compare(name, &[3, 7, 15], &|folder, progress, interrupt| {
            let dev = dev.then_some(&AnyDev as &dyn Dev);
            let job = AmSoftmaxJob {
                sentences,
                settings: &settings,
                dev,
                folder,
                metrics: folder.join("metrics.jsonl"),
                stage: "am-softmax",
            };
            let tokenizer = tokenizer();
            let student = unlearned(config(&tokenizer), tokenizer, 4)?;
            am_softmax::train(student, &job, Monitor::new(progress, interrupt))?;
            Ok(())
        });
    }
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path(), 20_000);
    distillations(&cache);
    contrastive();
    classes(&cache);
}
