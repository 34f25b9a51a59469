//! The lexical half: its sums, its place in a file, and damage to it.

use std::fs;

use super::{
    corruption::{refuse, replace, sealed},
    *,
};
use crate::{
    Embeddings, Encoder, Error,
    lexical::{DENSE_WEIGHT, LEXICAL_WEIGHT, LexicalHalf, LexicalTable},
    normalise,
};

const TEXTS: [&str; 5] = ["w0 w1 cells", "Cells and mapped cells w2", "", "w3 unheard", "the maps of cells, map"];

fn table(dimension: usize) -> LexicalTable {
    let words: Vec<String> = ["cell", "gen", "map", "w1", "w2"].map(String::from).to_vec();
    let rows = normals(&mut Rng::with_seed(5), words.len() * dimension, 3.0);
    LexicalTable { words, rows, dimension }
}

pub(super) fn with_half(dimension: usize) -> Parts {
    let sizes = Sizes {
        vocabulary: 20,
        dimension: 6,
        max_pooled: (&[3], 4),
        attention: None,
        skip_table: true,
        own_values: false,
    };
    Parts { lexical: Some(table(dimension)), ..student(sizes, 1, |_| 1.0) }
}

/// The half of a text in f64, from the words and how often each occurs.
fn expected(table: &LexicalTable, counts: &[(&str, usize)]) -> Vec<f64> {
    let mut sum = vec![0.0; table.dimension];
    for &(word, count) in counts {
        let row = table.words.iter().position(|known| known == word).unwrap();
        let row = &table.rows[row * table.dimension..][..table.dimension];
        sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += (count as f64).sqrt() * f64::from(value));
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    sum.iter().map(|value| value / length).collect()
}

fn length(row: &[f32]) -> f32 {
    row.iter().map(|value| value * value).sum::<f32>().sqrt()
}

#[test]
fn a_half_is_the_sum_of_its_words_rows_by_the_root_of_their_counts() {
    for dimension in [1, 7, 16, 33] {
        let half = LexicalHalf::new(table(dimension)).unwrap();
        let mut out = vec![9.0; dimension];
        assert!(half.encode_into("the maps of cells, map", &mut out));
        assert!(difference(&out, &expected(&table(dimension), &[("map", 2), ("cell", 1)])) < 1e-6);
    }
}

#[test]
fn a_half_gives_back_its_table() {
    assert_eq!(LexicalHalf::new(table(9)).unwrap().table(), table(9));
    let (_folder, _, student) = open(&with_half(9), Precision::F32);
    assert_eq!(student.lexical().unwrap().table(), table(9));
}

#[test]
fn the_order_of_words_and_unknown_words_change_no_bit() {
    let half = LexicalHalf::new(table(24)).unwrap();
    let encode = |text: &str| {
        let mut out = vec![0.0; 24];
        half.encode_into(text, &mut out);
        out
    };
    assert_eq!(encode("cells w1 maps w2 cell"), encode("w2 unheard cell map of w1 cell"));
}

#[test]
fn a_text_without_a_known_word_has_zeros() {
    let half = LexicalHalf::new(table(3)).unwrap();
    for text in ["", "the of", "unheard w9", "ce cellar mapp"] {
        let mut out = [1.0; 3];
        assert!(!half.encode_into(text, &mut out) && !half.knows(text), "{text}");
        assert_eq!(out, [0.0; 3]);
    }
    assert!(half.knows("unheard maps"));
}

#[test]
fn a_students_vector_is_its_dense_vector_and_its_half_weighted_two_to_one() {
    for precision in Precision::ALL {
        let (_folder, _, student) = open(&with_half(5), precision);
        assert_eq!((student.dimension(), student.dense_dimension(), student.lexical_dimension()), (11, 6, 5));
        assert_eq!((student.info().dimension, student.lexical().unwrap().words()), (11, 5));
        let (whole, dense) = (student.encode(&TEXTS).unwrap(), student.encode_dense(&TEXTS).unwrap());
        for ((text, whole), dense) in TEXTS.iter().zip(whole.iter()).zip(dense.iter()) {
            let (first, second) = whole.split_at(6);
            assert!(first.iter().zip(dense).all(|(&whole, &dense)| (whole - dense * DENSE_WEIGHT).abs() < 1e-6));
            let mut half = [0.0; 5];
            let is_known = student.lexical().unwrap().encode_into(text, &mut half);
            assert!(second.iter().zip(half).all(|(&whole, half)| whole == half * LEXICAL_WEIGHT));
            let squares = if is_known { 1.0 } else { 2.0 / 3.0 };
            assert!((length(whole).powi(2) - squares).abs() < 1e-5, "{text}: {}", length(whole));
        }
        assert_eq!(whole.row(2)[6..], [0.0; 5]);
    }
}

#[test]
fn every_precision_gives_nearly_the_half_of_f32() {
    let exact = LexicalHalf::new(table(32)).unwrap();
    for (precision, most) in [(Precision::F32, 0.0), (Precision::F16, 1e-3), (Precision::Int8, 1e-2)] {
        let (_folder, _, student) = open(&with_half(32), precision);
        for text in TEXTS {
            let mut halves = [[0.0; 32]; 2];
            exact.encode_into(text, &mut halves[0]);
            student.lexical().unwrap().encode_into(text, &mut halves[1]);
            let apart = halves[0].iter().zip(halves[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart <= most, "{precision:?} {text}: {apart}");
        }
    }
}

#[test]
fn threads_and_other_texts_change_no_bit() {
    let (_folder, path, student) = open(&with_half(16), Precision::Int8);
    let many: Vec<&str> = TEXTS.iter().copied().cycle().take(500).collect();
    let whole = student.encode(&many).unwrap();
    let threaded = Student::load(&path).unwrap().with_threads(3).unwrap();
    assert_eq!(threaded.encode(&many).unwrap(), whole);
    for (text, row) in TEXTS.iter().zip(whole.iter()) {
        assert_eq!(student.encode(&[text]).unwrap().row(0), row);
    }
}

#[test]
fn a_half_stands_beside_vectors_of_another_model() {
    let half = LexicalHalf::new(table(4)).unwrap();
    let dense = Embeddings::new(vec![3.0, 4.0, 0.0, 0.0], 2);
    let whole = half.beside(&dense, &["cells", "unheard"]);
    let mut alone = [0.0; 4];
    half.encode_into("cells", &mut alone);
    let mut row = vec![0.6 * DENSE_WEIGHT, 0.8 * DENSE_WEIGHT];
    row.extend(alone.map(|value| value * LEXICAL_WEIGHT));
    assert_eq!((whole.row(0), whole.row(1)), (&*row, &[0.0; 6][..]));
}

#[test]
fn token_ids_give_the_dense_half_alone() {
    let (_folder, _, student) = open(&with_half(5), Precision::F32);
    let ids: crate::TokenBatch = [&[5u32, 6][..]].into_iter().collect();
    assert_eq!(student.encode_tokens(&ids).unwrap(), student.encode_dense(&["w0 w1"]).unwrap());
    assert!(Encoder::lexical(&student).is_some());
}

#[test]
fn a_file_without_a_half_has_the_bytes_of_version_2() {
    for precision in Precision::ALL {
        let folder = tempfile::tempdir().unwrap();
        let [with, without] = ["with", "without"].map(|name| folder.path().join(name));
        write(&with, &with_half(5), precision).unwrap();
        write(&without, &Parts { lexical: None, ..with_half(5) }, precision).unwrap();
        let bytes = fs::read(&without).unwrap();
        assert_eq!((bytes[8], fs::read(&with).unwrap()[8]), (2, 3));
        assert!(!String::from_utf8_lossy(&bytes).contains("lexical"));
        let student = Student::load(&without).unwrap();
        assert_eq!((student.dimension(), student.lexical_dimension()), (6, 0));
        assert_eq!(student.encode(&TEXTS).unwrap(), Student::load(&with).unwrap().encode_dense(&TEXTS).unwrap());
    }
    // Written by the version before the one that knew lexical halves.
    let (_folder, path, _) = open(&Parts { lexical: None, ..with_half(5) }, Precision::Int8);
    assert_eq!(xxhash_rust::xxh3::xxh3_64(&fs::read(path).unwrap()), WITHOUT_A_HALF);
}

/// The hash of a file without a half.
const WITHOUT_A_HALF: u64 = 0xe54e_3fea_8193_1b13;

#[test]
fn a_half_under_another_version_is_an_error() {
    let (_folder, path, _) = open(&with_half(5), Precision::Int8);
    let mut bytes = fs::read(&path).unwrap();
    for version in [1u8, 2] {
        bytes[8] = version;
        assert!(matches!(refuse(&path, &sealed(bytes.clone()), "the version"), Error::Header { .. }));
    }
    let (_folder, path, _) = open(&Parts { lexical: None, ..with_half(5) }, Precision::Int8);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 3;
    assert!(matches!(refuse(&path, &sealed(bytes), "the version"), Error::Header { .. }));
}

#[test]
fn a_flipped_bit_and_a_cut_file_with_a_half_are_errors() {
    let (_folder, path, _) = open(&with_half(3), Precision::Int8);
    let bytes = fs::read(&path).unwrap();
    for at in 8..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        refuse(&path, &damaged, &format!("a flipped bit at {at}"));
        refuse(&path, &bytes[..at], &format!("a length of {at}"));
    }
}

#[test]
fn wrong_words_under_a_right_checksum_are_an_error() {
    let (_folder, path, _) = open(&with_half(3), Precision::Int8);
    let bytes = fs::read(&path).unwrap();
    let place = bytes.windows(13).position(|window| window == b"cellgenmapw1w").unwrap();
    let swapped = |at: usize, byte: u8| {
        let mut damaged = bytes.clone();
        damaged[at] = byte;
        refuse(&path, &sealed(damaged), &format!("byte {at}"))
    };
    // The offsets begin 64 bytes before the words: 0, 4, 7, 10, 12, 14.
    for (at, byte) in [(place, b'z'), (place + 4, b'a'), (place - 64, 1), (place - 56, 4), (place - 44, 13)] {
        let error = swapped(at, byte);
        assert!(matches!(error, Error::Header { .. }), "{at}: {error}");
    }
}

#[test]
fn damage_to_a_half_under_a_right_checksum_gives_an_error_or_finite_vectors_but_no_panic() {
    let mut random = Rng::with_seed(8);
    for precision in Precision::ALL {
        let (_folder, path, _) = open(&with_half(3), precision);
        let bytes = fs::read(&path).unwrap();
        for _ in 0..700 {
            let mut damaged = bytes.clone();
            for _ in 0..random.usize(1..5) {
                damaged[random.usize(32..bytes.len())] = random.u8(..);
            }
            replace(&path, &sealed(damaged));
            if let Ok(student) = Student::load(&path) {
                let vectors = student.encode(&TEXTS).unwrap();
                assert!(vectors.as_slice().iter().all(|value| value.is_finite()));
            }
        }
    }
}

#[test]
fn a_table_whose_parts_do_not_fit_is_refused() {
    type Change = fn(&mut LexicalTable);
    let changes: [(&str, Change); 6] = [
        ("lexical rows: 9", |table| table.rows.truncate(9)),
        ("ascending", |table| table.words.swap(1, 2)),
        ("ascending", |table| table.words[1] = "cell".into()),
        ("empty word", |table| table.words[0].clear()),
        ("number 2 is NaN", |table| table.rows[2] = f32::NAN),
        ("0 words", |table| *table = LexicalTable { dimension: 3, ..LexicalTable::default() }),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, change) in changes {
        let mut parts = with_half(3);
        change(parts.lexical.as_mut().unwrap());
        let error = write(&folder.path().join("s"), &parts, Precision::F32).unwrap_err();
        assert!(matches!(&error, Error::Parts { what } if what.contains(name)), "{name}: {error}");
        assert!(LexicalHalf::new(parts.lexical.unwrap()).is_err());
    }
    let mut wide = with_half(3);
    wide.lexical.as_mut().unwrap().rows[0] = 1e6;
    assert!(write(&folder.path().join("s"), &wide, Precision::F16).is_err());
    assert!(write(&folder.path().join("s"), &wide, Precision::Int8).is_ok());
}

#[test]
fn the_weights_are_those_of_two_thirds_and_one_third() {
    assert_eq!((DENSE_WEIGHT, LEXICAL_WEIGHT), ((2.0f64 / 3.0).sqrt() as f32, (1.0f64 / 3.0).sqrt() as f32));
    let mut row = [DENSE_WEIGHT, LEXICAL_WEIGHT];
    assert!(normalise(&mut row) && (row[0] - DENSE_WEIGHT).abs() < 1e-6);
}
