//! The configurations of a Pooling and of a WeightedLayerPooling.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::unsupported;
use crate::model_files::{parse_required, required};
use crate::{Error, Pooler, Result, Weights};

/// The ways of pooling as sentence-transformers names them, in its flags `pooling_mode_…` and in `pooling_mode`, in the
/// order in which the vectors of flags follow each other.
const MODES: [(&str, &str, Pooler); 6] = [
    ("cls_token", "cls", Pooler::ClsBeforePooler),
    ("max_tokens", "max", Pooler::Max),
    ("mean_tokens", "mean", Pooler::Mean),
    ("mean_sqrt_len_tokens", "mean_sqrt_len_tokens", Pooler::MeanSqrtLen),
    ("weightedmean_tokens", "weightedmean", Pooler::WeightedMean),
    ("lasttoken", "lasttoken", Pooler::LastToken),
];

/// A Pooling module.
pub(super) struct PoolingModule {
    /// Its configuration.
    pub file: PathBuf,
    /// At least one; the vectors of several follow each other.
    pub poolers: Vec<Pooler>,
    /// Whether the tokens of a prompt count.
    pub include_prompt: bool,
}

/// `1_Pooling/config.json`: a flag for each way of pooling, or the names of the ways.
#[derive(Deserialize)]
struct PoolingConfig {
    #[serde(default)]
    pooling_mode: Option<Value>,
    #[serde(default = "yes")]
    include_prompt: bool,
    #[serde(flatten)]
    flags: Map<String, Value>,
}

pub(super) fn yes() -> bool {
    true
}

impl PoolingModule {
    /// Reads the module in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let (file, config) = parse_required::<PoolingConfig>(folder, "config.json", "modules.json names a pooling")?;
        let poolers = match &config.pooling_mode {
            Some(Value::String(mode)) => vec![named(mode, &file)?],
            // Their vectors follow each other as they are listed.
            Some(Value::Array(modes)) => {
                modes.iter().map(|mode| named(mode.as_str().unwrap_or_default(), &file)).collect::<Result<_>>()?
            }
            Some(Value::Null) | None => config.flagged(&file)?,
            Some(other) => {
                return Err(unsupported(&file, format!("pooling_mode is {other}, where names are expected")));
            }
        };
        // The mean is what sentence-transformers takes where nothing is said.
        let poolers = if poolers.is_empty() { vec![Pooler::Mean] } else { poolers };
        Ok(Self { file, poolers, include_prompt: config.include_prompt })
    }
}

impl PoolingConfig {
    /// The poolers whose flags are set, in the order of [`MODES`].
    fn flagged(&self, file: &Path) -> Result<Vec<Pooler>> {
        let set = self.flags.iter().filter(|(_, value)| **value == Value::Bool(true));
        let set: Vec<&str> = set.filter_map(|(flag, _)| flag.strip_prefix("pooling_mode_")).collect();
        if let Some(flag) = set.iter().find(|flag| MODES.iter().all(|known| known.0 != **flag)) {
            return Err(unknown(flag, file));
        }
        let known = MODES.into_iter().filter(|(flag, _, _)| set.contains(flag));
        Ok(known.map(|(_, _, pooler)| pooler).collect())
    }
}

fn named(mode: &str, file: &Path) -> Result<Pooler> {
    let known = MODES.into_iter().find(|(flag, name, _)| mode == *name || mode == *flag);
    known.map(|(_, _, pooler)| pooler).ok_or_else(|| unknown(mode, file))
}

fn unknown(mode: &str, file: &Path) -> Error {
    let known = MODES.map(|(_, name, _)| name).join(", ");
    unsupported(file, format!("the pooling `{mode}` is not supported ({known} are)"))
}

/// The pooler that is equal to the weighted mean of layers in `folder` followed by a mean over tokens.
pub(super) fn layer_mean(folder: &Path) -> Result<Pooler> {
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
            Err(unsupported(&file, what.to_owned()))
        }
    }
}
