//! The places of a student's numbers in a table row and in the output head, worked out from the student's shape alone.
//!
//! ```text
//! row of token v:  [scales] embedding | score taps | max-pool taps, one convolution after another | skip
//! ```
//!
//! Everything that a token contributes lies in one run of bytes. Widths are padded with zeros to a multiple of
//! [`LANES`], so no loop has a tail.

use std::fmt;

use super::{
    Precision,
    shape::{AttentionShape, ConvolutionShape, Shape},
};
use crate::Error;

/// Widths in a row are padded to a multiple of this many numbers.
pub(super) const LANES: usize = 32;
/// The columns of the score matrix (one for each head, one for the plain mean) are padded to a multiple of this.
pub(super) const HEAD_LANES: usize = 16;
/// Rows and sections begin at multiples of this many bytes.
pub(super) const ALIGNMENT: usize = 64;
/// The greatest width of a feature block: 255 · 127 · 65,536 still fits an i32.
const WIDEST_BLOCK: usize = 65_536;
/// The greatest sum of a convolution's int8 taps, an i16's. A convolution of width 257 reaches it with every factor 1.
const GREATEST_SUM: usize = i16::MAX as usize;
/// The greatest sum of a score convolution's int8 taps, to which a bias of the same magnitude may be added: width 129.
const GREATEST_SCORE_SUM: usize = GREATEST_SUM / 2;

impl Shape {
    /// Whether a student of this shape can be folded, in int8 as in the other precisions.
    ///
    /// # Errors
    /// [`Error::Parts`] says which size is too large, or contradicts another.
    pub fn check(&self) -> crate::Result<()> {
        FoldedLayout::new(self, Precision::Int8).map(drop).map_err(|what| Error::Parts { what })
    }

    /// Whether the heads' own values lie side by side without padding. The output head then takes them as one feature
    /// block, which costs less than a narrow block for each head.
    pub(super) fn values_without_gaps(&self) -> bool {
        self.attention.is_some_and(|a| a.own_values && a.width_of_embedding.is_multiple_of(LANES))
    }
}

/// Which convolution of a student; `Display` gives the beginning of its sections' names in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConvolutionName {
    Score,
    MaxPooled(usize),
}

impl fmt::Display for ConvolutionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Score => f.write_str("score"),
            Self::MaxPooled(index) => write!(f, "convolution {index}"),
        }
    }
}

/// A convolution's place in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taps {
    /// The place of the first tap, in numbers.
    pub(super) at: usize,
    pub(super) width: usize,
    /// How many filters, padded.
    pub(super) filters: usize,
    /// Which byte at the front of a row holds the row's factor for this convolution (int8 only).
    pub(super) factor_at: usize,
    /// What the taps may add up to (int8 only).
    pub(super) limit: usize,
}

impl Taps {
    /// The greatest factor, a power of two up to 16, with which `width` taps of ±127 add up to no more than the limit.
    pub(super) fn greatest_factor(&self) -> usize {
        [16, 8, 4, 2].into_iter().find(|factor| 127 * factor * self.width <= self.limit).unwrap_or(1)
    }

    /// Whether files of version 1, in which a score's limit was max-pooling's, had other factors for this convolution.
    pub(super) fn differ_in_version_1(&self) -> bool {
        Self { limit: GREATEST_SUM, ..*self }.greatest_factor() != self.greatest_factor()
    }

    /// The greatest sum of the taps (int8 only).
    pub(super) fn greatest_sum(&self) -> usize {
        127 * self.greatest_factor() * self.width
    }
}

/// The place in a row of the numbers that heads attend to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Values {
    /// The place of the first number.
    pub(super) at: usize,
    /// The width of the embedding, or of one head's values, padded.
    pub(super) width: usize,
    /// The distance from one head's values to the next head's; 0 where all heads attend to the embedding.
    pub(super) step: usize,
}

/// A block of a sentence's features, quantised with one scale: a convolution's, an attention head's, all heads' own
/// values, or the plain mean's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FeatureBlock {
    /// The place of the first feature.
    pub(super) at: usize,
    /// How many features, padded.
    pub(super) width: usize,
}

/// The places of all numbers of a row and of the output head. Counts are of numbers, not of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoldedLayout {
    pub(super) precision: Precision,
    pub(super) vocabulary: usize,
    pub(super) dimension: usize,
    /// The dimension, padded.
    pub(super) outputs: usize,
    /// The distance from a row to the next.
    pub(super) stride: usize,
    pub(super) max_pooled: Vec<Taps>,
    pub(super) score: Option<Taps>,
    /// What heads attend to in a row.
    pub(super) embedding: Option<Values>,
    /// The place of the skip in a row; `outputs` numbers.
    pub(super) skip: Option<usize>,
    /// How many columns the score matrix has: the heads, and the plain mean where the attention has a skip.
    pub(super) attended: usize,
    /// [`FoldedLayout::attended`], padded.
    pub(super) attended_lanes: usize,
    /// The features that the output head multiplies: convolutions first, then attention.
    pub(super) blocks: Vec<FeatureBlock>,
    /// The sum of the blocks' widths.
    pub(super) features: usize,
}

impl FoldedLayout {
    /// Works out the layout; an error says which size is too large, or contradicts another.
    pub(super) fn new(shape: &Shape, precision: Precision) -> Result<Self, String> {
        if shape.vocabulary == 0 || shape.dimension == 0 {
            return Err("vocabulary and dimension must be above zero".into());
        }
        if shape.max_pooled.is_empty() && shape.attention.is_none() && !shape.skip_table {
            return Err("neither max-pooled convolutions nor attention nor a skip table".into());
        }
        if let Some(AttentionShape { width_of_embedding, heads, skip, own_values, .. }) = shape.attention {
            if width_of_embedding == 0 || heads == 0 {
                return Err(format!("attention of {heads} heads over embeddings {width_of_embedding} wide"));
            }
            if shape.skip_table && skip {
                return Err("a skip table beside an attention that has a skip".into());
            }
            if skip && own_values {
                return Err("heads with values of their own beside a skip over embeddings".into());
            }
        }
        let outputs = pad(shape.dimension, LANES);
        let mut row = PlaceCursor::default();
        if precision == Precision::Int8 {
            // The front of an int8 row: the embedding's scale, the skip's scale, a factor for each convolution.
            row.take(pad(9 + shape.max_pooled.len(), LANES));
        }
        let embedding = shape.attention.map(|a| row.embedding(a));
        let score = shape.attention.map(|a| row.taps(a.score, 8, GREATEST_SCORE_SUM)).transpose()?;
        let max_pooled = (shape.max_pooled.iter().zip(9..))
            .map(|(&convolution, factor_at)| row.taps(convolution, factor_at, GREATEST_SUM))
            .collect::<Result<Vec<_>, _>>()?;
        let skip = shape.skip_table.then(|| row.take(outputs));
        let stride = pad(row.end, LANES.max(ALIGNMENT / table_number(precision)));

        let heads = shape.attention.map_or(0, |a| a.heads);
        let attended = heads.saturating_add(usize::from(shape.attention.is_some_and(|a| a.skip)));
        let width = embedding.map_or(0, |embedding| embedding.width);
        let mut features = PlaceCursor::default();
        let mut blocks: Vec<_> = max_pooled.iter().map(|taps| features.block(taps.filters)).collect();
        if shape.values_without_gaps() {
            blocks.push(features.block(heads.saturating_mul(width)));
        } else {
            blocks.extend((0..attended.min(WIDEST_BLOCK)).map(|_| features.block(width)));
        }
        if attended > WIDEST_BLOCK || blocks.iter().any(|block| block.width > WIDEST_BLOCK) {
            return Err(format!("more than {WIDEST_BLOCK} features of a convolution or of attention"));
        }
        // In bytes, these two are the greatest of all sizes.
        for [width, rows] in [[stride, shape.vocabulary], [features.end, outputs]] {
            let bytes = width.checked_mul(4).and_then(|bytes| bytes.checked_mul(rows));
            bytes.filter(|&bytes| bytes <= isize::MAX as usize).ok_or("sizes beyond any memory")?;
        }
        Ok(Self {
            precision,
            vocabulary: shape.vocabulary,
            dimension: shape.dimension,
            outputs,
            stride,
            max_pooled,
            score,
            embedding,
            skip,
            attended,
            attended_lanes: pad(attended, HEAD_LANES),
            blocks,
            features: features.end,
        })
    }

    /// The convolutions in the order of the file: the score's first.
    pub(super) fn convolutions(&self) -> impl Iterator<Item = (ConvolutionName, &Taps)> {
        let score = self.score.iter().map(|taps| (ConvolutionName::Score, taps));
        let pooled = self.max_pooled.iter().enumerate();
        score.chain(pooled.map(|(index, taps)| (ConvolutionName::MaxPooled(index), taps)))
    }
}

/// How many bytes a number of a table has.
pub(super) fn table_number(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 4,
        Precision::F16 => 2,
        Precision::Int8 => 1,
    }
}

/// Hands out the places of a row or of the features, one after another. Places beyond `usize` stay at its end.
#[derive(Default)]
struct PlaceCursor {
    end: usize,
}

impl PlaceCursor {
    /// The place of the next `count` numbers.
    fn take(&mut self, count: usize) -> usize {
        let end = self.end.saturating_add(count);
        std::mem::replace(&mut self.end, end)
    }

    fn block(&mut self, count: usize) -> FeatureBlock {
        let width = pad(count, LANES);
        FeatureBlock { at: self.take(width), width }
    }

    fn embedding(&mut self, shape: AttentionShape) -> Values {
        let width = pad(shape.width_of_embedding, LANES);
        let (count, step) = if shape.own_values { (shape.heads, width) } else { (1, 0) };
        Values { at: self.take(width.saturating_mul(count)), width, step }
    }

    fn taps(&mut self, shape: ConvolutionShape, factor_at: usize, limit: usize) -> Result<Taps, String> {
        let ConvolutionShape { width, filters } = shape;
        // The greatest odd number of taps of ±127 whose sum stays within the limit.
        let widest = (limit / 127 - 1) | 1;
        if width.is_multiple_of(2) || width > widest {
            return Err(format!("a convolution of width {width} (odd ones to {widest} are possible)"));
        }
        if filters == 0 || filters > WIDEST_BLOCK {
            return Err(format!("a convolution of {filters} filters (1 to {WIDEST_BLOCK} are possible)"));
        }
        let filters = pad(filters, LANES);
        Ok(Taps { at: self.take(filters * width), width, filters, factor_at, limit })
    }
}

/// `count`, rounded up to a multiple of `multiple`.
fn pad(count: usize, multiple: usize) -> usize {
    count.div_ceil(multiple).saturating_mul(multiple)
}
