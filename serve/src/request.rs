//! The body of `POST /v1/embeddings`.
//!
//! The body is read by hand rather than by a derived reader: texts go into one string without a copy of each, rows past
//! the limit are counted and not kept, and an error tells the field it is about.

use std::cell::Cell;
use std::fmt;

use limbeck_encoder::TokenBatch;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::input::{Input, Texts};
use crate::refusal::Refusal;

/// How vectors are written in an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// A JSON list of numbers.
    #[default]
    Float,
    /// The bytes of little-endian f32 in base64.
    Base64,
}

/// A request for vectors.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EmbeddingsRequest {
    /// The model's name, where the client gives one.
    pub(crate) model: Option<String>,
    pub(crate) input: Input,
    pub(crate) encoding: Encoding,
    /// The width of the vectors; the model's own by default.
    pub(crate) dimensions: Option<usize>,
}

impl EmbeddingsRequest {
    /// Reads a body of at most `most` texts.
    ///
    /// # Errors
    /// What is wrong with the body, and in which field.
    pub(crate) fn parse(body: &[u8], most: usize) -> Result<Self, Refusal> {
        let field = Cell::new(None);
        let mut json = serde_json::Deserializer::from_slice(body);
        let read = BodySeed { field: &field, most }.deserialize(&mut json).and_then(|read| json.end().map(|()| read));
        let Fields { model, input, encoding, dimensions } = read.map_err(|error| match field.get() {
            Some(name) => Refusal::field(Some(name), format!("{name}: {error}")),
            None => Refusal::field(None, format!("the body is not the JSON of a request: {error}")),
        })?;
        let Found { rows, count } = input.ok_or_else(|| Refusal::field(Some("input"), "input is missing"))?;
        if count > most {
            return Err(Refusal::texts(count, most));
        }
        let input = match rows {
            FoundRows::None => return Err(Refusal::field(Some("input"), "input is an empty list")),
            FoundRows::Texts(texts) => Input::Texts(texts),
            FoundRows::One(ids) => Input::Ids(std::iter::once(&ids[..]).collect()),
            FoundRows::Ids(ids) => Input::Ids(ids),
        };
        Ok(Self { model, input, encoding: encoding.unwrap_or_default(), dimensions })
    }
}

/// The fields of a body, as far as they are used.
#[derive(Default)]
struct Fields {
    model: Option<String>,
    input: Option<Found>,
    encoding: Option<Encoding>,
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum FieldName {
    Model,
    Input,
    EncodingFormat,
    Dimensions,
    #[serde(other)]
    Other,
}

impl FieldName {
    fn name(&self) -> Option<&'static str> {
        match self {
            Self::Model => Some("model"),
            Self::Input => Some("input"),
            Self::EncodingFormat => Some("encoding_format"),
            Self::Dimensions => Some("dimensions"),
            Self::Other => None,
        }
    }
}

struct BodySeed<'a> {
    /// The field that is being read.
    field: &'a Cell<Option<&'static str>>,
    most: usize,
}

impl<'de> DeserializeSeed<'de> for BodySeed<'_> {
    type Value = Fields;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Fields, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for BodySeed<'_> {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<FieldName>()? {
            self.field.set(key.name());
            match key {
                FieldName::Model => fields.model = map.next_value()?,
                FieldName::Input => fields.input = Some(map.next_value_seed(InputSeed { most: self.most })?),
                FieldName::EncodingFormat => fields.encoding = map.next_value()?,
                FieldName::Dimensions => fields.dimensions = map.next_value()?,
                FieldName::Other => drop(map.next_value::<IgnoredAny>()?),
            }
            self.field.set(None);
        }
        Ok(fields)
    }
}

/// The rows of an input, and how many there were: rows past the limit are counted alone.
struct Found {
    rows: FoundRows,
    count: usize,
}

enum FoundRows {
    None,
    Texts(Texts),
    /// The ids of one text.
    One(Vec<u32>),
    Ids(TokenBatch),
}

struct InputSeed {
    most: usize,
}

impl<'de> DeserializeSeed<'de> for InputSeed {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Found, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for InputSeed {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a list of texts, a list of token ids, or a list of such lists")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Found, E> {
        let mut texts = Texts::default();
        texts.push(text);
        Ok(Found { rows: FoundRows::Texts(texts), count: 1 })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found, A::Error> {
        let mut found = Found { rows: FoundRows::None, count: 0 };
        loop {
            if found.count >= self.most && !matches!(found.rows, FoundRows::One(_)) {
                // What is too much is counted and not kept.
                while list.next_element::<IgnoredAny>()?.is_some() {
                    found.count += 1;
                }
                return Ok(found);
            }
            if list.next_element_seed(ElementSeed(&mut found))?.is_none() {
                return Ok(found);
            }
        }
    }
}

/// Adds an element of a list to what was found before it.
struct ElementSeed<'a>(&'a mut Found);

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

const MIXED: &str = "a list holds texts, token ids or lists of token ids, and no mixture of these";

impl<'de> Visitor<'de> for ElementSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a token id or a list of token ids")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let Found { rows, count } = self.0;
        if matches!(rows, FoundRows::None) {
            *rows = FoundRows::Texts(Texts::default());
        }
        let FoundRows::Texts(texts) = rows else { return Err(E::custom(MIXED)) };
        texts.push(text);
        *count += 1;
        Ok(())
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<(), E> {
        let Found { rows, count } = self.0;
        let id = u32::try_from(id).map_err(|_| E::custom(format!("the token id {id} is too large")))?;
        if matches!(rows, FoundRows::None) {
            (*rows, *count) = (FoundRows::One(Vec::new()), 1);
        }
        let FoundRows::One(ids) = rows else { return Err(E::custom(MIXED)) };
        ids.push(id);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Found { rows, count } = self.0;
        if matches!(rows, FoundRows::None) {
            *rows = FoundRows::Ids(TokenBatch::new());
        }
        let FoundRows::Ids(batch) = rows else { return Err(A::Error::custom(MIXED)) };
        batch.push_with(|ids| {
            while let Some(id) = list.next_element::<u32>()? {
                ids.push(id);
            }
            Ok(())
        })?;
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<EmbeddingsRequest, Refusal> {
        EmbeddingsRequest::parse(body.as_bytes(), 3)
    }

    fn texts(rows: &[&str]) -> Input {
        let mut texts = Texts::default();
        rows.iter().for_each(|text| texts.push(text));
        Input::Texts(texts)
    }

    fn ids(rows: &[&[u32]]) -> Input {
        Input::Ids(rows.iter().copied().collect())
    }

    #[track_caller]
    fn refused(body: &str) -> (u16, String) {
        let refusal = parse(body).unwrap_err();
        (refusal.status.as_u16(), refusal.message)
    }

    #[test]
    fn every_form_of_input_is_read() {
        for (json, expected) in [
            (r#""a \"b\" é""#, texts(&["a \"b\" é"])),
            (r#"["a", "", "\u00e9"]"#, texts(&["a", "", "é"])),
            ("[5, 0, 7, 9]", ids(&[&[5, 0, 7, 9]])),
            ("[[5], [], [7, 8]]", ids(&[&[5], &[], &[7, 8]])),
        ] {
            assert_eq!(parse(&format!(r#"{{"input": {json}}}"#)).unwrap().input, expected, "{json}");
        }
    }

    #[test]
    fn the_other_fields_are_read_and_unknown_ones_ignored() {
        let body = r#"{"model": "m", "user": {"a": [1]}, "dimensions": 8, "encoding_format": "base64", "input": "a"}"#;
        let EmbeddingsRequest { model, encoding, dimensions, .. } = parse(body).unwrap();
        assert_eq!((model.as_deref(), encoding, dimensions), (Some("m"), Encoding::Base64, Some(8)));
        let body = r#"{"model": null, "dimensions": null, "encoding_format": null, "input": "a"}"#;
        let EmbeddingsRequest { model, encoding, dimensions, .. } = parse(body).unwrap();
        assert_eq!((model, encoding, dimensions), (None, Encoding::Float, None));
    }

    #[test]
    fn more_texts_than_allowed_are_counted_and_refused() {
        let many = |element: &str| format!(r#"{{"input": [{}]}}"#, vec![element; 100].join(","));
        for element in ["\"a\"", "[1, 2]", "[]"] {
            let (status, message) = refused(&many(element));
            assert_eq!((status, &message[..]), (422, "input holds 100 texts; a request takes at most 3"), "{element}");
        }
        assert_eq!(parse(&many("1")).unwrap().input.rows(), 1);
    }

    #[test]
    fn a_missing_and_an_empty_input_are_refused() {
        assert_eq!(refused("{}"), (400, "input is missing".into()));
        assert_eq!(refused(r#"{"input": []}"#), (400, "input is an empty list".into()));
    }

    #[test]
    fn mixtures_and_values_that_are_no_texts_or_ids_name_the_field() {
        for json in [r#"["a", 1]"#, r#"[1, "a"]"#, "[[1], 2]", "[1, [2]]"] {
            let (status, message) = refused(&format!(r#"{{"input": {json}}}"#));
            assert!(status == 400 && message.starts_with("input: a list holds texts"), "{message}");
        }
        for json in
            ["1", "null", "{}", "[null]", "[-1]", "[1.5]", "[4294967296]", "[[[1]]]", "[[\"a\"]]", r#""\ud800""#]
        {
            let (status, message) = refused(&format!(r#"{{"input": {json}}}"#));
            assert!(status == 400 && message.starts_with("input: "), "{json}: {message}");
        }
    }

    #[test]
    fn other_fields_that_cannot_be_are_named() {
        for (field, value) in
            [("dimensions", "-1"), ("dimensions", "\"8\""), ("encoding_format", "\"hex\""), ("model", "1")]
        {
            let (status, message) = refused(&format!(r#"{{"input": "a", "{field}": {value}}}"#));
            assert!(status == 400 && message.starts_with(&format!("{field}: ")), "{message}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for body in ["", "{", "[]", "{\"input\": \"a\"} x", "{\"input\": \"a\" \"b\"}", "\u{0}"] {
            let (status, message) = refused(body);
            assert!(status == 400 && message.contains(" line "), "{body}: {message}");
        }
        assert!(EmbeddingsRequest::parse(b"{\"input\": \"\xff\"}", 3).is_err());
        for field in ["other", "input", "model"] {
            assert_eq!(refused(&format!(r#"{{"{field}": {}"#, "[".repeat(1_000_000))).0, 400);
        }
    }
}
