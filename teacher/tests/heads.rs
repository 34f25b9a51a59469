//! Heads of sentence-transformers under the tiny BERT of the golden files. `tests/golden/modules/make.py` made the
//! folders and their vectors.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, runtime_uri};
use limbeck_encoder::{Embeddings, Encoder, Precision, Tokenizer};
use limbeck_teacher::bert::BertEncoder;
use limbeck_teacher::head::HeadActivation;
use limbeck_teacher::{Error, OnnxEncoder, OnnxOptions, Pooler, Runtime, TeacherFolder, onnx};
use serde::Deserialize;
use tempfile::TempDir;

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    cases: Vec<Case>,
    activations: Activations,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    files: HashMap<String, String>,
    vectors: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Activations {
    at: Vec<f32>,
    values: HashMap<String, Vec<f32>>,
}

fn golden_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

fn golden() -> Golden {
    serde_json::from_slice(&fs::read(golden_path("modules/modules.json")).unwrap()).unwrap()
}

fn runtime() -> Runtime {
    let fetch = || {
        let asset = AssetStore::of_user().fetch(&runtime_uri("1.32.0")?, None, Monitor::silent())?;
        Ok(Some(asset.path))
    };
    Runtime::find(None, fetch).unwrap()
}

/// The tiny BERT with the files of a case.
fn folder(files: &HashMap<String, String>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let all = candle_core::safetensors::load(golden_path("bert_simcse_training.safetensors"), &Device::Cpu).unwrap();
    let own = all.into_iter().filter_map(|(name, tensor)| Some((name.strip_prefix("init.")?.to_owned(), tensor)));
    candle_core::safetensors::save(&own.collect(), path("model.safetensors")).unwrap();
    fs::copy(golden_path("bert_simcse_training.config.json"), path("config.json")).unwrap();
    fs::copy(golden_path("onnx/tokenizer.json"), path("tokenizer.json")).unwrap();
    for (name, text) in files {
        let to = path(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(&to, text).unwrap();
        let module = to.parent().unwrap();
        if module.to_string_lossy().ends_with("Dense") || module.to_string_lossy().ends_with("LayerNorm") {
            write_weights(module, &serde_json::from_str(text).unwrap());
        }
    }
    folder
}

/// The weights that the rule of `make.py` gives a module of this configuration.
fn write_weights(module: &Path, config: &serde_json::Value) {
    let size = |key: &str| config[key].as_u64().map(|size| size as usize);
    let shapes: Vec<(&str, Vec<usize>)> = match (size("dimension"), size("in_features"), size("out_features")) {
        (Some(width), ..) => vec![("norm.weight", vec![width]), ("norm.bias", vec![width])],
        (None, Some(inputs), Some(outputs)) => {
            let mut shapes = vec![("linear.weight", vec![outputs, inputs])];
            if config["bias"] == true {
                shapes.push(("linear.bias", vec![outputs]));
            }
            if config["use_residual"] == true && inputs != outputs {
                shapes.push(("residual.weight", vec![outputs, inputs]));
            }
            shapes
        }
        _ => panic!("{config}"),
    };
    const NAMES: [&str; 5] = ["linear.weight", "linear.bias", "residual.weight", "norm.weight", "norm.bias"];
    let tensors: HashMap<String, Tensor> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let place = NAMES.iter().position(|known| *known == name).unwrap();
            let value = |k: usize| (((7 * k + 3 * place) % 17) as f32 - 8.0) / 10.0;
            let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
            (name.to_owned(), Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
        })
        .collect();
    candle_core::safetensors::save(&tensors, module.join("model.safetensors")).unwrap();
}

fn assert_near(found: &Embeddings, expected: &[Vec<f32>], tolerance: f32, name: &str) {
    assert_eq!((found.rows(), found.dimension()), (expected.len(), expected[0].len()), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        let far = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
        assert!(far < tolerance, "{name}: {found:?} is not {expected:?}");
    }
}

#[test]
fn candle_gives_the_vectors_of_sentence_transformers() {
    let golden = golden();
    let texts: Vec<&str> = golden.texts.iter().map(String::as_str).collect();
    for case in &golden.cases {
        let folder = folder(&case.files);
        let teacher = TeacherFolder::open(folder.path()).unwrap();
        let encoder = BertEncoder::load(&teacher, &Device::Cpu, DType::F32).unwrap();
        assert_near(&encoder.encode(&texts).unwrap(), &case.vectors, 1e-5, &case.name);
    }
}

#[test]
fn an_export_has_the_head_in_its_graph() {
    let (golden, runtime) = (golden(), runtime());
    let texts: Vec<&str> = golden.texts.iter().map(String::as_str).collect();
    for case in &golden.cases {
        let folder = folder(&case.files);
        let teacher = TeacherFolder::open(folder.path()).unwrap();
        let file = folder.path().join("model.onnx");
        onnx::export(&teacher, teacher.pooler, Precision::F32, &file).unwrap();
        let tokenizer = Tokenizer::from_file(&teacher.tokenizer).unwrap();
        let encoder = OnnxEncoder::load(&runtime, &file, tokenizer, &OnnxOptions::default()).unwrap();
        assert!(encoder.notes().is_empty(), "{:?}", encoder.notes());
        assert_near(&encoder.encode(&texts).unwrap(), &case.vectors, 1e-5, &case.name);
    }
}

#[test]
fn activations_are_those_of_pytorch() {
    let Activations { at, values } = golden().activations;
    assert_eq!(values.len(), HeadActivation::all_names().split(", ").count());
    for (name, expected) in values {
        let activation = HeadActivation::of_class(&format!("torch.nn.modules.activation.{name}")).unwrap();
        for (&x, expected) in at.iter().zip(expected) {
            let found = activation.at(x);
            assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{name}({x}): {found}, not {expected}");
        }
    }
}

/// The exported activations, held to the functions that the test above holds to PyTorch's.
#[test]
fn an_export_has_every_activation() {
    let (golden, runtime) = (golden(), runtime());
    let case = golden.cases.iter().find(|case| case.name == "narrower").unwrap();
    let texts: Vec<&str> = golden.texts.iter().map(String::as_str).collect();
    for name in HeadActivation::all_names().split(", ") {
        let mut files = case.files.clone();
        let dense = files.get_mut("2_Dense/config.json").unwrap();
        *dense = dense.replace("torch.nn.modules.linear.Identity", &format!("torch.nn.{name}"));
        let folder = folder(&files);
        let teacher = TeacherFolder::open(folder.path()).unwrap();
        let expected = BertEncoder::load(&teacher, &Device::Cpu, DType::F32).unwrap().encode(&texts).unwrap();
        let expected: Vec<Vec<f32>> = expected.iter().map(<[f32]>::to_vec).collect();
        let file = folder.path().join("model.onnx");
        onnx::export(&teacher, teacher.pooler, Precision::F32, &file).unwrap();
        let tokenizer = Tokenizer::from_file(&teacher.tokenizer).unwrap();
        let encoder = OnnxEncoder::load(&runtime, &file, tokenizer, &OnnxOptions::default()).unwrap();
        assert_near(&encoder.encode(&texts).unwrap(), &expected, 1e-5, name);
    }
}

#[test]
fn a_pooler_that_is_asked_for_takes_the_place_of_several() {
    let golden = golden();
    let case = |name: &str| golden.cases.iter().find(|case| case.name == name).unwrap();
    let folder = folder(&case("several").files);
    let mut teacher = TeacherFolder::open(folder.path()).unwrap();
    assert_eq!(teacher.dimension().unwrap(), 96);
    teacher.set_pooler(Pooler::Max);
    let texts: Vec<&str> = golden.texts.iter().map(String::as_str).collect();
    let encoder = BertEncoder::load(&teacher, &Device::Cpu, DType::F32).unwrap();
    assert_near(&encoder.encode(&texts).unwrap(), &case("max").vectors, 1e-5, "max");
}

#[test]
fn a_head_that_cannot_be_followed_is_refused_with_its_file() {
    let golden = golden();
    let case = golden.cases.iter().find(|case| case.name == "narrower").unwrap();
    let with = |file: &str, from: &str, to: &str| {
        let mut files = case.files.clone();
        let text = files.get_mut(file).unwrap();
        assert!(text.contains(from), "{text}");
        *text = text.replace(from, to);
        TeacherFolder::open(folder(&files).path()).unwrap_err()
    };
    for (file, from, to, named) in [
        ("2_Dense/config.json", "torch.nn.modules.linear.Identity", "torch.nn.PReLU", "PReLU"),
        (
            "2_Dense/config.json",
            "\"module_input_name\": \"sentence_embedding\"",
            "\"module_input_name\": \"token_embeddings\"",
            "token_embeddings",
        ),
        ("1_Pooling/config.json", "\"mean\"", "\"median\"", "median"),
        ("modules.json", "modules.dense.Dense", "modules.router.Router", "Router"),
    ] {
        let error = with(file, from, to);
        assert!(matches!(error, Error::Unsupported { .. }) && error.hint().is_some(), "{error}");
        let text = error.to_string();
        assert!(text.contains(file) && text.contains(named), "{text}");
    }
    let error = with("2_Dense/config.json", "\"in_features\": 32", "\"in_features\": 16");
    assert!(matches!(error, Error::HeadWidth { expected: 16, found: 32, .. }), "{error}");
}

#[test]
fn texts_are_lower_cased_where_the_folder_says_so() {
    let golden = golden();
    let case = &golden.cases[2];
    let mut files = case.files.clone();
    files.insert("sentence_bert_config.json".into(), r#"{"max_seq_length": 16, "do_lower_case": true}"#.into());
    let folder = folder(&files);
    let teacher = TeacherFolder::open(folder.path()).unwrap();
    assert!(teacher.lower_case);
    let upper: Vec<String> = golden.texts.iter().map(|text| text.to_uppercase()).collect();
    let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
    let encoder = BertEncoder::load(&teacher, &Device::Cpu, DType::F32).unwrap();
    assert_near(&encoder.encode(&upper).unwrap(), &case.vectors, 1e-5, "candle");
    let file = folder.path().join("model.onnx");
    onnx::export(&teacher, teacher.pooler, Precision::F32, &file).unwrap();
    let tokenizer = Tokenizer::from_file(&teacher.tokenizer).unwrap();
    let encoder = OnnxEncoder::load(&runtime(), &file, tokenizer, &OnnxOptions::default()).unwrap();
    assert_near(&encoder.encode(&upper).unwrap(), &case.vectors, 1e-5, "onnx");
}
