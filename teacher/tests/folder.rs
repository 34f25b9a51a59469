//! Model folders of Hugging Face, sentence-transformers and limbeck, whole and broken.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use limbeck_encoder::{Precision, TokenBatch};
use limbeck_teacher::bert::Bert;
use limbeck_teacher::onnx;
use limbeck_teacher::{Error, Pooler, TeacherFolder};
use tempfile::TempDir;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

fn weights() -> HashMap<String, Tensor> {
    let all = candle_core::safetensors::load(golden("bert_simcse_training.safetensors"), &Device::Cpu).unwrap();
    all.into_iter().filter_map(|(name, tensor)| Some((name.strip_prefix("init.")?.to_owned(), tensor))).collect()
}

/// The tiny model of the golden files as a folder.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::copy(golden("bert_simcse_training.config.json"), folder.path("config.json")).unwrap();
        fs::copy(golden("onnx/tokenizer.json"), folder.path("tokenizer.json")).unwrap();
        folder.save(&weights())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn save(self, weights: &HashMap<String, Tensor>) -> Self {
        candle_core::safetensors::save(weights, self.path("model.safetensors")).unwrap();
        self
    }

    fn write(self, name: &str, text: &str) -> Self {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
        self
    }

    fn configure(self, key: &str, value: serde_json::Value) -> Self {
        let mut config: serde_json::Value =
            serde_json::from_slice(&fs::read(self.path("config.json")).unwrap()).unwrap();
        config[key] = value;
        self.write("config.json", &config.to_string())
    }

    fn open(&self) -> limbeck_teacher::Result<TeacherFolder> {
        TeacherFolder::open(self.0.path())
    }

    fn vectors(&self, dtype: DType) -> Vec<Vec<f64>> {
        let bert = Bert::load(&self.open().unwrap(), &Device::Cpu, dtype).unwrap();
        let batch: TokenBatch = [&[1, 9, 86, 78, 2][..], &[1, 61, 2]].into_iter().collect();
        bert.pooled(&batch, Pooler::Mean).unwrap().to_dtype(DType::F64).unwrap().to_vec2().unwrap()
    }
}

const MODULES: &str = r#"[{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]"#;

#[test]
fn a_folder_that_states_nothing_pools_by_the_mean_up_to_its_positions() {
    let folder = Folder::new().open().unwrap();
    assert_eq!((folder.pooler, folder.max_tokens, folder.prefix.as_str()), (Pooler::Mean, 32, ""));
    assert!(!folder.normalized);
}

#[test]
fn the_files_of_sentence_transformers_state_the_pooler() {
    let pooling = |text: &str| Folder::new().write("modules.json", MODULES).write("1_Pooling/config.json", text);
    for (text, pooler) in [
        (r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#, Pooler::ClsBeforePooler),
        (r#"{"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}"#, Pooler::Mean),
        (r#"{"pooling_mode": "cls"}"#, Pooler::ClsBeforePooler),
        (r#"{"pooling_mode": ["mean"], "embedding_dimension": 32}"#, Pooler::Mean),
    ] {
        let folder = pooling(text).write("sentence_bert_config.json", r#"{"max_seq_length": 16}"#).open().unwrap();
        assert_eq!((folder.pooler, folder.max_tokens, folder.normalized), (pooler, 16, true));
    }
    let several =
        r#"{"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true, "word_embedding_dimension": 32}"#;
    let folder = pooling(several).open().unwrap();
    // In the order of sentence-transformers, not in the file's.
    assert_eq!((folder.pooler, &folder.head.also[..]), (Pooler::Max, &[Pooler::Mean][..]));
    let error = pooling(r#"{"pooling_mode_sum_tokens": true}"#).open().unwrap_err();
    assert!(error.to_string().contains("`sum_tokens`"), "{error}");
}

#[test]
fn an_unknown_module_is_named() {
    let unknown = MODULES.replace("models.Normalize", "models.CNN");
    let folder = Folder::new().write("modules.json", &unknown);
    let error = folder.write("1_Pooling/config.json", r#"{"pooling_mode": "mean"}"#).open().unwrap_err();
    assert!(error.to_string().contains("`CNN`") && error.hint().is_some(), "{error}");
}

#[test]
fn a_longer_limit_than_the_model_has_positions_is_cut() {
    let folder = Folder::new().write("sentence_bert_config.json", r#"{"max_seq_length": 512}"#).open().unwrap();
    assert_eq!(folder.max_tokens, 32);
}

#[test]
fn the_tokenizers_limit_counts_where_no_other_is_stated() {
    let with =
        |limit: &str| Folder::new().write("tokenizer_config.json", &format!(r#"{{"model_max_length": {limit}}}"#));
    assert_eq!(with("16").open().unwrap().max_tokens, 16);
    assert_eq!(with("1000000000000000019884624838656").open().unwrap().max_tokens, 32);
    // The files of newer and of older releases of sentence-transformers.
    let folder = with("16").write("sentence_bert_config.json", r#"{"transformer_task": "feature-extraction"}"#);
    assert_eq!(folder.open().unwrap().max_tokens, 16);
    let folder = with("16").write("sentence_bert_config.json", r#"{"max_seq_length": 20}"#);
    assert_eq!(folder.open().unwrap().max_tokens, 20);
}

#[test]
fn the_default_prompt_alone_is_the_prefix() {
    let prompts = |default: &str| {
        let text =
            format!(r#"{{"prompts": {{"query": "query: ", "passage": "p: "}}, "default_prompt_name": {default}}}"#);
        Folder::new().write("config_sentence_transformers.json", &text).open()
    };
    assert_eq!(prompts("\"query\"").unwrap().prefix, "query: ");
    assert_eq!(prompts("null").unwrap().prefix, "");
    assert!(prompts("\"title\"").unwrap_err().to_string().contains("`title`"));
}

#[test]
fn limbecks_own_key_comes_first() {
    let own = serde_json::json!({"pooler": "first-last", "max_tokens": 20, "prefix": "q: "});
    let folder = Folder::new().configure("limbeck", own).write("modules.json", MODULES);
    let folder = folder.write("1_Pooling/config.json", r#"{"pooling_mode": "cls"}"#).open().unwrap();
    assert_eq!((folder.pooler, folder.max_tokens, folder.prefix.as_str()), (Pooler::FirstLast, 20, "q: "));
}

#[test]
fn checkpoints_with_other_names_and_types_are_the_same_model() {
    let expected = Folder::new().vectors(DType::F64);
    let other = |name: &str| {
        let name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        format!("bert.{name}")
    };
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-5), (DType::F16, 0.02), (DType::BF16, 0.1)] {
        let mut renamed: HashMap<_, _> =
            weights().iter().map(|(name, tensor)| (other(name), tensor.to_dtype(dtype).unwrap())).collect();
        let positions = Tensor::arange(0_i64, 32, &Device::Cpu).unwrap();
        renamed.insert("bert.embeddings.position_ids".to_owned(), positions);
        let found = Folder::new().save(&renamed).vectors(DType::F64);
        let near = found.iter().flatten().zip(expected.iter().flatten()).all(|(a, b)| (a - b).abs() < tolerance);
        assert!(near, "{dtype:?}");
    }
}

#[test]
fn a_missing_file_is_named_with_a_hint() {
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let folder = Folder::new();
        fs::remove_file(folder.path(name)).unwrap();
        let error = folder.open().unwrap_err();
        assert!(error.to_string().contains(name) && error.hint().is_some(), "{error}");
    }
    let folder = Folder::new().write("pytorch_model.bin", "a pickle");
    fs::remove_file(folder.path("model.safetensors")).unwrap();
    let hint = folder.open().unwrap_err().hint().unwrap();
    assert!(hint.contains("pickle"), "{hint}");
    let error = TeacherFolder::open(Path::new("/no/such/model")).unwrap_err();
    assert!(error.to_string().contains("/no/such/model"), "{error}");
}

#[test]
fn a_file_cut_off_anywhere_is_named() {
    let whole = fs::read(Folder::new().path("model.safetensors")).unwrap();
    for length in [0, 5, 8, 100, whole.len() / 2, whole.len() - 1] {
        let folder = Folder::new();
        fs::write(folder.path("model.safetensors"), &whole[..length]).unwrap();
        let error = folder.open().unwrap_err();
        assert!(matches!(error, Error::BrokenWeights { .. }), "{error}");
        assert!(error.to_string().contains("model.safetensors") && error.hint().is_some(), "{error}");
    }
}

#[test]
fn tensors_that_are_missing_or_misshapen_are_named() {
    let name = "encoder.layer.1.output.dense.weight";
    let mut without = weights();
    let tensor = without.remove(name).unwrap();
    let load = |weights: &HashMap<String, Tensor>| {
        let folder = Folder::new().save(weights);
        let folder = folder.open().unwrap();
        let to = tempfile::tempdir().unwrap();
        let to = to.path().join("model.onnx");
        let exported = onnx::export(&folder, Pooler::Mean, Precision::F32, &to).unwrap_err();
        assert!(!to.exists());
        let loaded = Bert::load(&folder, &Device::Cpu, DType::F32).unwrap_err();
        assert_eq!(exported.to_string(), loaded.to_string());
        loaded
    };
    let error = load(&without);
    assert!(matches!(error, Error::MissingTensor { .. }) && error.to_string().contains(name), "{error}");
    without.insert(name.to_owned(), tensor.t().unwrap().contiguous().unwrap());
    let error = load(&without);
    assert!(error.to_string().contains(name) && error.to_string().contains("[64, 32] where [32, 64]"), "{error}");
}

#[test]
fn the_pooler_cls_needs_its_weights() {
    let mut without = weights();
    without.retain(|name, _| !name.starts_with("pooler."));
    let folder = Folder::new().save(&without);
    assert_eq!(folder.vectors(DType::F64), Folder::new().vectors(DType::F64), "others do without");
    let to = folder.path("model.onnx");
    let error = onnx::export(&folder.open().unwrap(), Pooler::Cls, Precision::F32, &to).unwrap_err();
    assert!(matches!(error, Error::NoPoolerWeights { .. }) && error.hint().unwrap().contains("cls-before-pooler"));
    let bert = Bert::load(&folder.open().unwrap(), &Device::Cpu, DType::F32).unwrap();
    let batch: TokenBatch = [&[1, 2][..]].into_iter().collect();
    assert!(matches!(bert.pooled(&batch, Pooler::Cls), Err(Error::NoPoolerWeights { .. })));
}

#[test]
fn an_onnx_file_in_f16_is_refused() {
    let folder = Folder::new();
    let to = folder.path("model.onnx");
    let error = onnx::export(&folder.open().unwrap(), Pooler::Mean, Precision::F16, &to).unwrap_err();
    assert_eq!(error.to_string(), "the precision of an ONNX file is f16, but must be f32 or int8");
    assert!(!to.exists());
}

#[test]
fn the_same_model_gives_the_same_onnx_bytes() {
    let folder = Folder::new();
    for (precision, size) in [(Precision::F32, 130_000), (Precision::Int8, 60_000)] {
        let files = [folder.path("a.onnx"), folder.path("b.onnx")];
        let bytes = files.map(|to| {
            onnx::export(&folder.open().unwrap(), Pooler::LastTwo, precision, &to).unwrap();
            fs::read(to).unwrap()
        });
        assert!(bytes[0] == bytes[1]);
        assert!(bytes[0].len() < size, "{precision:?}: {} bytes", bytes[0].len());
    }
}
