//! Unpacks compressed files. The last extension of the name tells the compression.

use std::io::{self, BufRead, BufReader};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Compression {
    /// Splits a name in lower case into the rest and the compression that its last extension tells.
    pub(super) fn of_name(name: &str) -> (&str, Option<Self>) {
        let known = [(".gz", Self::Gzip), (".zst", Self::Zstd), (".bz2", Self::Bzip2), (".xz", Self::Xz)];
        let found = known.into_iter().find_map(|(extension, kind)| Some((name.strip_suffix(extension)?, kind)));
        found.map_or((name, None), |(rest, kind)| (rest, Some(kind)))
    }

    /// Unpacks all members, frames or streams of `file`, one after another.
    pub(super) fn unpack(self, file: impl BufRead + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
        const CAPACITY: usize = 1 << 16;
        Ok(match self {
            Self::Gzip => Box::new(BufReader::with_capacity(CAPACITY, MultiGzDecoder::new(file))),
            Self::Bzip2 => Box::new(BufReader::with_capacity(CAPACITY, MultiBzDecoder::new(file))),
            Self::Xz => Box::new(BufReader::with_capacity(CAPACITY, XzReader::new(file, true))),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(file)?;
                // Some large collections are packed with the longest window (`zstd --long=31`).
                decoder.window_log_max(31)?;
                Box::new(BufReader::with_capacity(CAPACITY, decoder))
            }
        })
    }
}
