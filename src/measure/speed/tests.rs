use std::sync::Mutex;

use limbeck_data::Interrupt;
use limbeck_data::progress::Silent;
use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo};

use super::*;
use crate::measure::test_support::silent;

/// A clock that only encoding moves, and a log of which model encoded how many texts.
#[derive(Default)]
struct FakeWorld {
    time: Mutex<Duration>,
    log: Mutex<Vec<(&'static str, usize)>>,
}

/// An encoder that takes the time `each` for a text and `call` for a call.
struct PacedEncoder<'a> {
    name: &'static str,
    world: &'a FakeWorld,
    call: Duration,
    each: Duration,
}

impl Encoder for PacedEncoder<'_> {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        if texts.iter().any(|text| text.contains("broken")) {
            return Err("no such token".into());
        }
        *self.world.time.lock().unwrap() += self.call + self.each * texts.len() as u32;
        self.world.log.lock().unwrap().push((self.name, texts.len()));
        Ok(Embeddings::new(vec![1.0; texts.len()], 1))
    }

    fn info(&self) -> EncoderInfo {
        EncoderInfo { dimension: 1, parameters: 0, bytes: 0, engine: "fake", precision: "f32", threads: 3 }
    }
}

fn paced<'a>(world: &'a FakeWorld, name: &'static str, micros: u64) -> PacedEncoder<'a> {
    PacedEncoder { name, world, call: Duration::ZERO, each: Duration::from_micros(micros) }
}

const SETTINGS: Settings =
    Settings { rounds: 3, round: Duration::from_secs(2), alone: Duration::from_millis(500), seed: 1 };

fn measure(world: &FakeWorld, models: &[NamedModel<'_>], texts: &[&str]) -> Result<Vec<Speed>> {
    measure_with_clock(&|| *world.time.lock().unwrap(), models, texts, &SETTINGS, silent())
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("text {number}")).collect()
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[test]
fn a_slow_model_is_measured_on_fewer_sentences_in_the_same_time() {
    let world = FakeWorld::default();
    let (slow, fast) = (paced(&world, "slow", 5_000), paced(&world, "fast", 10));
    let texts = texts(10_000);
    let measured =
        measure(&world, &[NamedModel::new("slow", &slow), NamedModel::new("fast", &fast)], &refs(&texts)).unwrap();
    assert_eq!((measured[0].model.as_str(), measured[0].sentences, measured[0].threads), ("slow", 400, 3));
    assert_eq!((measured[1].model.as_str(), measured[1].sentences), ("fast", 200_000));
    assert!((measured[0].sentences_per_second - 200.0).abs() < 1e-6);
    assert!((measured[1].sentences_per_second - 100_000.0).abs() < 1e-3);
    assert!((measured[0].milliseconds_alone.p50 - 5.0).abs() < 1e-9);
    // Three rounds of 2 s and 0.5 s alone for two models, and warming up.
    assert!(world.time.lock().unwrap().as_secs_f64() < 3.0 * 2.0 * 2.6 + 4.0);
}

#[test]
fn the_models_take_turns_and_another_begins_each_round() {
    let world = FakeWorld::default();
    let models = [paced(&world, "a", 1_000), paced(&world, "b", 1_000)];
    let models = [NamedModel::new("a", &models[0]), NamedModel::new("b", &models[1])];
    measure(&world, &models, &["one", "two"]).unwrap();
    let log = world.log.lock().unwrap();
    let rounds: Vec<&str> = log.iter().filter(|(_, texts)| *texts == 2_000).map(|(name, _)| *name).collect();
    assert_eq!(rounds, ["a", "b", "b", "a", "a", "b"]);
}

#[test]
fn the_cost_of_a_call_shows_in_the_latency() {
    let world = FakeWorld::default();
    let model = PacedEncoder { call: Duration::from_millis(2), ..paced(&world, "a", 100) };
    let measured = measure(&world, &[NamedModel::new("a", &model)], &["one"]).unwrap();
    let alone = measured[0].milliseconds_alone;
    assert!((alone.p50 - 2.1).abs() < 1e-9 && (alone.p99 - 2.1).abs() < 1e-9);
    assert!(measured[0].sentences_per_second > 9_000.0);
}

#[test]
fn a_call_has_a_bounded_number_of_texts() {
    let world = FakeWorld::default();
    let model = paced(&world, "a", 10);
    let texts = texts(5_000);
    measure(&world, &[NamedModel::new("a", &model)], &refs(&texts)).unwrap();
    assert_eq!(world.log.lock().unwrap().iter().map(|(_, texts)| *texts).max(), Some(TEXTS_PER_CALL));
}

#[test]
fn an_engine_that_takes_no_time_comes_to_an_end() {
    let world = FakeWorld::default();
    let measured = measure(&world, &[NamedModel::new("a", &paced(&world, "a", 0))], &["one"]).unwrap();
    assert!(measured[0].sentences_per_second.is_finite());
    assert_eq!(measured[0].sentences, MOST_SENTENCES);
}

#[test]
fn a_prefix_is_read_with_every_text() {
    let world = FakeWorld::default();
    let error =
        measure(&world, &[NamedModel::new("a", &paced(&world, "a", 10)).with_prefix("broken ")], &["one"]).unwrap_err();
    assert_eq!(error.to_string(), "a cannot encode the bench's texts");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no such token");
}

#[test]
fn no_text_is_an_error() {
    let world = FakeWorld::default();
    let model = paced(&world, "a", 10);
    assert!(matches!(measure(&world, &[NamedModel::new("a", &model)], &[]), Err(Error::TooFew { found: 0, .. })));
}

#[test]
fn an_interrupt_stops_before_the_next_call() {
    let world = FakeWorld::default();
    let model = paced(&world, "a", 10);
    let interrupt = Interrupt::new();
    interrupt.set();
    let monitor = Monitor::new(&Silent, &interrupt);
    let stopped = measure_speed(&[NamedModel::new("a", &model)], &["one"], &SETTINGS, monitor);
    assert!(matches!(stopped, Err(Error::Interrupted(_))));
    assert!(world.log.lock().unwrap().is_empty());
}

#[test]
fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
    assert_eq!((median(&mut [3.0, 1.0, 2.0]), median(&mut [4.0, 1.0, 2.0, 3.0]), median(&mut [])), (2.0, 2.5, 0.0));
}

#[test]
fn percentiles_go_by_nearest_rank() {
    let mut hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
    assert_eq!((percentile(&mut hundred, 50), percentile(&mut hundred, 99)), (50.0, 99.0));
    assert_eq!((percentile(&mut [7.0], 99), percentile(&mut [], 50)), (7.0, 0.0));
}

#[test]
fn a_measurement_is_the_json_that_others_read() {
    let milliseconds_alone = Latency { p50: 0.5, p99: 1.5 };
    let measurement =
        Speed { model: "m".into(), sentences_per_second: 10.0, sentences: 20, threads: 2, milliseconds_alone };
    assert_eq!(
        serde_json::to_string(&measurement).unwrap(),
        concat!(
            r#"{"model":"m","sentences_per_second":10.0,"sentences":20,"threads":2,"#,
            r#""milliseconds_alone":{"p50":0.5,"p99":1.5}}"#
        )
    );
}
