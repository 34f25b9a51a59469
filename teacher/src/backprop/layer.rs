//! One layer of a BERT, forwards and backwards: attention and a feed-forward block, each with a residual and a LayerNorm.

use super::activation;
use super::attention::{self, Heads};
use super::dropout::{Dropout, Mask};
use super::linear::Linear;
use super::matrix::Matrix;
use super::norm::{Norm, Normalised};
use super::number::Real;
use super::parameters::{Gradients, Numbers};
use super::rows::{Sums, add_row_sums};
use crate::{Activation, BertConfig};

/// The parameters of one layer.
pub struct Layer<'a, T> {
    name: String,
    query_key_value: [Linear<'a, T>; 3],
    attention_output: Linear<'a, T>,
    attention_norm: Norm<'a, T>,
    intermediate: Linear<'a, T>,
    output: Linear<'a, T>,
    output_norm: Norm<'a, T>,
    activation: Activation,
}

/// What the backward pass needs of the forward one, beside the layer's input.
pub struct Tape<T> {
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

impl<'a, T: Real> Layer<'a, T> {
    pub fn new(config: &BertConfig, index: usize, numbers: &'a Numbers) -> Self {
        let name = format!("encoder.layer.{index}");
        let pair =
            |part: &str| (numbers.of(&format!("{name}.{part}.weight")), numbers.of(&format!("{name}.{part}.bias")));
        let linear = |part: &str| {
            let (weight, bias) = pair(part);
            Linear { weight, bias }
        };
        let norm = |part: &str| {
            let (weight, bias) = pair(part);
            Norm { weight, bias, eps: config.layer_norm_eps }
        };
        Self {
            query_key_value: ATTENTION.map(linear),
            attention_output: linear("attention.output.dense"),
            attention_norm: norm("attention.output.LayerNorm"),
            intermediate: linear("intermediate.dense"),
            output: linear("output.dense"),
            output_norm: norm("output.LayerNorm"),
            activation: config.hidden_act,
            name,
        }
    }

    /// `x` and the output are `[tokens, H]`.
    pub fn forward(&self, x: &[T], heads: &Heads, dropout: &mut Dropout) -> (Vec<T>, Tape<T>) {
        let width = heads.width;
        let mut query_key_value = vec![T::zero(); 3 * x.len()];
        for (at, linear) in self.query_key_value.iter().enumerate() {
            if !x.is_empty() {
                linear.forward_into(x, &mut query_key_value[at * width..], 3 * width);
            }
        }
        let attention_mask = dropout.attention();
        let context = attention::forward(heads, &query_key_value, attention_mask);
        let projected = self.attention_output.forward(&context);
        let (attended, attention_norm) = self.attention_norm.forward(projected, Some(x), dropout.hidden());
        let before_activation = self.intermediate.forward(&attended);
        let inner = activation::forward(self.activation, &before_activation);
        let projected = self.output.forward(&inner);
        let (output, output_norm) = self.output_norm.forward(projected, Some(&attended), dropout.hidden());
        let tape = Tape {
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
    pub fn backward(
        &self,
        x: &[T],
        tape: Tape<T>,
        gradient: &[T],
        heads: &Heads,
        gradients: &mut Gradients<T>,
    ) -> Vec<T> {
        let (width, of) = (heads.width, |part: &str| format!("{}.{part}", self.name));
        // feed-forward block
        let pair = gradients.of(&of("output.LayerNorm"));
        let mut to_attended = self.output_norm.backward(&tape.output_norm, gradient, &mut pair.weight, &mut pair.bias);
        let to_projected = tape.output_norm.dropped(&to_attended, width);
        self.output.backward(&tape.inner, &to_projected, gradients.of(&of("output.dense")));
        let mut to_inner = vec![T::zero(); tape.inner.len()];
        self.output.input_gradient(Matrix::dense(&to_projected, width), &mut to_inner);
        activation::backward(self.activation, &tape.before_activation, &mut to_inner);
        self.intermediate.backward(&tape.attended, &to_inner, gradients.of(&of("intermediate.dense")));
        self.intermediate.input_gradient(Matrix::dense(&to_inner, self.intermediate.bias.len()), &mut to_attended);
        // attention block
        let pair = gradients.of(&of("attention.output.LayerNorm"));
        let mut to_x =
            self.attention_norm.backward(&tape.attention_norm, &to_attended, &mut pair.weight, &mut pair.bias);
        let to_projected = tape.attention_norm.dropped(&to_x, width);
        self.attention_output.backward(&tape.context, &to_projected, gradients.of(&of("attention.output.dense")));
        let mut to_context = vec![T::zero(); tape.context.len()];
        self.attention_output.input_gradient(Matrix::dense(&to_projected, width), &mut to_context);
        let to_three = attention::backward(heads, &tape.query_key_value, &to_context, tape.attention_mask);
        let mut biases = vec![T::zero(); 3 * width];
        add_row_sums(&mut biases, &to_three);
        let tokens = x.len() / width;
        for (at, linear) in self.query_key_value.iter().enumerate() {
            let pair = gradients.of(&of(ATTENTION[at]));
            pair.bias.add(&biases[at * width..(at + 1) * width]);
            if tokens > 0 {
                let part = Matrix::new(&to_three[at * width..], [tokens, width], 3 * width);
                linear.weight_gradient(x, part, &mut pair.weight);
                linear.input_gradient(part, &mut to_x);
            }
        }
        to_x
    }
}
