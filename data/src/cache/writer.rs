//! [`CacheWriter`]: fills a cache, and can be killed at any moment.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::{CacheError, CacheResult};
use super::format::{SHARD_ROWS, TOKENIZER_FILE, TOKENS_FILE, hash_texts, shard_name, student_tokens_file};
use super::former::{self, FormerVectors, former_name};
use super::index::{FileEntry, Fingerprint, Index, ShardEntry, VERSION, damage, indexes, lock, owns, shard_number};
use super::parquet_out::{self, CacheRows};
use crate::files::{self, FolderLock, write_hashed};
use crate::{Error, Result, VectorType};

/// The settings of a cache.
#[derive(Debug, Clone)]
pub struct CacheSpec {
    /// The width of the vectors.
    pub dimension: usize,
    /// The number type in which they are stored, f16 or f32.
    pub storage: VectorType,
    /// What they depend on.
    pub fingerprint: Fingerprint,
    /// Rows of a full shard; tests choose fewer than [`SHARD_ROWS`].
    pub shard_rows: usize,
    /// `(I, N)`: write only shards k with k % N == I, and an index of their own. So N machines fill one cache.
    pub part: Option<(u32, u32)>,
    /// Whether the part has a text of its own, such as some of many files, instead of each Nth shard of one text. Its
    /// k-th shard then has the number k × N + I.
    pub own_text: bool,
}

impl CacheSpec {
    /// A whole cache in shards of [`SHARD_ROWS`] rows.
    pub fn new(dimension: usize, storage: VectorType, fingerprint: Fingerprint) -> Self {
        Self { dimension, storage, fingerprint, shard_rows: SHARD_ROWS, part: None, own_text: false }
    }

    /// The index of such a cache before its first shard.
    pub(super) fn index(self) -> Index {
        let Self { dimension, storage, fingerprint, shard_rows, part, own_text } = self;
        Index { version: VERSION, dimension, storage, shard_rows, part, own_text, fingerprint, ..Index::default() }
    }
}

/// Writes the shards of a cache, in any order.
///
/// A shard is written under a temporary name, synced, renamed and then listed in the index, which is replaced in the
/// same way. A job that is killed at any moment and started again ends with the same bytes. If the writer is dropped
/// without [`CacheWriter::finish`], the listed shards stay.
pub struct CacheWriter {
    folder: PathBuf,
    index: Index,
    done: DoneShards,
    rejected: Vec<String>,
    _lock: FolderLock,
}

impl CacheWriter {
    /// Opens the cache in `folder`, which is created if it is missing, and continues the work of an earlier writer.
    ///
    /// A listed file that is gone or changed is dropped from the index; [`CacheWriter::rejected`] names it. Shards that
    /// another part's index lists count as done.
    ///
    /// # Errors
    /// Settings are out of range; the folder holds a cache with another fingerprint, width, storage or shard size;
    /// another process is writing this part.
    pub fn open(folder: &Path, spec: CacheSpec) -> Result<Self> {
        check(&spec, folder)?;
        fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        let part = spec.part;
        let mut index = spec.index();
        let lock = lock(folder, &index)?;
        files::remove_leftovers(folder)?;

        let mut earlier = indexes(folder)?;
        // An index without shards, of other settings, comes from a job that failed at its start: it is replaced.
        let own = folder.join(index.file_name());
        earlier.retain(|path, other| {
            *path != own
                || !other.shards.is_empty()
                || !other.former.is_empty()
                || other.check_against(&index, path).is_ok()
        });
        for (path, other) in &earlier {
            other.check_against(&index, path)?;
        }
        let mut shards = BTreeMap::new();
        for other in earlier.values() {
            let ours = other.shards.iter().filter(|entry| owns(part, entry.shard));
            shards.extend(ours.map(|entry| (entry.shard, entry.clone())));
            index.tokenizer = index.tokenizer.take().or_else(|| other.tokenizer.clone());
            index.tokens = index.tokens.take().or_else(|| other.tokens.clone());
            let new = other.student_tokens.iter().filter(|entry| !index.student_tokens.contains(entry));
            let new: Vec<FileEntry> = new.cloned().collect();
            index.student_tokens.extend(new);
        }
        if let Some(own) = earlier.remove(&own) {
            index.rows = own.rows;
            index.former = own.former;
        }
        let done = DoneShards { part, own_part: index.own_part(), shards };
        let mut writer = Self { folder: folder.to_owned(), index, done, rejected: Vec::new(), _lock: lock };
        writer.verify()?;
        Ok(writer)
    }

    /// Drops listed files that are gone or changed. The index is saved only if a file was dropped.
    fn verify(&mut self) -> Result<()> {
        let former = self.index.former.len();
        self.rejected = former::settle(&self.folder, &mut self.index.former, &self.done.shards)?;
        let beside =
            [&self.index.tokenizer, &self.index.tokens].into_iter().flatten().chain(&self.index.student_tokens);
        let shards = self.done.shards.values().map(|entry| (&entry.file, &entry.sha256));
        let mut bad = HashSet::new();
        for (file, sha256) in shards.chain(beside.map(|entry| (&entry.file, &entry.sha256))) {
            let path = self.folder.join(file);
            let Some(why) = damage(&path, sha256)? else { continue };
            self.rejected.push(format!("{} {why}: it is made anew", path.display()));
            bad.insert(file.clone());
        }
        if bad.is_empty() && former == self.index.former.len() {
            return Ok(());
        }
        self.done.shards.retain(|_, entry| !bad.contains(&entry.file));
        for slot in [&mut self.index.tokenizer, &mut self.index.tokens] {
            slot.take_if(|entry| bad.contains(&entry.file));
        }
        self.index.student_tokens.retain(|entry| !bad.contains(&entry.file));
        self.index.rows = None;
        self.save()
    }

    /// The listed files that had to be dropped, a line each for the user.
    pub fn rejected(&self) -> &[String] {
        &self.rejected
    }

    /// Whether this part writes shard `shard`.
    pub fn owns(&self, shard: usize) -> bool {
        self.done.owns(shard)
    }

    /// Whether shard `shard` is there and holds these texts.
    pub fn is_done(&self, shard: usize, texts: &[String]) -> bool {
        self.done.contains(shard, texts)
    }

    /// Whether this part has a text of its own.
    pub fn has_own_text(&self) -> bool {
        self.index.own_text
    }

    /// A copy of the list of finished shards, for another thread.
    pub fn done(&self) -> DoneShards {
        self.done.clone()
    }

    /// The vectors of the text that the cache held before, see [`change_text`](super::change_text).
    pub fn former(&self) -> FormerVectors {
        FormerVectors::new(&self.folder, &self.index)
    }

    /// The cache's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes shard `shard`. `embeddings` holds a row of the cache's width for each text; row `i` gets the id
    /// `shard × shard_rows + i`.
    ///
    /// # Errors
    /// The shard belongs to another part; there are no texts, or more than a shard holds; the numbers do not make a row
    /// for each text; a vector, as stored, is zero or not finite; the disk refuses.
    pub fn write(&mut self, shard: usize, texts: &[String], embeddings: &[f32]) -> Result<()> {
        let unwritable = |problem| Err(CacheError::Unwritable { path: self.folder.clone(), problem }.into());
        if !self.owns(shard) {
            return unwritable(format!("shard {shard} belongs to another part"));
        }
        if texts.is_empty() || texts.len() > self.index.shard_rows {
            let (rows, most) = (texts.len(), self.index.shard_rows);
            return unwritable(format!("shard {shard} would have {rows} rows, not 1 to {most}"));
        }
        let file = shard_name(shard);
        let first_id = shard as u64 * self.index.shard_rows as u64;
        let rows = CacheRows { first_id, texts, embeddings, dimension: self.index.dimension };
        let (storage, group_rows) = (self.index.storage, self.index.shard_rows);
        let path = self.folder.join(&file);
        let sha256 = write_hashed(&path, |to| parquet_out::write(to, rows, storage, group_rows, &path))?;
        let entry = ShardEntry { shard, file, rows: texts.len(), sha256, texts: hash_texts(texts) };
        self.done.shards.insert(shard, entry);
        self.index.rows = None;
        self.save()
    }

    /// Whether the cache has the token vectors and the tokenizer.
    pub fn has_tokens(&self) -> bool {
        self.index.tokens.is_some() && self.index.tokenizer.is_some()
    }

    /// Writes the tokenizer's JSON and the teacher's vector of every token, in order of id, with the empty text last.
    pub fn write_tokens(&mut self, tokenizer: &[u8], texts: &[String], embeddings: &[f32]) -> Result<()> {
        let path = self.folder.join(TOKENIZER_FILE);
        let sha256 = write_hashed(&path, |to| to.write_all(tokenizer).map_err(Error::io("write", &path)))?;
        self.index.tokenizer = Some(FileEntry { file: TOKENIZER_FILE.into(), sha256 });
        self.index.tokens = Some(self.write_token_file(TOKENS_FILE.into(), texts, embeddings)?);
        self.save()
    }

    /// Writes token vectors: `id`, `text`, `embedding` in f32.
    fn write_token_file(&self, file: String, texts: &[String], embeddings: &[f32]) -> Result<FileEntry> {
        let path = self.folder.join(&file);
        let rows = CacheRows { first_id: 0, texts, embeddings, dimension: self.index.dimension };
        let sha256 = write_hashed(&path, |to| parquet_out::write(to, rows, VectorType::F32, SHARD_ROWS, &path))?;
        Ok(FileEntry { file, sha256 })
    }

    /// Whether the cache has the vectors of a student's tokens; `tokenizer` is the student's JSON.
    pub fn has_student_tokens(&self, tokenizer: &[u8]) -> bool {
        let file = student_tokens_file(tokenizer);
        self.index.student_tokens.iter().any(|entry| entry.file == file)
    }

    /// Writes the teacher's vectors of a student's tokens, in order of id, with the empty text last; `tokenizer` is the
    /// student's JSON. Files of other vocabularies stay.
    pub fn write_student_tokens(&mut self, tokenizer: &[u8], texts: &[String], embeddings: &[f32]) -> Result<()> {
        let entry = self.write_token_file(student_tokens_file(tokenizer), texts, embeddings)?;
        self.index.student_tokens.retain(|other| other.file != entry.file);
        self.index.student_tokens.push(entry);
        self.index.student_tokens.sort_by(|a, b| a.file.cmp(&b.file));
        self.save()
    }

    /// Records that the text has `rows` rows, counted over all parts or of this part's own text, and unlocks the
    /// folder.
    ///
    /// # Errors
    /// A shard of this part is missing or has too few or too many rows.
    pub fn finish(mut self, rows: u64) -> Result<()> {
        let shard_rows = self.index.shard_rows as u64;
        let shards = self.index.shards_of(rows);
        let end = shards.clone().next_back().map_or(0, |last| last + 1);
        // Shards past the end would come from a longer text with the same fingerprint. None should exist; delete any
        // that do.
        for entry in self.done.shards.split_off(&end).into_values() {
            files::remove(&self.folder.join(entry.file))?;
        }
        let whole = |place: usize, shard: usize| {
            let expected = shard_rows.min(rows - place as u64 * shard_rows);
            self.done.shards.get(&shard).is_some_and(|entry| entry.rows as u64 == expected)
        };
        let lacks = |&(place, shard): &(usize, usize)| self.owns(shard) && !whole(place, shard);
        let missing: Vec<usize> = shards.enumerate().filter(lacks).map(|(_, shard)| shard).collect();
        if let Some(&first) = missing.first() {
            return Err(CacheError::Incomplete { path: self.folder.clone(), missing: missing.len(), first }.into());
        }
        self.index.rows = Some(rows);
        let former = std::mem::take(&mut self.index.former);
        self.save()?;
        former.iter().try_for_each(|entry| files::remove(&self.folder.join(former_name(entry))))
    }

    fn save(&mut self) -> Result<()> {
        self.index.shards = self.done.shards.values().cloned().collect();
        self.index.save(&self.folder)
    }
}

/// The finished shards of a cache, see [`CacheWriter::done`].
#[derive(Debug, Clone)]
pub struct DoneShards {
    part: Option<(u32, u32)>,
    /// The part, where it has a text of its own.
    own_part: Option<(u32, u32)>,
    shards: BTreeMap<usize, ShardEntry>,
}

impl DoneShards {
    /// Whether the writer's part includes shard `shard`.
    pub fn owns(&self, shard: usize) -> bool {
        owns(self.part, shard)
    }

    /// The number of the `place`-th shard of the texts that the writer is given.
    pub fn shard_number(&self, place: usize) -> usize {
        shard_number(self.own_part, place)
    }

    /// Whether shard `shard` is there and holds these texts.
    pub fn contains(&self, shard: usize, texts: &[String]) -> bool {
        self.shards.get(&shard).is_some_and(|entry| entry.rows == texts.len() && entry.texts == hash_texts(texts))
    }

    /// The number of finished shards.
    pub fn len(&self) -> usize {
        self.shards.len()
    }

    /// Whether no shard is finished.
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }
}

/// Refuses settings out of range.
fn check(spec: &CacheSpec, folder: &Path) -> CacheResult<()> {
    let problem = match (spec.dimension, spec.shard_rows, spec.part) {
        (0, ..) => "vectors of no numbers".into(),
        _ if !spec.storage.fits_cache() => format!("vectors are stored as f16 or f32, not as {}", spec.storage),
        (_, 0, _) => "shards of no rows".into(),
        (.., Some((i, n))) if i >= n => format!("part {i} of {n}: parts count from 0"),
        _ => return Ok(()),
    };
    Err(CacheError::Unwritable { path: folder.to_owned(), problem })
}
