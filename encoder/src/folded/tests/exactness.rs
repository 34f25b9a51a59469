//! The precisions' errors, and the conditions that must not change a vector's bits.

use super::*;
use crate::{Encoder as _, Error, Special, TokenBatch, folded::simd::Level};

fn batch(sentences: &[Vec<u32>]) -> TokenBatch {
    sentences.iter().map(Vec::as_slice).collect()
}

/// Weights by frequency as in a real vocabulary, from 1 % to 100 %.
fn weights(vocabulary: usize) -> impl Fn(usize) -> f32 {
    move |v| 0.01f32.powf(1.0 - v as f32 / vocabulary as f32)
}

#[test]
fn f32_is_within_1e_5_of_the_formula() {
    for (seed, sizes) in every_make().into_iter().enumerate() {
        let parts = student(sizes, seed as u64, |_| 1.0);
        let sentences = sentences(60, sizes.vocabulary, 9);
        let vectors = open(&parts, Precision::F32).2.encode_tokens(&batch(&sentences)).unwrap();
        for (sentence, vector) in sentences.iter().zip(vectors.iter()) {
            let off = difference(vector, &reference(&parts, sentence));
            assert!(off < 1e-5, "make {seed}, {} tokens: off by {off}", sentence.len());
        }
    }
}

#[test]
fn f16_has_a_cosine_of_0_99999_to_the_formula() {
    for (seed, sizes) in every_make().into_iter().enumerate() {
        let weight = weights(sizes.vocabulary);
        let parts = student(sizes, seed as u64, &weight);
        let sentences = sentences(60, sizes.vocabulary, 9);
        let vectors = open(&parts, Precision::F16).2.encode_tokens(&batch(&sentences)).unwrap();
        for (sentence, vector) in sentences.iter().zip(vectors.iter()) {
            let cosine = cosine(vector, &reference(&parts, sentence));
            assert!(cosine > 0.999_99, "make {seed}, {} tokens: {cosine}", sentence.len());
        }
    }
}

#[test]
fn int8_has_a_cosine_of_0_999_to_the_formula_also_for_rows_that_differ_a_hundredfold() {
    for (seed, sizes) in every_make().into_iter().enumerate() {
        if sizes.dimension == 1 {
            continue; // a single value has no direction to lose
        }
        for weighted in [false, true] {
            let weight = weights(sizes.vocabulary);
            let parts = student(sizes, seed as u64, |v| if weighted { weight(v) } else { 1.0 });
            let sentences = sentences(130, sizes.vocabulary, 5);
            let vectors = open(&parts, Precision::Int8).2.encode_tokens(&batch(&sentences)).unwrap();
            let worst = (sentences.iter().zip(vectors.iter()))
                .map(|(sentence, vector)| cosine(vector, &reference(&parts, sentence)))
                .fold(1.0, f64::min);
            assert!(worst > 0.999, "make {seed}, weighted {weighted}: {worst}");
        }
    }
}

#[test]
fn rare_and_frequent_tokens_alone_keep_their_int8_precision() {
    let sizes = every_make()[0];
    let parts = student(sizes, 3, weights(sizes.vocabulary));
    let student = open(&parts, Precision::Int8).2;
    let mut random = Rng::with_seed(4);
    for (from, to) in [(0, 20), (280, 300)] {
        let sentences: Vec<Vec<u32>> = (0..50).map(|_| (0..9).map(|_| random.u32(from..to)).collect()).collect();
        let vectors = student.encode_tokens(&batch(&sentences)).unwrap();
        for (sentence, vector) in sentences.iter().zip(vectors.iter()) {
            let cosine = cosine(vector, &reference(&parts, sentence));
            assert!(cosine > 0.999, "tokens {from}–{to}: {cosine}");
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    eprintln!("levels: {:?}", Level::available());
    for (seed, sizes) in every_make().into_iter().enumerate() {
        let parts = student(sizes, seed as u64, weights(sizes.vocabulary));
        let tokens = batch(&sentences(75, sizes.vocabulary, 1));
        for precision in Precision::ALL {
            let (_folder, path, mut student) = open(&parts, precision);
            student.level = Level::Portable;
            let portable = student.encode_tokens(&tokens).unwrap();
            for level in Level::available() {
                let mut student = Student::load(&path).unwrap();
                student.level = level;
                let vectors = student.encode_tokens(&tokens).unwrap();
                let same = vectors.as_slice().iter().zip(portable.as_slice()).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "make {seed}, {precision:?}, {level:?}");
            }
        }
    }
}

#[test]
fn neither_neighbours_nor_threads_nor_order_change_a_vector() {
    let sizes = every_make()[0];
    let parts = student(sizes, 8, |_| 1.0);
    let sentences = sentences(333, sizes.vocabulary, 2);
    for precision in Precision::ALL {
        let (_folder, path, student) = open(&parts, precision);
        let all = student.encode_tokens(&batch(&sentences)).unwrap();
        let threads = Student::load(&path).unwrap().with_threads(3).unwrap();
        assert_eq!(threads.info().threads, 3);
        assert_eq!(threads.encode_tokens(&batch(&sentences)).unwrap(), all);
        for (row, sentence) in sentences.iter().enumerate().step_by(7) {
            let alone = student.encode_tokens(&batch(std::slice::from_ref(sentence))).unwrap();
            assert_eq!(alone.row(0), all.row(row), "{precision:?}, row {row}");
        }
    }
}

#[test]
fn a_token_encoder_gives_the_bits_of_the_texts_on_any_number_of_threads() {
    let sizes = every_make()[0];
    let mut parts = student(sizes, 8, |_| 1.0);
    parts.max_tokens = Some(3);
    let (_folder, path, alone) = open(&parts, Precision::Int8);
    let threads = Student::load(&path).unwrap().with_threads(3).unwrap();
    let texts: Vec<String> = (0..150).map(|at| format!("w{} w{} w{} w4", at % 40, at % 7, at % 11)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let whole: TokenBatch = texts
        .iter()
        .map(|text| alone.tokenizer().encode_batch(&[text], Special::Without, None))
        .fold(TokenBatch::new(), |mut all, one| {
            all.push(one.unwrap().row(0));
            all
        });
    for student in [&alone, &threads] {
        let tokens = student.token_encoder().unwrap();
        let ids = tokens.ids_of(&texts).unwrap();
        assert_eq!((ids.longest(), &ids), (3, &tokens.ids_around(&whole).unwrap()));
        assert_eq!(tokens.encode_ids(&ids).unwrap(), alone.encode(&texts).unwrap());
    }
}

#[test]
fn texts_give_the_vectors_of_their_tokens() {
    let sizes = every_make()[0];
    let mut parts = student(sizes, 8, |_| 1.0);
    parts.max_tokens = Some(3);
    let (_folder, path, student) = open(&parts, Precision::Int8);
    let texts = ["w1 W2, w3 w4", "", "w1", "w1 w2 unknown w3", " \u{0}\t ", "🦀"];
    let ids: [&[u32]; 6] = [&[6, 7, 1], &[], &[6], &[6, 7, 1], &[], &[1]];
    let expected = student.encode_tokens(&ids.into_iter().collect()).unwrap();
    assert_eq!(student.encode(&texts).unwrap(), expected);
    let many: Vec<&str> = texts.iter().copied().cycle().take(600).collect();
    let vectors = Student::load(&path).unwrap().with_threads(2).unwrap().encode(&many).unwrap();
    assert!(vectors.iter().enumerate().all(|(row, vector)| vector == expected.row(row % texts.len())));
    assert_eq!(student.encode::<&str>(&[]).unwrap().rows(), 0);
    let tokens: TokenBatch = [&[6, 7, 1, 9, 9][..]].into_iter().collect();
    assert_eq!(student.encode_tokens(&tokens).unwrap().row(0), expected.row(0), "max_tokens holds for ids too");
}

#[test]
fn a_long_text_is_as_exact_as_a_short_one() {
    let sizes = every_make()[0];
    let parts = student(sizes, 8, |_| 1.0);
    let mut random = Rng::with_seed(6);
    let sentence: Vec<u32> = (0..10_000).map(|_| random.u32(..sizes.vocabulary as u32)).collect();
    let expected = reference(&parts, &sentence);
    let tokens = batch(&[sentence]);
    assert!(difference(open(&parts, Precision::F32).2.encode_tokens(&tokens).unwrap().row(0), &expected) < 1e-5);
    assert!(cosine(open(&parts, Precision::Int8).2.encode_tokens(&tokens).unwrap().row(0), &expected) > 0.999);
}

#[test]
fn an_output_of_zeros_stays_zeros_and_an_overflow_gives_finite_vectors() {
    let mut parts = student(every_make()[2], 1, |v| if v == 7 { 0.0 } else { 1.0 });
    for precision in [Precision::F32, Precision::Int8] {
        let student = open(&parts, precision).2;
        assert!(student.encode_tokens(&batch(&[vec![7]])).unwrap().as_slice().iter().all(|&value| value == 0.0));
    }
    parts = student_of_extremes();
    for precision in [Precision::F32, Precision::Int8] {
        let vectors = open(&parts, precision).2.encode_tokens(&batch(&sentences(30, 300, 1))).unwrap();
        assert!(vectors.as_slice().iter().all(|value| value.is_finite()));
    }
}

/// A student of finite numbers whose sums overflow.
fn student_of_extremes() -> Parts {
    student(every_make()[0], 1, |v| [2e37, 1e-38, 0.0, 1.0][v % 4])
}

#[test]
fn an_id_outside_the_vocabulary_is_an_error_that_names_the_text() {
    let parts = student(every_make()[0], 1, |_| 1.0);
    let student = open(&parts, Precision::F32).2;
    let mut ids = vec![vec![1u32]; 100];
    ids[77] = vec![299, 300];
    let error = student.encode_tokens(&batch(&ids)).unwrap_err();
    assert!(matches!(error, Error::TokenId { row: 77, id: 300, vocabulary: 300 }), "{error}");
    ids[77][1] = u32::MAX;
    assert!(student.encode_tokens(&batch(&ids)).is_err());
}

#[test]
fn a_student_reports_what_was_written_and_the_same_parts_make_the_same_bytes() {
    let mut parts = student(every_make()[0], 1, |_| 1.0);
    parts.max_tokens = Some(77);
    let (_folder, path, student) = open(&parts, Precision::Int8);
    assert_eq!((student.max_tokens(), student.empty_token()), (Some(77), 299));
    assert_eq!((student.vocabulary(), student.dimension()), (300, 40));
    assert_eq!(student.metadata(), r#"{"name":"test"}"#);
    assert_eq!(student.tokenizer().json(), parts.tokenizer);
    let info = student.info();
    assert_eq!((info.parameters, info.engine, info.precision, info.threads), (1234, "folded", "int8", 1));
    assert_eq!(info.bytes, std::fs::metadata(&path).unwrap().len());
    let again = path.with_extension("again");
    write(&again, &parts, Precision::Int8).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), std::fs::read(again).unwrap(), "the same parts make the same bytes");
}
