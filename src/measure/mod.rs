//! Measuring a model through [`Encoder`](limbeck_encoder::Encoder) alone: how good its vectors are, and how fast it
//! gives them.
//!
//! | module | question | needs |
//! |---|---|---|
//! | [`sts`] | do cosines rank pairs of sentences as people do? | graded pairs |
//! | [`alignment`] | are sentences of one meaning near, and do vectors cover the sphere? | the same pairs |
//! | [`fidelity`] | do the student's vectors agree with the teacher's? | held-out text |
//! | [`held_out`] | which similarities and neighbours does the report show? | held-out text |
//! | [`shared_space`] | do queries find what another model indexed? | any text |
//! | [`word_order`] | does the student react to word order as the teacher does? | held-out text |
//! | [`retrieval`] | do searches find what people judged relevant, and beside BM25? | collections |
//! | [`tasks`] | these and other tasks side by side | sets of each task |
//! | [`linear_probe`] | can topics be read off the vectors? | labelled documents |
//! | [`classification`] | can classes be read off the vectors? | training and test texts with labels |
//! | [`clustering`] | do near vectors have one label? | texts with labels |
//! | [`speed`] | how many sentences a second? | any text |
//! | [`evaluation`] | all of these but the speed, as a row of a run's table | all of it |
//!
//! Every figure is finite and the same on each run: samples are drawn with fixed seeds. Only the speed depends on the
//! machine.

pub mod alignment;
pub mod bm25;
pub mod classification;
pub mod clustering;
pub mod correlation;
pub mod evaluation;
pub mod fidelity;
pub mod held_out;
mod k_means;
mod lbfgs;
mod line_search;
pub mod linear_probe;
mod logistic;
pub mod model;
pub mod retrieval;
mod sample;
pub mod set_names;
pub mod shared_space;
mod similarity;
pub mod speed;
pub mod sts;
pub mod tasks;
pub mod word_order;

pub use model::NamedModel;

#[cfg(test)]
pub(crate) mod test_support;
