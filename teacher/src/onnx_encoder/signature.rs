//! The meaning of the inputs and outputs of an ONNX model.
//!
//! Exporters differ: some leave `token_type_ids` out, some use other names, some pool inside the graph. The model's
//! declarations decide. An input whose name says nothing gets its role by its position, in the order that most
//! exporters keep.

use std::path::Path;

use ort::session::Session;
use ort::value::{Outlet, TensorElementType};

use crate::Error;

/// The output of limbeck's own exports and of sentence-transformers': pooled already.
const POOLED: &str = "sentence_embedding";

/// The content of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputRole {
    /// Token ids.
    Ids,
    /// 1 for a token, 0 for padding.
    Mask,
    /// 0 everywhere: a single text has one segment.
    Types,
    /// 0, 1, 2 …
    Positions,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelInput {
    pub name: String,
    pub role: InputRole,
    /// `Int64` or `Int32`.
    pub integers: TensorElementType,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub inputs: Vec<ModelInput>,
    /// The output that is asked for.
    pub output: String,
    /// Rows of every batch, where the model fixes them.
    pub rows: Option<usize>,
    /// Tokens of every row, where the model fixes them.
    pub tokens: Option<usize>,
}

impl Signature {
    pub(super) fn of(session: &Session, path: &Path) -> crate::Result<Self> {
        let unfit = |problem| Error::OnnxSignature { path: path.to_owned(), problem };
        let roles = roles(&session.inputs().iter().map(Outlet::name).collect::<Vec<_>>()).map_err(unfit)?;
        let mut inputs = Vec::new();
        let (mut rows, mut tokens) = (None, None);
        for (input, role) in session.inputs().iter().zip(roles) {
            let Some(integers @ (TensorElementType::Int64 | TensorElementType::Int32)) = input.dtype().tensor_type()
            else {
                let (name, kind) = (input.name(), input.dtype());
                return Err(unfit(format!("the input `{name}` is {kind}, where integers are expected")));
            };
            if let Some(shape) = input.dtype().tensor_shape()
                && let [first, second] = shape[..]
            {
                rows = rows.or(fixed(first));
                tokens = tokens.or(fixed(second));
            }
            inputs.push(ModelInput { name: input.name().to_owned(), role, integers });
        }
        Ok(Self { inputs, output: output(session.outputs()).map_err(unfit)?, rows, tokens })
    }
}

/// The size of a dimension that isn't dynamic.
fn fixed(dimension: i64) -> Option<usize> {
    usize::try_from(dimension).ok().filter(|&dimension| dimension > 0)
}

/// The role of each input, by its name or else by its position.
fn roles(names: &[&str]) -> Result<Vec<InputRole>, String> {
    let by_name = |name: &str| {
        let name = name.to_lowercase();
        let has = |part: &str| name.contains(part);
        match () {
            () if has("mask") => Some(InputRole::Mask),
            () if has("type") || has("segment") => Some(InputRole::Types),
            () if has("position") => Some(InputRole::Positions),
            () if has("input_id") || has("token_id") || name == "ids" || name == "tokens" => Some(InputRole::Ids),
            () => None,
        }
    };
    let named: Vec<_> = names.iter().map(|name| by_name(name)).collect();
    let mut free =
        [InputRole::Ids, InputRole::Mask, InputRole::Types].into_iter().filter(|role| !named.contains(&Some(*role)));
    let roles: Option<Vec<InputRole>> = named.iter().map(|role| role.or_else(|| free.next())).collect();
    let listed = || names.join(", ");
    let roles = roles.ok_or_else(|| format!("its inputs are {}, more than a text encoder has", listed()))?;
    let count = |role| roles.iter().filter(|&&other| other == role).count();
    match (count(InputRole::Ids), [InputRole::Mask, InputRole::Types, InputRole::Positions].map(count)) {
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
    let rank = |output: &Outlet| output.dtype().tensor_shape().map_or(0, |shape| shape.len());
    // A rank that isn't declared, 0 here, shows itself when the model runs.
    let by_rank = || [3, 2, 0].into_iter().find_map(|wanted| floats().find(|output| rank(output) == wanted));
    let found = floats().find(|output| output.name() == POOLED).or_else(by_rank);
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
        assert_eq!(found, Ok(vec![InputRole::Mask, InputRole::Types, InputRole::Ids]));
        assert_eq!(roles(&["input_ids", "attention_mask"]), Ok(vec![InputRole::Ids, InputRole::Mask]));
        assert_eq!(
            roles(&["input_word_ids", "input_mask", "segment_ids"]),
            Ok(vec![InputRole::Ids, InputRole::Mask, InputRole::Types])
        );
    }

    #[test]
    fn inputs_whose_names_say_nothing_are_known_by_their_position() {
        assert_eq!(roles(&["input.1", "onnx::1", "2"]), Ok(vec![InputRole::Ids, InputRole::Mask, InputRole::Types]));
        assert_eq!(roles(&["a", "attention_mask"]), Ok(vec![InputRole::Ids, InputRole::Mask]));
        assert_eq!(roles(&["x"]), Ok(vec![InputRole::Ids]));
    }

    #[test]
    fn inputs_that_no_text_encoder_has_are_an_error() {
        assert!(roles(&["a", "b", "c", "d"]).unwrap_err().contains("a, b, c, d"));
        assert!(roles(&["mask"]).unwrap_err().contains("token ids"));
        assert!(roles(&["input_ids", "other_input_ids"]).is_err());
    }
}
