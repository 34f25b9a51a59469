//! [`prepare`]: turns the sources of a plan into the files that training reads.

use std::path::Path;

use super::decode::Encodings;
use super::exclude::Exclusion;
use super::filter::TextFilter;
use super::open::read_document;
use super::plan::{DocumentCounts, TextPlan, TextSummary};
use super::prepared::{TableWriter, TextOrigin, TextWriter};
use super::rows::{TextReader, read_rows};
use super::sample::Sample;
use super::source::{self, SourceFiles, TextFile, TextFormat, TextSource, TextUnit};
use super::{HashSet64, ReadOptions, SourceCounts, TextError, hash, sentences};
use crate::error::{Error, Result};
use crate::files::remove;
use crate::monitor::Monitor;

/// The name of the file with the texts to train on.
pub const TRAIN_FILE: &str = "train.parquet";
/// The name of the file with the texts held out.
pub const HELD_OUT_FILE: &str = "held-out.parquet";
/// The name of the file with the whole documents, where they have labels.
pub const DOCUMENTS_FILE: &str = "documents.parquet";

/// Gives a text to train on a second text, or none.
pub type Augment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads the plan's sources and writes [`TRAIN_FILE`], [`HELD_OUT_FILE`] and, where the sources have labelled
/// documents, [`DOCUMENTS_FILE`] into `folder`. [`super::PreparedText`] and [`super::read_documents`] read them.
///
/// The text is read twice where a limit asks for a sample, else once. The same text and plan give the same bytes.
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
    let mut draw = SampleDraw::new(plan);
    if draw.has_limits() {
        read(plan, &exclusion, monitor, "drawing a sample of the text", &mut draw)?;
        draw.settle();
    }

    let labelled = plan.sources.iter().any(|source| source.label && source.has_documents());
    let documents = folder.join(DOCUMENTS_FILE);
    let mut pass = WritePass {
        plan,
        draw: &draw,
        exclusion: &exclusion,
        augment,
        augmented: 0,
        second_texts: HashSet64::default(),
        held_out_texts: HashSet64::default(),
        train: TextWriter::create(&folder.join(TRAIN_FILE), plan.sources.len())?,
        held_out: TextWriter::create(&folder.join(HELD_OUT_FILE), plan.sources.len())?,
        documents: labelled.then(|| TableWriter::for_documents(&documents)).transpose()?,
    };
    let mut counts = read(plan, &exclusion, monitor, "preparing the text", &mut pass)?;
    counts.augmented = pass.augmented;
    (counts.train, counts.held_out) = (pass.train.rows - counts.augmented, pass.held_out.rows);
    let fit = counts.read - (counts.blank + counts.too_short + counts.too_long + counts.excluded + counts.duplicate);
    counts.not_drawn = fit - counts.train - counts.held_out;
    if counts.train == 0 {
        return Err(TextError::NothingLeft { counts: counts.to_string() }.into());
    }
    match pass.documents {
        Some(writer) => writer.finish()?,
        // An earlier plan's documents do not belong to this text.
        None => remove(&documents)?,
    }
    pass.held_out.finish()?;
    pass.train.finish()?;
    Ok(counts)
}

/// A text fit to train on.
struct FitText<'a> {
    /// The index of its source.
    source: usize,
    text: &'a str,
    hash: u64,
    group: u64,
    label: Option<&'a str>,
}

/// What a pass over the text does with it.
trait TextPass {
    fn document(&mut self, _text: &str, _group: u64, _label: &str) -> Result<()> {
        Ok(())
    }

    fn text(&mut self, fit: &FitText) -> Result<()>;
}

/// Gives `pass` all documents and fit texts of the sources, in order, and counts the others.
fn read(
    plan: &TextPlan,
    exclusion: &Exclusion,
    monitor: Monitor,
    stage: &str,
    pass: &mut dyn TextPass,
) -> Result<TextSummary> {
    let bar = monitor.stage(stage, None, "texts");
    let mut counts = TextSummary::default();
    let mut filter = TextFilter::new(plan, exclusion);
    let mut documents = DocumentCounts::default();
    let mut known = HashSet64::default();
    for (index, source) in plan.sources.iter().enumerate() {
        let options = ReadOptions::new(Encodings::parse(source.encoding.as_deref())?).for_texts_of(plan.max_chars);
        let SourceFiles { files, left_out } = source::files(&source.path, source.column.as_deref(), &options)?;
        let before = [counts.read, counts.blank + documents.blank, counts.too_long + documents.too_long];
        for file in files {
            let label = if source.label { file.folder_name() } else { None };
            for (row, text) in texts_of(source, &file, &options)?.enumerate() {
                if row % 256 == 0 {
                    monitor.check()?;
                }
                bar.add(1);
                let text = match text {
                    Err(Error::Text(TextError::TooLong { .. })) if source.has_documents() => {
                        documents.read += 1;
                        documents.too_long += 1;
                        continue;
                    }
                    Err(Error::Text(TextError::TooLong { .. })) => {
                        filter.refuse_unread(&mut counts);
                        continue;
                    }
                    text => text?,
                };
                let text = text.trim();
                let mut admit = |pass: &mut dyn TextPass, text: &str, group: Option<u64>| {
                    let Some(hash) = filter.admit(text, &mut counts) else { return Ok(()) };
                    let (source, group) = (index, group.unwrap_or(hash));
                    pass.text(&FitText { source, text, hash, group, label: label.as_deref() })
                };
                if !source.has_documents() {
                    admit(pass, text, None)?;
                    continue;
                }
                let group = hash(text);
                documents.read += 1;
                if text.is_empty() {
                    documents.blank += 1;
                    continue;
                }
                if !known.insert(group) {
                    documents.duplicate += 1;
                    continue;
                }
                if let Some(label) = &label {
                    pass.document(text, group, label)?;
                }
                if source.split {
                    sentences(text).try_for_each(|sentence| admit(pass, sentence, Some(group)))?;
                } else {
                    admit(pass, text, Some(group))?;
                }
            }
        }
        let after = [counts.read, counts.blank + documents.blank, counts.too_long + documents.too_long];
        let [read, blank, too_long] = std::array::from_fn(|count| after[count] - before[count]);
        counts.sources.push(SourceCounts { path: source.path.clone(), read, blank, too_long, no_text: left_out });
    }
    Ok(TextSummary { documents, ..counts })
}

/// The rows of a file, or the whole file where it is a document.
fn texts_of(source: &TextSource, file: &TextFile, options: &ReadOptions) -> Result<TextReader> {
    match (source.unit, file.format) {
        (TextUnit::File, TextFormat::Lines) => {
            Ok(Box::new(std::iter::once(read_document(&file.path, &options.encodings))))
        }
        (TextUnit::File, _) => Err(TextError::NoDocument { path: file.path.clone() }.into()),
        (TextUnit::Line, _) => read_rows(file, source.column.as_deref(), options),
    }
}

/// The samples that the limits ask for, drawn in the first pass.
struct SampleDraw {
    /// The sample of each source that has a limit of its own.
    sources: Vec<Option<Sample>>,
    whole: Option<Sample>,
}

/// Gives the sources' samples other keys than the whole sample. With the same keys, the whole sample would prefer texts
/// that a source's sample already has.
const SOURCE_SEED: u64 = 0x9e37_79b9_7f4a_7c15;

impl SampleDraw {
    fn new(plan: &TextPlan) -> Self {
        let of_source = |source: &TextSource| source.limit.map(|limit| Sample::new(limit, plan.seed ^ SOURCE_SEED));
        let whole = plan.limit.map(|limit| Sample::new(limit, plan.seed));
        Self { sources: plan.sources.iter().map(of_source).collect(), whole }
    }

    fn has_limits(&self) -> bool {
        self.whole.is_some() || self.sources.iter().any(Option::is_some)
    }

    /// Draws the whole sample from the samples of the sources too, once these are complete.
    fn settle(&mut self) {
        if let Some(whole) = &mut self.whole {
            self.sources.iter().flatten().flat_map(Sample::hashes).for_each(|hash| whole.push(hash));
        }
    }

    fn lets_through(&self, source: usize, hash: u64) -> bool {
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

/// The last pass: writes the texts that the limits let through.
struct WritePass<'a> {
    plan: &'a TextPlan,
    draw: &'a SampleDraw,
    exclusion: &'a Exclusion,
    augment: Augment<'a>,
    /// How many second texts were written.
    augmented: u64,
    /// The hashes of the second texts.
    second_texts: HashSet64,
    /// The hashes of the texts held out so far.
    held_out_texts: HashSet64,
    train: TextWriter,
    held_out: TextWriter,
    documents: Option<TableWriter>,
}

impl TextPass for WritePass<'_> {
    fn document(&mut self, text: &str, group: u64, label: &str) -> Result<()> {
        let held_out = self.plan.holds_out(group);
        self.documents.as_mut().map_or(Ok(()), |writer| writer.write_document(text, label, group, held_out))
    }

    fn text(&mut self, &FitText { source, text, hash, group, label }: &FitText) -> Result<()> {
        if !self.draw.lets_through(source, hash) {
            return Ok(());
        }
        if self.plan.holds_out(group) {
            // No text is both trained on and held out.
            if self.second_texts.contains(&hash) {
                return Ok(());
            }
            self.held_out_texts.insert(hash);
            return self.held_out.write(text, TextOrigin { group, label, source });
        }
        self.train.write(text, TextOrigin { group, label, source })?;
        let Some(second) = (self.augment)(text) else { return Ok(()) };
        let hash = super::hash(&second);
        if self.held_out_texts.contains(&hash) || self.exclusion.contains(&second) {
            return Ok(());
        }
        self.second_texts.insert(hash);
        self.augmented += 1;
        self.train.write(&second, TextOrigin { group, label, source })
    }
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
