use std::path::Path;

use limbeck_data::VectorType;
use limbeck_data::cache::{Cache, CacheSpec, CacheWriter, Fingerprint};

use super::super::losses::{CentredDistance, Losses};
use super::*;
use crate::test_support::word_tokenizer;

/// A cache of `rows` vectors in the plane, every other one `angle` to the left and to the right of one direction.
fn cache(folder: &Path, rows: usize, angle: f32) -> Cache {
    let spec = CacheSpec::new(2, VectorType::F32, Fingerprint::default());
    let mut writer = CacheWriter::open(folder, spec).unwrap();
    let texts: Vec<String> = (0..rows).map(|row| format!("text {row}")).collect();
    // Lengths don't matter: targets are scaled to length 1.
    let vector = |row: usize| {
        let (side, length) = (if row.is_multiple_of(2) { angle } else { -angle }, (1 + row % 3) as f32);
        [length * side.cos(), length * side.sin()]
    };
    let vectors: Vec<f32> = (0..rows).flat_map(vector).collect();
    for (shard, texts) in texts.chunks(SHARD_ROWS).enumerate() {
        let first = shard * SHARD_ROWS * 2;
        writer.write(shard, texts, &vectors[first..first + texts.len() * 2]).unwrap();
    }
    writer.finish(rows as u64).unwrap();
    Cache::open(folder).unwrap()
}

/// The warnings about such targets, with `held_out` texts beside them and a weight of the centred loss.
fn warned(rows: usize, angle: f32, held_out: usize, centred: f64) -> Vec<String> {
    let room = tempfile::tempdir().unwrap();
    let tokenizer = word_tokenizer();
    let (cache, held_out) = (cache(&room.path().join("a"), rows, angle), cache(&room.path().join("b"), held_out, 1.0));
    let targets = Targets { cache: &cache, held_out: Some(&held_out), tokenizer: &tokenizer, max_tokens: None };
    let losses = Losses { centred: CentredDistance { weight: centred }, ..Losses::default() };
    warnings(&targets, &DistilSettings { losses, ..DistilSettings::default() }).unwrap()
}

#[test]
fn targets_that_spread_and_enough_held_out_texts_give_no_warning() {
    // A mean of length cos(0.7) = 0.765.
    assert_eq!(warned(1_000, 0.7, 100, 0.0), [""; 0]);
}

#[test]
fn targets_that_are_all_alike_are_told_with_their_mean_cosine() {
    // Two sides 0.1 from the middle: pairs of one side 1, of two sides cos(0.2) = 0.980; the mean is 0.990.
    let warnings = warned(1_000, 0.1, 100, 1.0);
    assert!(warnings.len() == 1 && warnings[0].contains("the mean cosine of two of them is 0.990"), "{warnings:?}");
}

#[test]
fn targets_that_crowd_are_told_with_the_length_of_their_mean_unless_the_centred_loss_is_on() {
    // cos(0.5) = 0.878
    let warnings = warned(1_000, 0.5, 100, 0.0);
    assert!(warnings.len() == 1 && warnings[0].contains("their mean is 0.878 long"), "{warnings:?}");
    assert!(warnings[0].contains("distil.losses.centred = 1.0"));
    assert_eq!(warned(1_000, 0.5, 100, 1.0), [""; 0]);
}

#[test]
fn few_held_out_texts_are_told_with_their_number() {
    let warnings = warned(1_000, 0.7, 99, 0.0);
    assert!(warnings.len() == 1 && warnings[0].starts_with("only 99 texts are held out"), "{warnings:?}");
}

#[test]
fn few_texts_held_out_of_the_cache_itself_are_told_too() {
    let room = tempfile::tempdir().unwrap();
    let tokenizer = word_tokenizer();
    let cache = cache(room.path(), 1_000, 0.7);
    let targets = Targets { cache: &cache, held_out: None, tokenizer: &tokenizer, max_tokens: None };
    let held_out = targets.held_out().unwrap().texts.len();
    let warnings = warnings(&targets, &DistilSettings::default()).unwrap();
    assert!(warnings[0].starts_with(&format!("only {held_out} texts are held out")) && held_out < 100, "{warnings:?}");
}

#[test]
fn the_mean_cosine_of_pairs_is_that_of_all_pairs() {
    let room = tempfile::tempdir().unwrap();
    let tokenizer = word_tokenizer();
    let cache = cache(room.path(), 5, 0.4);
    let targets = Targets { cache: &cache, held_out: None, tokenizer: &tokenizer, max_tokens: None };
    // Of ten pairs, four are of one side and six of two sides.
    let expected = (4.0 + 6.0 * 0.8f64.cos()) / 10.0;
    assert!((Spread::of(&targets).unwrap().mean_cosine() - expected).abs() < 1e-6);
}

#[test]
fn a_large_cache_is_sampled_from_all_over_it() {
    let room = tempfile::tempdir().unwrap();
    let tokenizer = word_tokenizer();
    let cache = cache(room.path(), 2 * SHARD_ROWS, 0.4);
    let targets = Targets { cache: &cache, held_out: None, tokenizer: &tokenizer, max_tokens: None };
    let spread = Spread::of(&targets).unwrap();
    assert_eq!(spread.rows, SAMPLE);
    assert!((spread.norm - 0.4f64.cos()).abs() < 1e-6);
}
