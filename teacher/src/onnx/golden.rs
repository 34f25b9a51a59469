//! The ONNX files of tiny random models against transformers' states of every token, through ONNX Runtime.
//!
//! The library comes from the Python package index (once, into the user's cache). These tests print that they skip if
//! the index can't be reached.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Device;
use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, runtime_uri};
use limbeck_encoder::{Precision, TokenBatch};
use limbeck_training::random::Random;
use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;

use super::export;
use crate::bert::{Bert, numbers};
use crate::{Architecture, Pooler, Runtime, TeacherFolder};

fn golden(architecture: Architecture) -> PathBuf {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/architectures");
    all.join(architecture.model_type())
}

fn runtime() -> Option<Runtime> {
    let fetch = || {
        let asset = AssetStore::of_user()?.fetch(&runtime_uri("1.32.0")?, None, Monitor::silent())?;
        Ok(Some(asset.path))
    };
    Runtime::find(None, fetch).inspect_err(|error| eprintln!("skipped, since the library can't be had: {error}")).ok()
}

/// The golden model with a tokenizer of a word for each id.
fn open(architecture: Architecture, place: &Path) -> TeacherFolder {
    for entry in std::fs::read_dir(golden(architecture)).unwrap() {
        let file = entry.unwrap().path();
        std::fs::copy(&file, place.join(file.file_name().unwrap())).unwrap();
    }
    let words: BTreeMap<String, u32> = (0..100).map(|id| (format!("word{id}"), id)).collect();
    let tokenizer = serde_json::json!({"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "word3"}});
    std::fs::write(place.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    TeacherFolder::open(place).unwrap()
}

/// The texts of a golden file and the states of their tokens.
fn texts(architecture: Architecture) -> Vec<(Vec<u32>, Vec<f32>)> {
    let file = golden(architecture).join("states.safetensors");
    let tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let ids = |text: usize| -> Vec<i64> { tensors[&format!("{text}.ids")].to_vec1().unwrap() };
    let states = |text: usize| numbers(&tensors[&format!("{text}.states")]).unwrap();
    (0..5).map(|text| (ids(text).into_iter().map(|id| id as u32).collect(), states(text))).collect()
}

/// The output `name` for texts in one batch.
fn run(session: &mut Session, texts: &[&[u32]], padding: i64, name: &str) -> Vec<f32> {
    let longest = texts.iter().map(|text| text.len()).max().unwrap();
    let padded = |value: &dyn Fn(&[u32], usize) -> i64| -> SessionInputValue<'static> {
        let values: Vec<i64> = texts.iter().flat_map(|text| (0..longest).map(move |at| value(text, at))).collect();
        Tensor::from_array(([texts.len(), longest], values)).unwrap().into()
    };
    let value = |input: &str| match input {
        "input_ids" => padded(&|text, at| text.get(at).map_or(padding, |&id| i64::from(id))),
        "attention_mask" => padded(&|text, at| i64::from(at < text.len())),
        "token_type_ids" => padded(&|_, _| 0),
        other => panic!("the input {other} is unknown"),
    };
    let names: Vec<String> = session.inputs().iter().map(|input| input.name().to_owned()).collect();
    let inputs: Vec<_> = names.into_iter().map(|name| (name.clone(), value(&name))).collect();
    let outputs = session.run(inputs).unwrap();
    outputs[name].try_extract_tensor::<f32>().unwrap().1.to_vec()
}

fn session(runtime: &Runtime, teacher: &TeacherFolder, precision: Precision) -> Session {
    let to = teacher.path.join(format!("{}.onnx", precision.name()));
    export(teacher, Pooler::Mean, precision, &to).unwrap();
    Session::builder(&runtime.environment).unwrap().commit_from_file(to).unwrap()
}

#[test]
fn every_architectures_f32_file_has_transformers_states() {
    let Some(runtime) = runtime() else { return };
    for architecture in Architecture::ALL {
        let place = tempfile::tempdir().unwrap();
        let mut session = session(&runtime, &open(architecture, place.path()), Precision::F32);
        let types = session.inputs().iter().any(|input| input.name() == "token_type_ids");
        assert_eq!(types, architecture == Architecture::Bert, "{architecture:?}");
        let texts = texts(architecture);
        let ids: Vec<&[u32]> = texts.iter().map(|(ids, _)| &ids[..]).collect();
        let longest = ids.iter().map(|ids| ids.len()).max().unwrap();
        // Whatever stands where a text has ended makes no difference.
        for padding in [1, 0] {
            let together = run(&mut session, &ids, padding, "last_hidden_state");
            for (text, (ids, expected)) in texts.iter().enumerate() {
                let alone = run(&mut session, &[ids], padding, "last_hidden_state");
                for found in [&alone[..], &together[text * longest * 32..][..expected.len()]] {
                    assert_eq!(found.len(), expected.len());
                    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(off < 1e-4, "{architecture:?}: text {text} is off by {off}");
                }
            }
        }
    }
}

#[test]
fn every_architectures_int8_file_is_near_f32() {
    let Some(runtime) = runtime() else { return };
    let mut random = Random::new(5, &[]);
    let texts: Vec<Vec<u32>> =
        (0..200).map(|text| (0..1 + text % 40).map(|_| 5 + (random.next_u64() % 95) as u32).collect()).collect();
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    for architecture in Architecture::ALL {
        let place = tempfile::tempdir().unwrap();
        let teacher = open(architecture, place.path());
        let vectors = [Precision::F32, Precision::Int8].map(|precision| {
            let mut session = session(&runtime, &teacher, precision);
            run(&mut session, &texts, 1, "sentence_embedding")
        });
        let cosine = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let cosines: Vec<f32> = vectors[0].chunks(32).zip(vectors[1].chunks(32)).map(cosine).collect();
        let mean = cosines.iter().sum::<f32>() / cosines.len() as f32;
        eprintln!("{architecture:?}: a mean cosine of {mean}");
        assert!(mean > 0.99, "{architecture:?}: a mean cosine of {mean}");
    }
}

#[test]
fn every_pooler_of_a_relative_pools_as_candle_does() {
    let Some(runtime) = runtime() else { return };
    let place = tempfile::tempdir().unwrap();
    let teacher = open(Architecture::Mpnet, place.path());
    let texts = texts(Architecture::Mpnet);
    let ids: Vec<&[u32]> = texts.iter().map(|(ids, _)| &ids[..]).collect();
    let batch: TokenBatch = ids.iter().copied().collect();
    let bert = Bert::load(&teacher, &Device::Cpu, candle_core::DType::F32).unwrap();
    for pooler in Pooler::ALL {
        let to = place.path().join("pooled.onnx");
        export(&teacher, pooler, Precision::F32, &to).unwrap();
        let mut session = Session::builder(&runtime.environment).unwrap().commit_from_file(&to).unwrap();
        let found = run(&mut session, &ids, 1, "sentence_embedding");
        let mut expected = numbers(&bert.pooled(&batch, pooler).unwrap()).unwrap();
        for vector in expected.chunks_mut(32) {
            limbeck_encoder::normalise(vector);
        }
        let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-5, "{pooler}: off by {off}");
    }
}
