//! A teacher written to a folder and read back.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use limbeck_encoder::{Precision, TokenBatch};
use limbeck_teacher::bert::Bert;
use limbeck_teacher::onnx;
use limbeck_teacher::{Error, Pooler, SavedTeacher, TeacherFolder, Weights, save};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

struct Teacher {
    config: Map<String, Value>,
    tensors: Vec<(String, Tensor)>,
    tokenizer: Vec<u8>,
}

impl Teacher {
    /// The tiny model of the golden files, in f64.
    fn new() -> Self {
        let all = candle_core::safetensors::load(golden("bert_simcse_training.safetensors"), &Device::Cpu).unwrap();
        let named = all.into_iter().filter_map(|(name, tensor)| Some((name.strip_prefix("init.")?.to_owned(), tensor)));
        let mut tensors: Vec<_> = named.collect();
        tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
        let config = serde_json::from_slice(&fs::read(golden("bert_simcse_training.config.json")).unwrap()).unwrap();
        Self { config, tensors, tokenizer: fs::read(golden("onnx/tokenizer.json")).unwrap() }
    }

    fn save(&self, folder: &Path, pooler: Pooler) -> limbeck_teacher::Result<()> {
        let Self { config, tensors, tokenizer } = self;
        save(folder, &SavedTeacher { config, tensors, tokenizer, pooler, max_tokens: 20, prefix: "q: " })
    }

    fn saved(&self, pooler: Pooler) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        self.save(folder.path(), pooler).unwrap();
        folder
    }

    /// The vectors of the model in memory, in f32.
    fn vectors(&self, pooler: Pooler) -> Vec<Vec<f32>> {
        let config = json!(self.config).to_string();
        let config = limbeck_teacher::BertConfig::from_json(&config, Path::new("config.json")).unwrap();
        let bert = Bert::new(&config, true, &mut |name, _| {
            let tensor = &self.tensors.iter().find(|(other, _)| other == name).unwrap().1;
            Ok(tensor.to_dtype(DType::F32).unwrap())
        });
        pooled(&bert.unwrap(), pooler)
    }
}

fn pooled(bert: &Bert, pooler: Pooler) -> Vec<Vec<f32>> {
    let batch: TokenBatch = [&[1, 9, 86, 78, 2][..], &[1, 61, 2]].into_iter().collect();
    bert.pooled(&batch, pooler).unwrap().to_vec2().unwrap()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn write(path: &Path, value: &Value) {
    fs::write(path, value.to_string()).unwrap();
}

/// Removes limbeck's own key, so that the files of sentence-transformers decide.
fn without_own_key(folder: &Path) {
    let mut config = read(&folder.join("config.json"));
    config.as_object_mut().unwrap().remove("limbeck");
    write(&folder.join("config.json"), &config);
}

#[test]
fn a_saved_teacher_is_read_back_by_limbecks_key_and_by_sentence_transformers_files() {
    let teacher = Teacher::new();
    for pooler in Pooler::ALL {
        let folder = teacher.saved(pooler);
        for own in [true, false] {
            if !own {
                without_own_key(folder.path());
            }
            let found = TeacherFolder::open(folder.path()).unwrap();
            let settings = (found.pooler, found.max_tokens, found.prefix.as_str(), found.normalized);
            assert_eq!(settings, (pooler, 20, "q: ", true), "{pooler}, own key: {own}");
            let bert = Bert::load(&found, &Device::Cpu, DType::F32).unwrap();
            assert_eq!(pooled(&bert, pooler), teacher.vectors(pooler), "{pooler}, own key: {own}");
        }
    }
}

#[test]
fn keys_of_the_configuration_stay_unless_the_teacher_sets_them() {
    let mut teacher = Teacher::new();
    teacher.config.insert("dtype".into(), json!("bfloat16"));
    teacher.config.insert("limbeck".into(), json!({"pooler": "cls", "base": "x"}));
    teacher.config.insert("note".into(), json!("kept"));
    let folder = teacher.saved(Pooler::FirstLast);
    let config = TeacherFolder::open(folder.path()).unwrap().config_json;
    assert_eq!(config["note"], "kept");
    assert_eq!(config["hidden_size"], teacher.config["hidden_size"]);
    assert_eq!((&config["torch_dtype"], config.get("dtype")), (&json!("float32"), None));
    assert_eq!(config["output_hidden_states"], true);
    let own = json!({"pooler": "first-last", "base": "x", "max_tokens": 20, "prefix": "q: "});
    assert_eq!(config["limbeck"], own);
    teacher.config = config;
    let folder = teacher.saved(Pooler::Mean);
    assert_eq!(TeacherFolder::open(folder.path()).unwrap().config_json.get("output_hidden_states"), None);
}

#[test]
fn special_tokens_are_found_in_wordpiece_and_sentencepiece_tokenizers() {
    let mut teacher = Teacher::new();
    let config = |teacher: &Teacher| read(&teacher.saved(Pooler::Mean).path().join("tokenizer_config.json"));
    let words = config(&teacher);
    assert_eq!(
        (&words["cls_token"], &words["pad_token"], &words["model_max_length"]),
        (&json!("[CLS]"), &json!("[PAD]"), &json!(20))
    );
    assert_eq!(words.get("bos_token"), None);
    let pieces = json!({"added_tokens": [{"content": "<mask>"}],
        "model": {"vocab": [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]]}});
    teacher.tokenizer = pieces.to_string().into_bytes();
    let pieces = config(&teacher);
    assert_eq!(pieces["sep_token"], "</s>");
    assert_eq!((&pieces["cls_token"], &pieces["mask_token"]), (&json!("<s>"), &json!("<mask>")));
}

#[test]
fn saving_again_gives_the_same_bytes_and_replaces_another_pooler() {
    let teacher = Teacher::new();
    let folder = teacher.saved(Pooler::Cls);
    let all = |folder: &Path| -> Vec<_> {
        let mut names = vec!["2_Dense/model.safetensors".into(), "1_Pooling/config.json".into()];
        names.extend(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
        names.iter().map(|name: &PathBuf| fs::read(folder.join(name)).unwrap()).collect()
    };
    let before = all(folder.path());
    teacher.save(folder.path(), Pooler::Cls).unwrap();
    assert!(before == all(folder.path()));
    teacher.save(folder.path(), Pooler::LastTwo).unwrap();
    without_own_key(folder.path());
    assert_eq!(TeacherFolder::open(folder.path()).unwrap().pooler, Pooler::LastTwo);
}

#[test]
fn an_incomplete_teacher_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut teacher = Teacher::new();
    teacher.tensors.retain(|(name, _)| !name.starts_with("pooler."));
    let error = teacher.save(folder.path(), Pooler::Cls).unwrap_err();
    assert!(matches!(error, Error::NoPoolerWeights { .. }) && error.hint().is_some(), "{error}");
    assert!(!folder.path().join("model.safetensors").exists());
    teacher.save(folder.path(), Pooler::Mean).unwrap();
    teacher.tokenizer = b"{".to_vec();
    let error = teacher.save(folder.path(), Pooler::Mean).unwrap_err();
    assert!(error.to_string().contains("tokenizer.json"), "{error}");
    teacher.config.remove("hidden_size");
    assert!(matches!(teacher.save(folder.path(), Pooler::Mean), Err(Error::Json { .. })));
}

#[test]
fn a_dense_module_with_tanh_after_cls_replaces_the_models_own_pooler() {
    let teacher = Teacher::new();
    let expected = teacher.vectors(Pooler::Cls);
    let folder = teacher.saved(Pooler::Cls);
    without_own_key(folder.path());
    let load = || {
        let found = TeacherFolder::open(folder.path()).unwrap();
        assert_eq!(found.pooler, Pooler::Cls);
        (pooled(&Bert::load(&found, &Device::Cpu, DType::F32).unwrap(), Pooler::Cls), found.weights)
    };
    let rewrite = |change: &dyn Fn(&str, Tensor) -> Option<Tensor>| {
        let path = folder.path().join("model.safetensors");
        let all = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        let all = all.into_iter().filter_map(|(name, tensor)| Some((name.clone(), change(&name, tensor)?)));
        candle_core::safetensors::save(&all.collect(), &path).unwrap();
    };
    let (_, whole) = load();
    rewrite(&|name, tensor| if name.starts_with("pooler.") { (tensor * 2.0).ok() } else { Some(tensor) });
    let (vectors, doubled) = load();
    assert_eq!(vectors, expected);
    rewrite(&|name, tensor| (!name.starts_with("pooler.")).then_some(tensor));
    let (vectors, without) = load();
    assert_eq!(vectors, expected);
    assert_eq!((whole.parameters(), without.parameters()), (doubled.parameters(), doubled.parameters()));
    onnx::export(
        &TeacherFolder::open(folder.path()).unwrap(),
        Pooler::Cls,
        Precision::F32,
        &folder.path().join("model.onnx"),
    )
    .unwrap();

    // Another dense layer is another teacher, though the model's own file is the same.
    let plain = Weights::open(without.path()).unwrap().sha256().unwrap();
    let before = without.sha256().unwrap();
    assert_ne!(before, plain);
    let dense = folder.path().join("2_Dense/model.safetensors");
    let mut bytes = fs::read(&dense).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&dense, bytes).unwrap();
    assert_ne!(load().1.sha256().unwrap(), before);

    let missing = candle_core::safetensors::load(&dense, &Device::Cpu).unwrap();
    let missing = missing.into_iter().filter(|(name, _)| name != "linear.bias").collect();
    candle_core::safetensors::save(&missing, &dense).unwrap();
    let error = TeacherFolder::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("2_Dense") && error.to_string().contains("linear.bias"), "{error}");
    fs::write(folder.path().join("2_Dense/pytorch_model.bin"), "a pickle").unwrap();
    fs::remove_file(dense).unwrap();
    let error = TeacherFolder::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("2_Dense") && error.hint().unwrap().contains("pickle"), "{error}");
}

#[test]
fn other_dense_layers_are_part_of_the_head_or_refused() {
    let folder = Teacher::new().saved(Pooler::Cls);
    without_own_key(folder.path());
    let path = folder.path().join("2_Dense/config.json");
    let original = read(&path);
    for (key, value, what) in [
        ("activation_function", json!("torch.nn.PReLU"), "`torch.nn.PReLU`"),
        ("module_input_name", json!("token_embeddings"), "token_embeddings"),
    ] {
        let mut config = original.clone();
        config[key] = value;
        write(&path, &config);
        let error = TeacherFolder::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains(what) && error.hint().is_some(), "{error}");
    }
    for (key, value) in [("activation_function", json!("torch.nn.ReLU")), ("use_residual", json!(true))] {
        let mut config = original.clone();
        config[key] = value;
        write(&path, &config);
        let found = TeacherFolder::open(folder.path()).unwrap();
        assert_eq!((found.pooler, found.head.layers.len()), (Pooler::ClsBeforePooler, 1), "{key}");
    }
    write(&path, &original);
    let list = folder.path().join("modules.json");
    let mut modules = read(&list);
    modules.as_array_mut().unwrap().swap(2, 3);
    write(&list, &modules);
    let found = TeacherFolder::open(folder.path()).unwrap();
    assert_eq!((found.head.layers.len(), found.normalized), (2, false), "Dense after Normalize");
}

#[test]
fn other_means_of_layers_are_refused() {
    let folder = Teacher::new().saved(Pooler::FirstLast);
    let weights = folder.path().join("1_WeightedLayerPooling/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let end = bytes.len();
    bytes[end - 8..end - 4].copy_from_slice(&0.5_f32.to_le_bytes());
    fs::write(&weights, bytes).unwrap();
    let error = TeacherFolder::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("mean of layers"), "{error}");
}
