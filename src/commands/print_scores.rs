//! What `limbeck evaluate` says of a model, as JSON or for people.

use crate::error::Result;
use crate::measure::classification::ClassificationScore;
use crate::measure::clustering::ClusteringScore;
use crate::measure::fidelity::FidelitySummary;
use crate::measure::retrieval::RetrievalScore;
use crate::measure::shared_space::SharedSpace;
use crate::measure::sts::StsScores;
use crate::measure::tasks::TaskScores;
use crate::measure::word_order::WordOrder;
use indexmap::IndexMap;
use serde::Serialize;

/// A model's figures, those that were asked for.
#[derive(Serialize)]
pub(super) struct Scored<'a> {
    pub(super) model: &'a str,
    #[serde(flatten)]
    pub(super) sts: Option<StsScores>,
    #[serde(flatten)]
    pub(super) tasks: TaskScores,
    #[serde(rename = "one_space", skip_serializing_if = "Option::is_none")]
    pub(super) space: Option<SharedSpace>,
    /// By the kind of text.
    #[serde(rename = "fidelity", skip_serializing_if = "IndexMap::is_empty")]
    pub(super) kinds: IndexMap<&'a str, Agreement>,
    #[serde(rename = "word_order", skip_serializing_if = "Option::is_none")]
    pub(super) order: Option<WordOrder>,
}

/// Agreement with the teacher on one kind of text.
#[derive(Serialize)]
pub(super) struct Agreement {
    #[serde(flatten)]
    pub(super) fidelity: FidelitySummary,
    pub(super) texts: usize,
}

impl Scored<'_> {
    /// Lines under the model's name.
    pub(super) fn print(&self) -> Result<()> {
        say!("{}", self.model);
        self.sts.iter().try_for_each(print_sts)?;
        print_tasks(&self.tasks)?;
        if let Some(space) = &self.space {
            let (found, own) = (100.0 * space.neighbours_at_10, 100.0 * space.own_neighbours_at_10);
            say!("  {:20} {found:6.2} %  of the ten nearest, documents by {}", "shared space", space.documents);
            say!("  {:20} {own:6.2} %  documents by {} too; {} texts", "own space", self.model, space.texts);
        }
        for (name, Agreement { texts, fidelity }) in &self.kinds {
            let FidelitySummary { cosine, spearman, neighbours_at_10 } = fidelity;
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

fn print_tasks(scores: &TaskScores) -> Result<()> {
    for (set, score) in &scores.retrieval {
        let RetrievalScore { ndcg_at_10, recall_at_100, mrr_at_10, queries, documents, .. } = score;
        say!("  {set:20} {ndcg_at_10:6.2}  nDCG@10 ({queries} queries, {documents} documents)");
        say!("  {:20} {recall_at_100:6.2}  recall@100, MRR@10 {mrr_at_10:.2}", "");
        let (fused, by_words) = (score.fused_ndcg_at_10, score.bm25_ndcg_at_10);
        say!("  {:20} {fused:6.2}  nDCG@10 fused with BM25, which has {by_words:.2} alone", "");
    }
    for (set, ClassificationScore { accuracy, macro_f1, training, test }) in &scores.classification {
        say!("  {set:20} {accuracy:6.2}  accuracy, macro F1 {macro_f1:.2}  ({training} training texts, {test} test)");
    }
    for (set, ClusteringScore { v_measure, clusters, texts }) in &scores.clustering {
        say!("  {set:20} {v_measure:6.2}  V-measure  ({clusters} clusters of {texts} texts)");
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
