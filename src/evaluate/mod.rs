//! What a model is worth, measured through [`Encoder`](limbeck_encoder::Encoder) alone.
//!
//! | module | asks | needs |
//! |---|---|---|
//! | [`sts`] | do similarities agree with people's grades? | graded pairs |
//! | [`space`] | are equals near, and is the sphere used? | the same pairs |
//! | [`fidelity`] | does the student agree with its teacher? | held-out text |
//! | [`held_out`] | what does a person see of it? | held-out text |
//! | [`one_space`] | do its queries find the teacher's documents? | any text |
//! | [`word_order`] | does it see order as its teacher does? | held-out text |
//! | [`probe`] | can topics be read off its vectors? | labelled documents |
//!
//! Every figure is finite, and the same on each run: what is sampled is sampled by a fixed seed.

pub mod correlation;
pub mod fidelity;
pub mod held_out;
pub mod model;
pub mod one_space;
pub mod probe;
mod sample;
pub mod space;
pub mod sts;
pub mod word_order;

pub use model::{Model, Watch};

#[cfg(test)]
pub(crate) mod toy;
