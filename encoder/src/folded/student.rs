//! [`Student`]: a folded file, opened.

use std::path::Path;

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use super::{
    attend,
    file::Folded,
    gather::{Filters, Sentence, Tools},
    head,
    layout::{HEAD_LANES, LANES, Layout, Taps},
    math,
    score::{Scored, Scores},
    sentence::Gathers,
    simd::{Level, Simd, Work},
    table::{Floats, Int8},
};
use crate::{Embeddings, EncodeError, Encoder, EncoderInfo, Error, Precision, Result, Special, TokenBatch, Tokenizer};

/// How many texts go through together.
const BLOCK: usize = 64;

/// A student opened from its folded file; encodes texts on the CPU.
///
/// The file stays mapped: nothing of the tables is copied. A text's vector does not depend on the texts beside it, on the
/// number of threads, nor (in any precision) on which SIMD instructions the machine has.
pub struct Student {
    file: Folded,
    tokenizer: Tokenizer,
    gathers: Gathers,
    head_bias: Vec<[f32; LANES]>,
    pub(super) level: Level,
    threads: usize,
    pool: Option<ThreadPool>,
}

impl std::fmt::Debug for Student {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Student").field("path", &self.file.path).field("info", &self.info()).finish_non_exhaustive()
    }
}

impl Student {
    /// Maps the file and checks all of it. One thread, the caller's, is used until [`Student::with_threads`].
    ///
    /// The file must not be changed in place while the student is in use, as no mapped file may: written over, vectors would come out wrong;
    /// cut short, the system would end the program. To put another file there, rename it over this one, as limbeck does: then the student
    /// keeps what it opened.
    ///
    /// # Errors
    /// When the file can't be read, is of another kind or version, or is damaged in any place.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut file = Folded::open(path)?;
        let json = std::mem::take(&mut file.tokenizer);
        let tokenizer = if file.header.compared {
            Tokenizer::from_compared(&json, file.mapped("tokenizer"), path)
        } else {
            Tokenizer::from_bytes(&json, path)
        }?;
        let layout = &file.layout;
        if tokenizer.vocabulary() > layout.vocabulary {
            let what = format!("ids up to {}, tables of {} rows", tokenizer.vocabulary() - 1, layout.vocabulary);
            return Err(Error::Header { path: path.into(), what });
        }
        let filters = |name: &str, taps: &Taps| Filters {
            taps: *taps,
            bias: stretches(&file.floats(&format!("{name} bias"))),
            unit: stretches(&file.floats(&format!("{name} unit"))),
        };
        let max_pooled = layout.max_pooled.iter().enumerate();
        let max_pooled = max_pooled.map(|(index, taps)| filters(&format!("convolution {index}"), taps)).collect();
        let attention = layout.score.as_ref().map(|taps| {
            let heads = |name: &str| stretches::<HEAD_LANES>(&file.floats(name));
            Scores::new(filters("score", taps), heads("attention weight"), heads("attention bias"))
        });
        let gathers = Gathers { max_pooled, attention };
        let head_bias = stretches(&file.floats("head bias"));
        Ok(Self { file, tokenizer, gathers, head_bias, level: Level::best(), threads: 1, pool: None })
    }

    /// Uses `threads` threads of its own; 0: one a core of the machine. 1: the caller's thread.
    ///
    /// # Errors
    /// When the system starts no more threads.
    pub fn with_threads(mut self, threads: usize) -> Result<Self> {
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
        self.threads = if threads == 0 { cores() } else { threads };
        self.pool = match self.threads {
            1 => None,
            threads => {
                let pool =
                    ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("student-{i}")).build();
                Some(pool.map_err(|source| Error::Threads { threads, source })?)
            }
        };
        Ok(self)
    }

    /// One unit vector a text, the empty one too. A text whose vector comes out as zero, or beyond f32, gets zeros.
    ///
    /// Memory is taken for the result and, a thread, for a block of texts; none a text, as long as it is ASCII and the
    /// tokenizer BERT's.
    ///
    /// # Errors
    /// When a text can't be tokenised.
    pub fn encode<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Embeddings> {
        self.blocks(texts.len(), |rows, tokens| {
            for text in &texts[rows] {
                tokens.push_with(|ids| {
                    self.tokenizer.encode_into(text.as_ref(), Special::Without, self.max_tokens(), ids)
                })?;
            }
            Ok(())
        })
    }

    /// The same from token ids, which are those of [`Student::tokenizer`] without special tokens.
    ///
    /// # Errors
    /// When an id is outside the vocabulary.
    pub fn encode_tokens(&self, tokens: &TokenBatch) -> Result<Embeddings> {
        let (most, vocabulary) = (self.max_tokens().unwrap_or(usize::MAX), self.vocabulary());
        self.blocks(tokens.rows(), |rows, block| {
            for row in rows {
                let ids = tokens.row(row);
                let ids = &ids[..ids.len().min(most)];
                if let Some(&id) = ids.iter().find(|&&id| id as usize >= vocabulary) {
                    return Err(Error::TokenId { row, id, vocabulary });
                }
                block.push(ids);
            }
            Ok(())
        })
    }

    /// What this student is, for tables.
    pub fn info(&self) -> EncoderInfo {
        EncoderInfo {
            dimension: self.dimension(),
            parameters: self.file.header.parameters,
            bytes: self.file.len() as u64,
            engine: "folded",
            precision: self.file.layout.precision.name(),
            threads: self.threads,
        }
    }

    /// The student's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The width of a vector.
    pub fn dimension(&self) -> usize {
        self.file.layout.dimension
    }

    /// How many rows the tables have; token ids lie below it.
    pub fn vocabulary(&self) -> usize {
        self.file.layout.vocabulary
    }

    /// The id that stands for a text without tokens.
    pub fn empty_token(&self) -> u32 {
        self.file.header.empty_token
    }

    /// How many tokens of a text are read; none: all.
    pub fn max_tokens(&self) -> Option<usize> {
        self.file.header.max_tokens
    }

    /// The writer's own JSON; empty where it gave none.
    pub fn metadata(&self) -> &str {
        &self.file.header.metadata
    }

    /// Encodes `rows` texts in blocks; `fill` appends the tokens of a range of them.
    fn blocks(
        &self,
        rows: usize,
        fill: impl Fn(std::ops::Range<usize>, &mut TokenBatch) -> Result<()> + Sync,
    ) -> Result<Embeddings> {
        let dimension = self.dimension();
        let block = |scratch: &mut Scratch, (index, out): (usize, &mut [f32])| {
            let first = index * BLOCK;
            scratch.tokens.clear();
            fill(first..rows.min(first + BLOCK), &mut scratch.tokens)?;
            self.block(scratch, out);
            Ok(())
        };
        // Allocated here, by the caller: of the pool's threads each would, in its turn, keep as much memory for the next one.
        let mut data = vec![0.0; rows * dimension];
        match &self.pool {
            Some(pool) if rows > BLOCK => {
                let blocks = data.par_chunks_mut(BLOCK * dimension).enumerate();
                pool.install(|| blocks.try_for_each_init(Scratch::default, block))?;
            }
            _ => {
                let mut scratch = Scratch::default();
                data.chunks_mut(BLOCK * dimension).enumerate().try_for_each(|rows| block(&mut scratch, rows))?;
            }
        }
        Ok(Embeddings::new(data, dimension))
    }

    /// Encodes the tokens in `scratch`, none of them outside the vocabulary, into `vectors`.
    fn block(&self, scratch: &mut Scratch, vectors: &mut [f32]) {
        let layout = &self.file.layout;
        scratch.features.resize(scratch.tokens.rows() * layout.features, 0.0);
        if layout.outputs == layout.dimension {
            return self.level.run(BlockWork { student: self, scratch, out: vectors });
        }
        let mut out = std::mem::take(&mut scratch.out);
        out.resize(scratch.tokens.rows() * layout.outputs, 0.0);
        self.level.run(BlockWork { student: self, scratch, out: &mut out });
        let rows = out.chunks_exact(layout.outputs).zip(vectors.chunks_exact_mut(layout.dimension));
        rows.for_each(|(from, to)| to.copy_from_slice(&from[..layout.dimension]));
        scratch.out = out;
    }
}

impl Encoder for Student {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        Ok(Student::encode(self, texts)?)
    }

    fn info(&self) -> EncoderInfo {
        Student::info(self)
    }
}

/// Memory for one block, used again for the next.
#[derive(Default)]
struct Scratch {
    tokens: TokenBatch,
    /// `[texts][layout.features]`
    features: Vec<f32>,
    /// `[texts][layout.outputs]`, where a vector is not that wide.
    out: Vec<f32>,
    attend: attend::Scratch,
    head: head::Scratch,
}

/// One block's work; the ids have been checked.
struct BlockWork<'a> {
    student: &'a Student,
    scratch: &'a mut Scratch,
    /// `[texts][layout.outputs]`
    out: &'a mut [f32],
}

impl Work for BlockWork<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let file = &self.student.file;
        let layout = &file.layout;
        let stride = layout.stride / LANES;
        match layout.precision {
            Precision::F32 => {
                let rows: &[[f32; LANES]] = bytemuck::cast_slice(file.bytes("rows"));
                let weights = head::Weights::F32(bytemuck::cast_slice(file.bytes("head weight")));
                self.run_with(simd, Floats { rows, stride }, weights);
            }
            Precision::F16 => {
                let rows: &[[u16; LANES]] = bytemuck::cast_slice(file.bytes("rows"));
                let weights = head::Weights::F32(bytemuck::cast_slice(file.bytes("head weight")));
                self.run_with(simd, Floats { rows, stride }, weights);
            }
            Precision::Int8 => {
                let rows = bytemuck::cast_slice(file.bytes("rows"));
                let scales = bytemuck::cast_slice(file.bytes("head scale"));
                let weights = head::Weights::Int8(bytemuck::cast_slice(file.bytes("head weight")), scales);
                self.run_with(simd, Int8 { rows, stride }, weights);
            }
        }
    }
}

impl BlockWork<'_> {
    #[inline(always)]
    fn run_with<S: Simd, T: Scored>(self, simd: S, table: T, weights: head::Weights<'_>) {
        let Student { file, gathers, head_bias, .. } = self.student;
        let layout: &Layout = &file.layout;
        let Scratch { tokens, features, attend, head, .. } = self.scratch;
        let out = self.out;
        let tools = Tools { simd, table };
        let empty = [file.header.empty_token];
        for (index, (ids, out)) in tokens.iter().zip(out.chunks_exact_mut(layout.outputs)).enumerate() {
            let ids = if ids.is_empty() { &empty } else { ids };
            let next = if index + 1 < tokens.rows() { tokens.row(index + 1) } else { &[] };
            let features = &mut features[index * layout.features..(index + 1) * layout.features];
            tools.sentence((layout, gathers), Sentence { ids, next }, attend, features, out);
        }
        if layout.features > 0 {
            head::multiply(simd, layout, (weights, head_bias), features, head, out);
        }
        // No iterator's function, which would be compiled without this level's instructions.
        for row in out.chunks_exact_mut(layout.outputs) {
            math::normalise(row);
        }
    }
}

/// Floats as arrays of `N`.
fn stretches<const N: usize>(floats: &[f32]) -> Vec<[f32; N]> {
    floats.as_chunks::<N>().0.to_vec()
}
