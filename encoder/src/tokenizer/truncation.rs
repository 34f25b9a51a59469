//! The truncation and the padding that a tokenizer.json asks for.
//!
//! This crate neither truncates nor pads by these settings, and the `tokenizers` library refuses some spellings of them
//! that other programs write. So the library never sees them.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// The truncation that a tokenizer.json asks for. [`Tokenizer`](crate::Tokenizer) does not apply it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncation {
    /// The tokens that stay.
    pub max_tokens: usize,
    /// Where these tokens stand in the text.
    pub side: KeptSide,
}

/// The side of a text that truncation keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptSide {
    /// The text's beginning: the direction `Right`.
    Beginning,
    /// The text's end: the direction `Left`.
    End,
}

/// The settings of a tokenizer.json; the rest is skipped.
#[derive(Deserialize)]
struct SettingsJson {
    #[serde(default)]
    truncation: Value,
    #[serde(default)]
    padding: Value,
}

/// The JSON without its truncation and padding.
///
/// # Errors
/// When `json` is not the JSON of an object.
pub(super) fn without_settings(json: &[u8]) -> serde_json::Result<Cow<'_, [u8]>> {
    let settings: SettingsJson = serde_json::from_slice(json)?;
    if settings.truncation.is_null() && settings.padding.is_null() {
        return Ok(json.into());
    }
    let mut parts: BTreeMap<String, &RawValue> = serde_json::from_slice(json)?;
    parts.retain(|key, _| key != "truncation" && key != "padding");
    Ok(serde_json::to_vec(&parts)?.into())
}

/// The truncation in `json`, or what is wrong with it.
pub(super) fn of(json: &[u8]) -> Result<Option<Truncation>, String> {
    let settings: SettingsJson = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let truncation = match &settings.truncation {
        Value::Null => return Ok(None),
        Value::Object(truncation) => truncation,
        other => return Err(format!("truncation is {other}, not an object")),
    };
    let side = match truncation.get("direction").unwrap_or(&Value::Null) {
        Value::Null => KeptSide::Beginning,
        Value::String(side) if side.eq_ignore_ascii_case("right") => KeptSide::Beginning,
        Value::String(side) if side.eq_ignore_ascii_case("left") => KeptSide::End,
        other => return Err(format!("truncation.direction is {other}, neither \"Right\" nor \"Left\"")),
    };
    let length = truncation.get("max_length").unwrap_or(&Value::Null);
    let whole = length.as_f64().filter(|length| *length >= 0.0 && length.fract() == 0.0);
    let max_tokens = length.as_u64().or(whole.map(|length| length as u64));
    let max_tokens = max_tokens.ok_or_else(|| format!("truncation.max_length is {length}, no count of tokens"))?;
    Ok(Some(Truncation { max_tokens: usize::try_from(max_tokens).unwrap_or(usize::MAX), side }))
}
