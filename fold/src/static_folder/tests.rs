use std::fs;
use std::path::Path;

use half::{bf16, f16};
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
    let types: [(Dtype, Vec<u8>); 4] = [
        (Dtype::F64, numbers.iter().flat_map(|&number| f64::from(number).to_le_bytes()).collect()),
        (Dtype::F16, numbers.iter().flat_map(|&number| f16::from_f32(number).to_le_bytes()).collect()),
        (Dtype::BF16, numbers.iter().flat_map(|&number| bf16::from_f32(number).to_le_bytes()).collect()),
        (Dtype::I8, numbers.iter().flat_map(|&number| (number as i8).to_le_bytes()).collect()),
    ];
    for (dtype, bytes) in types {
        let folder = tempfile::tempdir().unwrap();
        model2vec(folder.path(), json!({}), &[("embeddings", dtype, vec![4, 2], bytes)]);
        assert_eq!(StaticFolder::open(folder.path()).unwrap().table, numbers, "{dtype:?}");
    }
}

#[test]
fn the_values_of_a_bf16_table_are_the_upper_halves_of_f32() {
    // The mantissa of a bf16 has seven bits; the least number is subnormal.
    let halves: [u16; 8] = [0x3f80, 0x3f81, 0xbf7f, 0x4049, 0x7f7f, 0x0001, 0x8000, 0xc2f7];
    let expected: Vec<u32> = halves.iter().map(|&half| u32::from(half) << 16).collect();
    let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
    let of_model2vec = tempfile::tempdir().unwrap();
    // Row 0 is the unknown token's, which Model2Vec leaves out.
    model2vec(of_model2vec.path(), json!({}), &[("embeddings", Dtype::BF16, vec![4, 2], bytes.clone())]);
    let of_transformers = tempfile::tempdir().unwrap();
    let tensors = [("embedding.weight", Dtype::BF16, vec![4, 2], bytes)];
    save(&of_transformers.path().join("0"), &tokenizer(), &tensors);
    let module = json!([{"path": "0", "type": "sentence_transformers.models.StaticEmbedding"}]);
    fs::write(of_transformers.path().join("modules.json"), module.to_string()).unwrap();
    for (folder, from) in [(of_model2vec, 2), (of_transformers, 0)] {
        let table = StaticFolder::open(folder.path()).unwrap().table;
        let bits: Vec<u32> = table.iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits[from..], expected[from..]);
    }
}

#[test]
fn weights_and_mapping_are_read_in_their_types() {
    let halves = |numbers: [f32; 4]| numbers.iter().flat_map(|&n| bf16::from_f32(n).to_le_bytes()).collect();
    let u32s = |numbers: [u32; 4]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    let u16s = |numbers: [u16; 4]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    for (dtype, mapping) in [(Dtype::U32, u32s([1, 0, 1, 0])), (Dtype::U16, u16s([1, 0, 1, 0]))] {
        let folder = tempfile::tempdir().unwrap();
        let tensors = [
            ("embeddings", Dtype::F32, vec![2, 2], f32s(&[3.0, 0.0, 0.0, 4.0])),
            ("mapping", dtype, vec![4], mapping),
            ("weights", Dtype::BF16, vec![4], halves([1.0, 2.0, 0.5, 4.0])),
        ];
        model2vec(folder.path(), json!({}), &tensors);
        // The row of the unknown token is zero.
        assert_eq!(StaticFolder::open(folder.path()).unwrap().table, [0.0, 0.0, 6.0, 0.0, 0.0, 2.0, 12.0, 0.0]);
    }
}

#[test]
fn a_direction_left_is_refused_in_any_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let (_, dtype, shape, bytes) = rows();
    let module = json!([{"path": "", "type": "sentence_transformers.models.StaticEmbedding"}]);
    fs::write(folder.path().join("modules.json"), module.to_string()).unwrap();
    let limit = |truncation: Value| {
        let mut json = tokenizer();
        json["truncation"] = truncation;
        save(folder.path(), &json, &[("embedding.weight", dtype, shape.clone(), bytes.clone())]);
        StaticFolder::open(folder.path()).map(|model| model.max_tokens).map_err(|error| error.to_string())
    };
    assert_eq!(limit(Value::Null), Ok(None));
    assert_eq!(limit(json!({"max_length": 7, "direction": "right", "strategy": "longest_first"})), Ok(Some(7)));
    let wrong = [
        json!({"max_length": 7, "direction": "left"}),
        json!({"max_length": 7, "direction": "LEFT"}),
        json!({"max_length": "7"}),
        json!({"max_length": 0}),
    ];
    for wrong in wrong {
        assert!(limit(wrong.clone()).is_err_and(|error| error.contains("tokenizer.json")), "{wrong}");
    }
}

#[test]
fn a_table_with_fewer_rows_than_ids_is_refused_with_the_last_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut json = tokenizer();
    json["added_tokens"] = json!([{
        "id": 4, "content": "<gin>", "special": false, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false
    }]);
    model2vec(folder.path(), json!({}), &[rows()]);
    fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
    let error = StaticFolder::open(folder.path()).err().unwrap().to_string();
    for part in ["model.safetensors", "[4, 2]", "5 tokens", "<gin>", "id 4"] {
        assert!(error.contains(part), "{error}, without {part}");
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
        (vec![rows(), ("mapping", Dtype::F32, vec![4], bytes[..16].to_vec())], "mapping is of type F32"),
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
