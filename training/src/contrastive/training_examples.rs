//! The examples of a contrastive training: as text, as tokens, and in batches.

use limbeck_data::examples::Examples;
use limbeck_data::files;
use limbeck_encoder::TokenBatch;
use serde_json::{Value, json};

use super::order::ShuffledOrder;
use crate::error::{Error, Result};
use crate::fit::{Batches, Span};
use crate::settings::TrainingSettings;

/// The examples of a contrastive training.
#[derive(Debug, Clone, Copy)]
pub enum TrainingExamples<'a> {
    /// Texts alone: another dropout mask makes each its own positive (unsupervised SimCSE).
    Texts(&'a [String]),
    /// Labelled pairs or triples (supervised SimCSE).
    Labelled(&'a Examples),
}

impl<'a> TrainingExamples<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Labelled(examples) => examples.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether each example has a hard negative.
    pub fn has_hard_negatives(&self) -> bool {
        matches!(self, Self::Labelled(examples) if examples.hard_negatives.is_some())
    }

    /// The method's name, as a model's card writes it.
    pub fn objective(&self) -> &'static str {
        match self {
            Self::Texts(_) => "unsupervised SimCSE",
            Self::Labelled(_) => "supervised SimCSE",
        }
    }

    /// The texts of each view; a text alone has one view, which stands for both.
    fn views(&self) -> Vec<&'a [String]> {
        match self {
            Self::Texts(texts) => vec![texts],
            Self::Labelled(examples) => {
                let views = [Some(&examples.anchors), Some(&examples.positives), examples.hard_negatives.as_ref()];
                views.into_iter().flatten().map(Vec::as_slice).collect()
            }
        }
    }
}

/// The tokens of some examples.
#[derive(Debug, Clone)]
pub struct ExampleBatch {
    /// The examples' numbers among all.
    pub examples: Vec<u32>,
    /// The tokens of each view; a text alone has one view, which stands for both.
    pub views: Vec<TokenBatch>,
}

impl ExampleBatch {
    /// How many views the loss compares.
    pub fn view_count(&self) -> usize {
        self.views.len().max(2)
    }

    /// All views in one batch, one after another.
    pub fn side_by_side(&self) -> TokenBatch {
        let view = |at: usize| self.views.get(at).unwrap_or(&self.views[0]);
        (0..self.view_count()).flat_map(|at| view(at).iter()).collect()
    }
}

/// All examples as tokens in memory, shuffled anew every epoch.
pub struct ExampleBatches<'a> {
    texts: Vec<&'a [String]>,
    tokens: Vec<TokenBatch>,
    order: ShuffledOrder,
    hash: String,
}

impl<'a> ExampleBatches<'a> {
    /// Tokenises all texts.
    ///
    /// # Errors
    /// Fewer than two examples, and those of `tokenise`.
    pub fn new<E: From<Error>>(
        examples: TrainingExamples<'a>,
        settings: &TrainingSettings,
        tokenise: impl Fn(&[&str]) -> std::result::Result<TokenBatch, E>,
    ) -> std::result::Result<Self, E> {
        let order = ShuffledOrder::new(examples.len(), settings)?;
        let texts = examples.views();
        let tokens = |texts: &&[String]| tokenise(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let tokens = texts.iter().map(tokens).collect::<std::result::Result<Vec<_>, E>>()?;
        let mut bytes = Vec::new();
        for view in &tokens {
            bytes.extend(view.ids().iter().flat_map(|id| id.to_le_bytes()));
            bytes.extend(view.offsets().iter().flat_map(|&at| (at as u64).to_le_bytes()));
        }
        Ok(Self { texts, tokens, order, hash: files::sha256_bytes(&bytes) })
    }
}

impl Batches for ExampleBatches<'_> {
    /// The examples of an epoch in their order.
    type Window = Vec<u32>;
    type Batch = ExampleBatch;
    type Error = Error;

    fn steps(&self) -> u64 {
        self.order.steps
    }

    fn span(&self, step: u64) -> Span {
        self.order.span(step)
    }

    fn read(&self, span: &Span) -> Result<Vec<u32>> {
        Ok(self.order.permutation(span.epoch))
    }

    fn batch(&self, epoch: &Vec<u32>, step: u64) -> Result<ExampleBatch> {
        let examples = epoch[self.order.range(step)].to_vec();
        let of_view = |view: &TokenBatch| examples.iter().map(|&example| view.row(example as usize)).collect();
        let views = self.tokens.iter().map(of_view).collect();
        Ok(ExampleBatch { examples, views })
    }

    /// An example a line: its number from 1, and its texts with tabs between them.
    fn describe(&self, epoch: &Vec<u32>, step: u64) -> Result<String> {
        let mut examples = epoch[self.order.range(step)].to_vec();
        examples.sort_unstable();
        let texts = |at: usize| self.texts.iter().map(|view| view[at].as_str()).collect::<Vec<_>>().join("\t");
        Ok(examples.iter().map(|&at| format!("{}\t{}\n", at + 1, texts(at as usize))).collect())
    }

    fn identity(&self) -> Value {
        json!(self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsupervised_example_is_its_own_second_view() {
        let view: TokenBatch = [[3u32], [1]].iter().map(|row| &row[..]).collect();
        let batch = ExampleBatch { examples: vec![3, 1], views: vec![view] };
        assert_eq!(batch.side_by_side().iter().map(|row| row[0]).collect::<Vec<_>>(), [3, 1, 3, 1]);
    }
}
