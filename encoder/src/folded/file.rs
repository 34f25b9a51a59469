//! A folded file, opened: mapped, checked, and its sections found.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytemuck::Pod;
use memmap2::Mmap;
use xxhash_rust::xxh3::Xxh3Default;

use super::{
    Precision,
    header::{CHECKSUM, Header, MAGIC, NEWEST_VERSION, OLDEST_VERSION, check, section_entries, version},
    layout::FoldedLayout,
    lexical::LexicalSections,
    map::{copy, map},
    mapped::MappedSection,
    sections::{SectionName, sections},
};
use crate::{Error, LexicalHalf, Result, lexical::LexicalSource};

/// An opened and checked file.
pub(super) struct FoldedFile {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    pub(super) layout: FoldedLayout,
    /// The tokenizer.json, read, not mapped: it is parsed once, and the pages of a map that were touched stay resident.
    pub(super) tokenizer: Vec<u8>,
    sections: Vec<(SectionName, Range<usize>)>,
    pub(super) map: Arc<Mmap>,
}

impl FoldedFile {
    /// Maps the file and checks its magic, version, length, checksum and header, in this order.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let unreadable = |source| Error::Read { path: path.into(), source };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        if length == 0 {
            return Err(Error::NotFolded { path: path.into() });
        }
        let map = map(&file).map_err(unreadable)?;
        Self::read(path, map, &file)
    }

    /// Copies `bytes`, the content of a file, and checks them as [`FoldedFile::open`] does. `path` stands for the bytes
    /// in errors.
    pub(super) fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Err(Error::NotFolded { path: path.into() });
        }
        let map = copy(bytes).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::read(path, map, Cursor::new(bytes))
    }

    /// Checks the bytes of `map`, which `file` gives too.
    fn read(path: &Path, map: Mmap, mut file: impl Read + Seek) -> Result<Self> {
        let unreadable = |source| Error::Read { path: path.into(), source };
        let json = check(path, &map, || checksum(&mut file).map_err(unreadable))?;
        let wrong = |what: String| Error::Header { path: path.into(), what };
        let header: Header = serde_json::from_slice(&map[json.clone()]).map_err(|error| wrong(error.to_string()))?;
        let layout = FoldedLayout::new(&header.shape, header.precision).map_err(wrong)?;
        let found = version(&map);
        let has_other_factors =
            header.precision == Precision::Int8 && layout.score.is_some_and(|taps| taps.differ_in_version_1());
        if found == OLDEST_VERSION && has_other_factors {
            return Err(Error::Version { path: path.into(), found, known: NEWEST_VERSION });
        }
        if header.empty_token as usize >= layout.vocabulary {
            return Err(wrong(format!("empty token {} of a vocabulary of {}", header.empty_token, layout.vocabulary)));
        }
        if header.max_tokens == Some(0) {
            return Err(wrong("at most 0 tokens a text".into()));
        }
        if (found == NEWEST_VERSION) != header.lexical.is_some() {
            return Err(wrong(format!("version {found} with another version's lexical half")));
        }
        if let Some(lexical) = &header.lexical {
            lexical.check().map_err(wrong)?;
        }
        let names =
            sections(&layout, header.lexical.as_ref(), header.sections.last().map_or(0, |section| section.bytes));
        match section_entries(&names, json.end) {
            Some((entries, end)) if entries == header.sections && end == map.len() => {}
            _ => return Err(wrong("its sections are not those of its shape".into())),
        }
        let sections: Vec<_> =
            names.iter().zip(&header.sections).map(|(&(name, _), entry)| (name, entry.range())).collect();
        let place = sections.last().map_or(0..0, |(_, place)| place.clone());
        let mut tokenizer = vec![0; place.len()];
        file.seek(SeekFrom::Start(place.start as u64)).map_err(unreadable)?;
        file.read_exact(&mut tokenizer).map_err(unreadable)?;
        let file = Self { path: path.into(), header, layout, tokenizer, sections, map: Arc::new(map) };
        if file.header.lexical.is_some() {
            file.lexical_sections().view().check_words().map_err(wrong)?;
        }
        Ok(file)
    }

    /// The bytes of a section; none where the student lacks the section.
    pub(super) fn bytes(&self, name: SectionName) -> &[u8] {
        &self.map[self.range(name)]
    }

    /// The bytes of a section, which keep the file mapped.
    pub(super) fn mapped(&self, name: SectionName) -> MappedSection {
        MappedSection { map: Arc::clone(&self.map), bytes: self.range(name) }
    }

    /// The lexical half, which keeps the file mapped.
    pub(super) fn lexical(&self) -> Option<LexicalHalf> {
        let shape = self.header.lexical?;
        Some(LexicalHalf::of_source(self.lexical_sections(), shape.dimension))
    }

    fn lexical_sections(&self) -> LexicalSections {
        LexicalSections {
            precision: self.layout.precision,
            offsets: self.mapped(SectionName::LexicalOffsets),
            words: self.mapped(SectionName::LexicalWords),
            rows: self.mapped(SectionName::LexicalRows),
            scales: self.mapped(SectionName::LexicalScale),
        }
    }

    fn range(&self, name: SectionName) -> Range<usize> {
        let section = self.sections.iter().find(|(found, _)| *found == name);
        section.map_or(0..0, |(_, range)| range.clone())
    }

    /// A section of floats, copied, as arrays.
    pub(super) fn floats<A: Pod>(&self, name: SectionName) -> Vec<A> {
        bytemuck::pod_collect_to_vec(self.bytes(name))
    }
}

/// The checksum of a file's bytes. The file is read, not hashed through the mapping: that would make the whole table
/// resident, of which only the rows in use need to be.
fn checksum(file: impl Read) -> io::Result<u64> {
    let mut file = BufReader::with_capacity(256 * 1024, file);
    let mut beginning = [0; CHECKSUM.end];
    file.read_exact(&mut beginning)?;
    let mut hash = Xxh3Default::new();
    hash.update(&beginning[..CHECKSUM.start]);
    io::copy(&mut file, &mut hash)?;
    Ok(hash.digest())
}

/// Whether the file at `path` begins as a folded student does.
pub fn is_folded(path: &Path) -> bool {
    let mut beginning = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut beginning)).is_ok() && beginning == MAGIC
}
