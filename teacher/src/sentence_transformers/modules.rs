//! `modules.json`: the modules that a text goes through.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::pooling::{self, PoolingModule};
use super::{layers, unsupported};
use crate::head::{Head, HeadLayer};
use crate::model_files::parse_if_there;
use crate::{Pooler, Result};

/// What `modules.json` and the modules' folders say.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    /// The folder of the transformer itself.
    pub transformer: PathBuf,
    /// The first pooler, if a pooling is named.
    pub pooler: Option<Pooler>,
    /// What follows the first pooler, but for a normalisation at the end.
    pub head: Head,
    /// The folder of the dense layer of the pooler `cls`, if the head begins with it; it is among the head's layers
    /// too.
    pub cls_dense: Option<PathBuf>,
    /// Whether the list ends with a normalisation.
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
    /// Reads the list in `folder`. A folder without a list is the transformer itself.
    ///
    /// # Errors
    /// A module or a setting that isn't supported; a file that is missing or broken.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut found = Self { transformer: folder.to_owned(), ..Self::default() };
        let list = folder.join("modules.json");
        let Some(modules) = parse_if_there::<Vec<Module>>(&list)? else { return Ok(found) };
        let mut layer_mean = None;
        for module in modules {
            let place = folder.join(&module.path);
            match module.r#type.rsplit('.').next().unwrap_or_default() {
                "Transformer" => found.transformer = place,
                "WeightedLayerPooling" if found.pooler.is_none() => layer_mean = Some(pooling::layer_mean(&place)?),
                "Pooling" if found.pooler.is_none() => found.add_pooling(PoolingModule::read(&place)?, layer_mean)?,
                "Dropout" => {}
                other if found.pooler.is_none() && ["Dense", "LayerNorm", "Normalize"].contains(&other) => {
                    let what = format!("the module `{other}` stands before the pooling, over token vectors");
                    return Err(unsupported(&list, what + "; that is not supported"));
                }
                "Dense" => found.add_dense(&place)?,
                "LayerNorm" => found.head.layers.push(HeadLayer::LayerNorm(layers::layer_norm(&place)?)),
                "Normalize" => found.head.layers.push(HeadLayer::Normalise),
                other => {
                    let known = "Transformer, WeightedLayerPooling, Pooling, Dense, LayerNorm and Normalize are";
                    return Err(unsupported(&list, format!("the module `{other}` is not supported ({known})")));
                }
            }
        }
        // Vectors are always of unit length here, so a normalisation at the end changes nothing.
        while found.head.layers.pop_if(|layer| *layer == HeadLayer::Normalise).is_some() {
            found.normalized = true;
        }
        Ok(found)
    }

    fn add_pooling(&mut self, pooling: PoolingModule, layer_mean: Option<Pooler>) -> Result<()> {
        let mut poolers = pooling.poolers;
        match (layer_mean, &poolers[..]) {
            (None, _) => {}
            (Some(mean), [Pooler::Mean]) => poolers = vec![mean],
            (Some(_), _) => {
                let what = "a mean of layers is only supported before a mean of tokens".to_owned();
                return Err(unsupported(&pooling.file, what));
            }
        }
        self.head.also = poolers.split_off(1);
        self.pooler = poolers.pop();
        self.prompt_left_out = (!pooling.include_prompt).then_some(pooling.file);
        Ok(())
    }

    fn add_dense(&mut self, place: &Path) -> Result<()> {
        let dense = layers::dense(place)?;
        let is_first = self.head.is_empty() && self.pooler == Some(Pooler::ClsBeforePooler);
        self.cls_dense = self.cls_dense.take().or((is_first && layers::is_cls(&dense)).then(|| place.to_owned()));
        self.head.layers.push(HeadLayer::Dense(dense));
        Ok(())
    }
}
