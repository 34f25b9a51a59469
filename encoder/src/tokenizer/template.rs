//! What a post-processor's template names, looked at before `tokenizers` follows it: the library panics where a template
//! names what isn't there.

use serde::Deserialize;
use serde_json::Value;

/// The part of a tokenizer.json that is looked at; the rest is passed over.
#[derive(Deserialize)]
struct Json {
    #[serde(default)]
    post_processor: Value,
}

/// Whether every template in this tokenizer.json has the tokens that it names, and asks for no second text where there is one.
///
/// # Errors
/// When it is no JSON of a tokenizer.
pub fn is_whole(json: &[u8]) -> serde_json::Result<bool> {
    Ok(processor_is_whole(&serde_json::from_slice::<Json>(json)?.post_processor))
}

fn processor_is_whole(processor: &Value) -> bool {
    let mut inner = processor.get("processors").and_then(Value::as_array).into_iter().flatten();
    let mut pieces = processor.get("single").and_then(Value::as_array).into_iter().flatten();
    inner.all(processor_is_whole)
        && pieces.all(|piece| match (&piece["SpecialToken"]["id"], &piece["Sequence"]["id"]) {
            (Value::String(token), _) => !processor["special_tokens"][token].is_null(),
            (_, Value::String(text)) => text == "A",
            // The library says what is wrong with it.
            _ => true,
        })
}
