//! Where everything lies in a folded file, worked out from the student's shape alone.
//!
//! ```text
//! row of token v:  [scales] embedding | score taps | max-pool taps, a convolution after another | skip
//! ```
//!
//! All that a position needs lies in one run of bytes. Widths are padded to [`LANES`] with zeros, so no loop has a tail.

use serde::{Deserialize, Serialize};

use super::{Parts, Precision};
use crate::Error;

/// Every width inside is padded to a multiple of this many numbers.
pub const LANES: usize = 32;
/// The columns of attention weights (one a head, one for the plain mean) are padded to a multiple of this.
pub const HEAD_LANES: usize = 16;
/// Rows and sections begin at multiples of this many bytes.
pub const ALIGNMENT: usize = 64;
/// The widest a block of the head may be: 255 · 127 · 65,536 still fits an i32.
const WIDEST_BLOCK: usize = 65_536;
/// The greatest sum of a convolution's taps in int8: an i16's. A convolution of width 257 reaches it with every factor 1.
const GREATEST_SUM: usize = i16::MAX as usize;
/// The same of a score's convolution, to whose sums a bias as large may be added: width 129.
const GREATEST_SCORE_SUM: usize = GREATEST_SUM / 2;

/// So many taps of ±127 stay within the limit: an odd number.
fn widest(limit: usize) -> usize {
    (limit / 127 - 1) | 1
}

/// What a student is made of: numbers only, as in the file's header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    pub vocabulary: usize,
    pub dimension: usize,
    pub max_pooled: Vec<ConvolutionShape>,
    pub attention: Option<AttentionShape>,
    pub skip_table: bool,
}

/// A convolution's width and number of filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvolutionShape {
    pub width: usize,
    pub filters: usize,
}

/// The attention's widths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionShape {
    pub width_of_embedding: usize,
    pub heads: usize,
    pub skip: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_values: bool,
    pub score: ConvolutionShape,
}

impl Shape {
    /// The shape of `parts`, which have been checked.
    pub fn of(parts: &Parts) -> Self {
        let convolution = |c: &super::Convolution| ConvolutionShape { width: c.width, filters: c.filters };
        Self {
            vocabulary: parts.vocabulary,
            dimension: parts.dimension,
            max_pooled: parts.max_pooled.iter().flat_map(|m| &m.convolutions).map(convolution).collect(),
            attention: parts.attention.as_ref().map(|a| AttentionShape {
                width_of_embedding: a.width_of_embedding,
                heads: a.score_bias.len(),
                skip: a.skip.is_some(),
                own_values: a.own_values,
                score: convolution(&a.score),
            }),
            skip_table: parts.skip_table.is_some(),
        }
    }

    /// Whether a student of this shape can be folded, in int8 as in the other precisions.
    ///
    /// # Errors
    /// [`Error::Parts`] says what is too wide, or makes no sense.
    pub fn check(&self) -> Result<(), Error> {
        Layout::new(self, Precision::Int8).map(drop).map_err(|what| Error::Parts { what })
    }

    /// Whether the heads' own values lie side by side without padding: then they are one block of the head, which costs less
    /// than a narrow block each.
    pub fn values_without_gaps(&self) -> bool {
        self.attention.is_some_and(|a| a.own_values && a.width_of_embedding.is_multiple_of(LANES))
    }
}

/// A convolution's place in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taps {
    /// Where its first tap begins, in numbers.
    pub at: usize,
    pub width: usize,
    /// Its filters, padded.
    pub filters: usize,
    /// Which byte of a row's head holds the factor of its numbers (int8 only).
    pub factor_at: usize,
    /// What its taps may add up to (int8 only).
    pub limit: usize,
}

impl Taps {
    /// The greatest factor, a power of two up to 16, with which `width` taps of ±127 add up to no more than the limit.
    pub fn greatest_factor(&self) -> usize {
        [16, 8, 4, 2].into_iter().find(|factor| 127 * factor * self.width <= self.limit).unwrap_or(1)
    }

    /// Whether a score's factors were other ones in files of version 1, whose limit was that of max-pooling.
    pub fn other_before(&self) -> bool {
        Self { limit: GREATEST_SUM, ..*self }.greatest_factor() != self.greatest_factor()
    }

    /// What taps add up to at most (int8 only).
    pub fn greatest_sum(&self) -> usize {
        127 * self.greatest_factor() * self.width
    }
}

/// What heads attend to, in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedding {
    /// Where it begins, in numbers.
    pub at: usize,
    /// Its width, or that of a head's values, padded.
    pub width: usize,
    /// From one head's values to the next one's; 0 where all attend to the same.
    pub step: usize,
}

/// A stretch of what the head multiplies: the features of a convolution, an attention head, all heads' own values, or the
/// plain mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Where it begins among a sentence's features.
    pub at: usize,
    /// Its width, padded.
    pub width: usize,
}

/// Where the numbers of a row and of the head lie. Counts are of numbers, whatever their width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub precision: Precision,
    pub vocabulary: usize,
    pub dimension: usize,
    /// The dimension, padded.
    pub outputs: usize,
    /// From a row to the next.
    pub stride: usize,
    pub max_pooled: Vec<Taps>,
    pub score: Option<Taps>,
    /// Where the embedding begins in a row.
    pub embedding: Option<Embedding>,
    /// Where the skip row begins in a row; it is `outputs` wide.
    pub skip: Option<usize>,
    /// Heads of the attention, without the plain mean.
    pub heads: usize,
    /// Columns of attention weights: the heads, and the plain mean where the attention has a skip.
    pub attended: usize,
    /// The same, padded.
    pub attended_lanes: usize,
    /// What the head multiplies: convolutions first, then what was attended to.
    pub blocks: Vec<Block>,
    /// The sum of the blocks' widths.
    pub features: usize,
}

impl Layout {
    /// Works the layout out; an error says what is too large or makes no sense.
    pub fn new(shape: &Shape, precision: Precision) -> Result<Self, String> {
        if shape.vocabulary == 0 || shape.dimension == 0 {
            return Err("no vocabulary or no dimension".into());
        }
        if shape.max_pooled.is_empty() && shape.attention.is_none() && !shape.skip_table {
            return Err("a student of no parts".into());
        }
        if shape.skip_table && shape.attention.is_some_and(|attention| attention.skip) {
            return Err("two skips".into());
        }
        if shape.attention.is_some_and(|attention| attention.skip && attention.own_values) {
            return Err("a skip over embeddings that aren't there".into());
        }
        let number = table_number(precision);
        // The head of an int8 row: the embedding's scale, the skip's scale, a factor a convolution.
        let mut row = Run::default();
        if precision == Precision::Int8 {
            row.take(9 + shape.max_pooled.len(), LANES)?;
        }
        let embedding = shape.attention.map(|a| row.embedding(a)).transpose()?;
        let score = shape.attention.map(|a| row.taps(a.score, 8, GREATEST_SCORE_SUM)).transpose()?;
        let max_pooled = (shape.max_pooled.iter().enumerate())
            .map(|(index, &convolution)| row.taps(convolution, 9 + index, GREATEST_SUM))
            .collect::<Result<Vec<_>, _>>()?;
        let skip = shape.skip_table.then(|| row.padded(shape.dimension)).transpose()?.map(|(at, _)| at);
        row.take(0, LANES.max(ALIGNMENT / number))?;
        let stride = row.end;

        let heads = shape.attention.map_or(0, |a| a.heads);
        if shape.attention.is_some() && heads == 0 {
            return Err("attention without heads".into());
        }
        let attended = checked(heads.checked_add(usize::from(shape.attention.is_some_and(|a| a.skip))))?;
        let mut features = Run::default();
        let mut blocks = Vec::new();
        for taps in &max_pooled {
            blocks.push(features.padded(taps.filters)?);
        }
        let width = embedding.map_or(0, |embedding| embedding.width);
        if shape.values_without_gaps() {
            blocks.push(features.padded(checked(heads.checked_mul(width))?)?);
        } else {
            for _ in 0..attended.min(1 << 16) {
                blocks.push(features.padded(width)?);
            }
        }
        if attended > 1 << 16 || blocks.iter().any(|&(_, width)| width > WIDEST_BLOCK) {
            return Err(format!("more than {WIDEST_BLOCK} features of a convolution or of attention"));
        }
        let outputs = pad(shape.dimension)?;
        // Everything else is smaller than these two, counted in bytes.
        checked(stride.checked_mul(4).and_then(|bytes| bytes.checked_mul(shape.vocabulary)))?;
        checked(features.end.checked_mul(4).and_then(|bytes| bytes.checked_mul(outputs)))?;
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
            heads,
            attended,
            attended_lanes: checked(attended.checked_next_multiple_of(HEAD_LANES))?,
            blocks: blocks.into_iter().map(|(at, width)| Block { at, width }).collect(),
            features: features.end,
        })
    }

    /// All sections but the tokenizer's, with their lengths in bytes, in the order of the file.
    pub fn sections(&self) -> Vec<(String, usize)> {
        let mut sections = vec![("rows".to_owned(), self.vocabulary * self.stride * table_number(self.precision))];
        let floats = |name: String, count: usize| (name, count * 4);
        let convolutions = self.score.iter().map(|taps| ("score".to_owned(), taps));
        let pooled = self.max_pooled.iter().enumerate().map(|(index, taps)| (format!("convolution {index}"), taps));
        for (name, taps) in convolutions.chain(pooled) {
            sections.push(floats(format!("{name} bias"), taps.filters));
            if self.precision == Precision::Int8 {
                sections.push(floats(format!("{name} unit"), taps.filters));
            }
        }
        if let Some(taps) = &self.score {
            sections.push(floats("attention weight".into(), taps.filters * self.attended_lanes));
            sections.push(floats("attention bias".into(), self.attended_lanes));
        }
        if !self.blocks.is_empty() {
            let number = if self.precision == Precision::Int8 { 1 } else { 4 };
            sections.push(("head weight".into(), self.features * self.outputs * number));
            sections.push(floats("head bias".into(), self.outputs));
            if self.precision == Precision::Int8 {
                sections.push(floats("head scale".into(), self.blocks.len() * self.outputs));
            }
        }
        sections
    }
}

/// The bytes of one number of a table.
fn table_number(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 4,
        Precision::F16 => 2,
        Precision::Int8 => 1,
    }
}

/// A run of numbers that is handed out piece by piece.
#[derive(Default)]
struct Run {
    end: usize,
}

impl Run {
    /// The next `count` numbers; the end is then rounded up to `multiple`.
    fn take(&mut self, count: usize, multiple: usize) -> Result<usize, String> {
        let at = self.end;
        self.end = checked(at.checked_add(count).and_then(|end| end.checked_next_multiple_of(multiple)))?;
        Ok(at)
    }

    fn padded(&mut self, count: usize) -> Result<(usize, usize), String> {
        if count == 0 {
            return Err("a part of width 0".into());
        }
        let width = pad(count)?;
        Ok((self.take(width, 1)?, width))
    }

    fn embedding(&mut self, shape: AttentionShape) -> Result<Embedding, String> {
        let (at, width) = self.padded(shape.width_of_embedding)?;
        if !shape.own_values {
            return Ok(Embedding { at, width, step: 0 });
        }
        self.take(checked(shape.heads.saturating_sub(1).checked_mul(width))?, 1)?;
        Ok(Embedding { at, width, step: width })
    }

    fn taps(&mut self, shape: ConvolutionShape, factor_at: usize, limit: usize) -> Result<Taps, String> {
        let ConvolutionShape { width, filters } = shape;
        let widest = widest(limit);
        if width.is_multiple_of(2) || width > widest {
            return Err(format!("a convolution of width {width} (odd ones to {widest} are possible)"));
        }
        if filters == 0 || filters > WIDEST_BLOCK {
            return Err(format!("a convolution of {filters} filters (1 to {WIDEST_BLOCK} are possible)"));
        }
        let filters = pad(filters)?;
        let at = self.take(checked(filters.checked_mul(width))?, 1)?;
        Ok(Taps { at, width, filters, factor_at, limit })
    }
}

fn pad(count: usize) -> Result<usize, String> {
    checked(count.checked_next_multiple_of(LANES))
}

fn checked(number: Option<usize>) -> Result<usize, String> {
    number.filter(|&number| number <= isize::MAX as usize).ok_or_else(|| "sizes beyond any memory".into())
}
