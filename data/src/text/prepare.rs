//! [`prepare`]: turns the sources of a plan into the files that training reads.

use std::path::Path;

use super::collection::{Document, OWN_QUERIES_FILE, OwnQuery, OwnQueryDraw, write_own_queries};
use super::exclude::Exclusion;
use super::filter::LeftOutTexts;
use super::pass::{FitText, TextPass, Wanted, read};
use super::plan::{TextPlan, TextSummary};
use super::sample_draw::SampleDraw;
use super::write_pass::{Augment, WriteJob, WritePass};
use super::{HashSet64, TextError, hash};
use crate::error::Result;
use crate::files::remove;
use crate::monitor::Monitor;

/// Reads the plan's sources and writes [`super::TRAIN_FILE`], [`super::HELD_OUT_FILE`] and, where the sources have
/// labelled documents, [`super::DOCUMENTS_FILE`] into `folder`. [`super::PreparedText`] and [`super::read_documents`]
/// read them. Where a source is a collection, its documents go to [`super::COLLECTION_FILE`] and the queries that they
/// give to [`OWN_QUERIES_FILE`], for [`super::read_collection`] and [`super::read_own_queries`].
///
/// The text is read once more where a limit asks for a sample, and the documents once more for queries. The same text
/// and plan give the same bytes.
///
/// # Errors
/// A source cannot be read (the error names file and place), no text is left to train on, or the caller asked for a
/// stop. The files of an earlier call then stay as they were. A text that is too long is counted, whatever its length.
pub fn prepare(plan: &TextPlan, folder: &Path, monitor: Monitor) -> Result<TextSummary> {
    prepare_augmented(plan, folder, &|_| None, monitor)
}

/// As [`prepare`], with the text of `augment` after each text to train on. No limit counts these texts. Excluded texts
/// are left out, and no text is both one of these and held out.
pub fn prepare_augmented(plan: &TextPlan, folder: &Path, augment: Augment, monitor: Monitor) -> Result<TextSummary> {
    plan.check()?;
    let exclusion = Exclusion::load(&plan.exclude)?;
    let queries = own_queries(plan, monitor)?;
    let own_queries: HashSet64 = queries.iter().map(|query| hash(&query.text)).collect();
    let left_out = LeftOutTexts { exclusion: &exclusion, own_queries: &own_queries };
    let mut draw = SampleDraw::new(plan);
    if draw.has_limits() {
        read(plan, left_out, monitor, "drawing a sample of the text", &mut draw)?;
        draw.settle();
    }

    let mut pass = WritePass::create(WriteJob { plan, draw: &draw, left_out, augment }, folder)?;
    let mut counts = read(plan, left_out, monitor, "preparing the text", &mut pass)?;
    counts.augmented = pass.augmented;
    counts.units = std::mem::take(&mut pass.units);
    counts.queries = queries.len() as u64;
    (counts.train, counts.held_out) = (pass.train.rows - counts.augmented, pass.held_out.rows);
    let unfit = counts.blank + counts.too_short + counts.too_long + counts.excluded + counts.own_query;
    counts.not_drawn = counts.read - unfit - counts.duplicate - counts.train - counts.held_out;
    if counts.train == 0 {
        return Err(TextError::NothingLeft { counts: counts.to_string() }.into());
    }
    pass.finish(folder)?;
    match plan.own_queries {
        0 => remove(&folder.join(OWN_QUERIES_FILE))?,
        _ => write_own_queries(&folder.join(OWN_QUERIES_FILE), &queries)?,
    }
    Ok(counts)
}

/// The queries that documents of the collections give, where the plan asks for any.
fn own_queries(plan: &TextPlan, monitor: Monitor) -> Result<Vec<OwnQuery>> {
    if plan.own_queries == 0 {
        return Ok(Vec::new());
    }
    let none = LeftOutTexts { exclusion: &Exclusion::default(), own_queries: &HashSet64::default() };
    let mut draw = OwnQueryDraw::new(plan.own_queries);
    read(plan, none, monitor, "drawing queries of the documents", &mut draw)?;
    Ok(draw.finish())
}

impl TextPass for OwnQueryDraw {
    fn wanted(&self) -> Wanted {
        Wanted::Documents
    }

    fn document(&mut self, document: &Document, group: u64) -> Result<()> {
        self.push(document, group);
        Ok(())
    }

    fn text(&mut self, _fit: &FitText) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "prepare_collection_tests.rs"]
mod collection_tests;
