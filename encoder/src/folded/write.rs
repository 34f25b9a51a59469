//! Folding a student's numbers into a file.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3Default;

use super::{
    Precision,
    header::{CHECKSUM, Header},
    layout::{FoldedLayout, HEAD_LANES},
    lexical::{LexicalShape, LexicalWriter},
    panels::HeadPanels,
    parts::Parts,
    rows::TableRows,
    sections::{SectionName, sections},
    shape::Shape,
};
use crate::{
    Error, Result, Tokenizer,
    files::{FileError, PendingFile, sync_folder},
};

/// Writes `parts` as one folded file at `path` and returns the file's size in bytes.
///
/// The file is written beside its place, synced and renamed, so an earlier file there stays until the new one is whole.
///
/// # Errors
/// When the parts do not fit together or hold a number that is not finite (or, in f16, a table has one beyond 65,504),
/// when the tokenizer can't be read or has ids outside the vocabulary, or when the file can't be written.
pub fn write(path: &Path, parts: &Parts, precision: Precision) -> Result<u64> {
    let plan = FilePlan::of(parts, precision)?;
    let unwritable = |source| Error::Write { path: path.into(), source };
    let refused = |error: FileError| unwritable(error.source);
    let file = PendingFile::create_in_existing_folder(path).map_err(refused)?;
    let (mut file, beginning) = plan.write(parts, file).map_err(unwritable)?;
    file.rewrite_beginning(&beginning).map_err(unwritable)?;
    let (size, folder) = file.rename_into_place().map_err(refused)?;
    let _ = sync_folder(&folder); // not every file system can
    Ok(size)
}

/// The bytes of the file that [`write()`] writes, for [`Student::from_bytes`](super::Student::from_bytes).
///
/// # Errors
/// As [`write()`], but for the file's.
pub fn to_bytes(parts: &Parts, precision: Precision) -> Result<Vec<u8>> {
    let plan = FilePlan::of(parts, precision)?;
    let refused = |source| Error::Write { path: PathBuf::from("memory"), source };
    let (mut bytes, beginning) = plan.write(parts, Vec::new()).map_err(refused)?;
    bytes[..beginning.len()].copy_from_slice(&beginning);
    Ok(bytes)
}

/// Where everything lies in the file of a student's parts.
struct FilePlan {
    layout: FoldedLayout,
    header: Header,
    sections: Vec<(SectionName, usize)>,
    /// The bytes up to the end of the JSON, with a checksum of zeros.
    beginning: Vec<u8>,
}

impl FilePlan {
    fn of(parts: &Parts, precision: Precision) -> Result<Self> {
        let wrong = |what| Error::Parts { what };
        parts.check(precision).map_err(wrong)?;
        let tokenizer = Tokenizer::from_bytes(&parts.tokenizer, &PathBuf::from("the student's tokenizer"))?;
        if tokenizer.vocabulary() > parts.vocabulary {
            let (highest, rows) = (tokenizer.vocabulary() - 1, parts.vocabulary);
            return Err(wrong(format!("a tokenizer with ids up to {highest}, tables of {rows} rows")));
        }
        let compared = tokenizer.is_fast();
        drop(tokenizer);
        let shape = Shape::of(parts);
        let layout = FoldedLayout::new(&shape, precision).map_err(wrong)?;
        let mut header = Header {
            precision,
            shape,
            empty_token: parts.empty_token,
            max_tokens: parts.max_tokens,
            parameters: parts.parameters,
            metadata: parts.metadata.clone(),
            compared,
            lexical: parts.lexical.as_ref().map(LexicalShape::of),
            sections: Vec::new(),
        };
        let sections = sections(&layout, header.lexical.as_ref(), parts.tokenizer.len());
        let beginning = header.encode(&sections).ok_or_else(|| wrong("too large for a file".into()))?;
        Ok(Self { layout, header, sections, beginning })
    }

    /// Writes all bytes to `file`. Returns it, and its first bytes with the checksum, which take the place of those
    /// that were written.
    fn write<W: Write>(mut self, parts: &Parts, file: W) -> io::Result<(W, Vec<u8>)> {
        let (rows, head) = (TableRows::new(parts, &self.layout), HeadPanels::new(parts, &self.layout));
        let mut out = ChecksumWriter { file, hash: Xxh3Default::new(), at: CHECKSUM.end };
        out.hash.update(&self.beginning[..CHECKSUM.start]);
        out.file.write_all(&self.beginning[..CHECKSUM.end])?;
        out.write_all(&self.beginning[CHECKSUM.end..])?;
        for (&(name, _), entry) in self.sections.iter().zip(&self.header.sections) {
            out.write_all(&vec![0; entry.offset - out.at])?;
            write_section(name, &rows, &head, &mut out)?;
            if out.at != entry.range().end {
                return Err(io::Error::other(format!("section {name} came out with another length")));
            }
        }
        self.beginning.truncate(CHECKSUM.end);
        self.beginning[CHECKSUM].copy_from_slice(&out.hash.digest().to_le_bytes());
        Ok((out.file, self.beginning))
    }
}

fn write_section(name: SectionName, rows: &TableRows<'_>, head: &HeadPanels<'_>, to: &mut dyn Write) -> io::Result<()> {
    let &TableRows { parts, layout, ref convolutions } = rows;
    let convolutions = |name| convolutions.iter().filter(move |convolution| convolution.name == name);
    let floats: Vec<f32> = match name {
        SectionName::Rows => return rows.write(to),
        SectionName::HeadWeight => return head.write(to),
        SectionName::Tokenizer => return to.write_all(&parts.tokenizer),
        SectionName::Bias(name) => {
            convolutions(name).flat_map(|c| padded(&c.convolution.bias, c.taps.filters)).collect()
        }
        SectionName::Unit(name) => convolutions(name).flat_map(|c| c.units.clone()).collect(),
        SectionName::AttentionWeight => attention_weight(parts, layout),
        SectionName::AttentionBias => {
            padded(parts.attention.as_ref().map_or(&[], |attention| &attention.score_bias), layout.attended_lanes)
        }
        SectionName::HeadBias => {
            padded(parts.max_pooled.as_ref().map_or(&[], |max_pooled| &max_pooled.bias), layout.outputs)
        }
        SectionName::HeadScale => head.scales.clone(),
        SectionName::LexicalOffsets
        | SectionName::LexicalWords
        | SectionName::LexicalRows
        | SectionName::LexicalScale => return write_lexical(name, rows, to),
    };
    to.write_all(bytemuck::cast_slice(&floats))
}

/// A section of the lexical half; nothing where the student has none.
fn write_lexical(name: SectionName, rows: &TableRows<'_>, to: &mut dyn Write) -> io::Result<()> {
    let Some(table) = &rows.parts.lexical else { return Ok(()) };
    let table = LexicalWriter { table, precision: rows.layout.precision };
    match name {
        SectionName::LexicalOffsets => table.write_offsets(to),
        SectionName::LexicalWords => table.write_words(to),
        SectionName::LexicalScale => table.write_scales(to),
        _ => table.write_rows(to),
    }
}

/// `[lane groups][filters][16]`, from `[heads, filters]`.
fn attention_weight(parts: &Parts, layout: &FoldedLayout) -> Vec<f32> {
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

/// Hashes the bytes that pass through, and counts them.
struct ChecksumWriter<W> {
    file: W,
    hash: Xxh3Default,
    /// The place of the next byte.
    at: usize,
}

impl<W: Write> Write for ChecksumWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.at += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
