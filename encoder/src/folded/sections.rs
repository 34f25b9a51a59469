//! The sections of a folded file.

use std::fmt;

use super::{
    Precision,
    layout::{ConvolutionName, FoldedLayout, table_number},
    lexical::LexicalShape,
};

/// Which section of a folded file; `Display` gives the section's name in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SectionName {
    /// The table's rows.
    Rows,
    /// A convolution's bias.
    Bias(ConvolutionName),
    /// The value of a sum of 1, filter by filter (int8 only).
    Unit(ConvolutionName),
    AttentionWeight,
    AttentionBias,
    HeadWeight,
    HeadBias,
    /// The scales, feature block by feature block and output by output (int8 only).
    HeadScale,
    /// Where each word of the lexical half begins, and where the last one ends.
    LexicalOffsets,
    /// The words, one after another, in ascending order.
    LexicalWords,
    LexicalRows,
    /// A scale for each of these rows (int8 only).
    LexicalScale,
    /// The tokenizer.json.
    Tokenizer,
}

impl fmt::Display for SectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows => f.write_str("rows"),
            Self::Bias(convolution) => write!(f, "{convolution} bias"),
            Self::Unit(convolution) => write!(f, "{convolution} unit"),
            Self::AttentionWeight => f.write_str("attention weight"),
            Self::AttentionBias => f.write_str("attention bias"),
            Self::HeadWeight => f.write_str("head weight"),
            Self::HeadBias => f.write_str("head bias"),
            Self::HeadScale => f.write_str("head scale"),
            Self::LexicalOffsets => f.write_str("lexical offsets"),
            Self::LexicalWords => f.write_str("lexical words"),
            Self::LexicalRows => f.write_str("lexical rows"),
            Self::LexicalScale => f.write_str("lexical scale"),
            Self::Tokenizer => f.write_str("tokenizer"),
        }
    }
}

/// All sections with their lengths in bytes, in the order of the file; `tokenizer` is the length of the tokenizer.json.
pub(super) fn sections(
    layout: &FoldedLayout,
    lexical: Option<&LexicalShape>,
    tokenizer: usize,
) -> Vec<(SectionName, usize)> {
    let is_int8 = layout.precision == Precision::Int8;
    let mut sections = Vec::new();
    let mut add = |name, count: usize, bytes: usize| sections.push((name, count * bytes));
    add(SectionName::Rows, layout.vocabulary * layout.stride, table_number(layout.precision));
    for (name, taps) in layout.convolutions() {
        add(SectionName::Bias(name), taps.filters, 4);
        if is_int8 {
            add(SectionName::Unit(name), taps.filters, 4);
        }
    }
    if let Some(taps) = &layout.score {
        add(SectionName::AttentionWeight, taps.filters * layout.attended_lanes, 4);
        add(SectionName::AttentionBias, layout.attended_lanes, 4);
    }
    if !layout.blocks.is_empty() {
        add(SectionName::HeadWeight, layout.features * layout.outputs, if is_int8 { 1 } else { 4 });
        add(SectionName::HeadBias, layout.outputs, 4);
        if is_int8 {
            add(SectionName::HeadScale, layout.blocks.len() * layout.outputs, 4);
        }
    }
    if let Some(&LexicalShape { words, dimension, bytes }) = lexical {
        add(SectionName::LexicalOffsets, words + 1, 4);
        add(SectionName::LexicalWords, bytes, 1);
        add(SectionName::LexicalRows, words * dimension, table_number(layout.precision));
        if is_int8 {
            add(SectionName::LexicalScale, words, 4);
        }
    }
    add(SectionName::Tokenizer, tokenizer, 1);
    sections
}
