//! [`Resolution`]: inputs, fingerprint and owner of every stage.

use std::collections::BTreeMap;

use super::fingerprint::StageInputs;
use super::stage_id::StageId;

/// What [`super::resolve::resolve`] finds out about one stage of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedStage {
    /// What its result depends on.
    pub inputs: StageInputs,
    /// The run that owns its output, by its place in the chain. With a `base`, that is the base's owner as long as both
    /// recipes configure the stage identically.
    pub owner: usize,
    /// The hash by which other stages know its result.
    pub content_or_fingerprint: String,
}

/// Every stage of a chain of runs: the run asked for, the run of its `base`, that one's base, and so on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolution {
    /// A map for each run of the chain.
    pub runs: Vec<BTreeMap<StageId, ResolvedStage>>,
}

impl Resolution {
    /// The stage `id` of the run at place `at` of the chain, where its plan has it.
    pub fn stage(&self, at: usize, id: StageId) -> Option<&ResolvedStage> {
        self.runs.get(at)?.get(&id)
    }

    /// The run that owns the output of that stage, by its place in the chain.
    pub fn owner(&self, at: usize, id: StageId) -> usize {
        self.stage(at, id).map_or(at, |resolved| resolved.owner)
    }
}
