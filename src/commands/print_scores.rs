//! What `limbeck evaluate` says of a model, as JSON or for people.

use crate::error::Result;
use crate::measure::fidelity::FidelitySummary;
use crate::measure::shared_space::SharedSpace;
use crate::measure::sts::StsScores;
use crate::measure::word_order::WordOrder;
use serde_json::{Map, Value, json};

/// A model's figures, those that were asked for.
pub(super) struct Scored<'a> {
    pub(super) model: String,
    pub(super) sts: Option<StsScores>,
    pub(super) space: Option<SharedSpace>,
    pub(super) kinds: Vec<OfKind<'a>>,
    pub(super) order: Option<WordOrder>,
}

/// Agreement on one kind of text.
pub(super) struct OfKind<'a> {
    pub(super) name: &'a str,
    pub(super) texts: usize,
    pub(super) agreement: FidelitySummary,
}

impl Scored<'_> {
    /// One object.
    pub(super) fn json(&self) -> Value {
        let mut object = Map::from_iter([("model".to_owned(), Value::from(self.model.as_str()))]);
        if let Some(Value::Object(scores)) = self.sts.as_ref().map(|scores| json!(scores)) {
            object.extend(scores);
        }
        if let Some(space) = &self.space {
            object.insert("one_space".into(), json!(space));
        }
        if !self.kinds.is_empty() {
            let figures = self.kinds.iter().map(|kind| {
                let mut figures = json!(kind.agreement);
                figures["texts"] = kind.texts.into();
                (kind.name.to_owned(), figures)
            });
            object.insert("fidelity".into(), figures.collect());
        }
        if let Some(order) = &self.order {
            object.insert("word_order".into(), json!(order));
        }
        Value::Object(object)
    }

    /// Lines under the model's name.
    pub(super) fn print(&self) -> Result<()> {
        say!("{}", self.model);
        self.sts.iter().try_for_each(print_sts)?;
        if let Some(space) = &self.space {
            let (found, own) = (100.0 * space.neighbours_at_10, 100.0 * space.own_neighbours_at_10);
            say!("  {:20} {found:6.2} %  of the ten nearest, documents by {}", "shared space", space.documents);
            say!("  {:20} {own:6.2} %  documents by {} too; {} texts", "own space", self.model, space.texts);
        }
        for OfKind { name, texts, agreement: FidelitySummary { cosine, spearman, neighbours_at_10 } } in &self.kinds {
            let cosine = cosine.map_or("-".to_owned(), |cosine| format!("{cosine:.3}"));
            let found = 100.0 * neighbours_at_10;
            say!("  {name:20} {cosine:>6}  cosine, spearman {spearman:.3}, nn@10 {found:.1} %  ({texts} texts)");
        }
        self.order.iter().try_for_each(print_order)
    }
}

fn print_sts(scores: &StsScores) -> Result<()> {
    for (set, score) in &scores.scores {
        say!("  {set:20} {:6.2}  (Pearson {:.2}, {} pairs)", score.spearman, score.pearson, score.pairs);
    }
    say!("  {:20} {:6.2}", "average", scores.average);
    for (what, figure) in [("alignment", scores.alignment), ("uniformity", scores.uniformity)] {
        if let Some(figure) = figure {
            say!("  {what:20} {figure:6.3}");
        }
    }
    Ok(())
}

fn print_order(order: &WordOrder) -> Result<()> {
    say!("  {:20} {:6.2}", "word order", order.average);
    for kind in &order.kinds {
        say!("  {:20} {:6.2}  ({} pairs)", format!("  {}", kind.kind), kind.spearman, kind.pairs);
    }
    Ok(())
}
