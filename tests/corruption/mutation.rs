//! Seeded damage to the bytes of a file.

use std::ops::Range;

use fastrand::Rng;

/// The kind of a file, which decides where damage goes deepest.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Content {
    Binary,
    /// JSON, TOML or rows of text.
    Text,
    /// A header of JSON behind its length, then tensors.
    Safetensors,
}

/// Lengths and offsets that no file has.
const HUGE: [u64; 7] =
    [u64::MAX, u64::MAX / 2, 1 << 62, 1 << 40, u32::MAX as u64, i32::MAX as u64, i32::MAX as u64 + 1];

/// What a number or string of a text may become.
const VALUES: [&str; 20] = [
    "0",
    "-1",
    "1",
    "3",
    "65",
    "1e400",
    "-1e39",
    "0.5",
    "1e-320",
    "NaN",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "\"\"",
    "null",
    "[]",
    "{}",
    "true",
];

/// What a whole text may become.
const WHOLE: [&str; 8] = ["", "null", "[]", "{}", "0", "\"\"", "\n", "\u{feff}"];

/// How deep brackets are nested: a recursive reader without a limit would overflow its stack.
const DEEP: usize = 100_000;

/// One damaged version of `intact`, and what was done to it.
pub(crate) fn damaged(intact: &[u8], content: Content, random: &mut Rng) -> (String, Vec<u8>) {
    let mut bytes = intact.to_vec();
    let done = match content {
        Content::Text if random.u8(..4) > 0 => text(&mut bytes, random),
        Content::Safetensors if random.bool() => header(&mut bytes, random),
        _ => binary(&mut bytes, random),
    };
    (done, bytes)
}

/// A place in `length` bytes. Readers find their way by the first and the last ones, so these are hit as often as all
/// others.
fn place(length: usize, random: &mut Rng) -> usize {
    let edge = length.clamp(1, 256);
    match random.u8(..4) {
        0 => random.usize(..edge),
        1 => length.max(1) - 1 - random.usize(..edge),
        _ => random.usize(..length.max(1)),
    }
}

/// A stretch of at most `most` bytes.
fn stretch(length: usize, most: usize, random: &mut Rng) -> Range<usize> {
    let start = place(length, random).min(length);
    start..(start + random.usize(1..=most)).min(length)
}

fn binary(bytes: &mut Vec<u8>, random: &mut Rng) -> String {
    let length = bytes.len();
    match random.u8(..9) {
        0 | 1 if length > 0 => {
            let places: Vec<usize> = (0..random.usize(1..=4)).map(|_| place(length, random)).collect();
            places.iter().for_each(|&at| bytes[at] ^= 1 << random.u8(..8));
            format!("bits flipped in bytes {places:?}")
        }
        2 if length > 0 => {
            let places: Vec<usize> = (0..random.usize(1..=8)).map(|_| place(length, random)).collect();
            for &at in &places {
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, random.u8(..)][random.usize(..6)];
            }
            format!("bytes {places:?} set")
        }
        3 => {
            bytes.truncate(place(length, random));
            format!("cut to {} bytes", bytes.len())
        }
        4 => {
            let (at, more) = (place(length, random).min(length), random.usize(1..=64));
            bytes.splice(at..at, (0..more).map(|_| random.u8(..)).collect::<Vec<_>>());
            format!("{more} bytes inserted at {at}")
        }
        5 if length > 8 => {
            let (at, value) = (place(length - 8, random), HUGE[random.usize(..HUGE.len())]);
            let width = if random.bool() { 4 } else { 8 };
            bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
            format!("{width} bytes at {at} set to the length {value}")
        }
        6 if length > 2 => {
            let width = random.usize(1..=(length / 2).min(512));
            let (one, two) = (random.usize(..=length / 2 - width), random.usize(length / 2..=length - width));
            (0..width).for_each(|at| bytes.swap(one + at, two + at));
            format!("{width} bytes swapped between {one} and {two}")
        }
        7 => {
            let part = stretch(length, 512, random);
            bytes.drain(part.clone());
            format!("bytes {part:?} removed")
        }
        _ => {
            let part = stretch(length, 512, random);
            bytes.splice(part.end..part.end, bytes[part.clone()].to_vec());
            format!("bytes {part:?} doubled")
        }
    }
}

fn text(bytes: &mut Vec<u8>, random: &mut Rng) -> String {
    match random.u8(..10) {
        0..=2 => {
            let numbers = runs(bytes, |byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
            replace(bytes, &numbers, "number", random)
        }
        3 => {
            let strings = strings(bytes);
            replace(bytes, &strings, "string", random)
        }
        4 => {
            let parts = strings(bytes);
            let Some(from) = random.choice(&parts) else { return "nothing to copy".into() };
            let (from, to) = (bytes[from.clone()].to_vec(), random.choice(&parts).cloned().unwrap_or_default());
            bytes.splice(to.clone(), from);
            format!("the string at {to:?} replaced by another")
        }
        5 | 6 => items(bytes, random),
        7 => {
            let at = place(bytes.len(), random).min(bytes.len());
            let deep = ["[", "{\"a\":", "{a=", "("][random.usize(..4)];
            bytes.splice(at..at, deep.repeat(DEEP).into_bytes());
            format!("{DEEP} times `{deep}` inserted at {at}")
        }
        8 => {
            let at = place(bytes.len(), random).min(bytes.len());
            let odd: &[u8] = [&b"\xff"[..], b"\0", b"\xed\xa0\x80", b"\r", b"\t", b"\"", b"\\u0000", b"\xef\xbb\xbf"]
                [random.usize(..8)];
            bytes.splice(at..at, odd.iter().copied());
            format!("{odd:x?} inserted at {at}")
        }
        _ if random.u8(..8) == 0 => {
            let whole = WHOLE[random.usize(..WHOLE.len())];
            *bytes = whole.into();
            format!("the whole replaced by {whole:?}")
        }
        _ => binary(bytes, random),
    }
}

/// The stretches of bytes that all fulfil `is_part`.
fn runs(bytes: &[u8], is_part: impl Fn(u8) -> bool) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in bytes.iter().enumerate().filter(|&(_, &byte)| is_part(byte)) {
        match found.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => found.push(at..at + 1),
        }
    }
    found
}

/// The stretches between quotes, the quotes included.
fn strings(bytes: &[u8]) -> Vec<Range<usize>> {
    let quotes: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] == b'"').collect();
    quotes.chunks_exact(2).map(|pair| pair[0]..pair[1] + 1).collect()
}

fn replace(bytes: &mut Vec<u8>, parts: &[Range<usize>], what: &str, random: &mut Rng) -> String {
    let Some(part) = random.choice(parts) else { return format!("no {what} to replace") };
    let value = VALUES[random.usize(..VALUES.len())];
    bytes.splice(part.clone(), value.bytes());
    format!("the {what} at {part:?} replaced by {value}")
}

/// Doubles, removes or moves a line, or what stands between two commas: rows, keys with their values, list items.
fn items(bytes: &mut Vec<u8>, random: &mut Rng) -> String {
    let separator = if bytes.contains(&b',') && random.bool() { b',' } else { b'\n' };
    let mut parts: Vec<Vec<u8>> = bytes.split(|&byte| byte == separator).map(<[u8]>::to_vec).collect();
    let (one, two) = (random.usize(..parts.len()), random.usize(..parts.len()));
    let done = match random.u8(..4) {
        0 | 1 => {
            parts.insert(two, parts[one].clone());
            format!("item {one} repeated as item {two}")
        }
        2 => {
            parts.remove(one);
            format!("item {one} removed")
        }
        _ => {
            parts.swap(one, two);
            format!("items {one} and {two} swapped")
        }
    };
    *bytes = parts.join(&separator);
    done
}

/// Damages the header of a safetensors file as text, and mostly writes the length that it has then.
fn header(bytes: &mut Vec<u8>, random: &mut Rng) -> String {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header = bytes[8..8 + length].to_vec();
    let done = text(&mut header, random);
    let fits = random.u8(..4) > 0;
    let said = if fits { header.len() } else { length } as u64;
    bytes.splice(..8 + length, said.to_le_bytes().into_iter().chain(header));
    format!("in the header, {done}; its length {}", if fits { "fits" } else { "stays" })
}
