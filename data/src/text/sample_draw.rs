//! [`SampleDraw`]: the samples that a plan's limits ask for.

use super::pass::{FitText, TextPass};
use super::plan::TextPlan;
use super::sample::Sample;
use super::source::TextSource;
use crate::error::Result;

/// The samples that the limits ask for, drawn in the first pass.
pub(super) struct SampleDraw {
    /// The sample of each source that has a limit of its own.
    sources: Vec<Option<Sample>>,
    whole: Option<Sample>,
}

/// Gives the sources' samples other keys than the whole sample. With the same keys, the whole sample would prefer texts
/// that a source's sample already has.
const SOURCE_SEED: u64 = 0x9e37_79b9_7f4a_7c15;

impl SampleDraw {
    pub(super) fn new(plan: &TextPlan) -> Self {
        let of_source = |source: &TextSource| source.limit.map(|limit| Sample::new(limit, plan.seed ^ SOURCE_SEED));
        let whole = plan.limit.map(|limit| Sample::new(limit, plan.seed));
        Self { sources: plan.sources.iter().map(of_source).collect(), whole }
    }

    pub(super) fn has_limits(&self) -> bool {
        self.whole.is_some() || self.sources.iter().any(Option::is_some)
    }

    /// Draws the whole sample from the samples of the sources too, once these are complete.
    pub(super) fn settle(&mut self) {
        if let Some(whole) = &mut self.whole {
            self.sources.iter().flatten().flat_map(Sample::hashes).for_each(|hash| whole.push(hash));
        }
    }

    pub(super) fn lets_through(&self, source: usize, hash: u64) -> bool {
        self.sources[source].iter().chain(&self.whole).all(|sample| sample.contains(hash))
    }
}

impl TextPass for SampleDraw {
    fn text(&mut self, fit: &FitText) -> Result<()> {
        if let Some(sample) = self.sources[fit.source].as_mut().or(self.whole.as_mut()) {
            sample.push(fit.hash);
        }
        Ok(())
    }
}
