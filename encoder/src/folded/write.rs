//! Folding a student's numbers into a file.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{
    Convolution, Parts, Precision,
    file::{self, Content, Header},
    layout::{HEAD_LANES, LANES, Layout, Shape, Taps},
    quantise::{HeadColumns, Rows},
};
use crate::{Error, Result, Tokenizer};

/// Writes `parts` as one folded file at `path` and says how many bytes it has.
///
/// The file is written beside its place, synced and renamed, so an earlier file there stays until the new one is whole.
///
/// # Errors
/// When the parts do not fit together or hold a number that is not finite (or, in f16, a table has one beyond 65,504), when the tokenizer can't be read or has ids outside the
/// vocabulary, or when the file can't be written.
pub fn write(path: &Path, parts: &Parts, precision: Precision) -> Result<u64> {
    parts.check()?;
    if precision == Precision::F16 {
        parts.check_halves()?;
    }
    let tokenizer = Tokenizer::from_bytes(&parts.tokenizer, &PathBuf::from("the student's tokenizer"))?;
    if tokenizer.vocabulary() > parts.vocabulary {
        let what =
            format!("a tokenizer with ids up to {}, tables of {} rows", tokenizer.vocabulary() - 1, parts.vocabulary);
        return Err(Error::Parts { what });
    }
    let compared = tokenizer.is_fast();
    drop(tokenizer);
    let shape = Shape::of(parts);
    let layout = Layout::new(&shape, precision).map_err(|what| Error::Parts { what })?;
    let header = Header {
        precision,
        shape,
        empty_token: parts.empty_token,
        max_tokens: parts.max_tokens,
        parameters: parts.parameters,
        metadata: parts.metadata.clone(),
        compared,
        sections: Vec::new(),
    };
    let rows = Rows::new(parts, &layout);
    let head = HeadColumns::new(parts, &layout);
    let mut sections: Vec<(String, usize, Content<'_>)> = Vec::new();
    for (name, bytes) in layout.sections() {
        let content = content(&name, parts, &layout, &rows, &head);
        sections.push((name, bytes, content));
    }
    let json: Content<'_> = Box::new(|to| to.write_all(&parts.tokenizer));
    sections.push(("tokenizer".into(), parts.tokenizer.len(), json));
    file::write(path, header, sections)
}

/// What writes the section called `name`.
fn content<'a>(
    name: &str,
    parts: &'a Parts,
    layout: &'a Layout,
    rows: &'a Rows<'a>,
    head: &'a HeadColumns<'a>,
) -> Content<'a> {
    match name {
        "rows" => Box::new(|to| rows.write(to)),
        "attention weight" => Box::new(|to| floats(to, &attention_weight(parts, layout))),
        "attention bias" => {
            let bias = parts.attention.as_ref().map_or(&[][..], |attention| &attention.score_bias);
            Box::new(move |to| floats(to, &padded(bias, layout.attended_lanes)))
        }
        "head weight" => Box::new(|to| head.write(to)),
        "head scale" => Box::new(|to| floats(to, head.scales())),
        "head bias" => {
            let bias = parts.max_pooled.as_ref().map_or(&[][..], |max_pooled| &max_pooled.bias);
            Box::new(move |to| floats(to, &padded(bias, layout.outputs)))
        }
        name => {
            let found = convolutions(parts, layout).position(|(convolution, ..)| name.starts_with(&convolution));
            let name = name.to_owned();
            Box::new(move |to| {
                let (_, convolution, taps) = found
                    .and_then(|found| convolutions(parts, layout).nth(found))
                    .ok_or_else(|| io::Error::other(format!("section {name} is unknown")))?;
                if name.ends_with("unit") {
                    floats(to, rows.units(found.unwrap_or_default()))
                } else {
                    floats(to, &padded(&convolution.bias, taps.filters))
                }
            })
        }
    }
}

/// All convolutions by their sections' name: the score's first.
pub(super) fn convolutions<'a>(
    parts: &'a Parts,
    layout: &'a Layout,
) -> impl Iterator<Item = (String, &'a Convolution, &'a Taps)> {
    let score = parts.attention.iter().map(|attention| &attention.score).zip(&layout.score);
    let pooled = parts.max_pooled.iter().flat_map(|max_pooled| &max_pooled.convolutions).zip(&layout.max_pooled);
    let score = score.map(|(convolution, taps)| ("score ".to_owned(), convolution, taps));
    let name = |index| format!("convolution {index} ");
    score.chain(pooled.enumerate().map(move |(index, (convolution, taps))| (name(index), convolution, taps)))
}

/// `[lane groups][filters][16]`, from `[heads, filters]`.
fn attention_weight(parts: &Parts, layout: &Layout) -> Vec<f32> {
    let (Some(attention), Some(taps)) = (&parts.attention, &layout.score) else { return Vec::new() };
    let mut packed = vec![0.0; taps.filters * layout.attended_lanes];
    for (head, weights) in attention.score_weight.chunks_exact(attention.score.filters).enumerate() {
        let group = &mut packed[head / HEAD_LANES * taps.filters * HEAD_LANES..];
        for (filter, &weight) in weights.iter().enumerate() {
            group[filter * HEAD_LANES + head % HEAD_LANES] = weight;
        }
    }
    packed
}

/// `values`, and zeros up to `count`.
fn padded(values: &[f32], count: usize) -> Vec<f32> {
    let mut values = values.to_vec();
    values.resize(count, 0.0);
    values
}

/// Writes little-endian floats.
pub(super) fn floats(to: &mut dyn Write, values: &[f32]) -> io::Result<()> {
    debug_assert!(values.len().is_multiple_of(HEAD_LANES) || values.len().is_multiple_of(LANES));
    to.write_all(bytemuck::cast_slice(values))
}
