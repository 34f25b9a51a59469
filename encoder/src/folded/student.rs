//! [`Student`]: a folded file, opened, as an engine.

use std::path::Path;

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use super::{
    block::{BlockScratch, FoldedModel},
    file::FoldedFile,
    sections::SectionName,
    simd::Level,
};
use crate::{
    Embeddings, EncodeError, Encoder, EncoderInfo, Error, LexicalHalf, Result, Special, TokenBatch, TokenEncoder,
    Tokenizer,
};

/// How many texts are encoded together.
pub(super) const BLOCK: usize = 64;

/// A student opened from its folded file. It encodes texts on the CPU.
///
/// The file stays mapped; no table is copied. A text's vector does not depend on the other texts of a call, on the
/// number of threads or (in any precision) on the machine's SIMD instructions.
pub struct Student {
    model: FoldedModel,
    lexical: Option<LexicalHalf>,
    tokenizer: Tokenizer,
    pub(super) level: Level,
    threads: usize,
    pub(super) pool: Option<ThreadPool>,
}

impl std::fmt::Debug for Student {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Student")
            .field("path", &self.model.file.path)
            .field("info", &self.info())
            .finish_non_exhaustive()
    }
}

impl Student {
    /// Maps the file and checks every byte. The student uses the caller's thread until [`Student::with_threads`].
    ///
    /// As with every mapped file, nobody may change the file in place while the student is in use: after an overwrite
    /// the vectors are wrong, after a truncation the system ends the program. To replace the file, rename another one
    /// over it, as limbeck does; the student then keeps the file that it opened.
    ///
    /// # Errors
    /// When the file can't be read, is of another kind or version, or is damaged anywhere.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::of_file(FoldedFile::open(path)?, path)
    }

    /// Opens a student from the bytes of a folded file, which are copied, and checks every byte.
    ///
    /// [`Student::load`] shares a file's pages between processes; a student of bytes has its own. Errors name the bytes
    /// `bytes in memory` where those of [`Student::load`] name the file.
    ///
    /// # Errors
    /// When the bytes are of another kind or version, or are damaged anywhere, or the system has no memory for them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let path = Path::new("bytes in memory");
        Self::of_file(FoldedFile::from_bytes(path, bytes)?, path)
    }

    /// The general English student that comes with this crate: no file, no download. What it is made of and worth is
    /// told in `pocket/README.md` beside it.
    ///
    /// ```
    /// use limbeck_encoder::Student;
    ///
    /// let vectors = Student::pocket()?.encode(&["A man is playing a guitar.", "Someone makes music."])?;
    /// assert_eq!(vectors.rows(), 2);
    /// # Ok::<(), limbeck_encoder::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the system has no memory for it.
    #[cfg(feature = "pocket")]
    pub fn pocket() -> Result<Self> {
        Self::from_bytes(include_bytes!("../../pocket/student.limbeck"))
    }

    fn of_file(mut file: FoldedFile, path: &Path) -> Result<Self> {
        let json = std::mem::take(&mut file.tokenizer);
        let tokenizer = if file.header.compared {
            Tokenizer::from_compared(&json, file.mapped(SectionName::Tokenizer), path)
        } else {
            Tokenizer::from_bytes(&json, path)
        }?;
        let rows = file.layout.vocabulary;
        if tokenizer.vocabulary() > rows {
            let what = format!("ids up to {}, tables of {rows} rows", tokenizer.vocabulary() - 1);
            return Err(Error::Header { path: path.into(), what });
        }
        let lexical = file.lexical();
        let model = FoldedModel::new(file);
        Ok(Self { model, lexical, tokenizer, level: Level::best(), threads: 1, pool: None })
    }

    /// Uses `threads` threads of its own. 0 starts a thread for each core of the machine; 1 uses the caller's thread.
    ///
    /// # Errors
    /// When the system refuses to start the threads.
    pub fn with_threads(mut self, threads: usize) -> Result<Self> {
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let threads = if threads == 0 { cores() } else { threads };
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("student-{i}"));
        let pool = (threads > 1).then(|| pool.build()).transpose();
        self.pool = pool.map_err(|source| Error::Threads { threads, source })?;
        self.threads = threads;
        Ok(self)
    }

    /// Encodes each text, also an empty one, into a vector of length 1. A text whose vector comes out as zero, or
    /// beyond f32, gets zeros.
    ///
    /// Memory is allocated for the result and, in each thread, for a block of texts. No text allocates, as long as it
    /// is ASCII, the tokenizer is BERT's and the student has no lexical half.
    ///
    /// With a lexical half a vector is the dense vector, scaled to length √⅔, and behind it the text's half, scaled to
    /// length √⅓. The vector of a text without a word that the half knows has zeros there, and length √⅔.
    ///
    /// # Errors
    /// When a text can't be tokenised.
    pub fn encode<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Embeddings> {
        let mut data = vec![0.0; texts.len() * self.dimension()];
        self.encode_into(texts, &mut data)?;
        Ok(Embeddings::new(data, self.dimension()))
    }

    /// [`Student::encode`], into memory of the caller's: `out` is `texts × dimension`, row after row, and each value
    /// is written once where the student has no lexical half.
    ///
    /// # Errors
    /// When `out` has another length than [`Student::dimension`] values for each text, or a text can't be tokenised; in
    /// the second case some rows may be written.
    pub fn encode_into<T: AsRef<str> + Sync>(&self, texts: &[T], out: &mut [f32]) -> Result<()> {
        let expected = texts.len() * self.dimension();
        if out.len() != expected {
            return Err(Error::OutLength { found: out.len(), expected, texts: texts.len() });
        }
        match &self.lexical {
            Some(lexical) => self.write_whole(lexical, &self.encode_dense(texts)?, texts, out),
            None => self.dense_into(texts, out)?,
        }
        Ok(())
    }

    /// [`Student::encode`] without the lexical half: vectors of length 1, [`Student::dense_dimension`] wide.
    ///
    /// # Errors
    /// When a text can't be tokenised.
    pub fn encode_dense<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Embeddings> {
        let mut data = vec![0.0; texts.len() * self.dense_dimension()];
        self.dense_into(texts, &mut data)?;
        Ok(Embeddings::new(data, self.dense_dimension()))
    }

    fn dense_into<T: AsRef<str> + Sync>(&self, texts: &[T], out: &mut [f32]) -> Result<()> {
        self.blocks(texts.len(), out, |rows, tokens| {
            for text in &texts[rows] {
                tokens.push_with(|ids| {
                    self.tokenizer.encode_into(text.as_ref(), Special::Without, self.max_tokens(), ids)
                })?;
            }
            Ok(())
        })
    }

    /// [`Student::encode_dense`] from token ids, as [`Student::tokenizer`] gives them without special tokens. Token ids
    /// tell no words, so a lexical half has no part in these vectors.
    ///
    /// # Errors
    /// When an id is outside the vocabulary.
    pub fn encode_tokens(&self, tokens: &TokenBatch) -> Result<Embeddings> {
        let (most, vocabulary) = (self.max_tokens().unwrap_or(usize::MAX), self.vocabulary());
        // Allocated by the caller: each thread of the pool would keep the freed memory for its next call.
        let mut data = vec![0.0; tokens.rows() * self.dense_dimension()];
        self.blocks(tokens.rows(), &mut data, |rows, block| {
            for row in rows {
                let ids = tokens.row(row);
                let ids = &ids[..ids.len().min(most)];
                if let Some(&id) = ids.iter().find(|&&id| id as usize >= vocabulary) {
                    return Err(Error::TokenId { row, id, vocabulary });
                }
                block.push(ids);
            }
            Ok(())
        })?;
        Ok(Embeddings::new(data, self.dense_dimension()))
    }

    /// The facts about this student that tables show.
    pub fn info(&self) -> EncoderInfo {
        EncoderInfo {
            dimension: self.dimension(),
            parameters: self.model.file.header.parameters,
            bytes: self.model.file.map.len() as u64,
            engine: "folded",
            precision: self.model.file.layout.precision.name(),
            threads: self.threads,
        }
    }

    /// The student's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The width of the vectors, with the lexical half.
    pub fn dimension(&self) -> usize {
        self.dense_dimension() + self.lexical_dimension()
    }

    /// The width of the dense half, which is the whole vector where the student has no lexical half.
    pub fn dense_dimension(&self) -> usize {
        self.model.file.layout.dimension
    }

    /// The width of the lexical half; 0 where the student has none.
    pub fn lexical_dimension(&self) -> usize {
        self.lexical.as_ref().map_or(0, LexicalHalf::dimension)
    }

    /// The lexical half, where the student has one.
    pub fn lexical(&self) -> Option<&LexicalHalf> {
        self.lexical.as_ref()
    }

    /// How many rows the tables have; token ids are below this number.
    pub fn vocabulary(&self) -> usize {
        self.model.file.layout.vocabulary
    }

    /// The id that stands for a text without tokens.
    pub fn empty_token(&self) -> u32 {
        self.model.file.header.empty_token
    }

    /// How many tokens of a text are read; `None` reads all.
    pub fn max_tokens(&self) -> Option<usize> {
        self.model.file.header.max_tokens
    }

    /// The JSON that the writer stored; empty where the writer stored none.
    pub fn metadata(&self) -> &str {
        &self.model.file.header.metadata
    }

    /// Writes the dense vectors, and the texts' lexical halves beside them, to `out`.
    fn write_whole<T: AsRef<str> + Sync>(
        &self,
        lexical: &LexicalHalf,
        dense: &Embeddings,
        texts: &[T],
        out: &mut [f32],
    ) {
        let width = self.dimension();
        let write = |(row, whole): (usize, &mut [f32])| {
            lexical.write_whole(texts[row].as_ref(), dense.row(row), whole);
        };
        match self.pool.as_ref().filter(|_| texts.len() > BLOCK) {
            Some(pool) => {
                let rows = out.par_chunks_exact_mut(width).enumerate().with_min_len(BLOCK);
                pool.install(|| rows.for_each(write));
            }
            None => out.chunks_exact_mut(width).enumerate().for_each(write),
        }
    }

    /// Encodes `rows` texts into `out`, in blocks; `fill` appends the tokens of a range of the texts.
    fn blocks(
        &self,
        rows: usize,
        out: &mut [f32],
        fill: impl Fn(std::ops::Range<usize>, &mut TokenBatch) -> Result<()> + Sync,
    ) -> Result<()> {
        let dimension = self.dense_dimension();
        let block = |scratch: &mut BlockScratch, (index, out): (usize, &mut [f32])| {
            let first = index * BLOCK;
            scratch.tokens.clear();
            fill(first..rows.min(first + BLOCK), &mut scratch.tokens)?;
            self.model.encode(self.level, scratch, out);
            Ok(())
        };
        match &self.pool {
            Some(pool) if rows > BLOCK => {
                let blocks = out.par_chunks_mut(BLOCK * dimension).enumerate();
                pool.install(|| blocks.try_for_each_init(BlockScratch::default, block))
            }
            _ => {
                let mut scratch = BlockScratch::default();
                out.chunks_mut(BLOCK * dimension).enumerate().try_for_each(|rows| block(&mut scratch, rows))
            }
        }
    }
}

impl Encoder for Student {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        Ok(Student::encode(self, texts)?)
    }

    fn info(&self) -> EncoderInfo {
        Student::info(self)
    }

    fn lexical(&self) -> Option<&LexicalHalf> {
        Student::lexical(self)
    }
    fn token_encoder(&self) -> Option<&dyn TokenEncoder> {
        Some(self)
    }
}
