//! What a student is distilled from: a cache's texts and vectors, and the texts that fidelity is measured on.

use limbeck_data::cache::{Cache, Fingerprint, Shard, Slice, TokenVectors};
use limbeck_data::{Monitor, files, text};
use limbeck_encoder::{TokenBatch, Tokenizer, normalise};

use super::documents::Documents;
use crate::error::{Error, Result};
use crate::tokenise::tokenise;

/// About this many texts of a cache are held out of training and measure fidelity.
pub const HELD_OUT: usize = 2_000;

/// The cached vectors that a student learns, and those that it is measured on.
pub struct Targets<'a> {
    /// The texts and vectors to learn from.
    pub cache: &'a Cache,
    /// Texts that were held out when the cache was made. Without them a share of `cache` is held out by the texts'
    /// hash.
    pub held_out: Option<&'a Cache>,
    /// The student's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Longer texts are cut.
    pub max_tokens: Option<usize>,
}

/// Texts never trained on, with the teacher's vectors.
#[derive(Debug, Clone)]
pub struct HeldOut {
    /// The texts.
    pub texts: Vec<String>,
    /// `texts × dimension`, rows of length 1.
    pub vectors: Vec<f32>,
    /// The width of the vectors.
    pub dimension: usize,
}

impl HeldOut {
    fn new(dimension: usize) -> Self {
        Self { texts: Vec::new(), vectors: Vec::new(), dimension }
    }

    /// Refuses held-out texts of `cache` that are too few to measure anything.
    fn enough(self, cache: &Cache) -> Result<Self> {
        if self.texts.len() >= 2 {
            return Ok(self);
        }
        let reason = format!("{} texts to measure fidelity on are too few", self.texts.len());
        Err(Error::targets(cache.path(), reason))
    }

    /// A hash of the texts.
    pub fn hash(&self) -> String {
        let lines = self.texts.iter().map(|text| files::sha256_bytes(text.as_bytes()));
        files::sha256_bytes(lines.collect::<String>().as_bytes())
    }
}

/// What one pass over the cache finds.
pub struct Survey {
    /// How often each token occurs in the texts to train on.
    pub frequencies: Vec<u64>,
    /// The cache's slices.
    pub slices: Vec<Slice>,
    /// How many texts to train on each slice has.
    pub train_rows: Vec<usize>,
    /// How many of these are whole documents.
    pub documents: Vec<usize>,
    /// A hash of all texts and vectors to train on.
    pub hash: String,
    /// The mean of the vectors to train on, each of length 1.
    pub mean: Vec<f32>,
    /// The texts to measure fidelity on.
    pub held_out: HeldOut,
}

/// Texts to train on, tokenised, with their targets (`texts × dimension`, rows of length 1).
pub struct Examples {
    /// The tokens of the texts.
    pub tokens: TokenBatch,
    /// `texts × dimension`
    pub targets: Vec<f32>,
}

/// Whether the hash of `text`, its bits reversed, is among the smallest `share` of all. Reversed, because the
/// preparation of the text may have held out the texts with the smallest hashes: none of them would be left.
fn is_held_out(text: &str, share: f64) -> bool {
    is_below(text::hash(text).reverse_bits(), share)
}

fn is_below(hash: u64, share: f64) -> bool {
    (hash as f64) < share * u64::MAX as f64
}

/// Appends `vector`, scaled to length 1; whether it has a direction, without which nothing is appended.
fn push_unit(all: &mut Vec<f32>, vector: &[f32]) -> bool {
    let start = all.len();
    all.extend_from_slice(vector);
    let has_direction = normalise(&mut all[start..]);
    if !has_direction {
        all.truncate(start);
    }
    has_direction
}

/// The share of `rows` that is about [`HELD_OUT`] texts, at most `most`.
fn share(rows: u64, most: f64) -> f64 {
    (HELD_OUT as f64 / rows.max(1) as f64).min(most)
}

impl Targets<'_> {
    /// The width of the targets.
    pub fn dimension(&self) -> usize {
        self.cache.dimension()
    }

    /// The rows of a student's table: the tokenizer's tokens, and the empty token.
    pub fn vocabulary(&self) -> usize {
        self.tokenizer.vocabulary() + 1
    }

    /// The teacher's vectors of this tokenizer's tokens, where the cache has them: those made for this tokenizer, or
    /// those of the teacher's tokens where both tokenizers have the same.
    ///
    /// # Errors
    /// A cache that can't be read, and vectors of another width.
    pub fn token_vectors(&self) -> Result<Option<TokenVectors>> {
        let of_width = |vectors: Option<TokenVectors>| match vectors.as_ref().map(|vectors| vectors.dimension) {
            Some(width) if width != self.dimension() => {
                let reason = format!("its tokens have vectors of {width} numbers, its texts of {}", self.dimension());
                Err(Error::targets(self.cache.path(), reason))
            }
            _ => Ok(vectors),
        };
        if let Some(vectors) = of_width(self.cache.student_tokens(self.tokenizer.json())?)? {
            return Ok(Some(vectors));
        }
        let same = |vectors: &TokenVectors| {
            let token = |id: usize| self.tokenizer.token(id as u32).unwrap_or_default();
            vectors.texts.len() == self.vocabulary()
                && (0..self.tokenizer.vocabulary()).all(|id| vectors.texts[id] == token(id))
        };
        of_width(self.cache.tokens()?.filter(same))
    }

    /// Refuses a cache that is not complete, and a held-out cache of another teacher.
    ///
    /// # Errors
    /// Names the cache.
    pub fn check(&self) -> Result<()> {
        for cache in std::iter::once(self.cache).chain(self.held_out) {
            if !cache.complete() {
                let reason = format!("the cache is not complete ({} rows are there)", cache.rows());
                return Err(Error::targets(cache.path(), reason));
            }
            if cache.rows() == 0 {
                return Err(Error::targets(cache.path(), "the cache holds no text"));
            }
        }
        let Some(held_out) = self.held_out else { return Ok(()) };
        if held_out.dimension() != self.cache.dimension() {
            let reason =
                format!("has vectors of {} numbers, the targets have {}", held_out.dimension(), self.dimension());
            return Err(Error::targets(held_out.path(), reason));
        }
        let makers = [self.cache, held_out].map(|cache| {
            cache.fingerprint().map(|fingerprint| Fingerprint { text: String::new(), ..fingerprint.clone() })
        });
        match &makers {
            [Some(one), Some(other)] if one != other => {
                let reason = "was made by another teacher, or in another way, than the targets";
                Err(Error::targets(held_out.path(), reason))
            }
            _ => Ok(()),
        }
    }

    /// Reads the whole cache once: counts tokens and `documents`, and takes the held-out texts.
    ///
    /// # Errors
    /// A cache that can't be read or has too few texts.
    pub fn survey(&self, documents: Option<&Documents>, monitor: Monitor) -> Result<Survey> {
        self.check()?;
        let bar = monitor.stage("counting tokens", Some(self.cache.rows()), "texts");
        let mut frequencies = vec![0u64; self.vocabulary()];
        let slices = self.cache.slices();
        let (mut train_rows, mut documents_of) = (Vec::with_capacity(slices.len()), Vec::with_capacity(slices.len()));
        let mut sum = vec![0f64; self.dimension()];
        let mut hash = files::sha256_bytes(self.tokenizer.json());
        let mut held_out = HeldOut::new(self.dimension());
        for shard in 0..self.cache.shards() {
            monitor.check()?;
            let read = self.cache.read(shard)?;
            if self.held_out.is_none() {
                self.hold_out(&read, &mut held_out);
            }
            let (examples, kept) = self.examples_and_rows(&read)?;
            examples.tokens.ids().iter().for_each(|&id| frequencies[id as usize] += 1);
            let rows_before = |row: usize| kept.partition_point(|&kept| kept < row);
            let of_shard = slices[train_rows.len()..].iter().take_while(|slice| slice.shard == shard);
            for slice in of_shard {
                let rows = &kept[rows_before(slice.rows.start)..rows_before(slice.rows.end)];
                let count =
                    |documents: &Documents| documents.among(&read, rows).filter(|is_document| *is_document).count();
                train_rows.push(rows.len());
                documents_of.push(documents.map_or(0, count));
            }
            for target in examples.targets.chunks_exact(sum.len()) {
                sum.iter_mut().zip(target).for_each(|(sum, &x)| *sum += f64::from(x));
            }
            let ids = examples.tokens.ids().iter().flat_map(|id| id.to_le_bytes());
            let bytes: Vec<u8> =
                hash.bytes().chain(ids).chain(examples.targets.iter().flat_map(|x| x.to_le_bytes())).collect();
            hash = files::sha256_bytes(&bytes);
            bar.add(self.cache.shard_rows(shard) as u64);
        }
        let texts = train_rows.iter().sum::<usize>();
        if texts == 0 {
            return Err(Error::targets(self.cache.path(), "no text is left to train on"));
        }
        let mean = sum.iter().map(|sum| (sum / texts as f64) as f32).collect();
        let held_out = if self.held_out.is_some() { self.held_out()? } else { held_out.enough(self.cache)? };
        Ok(Survey { frequencies, slices, train_rows, documents: documents_of, hash, mean, held_out })
    }

    /// The texts to measure fidelity on: about [`HELD_OUT`] texts of the cache to learn from; or, of a held-out cache,
    /// about as many with the smallest hashes. All of a held-out cache that the preparation split off by these hashes
    /// are among them.
    ///
    /// # Errors
    /// A cache that can't be read or has too few texts.
    pub fn held_out(&self) -> Result<HeldOut> {
        let cache = self.held_out.unwrap_or(self.cache);
        let mut held_out = HeldOut::new(cache.dimension());
        for shard in 0..cache.shards() {
            self.hold_out(&cache.read(shard)?, &mut held_out);
        }
        held_out.enough(cache)
    }

    /// Adds the texts of a shard to measure fidelity on. The shard is of the held-out cache where there is one, else of
    /// the cache to learn from.
    fn hold_out(&self, shard: &Shard, held_out: &mut HeldOut) {
        let share = self.held_out.map(|cache| share(cache.rows(), 1.0));
        let trains_on = self.training_filter();
        let measures = |text: &str| match share {
            Some(share) => share == 1.0 || is_below(text::hash(text), share),
            None => !trains_on(text),
        };
        for (text, vector) in shard.texts.iter().zip(shard.embeddings.chunks_exact(held_out.dimension)) {
            if measures(text) && push_unit(&mut held_out.vectors, vector) {
                held_out.texts.push(text.clone());
            }
        }
    }

    /// Tells whether a text of the cache to learn from is trained on and not held out.
    pub(crate) fn training_filter(&self) -> impl Fn(&str) -> bool + use<> {
        let share = self.held_out.is_none().then(|| share(self.cache.rows(), 0.05));
        move |text| share.is_none_or(|share| !is_held_out(text, share))
    }

    /// The texts that are trained on, in the cache's order, the first `limit` of them.
    ///
    /// # Errors
    /// A cache that can't be read.
    pub fn training_texts(&self, limit: usize) -> Result<Vec<String>> {
        let (mut texts, trains_on) = (Vec::new(), self.training_filter());
        for shard in 0..self.cache.shards() {
            if texts.len() >= limit {
                break;
            }
            texts.extend(self.cache.read(shard)?.texts.into_iter().filter(|text| trains_on(text)));
        }
        texts.truncate(limit);
        Ok(texts)
    }

    /// The texts of `shard` that [`Targets::examples`] takes.
    pub(super) fn trained_texts(&self, mut shard: Shard) -> Result<Vec<String>> {
        let rows = self.examples_and_rows(&shard)?.1;
        Ok(rows.into_iter().map(|row| std::mem::take(&mut shard.texts[row])).collect())
    }

    /// The texts of `shard` that are trained on.
    ///
    /// # Errors
    /// Those of the tokenizer.
    pub fn examples(&self, shard: &Shard) -> Result<Examples> {
        Ok(self.examples_and_rows(shard)?.0)
    }

    /// The texts of `shard` that are trained on, and their rows in the shard, in order.
    pub(super) fn examples_and_rows(&self, shard: &Shard) -> Result<(Examples, Vec<usize>)> {
        let dimension = self.dimension();
        let (mut kept, mut rows) = (Vec::with_capacity(shard.texts.len()), Vec::with_capacity(shard.texts.len()));
        let (mut targets, trains_on) = (Vec::with_capacity(shard.embeddings.len()), self.training_filter());
        for (row, (text, vector)) in shard.texts.iter().zip(shard.embeddings.chunks_exact(dimension)).enumerate() {
            if trains_on(text) && push_unit(&mut targets, vector) {
                kept.push(text.as_str());
                rows.push(row);
            }
        }
        Ok((Examples { tokens: self.tokenise(&kept)?, targets }, rows))
    }

    /// The token of a text without any other.
    pub(super) fn empty_token(&self) -> u32 {
        self.vocabulary() as u32 - 1
    }

    /// `texts` as the student reads them: no special tokens, and the empty token for a text without any other.
    ///
    /// # Errors
    /// Those of the tokenizer.
    pub fn tokenise(&self, texts: &[&str]) -> Result<TokenBatch> {
        tokenise(self.tokenizer, texts, self.max_tokens, self.empty_token())
    }
}
