//! The unknown token of a model, without which some texts cannot be tokenised.

use tokenizers::{Model, ModelWrapper, pre_tokenizers::byte_level::ByteLevel};

/// What the model lacks to tokenise every text: the name of its kind, and the unknown token that is missing. `None`
/// where the model takes every text. `unknown_id` gives the JSON's `unk_id`.
///
/// The models look for the unknown token among their own tokens only: an added token does not serve.
pub(super) fn missing(
    model: &ModelWrapper,
    unknown_id: impl FnOnce() -> Option<u32>,
) -> Option<(&'static str, String)> {
    let lacks = |token: &str| model.token_to_id(token).is_none();
    match model {
        ModelWrapper::WordPiece(own) => lacks(&own.unk_token).then(|| ("WordPiece", own.unk_token.clone())),
        ModelWrapper::WordLevel(own) => lacks(&own.unk_token).then(|| ("WordLevel", own.unk_token.clone())),
        // Without an unknown token, the model leaves unknown characters out.
        ModelWrapper::BPE(own) => {
            let byte = |byte| model.token_to_id(&format!("<0x{byte:02X}>")).is_some();
            let falls_back = own.byte_fallback && (0..=u8::MAX).all(byte);
            let token = own.unk_token.as_ref().filter(|token| lacks(token) && !falls_back && !has_all_bytes(model))?;
            Some(("BPE", token.clone()))
        }
        ModelWrapper::Unigram(_) => {
            (unknown_id().is_none() && !has_all_bytes(model)).then(|| ("Unigram", "unk_id".to_owned()))
        }
    }
}

/// Whether the model has a token for each byte, as byte-level models have: such a model knows every text.
fn has_all_bytes(model: &ModelWrapper) -> bool {
    ByteLevel::alphabet().iter().all(|byte| model.token_to_id(byte.encode_utf8(&mut [0; 4])).is_some())
}
