//! What is learned from: examples as tokens, and the batches they come in.

use std::ops::Range;

use limbeck_data::examples::Examples;
use limbeck_data::files;
use limbeck_encoder::TokenBatch;

use super::ContrastiveSettings;
use crate::error::{Error, Result};
use crate::random::Random;

/// The random stream of the order.
const ORDER: u64 = 20;

/// What is learned from.
#[derive(Debug, Clone, Copy)]
pub enum Material<'a> {
    /// Texts alone: each is its own positive under another dropout mask (unsupervised SimCSE).
    Texts(&'a [String]),
    /// Labelled pairs or triples (supervised SimCSE).
    Examples(&'a Examples),
}

impl<'a> Material<'a> {
    /// How many examples there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Examples(examples) => examples.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether each example has a hard negative.
    pub fn has_hard_negatives(&self) -> bool {
        matches!(self, Self::Examples(examples) if examples.hard_negatives.is_some())
    }

    /// The texts of each view; an unsupervised example's second view is its first again.
    fn views(&self) -> Vec<&'a [String]> {
        match self {
            Self::Texts(texts) => vec![texts],
            Self::Examples(examples) => {
                let views = [Some(&examples.anchors), Some(&examples.positives), examples.hard_negatives.as_ref()];
                views.into_iter().flatten().map(Vec::as_slice).collect()
            }
        }
    }

    /// The texts of example `at`, tabs between them: as it stood in its file, nearly.
    pub fn line(&self, at: usize) -> String {
        self.views().iter().map(|view| view[at].as_str()).collect::<Vec<_>>().join("\t")
    }
}

/// All views of all examples as tokens.
pub struct Views {
    views: Vec<TokenBatch>,
    examples: usize,
    /// Whether the first view stands for the second too.
    twice: bool,
}

impl Views {
    /// Makes tokens of all texts by `tokenise`.
    pub fn new<E>(
        material: Material,
        tokenise: &dyn Fn(&[&str]) -> std::result::Result<TokenBatch, E>,
    ) -> std::result::Result<Self, E> {
        let tokens = |texts: &[String]| tokenise(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let views = material.views().into_iter().map(tokens).collect::<std::result::Result<Vec<_>, E>>()?;
        Ok(Self { views, examples: material.len(), twice: matches!(material, Material::Texts(_)) })
    }

    /// How many views an example has.
    pub fn count(&self) -> usize {
        if self.twice { 2 } else { self.views.len() }
    }

    /// The first view of all of `examples`, then the second, and so on.
    pub fn batch(&self, examples: &[u32]) -> TokenBatch {
        let mut batch = TokenBatch::new();
        for view in 0..self.count() {
            let tokens = self.views.get(view).unwrap_or(&self.views[0]);
            examples.iter().for_each(|&example| batch.push(tokens.row(example as usize)));
        }
        batch
    }

    /// A hash of all tokens.
    pub fn hash(&self) -> String {
        let mut bytes = Vec::new();
        for view in &self.views {
            bytes.extend(view.ids().iter().flat_map(|id| id.to_le_bytes()));
            bytes.extend(view.offsets().iter().flat_map(|&at| (at as u64).to_le_bytes()));
        }
        files::sha256_bytes(&bytes)
    }
}

/// The order of the examples: a function of seed and epoch.
pub struct Order {
    examples: usize,
    steps_an_epoch: u64,
    seed: u64,
    epoch: Option<(u64, Vec<u32>)>,
}

impl Order {
    /// Batches of about `settings.batch` examples, all alike to one example.
    pub fn new(views: &Views, settings: &ContrastiveSettings) -> Result<Self> {
        let examples = views.examples;
        if examples < 2 {
            return Err(Error::Setting {
                name: "the number of examples",
                value: examples.to_string(),
                allowed: "at least 2",
            });
        }
        // At least two examples a batch: the others are its negatives.
        let most = (examples / 2) as f64;
        let steps_an_epoch = (examples as f64 / settings.batch as f64).round().clamp(1.0, most) as u64;
        Ok(Self { examples, steps_an_epoch, seed: settings.seed, epoch: None })
    }

    /// The epoch, from 0, that `step` (from 1) belongs to.
    pub fn epoch(&self, step: u64) -> u64 {
        (step - 1) / self.steps_an_epoch
    }

    /// How many steps `epochs` take.
    pub fn steps(&self, epochs: usize) -> Result<u64> {
        self.steps_an_epoch.checked_mul(epochs as u64).ok_or_else(|| Error::Setting {
            name: "epochs",
            value: epochs.to_string(),
            allowed: "so many that their steps can be counted",
        })
    }

    /// The examples of `step`, from 1.
    pub fn batch(&mut self, step: u64) -> &[u32] {
        let epoch = self.epoch(step);
        let range = self.range(step);
        if self.epoch.as_ref().is_none_or(|(at, _)| *at != epoch) {
            let mut order: Vec<u32> = (0..self.examples as u32).collect();
            Random::new(self.seed, &[ORDER, epoch]).shuffle(&mut order);
            self.epoch = Some((epoch, order));
        }
        self.epoch.as_ref().map_or(&[], |(_, order)| &order[range])
    }

    fn range(&self, step: u64) -> Range<usize> {
        let (at, count) = (((step - 1) % self.steps_an_epoch) as usize, self.steps_an_epoch as usize);
        self.examples * at / count..self.examples * (at + 1) / count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(examples: usize) -> Views {
        let tokens: Vec<[u32; 1]> = (0..examples as u32).map(|id| [id]).collect();
        Views { views: vec![tokens.iter().map(|row| &row[..]).collect()], examples, twice: true }
    }

    #[test]
    fn every_example_comes_once_an_epoch_and_the_order_is_a_function_of_seed_and_epoch() {
        let (views, settings) = (views(103), ContrastiveSettings { batch: 10, ..ContrastiveSettings::default() });
        let mut order = Order::new(&views, &settings).unwrap();
        assert_eq!(order.steps(2).unwrap(), 20);
        assert!(order.steps(usize::MAX).is_err());
        let mut epochs = Vec::new();
        for epoch in 0..2 {
            let mut all: Vec<u32> = Vec::new();
            for step in epoch * 10 + 1..=epoch * 10 + 10 {
                assert!((10..=11).contains(&order.batch(step).len()));
                all.extend(order.batch(step));
            }
            epochs.push(all.clone());
            all.sort_unstable();
            assert_eq!(all, (0..103).collect::<Vec<_>>());
        }
        assert_ne!(epochs[0], epochs[1]);
        // Going on in the middle finds the same batch.
        assert_eq!(Order::new(&views, &settings).unwrap().batch(17), order.batch(17));
    }

    #[test]
    fn an_unsupervised_example_is_its_own_second_view() {
        let batch = views(5).batch(&[3, 1]);
        assert_eq!(batch.iter().map(|row| row[0]).collect::<Vec<_>>(), [3, 1, 3, 1]);
    }
}
