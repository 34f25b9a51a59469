//! [`OnnxEncoder`]: a text encoder in ONNX Runtime.

mod beside;
mod metadata;
mod model;
mod sessions;
mod signature;
mod summary;
mod tensors;
mod token_ids;
mod trial;

use std::fs;
use std::path::Path;

use limbeck_data::cache::Fingerprint;
use limbeck_data::files::{sha256_bytes, sha256_file};
use limbeck_encoder::{
    Embeddings, EncodeError, Encoder, EncoderInfo, KeptSide, SearchSide, TokenBatch, TokenEncoder, Tokenizer,
};

use self::beside::FilesBeside;
use self::metadata::{ExportMetadata, TokenLimit};
use self::model::OnnxModel;
use self::sessions::{Int8Sums, SessionSettings, SessionState, Sessions};
use self::signature::Signature;
use crate::batching::{self, BATCH_TOKENS, TextInput};
use crate::embed::Teacher;
use crate::{OnnxDevice, Pooler, Prompts, Result, Runtime, SearchPrompts};

/// Tokens of a batch on a GPU, which needs larger batches to be busy. Not measured.
const GPU_BATCH_TOKENS: usize = 16_384;

/// How to run a model. An option of `None` is read from the model's metadata, which limbeck's exports carry, or from
/// the files of sentence-transformers beside a model of another exporter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnnxOptions {
    /// The device that runs the model.
    pub device: OnnxDevice,
    /// Threads that run the model, at least 1. On the CPU up to four sessions share the threads and take batches in
    /// turn: the threads are busier than if they shared each operation, at the cost of the memory of as many models.
    pub threads: usize,
    /// How token vectors are pooled, if the model doesn't pool them itself; the mean by default.
    pub pooler: Option<Pooler>,
    /// Where texts are cut, in tokens, special ones included; at 512 by default. A student's export may state that
    /// texts are not cut.
    pub max_tokens: Option<usize>,
    /// Put before every text; by default the model's default prompt, or nothing.
    pub prefix: Option<String>,
    /// The name of the model's prompt that is put before every text, in place of `prefix`.
    pub prompt: Option<String>,
    /// Tokens of a batch, padding included; by default [`BATCH_TOKENS`] for each thread of a session, more on a GPU.
    pub batch_tokens: Option<usize>,
}

impl Default for OnnxOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
        Self {
            device: OnnxDevice::Cpu,
            threads,
            pooler: None,
            max_tokens: None,
            prefix: None,
            prompt: None,
            batch_tokens: None,
        }
    }
}

/// A model in ONNX Runtime: texts in, unit vectors out.
///
/// In f32 a text's vector doesn't depend on the texts beside it (to 1e-5).
pub struct OnnxEncoder {
    model: OnnxModel,
    tokenizer: Tokenizer,
    max_tokens: Option<usize>,
    prefix: String,
    lower_case: bool,
    batch_tokens: usize,
    info: EncoderInfo,
    sessions: Sessions,
    notes: Vec<String>,
    prompts: Prompts,
    /// What stands before queries and documents in place of the prefix.
    search: Option<SearchPrompts>,
}

impl OnnxEncoder {
    /// Loads the model at `path` and runs it once on the empty text. A model of another exporter is run on a few texts
    /// more; [`notes`](Self::notes) has what it can't do.
    ///
    /// # Errors
    /// The file is missing, cut short or no text encoder; CUDA is asked for and not available; the pooler needs more
    /// than the model's outputs; a file of sentence-transformers beside it asks for more than is supported; there is no
    /// prompt of the name.
    pub fn load(runtime: &Runtime, path: &Path, tokenizer: Tokenizer, options: &OnnxOptions) -> Result<Self> {
        let bytes = fs::metadata(path).map_err(limbeck_data::Error::io("open", path))?.len();
        // A file that can't be read is ONNX Runtime's to refuse: it knows more of the reason.
        let summary = summary::read(path);
        let (count, threads) = sessions::thread_shares(options);
        let may_saturate = summary.as_ref().is_ok_and(|summary| summary.precision == "int8" && !summary.is_own);
        let int8_sums = if may_saturate { Int8Sums::MaySaturate } else { Int8Sums::Fit };
        let settings = SessionSettings { device: options.device, threads, int8_sums };
        let load = || sessions::load(runtime, path, settings);
        let (first, summary) = (load()?, summary?);
        let signature = Signature::of(&first, path)?;
        let stated = ExportMetadata::read(&first, path)?;
        let beside = if summary.is_own { FilesBeside::default() } else { FilesBeside::read(path)? };
        let limit = match stated.max_tokens {
            TokenLimit::At(most) => Some(most),
            TokenLimit::Nowhere => None,
            TokenLimit::NotStated => Some(beside.max_tokens),
        };
        let max_tokens = options.max_tokens.or(limit);
        let prefix = match (&options.prefix, stated.prefix) {
            (Some(prefix), _) => prefix.clone(),
            (None, Some(prefix)) if options.prompt.is_none() => prefix,
            (None, _) => beside.prompts.prefix(options.prompt.as_deref())?,
        };
        let keeps_end = tokenizer.truncation()?.is_some_and(|truncation| truncation.side == KeptSide::End);
        let cut_side = keeps_end.then(|| {
            "the tokenizer asks to cut long texts at their beginning (truncation from the left); they are cut at their \
             end"
            .to_owned()
        });
        let is_chosen = options.prefix.is_some() || options.prompt.is_some();
        let all = std::iter::once(Ok(first)).chain((1..count).map(|_| load()));
        let states = all.map(|session| SessionState::new(session?, &signature, path)).collect::<Result<Vec<_>>>()?;
        let by_device = match options.device {
            OnnxDevice::Cpu => BATCH_TOKENS.saturating_mul(threads),
            OnnxDevice::Cuda(_) => GPU_BATCH_TOKENS,
        };
        let stated_pooler = stated.pooler.or(beside.pooler);
        let mut head = beside.head;
        if options.pooler.is_some() {
            head.also.clear();
        }
        let mut encoder = Self {
            max_tokens: max_tokens.into_iter().chain(signature.tokens).min(),
            model: OnnxModel {
                path: path.to_owned(),
                signature,
                special: stated.special,
                pooler: options.pooler.or(stated_pooler).unwrap_or_default(),
                head,
                other_pooler: options.pooler.filter(|_| options.pooler != stated.pooler),
                padding: ["[PAD]", "<pad>"].iter().find_map(|token| tokenizer.id(token)).unwrap_or_default(),
            },
            tokenizer,
            prefix,
            lower_case: stated.lower_case || beside.lower_case,
            batch_tokens: options.batch_tokens.unwrap_or(by_device).max(1),
            info: EncoderInfo {
                dimension: 0,
                parameters: summary.parameters,
                bytes,
                engine: "onnxruntime",
                precision: summary.precision,
                threads: options.threads.max(1),
            },
            sessions: Sessions::new(states),
            notes: beside.prompts.unused().filter(|_| !is_chosen).into_iter().chain(cut_side).collect(),
            search: if is_chosen { None } else { beside.prompts.of_search()? },
            prompts: beside.prompts,
        };
        let empty = encoder.tokenise(&[""])?;
        encoder.info.dimension = encoder.sessions.first(|state| encoder.model.pooled(state, &empty, &[0]))?.len();
        if !summary.is_own {
            encoder.try_out()?;
        }
        Ok(encoder)
    }

    /// What a user should know of how the model is run: prompts that nobody chose, and what the model can't do.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The prompts that the files beside the model name; an export of limbeck's shows none.
    pub fn prompts(&self) -> &Prompts {
        &self.prompts
    }

    /// Puts the prompts for queries and documents that `prompts` has before the texts of [`Encoder::encode_side`], in
    /// place of the prefix. An export of limbeck's does not hold them.
    ///
    /// # Errors
    /// The pooling leaves the prompt's tokens out.
    pub fn with_search_prompts(self, prompts: &Prompts) -> Result<Self> {
        Ok(Self { search: prompts.of_search()?, ..self })
    }

    /// The fingerprint of a cache that this encoder fills: all that the vectors depend on. `text` is a hash of the text
    /// and of how it was prepared.
    ///
    /// # Errors
    /// The model's file can't be read.
    pub fn cache_fingerprint(&self, text: String) -> Result<Fingerprint> {
        let lower_case = if self.lower_case { ", lower-cased" } else { "" };
        Ok(Fingerprint {
            teacher: sha256_file(&self.model.path)?,
            tokenizer: sha256_bytes(self.tokenizer.json()) + lower_case,
            text,
            pooling: self.model.head.describe(self.model.pooler),
            prefix: self.prefix.clone(),
            max_tokens: self.max_tokens.map(|most| most.to_string()).unwrap_or_default(),
            precision: self.info.precision.to_owned(),
        })
    }
}

impl Teacher for OnnxEncoder {
    fn dimension(&self) -> usize {
        self.info.dimension
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn max_tokens(&self) -> Option<usize> {
        self.max_tokens
    }

    /// The texts are cut to length; a student's export has no special tokens.
    fn tokenise_after(&self, prefix: &str, texts: &[&str]) -> Result<TokenBatch> {
        let input = TextInput { prefix, lower_case: self.lower_case };
        Ok(input.tokenise(&self.tokenizer, texts, self.model.special, self.max_tokens)?)
    }

    fn encode_tokens(&self, tokens: &TokenBatch, done: &mut dyn FnMut(usize) -> Result<()>) -> Result<Embeddings> {
        let width = self.info.dimension;
        let mut all = vec![0.0; tokens.rows() * width];
        let plan = batching::plan(tokens, self.batch_tokens);
        let most = self.model.signature.rows.unwrap_or(usize::MAX);
        let batches: Vec<&[usize]> = plan.iter().flat_map(|batch| batch.chunks(most)).collect();
        let work = |state: &mut SessionState, rows: &[usize]| self.model.vectors(state, tokens, rows);
        self.sessions.each(&batches, work, |rows, vectors| {
            for (&row, vector) in rows.iter().zip(vectors.chunks_exact(width)) {
                all[row * width..(row + 1) * width].copy_from_slice(vector);
            }
            done(rows.len())
        })?;
        Ok(Embeddings::new(all, width))
    }
}

impl Encoder for OnnxEncoder {
    fn encode(&self, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        Ok(self.encode_tokens(&self.tokenise(texts)?, &mut |_| Ok(()))?)
    }

    fn encode_side(&self, side: SearchSide, texts: &[&str]) -> std::result::Result<Embeddings, EncodeError> {
        let prompt = self.search.as_ref().map(|search| match side {
            SearchSide::Query => &search.query,
            SearchSide::Document => &search.document,
        });
        let tokens = self.tokenise_after(prompt.unwrap_or(&self.prefix), texts)?;
        Ok(self.encode_tokens(&tokens, &mut |_| Ok(()))?)
    }

    fn info(&self) -> EncoderInfo {
        self.info.clone()
    }
    fn token_encoder(&self) -> Option<&dyn TokenEncoder> {
        Some(self)
    }
}
