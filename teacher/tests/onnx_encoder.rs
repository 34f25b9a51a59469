//! Models of other exporters in ONNX Runtime. The library is the one that ORT_DYLIB_PATH names; without it these tests
//! say that they skip. The models are made by `tests/golden/onnx/make.py`: token `i` has the vector [i + 1, 1, 0, -i].

use std::fs;
use std::path::{Path, PathBuf};

use limbeck_encoder::{Encoder, Tokenizer};
use limbeck_teacher::{Error, InferenceError, LIBRARY_VARIABLE, OnnxDevice, OnnxEncoder, OnnxOptions, Pooler, Runtime};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/onnx").join(name)
}

fn runtime(test: &str) -> Option<Runtime> {
    if std::env::var_os(LIBRARY_VARIABLE).is_none() {
        eprintln!("{test}: skipped, since {LIBRARY_VARIABLE} names no ONNX Runtime library");
        return None;
    }
    Some(Runtime::find(None, || Ok(None)).unwrap())
}

fn load(runtime: &Runtime, name: &str, options: &OnnxOptions) -> limbeck_teacher::Result<OnnxEncoder> {
    OnnxEncoder::load(runtime, &golden(name), Tokenizer::from_file(&golden("tokenizer.json")).unwrap(), options)
}

/// The unit vector of the sum of the vectors of these tokens.
fn of(ids: &[u32]) -> [f32; 4] {
    let sum = ids.iter().fold([0.0; 4], |[a, b, c, d], &id| [a + id as f32 + 1.0, b + 1.0, c, d - id as f32]);
    let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
    sum.map(|number| number / length)
}

fn assert_near(found: &[f32], expected: &[f32], tolerance: f32) {
    let near = found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= tolerance);
    assert!(near, "{found:?} is not {expected:?}");
}

const TEXTS: [&str; 5] = ["the cat sat", "", "dog", "the the the the cat dog sat", "never seen"];
const IDS: [&[u32]; 5] = [&[2, 4, 5, 7, 3], &[2, 3], &[2, 6, 3], &[2, 4, 4, 4, 4, 5, 6, 7, 3], &[2, 1, 1, 3]];

#[test]
fn models_of_every_make_give_the_mean_of_their_token_vectors() {
    let Some(runtime) = runtime("models_of_every_make") else { return };
    for (name, tolerance) in [("tokens.onnx", 1e-6), ("odd.onnx", 1e-6), ("half.onnx", 1e-3)] {
        for batch_tokens in [1, 12, 4096] {
            let options = OnnxOptions { threads: 1, batch_tokens, ..OnnxOptions::default() };
            let encoder = load(&runtime, name, &options).unwrap();
            assert_eq!((encoder.info().dimension, encoder.info().parameters, encoder.info().threads), (4, 32, 1));
            assert_eq!(encoder.info().precision, if name == "half.onnx" { "f16" } else { "f32" });
            let vectors = encoder.encode(&TEXTS).unwrap();
            for (vector, ids) in vectors.iter().zip(IDS) {
                assert_near(vector, &of(ids), tolerance);
            }
        }
    }
}

#[test]
fn a_model_that_pools_is_taken_at_its_word() {
    let Some(runtime) = runtime("a_model_that_pools") else { return };
    let encoder = load(&runtime, "pooled.onnx", &OnnxOptions::default()).unwrap();
    for vector in encoder.encode(&TEXTS).unwrap().iter() {
        assert_near(vector, &of(&[2]), 1e-6);
    }
}

#[test]
fn the_first_token_serves_where_the_pooler_says_so() {
    let Some(runtime) = runtime("the_first_token") else { return };
    let options = |pooler| OnnxOptions { pooler: Some(pooler), ..OnnxOptions::default() };
    let encoder = load(&runtime, "tokens.onnx", &options(Pooler::ClsBeforePooler)).unwrap();
    assert_near(encoder.encode(&["cat"]).unwrap().row(0), &of(&[2]), 1e-6);
    let error = load(&runtime, "tokens.onnx", &options(Pooler::LastTwo)).err().unwrap();
    assert!(error.to_string().contains("last-two"), "{error}");
}

#[test]
fn a_fixed_batch_and_length_are_kept_to() {
    let Some(runtime) = runtime("a_fixed_batch") else { return };
    let encoder = load(&runtime, "fixed.onnx", &OnnxOptions::default()).unwrap();
    assert_eq!(encoder.max_tokens(), Some(6));
    let vectors = encoder.encode(&TEXTS).unwrap();
    for (vector, ids) in vectors.iter().zip(IDS) {
        let cut = [&ids[..ids.len().min(6) - 1], &[3]].concat();
        assert_near(vector, &of(&cut), 1e-6);
    }
}

#[test]
fn prefix_and_longest_input_are_as_asked() {
    let Some(runtime) = runtime("prefix_and_longest_input") else { return };
    let options =
        OnnxOptions { prefix: Some("dog ".into()), max_tokens: Some(4), batch_tokens: 8, ..OnnxOptions::default() };
    let encoder = load(&runtime, "tokens.onnx", &options).unwrap();
    let vectors = encoder.encode(&["the cat sat", ""]).unwrap();
    assert_near(vectors.row(0), &of(&[2, 6, 4, 3]), 1e-6);
    assert_near(vectors.row(1), &of(&[2, 6, 3]), 1e-6);
    assert_eq!(encoder.encode(&[]).unwrap().rows(), 0);
}

#[test]
fn what_is_no_text_encoder_is_refused_with_its_name() {
    let Some(runtime) = runtime("what_is_no_text_encoder") else { return };
    let options = OnnxOptions::default();
    let error = load(&runtime, "picture.onnx", &options).err().unwrap();
    assert!(error.to_string().contains("picture.onnx") && error.to_string().contains("pixels"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.onnx");
    let bytes = fs::read(golden("tokens.onnx")).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let tokenizer = || Tokenizer::from_file(&golden("tokenizer.json")).unwrap();
    let error = OnnxEncoder::load(&runtime, &path, tokenizer(), &options).err().unwrap();
    assert!(error.to_string().contains("cut.onnx") && error.hint().is_some(), "{error}");
    let missing = folder.path().join("none.onnx");
    let error = OnnxEncoder::load(&runtime, &missing, tokenizer(), &options).err().unwrap();
    assert!(error.to_string().contains("none.onnx"), "{error}");
}

#[test]
fn cuda_that_cannot_be_had_is_an_error() {
    let Some(runtime) = runtime("cuda_that_cannot_be_had") else { return };
    let options = OnnxOptions { device: OnnxDevice::Cuda(99), ..OnnxOptions::default() };
    let error = load(&runtime, "tokens.onnx", &options).err().unwrap();
    let cuda = |error: &Error| {
        use InferenceError::{NoCuda, NoCudaInLibrary};
        matches!(error, Error::Inference(NoCuda { .. } | NoCudaInLibrary { .. }))
    };
    assert!(cuda(&error) && error.hint().is_some(), "{error}");
}

#[test]
fn a_process_has_one_library() {
    let Some(runtime) = runtime("a_process_has_one_library") else { return };
    assert!(runtime.version().starts_with("1."), "{}", runtime.version());
    assert_eq!(Runtime::load(runtime.library()).unwrap().library(), runtime.library());
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("libonnxruntime.so");
    fs::write(&other, "other").unwrap();
    let error = Runtime::load(&other).unwrap_err();
    assert!(matches!(error, Error::Inference(InferenceError::LibraryLoaded { .. })), "{error}");
}
