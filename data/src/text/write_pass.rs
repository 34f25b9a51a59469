//! [`WritePass`]: the last pass over the text, which writes it.

use std::collections::BTreeMap;
use std::path::Path;

use super::HashSet64;
use super::collection::{COLLECTION_FILE, CollectionUnit, CollectionWriter, Document, UnitCounts};
use super::filter::LeftOutTexts;
use super::pass::{FitText, TextPass};
use super::plan::TextPlan;
use super::prepared::{DocumentWriter, TextOrigin, TextWriter};
use super::sample_draw::SampleDraw;
use crate::error::Result;
use crate::files::remove;

/// The name of the file with the texts to train on.
pub const TRAIN_FILE: &str = "train.parquet";
/// The name of the file with the texts held out.
pub const HELD_OUT_FILE: &str = "held-out.parquet";
/// The name of the file with the whole documents, where they have labels.
pub const DOCUMENTS_FILE: &str = "documents.parquet";

/// Gives a text to train on a second text, or none.
pub type Augment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a pass writes.
pub(super) struct WriteJob<'a> {
    pub(super) plan: &'a TextPlan,
    pub(super) draw: &'a SampleDraw,
    pub(super) left_out: LeftOutTexts<'a>,
    pub(super) augment: Augment<'a>,
}

/// The last pass: writes the texts that the limits let through, and the documents.
pub(super) struct WritePass<'a> {
    job: WriteJob<'a>,
    /// The places of a source and its unit: see [`TextPlan::origins`].
    origins: BTreeMap<(usize, Option<CollectionUnit>), u16>,
    /// How many second texts were written.
    pub(super) augmented: u64,
    /// How many texts of each unit were written.
    pub(super) units: UnitCounts,
    /// The hashes of the second texts.
    second_texts: HashSet64,
    /// The hashes of the texts held out so far.
    held_out_texts: HashSet64,
    pub(super) train: TextWriter,
    pub(super) held_out: TextWriter,
    documents: Option<DocumentWriter>,
    collection: Option<CollectionWriter>,
}

impl<'a> WritePass<'a> {
    /// A pass that writes into `folder`.
    pub(super) fn create(job: WriteJob<'a>, folder: &Path) -> Result<Self> {
        let plan = job.plan;
        let labelled = plan.sources.iter().any(|source| source.label && source.has_documents());
        let origins: BTreeMap<_, _> = plan.origins().zip(0..).collect();
        Ok(Self {
            augmented: 0,
            units: UnitCounts::default(),
            second_texts: HashSet64::default(),
            held_out_texts: HashSet64::default(),
            train: TextWriter::create(&folder.join(TRAIN_FILE), origins.len())?,
            held_out: TextWriter::create(&folder.join(HELD_OUT_FILE), origins.len())?,
            documents: labelled.then(|| DocumentWriter::create(&folder.join(DOCUMENTS_FILE))).transpose()?,
            collection: plan
                .has_collection()
                .then(|| CollectionWriter::create(&folder.join(COLLECTION_FILE)))
                .transpose()?,
            origins,
            job,
        })
    }

    /// Lets the files appear in `folder`, and removes those of an earlier plan that do not belong to this text.
    pub(super) fn finish(self, folder: &Path) -> Result<()> {
        match self.documents {
            Some(writer) => writer.finish()?,
            None => remove(&folder.join(DOCUMENTS_FILE))?,
        }
        match self.collection {
            Some(writer) => writer.finish()?,
            None => remove(&folder.join(COLLECTION_FILE))?,
        }
        self.held_out.finish()?;
        self.train.finish()
    }

    fn origin<'b>(&self, fit: &FitText<'b>) -> TextOrigin<'b> {
        // The plan has the origin of every text.
        let source = self.origins.get(&(fit.source, fit.unit)).copied().unwrap_or_default();
        TextOrigin { group: fit.group, label: fit.label, source }
    }
}

impl TextPass for WritePass<'_> {
    fn labelled_document(&mut self, text: &str, group: u64, label: &str) -> Result<()> {
        let held_out = self.job.plan.holds_out(group);
        self.documents.as_mut().map_or(Ok(()), |writer| writer.write(text, label, group, held_out))
    }

    fn document(&mut self, document: &Document, _group: u64) -> Result<()> {
        self.collection.as_mut().map_or(Ok(()), |writer| writer.write(document))
    }

    fn text(&mut self, fit: &FitText) -> Result<()> {
        let WriteJob { plan, draw, left_out, augment } = &self.job;
        if !draw.lets_through(fit.source, fit.hash) {
            return Ok(());
        }
        let origin = self.origin(fit);
        if plan.holds_out(fit.group) {
            // No text is both trained on and held out.
            if self.second_texts.contains(&fit.hash) {
                return Ok(());
            }
            self.held_out_texts.insert(fit.hash);
            fit.unit.into_iter().for_each(|unit| self.units.count(unit));
            return self.held_out.write(fit.text, origin);
        }
        fit.unit.into_iter().for_each(|unit| self.units.count(unit));
        self.train.write(fit.text, origin)?;
        let Some(second) = augment(fit.text) else { return Ok(()) };
        let hash = super::hash(&second);
        if self.held_out_texts.contains(&hash) || left_out.contains(&second) {
            return Ok(());
        }
        self.second_texts.insert(hash);
        self.augmented += 1;
        self.train.write(&second, origin)
    }
}
