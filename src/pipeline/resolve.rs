//! Works out inputs, fingerprint and owner of every stage, in one pass over the plans.

use std::collections::BTreeMap;

use super::fingerprint::StageInputs;
use super::planned_run::PlannedRun;
use super::resolution::{Resolution, ResolvedStage};
use super::stage::Stage;
use super::stages;
use super::state::State;
use crate::error::Result;

/// Goes through the chain from its last base to the run asked for, and through each plan in the order of its stages.
///
/// # Errors
/// When the state of a run can't be read.
pub(super) fn resolve(chain: &[PlannedRun]) -> Result<Resolution> {
    let states = chain.iter().map(|run| State::read(&run.folder)).collect::<Result<Vec<_>>>()?;
    let mut resolution = Resolution { runs: vec![BTreeMap::new(); chain.len()] };
    for (at, run) in chain.iter().enumerate().rev() {
        for stage in stages::of(&run.plan) {
            let resolved = resolve_stage(stage, at, chain, &states, &resolution);
            resolution.runs[at].insert(stage.id(), resolved);
        }
    }
    Ok(resolution)
}

/// One stage of the run at place `at`, given the stages before it and all stages of its bases.
fn resolve_stage(
    stage: &dyn Stage,
    at: usize,
    chain: &[PlannedRun],
    states: &[State],
    so_far: &Resolution,
) -> ResolvedStage {
    let (id, plan) = (stage.id(), &chain[at].plan);
    let reads = stage.reads(plan).into_iter().filter_map(|read| {
        let hash = &so_far.stage(at, read)?.content_or_fingerprint;
        Some((read.name().to_string(), hash.clone()))
    });
    let inputs = StageInputs::new(id, stage.inputs(plan), reads.collect());
    let base = so_far.stage(at + 1, id);
    let same = base.filter(|base| stage.is_shared(plan) && base.inputs.fingerprint == inputs.fingerprint);
    let owner = same.map_or(at, |base| base.owner);
    // A record of other inputs says nothing about this result.
    let record = states[owner].record_of(id).filter(|record| record.inputs.fingerprint == inputs.fingerprint);
    let content_or_fingerprint = record.map_or(&*inputs.fingerprint, |record| record.content_or_fingerprint()).into();
    ResolvedStage { inputs, owner, content_or_fingerprint }
}
