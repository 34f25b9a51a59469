//! [`Context`]: what a stage works with.

use std::path::PathBuf;

use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, Uri};
use limbeck_teacher::OnnxDevice;

use super::planned_run::PlannedRun;
use super::resolution::Resolution;
use super::run_folder::RunFolder;
use super::stage_id::StageId;
use crate::error::Result;
use crate::models::Opener;
use crate::recipe::Plan;
use crate::summary::StageSummary;

/// What a stage works with: its run, the folders of the stages that it reads, and the means to fetch, report and stop.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The run asked for, then its bases.
    pub chain: &'a [PlannedRun],
    /// The place in the chain of the run that the stage works for.
    pub at: usize,
    /// Owners and fingerprints of all stages.
    pub resolution: &'a Resolution,
    /// Fetches assets.
    pub store: &'a AssetStore,
    /// Shows progress, and stops the work.
    pub monitor: Monitor<'a>,
    /// The stages that came before, with their times.
    pub finished: &'a [StageSummary],
}

impl<'a> Context<'a> {
    /// The run that the stage works for.
    pub fn run(&self) -> &'a PlannedRun {
        &self.chain[self.at]
    }

    /// That run's plan.
    pub fn plan(&self) -> &'a Plan {
        &self.run().plan
    }

    /// That run's folder.
    pub fn folder(&self) -> &'a RunFolder {
        &self.run().folder
    }

    /// The run that owns the output of `stage`.
    pub fn owner_of(&self, stage: StageId) -> &'a PlannedRun {
        &self.chain[self.resolution.owner(self.at, stage)]
    }

    /// The folder with the output of `stage`.
    pub fn folder_of(&self, stage: StageId) -> &'a RunFolder {
        &self.owner_of(stage).folder
    }

    /// The fingerprint of `stage`; empty where the plan lacks the stage.
    pub fn fingerprint_of(&self, stage: StageId) -> &'a str {
        self.resolution.stage(self.at, stage).map_or("", |resolved| &resolved.inputs.fingerprint)
    }

    /// The local path of a recipe's asset, which is fetched if it isn't there.
    pub fn asset(&self, uri: &Uri, sha256: Option<&str>) -> Result<PathBuf> {
        match sha256 {
            Some(_) => Ok(self.store.fetch(uri, sha256, self.monitor)?.path),
            None => Ok(self.store.locate(uri, self.monitor)?),
        }
    }

    /// The local paths of evaluation sets, each named by a path or a URI, which are fetched if they aren't there.
    pub fn sets(&self, names: &[PathBuf]) -> Result<Vec<PathBuf>> {
        Ok(self.store.locate_all(names, self.monitor)?)
    }

    /// Opens models with the plan's threads, runtime and device.
    pub fn opener(&self) -> Opener<'a> {
        let plan = self.plan();
        Opener {
            store: self.store,
            monitor: self.monitor,
            threads: plan.threads,
            runtime: plan.recipe.runtime.library.clone(),
            device: plan.teacher().map_or(OnnxDevice::Cpu, |teacher| teacher.device),
        }
    }
}
