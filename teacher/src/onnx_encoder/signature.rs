//! The meaning of the inputs and outputs of an ONNX model.
//!
//! Exporters differ: some leave `token_type_ids` out, some use other names, some pool inside the graph. The model's
//! declarations decide. An input whose name says nothing gets its role by its position, in the order that most
//! exporters keep.

use std::path::Path;

use ort::session::Session;
use ort::value::{Outlet, TensorElementType};

use crate::Error;

/// The outputs that are known by their names, the first that a model has being taken: a vector a text, as limbeck and
/// sentence-transformers export it, then the states of a text's tokens.
const KNOWN: [&str; 3] = ["sentence_embedding", "last_hidden_state", "token_embeddings"];

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

/// The output to ask for: one that is known by its name, else the only one that can be vectors of tokens, else the only
/// one that can be vectors of texts.
fn output(outputs: &[Outlet]) -> Result<String, String> {
    let described: Vec<OutputShape> = outputs.iter().map(OutputShape::of).collect();
    choose(&described).map(|output| output.name.to_owned()).map_err(|why| {
        let listed: Vec<String> =
            outputs.iter().map(|output| format!("{} {}", output.name(), output.dtype())).collect();
        format!("{why}: {}", listed.join(", "))
    })
}

/// What the model declares of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OutputShape<'a> {
    name: &'a str,
    is_float: bool,
    /// How many dimensions it has; 0 where none are declared, and the output shows itself when the model runs.
    rank: usize,
}

impl<'a> OutputShape<'a> {
    fn of(output: &'a Outlet) -> Self {
        let kind = output.dtype().tensor_type();
        let is_float = matches!(kind, Some(TensorElementType::Float32 | TensorElementType::Float16));
        Self { name: output.name(), is_float, rank: output.dtype().tensor_shape().map_or(0, |shape| shape.len()) }
    }

    fn can_be_vectors(&self) -> bool {
        // Scores of words or classes are no vectors, though they look like some.
        self.is_float && matches!(self.rank, 0 | 2 | 3) && !self.name.to_lowercase().contains("logits")
    }
}

fn choose<'a, 'o>(outputs: &'a [OutputShape<'o>]) -> Result<&'a OutputShape<'o>, &'static str> {
    let fit: Vec<&OutputShape> = outputs.iter().filter(|output| output.can_be_vectors()).collect();
    let by_name = KNOWN.iter().find_map(|known| fit.iter().find(|output| output.name == *known));
    if let Some(known) = by_name {
        return Ok(known);
    }
    for rank in [3, 2, 0] {
        match fit.iter().filter(|output| output.rank == rank).collect::<Vec<_>>()[..] {
            [] => {}
            [only] => return Ok(only),
            _ => return Err("which of its outputs is the vectors can't be told by their names"),
        }
    }
    Err("none of its outputs is a matrix or a batch of matrices of f32 or f16")
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
    fn an_output_is_chosen_by_its_name_and_never_by_its_place() {
        let float = |name, rank| OutputShape { name, is_float: true, rank };
        let chosen = |outputs: &[OutputShape]| choose(outputs).map(|output| output.name.to_owned());
        let all = [float("attentions", 3), float("last_hidden_state", 3), float("sentence_embedding", 2)];
        assert_eq!(chosen(&all), Ok("sentence_embedding".into()));
        assert_eq!(chosen(&all[..2]), Ok("last_hidden_state".into()));
        assert_eq!(chosen(&[float("x", 3), float("token_embeddings", 3)]), Ok("token_embeddings".into()));
        assert_eq!(chosen(&[float("pooler_output", 2), float("1234", 3)]), Ok("1234".into()));
        assert!(chosen(&[float("hidden.0", 3), float("hidden.1", 3)]).unwrap_err().contains("can't be told"));
        assert!(chosen(&[float("a", 2), float("b", 2)]).unwrap_err().contains("can't be told"));
    }

    #[test]
    fn what_cannot_be_vectors_is_refused() {
        let output = |name, is_float, rank| OutputShape { name, is_float, rank };
        assert!(choose(&[output("logits", true, 3)]).is_err());
        assert!(choose(&[output("last_hidden_state", false, 3)]).is_err());
        assert!(choose(&[output("image", true, 4)]).is_err());
        assert_eq!(choose(&[output("MLM_logits", true, 3), output("out", true, 0)]).unwrap().name, "out");
    }

    #[test]
    fn inputs_that_no_text_encoder_has_are_an_error() {
        assert!(roles(&["a", "b", "c", "d"]).unwrap_err().contains("a, b, c, d"));
        assert!(roles(&["mask"]).unwrap_err().contains("token ids"));
        assert!(roles(&["input_ids", "other_input_ids"]).is_err());
    }
}
