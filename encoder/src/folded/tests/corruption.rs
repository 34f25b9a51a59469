//! Damaged files, and parts that do not fit together.

use std::{fs, path::Path};

use super::*;
use crate::Error;

fn small(precision: Precision) -> (TempDir, PathBuf, Vec<u8>) {
    let sizes = Sizes {
        vocabulary: 8,
        dimension: 3,
        max_pooled: (&[1, 3], 2),
        attention: Some((3, 2, 2, true)),
        skip_table: false,
        own_values: false,
    };
    let (folder, path, _) = open(&student(sizes, 1, |_| 1.0), precision);
    let bytes = fs::read(&path).unwrap();
    (folder, path, bytes)
}

/// Replaces the file. (Writing over the old file would make some file systems wait for the disk.)
pub(super) fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Checks that opening a file of these bytes fails with an error that names the file.
pub(super) fn refuse(path: &Path, bytes: &[u8], why: &str) -> Error {
    replace(path, bytes);
    let error = Student::load(path).err().unwrap_or_else(|| panic!("{why} was not noticed"));
    assert!(error.to_string().contains(&path.display().to_string()), "{why}: {error}");
    error
}

#[test]
fn a_flipped_bit_anywhere_is_an_error() {
    for precision in Precision::ALL {
        let (_folder, path, bytes) = small(precision);
        let mut random = Rng::with_seed(3);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << random.u8(..8);
            let error = refuse(&path, &damaged, &format!("a flipped bit at {at}"));
            match at {
                0..8 => assert!(matches!(error, Error::NotFolded { .. })),
                // One bit makes version 2 the version of a file with a lexical half.
                8 => assert!(matches!(error, Error::Version { .. } | Error::Checksum { .. })),
                9..12 => assert!(matches!(error, Error::Version { .. })),
                16..24 => assert!(matches!(error, Error::Length { .. })),
                _ => assert!(matches!(error, Error::Checksum { .. })),
            }
        }
    }
}

#[test]
fn a_file_cut_or_grown_to_any_length_is_an_error() {
    for precision in [Precision::F16, Precision::Int8] {
        let (_folder, path, bytes) = small(precision);
        for length in 0..bytes.len() {
            let error = refuse(&path, &bytes[..length], &format!("a length of {length}"));
            assert!(matches!(error, Error::Length { .. } | Error::NotFolded { .. }), "{length}: {error}");
        }
    }
    let (_folder, path, bytes) = small(Precision::Int8);
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(matches!(refuse(&path, &longer, "one byte more"), Error::Length { .. }));
    longer.extend_from_slice(&bytes);
    refuse(&path, &longer, "two files in one");
}

/// The bytes, tampered with, with the right length and checksum.
pub(super) fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    let mut hash = xxhash_rust::xxh3::Xxh3Default::new();
    hash.update(&bytes[..24]);
    hash.update(&bytes[32..]);
    bytes[24..32].copy_from_slice(&hash.digest().to_le_bytes());
    bytes
}

#[test]
fn a_wrong_header_under_a_right_checksum_is_an_error() {
    let (_folder, path, bytes) = small(Precision::Int8);
    let length = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let json: serde_json::Value = serde_json::from_slice(&bytes[32..32 + length]).unwrap();
    let lie = |at: &str, value: serde_json::Value| {
        let mut json = json.clone();
        *json.pointer_mut(at).unwrap() = value;
        let mut text = serde_json::to_vec(&json).unwrap();
        text.resize(text.len().max(length), b' ');
        let mut lying = bytes[..32].to_vec();
        lying[12..16].copy_from_slice(&(text.len() as u32).to_le_bytes());
        lying.extend_from_slice(&text);
        lying.extend_from_slice(&bytes[32 + length..]);
        let error = refuse(&path, &sealed(lying), at);
        assert!(matches!(error, Error::Header { .. }), "{at}: {error}");
    };
    for number in [0u64, 1, 2, 7, 9, 1 << 20, 1 << 40, u64::MAX / 2, u64::MAX] {
        for at in ["/shape/vocabulary", "/shape/attention/score/filters", "/shape/attention/heads"] {
            if json.pointer(at).unwrap().as_u64() != Some(number)
                && !(at.ends_with("filters") && (1..=32).contains(&number))
            {
                lie(at, number.into());
            }
        }
        for at in ["/sections/0/offset", "/sections/3/bytes", "/sections/0/bytes", "/shape/max_pooled/1/width"] {
            lie(at, number.into());
        }
    }
    lie("/shape/dimension", 64.into());
    lie("/shape/dimension", u64::MAX.into());
    lie("/empty_token", 8.into());
    lie("/max_tokens", 0.into());
    lie("/precision", "f32".into());
    lie("/precision", "f16".into());
    lie("/precision", "f8".into());
    lie("/shape/max_pooled", serde_json::json!([]));
    lie("/sections", serde_json::json!([]));
    for length in [0u32, 1, length as u32 / 2, length as u32 + 64, u32::MAX] {
        let mut lying = bytes.clone();
        lying[12..16].copy_from_slice(&length.to_le_bytes());
        assert!(matches!(refuse(&path, &sealed(lying), "the JSON's length"), Error::Header { .. }));
    }
}

#[test]
fn a_file_of_version_1_is_read_unless_its_factors_had_another_meaning() {
    let is_refused = |width: usize, precision: Precision| {
        let mut parts = student(every_make()[0], 1, |_| 1.0);
        let score = &mut parts.attention.as_mut().unwrap().score;
        score.table = vec![0.5; 300 * width * score.filters];
        score.width = width;
        let (_folder, path, _) = open(&parts, precision);
        let mut bytes = fs::read(&path).unwrap();
        bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
        replace(&path, &sealed(bytes));
        match Student::load(&path) {
            Ok(_) => false,
            Err(Error::Version { found: 1, .. }) => true,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(!is_refused(5, Precision::Int8) && !is_refused(7, Precision::Int8));
    assert!(is_refused(9, Precision::Int8) && !is_refused(9, Precision::F32));
}

#[test]
fn damage_under_a_right_checksum_gives_an_error_or_finite_vectors_but_no_panic() {
    let files = [Precision::F16, Precision::Int8].map(small);
    let mut random = Rng::with_seed(12);
    for case in 0..3_000 {
        let (_folder, path, bytes) = &files[case % 2];
        let mut damaged = bytes.clone();
        for _ in 0..random.usize(1..5) {
            damaged[random.usize(32..bytes.len())] = random.u8(..);
        }
        replace(path, &sealed(damaged));
        if let Ok(student) = Student::load(path) {
            let vectors = student.encode(&["w0 w1 w2", "", "w1"]).unwrap();
            assert!(vectors.as_slice().iter().all(|value| value.is_finite()));
        }
    }
}

#[test]
fn a_file_of_another_kind_and_a_missing_one_are_errors() {
    let (folder, path, _) = small(Precision::F32);
    assert!(matches!(refuse(&path, b"", "an empty file"), Error::NotFolded { .. }));
    assert!(matches!(refuse(&path, b"PAR1 and so on, and so on, and so on", "Parquet"), Error::NotFolded { .. }));
    let missing = folder.path().join("missing");
    assert!(matches!(Student::load(&missing), Err(Error::Read { .. })));
    assert!(Student::load(folder.path()).is_err(), "a folder");
}

#[test]
fn parts_that_do_not_fit_together_are_named_and_nothing_is_written() {
    type Change = fn(&mut Parts);
    let changes: [(&str, Change); 14] = [
        ("max-pooled weight", |p| p.max_pooled.as_mut().unwrap().weight.truncate(5)),
        ("max-pooled bias", |p| p.max_pooled.as_mut().unwrap().bias.push(0.0)),
        ("convolution 1", |p| p.max_pooled.as_mut().unwrap().convolutions[1].width = 2),
        ("convolution 0: table", |p| p.max_pooled.as_mut().unwrap().convolutions[0].table.clear()),
        ("without convolutions", |p| p.max_pooled.as_mut().unwrap().convolutions.clear()),
        ("embeddings", |p| p.attention.as_mut().unwrap().embeddings.truncate(1)),
        ("number 3 is NaN", |p| p.attention.as_mut().unwrap().embeddings[3] = f32::NAN),
        ("score weight", |p| p.attention.as_mut().unwrap().score_weight.truncate(1)),
        ("heads", |p| p.attention.as_mut().unwrap().heads.truncate(1)),
        ("number 0 is inf", |p| p.attention.as_mut().unwrap().skip.as_mut().unwrap()[0] = f32::INFINITY),
        ("skip table beside", |p| p.skip_table = Some(vec![0.0; 300 * 40])),
        ("empty token 300", |p| p.empty_token = 300),
        ("0 tokens", |p| p.max_tokens = Some(0)),
        ("ids up to 300", |p| p.tokenizer = tokenizer_json(301)),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, change) in changes {
        let mut parts = student(every_make()[0], 1, |_| 1.0);
        change(&mut parts);
        let error = write(&folder.path().join("s"), &parts, Precision::F32).unwrap_err();
        assert!(matches!(&error, Error::Parts { what } if what.contains(name)), "{name}: {error}");
    }
    let huge = student(every_make()[0], 1, |v| if v == 7 { 1e6 } else { 1.0 });
    let error = write(&folder.path().join("s"), &huge, Precision::F16).unwrap_err();
    assert!(matches!(&error, Error::Parts { what } if what.contains("beyond f16")), "{error}");
    let mut parts = student(every_make()[0], 1, |_| 1.0);
    parts.tokenizer = b"{}".into();
    assert!(matches!(write(&folder.path().join("s"), &parts, Precision::F32), Err(Error::TokenizerJson { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_missing_folder_is_an_error_that_names_the_file() {
    let parts = student(every_make()[2], 1, |_| 1.0);
    let error = write(Path::new("/nowhere/at/all/student"), &parts, Precision::F32).unwrap_err();
    assert!(matches!(&error, Error::Write { path, .. } if path.ends_with("student")), "{error}");
}
