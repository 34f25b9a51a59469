//! sentence-transformers' `modules.json`: it names the model's folder and the way its token vectors are pooled.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{parse_if_there, parse_required, required};
use crate::{Error, Pooler, Result, Weights};

/// The hint for a model that can't be read as a teacher.
const HINT: &str = "embed the texts with sentence-transformers and use the vectors as a cache";

/// The content of `modules.json`.
#[derive(Default)]
pub(super) struct Modules {
    /// The folder of the model itself.
    pub transformer: PathBuf,
    pub pooler: Option<Pooler>,
    /// The folder with the dense layer of the pooler `cls`.
    pub dense: Option<PathBuf>,
    pub normalized: bool,
    /// The configuration of the pooling, if it leaves a prompt's tokens out.
    pub prompt_left_out: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    r#type: String,
}

impl Modules {
    /// Reads the list in `folder`. A folder without a list is the model itself.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut found = Self { transformer: folder.to_owned(), ..Self::default() };
        let list = folder.join("modules.json");
        let Some(modules) = parse_if_there::<Vec<Module>>(&list)? else { return Ok(found) };
        let mut layers = None;
        for module in modules {
            let place = folder.join(&module.path);
            match module.r#type.rsplit('.').next().unwrap_or_default() {
                "Transformer" => found.transformer = place,
                "WeightedLayerPooling" if found.pooler.is_none() => layers = Some((layer_pooler(&place)?, place)),
                "Pooling" => {
                    let hint = "modules.json names a pooling";
                    let (file, pooling) = parse_required::<PoolingConfig>(&place, "config.json", hint)?;
                    found.pooler = Some(match (pooling.pooler(&file)?, &layers) {
                        (pooler, None) => pooler,
                        (Pooler::Mean, Some((pooler, _))) => *pooler,
                        (_, Some((_, place))) => {
                            let what = "a mean of layers is only supported before a mean of tokens".to_owned();
                            return Err(unsupported(place.clone(), what));
                        }
                    });
                    found.prompt_left_out = (!pooling.include_prompt).then_some(file);
                }
                "Dense" if found.pooler == Some(Pooler::ClsBeforePooler) && !found.normalized => {
                    check_dense(&place)?;
                    found.pooler = Some(Pooler::Cls);
                    found.dense = Some(place);
                }
                "Dense" => {
                    let what = "the module `Dense` is only supported with tanh, once, right after a pooling by `cls`";
                    return Err(unsupported(list, what.to_owned()));
                }
                "Normalize" => found.normalized = true,
                "Dropout" => {}
                other => {
                    let known = "Transformer, WeightedLayerPooling, Pooling, Dense and Normalize are";
                    return Err(unsupported(list, format!("the module `{other}` is not supported ({known})")));
                }
            }
        }
        Ok(found)
    }
}

fn unsupported(path: PathBuf, what: String) -> Error {
    Error::Unsupported { path, what, hint: HINT.to_owned() }
}

/// `1_Pooling/config.json`: a flag for each way of pooling, or the name of the way.
#[derive(Deserialize)]
struct PoolingConfig {
    #[serde(default)]
    pooling_mode: Option<Value>,
    #[serde(default = "yes")]
    include_prompt: bool,
    #[serde(flatten)]
    flags: Map<String, Value>,
}

fn yes() -> bool {
    true
}

impl PoolingConfig {
    fn pooler(&self, file: &Path) -> Result<Pooler> {
        let modes: Vec<&str> = match &self.pooling_mode {
            Some(Value::String(mode)) => vec![mode],
            Some(Value::Array(modes)) => modes.iter().filter_map(Value::as_str).collect(),
            _ => {
                let set = self.flags.iter().filter(|(_, value)| **value == Value::Bool(true));
                set.filter_map(|(flag, _)| flag.strip_prefix("pooling_mode_")).collect()
            }
        };
        match modes[..] {
            ["cls" | "cls_token"] => Ok(Pooler::ClsBeforePooler),
            ["mean" | "mean_tokens"] => Ok(Pooler::Mean),
            _ => {
                let what = format!("the pooling {} is not supported (mean and cls are)", modes.join(" + "));
                Err(unsupported(file.to_owned(), what))
            }
        }
    }
}

/// Refuses a dense layer that isn't tanh(W·x + b) of the text's vector.
fn check_dense(folder: &Path) -> Result<()> {
    #[derive(Deserialize)]
    struct DenseConfig {
        #[serde(default = "yes")]
        bias: bool,
        activation_function: Option<String>,
        module_input_name: Option<String>,
        module_output_name: Option<String>,
        #[serde(default)]
        use_residual: bool,
    }
    let hint = "modules.json names a dense layer";
    let (file, dense) = parse_required::<DenseConfig>(folder, "config.json", hint)?;
    // Tanh is the default of sentence-transformers.
    let activation = dense.activation_function.as_deref().unwrap_or("torch.nn.modules.activation.Tanh");
    let what = if activation.rsplit('.').next() != Some("Tanh") {
        format!("a dense layer with the activation `{activation}` is not supported (Tanh is)")
    } else if !dense.bias {
        "a dense layer without a bias is not supported".to_owned()
    } else if dense.use_residual {
        "a dense layer with a residual is not supported".to_owned()
    } else if [dense.module_input_name, dense.module_output_name].iter().flatten().any(|n| n != "sentence_embedding") {
        "a dense layer of token vectors is not supported".to_owned()
    } else {
        return Ok(());
    };
    Err(unsupported(file, what))
}

/// The pooler that is equal to a weighted mean of layers followed by a mean over tokens.
fn layer_pooler(folder: &Path) -> Result<Pooler> {
    #[derive(Deserialize)]
    struct LayerMeanConfig {
        layer_start: usize,
        num_hidden_layers: usize,
    }
    let hint = "modules.json names a mean of layers";
    let (file, layers) = parse_required::<LayerMeanConfig>(folder, "config.json", hint)?;
    let hint = "the weights of the layers are expected in this file";
    let weights = Weights::open(&required(folder, "model.safetensors", hint)?)?;
    let count = (layers.num_hidden_layers + 1).saturating_sub(layers.layer_start);
    let shares = weights.f32("layer_weights", &[count])?;
    match shares[..] {
        [first, last] if layers.layer_start > 0 && first == last && first > 0.0 => Ok(Pooler::LastTwo),
        [first, ref between @ .., last]
            if layers.layer_start == 0 && first == last && first > 0.0 && between.iter().all(|&share| share == 0.0) =>
        {
            Ok(Pooler::FirstLast)
        }
        _ => {
            let what = "this mean of layers is not supported (of the first and last, and of the last two are)";
            Err(unsupported(file, what.to_owned()))
        }
    }
}
