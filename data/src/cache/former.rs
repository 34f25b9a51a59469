//! [`FormerVectors`]: the vectors of the text that a cache held before its present one.
//!
//! A former shard keeps its bytes and moves from `shard-00042.parquet` to `former-HASH.parquet`, so that the shard of
//! the present text can take its place. The index lists it until the writer has finished.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::hash::BuildHasherDefault;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::columns::{Columns, Decoder};
use super::error::CacheError;
use super::index::{Index, ShardEntry, damage};
use super::parquet_in;
use super::shard::Shard;
use crate::files;
use crate::parquet_file::batches;
use crate::text::{IdentityHasher, hash};
use crate::{Error, Result};

/// The characters of a hash in the name of a former shard.
const HASH_CHARACTERS: usize = 16;

/// `former-HASH.parquet`, by the sha256 of the shard's file.
pub(super) fn former_name(entry: &ShardEntry) -> String {
    format!("former-{}.parquet", entry.sha256.get(..HASH_CHARACTERS).unwrap_or_default())
}

fn is_former_name(name: &str) -> bool {
    let hash = name.strip_prefix("former-").and_then(|rest| rest.strip_suffix(".parquet"));
    hash.is_some_and(|hash| hash.len() == HASH_CHARACTERS && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Where the file of a former shard lies: under its former name, or in its old place if it was not moved yet.
pub(super) fn former_path(folder: &Path, entry: &ShardEntry) -> PathBuf {
    let moved = folder.join(former_name(entry));
    if moved.is_file() { moved } else { folder.join(&entry.file) }
}

/// Moves the files of former shards out of the places that the present shards take, and those of `shards` back to
/// theirs. Can be killed between any two moves and called again. Drops former shards whose files are gone or changed,
/// and returns a line for each. Removes files of former shards that aren't listed any more.
pub(super) fn settle(
    folder: &Path,
    former: &mut Vec<ShardEntry>,
    shards: &BTreeMap<usize, ShardEntry>,
) -> Result<Vec<String>> {
    let mut rejected = Vec::new();
    let mut whole = Vec::with_capacity(former.len());
    for entry in former.drain(..) {
        let (path, moved) = (former_path(folder, &entry), folder.join(former_name(&entry)));
        if let Some(why) = damage(&path, &entry.sha256)? {
            rejected.push(format!("{} {why}: its texts are embedded again", path.display()));
            continue;
        }
        if path != moved {
            fs::rename(&path, &moved).map_err(Error::io("rename", &path))?;
        }
        whole.push(entry);
    }
    *former = whole;
    for entry in shards.values() {
        let (moved, place) = (folder.join(former_name(entry)), folder.join(&entry.file));
        if moved.is_file() && damage(&place, &entry.sha256)?.is_some() {
            fs::rename(&moved, &place).map_err(Error::io("rename", &moved))?;
        }
    }
    files::sync_folder(folder)?;
    let listed: HashSet<String> = former.iter().map(former_name).collect();
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let entry = entry.map_err(Error::io("list", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_former_name(&name) && !listed.contains(&name) {
            files::remove(&entry.path())?;
        }
    }
    Ok(rejected)
}

/// The texts of a shard's file, without its vectors.
pub(super) fn read_texts(path: &Path) -> Result<Vec<String>> {
    let (file, metadata) = parquet_in::open(path)?;
    let column = Columns::default().find(metadata.schema(), path)?.text;
    let mask = ProjectionMask::roots(metadata.parquet_schema(), [column]);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_projection(mask);
    let mut texts = Vec::new();
    let decoded = batches(builder, path, |batch| {
        let column = cast(batch.column(0), &DataType::Utf8)?;
        Ok(column.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect::<Vec<_>>())
    })?;
    for batch in decoded {
        texts.extend(batch?);
    }
    Ok(texts)
}

/// The place of a former text: which shard, and which row of it.
#[derive(Debug, Clone, Copy)]
struct FormerPlace {
    shard: u32,
    row: u32,
}

type Places = HashMap<u64, FormerPlace, BuildHasherDefault<IdentityHasher>>;

/// Looks up vectors of the text that a cache held before. The former texts are read when the first is asked for; in
/// memory lie 16 bytes for each.
pub struct FormerVectors {
    folder: PathBuf,
    dimension: usize,
    shards: Vec<ShardEntry>,
    /// By the hash of the text; of equal hashes the first.
    places: Option<Places>,
}

/// The vectors of a shard's texts that are known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KnownVectors {
    /// For each text the start of its vector, if it is known.
    starts: Vec<Option<usize>>,
    values: Vec<f32>,
    dimension: usize,
}

impl FormerVectors {
    pub(super) fn new(folder: &Path, index: &Index) -> Self {
        let (folder, dimension, shards) = (folder.to_owned(), index.dimension, index.former.clone());
        Self { folder, dimension, shards, places: None }
    }

    /// The vectors of those of `texts` that the cache held before, exactly as they were stored.
    ///
    /// # Errors
    /// A former shard can't be read.
    pub fn find(&mut self, texts: &[String]) -> Result<KnownVectors> {
        let mut known = KnownVectors { starts: vec![None; texts.len()], values: Vec::new(), dimension: self.dimension };
        if self.shards.is_empty() {
            return Ok(known);
        }
        let places = match self.places.take() {
            Some(places) => places,
            None => self.read_places()?,
        };
        let mut wanted: BTreeMap<u32, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, text) in texts.iter().enumerate() {
            if let Some(place) = places.get(&hash(text)) {
                wanted.entry(place.shard).or_default().push((at, place.row as usize));
            }
        }
        self.places = Some(places);
        for (shard, rows) in wanted {
            let first = rows.iter().map(|&(_, row)| row).min().unwrap_or_default();
            let last = rows.iter().map(|&(_, row)| row).max().unwrap_or_default();
            let read = self.read(&self.shards[shard as usize], first..last + 1)?;
            for (at, row) in rows {
                let row = row - first;
                // Two texts may have one hash.
                if read.texts[row] == texts[at] {
                    known.starts[at] = Some(known.values.len());
                    let vector = &read.embeddings[row * self.dimension..(row + 1) * self.dimension];
                    known.values.extend_from_slice(vector);
                }
            }
        }
        Ok(known)
    }

    fn read_places(&self) -> Result<Places> {
        let mut places = Places::default();
        for (shard, entry) in self.shards.iter().enumerate() {
            for (row, text) in read_texts(&former_path(&self.folder, entry))?.iter().enumerate() {
                places.entry(hash(text)).or_insert(FormerPlace { shard: shard as u32, row: row as u32 });
            }
        }
        Ok(places)
    }

    fn read(&self, entry: &ShardEntry, rows: Range<usize>) -> Result<Shard> {
        let path = former_path(&self.folder, entry);
        let (file, metadata) = parquet_in::open(&path)?;
        let columns = Columns::default().find(metadata.schema(), &path)?;
        let select =
            |builder: ParquetRecordBatchReaderBuilder<_>| builder.with_offset(rows.start).with_limit(rows.len());
        let mut reader = parquet_in::reader(file, metadata, columns, &path, select)?;
        let decoder = Decoder { path: &path, columns, dimension: self.dimension, row: rows.start as u64 };
        let read = parquet_in::read_shard(&mut reader, decoder, rows.len(), 0)?;
        match read.rows() == rows.len() {
            true => Ok(read),
            false => Err(CacheError::Damaged { path }.into()),
        }
    }
}

impl KnownVectors {
    /// How many texts have a known vector.
    pub fn len(&self) -> usize {
        self.values.len() / self.dimension.max(1)
    }

    /// Whether no vector is known.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The rows whose vectors aren't known.
    pub fn unknown_rows(&self) -> Vec<usize> {
        self.starts.iter().enumerate().filter(|(_, start)| start.is_none()).map(|(row, _)| row).collect()
    }

    /// The vectors of all texts; `new` holds those of [`KnownVectors::unknown_rows`], in their order.
    pub fn merged(&self, new: &[f32]) -> Vec<f32> {
        let mut new = new.chunks_exact(self.dimension);
        let mut all = Vec::with_capacity(self.starts.len() * self.dimension);
        for start in &self.starts {
            match start {
                Some(start) => all.extend_from_slice(&self.values[*start..start + self.dimension]),
                // A vector too few is refused when the shard is written.
                None => all.extend_from_slice(new.next().unwrap_or_default()),
            }
        }
        all
    }
}
