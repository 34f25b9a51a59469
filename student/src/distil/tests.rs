use std::path::Path;

use candle_core::{DType, Device};
use limbeck_data::Interrupt;
use limbeck_data::VectorType;
use limbeck_data::cache::{Cache, CacheSpec, CacheWriter, Fingerprint, SHARD_ROWS};
use limbeck_data::progress::{Progress, Silent};
use limbeck_encoder::Tokenizer;
use limbeck_training::Error as TrainingError;
use limbeck_training::checkpoint::CheckpointFiles;
use limbeck_training::fit::TrainingState;
use limbeck_training::random::Random;

use super::*;
use crate::am_softmax::AmSoftmaxLoss;
use crate::config::{ARCHITECTURE, ConvolutionConfig, StudentConfig};
use crate::dense::DenseParameters;
use crate::error::{Error, Result};
use crate::model::TextCnn;
use crate::test_support::{StopAt, WORDS, word_tokenizer};
use crate::trainable::weights_hash;

const DIMENSION: usize = 6;

/// A cache of `rows` texts of five words, with made-up vectors.
fn cache(folder: &Path, rows: usize) -> Cache {
    let spec = CacheSpec::new(DIMENSION, VectorType::F16, Fingerprint::default());
    let mut random = Random::new(1, &[]);
    let mut word = || WORDS[2 + random.below(10)];
    let texts: Vec<String> = (0..rows).map(|_| [(); 5].map(|()| word()).join(" ")).collect();
    let vectors: Vec<f32> = (0..rows * DIMENSION).map(|at| ((at * 7_919) % 1_009) as f32 / 1_009.0 - 0.4).collect();
    let mut writer = CacheWriter::open(folder, spec).unwrap();
    for (shard, texts) in texts.chunks(SHARD_ROWS).enumerate() {
        let first = shard * SHARD_ROWS * DIMENSION;
        writer.write(shard, texts, &vectors[first..first + texts.len() * DIMENSION]).unwrap();
    }
    writer.finish(rows as u64).unwrap();
    Cache::open(folder).unwrap()
}

/// A student of a max-pooled convolution and the skip.
fn config(tokenizer: &Tokenizer, embedding: usize) -> StudentConfig {
    StudentConfig {
        architecture: ARCHITECTURE.into(),
        vocabulary: tokenizer.vocabulary() + 1,
        embedding,
        dimension: DIMENSION,
        convolutions: vec![ConvolutionConfig { width: 3, filters: 16 }],
        attention: None,
        skip: true,
        max_tokens: None,
    }
}

fn targets<'a>(cache: &'a Cache, tokenizer: &'a Tokenizer) -> Targets<'a> {
    Targets { cache, held_out: None, tokenizer, max_tokens: None }
}

/// A distillation of what a cache holds, from the static start.
fn job<'a>(
    targets: Targets<'a>,
    config: StudentConfig,
    settings: &'a DistilSettings,
    folder: &'a Path,
) -> DistilJob<'a> {
    let metrics = folder.join("metrics.jsonl");
    DistilJob {
        targets,
        documents: None,
        config,
        settings,
        student: None,
        folder,
        metrics,
        stage: "distil",
        device: Device::Cpu,
    }
}

#[test]
fn the_survey_knows_how_many_rows_of_each_slice_are_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, tokenizer) = (cache(folder.path(), 20_000), word_tokenizer());
    let made_elsewhere = Cache::open(&folder.path().join("shard-00000.parquet")).unwrap();
    for cache in [&cache, &made_elsewhere] {
        let targets = targets(cache, &tokenizer);
        let survey = targets.survey(None, Monitor::new(&Silent, &Interrupt::new())).unwrap();
        assert_eq!(survey.slices, cache.slices());
        for (slice, &rows) in survey.slices.iter().zip(&survey.train_rows) {
            let examples = targets.examples(&cache.read_slice(slice).unwrap()).unwrap();
            assert_eq!(examples.tokens.rows(), rows, "{slice:?}");
        }
        let held_out = cache.rows() as usize - survey.train_rows.iter().sum::<usize>();
        assert!(held_out > 100, "{held_out}");
    }
}

#[test]
fn documents_that_come_more_often_make_more_steps_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, tokenizer) = (cache(folder.path(), 2_000), word_tokenizer());
    let targets = || targets(&cache, &tokenizer);
    let documents: Documents = cache.read(0).unwrap().texts[..400].iter().collect();
    let interrupt = Interrupt::new();
    let monitor = Monitor::new(&Silent, &interrupt);
    let survey = targets().survey(Some(&documents), monitor).unwrap();
    let (texts, found) = (survey.train_rows.iter().sum::<usize>(), survey.documents.iter().sum::<usize>());
    assert!((350..=400).contains(&found), "{found} but for those held out");

    let distilled = |times, documents| {
        let settings = DistilSettings { epochs: 1, batch: 50, documents: times, ..DistilSettings::default() };
        let folder = tempfile::tempdir().unwrap();
        let job = DistilJob { documents, ..job(targets(), config(&tokenizer, DIMENSION), &settings, folder.path()) };
        distil(&job, monitor)
    };
    let summary = distilled(4, Some(&documents)).unwrap().1;
    assert_eq!((summary.texts, summary.documents), (texts, found));
    assert_eq!(summary.steps, ((texts + 3 * found) as f64 / 50.0).round() as u64);
    let error = distilled(4, None).err().unwrap().to_string();
    assert!(error.contains("distil.documents"), "{error}");
}

#[test]
fn texts_are_held_out_of_a_cache_whose_text_was_split_before() {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = word_tokenizer();
    // By the hash, as the preparation of the text splits it.
    let split = |text: &str| limbeck_data::text::hash(text) < u64::MAX / 10;
    let texts: Vec<String> = (0..30_000).map(|n| format!("{} {n}", WORDS[2 + n % 10])).collect();
    let (held_out, train): (Vec<String>, Vec<String>) = texts.into_iter().partition(|text| split(text));
    let [train, held_out] = [("train", train), ("held-out", held_out)].map(|(name, texts)| {
        let mut writer =
            CacheWriter::open(&folder.path().join(name), CacheSpec::new(1, VectorType::F32, Fingerprint::default()))
                .unwrap();
        for (shard, texts) in texts.chunks(SHARD_ROWS).enumerate() {
            writer.write(shard, texts, &vec![1.0; texts.len()]).unwrap();
        }
        writer.finish(texts.len() as u64).unwrap();
        Cache::open(&folder.path().join(name)).unwrap()
    });
    let alone = targets(&train, &tokenizer).held_out().unwrap();
    assert!((1_000..1_700).contains(&alone.texts.len()), "{} of a twentieth", alone.texts.len());
    let beside = Targets { held_out: Some(&held_out), ..targets(&train, &tokenizer) }.held_out().unwrap();
    assert_eq!(beside.texts.len() as u64, held_out.rows());
}

/// Two epochs of two windows.
fn learn(
    cache: &Cache,
    folder: &Path,
    losses: Losses,
    (progress, interrupt): (&dyn Progress, &Interrupt),
) -> Result<String> {
    let tokenizer = word_tokenizer();
    let settings =
        DistilSettings { epochs: 2, window: 1, checkpoint_every: 7, losses, dropout: 0.1, ..DistilSettings::default() };
    let job = job(targets(cache, &tokenizer), config(&tokenizer, DIMENSION), &settings, folder);
    let (model, summary) = distil(&job, Monitor::new(progress, interrupt))?;
    assert_eq!(summary.texts.div_ceil(SHARD_ROWS), 2, "two windows");
    weights_hash(&model)
}

#[test]
fn a_distillation_stopped_in_any_window_resumes_to_the_same_student() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path(), 20_000);
    let with_classes =
        Losses { am_softmax: AmSoftmaxLoss { weight: 0.2, ..AmSoftmaxLoss::default() }, ..Losses::default() };
    for losses in [Losses::default(), with_classes] {
        let (calm, stopped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let calm_student = learn(&cache, calm.path(), losses.clone(), (&Silent, &Interrupt::new())).unwrap();
        // In the first window, in the second, and in the next epoch.
        for step in [10, 20, 25] {
            let interrupt = Interrupt::new();
            let stop = StopAt::new(step, &interrupt);
            let result = learn(&cache, stopped.path(), losses.clone(), (&stop, &interrupt));
            let Err(Error::Training(error)) = result else { panic!("{result:?}") };
            assert!(matches!(*error, TrainingError::Interrupted { step: at, .. } if at == step), "{error:?}");
        }
        let student = learn(&cache, stopped.path(), losses, (&Silent, &Interrupt::new())).unwrap();
        assert_eq!(student, calm_student);
        let log = |folder: &Path| std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
        assert_eq!(log(stopped.path()), log(calm.path()));
    }
}

#[test]
fn a_student_wider_than_the_targets_can_be_distilled_further() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, tokenizer) = (cache(folder.path(), 3_000), word_tokenizer());
    let config = config(&tokenizer, 2 * DIMENSION);
    let dense = DenseParameters::fresh(&config, 1, DType::F32, &Device::Cpu).unwrap();
    let table = (0..config.vocabulary * config.embedding).map(|at| (at % 13) as f32 - 6.0).collect();
    let student = TextCnn::new(config.clone(), table, dense, Device::Cpu).unwrap();
    let settings = DistilSettings { epochs: 1, ..DistilSettings::default() };
    let anew = job(targets(&cache, &tokenizer), config, &settings, folder.path());
    let job = DistilJob { student: Some(&student), ..anew };
    let (_, summary) = distil(&job, Monitor::new(&Silent, &Interrupt::new())).unwrap();
    assert!(summary.best > summary.start, "{summary:?}");
}

#[test]
fn weights_that_are_not_finite_are_not_saved() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (cache, tokenizer) = (cache(data.path(), 3_000), word_tokenizer());
    // So long a first step, which no warm-up shortens, leaves infinities.
    let settings = DistilSettings {
        learning_rate: 1e39,
        warm_up: 0.0,
        checkpoint_every: 1,
        epochs: 1,
        ..DistilSettings::default()
    };
    let job = job(targets(&cache, &tokenizer), config(&tokenizer, DIMENSION), &settings, folder.path());
    let error = distil(&job, Monitor::new(&Silent, &Interrupt::new())).err().unwrap();
    assert!(error.to_string().starts_with("a parameter is not finite at step 1"), "{error}");
    let state: TrainingState = CheckpointFiles::new(folder.path()).state().unwrap().unwrap();
    assert_eq!(state.step, 0);
}

#[test]
fn a_loss_that_is_not_finite_leaves_the_texts_of_its_batch() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (cache, tokenizer) = (cache(data.path(), 3_000), word_tokenizer());
    let settings = DistilSettings { learning_rate: 1e39, warm_up: 0.0, epochs: 1, ..DistilSettings::default() };
    let job = job(targets(&cache, &tokenizer), config(&tokenizer, DIMENSION), &settings, folder.path());
    let error = distil(&job, Monitor::new(&Silent, &Interrupt::new())).err().unwrap();
    let Error::Training(error) = error else { panic!("{error}") };
    let TrainingError::Diverged { step: 2, batch, .. } = &*error else { panic!("{error:?}") };
    let trained = job.targets.training_texts(usize::MAX).unwrap();
    let lines = std::fs::read_to_string(batch).unwrap();
    assert!((450..600).contains(&lines.lines().count()), "{lines}");
    for line in lines.lines() {
        let (number, text) = line.split_once('\t').unwrap();
        assert_eq!(trained[number.parse::<usize>().unwrap() - 1], text);
    }
}
