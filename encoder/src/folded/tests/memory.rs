//! A student of bytes, and vectors written to memory of the caller's.

use super::{lexical::with_half, *};
use crate::Error;

/// Texts of two blocks and a part of a third.
fn texts() -> Vec<String> {
    (0..150).map(|i| format!("w{} w{} {}", i % 7, i % 11, "w3 cells ".repeat(i % 5))).collect()
}

/// Students without and with a lexical half.
fn both() -> [Parts; 2] {
    [student(every_make()[0], 3, |_| 1.0), with_half(5)]
}

#[test]
fn encode_into_writes_the_bits_of_encode() {
    for parts in both() {
        for precision in Precision::ALL {
            let (_folder, _, student) = open(&parts, precision);
            let threaded = Student::from_bytes(&to_bytes(&parts, precision).unwrap()).unwrap().with_threads(2).unwrap();
            let expected = student.encode(&texts()).unwrap();
            for student in [student, threaded] {
                let mut out = vec![9.0; expected.as_slice().len()];
                student.encode_into(&texts(), &mut out).unwrap();
                assert_eq!(out, expected.as_slice());
            }
        }
    }
}

#[test]
fn memory_of_another_length_is_refused() {
    let (_folder, _, student) = open(&both()[0], Precision::Int8);
    let error = student.encode_into(&["w0", "w1"], &mut [0.0; 79]).unwrap_err();
    assert!(matches!(error, Error::OutLength { found: 79, expected: 80, texts: 2 }), "{error}");
    student.encode_into::<&str>(&[], &mut []).unwrap();
}

#[test]
fn a_student_of_bytes_is_the_student_of_their_file() {
    for parts in both() {
        for precision in Precision::ALL {
            let (_folder, path, student) = open(&parts, precision);
            let bytes = std::fs::read(&path).unwrap();
            assert!(bytes == to_bytes(&parts, precision).unwrap());
            // At an address that no section could be read from.
            let moved = [&[0], &bytes[..]].concat();
            let of_bytes = Student::from_bytes(&moved[1..]).unwrap();
            assert_eq!(of_bytes.encode(&texts()).unwrap(), student.encode(&texts()).unwrap());
            assert_eq!(of_bytes.info(), student.info());
        }
    }
}

#[test]
fn damaged_bytes_are_an_error() {
    let bytes = to_bytes(&both()[0], Precision::Int8).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 4;
    assert!(matches!(Student::from_bytes(&flipped), Err(Error::Checksum { .. })));
    assert!(matches!(Student::from_bytes(&bytes[..bytes.len() - 1]), Err(Error::Length { .. })));
    assert!(matches!(Student::from_bytes(b"text"), Err(Error::NotFolded { .. })));
    assert!(matches!(Student::from_bytes(&[]), Err(Error::NotFolded { .. })));
}
