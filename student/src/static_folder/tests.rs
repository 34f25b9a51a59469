use std::fs;
use std::path::Path;

use half::f16;
use limbeck_encoder::{Encoder, Precision, Student};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use super::*;

/// A tokenizer of words: `[UNK]`, gin, tonic, lime.
fn tokenizer() -> Value {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "gin": 1, "tonic": 2, "lime": 3}, "unk_token": "[UNK]"}
    })
}

fn f32s(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

type Tensor<'a> = (&'a str, Dtype, Vec<usize>, Vec<u8>);

fn save(folder: &Path, tokenizer: &Value, tensors: &[Tensor<'_>]) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Writes a Model2Vec folder.
fn model2vec(folder: &Path, config: Value, tensors: &[Tensor<'_>]) {
    save(folder, &tokenizer(), tensors);
    let mut whole = json!({"model_type": "model2vec", "normalize": true});
    whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    fs::write(folder.join("config.json"), whole.to_string()).unwrap();
}

/// A row for each token; the unknown token's row is large, so that a mean that includes it shows.
fn rows() -> Tensor<'static> {
    ("embeddings", Dtype::F32, vec![4, 2], f32s(&[50.0, 70.0, 3.0, 0.0, 0.0, 4.0, -6.0, 0.0]))
}

/// The vectors of `texts` from the folder's model, folded.
fn vectors(folder: &Path, texts: &[&str]) -> Vec<Vec<f32>> {
    let file = folder.join("folded");
    write_folded(StaticFolder::open(folder).unwrap(), Precision::F32, &file).unwrap();
    let model = StaticEncoder::new(Student::load(&file).unwrap());
    model.encode(texts).unwrap().iter().map(<[f32]>::to_vec).collect()
}

fn close(found: &[Vec<f32>], expected: &[[f32; 2]]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(found.len() == 2 && off < 1e-6, "{found:?} instead of {expected:?}");
    }
}

#[test]
fn a_model2vec_vector_is_the_mean_of_the_known_tokens_or_zero() {
    let folder = tempfile::tempdir().unwrap();
    model2vec(folder.path(), json!({}), &[rows()]);
    assert!(is_static(folder.path()));
    let found = vectors(folder.path(), &["gin tonic", "gin rum tonic", "lime", "rum", ""]);
    close(&found, &[[0.6, 0.8], [0.6, 0.8], [-1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]);
}

#[test]
fn a_sentence_transformers_vector_includes_the_unknown_token() {
    let folder = tempfile::tempdir().unwrap();
    let (_, dtype, shape, bytes) = rows();
    let (static_folder, modules) = ("0_StaticEmbedding", folder.path().join("modules.json"));
    save(&folder.path().join(static_folder), &tokenizer(), &[("embedding.weight", dtype, shape, bytes)]);
    let module =
        |class: &str| json!({"idx": 0, "path": static_folder, "type": format!("sentence_transformers.{class}")});
    fs::write(&modules, json!([module("models.StaticEmbedding"), module("models.Normalize")]).to_string()).unwrap();
    assert!(is_static(folder.path()));
    // Rum and gin: (53, 70).
    let length = (53f32 * 53.0 + 70.0 * 70.0).sqrt();
    close(&vectors(folder.path(), &["rum gin", ""]), &[[53.0 / length, 70.0 / length], [0.0, 0.0]]);

    // Under Model2Vec's name too.
    save(&folder.path().join(static_folder), &tokenizer(), &[rows()]);
    close(&vectors(folder.path(), &["lime"]), &[[-1.0, 0.0]]);

    fs::write(&modules, json!([module("models.StaticEmbedding"), module("models.Dense")]).to_string()).unwrap();
    let error = StaticFolder::open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("modules.json") && error.contains("Dense"), "{error}");
    fs::write(&modules, json!([module("models.Transformer")]).to_string()).unwrap();
    assert!(!is_static(folder.path()));
}

#[test]
fn tokens_share_rows_by_mapping_and_have_weights_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    // Gin and lime share the first row, tonic has the second.
    let mapping: Vec<u8> = [1i64, 0, 1, 0].iter().flat_map(|place| place.to_le_bytes()).collect();
    let weights: Vec<u8> = [1.0f64, 2.0, 0.5, 4.0].iter().flat_map(|weight| weight.to_le_bytes()).collect();
    let tensors = [
        ("embeddings", Dtype::F32, vec![2, 2], f32s(&[3.0, 0.0, 0.0, 4.0])),
        ("mapping", Dtype::I64, vec![4], mapping),
        ("weights", Dtype::F64, vec![4], weights),
    ];
    model2vec(folder.path(), json!({}), &tensors);
    // Twice (3, 0) and half of (0, 4); four times (3, 0) and half of (0, 4).
    let found = vectors(folder.path(), &["gin tonic", "tonic lime"]);
    close(&found, &[[0.948_683_3, 0.316_227_77], [0.986_393_9, 0.164_398_99]]);
    assert_eq!(StaticFolder::open(folder.path()).unwrap().parameters, 8);
}

#[test]
fn every_element_type_is_read_exactly() {
    let numbers = [0.0, 0.0, 3.0, 0.0, 0.0, 4.0, -6.0, 0.0];
    let types: [(Dtype, Vec<u8>); 3] = [
        (Dtype::F64, numbers.iter().flat_map(|&number| f64::from(number).to_le_bytes()).collect()),
        (Dtype::F16, numbers.iter().flat_map(|&number| f16::from_f32(number).to_le_bytes()).collect()),
        (Dtype::I8, numbers.iter().flat_map(|&number| (number as i8).to_le_bytes()).collect()),
    ];
    for (dtype, bytes) in types {
        let folder = tempfile::tempdir().unwrap();
        model2vec(folder.path(), json!({}), &[("embeddings", dtype, vec![4, 2], bytes)]);
        assert_eq!(StaticFolder::open(folder.path()).unwrap().table, numbers, "{dtype:?}");
    }
}

#[test]
fn model2vecs_limit_is_512_tokens_unless_the_config_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let limits = |config: Value| {
        model2vec(folder.path(), config, &[rows()]);
        StaticFolder::open(folder.path()).map(|model| (model.max_tokens, model.max_characters))
    };
    // The median of 5, 3, 5 and 4 characters is 4.5: 4.
    assert_eq!(limits(json!({})).unwrap(), (Some(512), Some(2048)));
    assert_eq!(limits(json!({"max_length": 3})).unwrap(), (Some(3), Some(12)));
    assert_eq!(limits(json!({"max_length": null})).unwrap(), (None, None));
    for wrong in [json!(0), json!(-1), json!("many")] {
        let error = limits(json!({"max_length": wrong})).unwrap_err().to_string();
        assert!(error.contains("config.json") && error.contains("max_length"), "{error}");
    }
}

#[test]
fn a_text_is_truncated_by_characters_and_then_by_tokens() {
    let folder = tempfile::tempdir().unwrap();
    model2vec(folder.path(), json!({"max_length": 2}), &[rows()]);
    // Eight characters, two tokens.
    let texts = ["tonic gin", "         lime", "ü ü gin tonic", "gin gin tonic", "üü tonic"];
    close(&vectors(folder.path(), &texts), &[[0.0, 1.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]);
}

#[test]
fn no_content_of_modules_json_makes_the_check_for_a_static_model_fail() {
    let folder = tempfile::tempdir().unwrap();
    for modules in ["[]", "{}", "null", "3", "[3]", "[{\"path\": 3}]", "no JSON"] {
        fs::write(folder.path().join("modules.json"), modules).unwrap();
        assert!(!is_static(folder.path()), "{modules}");
    }
}

#[test]
fn a_damaged_folder_is_an_error_that_names_the_file() {
    let (_, dtype, shape, bytes) = rows();
    let mapping = |place: i32| [0, 0, place, 0].iter().flat_map(|place: &i32| place.to_le_bytes()).collect();
    let broken: Vec<(Vec<Tensor<'_>>, &str)> = vec![
        (vec![("other", dtype, shape.clone(), bytes.clone())], "no tensor \"embeddings\""),
        (vec![("embeddings", dtype, vec![8], bytes.clone())], "shape [8]"),
        (vec![("embeddings", dtype, vec![3, 2], bytes[..24].to_vec())], "4 tokens"),
        (vec![("embeddings", Dtype::I64, vec![4, 1], bytes.clone())], "I64"),
        (vec![("embeddings", dtype, vec![4, 1], f32s(&[0.0, f32::NAN, 0.0, 0.0]))], "token 1"),
        (vec![rows(), ("mapping", Dtype::I32, vec![4], mapping(4))], "token 2"),
        (vec![rows(), ("mapping", Dtype::I32, vec![4], mapping(-1))], "token 2"),
        (vec![rows(), ("mapping", Dtype::I32, vec![2], bytes[..8].to_vec())], "mapping has the shape [2]"),
        (vec![rows(), ("weights", dtype, vec![1], bytes[..4].to_vec())], "weights has the shape [1]"),
    ];
    for (tensors, what) in broken {
        let folder = tempfile::tempdir().unwrap();
        model2vec(folder.path(), json!({}), &tensors);
        let error = StaticFolder::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("model.safetensors") && error.contains(what), "{error}, not {what:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    model2vec(folder.path(), json!({}), &[rows()]);
    let weights = folder.path().join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    for length in 0..whole.len() {
        fs::write(&weights, &whole[..length]).unwrap();
        assert!(StaticFolder::open(folder.path()).is_err(), "cut at {length}");
    }
    fs::remove_file(&weights).unwrap();
    assert!(StaticFolder::open(folder.path()).err().unwrap().to_string().contains("model.safetensors"));
}
