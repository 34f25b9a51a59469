//! Several teachers' caches of the same texts as one: targets on which more than one teacher has its say.
//!
//! ```text
//! cache of one teacher     ──┐ vectors z side by side        ┌─ unit vectors Mz - o, rows as they were
//! cache of another teacher ──┴──► moments of a sample ──► Join ──► the joined cache
//! ```

mod rows;
#[cfg(test)]
mod tests;

use std::path::Path;

use limbeck_data::cache::{Cache, CacheSpec, CacheWriter, Fingerprint, Precision, SHARD_ROWS};
use limbeck_data::progress::Progress;
use limbeck_data::{Interrupt, files};
use limbeck_encoder::Tokenizer;
use limbeck_training::checkpoint::{Stored, load, save};
use nalgebra::{DMatrix, SVD};
use serde::{Deserialize, Serialize};

use self::rows::Rows;
use crate::error::{Error, Result};
use crate::start::{principal_directions, scatter};
use crate::unit::to_unit;

/// The file of a joined cache that holds its [`Join`].
pub const FILE: &str = "join.safetensors";

/// Of so many rows at most the moments are taken, evenly from all of the text.
const SAMPLE: u64 = 1 << 17;

/// How much each teacher says, and in how many numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What each teacher's cosine counts; one a cache, above 0.
    pub weights: Vec<f64>,
    /// The share of its mean vector that is taken from each vector, from 0 to 1.
    pub centre: f64,
    /// The width of the joined vectors: at most all teachers' widths together.
    pub dimension: usize,
}

/// The linear map from the vectors of several teachers, side by side, to one vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// `dimension × total`
    map: Vec<f32>,
    /// `dimension` numbers, taken away after the map.
    offset: Vec<f32>,
}

/// What stands beside the map in its file.
#[derive(Serialize, Deserialize)]
struct Shape {
    dimension: usize,
}

/// What to join, and where to.
pub struct JoinJob<'a> {
    /// Caches of the same texts in the same order; the first one's tokenizer is the joined cache's.
    pub caches: &'a [Cache],
    /// The map.
    pub join: &'a Join,
    /// How the vectors are stored.
    pub storage: Precision,
    /// The folder of the joined cache.
    pub folder: &'a Path,
    pub progress: &'a dyn Progress,
    pub interrupt: &'a Interrupt,
}

/// What a job made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinSummary {
    pub rows: u64,
    /// Whether the vectors of the first cache's tokens could be joined too.
    pub tokens: bool,
}

impl Join {
    /// Finds the map for these caches.
    ///
    /// With `z` a text's unit vectors side by side, `c` the share of their means, and `W` the square roots of the weights, the dot
    /// product of two `W(z - c)` is the weighted sum of the teachers' (partly centred) cosines. Of these the first `dimension` principal
    /// directions about the origin keep most (Eckart and Young 1936). Where they are as many as the first teacher has numbers, they are
    /// turned so that the vectors come as near to that teacher's as a rotation can bring them (orthogonal Procrustes, Schönemann 1966):
    /// no dot product changes by it.
    ///
    /// # Errors
    /// Settings that don't fit the caches; caches of other texts; a cache that can't be read.
    pub fn find(caches: &[Cache], settings: &Settings, progress: &dyn Progress, interrupt: &Interrupt) -> Result<Self> {
        let widths: Vec<usize> = caches.iter().map(Cache::dimension).collect();
        let total: usize = widths.iter().sum();
        settings.check(&widths)?;
        let mut rows = Rows::new(caches)?;
        let stride = rows.total().div_ceil(SAMPLE).max(1) as usize;
        let (mut sums, mut moments, mut count) = (vec![0f64; total], vec![0f64; total * total], 0f64);
        let bar = progress.stage("the teachers' moments", Some(rows.total()), "sentences");
        while let Some(chunk) = rows.next(SHARD_ROWS)? {
            interrupt.check()?;
            let sample: Vec<f32> = chunk.vectors.chunks_exact(total).step_by(stride).flatten().copied().collect();
            for row in sample.chunks_exact(total) {
                sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
                count += 1.0;
            }
            moments.iter_mut().zip(scatter(&sample, total)).for_each(|(moment, x)| *moment += x);
            bar.add(chunk.texts.len() as u64);
        }
        drop(bar);

        let sums = nalgebra::DVector::from_vec(sums);
        let moments = DMatrix::from_row_slice(total, total, &moments);
        let centre = &sums * (settings.centre / count);
        let scales = widths.iter().zip(&settings.weights).flat_map(|(&width, weight)| vec![weight.sqrt(); width]);
        let scales = nalgebra::DVector::from_iterator(total, scales);
        // Of z - c with itself, and with the first teacher's own vectors.
        let central =
            &moments - &sums * centre.transpose() - &centre * sums.transpose() + &centre * centre.transpose() * count;
        let weighted = DMatrix::from_fn(total, total, |i, j| scales[i] * scales[j] * central[(i, j)]);
        let weighted: Vec<f64> = weighted.transpose().as_slice().to_vec();
        let directions = principal_directions(&weighted, total, settings.dimension)?;
        let mut directions = DMatrix::from_row_slice(settings.dimension, total, &directions).cast::<f64>();
        if settings.dimension == widths[0] {
            let with_first = moments.columns(0, widths[0]) - &centre * sums.rows(0, widths[0]).transpose();
            let with_first = DMatrix::from_fn(total, widths[0], |i, j| scales[i] * with_first[(i, j)]);
            let svd = SVD::new(&directions * with_first, true, true);
            if let (Some(u), Some(v)) = (svd.u, svd.v_t) {
                directions = (u * v).transpose() * directions;
            }
        }
        let map = DMatrix::from_fn(settings.dimension, total, |i, j| directions[(i, j)] * scales[j]);
        let offset = &map * &centre;
        Ok(Self {
            map: map.transpose().iter().map(|&x| x as f32).collect(),
            offset: offset.iter().map(|&x| x as f32).collect(),
        })
    }

    /// The width of the joined vectors.
    pub fn dimension(&self) -> usize {
        self.offset.len()
    }

    /// The width of the vectors that it joins, together.
    pub fn total(&self) -> usize {
        self.map.len() / self.dimension().max(1)
    }

    /// The joined unit vectors, `n × dimension`, of vectors side by side, `n × total`.
    pub fn apply(&self, rows: &[f32]) -> Vec<f32> {
        let (dimension, total) = (self.dimension(), self.total());
        let rows = ndarray::ArrayView2::from_shape((rows.len() / total.max(1), total), rows);
        let map = ndarray::ArrayView2::from_shape((dimension, total), &self.map);
        let (Ok(rows), Ok(map)) = (rows, map) else { return Vec::new() };
        let mut joined: Vec<f32> = rows.dot(&map.t()).iter().copied().collect();
        for row in joined.chunks_exact_mut(dimension) {
            row.iter_mut().zip(&self.offset).for_each(|(x, offset)| *x -= offset);
            to_unit(row);
        }
        joined
    }

    /// Reads the map of a joined cache.
    ///
    /// # Errors
    /// When `folder` has none, or a damaged one.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let wrong = |reason: &str| Error::Targets { path: path.clone(), reason: reason.into() };
        let (tensors, shape) = load::<Shape>(&path)?.ok_or_else(|| wrong("is not there: this is no joined cache"))?;
        let numbers = |name: &str| {
            let tensor = tensors.get(name).and_then(|tensor| tensor.flatten_all().ok()?.to_vec1::<f32>().ok());
            tensor.filter(|numbers| numbers.iter().all(|x| x.is_finite())).ok_or_else(|| wrong("does not hold a join"))
        };
        let (map, offset) = (numbers("map")?, numbers("offset")?);
        let fits = offset.len() == shape.dimension && !offset.is_empty() && map.len().is_multiple_of(offset.len());
        if fits { Ok(Self { map, offset }) } else { Err(wrong("does not hold a join")) }
    }

    /// Writes the map into the folder of a joined cache.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let map = Stored::rows(&self.map, self.total());
        let offset = Stored::rows(&self.offset, self.dimension());
        let tensors = [("map".to_owned(), map), ("offset".to_owned(), offset)];
        Ok(save(&folder.join(FILE), &tensors, &Shape { dimension: self.dimension() })?)
    }

    /// A hash of all that the joined vectors depend on beside the caches.
    fn hash(&self) -> String {
        files::sha256_bytes(bytemuck::cast_slice(&[self.map.as_slice(), &self.offset].concat()))
    }
}

impl Settings {
    fn check(&self, widths: &[usize]) -> Result<()> {
        let wrong = |name, value: String, allowed: String| Err(Error::Setting { name, value, allowed });
        if widths.len() < 2 || self.weights.len() != widths.len() {
            let value = format!("{:?} for {} caches", self.weights, widths.len());
            return wrong("weights", value, "one a cache, of at least two caches".into());
        }
        if let Some(weight) = self.weights.iter().find(|weight| !(weight.is_finite() && **weight > 0.0)) {
            return wrong("weights", weight.to_string(), "above 0".into());
        }
        if !(0.0..=1.0).contains(&self.centre) {
            return wrong("centre", self.centre.to_string(), "from 0 to 1".into());
        }
        let total: usize = widths.iter().sum();
        if !(1..=total).contains(&self.dimension) {
            return wrong("dimension", self.dimension.to_string(), format!("from 1 to {total}, all widths together"));
        }
        Ok(())
    }
}

/// Writes the joined cache, its map beside it. What an earlier run of the same job wrote is kept.
///
/// # Errors
/// Caches of other texts or widths; a cache that can't be read; a folder with another cache, or that can't be written.
pub fn join(job: &JoinJob) -> Result<JoinSummary> {
    let mut rows = Rows::new(job.caches)?;
    let total: usize = job.caches.iter().map(Cache::dimension).sum();
    if job.join.total() != total {
        let (path, expected) = (job.caches[0].path().to_owned(), job.join.total());
        let reason =
            format!("its vectors and the other caches' have {total} numbers together, the join takes {expected}");
        return Err(Error::Targets { path, reason });
    }
    let first = job.caches[0].fingerprint().cloned().unwrap_or_default();
    let fingerprint = Fingerprint {
        teacher: job.join.hash(),
        tokenizer: first.tokenizer,
        text: first.text,
        pooling: "joined".into(),
        ..Fingerprint::default()
    };
    let mut writer = CacheWriter::open(job.folder, CacheSpec::new(job.join.dimension(), job.storage, fingerprint))?;
    writer.rejected().iter().for_each(|line| job.progress.note(line));
    job.join.save(job.folder)?;
    let tokens = join_tokens(job, &mut writer)?;
    let bar = job.progress.stage("join", Some(rows.total()), "sentences");
    let mut shard = 0;
    while let Some(chunk) = rows.next(SHARD_ROWS)? {
        job.interrupt.check()?;
        if !writer.is_done(shard, &chunk.texts) {
            writer.write(shard, &chunk.texts, &job.join.apply(&chunk.vectors))?;
        }
        shard += 1;
        bar.add(chunk.texts.len() as u64);
    }
    writer.finish(rows.total())?;
    Ok(JoinSummary { rows: rows.total(), tokens })
}

/// Joins the vectors of the first cache's tokens, where every cache has them. A student can start from them.
fn join_tokens(job: &JoinJob, writer: &mut CacheWriter) -> Result<bool> {
    if writer.has_tokens() {
        return Ok(true);
    }
    let Some(path) = job.caches[0].tokenizer() else { return Ok(false) };
    let tokenizer = Tokenizer::from_file(&path)?;
    let json = tokenizer.json();
    let mut texts = Vec::new();
    let mut parts = Vec::new();
    for (index, cache) in job.caches.iter().enumerate() {
        let own = index == 0 || cache.tokenizer().is_some_and(|path| std::fs::read(path).is_ok_and(|own| own == json));
        let found = if own { cache.tokens()? } else { cache.student_tokens(json)? };
        let Some(found) = found.filter(|found| index == 0 || found.texts == texts) else { return Ok(false) };
        texts = found.texts;
        parts.push((found.embeddings, cache.dimension()));
    }
    let vectors = job.join.apply(&rows::side_by_side(&parts));
    writer.write_tokens(json, &texts, &vectors)?;
    Ok(true)
}
