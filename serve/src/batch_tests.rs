use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use limbeck_encoder::{Encoder, EncoderInfo};

use super::*;
use crate::gate::Gate;
use crate::input::Texts;
use crate::settings::Limits;

/// Gives each text the vector of its length, and keeps the texts of each call.
#[derive(Default)]
struct Lengths(Mutex<Vec<Vec<String>>>);

impl Encoder for Lengths {
    fn encode(&self, texts: &[&str]) -> Result<limbeck_encoder::Embeddings, EncodeError> {
        let mut calls = self.0.lock().unwrap();
        calls.push(texts.iter().map(|text| text.to_string()).collect());
        drop(calls);
        assert!(!texts.contains(&"panic"), "a panic that the test asked for");
        if texts.contains(&"fail") {
            return Err("it failed".into());
        }
        let values = texts.iter().flat_map(|text| [text.len() as f32, 1.0]).collect();
        Ok(limbeck_encoder::Embeddings::new(values, 2))
    }

    fn info(&self) -> EncoderInfo {
        EncoderInfo { dimension: 2, parameters: 0, bytes: 0, engine: "test", precision: "f32", threads: 1 }
    }
}

/// Keeps the notes.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Host for Notes {
    fn should_stop(&self) -> bool {
        false
    }

    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

type Answer = oneshot::Receiver<Result<(Vectors, Place), Refusal>>;

fn job(texts: &[&str]) -> (Job, Answer) {
    let mut input = Texts::default();
    texts.iter().for_each(|text| input.push(text));
    let (reply, answer) = oneshot::channel();
    let place = Arc::new(Gate::new(&Limits::default())).place();
    (Job { input: Input::Texts(input), place, reply }, answer)
}

/// Runs the queue of these jobs to its end. Gives the calls of the encoder and the notes.
fn run_all(jobs: Vec<Job>) -> (Vec<Vec<String>>, Vec<String>) {
    let encoder = Arc::new(Lengths::default());
    let (model, notes) = (Model::new(encoder.clone(), vec!["m".into()]), Notes::default());
    let (queue, waiting) = channel();
    jobs.into_iter().for_each(|job| queue.send(job).unwrap_or_default());
    drop(queue);
    run(&model, &waiting, &Metrics::default(), &notes);
    let calls = encoder.0.lock().unwrap().clone();
    (calls, notes.0.into_inner().unwrap())
}

fn values(mut answer: Answer) -> Vec<f32> {
    answer.try_recv().unwrap().unwrap().0.values
}

#[test]
fn requests_that_wait_together_are_encoded_together_each_with_its_own_vectors() {
    let (first, second) = (job(&["a", "bb"]), job(&["ccc"]));
    let (calls, _) = run_all(vec![first.0, second.0]);
    assert_eq!(calls, [["a", "bb", "ccc"]]);
    assert_eq!((values(first.1), values(second.1)), (vec![1.0, 1.0, 2.0, 1.0], vec![3.0, 1.0]));
}

#[test]
fn a_large_request_leaves_room_for_others_after_each_round_and_comes_back_whole() {
    let texts: Vec<String> = (0..1_000).map(|length| "x".repeat(length)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (large, small) = (job(&texts), job(&["abc"]));
    let (calls, _) = run_all(vec![large.0, small.0]);
    let small_in = calls.iter().position(|call| call[0] == "abc").unwrap();
    assert_eq!((calls[0].len(), small_in), (TEXTS.start, 1));
    let lengths: Vec<f32> = values(large.1).chunks_exact(2).map(|row| row[0]).collect();
    assert_eq!(lengths, (0..1_000).map(|length| length as f32).collect::<Vec<_>>());
}

#[test]
fn a_text_that_fails_fails_its_own_request_alone() {
    for bad in ["fail", "panic"] {
        let (good, failing, other) = (job(&["a"]), job(&["b", bad]), job(&["c"]));
        let (_, notes) = run_all(vec![good.0, failing.0, other.0]);
        assert_eq!((values(good.1).len(), values(other.1).len()), (2, 2));
        let refusal = { failing.1 }.try_recv().unwrap().err().unwrap();
        assert_eq!(refusal, Refusal::internal());
        assert_eq!(notes.len(), 1, "{notes:?}");
    }
}

#[test]
fn a_request_whose_client_has_left_is_not_encoded() {
    let (left, stays) = (job(&["left"]), job(&["stays"]));
    drop(left.1);
    let (calls, _) = run_all(vec![left.0, stays.0]);
    assert_eq!(calls, [["stays"]]);
}
