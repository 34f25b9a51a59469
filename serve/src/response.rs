//! Answers, written straight into one buffer.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::request::Encoding;

/// Characters of a number and its comma, about.
const NUMBER: usize = 13;
/// Characters of a row around its vector.
const AROUND: usize = 64;

/// The JSON of an answer with `rows` vectors, each `width` wide.
///
/// # Errors
/// The row whose vector is not finite: no JSON number is.
pub(crate) fn embeddings<'a>(
    rows: impl ExactSizeIterator<Item = &'a [f32]>,
    width: usize,
    encoding: Encoding,
    name: &str,
    tokens: u64,
) -> Result<Vec<u8>, usize> {
    let characters = match encoding {
        Encoding::Float => width * NUMBER,
        Encoding::Base64 => width.div_ceil(3) * 16,
    };
    let mut out = Vec::with_capacity(rows.len() * (characters + AROUND) + 2 * AROUND + name.len());
    out.extend_from_slice(br#"{"object":"list","data":["#);
    let mut bytes = Vec::new();
    for (index, row) in rows.enumerate() {
        if row.iter().any(|value| !value.is_finite()) {
            return Err(index);
        }
        let comma = if index > 0 { "," } else { "" };
        put(&mut out, format_args!(r#"{comma}{{"object":"embedding","index":{index},"embedding":"#));
        match encoding {
            Encoding::Float => floats(row, &mut out),
            Encoding::Base64 => base64(row, &mut bytes, &mut out),
        }
        out.push(b'}');
    }
    let (name, usage) = (json!(name), json!({"prompt_tokens": tokens, "total_tokens": tokens}));
    put(&mut out, format_args!(r#"],"model":{name},"usage":{usage}}}"#));
    Ok(out)
}

fn put(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    // A vector takes every write.
    let _ = out.write_fmt(arguments);
}

/// Each number by the fewest digits that give the same f32 again.
fn floats(row: &[f32], out: &mut Vec<u8>) {
    let mut buffer = zmij::Buffer::new();
    out.push(b'[');
    for (at, &value) in row.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(buffer.format_finite(value).as_bytes());
    }
    out.push(b']');
}

/// The little-endian bytes of the row; `bytes` is their room.
fn base64(row: &[f32], bytes: &mut Vec<u8>, out: &mut Vec<u8>) {
    bytes.clear();
    bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    // The room is exact, so nothing can be missing.
    let _ = STANDARD.encode_slice(bytes, &mut out[start..]);
    out.push(b'"');
}

/// The JSON of the model `name`, as `/v1/models` lists it.
pub(crate) fn model(name: &str, created: u64) -> serde_json::Value {
    json!({"id": name, "object": "model", "created": created, "owned_by": "limbeck"})
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn answer(rows: &[&[f32]], encoding: Encoding) -> Value {
        let width = rows.first().map_or(0, |row| row.len());
        let written = embeddings(rows.iter().copied(), width, encoding, "a \"name\"", 7).unwrap();
        serde_json::from_slice(&written).unwrap()
    }

    #[test]
    fn floats_come_back_to_the_last_bit() {
        let row = [0.1, -1.0, 0.0, -0.0, 1e-30, f32::MIN_POSITIVE, f32::MAX, 1.0 / 3.0, 16_777_216.0, 1e-45];
        let answer = answer(&[&row, &[1.0; 10]], Encoding::Float);
        let read =
            answer["data"][0]["embedding"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32);
        assert_eq!(read.map(f32::to_bits).collect::<Vec<_>>(), row.map(f32::to_bits));
        assert_eq!(answer["data"][1]["index"], 1);
    }

    #[test]
    fn base64_holds_the_bytes_of_little_endian_numbers() {
        for width in 1..8 {
            let row: Vec<f32> = (0..width).map(|at| at as f32 - 0.3).collect();
            let answer = answer(&[&row], Encoding::Base64);
            let bytes = STANDARD.decode(answer["data"][0]["embedding"].as_str().unwrap()).unwrap();
            assert_eq!(bytes, row.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_answer_names_model_usage_and_objects() {
        let answer = answer(&[&[1.0]], Encoding::Float);
        assert_eq!(answer["object"], "list");
        assert_eq!(answer["model"], "a \"name\"");
        assert_eq!(answer["usage"], json!({"prompt_tokens": 7, "total_tokens": 7}));
        assert_eq!(answer["data"], json!([{"object": "embedding", "index": 0, "embedding": [1.0]}]));
    }

    #[test]
    fn a_vector_that_is_not_finite_is_named_by_its_row() {
        for value in [f32::NAN, f32::INFINITY] {
            assert_eq!(embeddings([&[1.0][..], &[value]].into_iter(), 1, Encoding::Base64, "m", 0), Err(1));
        }
    }
}
