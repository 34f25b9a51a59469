//! [`save`]: a model folder that transformers, sentence-transformers and [`crate::TeacherFolder`] read.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use bytemuck::cast_slice;
use candle_core::{DType, Device, Tensor};
use limbeck_data::files::{write_atomically, write_bytes, write_json};
use limbeck_training::sentence_transformers::{dense, limits, pooling};
use serde_json::{Map, Value, json};

use crate::weights::LayerNames;
use crate::{Architecture, BertConfig, Error, Pooler, Result};

/// A teacher in memory, with everything that its folder needs.
#[derive(Debug, Clone, Copy)]
pub struct SavedTeacher<'a> {
    /// The base of `config.json`. Its keys are kept, those under `limbeck` too, except that the class of the model, the
    /// type of the weights and the fields below replace theirs. Without a `model_type` it is BERT's.
    pub config: &'a Map<String, Value>,
    /// The tensors by the names of [`crate::Weights`], `pooler.dense.weight` and `.bias` among them where there are
    /// any.
    pub tensors: &'a [(String, Tensor)],
    /// The bytes of `tokenizer.json`.
    pub tokenizer: &'a [u8],
    /// How token vectors become a text's vector.
    pub pooler: Pooler,
    /// The longest input in tokens, special ones included.
    pub max_tokens: usize,
    /// Put before every text; may be empty.
    pub prefix: &'a str,
}

/// The file of a folder that holds the tensors.
const WEIGHTS: &str = "model.safetensors";
/// The roles of a tokenizer's special tokens, and their names in the two families of tokenizers that BERTs have.
const SPECIAL: [(&str, [&str; 2]); 7] = [
    ("unk_token", ["[UNK]", "<unk>"]),
    ("sep_token", ["[SEP]", "</s>"]),
    ("pad_token", ["[PAD]", "<pad>"]),
    ("cls_token", ["[CLS]", "<s>"]),
    ("mask_token", ["[MASK]", "<mask>"]),
    ("bos_token", ["<s>", "<s>"]),
    ("eos_token", ["</s>", "</s>"]),
];

/// Writes the folder: `config.json`, `model.safetensors` (f32), `tokenizer.json` and `tokenizer_config.json` for
/// transformers, and `modules.json` with the modules that it names for sentence-transformers, so that both load the
/// folder. Each file appears whole or not at all; other files in the folder stay. The same teacher gives the same
/// bytes.
///
/// sentence-transformers gets the pooler as modules, with a normalisation at the end:
///
/// | pooler | modules |
/// |---|---|
/// | `mean`, `cls-before-pooler`, `max`, `mean-sqrt-len`, `weighted-mean`, `last-token` | Pooling |
/// | `cls` | Pooling by the first token, Dense with tanh |
/// | `first-last`, `last-two` | WeightedLayerPooling, Pooling by the mean; `config.json` asks for all states |
///
/// A prefix becomes the default prompt, which sentence-transformers puts before every text. Users of transformers alone
/// have to pool and prefix by themselves: `config.json` states both under `limbeck`.
///
/// # Errors
/// A configuration that [`BertConfig::from_json`] refuses; the pooler `cls` without the tensors `pooler.dense`; a
/// tokenizer that isn't JSON; a file that can't be written.
pub fn save(folder: &Path, teacher: &SavedTeacher) -> Result<()> {
    let config_path = folder.join("config.json");
    let config = config_of(teacher);
    let shape = BertConfig::from_json(&config.to_string(), &config_path)?;
    let tokenizer_path = folder.join("tokenizer.json");
    let tokenizer: Value = serde_json::from_slice(teacher.tokenizer)
        .map_err(|source| Error::Json { path: tokenizer_path.clone(), source })?;
    let dense = match teacher.pooler {
        Pooler::Cls => Some(dense_of(teacher).ok_or_else(|| Error::NoPoolerWeights { path: folder.join(WEIGHTS) })?),
        _ => None,
    };

    let names = LayerNames::from(shape.architecture);
    let named: Vec<_> = teacher.tensors.iter().map(|(name, tensor)| (names.own_name(name), tensor)).collect();
    let tensors: Vec<_> = named.iter().map(|(name, tensor)| (name.as_str(), *tensor)).collect();
    write_tensors(&folder.join(WEIGHTS), &tensors)?;
    write_json(&config_path, &config)?;
    write_bytes(&tokenizer_path, teacher.tokenizer)?;
    write_json(&folder.join("tokenizer_config.json"), &tokenizer_config(&tokenizer, teacher.max_tokens))?;
    write_json(&folder.join("sentence_bert_config.json"), &limits(Some(teacher.max_tokens)))?;
    write_json(&folder.join("config_sentence_transformers.json"), &prompts(teacher.prefix))?;
    let modules = write_modules(folder, teacher.pooler, dense, &shape)?;
    write_json(&folder.join("modules.json"), &modules)?;
    Ok(())
}

fn config_of(teacher: &SavedTeacher) -> Value {
    let mut config = teacher.config.clone();
    // A kind that isn't known stays, and is refused when the configuration is read.
    let kind = config.entry("model_type").or_insert_with(|| json!(Architecture::Bert.model_type()));
    if let Some(architecture) = kind.as_str().and_then(Architecture::named) {
        config.insert("architectures".into(), json!([architecture.class()]));
    }
    // transformers before version 5 knows this name alone, later versions know `dtype` too.
    config.insert("torch_dtype".into(), json!("float32"));
    config.shift_remove("dtype");
    match teacher.pooler {
        Pooler::FirstLast | Pooler::LastTwo => config.insert("output_hidden_states".into(), json!(true)),
        _ => config.shift_remove("output_hidden_states"),
    };
    let own = config.entry("limbeck").or_insert_with(|| json!({}));
    if !own.is_object() {
        *own = json!({});
    }
    own["pooler"] = json!(teacher.pooler);
    own["max_tokens"] = json!(teacher.max_tokens);
    own["prefix"] = json!(teacher.prefix);
    Value::Object(config)
}

/// `tokenizer_config.json` for the tokenizer of `tokenizer.json`, whatever its kind.
fn tokenizer_config(tokenizer: &Value, max_tokens: usize) -> Value {
    let mut known = HashSet::new();
    for token in tokenizer["added_tokens"].as_array().into_iter().flatten() {
        known.extend(token["content"].as_str());
    }
    // A vocabulary is an object of tokens, or a list of tokens with their scores.
    match &tokenizer["model"]["vocab"] {
        Value::Object(tokens) => known.extend(tokens.keys().map(String::as_str)),
        Value::Array(tokens) => known.extend(tokens.iter().filter_map(|token| token[0].as_str())),
        _ => {}
    }
    let mut config = json!({"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_tokens});
    for (role, names) in SPECIAL {
        if let Some(token) = names.into_iter().find(|name| known.contains(name)) {
            config[role] = json!(token);
        }
    }
    config
}

fn prompts(prefix: &str) -> Value {
    match prefix {
        "" => json!({"prompts": {}, "default_prompt_name": null, "similarity_fn_name": "cosine"}),
        _ => json!({"prompts": {"default": prefix}, "default_prompt_name": "default", "similarity_fn_name": "cosine"}),
    }
}

/// Writes the folders of the pooling's modules, and returns the list of modules.
fn write_modules(folder: &Path, pooler: Pooler, layer: Option<[&Tensor; 2]>, shape: &BertConfig) -> Result<Value> {
    let (width, layers) = (shape.hidden_size, shape.num_hidden_layers);
    let mut modules = vec![json!({"idx": 0, "name": "0", "path": "", "type": type_of("Transformer")})];
    let mut add = |kind: &str| {
        let index = modules.len();
        let path = format!("{index}_{kind}");
        modules.push(json!({"idx": index, "name": index.to_string(), "path": path, "type": type_of(kind)}));
        folder.join(path)
    };
    // The weights of the states from `start` on; the embeddings are state 0.
    let shares = match pooler {
        Pooler::FirstLast => {
            Some((0, (0..=layers).map(|layer| f32::from(layer == 0 || layer == layers)).collect::<Vec<_>>()))
        }
        Pooler::LastTwo => Some((layers.saturating_sub(1), vec![1.0, 1.0])),
        _ => None,
    };
    if let Some((start, shares)) = shares {
        let place = add("WeightedLayerPooling");
        let config = json!({"word_embedding_dimension": width, "layer_start": start, "num_hidden_layers": layers});
        write_json(&place.join("config.json"), &config)?;
        let shares = Tensor::new(shares, &Device::Cpu).map_err(Error::candle("writing the weights of layers"))?;
        write_tensors(&place.join(WEIGHTS), &[("layer_weights", &shares)])?;
    }
    let mode = match pooler {
        Pooler::Cls | Pooler::ClsBeforePooler => "cls_token",
        Pooler::Mean | Pooler::FirstLast | Pooler::LastTwo => "mean_tokens",
        Pooler::Max => "max_tokens",
        Pooler::MeanSqrtLen => "mean_sqrt_len_tokens",
        Pooler::WeightedMean => "weightedmean_tokens",
        Pooler::LastToken => "lasttoken",
    };
    let pooling = pooling(width, &[mode]);
    write_json(&add("Pooling").join("config.json"), &pooling)?;
    if let Some([weight, bias]) = layer {
        let place = add("Dense");
        let config = dense(width, width, "torch.nn.modules.activation.Tanh");
        write_json(&place.join("config.json"), &config)?;
        write_tensors(&place.join(WEIGHTS), &[("linear.weight", weight), ("linear.bias", bias)])?;
    }
    add("Normalize");
    Ok(Value::Array(modules))
}

/// The weight and bias of the dense layer of the pooler `cls`.
fn dense_of<'a>(teacher: &SavedTeacher<'a>) -> Option<[&'a Tensor; 2]> {
    let find = |name| teacher.tensors.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor);
    Some([find("pooler.dense.weight")?, find("pooler.dense.bias")?])
}

fn type_of(module: &str) -> String {
    format!("sentence_transformers.models.{module}")
}

/// Writes tensors as f32 in the format of safetensors (<https://github.com/huggingface/safetensors>): the length of the
/// header in 8 bytes, the header in JSON, and the values. At most one tensor is copied at a time.
fn write_tensors(path: &Path, tensors: &[(&str, &Tensor)]) -> Result<()> {
    let mut header = Map::new();
    // Without this key transformers doesn't accept the file as one of PyTorch.
    header.insert("__metadata__".into(), json!({"format": "pt"}));
    let mut end = 0;
    for (name, tensor) in tensors {
        let start = end;
        end += tensor.elem_count() * size_of::<f32>();
        header.insert((*name).into(), json!({"dtype": "F32", "shape": tensor.dims(), "data_offsets": [start, end]}));
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    // The values begin at a multiple of 8.
    header.resize(header.len().next_multiple_of(8), b' ');
    write_atomically(path, |file| {
        let write = |source| limbeck_data::Error::io("write", path)(source);
        file.write_all(&(header.len() as u64).to_le_bytes()).map_err(write)?;
        file.write_all(&header).map_err(write)?;
        for (_, tensor) in tensors {
            let values = tensor.to_dtype(DType::F32).and_then(|tensor| tensor.flatten_all()?.to_vec1::<f32>());
            let values = values.map_err(Error::candle("reading a tensor to be saved"))?;
            // The format is little-endian, and so is every target of ONNX Runtime and candle.
            file.write_all(cast_slice(&values)).map_err(write)?;
        }
        Ok(())
    })
}
