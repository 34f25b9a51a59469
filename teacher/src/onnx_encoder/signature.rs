//! Which inputs and outputs of an ONNX model mean what.
//!
//! Exporters differ: some leave `token_type_ids` out, some use other names, some pool inside the graph. What is declared
//! decides; a name that says nothing takes its part by its place, in the order that most exporters keep.

use std::path::Path;

use ort::session::Session;
use ort::value::{Outlet, TensorElementType};

use crate::inference_error::InferenceError;

/// The output of limbeck's own exports and of sentence-transformers': pooled already.
const POOLED: &str = "sentence_embedding";

/// What an input takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Token ids.
    Ids,
    /// 1 for a token, 0 for padding.
    Mask,
    /// 0 everywhere: a single text has one segment.
    Types,
    /// 0, 1, 2 …
    Positions,
}

/// The integers of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    I32,
    I64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    pub name: String,
    pub role: Role,
    pub width: Width,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub inputs: Vec<Input>,
    /// The one output asked for.
    pub output: String,
    /// Rows of every batch, where the model fixes them.
    pub rows: Option<usize>,
    /// Tokens of every row, where the model fixes them.
    pub tokens: Option<usize>,
}

impl Signature {
    pub fn of(session: &Session, path: &Path) -> Result<Self, InferenceError> {
        let unfit = |problem| InferenceError::Signature { path: path.to_owned(), problem };
        let roles = roles(&session.inputs().iter().map(Outlet::name).collect::<Vec<_>>()).map_err(unfit)?;
        let mut inputs = Vec::new();
        let (mut rows, mut tokens) = (None, None);
        for (input, role) in session.inputs().iter().zip(roles) {
            let width = match input.dtype().tensor_type() {
                Some(TensorElementType::Int64) => Width::I64,
                Some(TensorElementType::Int32) => Width::I32,
                _ => {
                    let (name, kind) = (input.name(), input.dtype());
                    return Err(unfit(format!("the input `{name}` is {kind}, where integers are expected")));
                }
            };
            if let Some(shape) = input.dtype().tensor_shape()
                && let [first, second] = shape[..]
            {
                rows = rows.or(fixed(first));
                tokens = tokens.or(fixed(second));
            }
            inputs.push(Input { name: input.name().to_owned(), role, width });
        }
        Ok(Self { inputs, output: output(session.outputs()).map_err(unfit)?, rows, tokens })
    }
}

/// A dimension that isn't dynamic.
fn fixed(dimension: i64) -> Option<usize> {
    usize::try_from(dimension).ok().filter(|&dimension| dimension > 0)
}

/// The role of each input, by its name, else by its place.
fn roles(names: &[&str]) -> Result<Vec<Role>, String> {
    let by_name = |name: &str| {
        let name = name.to_lowercase();
        let has = |part: &str| name.contains(part);
        match () {
            () if has("mask") => Some(Role::Mask),
            () if has("type") || has("segment") => Some(Role::Types),
            () if has("position") => Some(Role::Positions),
            () if has("input_id") || has("token_id") || name == "ids" || name == "tokens" => Some(Role::Ids),
            () => None,
        }
    };
    let named: Vec<_> = names.iter().map(|name| by_name(name)).collect();
    let mut free = [Role::Ids, Role::Mask, Role::Types].into_iter().filter(|role| !named.contains(&Some(*role)));
    let roles: Option<Vec<Role>> = named.iter().map(|role| role.or_else(|| free.next())).collect();
    let listed = || names.join(", ");
    let roles = roles.ok_or_else(|| format!("its inputs are {}, more than a text encoder has", listed()))?;
    let count = |role| roles.iter().filter(|&&other| other == role).count();
    match (count(Role::Ids), [Role::Mask, Role::Types, Role::Positions].map(count)) {
        (1, others) if others.iter().all(|&count| count <= 1) => Ok(roles),
        _ => Err(format!("its inputs are {}: which are the token ids can't be told", listed())),
    }
}

/// The output to ask for: pooled by the graph, else token vectors, else what has a vector a text.
fn output(outputs: &[Outlet]) -> Result<String, String> {
    let floats = || {
        let float = |kind| matches!(kind, TensorElementType::Float32 | TensorElementType::Float16);
        outputs.iter().filter(move |output| output.dtype().tensor_type().is_some_and(float))
    };
    let rank = |output: &&Outlet| output.dtype().tensor_shape().map_or(0, |shape| shape.len());
    let found = floats()
        .find(|output| output.name() == POOLED)
        .or_else(|| floats().find(|output| rank(output) == 3))
        .or_else(|| floats().find(|output| rank(output) == 2))
        // A rank that isn't declared shows itself when the model runs.
        .or_else(|| floats().find(|output| rank(output) == 0));
    let listed = || outputs.iter().map(|output| format!("{} {}", output.name(), output.dtype())).collect::<Vec<_>>();
    found.map(|output| output.name().to_owned()).ok_or_else(|| {
        format!("none of its outputs is a matrix or a batch of matrices of f32 or f16: {}", listed().join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_known_by_their_names_in_any_order() {
        let found = roles(&["attention_mask", "token_type_ids", "input_ids"]);
        assert_eq!(found, Ok(vec![Role::Mask, Role::Types, Role::Ids]));
        assert_eq!(roles(&["input_ids", "attention_mask"]), Ok(vec![Role::Ids, Role::Mask]));
        assert_eq!(
            roles(&["input_word_ids", "input_mask", "segment_ids"]),
            Ok(vec![Role::Ids, Role::Mask, Role::Types])
        );
    }

    #[test]
    fn inputs_whose_names_say_nothing_are_known_by_their_place() {
        assert_eq!(roles(&["input.1", "onnx::1", "2"]), Ok(vec![Role::Ids, Role::Mask, Role::Types]));
        assert_eq!(roles(&["a", "attention_mask"]), Ok(vec![Role::Ids, Role::Mask]));
        assert_eq!(roles(&["x"]), Ok(vec![Role::Ids]));
    }

    #[test]
    fn inputs_that_no_text_encoder_has_are_an_error() {
        assert!(roles(&["a", "b", "c", "d"]).unwrap_err().contains("a, b, c, d"));
        assert!(roles(&["mask"]).unwrap_err().contains("token ids"));
        assert!(roles(&["input_ids", "other_input_ids"]).is_err());
    }
}
