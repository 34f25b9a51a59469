//! A join: the map of the vectors and what it was computed for, kept in a file beside the joined cache.

use std::path::Path;

use limbeck_data::cache::{Cache, Fingerprint};
use limbeck_data::{Monitor, files};
use limbeck_training::checkpoint::{Stored, load, save};
use serde::{Deserialize, Serialize};

use super::Settings;
use super::map::JoinMap;
use crate::error::{Error, Result};

/// The file of a joined cache that holds its [`Join`]: the tensors `matrix` and `offset`, and the rest as metadata.
pub const FILE: &str = "join.safetensors";

/// How several teachers' vectors become one. Serialised without the map, this is the metadata of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Join {
    /// Weights, centre and width.
    pub settings: Settings,
    /// The teachers, in the order of their caches.
    pub sources: Vec<JoinSource>,
    /// From the teachers' vectors to the joined vector.
    #[serde(skip)]
    pub map: JoinMap,
}

/// The teacher of a cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinSource {
    /// The width of the vectors.
    pub dimension: usize,
    /// The cache's fingerprint; `None` for a cache that another program made.
    pub teacher: Option<Fingerprint>,
}

impl JoinSource {
    fn of(cache: &Cache) -> Self {
        Self { dimension: cache.dimension(), teacher: cache.fingerprint().cloned() }
    }

    /// The same teacher for any text.
    fn without_text(&self) -> Self {
        let teacher = self.teacher.clone().map(|fingerprint| Fingerprint { text: String::new(), ..fingerprint });
        Self { teacher, ..*self }
    }

    /// Whether `other` is the same teacher. A cache without a fingerprint fits if its width does.
    fn fits(&self, other: &Self) -> bool {
        let can_tell = self.teacher.is_some() && other.teacher.is_some();
        self.dimension == other.dimension && (!can_tell || self.without_text() == other.without_text())
    }
}

impl Join {
    /// Computes the join of these caches; see [`JoinMap`].
    ///
    /// # Errors
    /// Settings that don't fit the caches; caches of different texts, or without any; a cache that can't be read.
    pub fn find(caches: &[Cache], settings: &Settings, monitor: Monitor) -> Result<Self> {
        let map = JoinMap::find(caches, settings, monitor)?;
        Ok(Self { settings: settings.clone(), sources: caches.iter().map(JoinSource::of).collect(), map })
    }

    /// Refuses caches of other teachers than this join was computed for, or in another order.
    pub fn check(&self, caches: &[Cache]) -> Result<()> {
        if caches.len() != self.sources.len() {
            let reason = format!("is of {} teachers, not of {}", self.sources.len(), caches.len());
            return Err(Error::targets(Path::new(FILE), reason));
        }
        for (index, (cache, source)) in caches.iter().zip(&self.sources).enumerate() {
            if !source.fits(&JoinSource::of(cache)) {
                let reason = format!("is not of the teacher of the join's cache {}", index + 1);
                return Err(Error::targets(cache.path(), reason));
            }
        }
        Ok(())
    }

    /// Whether [`Join::find`] would give the same join. `false` where a cache has no fingerprint to tell by.
    pub fn is_for(&self, caches: &[Cache], settings: &Settings) -> bool {
        let sources: Vec<JoinSource> = caches.iter().map(JoinSource::of).collect();
        self.settings == *settings && self.sources == sources && sources.iter().all(|source| source.teacher.is_some())
    }

    /// Reads the join of a joined cache.
    ///
    /// # Errors
    /// A folder without a join, or with a damaged one.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let wrong = |reason: &str| Error::targets(&path, reason);
        let loaded = load::<Self>(&path)?;
        let (tensors, join) = loaded.ok_or_else(|| wrong("is not there: this is no joined cache"))?;
        let values = |name: &str| {
            let tensor = tensors.get(name).and_then(|tensor| tensor.flatten_all().ok()?.to_vec1::<f32>().ok());
            tensor.filter(|values| values.iter().all(|x| x.is_finite())).ok_or_else(|| wrong("does not hold a join"))
        };
        let map = JoinMap { matrix: values("matrix")?, offset: values("offset")? };
        let (dimension, total) = (join.settings.dimension, join.total());
        let fits = map.dimension() == dimension && map.matrix.len() == dimension * total && total > 0;
        if fits { Ok(Self { map, ..join }) } else { Err(wrong("does not hold a join")) }
    }

    /// The teachers' widths together.
    fn total(&self) -> usize {
        self.sources.iter().map(|source| source.dimension).sum()
    }

    /// Writes the join into the folder of a joined cache.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let matrix = Stored::rows(&self.map.matrix, self.total());
        let offset = Stored::rows(&self.map.offset, self.map.dimension());
        Ok(save(&folder.join(FILE), &[("matrix".to_owned(), matrix), ("offset".to_owned(), offset)], self)?)
    }

    /// A hash of everything that the joined vectors depend on, apart from the texts.
    pub(super) fn hash(&self) -> String {
        let sources: Vec<JoinSource> = self.sources.iter().map(JoinSource::without_text).collect();
        let sources = serde_json::to_vec(&sources).unwrap_or_default();
        let map: Vec<f32> = self.map.matrix.iter().chain(&self.map.offset).copied().collect();
        files::sha256_bytes(&[sources.as_slice(), bytemuck::cast_slice(&map)].concat())
    }
}

/// A hash of the caches' texts, by their fingerprints. A cache without a fingerprint counts with its length and its
/// first shard's texts.
pub(super) fn hash_of_texts(caches: &[Cache]) -> Result<String> {
    let mut all = String::new();
    for cache in caches {
        all += &match cache.fingerprint() {
            Some(fingerprint) => fingerprint.text.clone(),
            None => {
                let first = cache.read(0)?.texts;
                files::sha256_bytes(format!("{} {first:?}", cache.rows()).as_bytes())
            }
        };
        all.push('\n');
    }
    Ok(files::sha256_bytes(all.as_bytes()))
}
