//! [`Head`]: what a model does with a text's vector after the pooling.
//!
//! ```text
//! token states ──► pooler, and others whose vectors follow it ──► dense, LayerNorm, normalise … ──► unit length
//!                  pool.rs                                         dense.rs, activation.rs
//! ```
//!
//! sentence-transformers keeps these as modules of a folder. The head here computes them from the states of any model;
//! an export of a teacher has the same operations in its graph.

mod activation;
mod dense;
mod pool;

use limbeck_data::files::sha256_bytes;

pub use activation::HeadActivation;
pub(crate) use activation::SELU;
pub use dense::{DenseLayer, LayerNorm, Residual};
pub(crate) use pool::pool;

use crate::{Pooler, Result};

/// The rest of a model after its first pooler. The default does nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Head {
    /// Further poolers; their vectors stand after the first one's.
    pub also: Vec<Pooler>,
    /// The layers that the pooled vector goes through, in order.
    pub layers: Vec<HeadLayer>,
}

/// One layer of a head.
#[derive(Debug, Clone, PartialEq)]
pub enum HeadLayer {
    /// A dense layer with its activation.
    Dense(DenseLayer),
    /// LayerNorm over the vector.
    LayerNorm(LayerNorm),
    /// Scales the vector to length 1.
    Normalise,
}

impl Head {
    /// Whether the head does nothing.
    pub fn is_empty(&self) -> bool {
        self.also.is_empty() && self.layers.is_empty()
    }

    /// The width of the head's vectors, given the width of the token states.
    ///
    /// # Errors
    /// A layer takes vectors of another width than it gets.
    pub fn width(&self, states: usize) -> Result<usize> {
        let pooled = states * (1 + self.also.len());
        self.layers.iter().try_fold(pooled, |width, layer| match layer {
            HeadLayer::Dense(dense) => dense.check_input(width),
            HeadLayer::LayerNorm(norm) => norm.check_input(width),
            HeadLayer::Normalise => Ok(width),
        })
    }

    /// Puts pooled vectors, `width` values each, through the layers.
    pub fn apply(&self, vectors: Vec<f32>, width: usize) -> Vec<f32> {
        let (vectors, _) = self.layers.iter().fold((vectors, width), |(mut vectors, width), layer| match layer {
            HeadLayer::Dense(dense) => (dense.apply(&vectors, width), dense.width()),
            HeadLayer::LayerNorm(norm) => {
                vectors.chunks_exact_mut(width).for_each(|vector| norm.apply(vector));
                (vectors, width)
            }
            HeadLayer::Normalise => {
                for vector in vectors.chunks_exact_mut(width) {
                    limbeck_encoder::normalise(vector);
                }
                (vectors, width)
            }
        });
        vectors
    }

    /// The poolers, `first` before the others, and the layers with a hash of their weights: equal for equal heads
    /// alone.
    pub fn describe(&self, first: Pooler) -> String {
        let mut all = first.to_string();
        self.also.iter().for_each(|pooler| all += &format!("+{pooler}"));
        for layer in &self.layers {
            all += &match layer {
                HeadLayer::Dense(dense) => {
                    let residual = if *dense.residual() == Residual::None { "" } else { ", residual" };
                    let hash = sha256_bytes(&dense.bytes());
                    format!(", dense {} {}{residual} {hash}", dense.width(), dense.activation().name())
                }
                HeadLayer::LayerNorm(norm) => format!(", layer-norm {}", sha256_bytes(&norm.bytes())),
                HeadLayer::Normalise => ", normalise".to_owned(),
            };
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dense(weight: &[f32], inputs: usize, activation: HeadActivation) -> DenseLayer {
        DenseLayer::new("2_Dense".into(), weight.to_vec(), inputs, activation)
    }

    #[test]
    fn layers_follow_each_other() {
        let doubled = dense(&[2.0, 0.0, 0.0, 2.0], 2, HeadActivation::Identity);
        let sum = dense(&[1.0, 1.0], 2, HeadActivation::Relu);
        let head =
            Head { also: vec![], layers: vec![HeadLayer::Dense(doubled), HeadLayer::Normalise, HeadLayer::Dense(sum)] };
        assert_eq!(head.width(2).unwrap(), 1);
        let vectors = head.apply(vec![3.0, 4.0, -1.0, 0.0], 2);
        assert!((vectors[0] - 1.4).abs() < 1e-6 && vectors[1] == 0.0, "{vectors:?}");
    }

    #[test]
    fn a_layer_of_another_width_is_refused_with_both_widths() {
        let layers = vec![HeadLayer::Dense(dense(&[1.0, 1.0], 2, HeadActivation::Identity))];
        let error = Head { also: vec![Pooler::Max], layers }.width(2).unwrap_err();
        assert!(error.to_string().contains("2_Dense") && error.to_string().contains('4'), "{error}");
    }

    #[test]
    fn the_description_tells_other_weights_apart() {
        let head = |weight| Head {
            also: vec![Pooler::Mean],
            layers: vec![HeadLayer::Dense(dense(&[weight], 1, HeadActivation::Tanh))],
        };
        let described = head(1.0).describe(Pooler::Max);
        assert!(described.starts_with("max+mean, dense 1 Tanh "), "{described}");
        assert_ne!(described, head(2.0).describe(Pooler::Max));
        assert_eq!(Head::default().describe(Pooler::Mean), "mean");
    }
}
