//! Models of other exporters in ONNX Runtime. ORT_DYLIB_PATH names the library; without it, the package `onnxruntime`
//! is fetched. `tests/golden/onnx/make.py` made the models: token `i` has the vector [i + 1, 1, 0, -i].

use std::fs;
use std::path::{Path, PathBuf};

use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, runtime_uri};
use limbeck_data::cache::Fingerprint;
use limbeck_data::files::sha256_file;
use limbeck_encoder::{Encoder, Precision, TokenBatch, Tokenizer};
use limbeck_teacher::embed::Teacher;
use limbeck_teacher::onnx;
use limbeck_teacher::{Error, OnnxDevice, OnnxEncoder, OnnxOptions, Pooler, Runtime, TeacherFolder};
use safetensors::tensor::{Dtype, TensorView};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/onnx").join(name)
}

fn runtime() -> Runtime {
    let fetch = || {
        let asset = AssetStore::of_user().fetch(&runtime_uri("1.32.0")?, None, Monitor::silent())?;
        Ok(Some(asset.path))
    };
    Runtime::find(None, fetch).unwrap()
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
fn models_of_every_exporter_give_the_mean_of_their_token_vectors() {
    let runtime = runtime();
    for (name, tolerance) in [("tokens.onnx", 1e-6), ("odd.onnx", 1e-6), ("half.onnx", 1e-3)] {
        for batch_tokens in [Some(1), Some(12), None] {
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
fn a_text_s_own_ids_get_the_prefix_and_special_tokens_and_give_its_vector() {
    let (runtime, prefix) = (runtime(), "cat ".to_owned());
    let options = OnnxOptions { prefix: Some(prefix), max_tokens: Some(4), ..OnnxOptions::default() };
    let encoder = load(&runtime, "tokens.onnx", &options).unwrap();
    let tokens = encoder.token_encoder().unwrap();
    let texts = ["dog", "", "dog sat the"];
    let own: TokenBatch = [&[6][..], &[], &[6, 7, 4]].into_iter().collect();
    let ids = tokens.ids_around(&own).unwrap();
    assert_eq!(ids.iter().collect::<Vec<_>>(), [&[2, 5, 6, 3][..], &[2, 5, 3], &[2, 5, 6, 3]]);
    assert_eq!(tokens.ids_of(&texts).unwrap(), ids);
    assert_eq!(tokens.encode_ids(&ids).unwrap(), encoder.encode(&texts).unwrap());
}

#[test]
fn several_sessions_give_the_vectors_of_one_and_stop_at_the_first_error() {
    let runtime = runtime();
    let texts: Vec<String> = (0..500).map(|number| "the cat sat dog never ".repeat(number % 7)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let options = |threads| OnnxOptions { threads, batch_tokens: Some(64), ..OnnxOptions::default() };
    let one = load(&runtime, "tokens.onnx", &options(1)).unwrap();
    let expected = one.encode(&texts).unwrap();
    for threads in [2, 3, 9] {
        let encoder = load(&runtime, "tokens.onnx", &options(threads)).unwrap();
        assert_eq!(encoder.info().threads, threads);
        assert_eq!(encoder.encode(&texts).unwrap(), expected, "{threads} threads");
        let (tokens, mut texts_done, mut calls) = (encoder.tokenise(&texts).unwrap(), 0, 0);
        let counted = encoder.encode_tokens(&tokens, &mut |count| {
            texts_done += count;
            Ok(())
        });
        assert_eq!((counted.unwrap(), texts_done), (expected.clone(), texts.len()));
        let stopped = encoder.encode_tokens(&tokens, &mut |_| {
            calls += 1;
            if calls == 3 { Err(limbeck_data::Error::from(limbeck_data::Interrupted).into()) } else { Ok(()) }
        });
        assert!(stopped.is_err() && calls == 3, "{calls} calls");
        assert_eq!(encoder.encode(&texts).unwrap(), expected, "after an error");
    }
}

#[test]
fn a_pooled_output_is_recognised_by_its_shape_whatever_its_name() {
    let runtime = runtime();
    for name in ["pooled.onnx", "rows.onnx"] {
        let encoder = load(&runtime, name, &OnnxOptions::default()).unwrap();
        for count in 1..=TEXTS.len() {
            let vectors = encoder.encode(&TEXTS[..count]).unwrap();
            assert_eq!(vectors.rows(), count, "{name}");
            vectors.iter().for_each(|vector| assert_near(vector, &of(&[2]), 1e-6));
        }
    }
}

#[test]
fn the_pooler_of_the_options_takes_the_first_token() {
    let runtime = runtime();
    let options = |pooler| OnnxOptions { pooler: Some(pooler), ..OnnxOptions::default() };
    let encoder = load(&runtime, "tokens.onnx", &options(Pooler::ClsBeforePooler)).unwrap();
    assert_near(encoder.encode(&["cat"]).unwrap().row(0), &of(&[2]), 1e-6);
    let error = load(&runtime, "tokens.onnx", &options(Pooler::LastTwo)).err().unwrap();
    assert!(error.to_string().contains("last-two"), "{error}");
    // A model that pools by itself can't pool otherwise.
    let error = load(&runtime, "pooled.onnx", &options(Pooler::ClsBeforePooler)).err().unwrap();
    assert!(error.to_string().contains("pools by itself"), "{error}");
}

#[test]
fn a_fixed_batch_and_length_are_respected() {
    let runtime = runtime();
    for name in ["fixed.onnx", "length.onnx"] {
        let encoder = load(&runtime, name, &OnnxOptions::default()).unwrap();
        assert_eq!(encoder.cache_fingerprint(String::new()).unwrap().max_tokens, "6");
        let vectors = encoder.encode(&TEXTS).unwrap();
        for (vector, ids) in vectors.iter().zip(IDS) {
            let cut = [&ids[..ids.len().min(6) - 1], &[3]].concat();
            assert_near(vector, &of(&cut), 1e-6);
        }
    }
}

#[test]
fn prefix_and_longest_input_are_as_asked() {
    let runtime = runtime();
    let options = OnnxOptions {
        prefix: Some("dog ".into()),
        max_tokens: Some(4),
        batch_tokens: Some(8),
        ..OnnxOptions::default()
    };
    let encoder = load(&runtime, "tokens.onnx", &options).unwrap();
    let vectors = encoder.encode(&["the cat sat", ""]).unwrap();
    assert_near(vectors.row(0), &of(&[2, 6, 4, 3]), 1e-6);
    assert_near(vectors.row(1), &of(&[2, 6, 3]), 1e-6);
    assert_eq!(encoder.encode(&[]).unwrap().rows(), 0);
}

#[test]
fn a_file_that_is_no_text_encoder_is_refused_by_name() {
    let runtime = runtime();
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
fn cuda_that_is_not_available_is_an_error() {
    let runtime = runtime();
    let options = OnnxOptions { device: OnnxDevice::Cuda(99), ..OnnxOptions::default() };
    let error = load(&runtime, "tokens.onnx", &options).err().unwrap();
    let cuda = |error: &Error| matches!(error, Error::NoCuda { .. } | Error::NoCudaInLibrary { .. });
    assert!(cuda(&error) && error.hint().is_some(), "{error}");
}

#[test]
fn a_cache_fingerprint_names_the_settings_of_the_encoder() {
    let options = OnnxOptions { prefix: Some("dog ".into()), max_tokens: Some(4), ..OnnxOptions::default() };
    let fingerprint = load(&runtime(), "tokens.onnx", &options).unwrap().cache_fingerprint("text".into()).unwrap();
    assert_eq!(fingerprint.teacher, sha256_file(&golden("tokens.onnx")).unwrap());
    assert_eq!(fingerprint.tokenizer, sha256_file(&golden("tokenizer.json")).unwrap());
    let Fingerprint { text, pooling, prefix, max_tokens, precision, .. } = &fingerprint;
    assert_eq!([text, pooling, prefix, max_tokens, precision], ["text", "mean", "dog ", "4", "f32"]);
}

#[test]
fn a_process_has_one_library() {
    let runtime = runtime();
    assert!(runtime.version.starts_with("1."), "{}", runtime.version);
    assert_eq!(Runtime::load(&runtime.library).unwrap().library, runtime.library);
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("libonnxruntime.so");
    fs::write(&other, "other").unwrap();
    let error = Runtime::load(&other).unwrap_err();
    assert!(matches!(error, Error::LibraryLoaded { .. }), "{error}");
}

/// A folder with a BERT of two layers and random weights, always the same.
fn small_bert(folder: &Path) -> TeacherFolder {
    let config = r#"{"model_type": "bert", "vocab_size": 8, "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 64, "hidden_act": "gelu", "max_position_embeddings": 64,
        "type_vocab_size": 2, "layer_norm_eps": 1e-12}"#;
    fs::write(folder.join("config.json"), config).unwrap();
    fs::copy(golden("tokenizer.json"), folder.join("tokenizer.json")).unwrap();
    let mut shapes = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![8, 32]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![64, 32]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, 32]),
    ];
    let mut layer = |name: String, shape: Vec<usize>| {
        shapes.push((format!("{name}.bias"), vec![shape[0]]));
        shapes.push((format!("{name}.weight"), shape));
    };
    layer("embeddings.LayerNorm".to_owned(), vec![32]);
    for index in 0..2 {
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            layer(name(&format!("attention.{part}")), vec![32, 32]);
        }
        layer(name("intermediate.dense"), vec![64, 32]);
        layer(name("output.dense"), vec![32, 64]);
        layer(name("attention.output.LayerNorm"), vec![32]);
        layer(name("output.LayerNorm"), vec![32]);
    }
    let mut random = fastrand::Rng::with_seed(1);
    let data: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let bytes = (0..shape.iter().product()).flat_map(|_| (random.f32() - 0.5).to_le_bytes()).collect();
            (name, shape, bytes)
        })
        .collect();
    let views = data
        .iter()
        .map(|(name, shape, bytes)| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    TeacherFolder::open(folder).unwrap()
}

#[test]
fn in_f32_a_text_alone_has_the_vector_that_it_has_in_a_batch() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let teacher = small_bert(folder.path());
    let model = folder.path().join("model.onnx");
    onnx::export(&teacher, Pooler::Mean, Precision::F32, &model).unwrap();
    let tokenizer = Tokenizer::from_file(&teacher.tokenizer).unwrap();
    let encoder = OnnxEncoder::load(&runtime, &model, tokenizer, &OnnxOptions::default()).unwrap();
    let fingerprint = encoder.cache_fingerprint(String::new()).unwrap();
    assert_eq!((encoder.dimension(), &*fingerprint.max_tokens, &*fingerprint.pooling), (32, "64", "mean"));
    assert_eq!(encoder.info().parameters, teacher.weights.parameters());

    let words = ["the", "cat", "dog", "sat", "other", "\u{7}"];
    let text =
        |row: usize| (0..row * 7 % 80).map(|word| words[(word * row + word / 3) % 6]).collect::<Vec<_>>().join(" ");
    let texts: Vec<String> = (0..60).map(text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let together = encoder.encode(&texts).unwrap();
    for (row, text) in texts.iter().enumerate() {
        let alone = encoder.encode(&[text]).unwrap();
        assert_near(alone.row(0), together.row(row), 1e-5);
        let length: f32 = alone.row(0).iter().map(|number| number * number).sum();
        assert!((length - 1.0).abs() < 1e-5, "{text:?}");
    }
}

/// A copy of the golden model `name` with the files of sentence-transformers beside it.
fn model_folder(name: &str, files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join(name);
    fs::create_dir_all(model.parent().unwrap()).unwrap();
    fs::copy(golden(Path::new(name).file_name().unwrap().to_str().unwrap()), &model).unwrap();
    for (file, text) in files {
        let to = folder.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, text).unwrap();
    }
    (folder, model)
}

fn load_at(runtime: &Runtime, model: &Path, options: &OnnxOptions) -> limbeck_teacher::Result<OnnxEncoder> {
    OnnxEncoder::load(runtime, model, Tokenizer::from_file(&golden("tokenizer.json")).unwrap(), options)
}

const MODULES: &str = r#"[{"path": "", "type": "sentence_transformers.models.Transformer"},
    {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#;
const CLS: &str = r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#;

#[test]
fn the_files_of_sentence_transformers_beside_an_onnx_file_are_followed() {
    let runtime = runtime();
    let limits = r#"{"max_seq_length": 3, "do_lower_case": true}"#;
    let prompts = r#"{"prompts": {"q": "dog "}, "default_prompt_name": "q"}"#;
    let files = [
        ("modules.json", MODULES),
        ("1_Pooling/config.json", r#"{"pooling_mode": "lasttoken"}"#),
        ("sentence_bert_config.json", limits),
        ("config_sentence_transformers.json", prompts),
    ];
    // Beside the folder `onnx` too, where exporters put the file.
    for name in ["tokens.onnx", "onnx/tokens.onnx"] {
        let (_folder, model) = model_folder(name, &files);
        let encoder = load_at(&runtime, &model, &OnnxOptions::default()).unwrap();
        let fingerprint = encoder.cache_fingerprint(String::new()).unwrap();
        let Fingerprint { pooling, prefix, max_tokens, tokenizer, .. } = &fingerprint;
        assert_eq!([pooling, prefix, max_tokens], ["last-token", "dog ", "3"]);
        assert!(tokenizer.ends_with(", lower-cased"), "{tokenizer}");
        let tokens = encoder.tokenise(&["THE CAT"]).unwrap();
        assert_eq!(tokens.row(0), [2, 6, 3], "cut after the prompt");
        assert_near(encoder.encode(&["THE CAT"]).unwrap().row(0), &of(&[3]), 1e-6);
    }
}

#[test]
fn a_pooling_by_the_first_token_stays_one() {
    let (_folder, model) = model_folder("tokens.onnx", &[("modules.json", MODULES), ("1_Pooling/config.json", CLS)]);
    let runtime = runtime();
    let encoder = load_at(&runtime, &model, &OnnxOptions::default()).unwrap();
    assert_near(encoder.encode(&["cat dog"]).unwrap().row(0), &of(&[2]), 1e-6);
    let asked = OnnxOptions { pooler: Some(Pooler::Mean), ..OnnxOptions::default() };
    let encoder = load_at(&runtime, &model, &asked).unwrap();
    assert_near(encoder.encode(&["cat dog"]).unwrap().row(0), &of(&[2, 5, 6, 3]), 1e-6);
}

#[test]
fn a_prompt_is_chosen_by_its_name() {
    let prompts = r#"{"prompts": {"query": "dog ", "passage": "cat "}}"#;
    let (_folder, model) = model_folder("tokens.onnx", &[("config_sentence_transformers.json", prompts)]);
    let runtime = runtime();
    let with = |prompt: Option<&str>, prefix: Option<&str>| {
        let named = |name: &str| Some(name.to_owned());
        let options =
            OnnxOptions { prompt: prompt.and_then(named), prefix: prefix.and_then(named), ..Default::default() };
        load_at(&runtime, &model, &options)
    };
    let encoder = with(Some("passage"), None).unwrap();
    assert_near(encoder.encode(&["the"]).unwrap().row(0), &of(&[2, 5, 4, 3]), 1e-6);
    assert!(encoder.notes().is_empty(), "{:?}", encoder.notes());
    assert!(with(None, Some("")).unwrap().notes().is_empty());
    let encoder = with(None, None).unwrap();
    assert_near(encoder.encode(&["the"]).unwrap().row(0), &of(&[2, 4, 3]), 1e-6);
    assert!(encoder.notes()[0].contains("query (\"dog \"), passage"), "{:?}", encoder.notes());
    let error = with(Some("title"), None).err().unwrap();
    assert!(error.to_string().contains("`title`"), "{error}");
}

#[test]
fn the_output_is_known_by_its_name() {
    let runtime = runtime();
    let encoder = load(&runtime, "several.onnx", &OnnxOptions::default()).unwrap();
    assert_near(encoder.encode(&["cat"]).unwrap().row(0), &of(&[2, 5, 3]), 1e-6);
    for (name, listed) in [("unnamed.onnx", "a Tensor<f32>"), ("scores.onnx", "logits")] {
        let error = load(&runtime, name, &OnnxOptions::default()).err().unwrap();
        assert!(matches!(error, Error::OnnxSignature { .. }), "{error}");
        assert!(error.to_string().contains(name) && error.to_string().contains(listed), "{error}");
    }
}

#[test]
fn a_model_that_takes_one_text_at_a_time_gets_one() {
    let runtime = runtime();
    for (name, problem) in [("single.onnx", "two texts"), ("padded.onnx", "another vector beside")] {
        let encoder = load(&runtime, name, &OnnxOptions::default()).unwrap();
        assert!(encoder.notes()[0].contains(problem), "{:?}", encoder.notes());
        let vectors = encoder.encode(&TEXTS).unwrap();
        for (vector, ids) in vectors.iter().zip(IDS) {
            assert_near(vector, &of(ids), 1e-6);
        }
    }
}

#[test]
fn a_model_with_fewer_positions_than_the_cut_cuts_there() {
    let encoder = load(&runtime(), "short.onnx", &OnnxOptions::default()).unwrap();
    assert!(encoder.notes()[0].contains("more than 6 tokens"), "{:?}", encoder.notes());
    assert_eq!(encoder.cache_fingerprint(String::new()).unwrap().max_tokens, "6");
    let vectors = encoder.encode(&["the the the the cat dog sat"]).unwrap();
    assert_near(vectors.row(0), &of(&[2, 4, 4, 4, 4, 3]), 1e-6);
}

#[test]
fn a_tokenizer_with_more_ids_than_the_model_has_is_known_at_once() {
    let error = load(&runtime(), "few.onnx", &OnnxOptions::default()).err().unwrap();
    assert!(matches!(error, Error::OnnxVocabulary { id: 7, .. }), "{error}");
    assert!(error.to_string().contains("few.onnx") && error.to_string().contains("`sat`"), "{error}");
}

#[test]
fn positions_of_config_json_limit_the_cut() {
    let config = |kind: &str| format!(r#"{{"model_type": "{kind}", "max_position_embeddings": 8}}"#);
    let runtime = runtime();
    for (kind, most) in [("bert", "8"), ("roberta", "6")] {
        let (_folder, model) = model_folder("tokens.onnx", &[("config.json", &config(kind))]);
        let encoder = load_at(&runtime, &model, &OnnxOptions::default()).unwrap();
        assert_eq!(encoder.cache_fingerprint(String::new()).unwrap().max_tokens, most);
    }
}
