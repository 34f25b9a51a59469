//! A join as it is kept beside the vectors: the map, and what it was found for.

use std::path::{Path, PathBuf};

use limbeck_data::cache::{Cache, Fingerprint};
use limbeck_data::progress::Progress;
use limbeck_data::{Interrupt, files};
use limbeck_training::checkpoint::{Stored, load, save};
use serde::{Deserialize, Serialize};

use super::Settings;
use super::map::Map;
use crate::error::{Error, Result};

/// The file of a joined cache that holds its [`Join`]: the tensors `matrix` and `offset`, the rest in its metadata.
pub const FILE: &str = "join.safetensors";

/// How several teachers' vectors become one.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    pub settings: Settings,
    /// A cache each.
    pub sources: Vec<Source>,
    pub map: Map,
}

/// Whose vectors a cache holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The width of its vectors.
    pub dimension: usize,
    /// The cache's own fingerprint; none for a cache made elsewhere, which has none.
    pub teacher: Option<Fingerprint>,
}

impl Source {
    fn of(cache: &Cache) -> Self {
        Self { dimension: cache.dimension(), teacher: cache.fingerprint().cloned() }
    }

    /// The same of whatever text.
    fn without_text(&self) -> Self {
        let teacher = self.teacher.clone().map(|fingerprint| Fingerprint { text: String::new(), ..fingerprint });
        Self { teacher, ..*self }
    }

    /// Whether vectors of `other` can stand in the place of this one's, as far as both say what they are.
    fn fits(&self, other: &Self) -> bool {
        let can_tell = self.teacher.is_some() && other.teacher.is_some();
        self.dimension == other.dimension && (!can_tell || self.without_text() == other.without_text())
    }
}

/// What stands beside the tensors.
#[derive(Serialize, Deserialize)]
struct Beside {
    settings: Settings,
    sources: Vec<Source>,
}

impl Join {
    /// Finds how these caches become one; see [`Map`].
    ///
    /// # Errors
    /// Settings that don't fit the caches; caches of other texts, or without any; a cache that can't be read.
    pub fn find(caches: &[Cache], settings: &Settings, progress: &dyn Progress, interrupt: &Interrupt) -> Result<Self> {
        let map = Map::find(caches, settings, progress, interrupt)?;
        Ok(Self { settings: settings.clone(), sources: caches.iter().map(Source::of).collect(), map })
    }

    /// An error where the caches are not of the teachers that this was found for, in their order.
    pub fn check(&self, caches: &[Cache]) -> Result<()> {
        let wrong = |path: &Path, reason| Err(Error::Targets { path: path.to_owned(), reason });
        if caches.len() != self.sources.len() {
            let reason = format!("is of {} teachers, not of {}", self.sources.len(), caches.len());
            return wrong(Path::new(FILE), reason);
        }
        for (index, (cache, source)) in caches.iter().zip(&self.sources).enumerate() {
            if !source.fits(&Source::of(cache)) {
                let reason = format!("is not of the teacher of the join's cache {}", index + 1);
                return wrong(cache.path(), reason);
            }
        }
        Ok(())
    }

    /// Whether this is what [`Join::find`] would find, as far as caches can say: those made elsewhere can't.
    pub fn is_for(&self, caches: &[Cache], settings: &Settings) -> bool {
        let sources: Vec<Source> = caches.iter().map(Source::of).collect();
        self.settings == *settings && self.sources == sources && sources.iter().all(|source| source.teacher.is_some())
    }

    /// Reads the join of a joined cache.
    ///
    /// # Errors
    /// When `folder` has none, or a damaged one.
    pub fn open(folder: &Path) -> Result<Self> {
        let path: PathBuf = folder.join(FILE);
        let wrong = |reason: &str| Error::Targets { path: path.clone(), reason: reason.into() };
        let (tensors, beside) = load::<Beside>(&path)?.ok_or_else(|| wrong("is not there: this is no joined cache"))?;
        let numbers = |name: &str| {
            let tensor = tensors.get(name).and_then(|tensor| tensor.flatten_all().ok()?.to_vec1::<f32>().ok());
            tensor.filter(|numbers| numbers.iter().all(|x| x.is_finite())).ok_or_else(|| wrong("does not hold a join"))
        };
        let map = Map { matrix: numbers("matrix")?, offset: numbers("offset")? };
        let Beside { settings, sources } = beside;
        let total: usize = sources.iter().map(|source| source.dimension).sum();
        let fits = map.dimension() == settings.dimension && map.matrix.len() == settings.dimension * total;
        if fits && total > 0 { Ok(Self { settings, sources, map }) } else { Err(wrong("does not hold a join")) }
    }

    /// Writes the join into the folder of a joined cache.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let total = self.sources.iter().map(|source| source.dimension).sum();
        let matrix = Stored::rows(&self.map.matrix, total);
        let offset = Stored::rows(&self.map.offset, self.map.dimension());
        let beside = Beside { settings: self.settings.clone(), sources: self.sources.clone() };
        Ok(save(&folder.join(FILE), &[("matrix".to_owned(), matrix), ("offset".to_owned(), offset)], &beside)?)
    }

    /// A hash of all that the joined vectors depend on but for the texts.
    pub(super) fn hash(&self) -> String {
        let sources: Vec<Source> = self.sources.iter().map(Source::without_text).collect();
        let sources = serde_json::to_vec(&sources).unwrap_or_default();
        let numbers: Vec<f32> = self.map.matrix.iter().chain(&self.map.offset).copied().collect();
        files::sha256_bytes(&[sources.as_slice(), bytemuck::cast_slice(&numbers)].concat())
    }
}

/// A hash of the caches' texts: of what ours say of them, and of the length and the first texts of those made elsewhere.
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
