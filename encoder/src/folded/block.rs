//! From the token ids of a block of sentences to their vectors.

use super::{
    Precision,
    attend::AttendScratch,
    file::FoldedFile,
    gather::{Filters, Sentence},
    head::{Head, HeadMatrix, HeadScratch},
    layout::{ConvolutionName, LANES, Taps},
    math,
    score::{ScoreStretch, Scores},
    sections::SectionName,
    simd::{Level, Simd, SimdWork},
    table::Kernel,
};
use crate::TokenBatch;

/// A folded file, and copies of its small sections.
pub(super) struct FoldedModel {
    pub(super) file: FoldedFile,
    max_pooled: Vec<Filters>,
    attention: Option<Scores>,
    head_bias: Vec<[f32; LANES]>,
}

/// Memory for one block, reused for the next.
#[derive(Default)]
pub(super) struct BlockScratch {
    /// The block's sentences.
    pub(super) tokens: TokenBatch,
    /// `[sentences][layout.features]`
    features: Vec<f32>,
    /// `[sentences][layout.outputs]`, where a vector is narrower.
    out: Vec<f32>,
    attention: AttendScratch,
    head: HeadScratch,
}

impl FoldedModel {
    pub(super) fn new(file: FoldedFile) -> Self {
        let filters = |(name, taps): (ConvolutionName, &Taps)| Filters {
            taps: *taps,
            bias: file.floats(SectionName::Bias(name)),
            unit: file.floats(SectionName::Unit(name)),
        };
        let mut convolutions = file.layout.convolutions().map(filters);
        let attention = file.layout.score.is_some().then(|| convolutions.next()).flatten().map(|filters| {
            let (weight, bias) = (SectionName::AttentionWeight, SectionName::AttentionBias);
            Scores::new(filters, file.floats(weight), file.floats(bias))
        });
        let max_pooled = convolutions.collect();
        Self { max_pooled, attention, head_bias: file.floats(SectionName::HeadBias), file }
    }

    /// Encodes the tokens in `scratch`, none of which is outside the vocabulary, into `vectors`.
    pub(super) fn encode(&self, level: Level, scratch: &mut BlockScratch, vectors: &mut [f32]) {
        let layout = &self.file.layout;
        scratch.features.resize(scratch.tokens.rows() * layout.features, 0.0);
        if layout.outputs == layout.dimension {
            return level.run(BlockWork { model: self, scratch, out: vectors });
        }
        let mut out = std::mem::take(&mut scratch.out);
        out.resize(scratch.tokens.rows() * layout.outputs, 0.0);
        level.run(BlockWork { model: self, scratch, out: &mut out });
        let rows = out.chunks_exact(layout.outputs).zip(vectors.chunks_exact_mut(layout.dimension));
        rows.for_each(|(from, to)| to.copy_from_slice(&from[..layout.dimension]));
        scratch.out = out;
    }
}

/// The work on one block.
struct BlockWork<'a> {
    model: &'a FoldedModel,
    scratch: &'a mut BlockScratch,
    /// `[sentences][layout.outputs]`
    out: &'a mut [f32],
}

impl SimdWork for BlockWork<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let file = &self.model.file;
        let stride = file.layout.stride / LANES;
        let (rows, weights) = (file.bytes(SectionName::Rows), file.bytes(SectionName::HeadWeight));
        match file.layout.precision {
            Precision::F32 => {
                let rows: &[[f32; LANES]] = bytemuck::cast_slice(rows);
                self.run_with(Kernel { simd, rows, stride }, HeadMatrix::F32(bytemuck::cast_slice(weights)));
            }
            Precision::F16 => {
                let rows: &[[u16; LANES]] = bytemuck::cast_slice(rows);
                self.run_with(Kernel { simd, rows, stride }, HeadMatrix::F32(bytemuck::cast_slice(weights)));
            }
            Precision::Int8 => {
                let rows: &[[i8; LANES]] = bytemuck::cast_slice(rows);
                let scales = bytemuck::cast_slice(file.bytes(SectionName::HeadScale));
                let weights = HeadMatrix::Int8(bytemuck::cast_slice(weights), scales);
                self.run_with(Kernel { simd, rows, stride }, weights);
            }
        }
    }
}

impl BlockWork<'_> {
    #[inline(always)]
    fn run_with<S: Simd, N: ScoreStretch>(self, kernel: Kernel<'_, S, N>, weights: HeadMatrix<'_>) {
        let Self { model, scratch: BlockScratch { tokens, features, attention, head, .. }, out } = self;
        let layout = &model.file.layout;
        let empty = [model.file.header.empty_token];
        for (index, (ids, out)) in tokens.iter().zip(out.chunks_exact_mut(layout.outputs)).enumerate() {
            let ids = if ids.is_empty() { &empty } else { ids };
            let next = if index + 1 < tokens.rows() { tokens.row(index + 1) } else { &[] };
            let features = &mut features[index * layout.features..(index + 1) * layout.features];
            kernel.sentence(model, Sentence { ids, next }, attention, features, out);
        }
        if layout.features > 0 {
            Head { layout, weights, bias: &model.head_bias }.multiply(kernel.simd, features, head, out);
        }
        // A plain loop: an iterator's function would be compiled without this level's instructions.
        for row in out.chunks_exact_mut(layout.outputs) {
            math::normalise(row);
        }
    }
}

impl<S: Simd, N: ScoreStretch> Kernel<'_, S, N> {
    /// Writes one sentence's features, and to `out` the mean of its skip rows (zeros where the student has none).
    #[inline(always)]
    fn sentence(
        self,
        model: &FoldedModel,
        sentence: Sentence<'_>,
        scratch: &mut AttendScratch,
        features: &mut [f32],
        out: &mut [f32],
    ) {
        let layout = &model.file.layout;
        // Attention prefetches the next sentence's rows, as many as this sentence has.
        let mut fetched = 0;
        if let (Some(scores), Some(embedding)) = (&model.attention, layout.embedding) {
            let attended = &mut features[layout.features - layout.attended * embedding.width..];
            self.attend(scores, embedding, sentence, scratch, attended);
            fetched = sentence.ids.len();
        }
        self.prefetch(sentence, fetched, usize::MAX);
        for (filters, block) in model.max_pooled.iter().zip(&layout.blocks) {
            self.max_pool(filters, sentence.ids, &mut features[block.at..block.at + block.width]);
        }
        match layout.skip {
            Some(place) => self.mean(place, sentence.ids, out),
            None => out.fill(0.0),
        }
    }
}
