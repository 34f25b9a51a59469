//! The container: a checked header and aligned sections in one file.
//!
//! ```text
//!  0  magic, 8 bytes          16  length of the file, u64
//!  8  version, u32            24  xxh3 of all other bytes, u64
//! 12  length of the JSON, u32 32  the JSON, then sections at multiples of 64 bytes
//! ```
//!
//! Numbers are little-endian.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use super::{
    Precision,
    layout::{ALIGNMENT, Layout, Shape},
    simd,
};
use crate::{Error, Result};

const MAGIC: [u8; 8] = *b"LIMBECK\x1a";
const VERSION: u32 = 2;
/// The oldest that is read. Up to it the factors of a score's taps were larger where the convolution is wide.
const OLDEST: u32 = 1;
const CHECKSUM: Range<usize> = 24..32;
const FIRST: usize = 32;

#[cfg(target_endian = "big")]
compile_error!("folded files are read in place and are little-endian");

/// The JSON of the header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub precision: Precision,
    pub shape: Shape,
    pub empty_token: u32,
    pub max_tokens: Option<usize>,
    pub parameters: u64,
    pub metadata: String,
    /// Whether the writer found its tokenizer's fast path to have the reference's ids (`Tokenizer::is_fast`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compared: bool,
    pub sections: Vec<Section>,
}

/// A section's place, in bytes from the start of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    pub name: String,
    pub offset: usize,
    pub bytes: usize,
}

/// The place of each section after a JSON that ends at `end`; lengths as [`Layout::sections`] and the tokenizer have them.
fn places(sections: &[(String, usize)], end: usize) -> Option<(Vec<Section>, usize)> {
    let mut end = end;
    let mut placed = Vec::with_capacity(sections.len());
    for (name, bytes) in sections {
        let offset = end.checked_next_multiple_of(ALIGNMENT)?;
        end = offset.checked_add(*bytes)?;
        placed.push(Section { name: name.clone(), offset, bytes: *bytes });
    }
    Some((placed, end))
}

/// An opened and checked file.
pub struct Folded {
    pub path: PathBuf,
    pub header: Header,
    pub layout: Layout,
    /// The tokenizer.json, read, not mapped: it is parsed once, and what of a map was touched stays resident.
    pub tokenizer: Vec<u8>,
    map: Arc<Mmap>,
}

/// A section where it is mapped, for who outlives its [`Folded`].
pub struct Mapped {
    map: Arc<Mmap>,
    bytes: Range<usize>,
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.map[self.bytes.clone()]
    }
}

impl Folded {
    /// Maps the file and checks its mark, version, length, checksum and header, in this order.
    pub fn open(path: &Path) -> Result<Self> {
        let unreadable = |source| Error::Read { path: path.into(), source };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        if length == 0 {
            return Err(Error::NotFolded { path: path.into() });
        }
        let map = simd::map(&file).map_err(unreadable)?;
        let json = check(path, &map, || checksum(&file).map_err(unreadable))?;
        let wrong = |what: String| Error::Header { path: path.into(), what };
        let header: Header = serde_json::from_slice(&map[json.clone()]).map_err(|error| wrong(error.to_string()))?;
        let layout = Layout::new(&header.shape, header.precision).map_err(wrong)?;
        let version = u32_at(&map, 8);
        let other_factors = header.precision == Precision::Int8 && layout.score.is_some_and(|taps| taps.other_before());
        if version == OLDEST && other_factors {
            return Err(Error::Version { path: path.into(), found: version, known: VERSION });
        }
        if header.empty_token as usize >= layout.vocabulary {
            return Err(wrong(format!("empty token {} of a vocabulary of {}", header.empty_token, layout.vocabulary)));
        }
        if header.max_tokens == Some(0) {
            return Err(wrong("at most 0 tokens a text".into()));
        }
        let mut sections = layout.sections();
        let tokenizer = header.sections.last().map_or(0, |section| section.bytes);
        sections.push(("tokenizer".into(), tokenizer));
        match places(&sections, json.end) {
            Some((sections, end)) if sections == header.sections && end == map.len() => {}
            _ => return Err(wrong("its sections are not those of its shape".into())),
        }
        let mut tokenizer = vec![0; tokenizer];
        let at = map.len() - tokenizer.len();
        (&file).seek(SeekFrom::Start(at as u64)).map_err(unreadable)?;
        (&file).read_exact(&mut tokenizer).map_err(unreadable)?;
        Ok(Self { path: path.into(), header, layout, tokenizer, map: Arc::new(map) })
    }

    /// The bytes of a section. Empty for a section that this student lacks.
    pub fn bytes(&self, name: &str) -> &[u8] {
        &self.map[self.range(name)]
    }

    /// The same, to be kept.
    pub fn mapped(&self, name: &str) -> Mapped {
        Mapped { map: Arc::clone(&self.map), bytes: self.range(name) }
    }

    fn range(&self, name: &str) -> Range<usize> {
        let section = self.header.sections.iter().find(|section| section.name == name);
        section.map_or(0..0, |section| section.offset..section.offset + section.bytes)
    }

    /// A section of floats, copied.
    pub fn floats(&self, name: &str) -> Vec<f32> {
        bytemuck::pod_collect_to_vec(self.bytes(name))
    }

    /// The length of the file in bytes.
    pub fn len(&self) -> usize {
        self.map.len()
    }
}

/// The checksum of a file as it is. It is read, not mapped, so that of a table only the rows that are used become resident.
fn checksum(mut file: &File) -> io::Result<u64> {
    let mut hash = Xxh3Default::new();
    let mut buffer = vec![0; 256 * 1024];
    file.read_exact(&mut buffer[..CHECKSUM.end])?;
    hash.update(&buffer[..CHECKSUM.start]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hash.digest()),
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Checks all that comes before the JSON, and says where that lies; `checksum` is asked for once the length is right.
fn check(path: &Path, file: &[u8], checksum: impl FnOnce() -> Result<u64>) -> Result<Range<usize>> {
    let path = || path.to_path_buf();
    if !file.starts_with(&MAGIC[..MAGIC.len().min(file.len())]) {
        return Err(Error::NotFolded { path: path() });
    }
    let found = file.len() as u64;
    if file.len() < FIRST {
        return Err(Error::Length { path: path(), expected: FIRST as u64, found });
    }
    let version = u32_at(file, 8);
    if !(OLDEST..=VERSION).contains(&version) {
        return Err(Error::Version { path: path(), found: version, known: VERSION });
    }
    let expected = u64_at(file, 16);
    if expected != found {
        return Err(Error::Length { path: path(), expected, found });
    }
    let expected = u64_at(file, CHECKSUM.start);
    let found = checksum()?;
    if expected != found {
        return Err(Error::Checksum { path: path(), expected, found });
    }
    let end = FIRST.checked_add(u32_at(file, 12) as usize).filter(|&end| end <= file.len());
    end.map(|end| FIRST..end).ok_or_else(|| Error::Header { path: path(), what: "longer than the file".into() })
}

fn u32_at(file: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| file[at + i]))
}

fn u64_at(file: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| file[at + i]))
}

/// Whether the file at `path` begins as a folded student does.
pub fn is_folded(path: &Path) -> bool {
    let mut beginning = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut beginning)).is_ok() && beginning == MAGIC
}

/// Something that writes the bytes of a section.
pub type Content<'a> = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'a>;

/// Writes the file beside its place, syncs it, and renames it there; a symbolic link is followed. `sections` are written in order; the
/// header's own table of them is filled in here.
pub fn write(path: &Path, mut header: Header, sections: Vec<(String, usize, Content<'_>)>) -> Result<u64> {
    let unwritable = |source| Error::Write { path: path.into(), source };
    let followed;
    let path = if path.is_symlink() {
        followed = path.canonicalize().map_err(unwritable)?;
        &followed
    } else {
        path
    };
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(unwritable(io::Error::new(io::ErrorKind::InvalidInput, "something that is no file lies there")));
    }
    let lengths: Vec<_> = sections.iter().map(|(name, bytes, _)| (name.clone(), *bytes)).collect();
    let (json, length) =
        place(&mut header, &lengths).ok_or_else(|| Error::Parts { what: "too large for a file".into() })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // As all of limbeck's: by name and lock its own clearing away tells what a killed process left from what a living one writes.
    builder.prefix(".limbeck-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(unwritable)?;
    let _ = file.as_file().try_lock();

    fill(file.as_file_mut(), &json, length, sections, &header.sections).map_err(unwritable)?;
    let file = file.persist(path).map_err(|error| unwritable(error.error))?;
    let _ = file.unlock();
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all(); // the rename itself; not every system can
    }
    Ok(length as u64)
}

/// Writes all bytes of the file, and syncs it.
fn fill(
    file: &mut File,
    json: &[u8],
    length: usize,
    sections: Vec<(String, usize, Content<'_>)>,
    places: &[Section],
) -> io::Result<()> {
    let mut out = Hashing { inner: BufWriter::with_capacity(1 << 20, file), hash: Xxh3Default::new(), at: 0 };
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&(json.len() as u32).to_le_bytes())?;
    out.write_all(&(length as u64).to_le_bytes())?;
    out.inner.write_all(&[0; 8])?; // the checksum, not part of itself
    out.at = FIRST;
    out.write_all(json)?;
    for ((name, bytes, content), place) in sections.into_iter().zip(places) {
        out.write_all(&vec![0; place.offset - out.at])?;
        content(&mut out)?;
        if out.at != place.offset + bytes {
            return Err(io::Error::other(format!("section {name} came out with another length")));
        }
    }
    let checksum = out.hash.digest();
    let file = out.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.seek(SeekFrom::Start(CHECKSUM.start as u64))?;
    file.write_all(&checksum.to_le_bytes())?;
    file.sync_all()
}

/// Fills in the section table, whose own length moves the sections, and returns the JSON and the file's length.
fn place(header: &mut Header, lengths: &[(String, usize)]) -> Option<(Vec<u8>, usize)> {
    let mut end = FIRST;
    loop {
        let (sections, length) = places(lengths, end)?;
        header.sections = sections;
        let mut json = serde_json::to_vec(header).ok()?;
        if FIRST + json.len() <= end {
            json.resize(end - FIRST, b' ');
            u32::try_from(json.len()).ok()?;
            return Some((json, length));
        }
        end = (FIRST + json.len()).checked_next_multiple_of(ALIGNMENT)?;
    }
}

/// Hashes what passes through, and counts it.
struct Hashing<'a> {
    inner: BufWriter<&'a mut File>,
    hash: Xxh3Default,
    at: usize,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.at += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
