//! Decodes bytes to text: UTF-8, or the encodings that a source names.

use std::borrow::Cow;
use std::io::{self, BufRead, Cursor, Read};

use encoding_rs::{DecoderResult, EUC_JP, EUC_KR, Encoding, UTF_8};

use super::TextError;
use crate::error::Result;

/// The encodings that a source's bytes may be in, tried in turn.
///
/// A single label (`windows-1252`, any of the WHATWG standard) is the encoding of all bytes. Several labels
/// (`utf-8,windows-1252`) are tried for each line, field or document, and the first in which all its bytes are valid is
/// used. That is for collections in UTF-8 with a few strays, where `windows-1252` alone would turn each `£` of UTF-8
/// into `Â£`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encodings(Vec<&'static Encoding>);

impl Default for Encodings {
    fn default() -> Self {
        Self(vec![UTF_8])
    }
}

impl std::fmt::Display for Encodings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.0.iter().map(|encoding| encoding.name()).collect();
        f.write_str(&names.join(" or "))
    }
}

impl Encodings {
    /// Parses a label, or several between commas; `None` means UTF-8.
    pub fn parse(labels: Option<&str>) -> Result<Self> {
        let Some(labels) = labels else { return Ok(Self::default()) };
        let mut encodings = Vec::new();
        for label in labels.split(',').map(str::trim) {
            let found = Encoding::for_label_no_replacement(label.as_bytes());
            encodings.push(found.ok_or_else(|| TextError::UnknownEncoding { label: label.to_owned() })?);
        }
        match encodings.iter().find(|encoding| !encoding.is_ascii_compatible()) {
            Some(encoding) if encodings.len() > 1 => {
                Err(TextError::EncodingAlone { label: encoding.name().to_owned() }.into())
            }
            _ => Ok(Self(encodings)),
        }
    }

    /// The text of `bytes`, or the place of the first invalid byte, from 1, if it is known.
    pub(super) fn decode<'a>(&self, bytes: &'a [u8]) -> std::result::Result<Cow<'a, str>, Option<usize>> {
        let mut first_bad = None;
        for encoding in self.within_ascii() {
            if *encoding == UTF_8 {
                match std::str::from_utf8(bytes) {
                    Ok(text) => return Ok(Cow::Borrowed(text)),
                    Err(error) => first_bad = first_bad.or(Some(error.valid_up_to() + 1)),
                }
            } else if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(bytes) {
                return Ok(text);
            }
        }
        Err(first_bad)
    }

    /// Turns a reader of an encoding whose line ends are not single ASCII bytes (UTF-16, ISO-2022-JP) into one of
    /// UTF-8.
    pub(super) fn wrap(&self, reader: Box<dyn BufRead + Send>) -> Box<dyn BufRead + Send> {
        match self.0.first() {
            Some(encoding) if !encoding.is_ascii_compatible() => {
                Box::new(io::BufReader::new(Transcoder::new(reader, encoding)))
            }
            _ => reader,
        }
    }

    /// Turns a reader of any single encoding into one of UTF-8, for formats whose structure is told from ASCII bytes
    /// within texts. Gives the encodings in which its bytes are then.
    ///
    /// # Errors
    /// Of several encodings, one has bytes of ASCII within its characters.
    pub(super) fn wrap_for_scan(&self, reader: Box<dyn BufRead + Send>) -> Result<(Box<dyn BufRead + Send>, Self)> {
        match self.0[..] {
            [encoding] if encoding == UTF_8 => Ok((reader, self.clone())),
            [encoding] => Ok((Box::new(io::BufReader::new(Transcoder::new(reader, encoding))), Self::default())),
            _ => match self.0.iter().find(|encoding| !is_plain_within(encoding)) {
                Some(encoding) => Err(TextError::EncodingAlone { label: encoding.name().to_owned() }.into()),
                None => Ok((reader, self.clone())),
            },
        }
    }

    /// The encodings that [`Encodings::decode`] tries: UTF-8 alone where [`Encodings::wrap`] has decoded already.
    fn within_ascii(&self) -> &[&'static Encoding] {
        const DONE: &[&Encoding] = &[UTF_8];
        if self.0.iter().all(|encoding| encoding.is_ascii_compatible()) { &self.0 } else { DONE }
    }
}

/// Whether no character of the encoding has a quote, backslash, bracket or comma of ASCII within its bytes.
fn is_plain_within(encoding: &'static Encoding) -> bool {
    encoding == UTF_8 || encoding == EUC_JP || encoding == EUC_KR || encoding.is_single_byte()
}

/// Invalid bytes that a [`Transcoder`] met; wrapped in an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("invalid bytes")]
pub(super) struct Malformed;

/// A reader that turns bytes of one encoding into UTF-8.
struct Transcoder<R> {
    inner: R,
    decoder: encoding_rs::Decoder,
    text: Cursor<Vec<u8>>,
    ended: bool,
}

impl<R: BufRead> Transcoder<R> {
    fn new(inner: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        Self { inner, decoder, text: Cursor::default(), ended: false }
    }

    /// Decodes the next piece into `self.text`.
    fn refill(&mut self) -> io::Result<()> {
        let bytes = self.inner.fill_buf()?;
        let last = bytes.is_empty();
        self.text.set_position(0);
        let text = self.text.get_mut();
        text.resize(1 << 15, 0);
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(bytes, text, last);
        self.inner.consume(read);
        text.truncate(written);
        match result {
            DecoderResult::Malformed(_, _) => Err(io::Error::new(io::ErrorKind::InvalidData, Malformed)),
            DecoderResult::InputEmpty => {
                self.ended = last;
                Ok(())
            }
            DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Transcoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.text.position() == self.text.get_ref().len() as u64 && !self.ended {
            self.refill()?;
        }
        self.text.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(labels: &str) -> Encodings {
        Encodings::parse(Some(labels)).unwrap()
    }

    #[test]
    fn one_label_is_taken_at_its_word_and_of_several_the_first_that_fits() {
        let pound = "£15".as_bytes();
        assert_eq!(parse("windows-1252").decode(pound).unwrap(), "Â£15");
        assert_eq!(parse("utf-8, windows-1252").decode(pound).unwrap(), "£15");
        assert_eq!(parse("utf-8, windows-1252").decode(b"\xa315").unwrap(), "£15");
        assert_eq!(Encodings::default().decode(b"a\xa315"), Err(Some(2)));
        assert_eq!(parse("shift_jis").decode(b"\x83"), Err(None));
        assert_eq!(parse("utf8,latin1").to_string(), "UTF-8 or windows-1252");
    }

    #[test]
    fn a_label_that_none_has_is_named() {
        let error = Encodings::parse(Some("utf-9")).unwrap_err();
        assert_eq!(error.to_string(), "unknown encoding `utf-9`");
        let error = Encodings::parse(Some("utf-8,utf-16le")).unwrap_err();
        assert_eq!(error.to_string(), "the encoding `UTF-16LE` can't be one of several");
    }

    #[test]
    fn utf_16_comes_out_as_utf_8_whatever_the_reader_gives_at_a_time() {
        let text = "\u{feff}Größe 🙂\n".repeat(3000);
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for capacity in [1, 3, 4096] {
            let reader = io::BufReader::with_capacity(capacity, io::Cursor::new(bytes.clone()));
            let mut read = String::new();
            parse("utf-16le").wrap(Box::new(reader)).read_to_string(&mut read).unwrap();
            assert_eq!(read, text.strip_prefix('\u{feff}').unwrap());
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_an_error() {
        let bytes: &[u8] = b"a\0\x3d\xd8";
        let error = parse("utf-16le").wrap(Box::new(bytes)).read_to_end(&mut Vec::new()).unwrap_err();
        assert!(error.get_ref().unwrap().is::<Malformed>());
    }
}
