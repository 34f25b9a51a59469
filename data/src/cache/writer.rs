//! [`CacheWriter`]: fills a cache so that it can be killed at any moment.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::{CacheError, CacheResult};
use super::index::{FileEntry, Fingerprint, Index, Precision, ShardEntry, hash_texts, indexes, owns, shard_name};
use super::parquet_out::{self, Rows};
use super::tokens::{self, TOKENIZER_FILE, TOKENS_FILE, student_tokens_file};
use crate::files::{self, PendingFile};
use crate::{Error, Result};

/// Rows of a full shard.
pub const SHARD_ROWS: usize = 16_384;

/// What a cache is to hold.
#[derive(Debug, Clone)]
pub struct CacheSpec {
    /// The width of the vectors.
    pub dimension: usize,
    /// How they are stored.
    pub precision: Precision,
    /// What they depend on.
    pub fingerprint: Fingerprint,
    /// Rows of a full shard, [`SHARD_ROWS`] unless there is a reason.
    pub shard_rows: usize,
    /// `(I, N)`: write only shards k with k % N == I, and an index of their own, so that N machines fill one cache.
    pub part: Option<(u32, u32)>,
}

impl CacheSpec {
    /// A whole cache in shards of [`SHARD_ROWS`] rows.
    pub fn new(dimension: usize, precision: Precision, fingerprint: Fingerprint) -> Self {
        Self { dimension, precision, fingerprint, shard_rows: SHARD_ROWS, part: None }
    }
}

/// Writes the shards of a cache, in any order.
///
/// A shard is written beside its place, synced, renamed and only then listed in the index, which is replaced in the same
/// way. Killed at any moment and started again, the folder ends byte for byte the same. Dropped without
/// [`CacheWriter::finish`], what is listed stays.
pub struct CacheWriter {
    folder: PathBuf,
    index: Index,
    done: BTreeMap<usize, ShardEntry>,
    rejected: Vec<String>,
    _lock: Lock,
}

impl CacheWriter {
    /// Opens the cache in `folder`, which is made if need be, and takes up what an earlier writer left there.
    ///
    /// Files listed whose bytes aren't those that were written are dropped from the index and named by
    /// [`CacheWriter::rejected`]. Shards that another part's index lists count as done here too.
    ///
    /// # Errors
    /// Settings out of range; the folder holds a cache with another fingerprint, width, storage or shard size; another
    /// process is writing this part.
    pub fn open(folder: &Path, spec: CacheSpec) -> Result<Self> {
        check(&spec, folder)?;
        fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        let mut index = Index::new(spec.dimension, spec.precision, spec.shard_rows, spec.part, spec.fingerprint);
        let lock = Lock::take(folder, &index.file_name())?;
        files::remove_leftovers(folder)?;

        let mut earlier = indexes(folder)?;
        // Of a run that failed before its first shard nothing is worth keeping.
        let own = folder.join(index.file_name());
        earlier.retain(|path, other| {
            *path != own || !other.shards.is_empty() || other.check_against(&index, path).is_ok()
        });
        for (path, other) in &earlier {
            other.check_against(&index, path)?;
        }
        let mut done = BTreeMap::new();
        for other in earlier.values() {
            let ours = other.shards.iter().filter(|entry| index.owns(entry.shard));
            done.extend(ours.map(|entry| (entry.shard, entry.clone())));
            index.tokenizer = index.tokenizer.take().or_else(|| other.tokenizer.clone());
            index.tokens = index.tokens.take().or_else(|| other.tokens.clone());
            let new = other.student_tokens.iter().filter(|entry| !index.student_tokens.contains(entry));
            let new: Vec<FileEntry> = new.cloned().collect();
            index.student_tokens.extend(new);
        }
        index.rows = earlier.get(&own).and_then(|own| own.rows);
        let mut writer = Self { folder: folder.to_owned(), index, done, rejected: Vec::new(), _lock: lock };
        writer.verify()?;
        Ok(writer)
    }

    /// Drops what is listed and isn't there as it was written; the index is saved anew only if something was.
    fn verify(&mut self) -> Result<()> {
        let mut rejected = Vec::new();
        let mut keep = |file: &str, sha256: &str| -> Result<bool> {
            let path = self.folder.join(file);
            let why = match files::sha256_file(&path) {
                Ok(found) if found == sha256 => return Ok(true),
                Ok(_) => "does not have the sha256 in the index",
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => "is gone",
                Err(error) => return Err(error),
            };
            rejected.push(format!("{} {why}: it is made anew", path.display()));
            Ok(false)
        };
        let mut bad = Vec::new();
        for entry in self.done.values() {
            if !keep(&entry.file, &entry.sha256)? {
                bad.push(entry.shard);
            }
        }
        for slot in [&mut self.index.tokenizer, &mut self.index.tokens] {
            if let Some(entry) = slot.as_ref()
                && !keep(&entry.file, &entry.sha256)?
            {
                *slot = None;
            }
        }
        let mut student_tokens = Vec::new();
        for entry in std::mem::take(&mut self.index.student_tokens) {
            if keep(&entry.file, &entry.sha256)? {
                student_tokens.push(entry);
            }
        }
        self.index.student_tokens = student_tokens;
        for shard in bad {
            self.done.remove(&shard);
        }
        if !rejected.is_empty() {
            self.index.rows = None;
            self.rejected = rejected;
            self.save()?;
        }
        Ok(())
    }

    /// What was listed and had to be dropped, a line each, for the user to read.
    pub fn rejected(&self) -> &[String] {
        &self.rejected
    }

    /// Whether shard `shard` is this part's to write.
    pub fn owns(&self, shard: usize) -> bool {
        self.index.owns(shard)
    }

    /// Whether shard `shard` is there and holds these texts.
    pub fn is_done(&self, shard: usize, texts: &[String]) -> bool {
        self.done.get(&shard).is_some_and(|entry| entry.rows == texts.len() && entry.texts == hash_texts(texts))
    }

    /// A copy of what [`CacheWriter::is_done`] goes by, for another thread.
    pub fn done(&self) -> DoneShards {
        let done = self.done.iter().map(|(&shard, entry)| (shard, (entry.rows, entry.texts.clone())));
        DoneShards { part: self.index.part, done: done.collect() }
    }

    /// The cache's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes shard `shard`: `embeddings` holds a row of the cache's width for each text, row `i` gets the id
    /// `shard × shard_rows + i`.
    ///
    /// # Errors
    /// A shard of another part; more texts than a shard holds, or none; another number of numbers; a vector that isn't
    /// finite, or is zero, as stored; what the disk says.
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
        let rows = Rows { first_id, texts, embeddings, dimension: self.index.dimension };
        let (precision, group_rows) = (self.index.storage, self.index.shard_rows);
        let sha256 = write_hashed(&self.folder.join(&file), |to, path| {
            parquet_out::write(to, rows, precision, group_rows, path)
        })?;
        self.done.insert(shard, ShardEntry { shard, file, rows: texts.len(), sha256, texts: hash_texts(texts) });
        self.index.rows = None;
        self.save()
    }

    /// Whether the token vectors and the tokenizer are there.
    pub fn has_tokens(&self) -> bool {
        self.index.tokens.is_some() && self.index.tokenizer.is_some()
    }

    /// Writes the tokenizer's JSON, and the teacher's vector of every token, in order of id, and of the empty text last.
    pub fn write_tokens(&mut self, tokenizer: &[u8], texts: &[String], embeddings: &[f32]) -> Result<()> {
        let dimension = self.index.dimension;
        let sha256 = write_hashed(&self.folder.join(TOKENIZER_FILE), |to, path| {
            to.write_all(tokenizer).map_err(Error::io("write", path))
        })?;
        self.index.tokenizer = Some(FileEntry { file: TOKENIZER_FILE.into(), sha256 });
        let sha256 = write_hashed(&self.folder.join(TOKENS_FILE), |to, path| {
            tokens::write(to, texts, embeddings, dimension, path)
        })?;
        self.index.tokens = Some(FileEntry { file: TOKENS_FILE.into(), sha256 });
        self.save()
    }

    /// Whether the vectors of this student's tokens are there; `tokenizer` is its JSON.
    pub fn has_student_tokens(&self, tokenizer: &[u8]) -> bool {
        let file = student_tokens_file(tokenizer);
        self.index.student_tokens.iter().any(|entry| entry.file == file)
    }

    /// Writes the teacher's vectors of a student's tokens, in order of id, and of the empty text last; `tokenizer` is the
    /// student's JSON. Those of other vocabularies stay.
    pub fn write_student_tokens(&mut self, tokenizer: &[u8], texts: &[String], embeddings: &[f32]) -> Result<()> {
        let dimension = self.index.dimension;
        let file = student_tokens_file(tokenizer);
        let sha256 =
            write_hashed(&self.folder.join(&file), |to, path| tokens::write(to, texts, embeddings, dimension, path))?;
        self.index.student_tokens.retain(|entry| entry.file != file);
        self.index.student_tokens.push(FileEntry { file, sha256 });
        self.index.student_tokens.sort_by(|a, b| a.file.cmp(&b.file));
        self.save()
    }

    /// Says that the text ended after `rows` rows, counted over all parts, and lets go of the folder.
    ///
    /// # Errors
    /// A shard of this part is missing or has another number of rows than that makes.
    pub fn finish(mut self, rows: u64) -> Result<()> {
        let shard_rows = self.index.shard_rows as u64;
        let shards = rows.div_ceil(shard_rows) as usize;
        // From a longer text with the same fingerprint; that can't be, but what isn't text's has no place here.
        let surplus: Vec<usize> = self.done.range(shards..).map(|(&shard, _)| shard).collect();
        for shard in surplus {
            if let Some(entry) = self.done.remove(&shard) {
                let path = self.folder.join(entry.file);
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        let whole = |shard: usize| {
            let expected = shard_rows.min(rows - shard as u64 * shard_rows);
            self.done.get(&shard).is_some_and(|entry| entry.rows as u64 == expected)
        };
        let missing: Vec<usize> = (0..shards).filter(|&shard| self.owns(shard) && !whole(shard)).collect();
        if let Some(&first) = missing.first() {
            return Err(CacheError::Incomplete { path: self.folder.clone(), missing: missing.len(), first }.into());
        }
        self.index.rows = Some(rows);
        self.save()
    }

    fn save(&mut self) -> Result<()> {
        self.index.shards = self.done.values().cloned().collect();
        self.index.save(&self.folder)
    }
}

/// Which shards are done and with which texts, see [`CacheWriter::done`].
#[derive(Debug, Clone)]
pub struct DoneShards {
    part: Option<(u32, u32)>,
    done: HashMap<usize, (usize, String)>,
}

impl DoneShards {
    /// Whether shard `shard` is the writer's part to write.
    pub fn owns(&self, shard: usize) -> bool {
        owns(self.part, shard)
    }

    /// Whether shard `shard` is there and holds these texts.
    pub fn contains(&self, shard: usize, texts: &[String]) -> bool {
        self.done.get(&shard).is_some_and(|(rows, hash)| *rows == texts.len() && *hash == hash_texts(texts))
    }

    /// How many shards are there.
    pub fn len(&self) -> usize {
        self.done.len()
    }

    /// Whether no shard is there.
    pub fn is_empty(&self) -> bool {
        self.done.is_empty()
    }
}

fn check(spec: &CacheSpec, folder: &Path) -> CacheResult<()> {
    let problem = match (spec.dimension, spec.shard_rows, spec.part) {
        (0, ..) => "vectors of no numbers".into(),
        (_, 0, _) => "shards of no rows".into(),
        (.., Some((i, n))) if i >= n => format!("part {i} of {n}: parts count from 0"),
        _ => return Ok(()),
    };
    Err(CacheError::Unwritable { path: folder.to_owned(), problem })
}

/// Writes a file whole or not at all and returns its sha256.
fn write_hashed(
    path: &Path,
    write: impl FnOnce(&mut Hashing<&mut PendingFile>, &Path) -> Result<()>,
) -> Result<String> {
    files::write_atomically(path, |file| {
        let mut to = Hashing { to: file, hasher: Sha256::new() };
        write(&mut to, path)?;
        Ok(to.hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    })
}

struct Hashing<W> {
    to: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// Held while a process writes an index; the operating system lets go of it when the process dies.
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn take(folder: &Path, index: &str) -> Result<Self> {
        let path = folder.join(format!(".{index}.lock"));
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(Error::io("create", &path))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(CacheError::Locked { path: folder.to_owned() }.into()),
            // A file system without locks does without one.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { path, _file: file }),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
