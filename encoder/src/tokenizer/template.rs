//! Checks the tokens and texts that a post-processor's template names: the `tokenizers` library panics over a missing
//! one.

use serde::Deserialize;
use serde_json::Value;

/// The part of a tokenizer.json that is checked; the rest is skipped.
#[derive(Deserialize)]
struct PostProcessorJson {
    #[serde(default)]
    post_processor: Value,
}

/// Whether every template in this tokenizer.json defines the tokens that it names, and takes no text but the first.
///
/// # Errors
/// When `json` is not the JSON of a tokenizer.
pub(super) fn is_whole(json: &[u8]) -> serde_json::Result<bool> {
    Ok(processor_is_whole(&serde_json::from_slice::<PostProcessorJson>(json)?.post_processor))
}

fn processor_is_whole(processor: &Value) -> bool {
    let mut inner = processor.get("processors").and_then(Value::as_array).into_iter().flatten();
    let mut pieces = processor.get("single").and_then(Value::as_array).into_iter().flatten();
    inner.all(processor_is_whole)
        && pieces.all(|piece| match (&piece["SpecialToken"]["id"], &piece["Sequence"]["id"]) {
            (Value::String(token), _) => !processor["special_tokens"][token].is_null(),
            (_, Value::String(text)) => text == "A",
            // The library reports other pieces that are wrong.
            _ => true,
        })
}
