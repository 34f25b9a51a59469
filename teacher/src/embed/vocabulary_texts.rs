//! The vector of every token of a student's vocabulary by a teacher that takes texts.

use std::collections::{HashMap, HashSet};

use limbeck_data::Monitor;
use limbeck_data::cache::CacheWriter;
use limbeck_encoder::Tokenizer;
use serde_json::Value;

use super::teacher::TextTeacher;
use super::teacher_vocabulary::names;
use crate::Result;

/// The texts that the tokens of a vocabulary stand for, each once.
pub(super) struct DistinctTexts {
    /// The texts.
    pub texts: Vec<String>,
    /// For each token, and for the empty text after them, the place of its text.
    places: Vec<usize>,
}

/// The texts of the tokens of `student`, and the empty text; a special token stands for no text.
pub(super) fn distinct(student: &Tokenizer) -> DistinctTexts {
    let special = special_tokens(student);
    let text = |id: u32| match student.token(id) {
        Some(token) if special.contains(&token) => String::new(),
        _ => student.text(id).unwrap_or_default(),
    };
    let (mut texts, mut places) = (Vec::new(), Vec::new());
    let mut known: HashMap<String, usize> = HashMap::new();
    for text in (0..student.vocabulary() as u32).map(text).chain([String::new()]) {
        let place = *known.entry(text).or_insert_with_key(|text| {
            texts.push(text.clone());
            texts.len() - 1
        });
        places.push(place);
    }
    DistinctTexts { texts, places }
}

/// Encodes the text of each token of `student`, and then the empty text; writes the vectors beside the shards.
pub(super) fn write(
    teacher: &dyn TextTeacher,
    student: &Tokenizer,
    writer: &mut CacheWriter,
    monitor: Monitor,
) -> Result<()> {
    let DistinctTexts { texts, places } = distinct(student);
    let bar = monitor.stage("embed the vocabulary", Some(texts.len() as u64), "tokens");
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = teacher.encode_texts(&texts, 0, monitor, &mut |rows| {
        bar.add(rows as u64);
        Ok(monitor.check()?)
    })?;
    let vectors: Vec<f32> = places.iter().flat_map(|&place| vectors.row(place)).copied().collect();
    Ok(writer.write_student_tokens(student.json(), &names(student), &vectors)?)
}

/// The tokens that stand for no text.
fn special_tokens(tokenizer: &Tokenizer) -> HashSet<String> {
    // The tokenizer was read from these bytes, so they are JSON.
    let json: Value = serde_json::from_slice(tokenizer.json()).unwrap_or_default();
    let added = json["added_tokens"].as_array().into_iter().flatten();
    let special = added.filter(|token| token["special"] == true).filter_map(|token| token["content"].as_str());
    special.map(str::to_string).collect()
}
