//! Training a tiny teacher: what it keeps, what it refuses, and that it ends in the same bytes however it got there.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use limbeck_data::examples::Examples;
use limbeck_data::progress::{Bar, Progress, Silent};
use limbeck_data::{Interrupt, files};
use limbeck_encoder::Encoder;
use limbeck_teacher::backprop::Parameters;
use limbeck_teacher::train::{DevScores, Head, Look, Material, TrainJob, TrainSettings, train};
use limbeck_teacher::{Error, Pooler, TeacherFolder};
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
        "post_processor": {{"type": "TemplateProcessing", "single": [{{"SpecialToken": {{"id": "[CLS]", "type_id": 0}}}},
            {{"Sequence": {{"id": "A", "type_id": 0}}}}], "pair": [],
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

fn settings() -> TrainSettings {
    TrainSettings {
        batch: 10,
        epochs: 2,
        learning_rate: 1e-3,
        evaluate_every: 3,
        checkpoint_every: 2,
        ..TrainSettings::default()
    }
}

fn job<'a>(
    start: &'a TeacherFolder,
    material: Material<'a>,
    settings: &'a TrainSettings,
    to: &'a Path,
) -> TrainJob<'a> {
    let metrics = to.join("metrics.jsonl");
    TrainJob { start, material, settings, dev: None, folder: to, metrics, stage: "train", device: Device::Cpu }
}

fn numbers(parameters: &Parameters) -> BTreeMap<String, Vec<f32>> {
    let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    parameters.iter().map(|(name, variable)| (name.to_owned(), numbers(variable))).collect()
}

/// A dev score that knows nothing of quality, but depends on every weight.
fn look(encoder: &dyn Encoder) -> Result<DevScores, Box<dyn std::error::Error + Send + Sync>> {
    let vectors = encoder.encode(&["a b c", "d", "e f"])?;
    let spearman = vectors.row(0).iter().zip(vectors.row(1)).map(|(x, y)| f64::from(x * y)).sum();
    Ok(DevScores { spearman, alignment: Some(1.0), uniformity: None })
}

#[test]
fn an_interrupted_training_goes_on_and_ends_in_the_same_weights_and_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let (start, texts, settings) = (start(folder.path()), texts(), settings());
    let whole = folder.path().join("whole");
    let parts = folder.path().join("parts");
    [&whole, &parts].into_iter().for_each(|path| std::fs::create_dir(path).unwrap());
    let once = TrainJob { dev: Some(&look), ..job(&start, Material::Texts(&texts), &settings, &whole) };
    let (expected, summary) = train(&once, &Silent, &Interrupt::new()).unwrap();
    assert_eq!((summary.steps, summary.examples), (12, 60));
    assert!(summary.best.unwrap().0 >= summary.start.unwrap());

    // Interrupted after each third step, then failing in the middle of an evaluation, as a kill would leave it.
    let interrupt = Interrupt::new();
    let looks = Cell::new(0);
    let failing: Look = &|encoder| {
        looks.set(looks.get() + 1);
        match looks.get() {
            2 => interrupt.set(),
            4 => return Err("the power went".into()),
            _ => {}
        }
        look(encoder)
    };
    let again = |dev, interrupt: &Interrupt| {
        train(
            &TrainJob { dev: Some(dev), ..job(&start, Material::Texts(&texts), &settings, &parts) },
            &Silent,
            interrupt,
        )
    };
    assert!(matches!(again(failing, &interrupt), Err(Error::Interrupted { step: 3, total: 12 })));
    assert!(matches!(again(failing, &Interrupt::new()), Err(Error::Evaluation(_))));
    let (found, resumed) = again(&look, &Interrupt::new()).unwrap();
    assert_eq!(resumed, summary);
    assert_eq!(numbers(&found), numbers(&expected));
    let log = |folder: &Path| std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    assert_eq!(log(&parts), log(&whole));
    assert_eq!(log(&whole).lines().count(), 13);
    let checkpoints = |folder: &Path| files::sha256_file(&folder.join("checkpoint.safetensors")).unwrap();
    assert_eq!(checkpoints(&parts), checkpoints(&whole));
}

#[test]
fn the_loss_falls_for_texts_pairs_and_triples_and_each_denominator() {
    let folder = tempfile::tempdir().unwrap();
    let (start, texts) = (start(folder.path()), texts());
    let shifted = |by: usize| texts.iter().cycle().skip(by).take(60).cloned().collect::<Vec<_>>();
    let pairs = Examples { anchors: texts.clone(), positives: shifted(1), ..Examples::default() };
    let triples = Examples { hard_negatives: Some(shifted(7)), ..pairs.clone() };
    for (material, denominator) in [
        (Material::Texts(&texts), Denominator::N),
        (Material::Texts(&texts), Denominator::TwoNMinusOne),
        (Material::Examples(&pairs), Denominator::N),
        (Material::Examples(&triples), Denominator::N),
    ] {
        let settings = TrainSettings { denominator, epochs: 15, head: Head::Training, ..settings() };
        let to = tempfile::tempdir().unwrap();
        let (_, summary) = train(&job(&start, material, &settings, to.path()), &Silent, &Interrupt::new()).unwrap();
        let log = std::fs::read_to_string(to.path().join("metrics.jsonl")).unwrap();
        let loss = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["loss"].as_f64();
        let losses: Vec<f64> = log.lines().filter_map(loss).collect();
        assert_eq!(losses.len() as u64, summary.steps);
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let (first, last) = (mean(&losses[..10]), mean(&losses[losses.len() - 10..]));
        assert!(last < 0.8 * first, "from {first} to {last}");
    }
}

#[test]
fn a_batch_in_parts_learns_what_the_whole_batch_learns() {
    let folder = tempfile::tempdir().unwrap();
    let (start, texts) = (start(folder.path()), texts());
    let trained = |micro_batch| {
        let (dropout, attention_dropout) = (0.0, 0.0);
        let settings = TrainSettings { micro_batch, epochs: 1, dropout, attention_dropout, ..settings() };
        let to = tempfile::tempdir().unwrap();
        let job = job(&start, Material::Texts(&texts), &settings, to.path());
        numbers(&train(&job, &Silent, &Interrupt::new()).unwrap().0)
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
    let settings = TrainSettings { freeze_words: true, epochs: 1, ..settings() };
    let job = job(&start, Material::Texts(&texts), &settings, folder.path());
    let (parameters, _) = train(&job, &Silent, &Interrupt::new()).unwrap();
    for (name, variable) in parameters.iter().filter(|(name, _)| !name.starts_with("pooler")) {
        let before = start.weights.f32(name, variable.dims()).unwrap();
        let same = before == variable.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(same, name == "embeddings.word_embeddings.weight", "{name}");
    }
}

#[test]
fn a_loss_that_is_no_number_names_step_batch_and_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (start, texts) = (start(folder.path()), texts());
    let settings = TrainSettings { learning_rate: 1e30, ..settings() };
    let job = job(&start, Material::Texts(&texts), &settings, folder.path());
    let error = train(&job, &Silent, &Interrupt::new()).unwrap_err();
    let Error::Diverged { step: 2, batch, checkpoint } = &error else { panic!("{error}") };
    assert!(error.hint().unwrap().contains("learning_rate"));
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
    let settings = TrainSettings { denominator: Denominator::TwoNMinusOne, ..TrainSettings::default() };
    assert!(settings.check(Pooler::Mean, false).is_ok());
    assert!(settings.check(Pooler::Mean, true).unwrap_err().to_string().contains("hard negatives"));
    let settings = TrainSettings { head: Head::Training, ..TrainSettings::default() };
    assert!(settings.check(Pooler::Cls, false).is_err());
    for broken in [
        TrainSettings { batch: 1, ..TrainSettings::default() },
        TrainSettings { temperature: 0.0, ..TrainSettings::default() },
        TrainSettings { dropout: 1.0, ..TrainSettings::default() },
        TrainSettings { learning_rate: f64::NAN, ..TrainSettings::default() },
        TrainSettings { evaluate_every: 0, ..TrainSettings::default() },
    ] {
        assert!(broken.check(Pooler::Mean, false).is_err());
    }
}

/// Keeps what it is told.
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
    let (dropout, attention_dropout) = (0.0, 0.0);
    let settings = TrainSettings { dropout, attention_dropout, evaluate_every: 1, patience: 3, ..settings() };
    let looks = Cell::new(0.0);
    let falling: Look = &|_| {
        looks.set(looks.get() - 1.0);
        Ok(DevScores { spearman: looks.get(), alignment: None, uniformity: None })
    };
    let job = TrainJob { dev: Some(falling), ..job(&start, Material::Texts(&texts), &settings, folder.path()) };
    let notes = Notes::default();
    let (parameters, summary) = train(&job, &notes, &Interrupt::new()).unwrap();
    let notes = notes.0.into_inner().unwrap();
    assert!(notes[0].contains("dropout is 0"), "{notes:?}");
    assert_eq!(notes.iter().filter(|note| note.contains("dev Spearman")).count(), 1, "{notes:?}");
    // The best was the start, so the start comes back.
    assert_eq!(summary.best, Some((-1.0, 0)));
    let name = "encoder.layer.1.output.dense.weight";
    let before = start.weights.f32(name, &[32, 64]).unwrap();
    assert_eq!(before, numbers(&parameters)[name]);
}
