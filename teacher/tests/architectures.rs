//! Models like BERT in candle and in training, against transformers' and PyTorch's values of tiny random models.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use limbeck_data::Monitor;
use limbeck_encoder::TokenBatch;
use limbeck_teacher::backprop::{Dropout, Gradients, Network, Parameters};
use limbeck_teacher::bert::Bert;
use limbeck_teacher::train::{BertSettings, train};
use limbeck_teacher::{Architecture, Error, Pooler, SavedTeacher, TeacherFolder, save};
use limbeck_training::contrastive::{ContrastiveSettings, Job, TrainingExamples};
use limbeck_training::losses::infonce_hard_negative;
use limbeck_training::optimiser::{AdamW, AdamWSettings};
use tempfile::TempDir;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/architectures").join(name)
}

/// A golden model as a folder with a tokenizer.
fn copied(architecture: Architecture) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(golden(architecture.model_type())).unwrap() {
        let file = entry.unwrap().path();
        std::fs::copy(&file, place.path().join(file.file_name().unwrap())).unwrap();
    }
    std::fs::copy(golden("../onnx/tokenizer.json"), place.path().join("tokenizer.json")).unwrap();
    place
}

fn open(architecture: Architecture) -> (TeacherFolder, TempDir) {
    let place = copied(architecture);
    (TeacherFolder::open(place.path()).unwrap(), place)
}

fn tensors(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(golden(name), &Device::Cpu).unwrap()
}

fn ids(tensor: &Tensor) -> Vec<u32> {
    tensor.to_dtype(DType::U32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference, as a share of the largest expected value.
fn off(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let (found, expected) = (numbers(found), numbers(expected));
    let largest = expected.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    found.iter().zip(&expected).fold(0.0f64, |a, (x, y)| a.max((x - y).abs())) / largest
}

fn last_states(bert: &Bert, batch: &TokenBatch) -> Tensor {
    bert.hidden_states(&bert.pad(batch).unwrap()).unwrap().pop().unwrap()
}

#[test]
fn candle_has_transformers_states_of_every_token_alone_and_beside_padding() {
    for architecture in Architecture::ALL {
        let (teacher, _place) = open(architecture);
        let bert = Bert::load(&teacher, &Device::Cpu, DType::F32).unwrap();
        let expected = tensors(&format!("{}/states.safetensors", architecture.model_type()));
        let texts: Vec<Vec<u32>> = (0..5).map(|text| ids(&expected[&format!("{text}.ids")])).collect();
        let together = last_states(&bert, &texts.iter().map(Vec::as_slice).collect());
        for (number, text) in texts.iter().enumerate() {
            let expected = &expected[&format!("{number}.states")];
            let alone = last_states(&bert, &std::iter::once(&text[..]).collect()).squeeze(0).unwrap();
            let beside = together.get(number).unwrap().narrow(0, 0, text.len()).unwrap();
            for found in [alone, beside] {
                let difference = (found - expected).unwrap().abs().unwrap().max_all().unwrap();
                let difference = difference.to_scalar::<f32>().unwrap();
                assert!(difference < 1e-4, "{architecture:?}: text {number} is off by {difference}");
            }
        }
    }
}

#[test]
fn a_folder_takes_as_many_tokens_as_there_are_positions() {
    for architecture in Architecture::ALL {
        let (teacher, _place) = open(architecture);
        assert_eq!(teacher.max_tokens, 40, "{architecture:?}");
        assert!(teacher.check_tokens(40).is_ok() && teacher.check_tokens(41).is_err(), "{architecture:?}");
        let bert = Bert::load(&teacher, &Device::Cpu, DType::F32).unwrap();
        let long = bert.pooled(&[&[7; 41][..]].into_iter().collect(), Pooler::Mean).unwrap_err();
        assert!(matches!(long, Error::TooLong { tokens: 41, positions: 40, .. }), "{architecture:?}: {long}");
    }
}

#[test]
fn missing_tensors_have_the_names_of_their_architecture() {
    for (architecture, name) in [
        (Architecture::DistilBert, "transformer.layer.1.ffn.lin2.weight"),
        (Architecture::Mpnet, "encoder.layer.1.attention.attn.o.bias"),
        (Architecture::Roberta, "encoder.layer.1.attention.output.dense.bias"),
    ] {
        let place = copied(architecture);
        let file = place.path().join("model.safetensors");
        let mut all = candle_core::safetensors::load(&file, &Device::Cpu).unwrap();
        all.retain(|own, _| !own.ends_with(name));
        candle_core::safetensors::save(&all, &file).unwrap();
        let teacher = TeacherFolder::open(place.path()).unwrap();
        let error = Bert::load(&teacher, &Device::Cpu, DType::F32).unwrap_err();
        let expected = format!("model.safetensors: no tensor `{name}`");
        assert!(matches!(error, Error::MissingTensor { .. }) && error.to_string().ends_with(&expected), "{error}");
    }
}

/// The sharded golden model after `change` has changed its index.
fn with_index(change: &dyn Fn(&mut serde_json::Map<String, serde_json::Value>)) -> (TempDir, Error) {
    let place = copied(Architecture::XlmRoberta);
    let path = place.path().join("model.safetensors.index.json");
    let mut index: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(index["weight_map"].as_object_mut().unwrap());
    std::fs::write(&path, index.to_string()).unwrap();
    let error = TeacherFolder::open(place.path()).unwrap_err();
    (place, error)
}

#[test]
fn an_index_that_names_a_file_outside_the_folder_is_refused() {
    for name in ["../model.safetensors", "/etc/passwd", "", "a/../../b", "..\\b"] {
        let (_place, error) = with_index(&|map| {
            map.insert("pooler.dense.bias".into(), name.into());
        });
        let text = error.to_string();
        assert!(text.contains("pooler.dense.bias") && text.contains("outside the folder"), "{text}");
        assert!(text.contains("model.safetensors.index.json") && error.hint().is_some(), "{text}");
    }
}

#[test]
fn a_missing_shard_and_a_tensor_missing_from_its_shard_are_named() {
    let (_place, error) = with_index(&|map| {
        map.insert("pooler.dense.bias".into(), "model-00009-of-00009.safetensors".into());
    });
    assert!(matches!(error, Error::MissingFile { .. }), "{error}");
    assert!(error.to_string().contains("model-00009-of-00009.safetensors"), "{error}");
    assert!(error.hint().unwrap().contains("`pooler.dense.bias`"), "{error}");

    let (_place, error) = with_index(&|map| {
        let shards: Vec<_> = map.values().cloned().collect();
        let other = shards.iter().find(|shard| **shard != map["pooler.dense.bias"]).unwrap();
        map.insert("pooler.dense.bias".into(), other.clone());
    });
    let text = error.to_string();
    assert!(matches!(error, Error::MissingTensor { .. }) && text.contains("`pooler.dense.bias`"), "{text}");
    assert!(text.contains("-of-"), "{text}");
}

#[test]
fn sharded_weights_are_identified_by_all_their_files() {
    let (teacher, place) = open(Architecture::XlmRoberta);
    let before = teacher.weights.sha256().unwrap();
    let shards = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path());
    let shards: Vec<_> = shards.filter(|path| path.display().to_string().contains("-of-")).collect();
    assert!(shards.len() > 1);
    let bytes: u64 = shards.iter().map(|shard| std::fs::metadata(shard).unwrap().len()).sum();
    assert_eq!(teacher.weights.bytes(), bytes);
    for shard in shards {
        let whole = std::fs::read(&shard).unwrap();
        let mut changed = whole.clone();
        *changed.last_mut().unwrap() ^= 1;
        std::fs::write(&shard, changed).unwrap();
        assert_ne!(TeacherFolder::open(place.path()).unwrap().weights.sha256().unwrap(), before);
        std::fs::write(&shard, &whole[..whole.len() - 1]).unwrap();
        let error = TeacherFolder::open(place.path()).unwrap_err();
        let name = shard.file_name().unwrap().to_str().unwrap();
        assert!(matches!(error, Error::BrokenWeights { .. }) && error.to_string().contains(name), "{error}");
        std::fs::write(&shard, whole).unwrap();
    }
}

#[test]
fn other_architectures_are_refused_and_the_folders_onnx_files_are_named() {
    for kind in ["modernbert", "nomic_bert", "new", "gemma3_text", "qwen2", "t5", "electra", "deberta-v2"] {
        let place = copied(Architecture::Bert);
        let path = place.path().join("config.json");
        let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config["model_type"] = kind.into();
        std::fs::write(&path, config.to_string()).unwrap();
        let error = TeacherFolder::open(place.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("`{kind}`")), "{error}");
        assert!(error.to_string().contains("distilbert, roberta, xlm-roberta, camembert, mpnet"), "{error}");
        assert!(error.hint().unwrap().contains("give the model's ONNX file"), "{error}");

        std::fs::create_dir(place.path().join("onnx")).unwrap();
        for file in ["onnx/model.onnx", "onnx/model_quantized.onnx", "onnx/model.onnx_data", "other.onnx"] {
            std::fs::write(place.path().join(file), "").unwrap();
        }
        let hint = TeacherFolder::open(place.path()).unwrap_err().hint().unwrap();
        for file in ["onnx/model.onnx", "onnx/model_quantized.onnx", "other.onnx"] {
            assert!(hint.contains(&place.path().join(file).display().to_string()), "{hint}");
        }
        assert!(!hint.contains("onnx_data"), "{hint}");
    }
}

/// The variables of a golden model, in f64; a pooler that the model lacks is made of small numbers.
fn parameters(teacher: &TeacherFolder, with_pooler: bool) -> Parameters {
    let find = &mut |name: &str, shape: &[usize]| match teacher.weights.contains(name) {
        true => teacher.weights.tensor(name, shape, DType::F64, &Device::Cpu),
        false => Ok((Tensor::ones(shape, DType::F64, &Device::Cpu).unwrap() * 0.02).unwrap()),
    };
    Parameters::new(&teacher.config, with_pooler, find).unwrap()
}

#[test]
fn one_step_of_simcse_from_roberta_is_pytorchs() {
    let (teacher, _place) = open(Architecture::Roberta);
    let expected = tensors("roberta_step.safetensors");
    let parameters = parameters(&teacher, false);
    let before: HashMap<String, Tensor> =
        parameters.iter().map(|(name, variable)| (name.to_owned(), variable.copy().unwrap())).collect();
    let network = Network { config: &teacher.config, parameters: &parameters, pooler: Pooler::Mean, head: false };
    let mut texts = Vec::new();
    for view in ["anchor", "positive", "hard_negative"] {
        let rows: Vec<Vec<i64>> = expected[&format!("{view}.ids")].to_vec2().unwrap();
        texts.extend(rows.iter().map(|row| row.iter().filter(|&&id| id != 1).map(|&id| id as u32).collect::<Vec<_>>()));
    }
    let batch: TokenBatch = texts.iter().map(Vec::as_slice).collect();
    let tape = network.forward::<f64>(&batch, &mut Dropout::none()).unwrap();
    let vectors = Var::from_tensor(&Tensor::from_slice(tape.vectors(), (18, 32), &Device::Cpu).unwrap()).unwrap();
    let view = |at: usize| vectors.narrow(0, at * 6, 6).unwrap();
    let loss = infonce_hard_negative(&view(0), &view(1), &view(2), 0.05, 0.0).unwrap();
    assert!(off(&loss.unsqueeze(0).unwrap(), &expected["loss"]) < 1e-6);

    let gradient = numbers(loss.backward().unwrap().get(&vectors).unwrap());
    let mut gradients = Gradients::new(&parameters, &|_| true);
    network.backward(&batch, tape, &gradient, &mut gradients).unwrap();
    let norm = gradients.norm();
    let gradients = gradients.into_tensors().unwrap();
    let named = parameters.iter().map(|(name, variable)| (name.to_owned(), variable.clone()));
    let decays = |name: &str| !name.ends_with("bias") && !name.contains("LayerNorm");
    let settings = AdamWSettings { weight_decay: 0.01, ..AdamWSettings::default() };
    let mut optimiser = AdamW::new(named.collect::<Vec<_>>(), settings, decays).unwrap();
    let scale = (1.0 / (norm + 1e-6)).min(1.0);
    optimiser.update(|name, _| gradients.get(name), scale, 1e-3, 1).unwrap();
    // Softmax doesn't see key biases: PyTorch's values are rounding noise.
    for (name, variable) in parameters.iter().filter(|(name, _)| !name.ends_with("key.bias")) {
        let gradient = off(&gradients[name], &expected[&format!("gradient.{name}")]);
        assert!(gradient < 1e-4, "the gradient of {name} is off by {gradient}");
        let change = off(&(variable.as_tensor() - &before[name]).unwrap(), &expected[&format!("change.{name}")]);
        assert!(change < 1e-4, "the change of {name} is off by {change}");
    }
}

#[test]
fn hand_written_gradients_are_candles_in_every_architecture_that_trains() {
    let texts: [&[u32]; 3] = [&[5, 9, 2, 44, 7], &[5, 1, 7], &[5, 61, 62, 63, 61, 2, 7, 3]];
    let batch: TokenBatch = texts.into_iter().collect();
    for architecture in Architecture::ALL.into_iter().filter(|architecture| *architecture != Architecture::Mpnet) {
        let (teacher, _place) = open(architecture);
        let parameters = parameters(&teacher, true);
        for pooler in [Pooler::Cls, Pooler::FirstLast] {
            let head = pooler == Pooler::Cls;
            let network = Network { config: &teacher.config, parameters: &parameters, pooler, head };
            let weights: Vec<f64> = (0..96).map(|at| (f64::from(at) * 0.7).sin()).collect();
            let tape = network.forward::<f64>(&batch, &mut Dropout::none()).unwrap();
            let mut gradients = Gradients::new(&parameters, &|_| true);
            network.backward(&batch, tape, &weights, &mut gradients).unwrap();
            let find = &mut |name: &str, _: &[usize]| Ok(parameters.get(name).unwrap().as_tensor().clone());
            let bert = Bert::new(&teacher.config, true, find).unwrap();
            let weights = Tensor::from_vec(weights, (3, 32), &Device::Cpu).unwrap();
            let value = (bert.pooled(&batch, pooler).unwrap() * weights).unwrap().sum_all().unwrap();
            let store = value.backward().unwrap();
            for (name, gradient) in gradients.into_tensors().unwrap() {
                let unused = name.ends_with("key.bias") || (!head && name.starts_with("pooler."));
                if !unused {
                    let difference = off(&gradient, store.get(parameters.get(&name).unwrap()).unwrap());
                    assert!(difference < 1e-6, "{architecture:?}, {pooler}: {name} is off by {difference}");
                }
            }
        }
    }
}

/// The folder that one epoch of SimCSE from a golden model leaves.
fn trained(teacher: &TeacherFolder) -> limbeck_teacher::Result<TempDir> {
    let to = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..12).map(|at| ["the cat", "a dog sat", "cat", "the dog"][at % 4].to_owned()).collect();
    let settings = ContrastiveSettings { batch: 6, epochs: 1, learning_rate: 1e-3, ..ContrastiveSettings::default() };
    let job = Job {
        examples: TrainingExamples::Texts(&texts),
        settings: &settings,
        dev: None,
        folder: to.path(),
        metrics: to.path().join("metrics.jsonl"),
        stage: "train",
    };
    train(teacher, &BertSettings::default(), &job, &Device::Cpu, Monitor::silent()).map(|_| to)
}

#[test]
fn a_trained_model_is_of_the_architecture_that_it_began_as() {
    for architecture in Architecture::ALL.into_iter().filter(|architecture| *architecture != Architecture::Mpnet) {
        let (start, _place) = open(architecture);
        let folder = trained(&start).unwrap();
        let found = TeacherFolder::open(folder.path()).unwrap();
        assert_eq!((&found.config, found.max_tokens), (&start.config, 40));
        let word = |teacher: &TeacherFolder| {
            let shape = [teacher.config.hidden_size, teacher.config.hidden_size];
            teacher.weights.f32("encoder.layer.0.attention.self.query.weight", &shape).unwrap()
        };
        assert_ne!(word(&found), word(&start), "{architecture}");
    }
}

#[test]
fn mpnet_is_not_trained() {
    let (teacher, place) = open(Architecture::Mpnet);
    let find = &mut |name: &str, shape: &[usize]| teacher.weights.tensor(name, shape, DType::F64, &Device::Cpu);
    let error = Parameters::new(&teacher.config, false, find).unwrap_err();
    assert!(error.to_string().contains("`mpnet` can't be trained here"), "{error}");
    let error = trained(&teacher).unwrap_err().to_string();
    let path = place.path().join("config.json");
    assert!(error.starts_with(&format!("{}: ", path.display())) && error.contains("`mpnet`"), "{error}");
}

#[test]
fn a_saved_folder_is_of_its_own_architecture() {
    for architecture in Architecture::ALL {
        let (teacher, _place) = open(architecture);
        let bert = |teacher: &TeacherFolder| Bert::load(teacher, &Device::Cpu, DType::F32).unwrap();
        let mut names = Vec::new();
        let find = &mut |name: &str, shape: &[usize]| {
            names.push((name.to_owned(), teacher.weights.tensor(name, shape, DType::F32, &Device::Cpu)?));
            Ok(names[names.len() - 1].1.clone())
        };
        Bert::new(&teacher.config, teacher.weights.contains("pooler.dense.weight"), find).unwrap();
        let tokenizer = std::fs::read(&teacher.tokenizer).unwrap();
        let to = tempfile::tempdir().unwrap();
        let saved = SavedTeacher {
            config: &teacher.config_json,
            tensors: &names,
            tokenizer: &tokenizer,
            pooler: Pooler::Mean,
            max_tokens: 40,
            prefix: "",
        };
        save(to.path(), &saved).unwrap();
        let found = TeacherFolder::open(to.path()).unwrap();
        assert_eq!(found.config, teacher.config);
        let batch: TokenBatch = [&[5, 9, 2][..]].into_iter().collect();
        let [before, after] = [&teacher, &found].map(|teacher| numbers(&last_states(&bert(teacher), &batch)));
        assert_eq!(before, after);
        // A class of a task, such as a classifier's, is gone with its head.
        let class = found.config_json["architectures"][0].as_str().unwrap().to_owned();
        let own = candle_core::safetensors::load(to.path().join("model.safetensors"), &Device::Cpu).unwrap();
        let (expected, name) = match architecture {
            Architecture::Bert => ("BertModel", "encoder.layer.0.attention.self.query.weight"),
            Architecture::DistilBert => ("DistilBertModel", "transformer.layer.0.attention.q_lin.weight"),
            Architecture::Roberta => ("RobertaModel", "encoder.layer.0.attention.self.query.weight"),
            Architecture::XlmRoberta => ("XLMRobertaModel", "encoder.layer.0.attention.self.query.weight"),
            Architecture::Camembert => ("CamembertModel", "encoder.layer.0.attention.self.query.weight"),
            Architecture::Mpnet => ("MPNetModel", "encoder.layer.0.attention.attn.q.weight"),
        };
        assert!(class == expected && own.contains_key(name), "{architecture:?}: {class}");
    }
}
