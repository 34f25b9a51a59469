//! [`OnnxEncoder`]: a text encoder in an ONNX Runtime session.

mod sessions;
mod signature;
mod summary;
mod tensors;

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use limbeck_encoder::{Embeddings, EncodeError, Encoder, EncoderInfo, Special, TokenBatch, Tokenizer};
use ort::ep::ExecutionProvider;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::TensorRef;

use self::sessions::{Sessions, State};
use self::signature::{Signature, Width};
use self::summary::Summary;
use self::tensors::{Pad, floats, normalise};
use crate::batching::{self, Batches};
use crate::inference_error::InferenceError;
use crate::{Error, OnnxDevice, Pooler, Result, Runtime};

/// Tokens of a batch for each thread of a session on the CPU, padding counted, unless said otherwise. Measured on all-MiniLM-L6-v2, sentences a second of
/// STSB at 384, 512 and 1,024 tokens: in f32 on one core 667, 680, 636; in int8 1,678, 1,677, 1,627, on two 3,288, 3,360, 3,178; longer
/// texts in int8 1,199, 1,202, 1,143. Beyond that a batch's states no longer fit the core's cache (f32 at 2,048: a twelfth slower, at 8,192 half again).
pub const BATCH_TOKENS: usize = 512;

/// Tokens of a batch on a GPU, which wants more to do at once. Not measured.
const GPU_BATCH_TOKENS: usize = 16_384;

/// Where texts are cut if nobody says: the positions that BERT and most of its kin have.
const MAX_TOKENS: usize = 512;

/// How to run a model; what is `None` is read from its metadata, which limbeck's exports carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnnxOptions {
    /// What computes.
    pub device: OnnxDevice,
    /// Threads that compute, at least 1. On the CPU up to four sessions share them and take batches in turn, which keeps them busier
    /// than sharing each operation does, and costs the memory of as many models.
    pub threads: usize,
    /// How token vectors are pooled where the model doesn't do it; the mean where nobody says.
    pub pooler: Option<Pooler>,
    /// Where texts are cut, in tokens, special ones counted; at 512 where nobody says. A student's export may say that
    /// nothing is cut.
    pub max_tokens: Option<usize>,
    /// What is put before every text; nothing where nobody says.
    pub prefix: Option<String>,
    /// Tokens of a batch, padding counted; where nobody says, [`BATCH_TOKENS`] for each thread of a session, more on a GPU.
    pub batch_tokens: Option<usize>,
}

impl Default for OnnxOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
        Self { device: OnnxDevice::Cpu, threads, pooler: None, max_tokens: None, prefix: None, batch_tokens: None }
    }
}

/// A model in ONNX Runtime: texts in, unit vectors out.
///
/// In f32 a text's vector doesn't depend on the texts beside it (to 1e-5).
pub struct OnnxEncoder {
    path: PathBuf,
    tokenizer: Tokenizer,
    /// Whether special tokens stand around a text; a student has none.
    special: Special,
    signature: Signature,
    pooler: Pooler,
    /// The pooler that was asked for, where the model says another one or none: a model that pools by itself can't follow.
    other_pooler: Option<Pooler>,
    max_tokens: Option<usize>,
    prefix: String,
    batch_tokens: usize,
    padding: u32,
    dimension: usize,
    summary: Summary,
    bytes: u64,
    threads: usize,
    sessions: Sessions,
}

impl OnnxEncoder {
    /// Loads the model at `path` and runs it once on the empty text.
    ///
    /// # Errors
    /// A file that isn't there, is cut short, or isn't a text encoder; CUDA asked for that can't be had; a pooler that
    /// needs more than the model's outputs.
    pub fn load(runtime: &Runtime, path: &Path, tokenizer: Tokenizer, options: &OnnxOptions) -> Result<Self> {
        let bytes = fs::metadata(path).map_err(Error::io(path, "open"))?.len();
        let (sessions, threads) = sessions::share(options);
        let load = || -> Result<Session> {
            let session = builder(runtime, path, options, threads)?.commit_from_file(path);
            Ok(session.map_err(InferenceError::model(path))?)
        };
        let first = load()?;
        let signature = Signature::of(&first, path)?;
        let stated = Stated::read(&first, path)?;
        let pooler = options.pooler.or(stated.pooler).unwrap_or_default();
        let max_tokens = options.max_tokens.or(stated.max_tokens.unwrap_or(Some(MAX_TOKENS)));
        let max_tokens = match (max_tokens, signature.tokens) {
            (Some(asked), Some(fixed)) => Some(asked.min(fixed)),
            (asked, fixed) => asked.or(fixed),
        };
        let all = std::iter::once(Ok(first)).chain((1..sessions).map(|_| load()));
        let states = all.map(|session| State::new(session?, &signature, path)).collect::<Result<Vec<_>>>()?;
        let by_device = match options.device {
            OnnxDevice::Cpu => BATCH_TOKENS.saturating_mul(threads),
            OnnxDevice::Cuda(_) => GPU_BATCH_TOKENS,
        };
        let mut encoder = Self {
            path: path.to_owned(),
            padding: ["[PAD]", "<pad>"].iter().find_map(|token| tokenizer.id(token)).unwrap_or_default(),
            tokenizer,
            special: stated.special,
            signature,
            pooler,
            other_pooler: options.pooler.filter(|_| options.pooler != stated.pooler),
            max_tokens,
            prefix: options.prefix.clone().or(stated.prefix).unwrap_or_default(),
            batch_tokens: options.batch_tokens.unwrap_or(by_device).max(1),
            dimension: 0,
            summary: summary::read(path)?,
            bytes,
            threads: options.threads.max(1),
            sessions: Sessions::new(states),
        };
        let empty = encoder.tokenise(&[""])?;
        encoder.dimension = encoder.sessions.one(|state| encoder.run(state, &empty, &[0], &mut Vec::new()))?;
        Ok(encoder)
    }

    /// The model's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What is put before every text.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where texts are cut, in tokens.
    pub fn max_tokens(&self) -> Option<usize> {
        self.max_tokens
    }

    /// How token vectors are pooled.
    pub fn pooler(&self) -> Pooler {
        self.pooler
    }

    /// The width of the vectors.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The token ids that the model gets for `texts`: prefix and special tokens (but for a student) put around, cut to
    /// length.
    pub fn tokenise(&self, texts: &[&str]) -> Result<TokenBatch> {
        let tokens = batching::tokenise(&self.tokenizer, (&self.prefix, texts), self.special, self.max_tokens);
        Ok(tokens.map_err(InferenceError::from)?)
    }

    /// The unit vectors of texts that are tokens already, special ones around them where the model wants them.
    pub fn encode_tokens(&self, tokens: &TokenBatch) -> Result<Embeddings> {
        self.encode_tokens_with(tokens, &mut |_| Ok(()))
    }

    /// As [`OnnxEncoder::encode_tokens`]; calls `done` after each batch with the number of texts in it, and stops at the
    /// first error that it gives back.
    pub fn encode_tokens_with(
        &self,
        tokens: &TokenBatch,
        done: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Embeddings> {
        let mut all = vec![0.0; tokens.rows() * self.dimension];
        let plan = Batches::plan(tokens, self.batch_tokens);
        let most = self.signature.rows.unwrap_or(usize::MAX);
        let batches: Vec<&[usize]> = plan.iter().flat_map(|batch| batch.chunks(most)).collect();
        let work = |state: &mut State, rows: &[usize]| self.vectors(state, tokens, rows);
        self.sessions.each(&batches, work, |rows, vectors| {
            for (&row, vector) in rows.iter().zip(vectors.chunks_exact(self.dimension)) {
                all[row * self.dimension..(row + 1) * self.dimension].copy_from_slice(vector);
            }
            done(rows.len())
        })?;
        Ok(Embeddings::new(all, self.dimension))
    }

    /// The unit vectors of the rows `rows` of `tokens`, run as one batch.
    fn vectors(&self, state: &mut State, tokens: &TokenBatch, rows: &[usize]) -> Result<Vec<f32>> {
        let mut vectors = Vec::new();
        self.run(state, tokens, rows, &mut vectors)?;
        for (&row, vector) in rows.iter().zip(vectors.chunks_exact_mut(self.dimension)) {
            normalise(vector);
            if !vector.iter().all(|number| number.is_finite()) {
                return Err(InferenceError::NotFinite { path: self.path.clone(), row }.into());
            }
        }
        Ok(vectors)
    }

    /// Runs the rows `rows` of `tokens` as one batch; `vectors` becomes their vectors, not yet of unit length. Returns
    /// their width.
    fn run(&self, state: &mut State, tokens: &TokenBatch, rows: &[usize], vectors: &mut Vec<f32>) -> Result<usize> {
        let State { session, options, wide, narrow, numbers } = state;
        let longest = rows.iter().map(|&row| tokens.row_len(row)).max().unwrap_or_default();
        let longest = self.signature.tokens.unwrap_or(longest).max(1);
        // A model with a fixed batch gets it filled up with rows of padding.
        let height = self.signature.rows.unwrap_or(rows.len());
        let shape = [height, longest];
        let failed =
            |source| InferenceError::Run { path: self.path.clone(), rows: rows.len(), tokens: longest, source };

        // A teacher's mean is over one token at least; a student's graph knows an empty text by its mask.
        let least = usize::from(self.special == Special::With);
        let pad = Pad { tokens, rows, height, longest, padding: self.padding, least };
        for (input, (wide, narrow)) in self.signature.inputs.iter().zip(wide.iter_mut().zip(narrow.iter_mut())) {
            match input.width {
                Width::I64 => pad.fill(input.role, wide),
                Width::I32 => pad.fill(input.role, narrow),
            }
        }
        let mut inputs: Vec<(Cow<str>, SessionInputValue)> = Vec::with_capacity(self.signature.inputs.len());
        for (input, (wide, narrow)) in self.signature.inputs.iter().zip(wide.iter().zip(narrow.iter())) {
            let value = match input.width {
                Width::I64 => TensorRef::from_array_view((shape, &wide[..])).map(SessionInputValue::from),
                Width::I32 => TensorRef::from_array_view((shape, &narrow[..])).map(SessionInputValue::from),
            };
            inputs.push((Cow::from(&input.name), value.map_err(failed)?));
        }
        let outputs = session.run_with_options(inputs, options).map_err(failed)?;
        let unfit = |problem| InferenceError::Signature { path: self.path.clone(), problem };
        let value = outputs.get(&self.signature.output).ok_or_else(|| unfit("its output is missing".to_owned()))?;
        let (shape, values) = floats(value, numbers).map_err(failed)?;
        match shape[..] {
            [h, width] if h == height && width > 0 => {
                if let Some(asked) = self.other_pooler {
                    return Err(unfit(format!("it pools by itself, and can't be pooled by {asked}")).into());
                }
                vectors.clear();
                vectors.extend_from_slice(&values[..rows.len() * width]);
                Ok(width)
            }
            [h, length, width] if (h, length) == (height, longest) && width > 0 => {
                self.pool(tokens, rows, (longest, width), values, vectors)?;
                Ok(width)
            }
            _ => {
                let name = &self.signature.output;
                let problem =
                    format!("its output `{name}` has the shape {shape:?} for a batch of {height} × {longest}");
                Err(unfit(problem).into())
            }
        }
    }

    /// Token vectors (`height × longest × width`) to one a text.
    fn pool(
        &self,
        tokens: &TokenBatch,
        rows: &[usize],
        (longest, width): (usize, usize),
        values: &[f32],
        vectors: &mut Vec<f32>,
    ) -> Result<()> {
        vectors.clear();
        for (&row, values) in rows.iter().zip(values.chunks_exact(longest * width)) {
            match self.pooler {
                Pooler::ClsBeforePooler => vectors.extend_from_slice(&values[..width]),
                Pooler::Mean => {
                    // A text without tokens was given one of padding.
                    let length = tokens.row_len(row).max(1);
                    let start = vectors.len();
                    vectors.resize(start + width, 0.0);
                    for token in values.chunks_exact(width).take(length) {
                        vectors[start..].iter_mut().zip(token).for_each(|(sum, number)| *sum += number);
                    }
                    vectors[start..].iter_mut().for_each(|sum| *sum /= length as f32);
                }
                Pooler::Cls | Pooler::FirstLast | Pooler::LastTwo => {
                    let (name, output) = (self.pooler, &self.signature.output);
                    let problem = format!("the pooler `{name}` needs more than its output `{output}`");
                    return Err(InferenceError::Signature { path: self.path.clone(), problem }.into());
                }
            }
        }
        Ok(())
    }
}

impl Encoder for OnnxEncoder {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        Ok(self.encode_tokens(&self.tokenise(texts)?)?)
    }

    fn info(&self) -> EncoderInfo {
        EncoderInfo {
            dimension: self.dimension,
            parameters: self.summary.parameters,
            bytes: self.bytes,
            engine: "onnxruntime",
            precision: self.summary.precision,
            threads: self.threads,
        }
    }
}

/// `threads` are those within an operation.
fn builder(runtime: &Runtime, path: &Path, options: &OnnxOptions, threads: usize) -> Result<SessionBuilder> {
    let library = || runtime.library().to_owned();
    let plain = || -> ort::Result<SessionBuilder> {
        let builder = Session::builder(runtime.environment())?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?
            // Threads that spin while they wait take the cores from tokenizing and writing, and from everyone else:
            // measured beside other work, not spinning is 1.3 to 2 times as fast.
            .with_intra_op_spinning(false)?
            .with_optimization_level(GraphOptimizationLevel::All)?;
        Ok(builder)
    };
    let mut builder = plain().map_err(InferenceError::model(path))?;
    if let OnnxDevice::Cuda(number) = options.device {
        let available = ort::ep::CUDA::is_available();
        if !available.map_err(|source| InferenceError::NoCuda { library: library(), source })? {
            return Err(InferenceError::NoCudaInLibrary { library: library() }.into());
        }
        // Without error_on_failure the session would run on the CPU and say nothing.
        let cuda = ort::ep::CUDA::default().with_device_id(number as i32).build().error_on_failure();
        let with_cuda = builder.with_execution_providers([cuda]);
        builder = with_cuda.map_err(|error| InferenceError::NoCuda { library: library(), source: error.into() })?;
    }
    Ok(builder)
}

/// What limbeck's exports say of themselves.
struct Stated {
    pooler: Option<Pooler>,
    /// `Some(None)` where it is said that texts are not cut.
    max_tokens: Option<Option<usize>>,
    prefix: Option<String>,
    special: Special,
}

impl Stated {
    fn read(session: &Session, path: &Path) -> Result<Self> {
        let metadata = session.metadata().map_err(InferenceError::model(path))?;
        let pooler = metadata.custom("limbeck.pooler").map(|name| name.parse::<Pooler>());
        let unfit = |error: Error| InferenceError::Signature { path: path.to_owned(), problem: error.to_string() };
        let max_tokens = metadata.custom("limbeck.max_tokens");
        Ok(Self {
            pooler: pooler.transpose().map_err(unfit)?,
            max_tokens: max_tokens.and_then(|number| match number.as_str() {
                "none" => Some(None),
                number => number.parse().ok().map(Some),
            }),
            prefix: metadata.custom("limbeck.prefix"),
            special: match metadata.custom("limbeck.special_tokens").as_deref() {
                Some("none") => Special::Without,
                _ => Special::With,
            },
        })
    }
}
