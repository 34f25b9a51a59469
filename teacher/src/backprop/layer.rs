//! One layer of a BERT, forwards and backwards: attention and a feed-forward block, each with a residual and a
//! LayerNorm.

use super::activation;
use super::attention::{self, Heads};
use super::dropout::{Dropout, Mask};
use super::linear::Linear;
use super::matrix::Matrix;
use super::norm::{Norm, Normalised};
use super::number::Real;
use super::parameters::{Gradients, LockedParameters};
use super::rows::{add, add_row_sums};
use crate::{Activation, BertConfig};

/// The parameters of one layer, and the texts that go through it.
pub(super) struct LayerPass<'a, T> {
    name: String,
    heads: Heads<'a>,
    query_key_value: [Linear<'a, T>; 3],
    attention_output: Linear<'a, T>,
    attention_norm: Norm<'a, T>,
    intermediate: Linear<'a, T>,
    output: Linear<'a, T>,
    output_norm: Norm<'a, T>,
    activation: Activation,
    drops_attention_output: bool,
}

/// The values of a forward pass that the backward pass needs, beside the layer's input.
pub(super) struct LayerTape<T> {
    query_key_value: Vec<T>,
    context: Vec<T>,
    attention_mask: Option<Mask>,
    attention_norm: Normalised<T>,
    attended: Vec<T>,
    before_activation: Vec<T>,
    inner: Vec<T>,
    output_norm: Normalised<T>,
}

const ATTENTION: [&str; 3] = ["attention.self.query", "attention.self.key", "attention.self.value"];

impl<'a, T: Real> LayerPass<'a, T> {
    pub(super) fn new(config: &BertConfig, index: usize, parameters: &'a LockedParameters, heads: Heads<'a>) -> Self {
        let name = format!("encoder.layer.{index}");
        let linear = |part: &str| Linear::named(parameters, &format!("{name}.{part}"));
        let norm = |part: &str| Norm::named(parameters, &format!("{name}.{part}"), config);
        Self {
            query_key_value: ATTENTION.map(linear),
            attention_output: linear("attention.output.dense"),
            attention_norm: norm("attention.output.LayerNorm"),
            intermediate: linear("intermediate.dense"),
            output: linear("output.dense"),
            output_norm: norm("output.LayerNorm"),
            activation: config.hidden_act,
            drops_attention_output: config.architecture.drops_attention_output(),
            name,
            heads,
        }
    }

    /// `x` and the output are `[tokens, H]`.
    pub(super) fn forward(&self, x: &[T], dropout: &mut Dropout) -> (Vec<T>, LayerTape<T>) {
        let width = self.heads.width;
        let mut query_key_value = vec![T::zero(); 3 * x.len()];
        for (at, linear) in self.query_key_value.iter().enumerate() {
            if !x.is_empty() {
                linear.forward_into(x, &mut query_key_value[at * width..], 3 * width);
            }
        }
        let attention_mask = dropout.attention();
        let context = attention::forward(&self.heads, &query_key_value, attention_mask);
        let projected = self.attention_output.forward(&context);
        let mask = if self.drops_attention_output { dropout.hidden() } else { None };
        let (attended, attention_norm) = self.attention_norm.forward(projected, Some(x), mask);
        let before_activation = self.intermediate.forward(&attended);
        let inner = activation::forward(self.activation, &before_activation);
        let projected = self.output.forward(&inner);
        let (output, output_norm) = self.output_norm.forward(projected, Some(&attended), dropout.hidden());
        let tape = LayerTape {
            query_key_value,
            context,
            attention_mask,
            attention_norm,
            attended,
            before_activation,
            inner,
            output_norm,
        };
        (output, tape)
    }

    /// From the output's gradient that of `x`, the layer's input; those of the parameters are added to `gradients`.
    pub(super) fn backward(&self, x: &[T], tape: LayerTape<T>, gradient: &[T], gradients: &mut Gradients<T>) -> Vec<T> {
        let width = self.heads.width;
        let name = |part: &str| format!("{}.{part}", self.name);
        // feed-forward block
        let mut to_attended =
            self.output_norm.backward(&tape.output_norm, gradient, gradients.module(&name("output.LayerNorm")));
        let to_projected = tape.output_norm.dropped(&to_attended, width);
        let mut to_inner = self.output.backward(&tape.inner, &to_projected, gradients.module(&name("output.dense")));
        activation::backward(self.activation, &tape.before_activation, &mut to_inner);
        self.intermediate.backward_into(
            &tape.attended,
            &to_inner,
            gradients.module(&name("intermediate.dense")),
            &mut to_attended,
        );
        // attention block
        let to_norm = gradients.module(&name("attention.output.LayerNorm"));
        let mut to_x = self.attention_norm.backward(&tape.attention_norm, &to_attended, to_norm);
        let to_projected = tape.attention_norm.dropped(&to_x, width);
        let to_dense = gradients.module(&name("attention.output.dense"));
        let to_context = self.attention_output.backward(&tape.context, &to_projected, to_dense);
        let to_three = attention::backward(&self.heads, &tape.query_key_value, &to_context, tape.attention_mask);
        let mut biases = vec![T::zero(); 3 * width];
        add_row_sums(&mut biases, &to_three);
        let tokens = x.len() / width;
        for (at, linear) in self.query_key_value.iter().enumerate() {
            let to = gradients.module(&name(ATTENTION[at]));
            add(&mut to.bias, &biases[at * width..(at + 1) * width]);
            if tokens > 0 {
                let part = Matrix::new(&to_three[at * width..], [tokens, width], 3 * width);
                linear.backward_strided(x, part, &mut to.weight, &mut to_x);
            }
        }
        to_x
    }
}
