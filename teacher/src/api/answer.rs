//! The body of a request, and the vectors in its answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limbeck_encoder::normalise;
use serde::Deserialize;
use serde_json::json;

use super::settings::ApiSettings;

/// The JSON of a request for the vectors of `texts`.
pub(super) fn body(settings: &ApiSettings, texts: &[String]) -> Vec<u8> {
    let mut body = json!({"model": settings.model, "input": texts, "encoding_format": settings.encoding.name()});
    if let Some(dimensions) = settings.dimensions {
        body["dimensions"] = dimensions.into();
    }
    body.to_string().into_bytes()
}

/// The vectors in an answer, each of length 1, in the order of the texts.
#[derive(Debug, PartialEq)]
pub(super) struct Vectors {
    /// Row after row.
    pub values: Vec<f32>,
    /// Their width.
    pub width: usize,
    /// How many tokens the server has counted, where it says.
    pub tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    embedding: Written,
}

/// A vector as the server writes it, whatever it was asked for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Floats(Vec<f32>),
    Base64(String),
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    total_tokens: Option<u64>,
}

impl Written {
    fn values(self) -> Result<Vec<f32>, String> {
        let text = match self {
            Self::Floats(values) => return Ok(values),
            Self::Base64(text) => text,
        };
        let bytes = STANDARD.decode(text).map_err(|error| format!("is no base64 ({error})"))?;
        let (values, rest) = bytes.as_chunks::<4>();
        match rest.is_empty() {
            true => Ok(values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()),
            false => Err(format!("has {} bytes in base64, which are no whole number of f32", bytes.len())),
        }
    }
}

/// Reads the answer to a request for the vectors of `texts` texts, which must be `width` wide where that is known.
///
/// # Errors
/// What is wrong with the answer, in words.
pub(super) fn read(answer: &[u8], texts: usize, width: Option<usize>) -> Result<Vectors, String> {
    let answer: Answer =
        serde_json::from_slice(answer).map_err(|error| format!("the answer can't be read: {error}"))?;
    let mut rows: Vec<Option<Vec<f32>>> = vec![None; texts];
    let found = answer.data.len();
    for Item { index, embedding } in answer.data {
        let values = embedding.values().map_err(|problem| format!("the vector of index {index} {problem}"))?;
        match rows.get_mut(index) {
            None => return Err(format!("the answer has a vector of index {index}, of {texts} texts")),
            Some(Some(_)) => return Err(format!("the answer has two vectors of index {index}")),
            Some(row) => *row = Some(values),
        }
    }
    if let Some(missing) = rows.iter().position(Option::is_none) {
        return Err(format!("the answer has {found} vectors for {texts} texts; that of index {missing} is missing"));
    }
    let rows: Vec<Vec<f32>> = rows.into_iter().flatten().collect();
    let width = width.or_else(|| rows.first().map(Vec::len)).unwrap_or_default();
    let mut values = Vec::with_capacity(rows.len() * width);
    for (index, mut row) in rows.into_iter().enumerate() {
        if row.len() != width || width == 0 {
            return Err(format!("the vector of index {index} has {} values where {width} are expected", row.len()));
        }
        if let Some(place) = row.iter().position(|value| !value.is_finite()) {
            return Err(format!("the vector of index {index} is not finite: value {place} is {}", row[place]));
        }
        if !normalise(&mut row) {
            return Err(format!("the vector of index {index} is all zero"));
        }
        values.append(&mut row);
    }
    Ok(Vectors { values, width, tokens: answer.usage.and_then(|usage| usage.total_tokens) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(data: serde_json::Value) -> Vec<u8> {
        json!({"object": "list", "data": data, "usage": {"prompt_tokens": 3, "total_tokens": 4}}).to_string().into()
    }

    #[track_caller]
    fn refused(data: serde_json::Value, texts: usize) -> String {
        read(&answer(data), texts, Some(2)).unwrap_err()
    }

    fn base64(values: &[f32]) -> String {
        STANDARD.encode(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    }

    #[test]
    fn vectors_are_sorted_by_index_and_scaled_to_length_one() {
        let data = json!([{"index": 1, "embedding": [0.0, 2.0]}, {"index": 0, "embedding": [3.0, 4.0]}]);
        let read = read(&answer(data), 2, None).unwrap();
        assert_eq!(read, Vectors { values: vec![0.6, 0.8, 0.0, 1.0], width: 2, tokens: Some(4) });
    }

    #[test]
    fn base64_gives_the_same_vectors_as_floats() {
        let data = json!([{"index": 0, "embedding": base64(&[3.0, 4.0])}, {"index": 1, "embedding": [0.0, 2.0]}]);
        assert_eq!(read(&answer(data), 2, Some(2)).unwrap().values, [0.6, 0.8, 0.0, 1.0]);
    }

    #[test]
    fn an_answer_without_usage_counts_no_tokens() {
        let bytes = json!({"data": [{"index": 0, "embedding": [1.0]}]}).to_string();
        assert_eq!(read(bytes.as_bytes(), 1, None).unwrap().tokens, None);
    }

    #[test]
    fn a_missing_a_doubled_and_a_foreign_index_are_refused() {
        let item = |index: usize| json!({"index": index, "embedding": [1.0, 0.0]});
        assert!(refused(json!([item(0)]), 2).contains("1 vectors for 2 texts; that of index 1 is missing"));
        assert!(refused(json!([item(0), item(0)]), 2).contains("two vectors of index 0"));
        assert!(refused(json!([item(0), item(2)]), 2).contains("index 2, of 2 texts"));
        assert!(refused(json!([{"embedding": [1.0, 0.0]}]), 1).contains("missing field `index`"));
    }

    #[test]
    fn a_vector_of_another_width_is_refused() {
        let narrow = json!([{"index": 0, "embedding": [1.0]}]);
        assert_eq!(refused(narrow, 1), "the vector of index 0 has 1 values where 2 are expected");
    }

    #[test]
    fn vectors_that_are_not_finite_or_all_zero_are_refused() {
        let nan = json!([{"index": 0, "embedding": base64(&[1.0, f32::NAN])}]);
        assert_eq!(refused(nan, 1), "the vector of index 0 is not finite: value 1 is NaN");
        let huge = json!([{"index": 0, "embedding": [1e39, 0.0]}]);
        assert_eq!(refused(huge, 1), "the vector of index 0 is not finite: value 0 is inf");
        let zero = json!([{"index": 0, "embedding": [0.0, 0.0]}]);
        assert_eq!(refused(zero, 1), "the vector of index 0 is all zero");
    }

    #[test]
    fn broken_base64_and_broken_json_are_refused() {
        assert!(refused(json!([{"index": 0, "embedding": "?"}]), 1).contains("is no base64"));
        assert!(refused(json!([{"index": 0, "embedding": "AAAA"}]), 1).contains("no whole number of f32"));
        assert!(read(b"<html>", 1, None).unwrap_err().contains("can't be read"));
    }

    #[test]
    fn a_request_names_model_texts_encoding_and_dimensions() {
        let settings = ApiSettings { model: "m".into(), dimensions: Some(8), ..ApiSettings::default() };
        let sent: serde_json::Value = serde_json::from_slice(&body(&settings, &["a".into()])).unwrap();
        assert_eq!(sent, json!({"model": "m", "input": ["a"], "encoding_format": "base64", "dimensions": 8}));
    }
}
