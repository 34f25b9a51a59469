//! Training a tiny teacher: what is saved, what is refused, and that a resumed training ends in the same bytes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use limbeck_data::examples::Examples;
use limbeck_data::progress::{Bar, Progress, Silent};
use limbeck_data::{Interrupt, Monitor};
use limbeck_encoder::Encoder;
use limbeck_teacher::train::{BertSettings, Head, train};
use limbeck_teacher::{Error, Pooler, Result, TeacherFolder};
use limbeck_training::Error as TrainingError;
use limbeck_training::contrastive::{ContrastiveSettings, ContrastiveSummary, Dev, DevScores, Job, TrainingExamples};
use limbeck_training::losses::Denominator;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");

/// The golden model, with a tokenizer of one-letter words.
fn start(folder: &Path) -> TeacherFolder {
    let tensors = candle_core::safetensors::load(format!("{GOLDEN}/bert_simcse_training.safetensors"), &Device::Cpu);
    let narrow = |tensor: &Tensor| tensor.to_dtype(candle_core::DType::F32).unwrap();
    let weights = tensors
        .unwrap()
        .into_iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix("init.")?.to_owned(), narrow(&tensor))));
    candle_core::safetensors::save(&weights.collect(), folder.join("model.safetensors")).unwrap();
    std::fs::copy(format!("{GOLDEN}/bert_simcse_training.config.json"), folder.join("config.json")).unwrap();
    let letters = ('a'..='z').enumerate().map(|(at, letter)| format!("\"{letter}\": {}", at + 10));
    let vocabulary = letters.collect::<Vec<_>>().join(", ");
    let tokenizer = format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {{"type": "Whitespace"}}, "decoder": null,
        "post_processor": {{"type": "TemplateProcessing",
            "single": [{{"SpecialToken": {{"id": "[CLS]", "type_id": 0}}}},
                {{"Sequence": {{"id": "A", "type_id": 0}}}}],
            "pair": [],
            "special_tokens": {{"[CLS]": {{"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}}}}}},
        "model": {{"type": "WordLevel", "vocab": {{"[UNK]": 0, "[CLS]": 1, {vocabulary}}}, "unk_token": "[UNK]"}}}}"#
    );
    std::fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
    let mut opened = TeacherFolder::open(folder).unwrap();
    opened.pooler = Pooler::ClsBeforePooler;
    opened
}

fn texts() -> Vec<String> {
    let letter = |at: usize| char::from(b'a' + (at % 26) as u8);
    (0..60).map(|at| format!("{} {} {}", letter(at), letter(at * 7 + 3), letter(at / 5))).collect()
}

fn settings() -> ContrastiveSettings {
    ContrastiveSettings {
        batch: 10,
        epochs: 2,
        learning_rate: 1e-3,
        evaluate_every: 3,
        checkpoint_every: 2,
        ..ContrastiveSettings::default()
    }
}

fn job<'a>(examples: TrainingExamples<'a>, settings: &'a ContrastiveSettings, to: &'a Path) -> Job<'a> {
    Job { examples, settings, dev: None, folder: to, metrics: to.join("metrics.jsonl"), stage: "train" }
}

fn run(start: &TeacherFolder, bert: &BertSettings, job: &Job) -> Result<ContrastiveSummary> {
    train(start, bert, job, &Device::Cpu, Monitor::new(&Silent, &Interrupt::new()))
}

/// The weights that a training left, by name.
fn weights(folder: &Path) -> BTreeMap<String, Vec<f32>> {
    let tensors = candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu).unwrap();
    let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    tensors.iter().map(|(name, tensor)| (name.clone(), numbers(tensor))).collect()
}

type Scores = std::result::Result<DevScores, Box<dyn std::error::Error + Send + Sync>>;

/// The scores that a function returns, and the hash of its dev set.
struct By<F>(F, &'static str);

impl<F: Fn(&dyn Encoder) -> Scores> Dev for By<F> {
    fn scores(&self, model: &dyn Encoder) -> Scores {
        (self.0)(model)
    }

    fn hash(&self) -> String {
        self.1.into()
    }
}

/// A dev score that depends on every weight and says nothing about quality.
fn look(encoder: &dyn Encoder) -> Scores {
    let vectors = encoder.encode(&["a b c", "d", "e f"])?;
    let spearman = vectors.row(0).iter().zip(vectors.row(1)).map(|(x, y)| f64::from(x * y)).sum();
    Ok(DevScores { spearman, alignment: Some(1.0), uniformity: None })
}

#[test]
fn an_interrupted_training_resumes_and_ends_in_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let (start, texts) = (start(folder.path()), texts());
    // No checkpoints but those of interruptions.
    let settings = ContrastiveSettings { checkpoint_every: 100, ..settings() };
    let bert = BertSettings::default();
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    [&whole, &parts].into_iter().for_each(|path| std::fs::create_dir(path).unwrap());
    let once = Job { dev: Some(&By(look, "dev")), ..job(TrainingExamples::Texts(&texts), &settings, &whole) };
    let summary = run(&start, &bert, &once).unwrap();
    assert_eq!((summary.steps, summary.examples), (12, 60));
    assert!(summary.best.unwrap().0 >= summary.start.unwrap());

    // Interrupted in the first evaluation, after the third step and in the evaluation after the sixth; then an
    // evaluation fails, which leaves what a kill would leave.
    let interrupts = RefCell::new(Interrupt::new());
    let looks = Cell::new(0);
    let failing = By(
        |encoder: &dyn Encoder| {
            looks.set(looks.get() + 1);
            if [1, 3, 4].contains(&looks.get()) {
                interrupts.borrow().set();
            }
            match looks.get() {
                1 | 4 => Err("interrupted".into()),
                6 => Err("the power went".into()),
                _ => look(encoder),
            }
        },
        "dev",
    );
    let again = |dev: &dyn Dev| {
        *interrupts.borrow_mut() = Interrupt::new();
        let interrupt = interrupts.borrow().clone();
        let job = Job { dev: Some(dev), ..job(TrainingExamples::Texts(&texts), &settings, &parts) };
        train(&start, &bert, &job, &Device::Cpu, Monitor::new(&Silent, &interrupt))
    };
    let cause = |result: Result<ContrastiveSummary>| match result {
        Err(Error::Training(error)) => *error,
        other => panic!("{other:?}"),
    };
    for at in [0, 3, 6] {
        assert!(matches!(cause(again(&failing)), TrainingError::Interrupted { step, total: 12 } if step == at));
    }
    assert!(matches!(cause(again(&failing)), TrainingError::Evaluation(_)));
    // Scores of another dev set are not compared with those so far.
    assert!(matches!(cause(again(&By(look, "another"))), TrainingError::OtherTraining { .. }));
    assert_eq!(again(&By(look, "dev")).unwrap(), summary);
    for file in ["model.safetensors", "config.json", "metrics.jsonl"] {
        let read = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
        assert_eq!(read(&parts), read(&whole), "{file}");
    }
    assert_eq!(std::fs::read_to_string(whole.join("metrics.jsonl")).unwrap().lines().count(), 13);
    assert!(!whole.join("checkpoint.safetensors").exists());
    assert_eq!(TeacherFolder::open(&whole).unwrap().pooler, Pooler::ClsBeforePooler);
}

#[test]
fn the_loss_falls_for_texts_pairs_and_triples_and_each_denominator() {
    let folder = tempfile::tempdir().unwrap();
    let (start, texts) = (start(folder.path()), texts());
    let shifted = |by: usize| texts.iter().cycle().skip(by).take(60).cloned().collect::<Vec<_>>();
    let pairs = Examples { anchors: texts.clone(), positives: shifted(1), ..Examples::default() };
    let triples = Examples { hard_negatives: Some(shifted(7)), ..pairs.clone() };
    let bert = BertSettings { head: Head::Training, ..BertSettings::default() };
    for (examples, denominator) in [
        (TrainingExamples::Texts(&texts), Denominator::N),
        (TrainingExamples::Texts(&texts), Denominator::TwoNMinusOne),
        (TrainingExamples::Labelled(&pairs), Denominator::N),
        (TrainingExamples::Labelled(&triples), Denominator::N),
    ] {
        let settings = ContrastiveSettings { denominator, epochs: 15, ..settings() };
        let to = tempfile::tempdir().unwrap();
        let summary = run(&start, &bert, &job(examples, &settings, to.path())).unwrap();
        let log = std::fs::read_to_string(to.path().join("metrics.jsonl")).unwrap();
        let loss = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["loss"].as_f64();
        let losses: Vec<f64> = log.lines().filter_map(loss).collect();
        assert_eq!(losses.len() as u64, summary.steps);
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let (first, last) = (mean(&losses[..10]), mean(&losses[losses.len() - 10..]));
        assert!(last < 0.8 * first, "from {first} to {last}");
        // The head was for training alone.
        assert!(!weights(to.path()).contains_key("pooler.dense.weight"));
    }
}

#[test]
fn a_batch_in_parts_learns_what_the_whole_batch_learns() {
    let folder = tempfile::tempdir().unwrap();
    let (start, texts) = (start(folder.path()), texts());
    let settings = ContrastiveSettings { epochs: 1, ..settings() };
    let trained = |micro_batch| {
        let bert = BertSettings { micro_batch, dropout: 0.0, attention_dropout: 0.0, ..BertSettings::default() };
        let to = tempfile::tempdir().unwrap();
        run(&start, &bert, &job(TrainingExamples::Texts(&texts), &settings, to.path())).unwrap();
        weights(to.path())
    };
    let (whole, parts) = (trained(256), trained(7));
    for (name, whole) in &whole {
        let off = whole.iter().zip(&parts[name]).fold(0f32, |off, (x, y)| off.max((x - y).abs()));
        // Adam makes steps of the learning rate out of rounding noise, which is all that key biases have.
        assert!(off < 2e-5 || name.ends_with("key.bias"), "{name} is off by {off}");
    }
}

#[test]
fn frozen_words_stay_and_the_rest_moves() {
    let folder = tempfile::tempdir().unwrap();
    let (start, texts) = (start(folder.path()), texts());
    let settings = ContrastiveSettings { epochs: 1, ..settings() };
    let bert = BertSettings { freeze_words: true, ..BertSettings::default() };
    let to = tempfile::tempdir().unwrap();
    run(&start, &bert, &job(TrainingExamples::Texts(&texts), &settings, to.path())).unwrap();
    let before = weights(folder.path());
    for (name, after) in weights(to.path()) {
        assert_eq!(before[&name] == after, name == "embeddings.word_embeddings.weight", "{name}");
    }
}

#[test]
fn a_loss_that_is_not_finite_names_step_batch_and_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (start, texts) = (start(folder.path()), texts());
    let settings = ContrastiveSettings { learning_rate: 1e30, ..settings() };
    let job = job(TrainingExamples::Texts(&texts), &settings, folder.path());
    let error = run(&start, &BertSettings::default(), &job).unwrap_err();
    assert!(error.hint().unwrap().contains("learning_rate"));
    let Error::Training(error) = error else { panic!("{error}") };
    let TrainingError::Diverged { step: 2, batch, checkpoint } = &*error else { panic!("{error}") };
    let batch = std::fs::read_to_string(batch).unwrap();
    assert_eq!(batch.lines().count(), 10);
    for line in batch.lines() {
        let (number, text) = line.split_once('\t').unwrap();
        assert_eq!(texts[number.parse::<usize>().unwrap() - 1], text);
    }
    let weights = candle_core::safetensors::load(checkpoint, &Device::Cpu).unwrap();
    assert!(weights.contains_key("encoder.layer.0.output.dense.weight"));
}

#[test]
fn settings_that_contradict_one_another_are_refused() {
    let settings = ContrastiveSettings { denominator: Denominator::TwoNMinusOne, ..ContrastiveSettings::default() };
    assert!(settings.check(false).is_ok());
    assert!(settings.check(true).unwrap_err().to_string().contains("hard negatives"));
    let bert = BertSettings { head: Head::Training, ..BertSettings::default() };
    assert!(bert.check(Pooler::Mean).is_ok());
    assert!(bert.check(Pooler::Cls).is_err());
    for broken in [
        ContrastiveSettings { batch: 1, ..ContrastiveSettings::default() },
        ContrastiveSettings { temperature: 0.0, ..ContrastiveSettings::default() },
        ContrastiveSettings { learning_rate: f64::NAN, ..ContrastiveSettings::default() },
        ContrastiveSettings { evaluate_every: 0, ..ContrastiveSettings::default() },
    ] {
        assert!(broken.check(false).is_err());
    }
    assert!(BertSettings { dropout: 1.0, ..BertSettings::default() }.check(Pooler::Mean).is_err());
    assert!(BertSettings { micro_batch: 0, ..BertSettings::default() }.check(Pooler::Mean).is_err());
}

/// Collects notes.
#[derive(Default)]
struct Notes(std::sync::Mutex<Vec<String>>);

impl Progress for Notes {
    fn stage(&self, what: &str, total: Option<u64>, unit: &str) -> Box<dyn Bar + '_> {
        Silent.stage(what, total, unit)
    }

    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

#[test]
fn no_dropout_and_a_dev_score_that_stays_low_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let (start, texts) = (start(folder.path()), texts());
    let bert = BertSettings { dropout: 0.0, attention_dropout: 0.0, ..BertSettings::default() };
    let settings = ContrastiveSettings { evaluate_every: 1, patience: 3, ..settings() };
    let looks = Cell::new(0.0);
    let falling = |_: &dyn Encoder| {
        looks.set(looks.get() - 1.0);
        Ok(DevScores { spearman: looks.get(), alignment: None, uniformity: None })
    };
    let to = tempfile::tempdir().unwrap();
    let job = Job { dev: Some(&By(falling, "dev")), ..job(TrainingExamples::Texts(&texts), &settings, to.path()) };
    let notes = Notes::default();
    let summary = train(&start, &bert, &job, &Device::Cpu, Monitor::new(&notes, &Interrupt::new())).unwrap();
    let notes = notes.0.into_inner().unwrap();
    assert!(notes[0].contains("dropout is 0"), "{notes:?}");
    assert_eq!(notes.iter().filter(|note| note.contains("dev Spearman")).count(), 1, "{notes:?}");
    // The best was the start, so the start comes back.
    assert_eq!(summary.best, Some((-1.0, 0)));
    let name = "encoder.layer.1.output.dense.weight";
    assert_eq!(weights(folder.path())[name], weights(to.path())[name]);
}
