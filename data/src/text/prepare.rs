//! From a plan to the files that training reads.

use std::path::Path;

use super::decode::Encodings;
use super::exclude::Exclusion;
use super::open::read_document;
use super::plan::{DocumentCounts, TextPlan, TextSummary};
use super::prepared::{DocumentWriter, TextWriter};
use super::rows::Texts;
use super::sample::Sample;
use super::sift::Sift;
use super::source::{self, Format, Source, TextFile, Unit};
use super::{HashSet64, TextError, hash, sentences};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::progress::{Bar, Progress};

/// The file of the texts to train on.
pub const TRAIN_FILE: &str = "train.parquet";
/// The file of the texts held out.
pub const HELD_OUT_FILE: &str = "held-out.parquet";
/// The file of whole documents, where they have labels.
pub const DOCUMENTS_FILE: &str = "documents.parquet";

/// Reads the plan's sources and writes [`TRAIN_FILE`], [`HELD_OUT_FILE`] and, where labelled documents are among the
/// sources, [`DOCUMENTS_FILE`] into `folder`; [`super::PreparedText`] and [`super::read_documents`] read them.
///
/// The text is read twice where a limit asks for a sample, else once. The same text and plan give the same bytes. Errors
/// name file and place; then, as when interrupted, what lay in the folder before lies there still. No text left to train
/// on is an error too.
pub fn prepare(plan: &TextPlan, folder: &Path, progress: &dyn Progress, interrupt: &Interrupt) -> Result<TextSummary> {
    prepare_with(plan, folder, &|_| None, progress, interrupt)
}

/// The same, with a further text beside each text to train on for which `further` gives one; it follows that text, and no limit
/// counts it. One that is excluded is left out, and no text is both further to a text and held out.
pub fn prepare_with(
    plan: &TextPlan,
    folder: &Path,
    further: Further<'_>,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<TextSummary> {
    plan.check()?;
    let exclusion = Exclusion::load(&plan.exclude)?;
    let mut draw = Draw::new(plan);
    if draw.has_limits() {
        let bar = progress.stage("drawing a sample of the text", None, "texts");
        read(plan, &exclusion, &*bar, interrupt, &mut draw)?;
        draw.settle();
    }

    let bar = progress.stage("preparing the text", None, "texts");
    let labelled = plan.sources.iter().any(|source| source.label && source.has_documents());
    let documents = folder.join(DOCUMENTS_FILE);
    let mut write = Write {
        plan,
        further: Furthering {
            give: further,
            exclusion: &exclusion,
            count: 0,
            given: HashSet64::default(),
            held_out: HashSet64::default(),
        },
        draw: &draw,
        train: TextWriter::create(&folder.join(TRAIN_FILE))?,
        held_out: TextWriter::create(&folder.join(HELD_OUT_FILE))?,
        documents: labelled.then(|| DocumentWriter::create(&documents)).transpose()?,
    };
    let mut counts = read(plan, &exclusion, &*bar, interrupt, &mut write)?;
    counts.further = write.further.count;
    (counts.train, counts.held_out) = (write.train.rows() - counts.further, write.held_out.rows());
    let fit = counts.read - (counts.blank + counts.too_short + counts.too_long + counts.excluded + counts.duplicate);
    counts.not_drawn = fit - counts.train - counts.held_out;
    if counts.train == 0 {
        return Err(TextError::NothingLeft { counts: counts.to_string() }.into());
    }
    match write.documents {
        Some(writer) => writer.finish()?,
        // One from an earlier plan would belong to nothing here.
        None if documents.exists() => std::fs::remove_file(&documents).map_err(Error::io("remove", &documents))?,
        None => {}
    }
    write.held_out.finish()?;
    write.train.finish()?;
    Ok(counts)
}

/// What gives a text a further one.
pub type Further<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A text fit to train on.
struct Record<'a> {
    source: usize,
    text: &'a str,
    hash: u64,
    group: u64,
    label: Option<&'a str>,
}

/// What a pass over the text does with it.
trait Sink {
    fn document(&mut self, _text: &str, _group: u64, _label: &str) -> Result<()> {
        Ok(())
    }

    fn text(&mut self, record: &Record) -> Result<()>;
}

/// One pass: all sources in order, sifted.
fn read(
    plan: &TextPlan,
    exclusion: &Exclusion,
    bar: &dyn Bar,
    interrupt: &Interrupt,
    sink: &mut dyn Sink,
) -> Result<TextSummary> {
    let mut counts = TextSummary::default();
    let mut sift = Sift::new(plan, exclusion);
    let mut documents = DocumentCounts::default();
    let mut known = HashSet64::default();
    for (index, source) in plan.sources.iter().enumerate() {
        let encodings = Encodings::parse(source.encoding.as_deref())?;
        for file in source::files(&source.path, source.column.as_deref())? {
            let label = if source.label { file.folder_name() } else { None };
            for (row, text) in texts_of(source, &file, &encodings)?.enumerate() {
                if row % 256 == 0 {
                    interrupt.check()?;
                }
                let text = text?;
                let text = text.trim();
                bar.add(1);
                let mut take = |sink: &mut dyn Sink, part: &str, group: Option<u64>| match sift.admit(part, &mut counts)
                {
                    Some(hash) => {
                        let (source, group) = (index, group.unwrap_or(hash));
                        sink.text(&Record { source, text: part, hash, group, label: label.as_deref() })
                    }
                    None => Ok(()),
                };
                if !source.has_documents() {
                    take(sink, text, None)?;
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
                    sink.document(text, group, label)?;
                }
                if source.split {
                    sentences(text).try_for_each(|sentence| take(sink, sentence, Some(group)))?;
                } else {
                    take(sink, text, Some(group))?;
                }
            }
        }
    }
    Ok(TextSummary { documents, ..counts })
}

/// The rows of a file, or the file itself where it is a document.
fn texts_of(
    source: &Source,
    file: &TextFile,
    encodings: &Encodings,
) -> Result<Box<dyn Iterator<Item = Result<String>>>> {
    match (source.unit, file.format) {
        (Unit::File, Format::Lines) => Ok(Box::new(std::iter::once(read_document(&file.path, encodings)))),
        (Unit::File, _) => Err(TextError::NoDocument { path: file.path.clone() }.into()),
        (Unit::Line, _) => Ok(Box::new(Texts::of_file(file.clone(), source.column.as_deref(), encodings))),
    }
}

/// Which texts the limits let through; found in the first pass.
struct Draw {
    /// A sample a source that has a limit of its own.
    sources: Vec<Option<Sample>>,
    whole: Option<Sample>,
}

/// Sets the sources' draws apart from the whole one: with the same keys, what a source drew would never be passed over.
const SOURCE_SEED: u64 = 0x9e37_79b9_7f4a_7c15;

impl Draw {
    fn new(plan: &TextPlan) -> Self {
        let of_source = |source: &Source| source.limit.map(|limit| Sample::new(limit, plan.seed ^ SOURCE_SEED));
        let whole = plan.limit.map(|limit| Sample::new(limit, plan.seed));
        Self { sources: plan.sources.iter().map(of_source).collect(), whole }
    }

    fn has_limits(&self) -> bool {
        self.whole.is_some() || self.sources.iter().any(Option::is_some)
    }

    /// Draws the whole sample from the sources' own too, now that they are complete.
    fn settle(&mut self) {
        if let Some(whole) = &mut self.whole {
            self.sources.iter().flatten().flat_map(Sample::hashes).for_each(|hash| whole.push(hash));
        }
    }

    fn lets_through(&self, record: &Record) -> bool {
        let samples = self.sources[record.source].iter().chain(&self.whole);
        samples.into_iter().all(|sample| sample.contains(record.hash))
    }
}

impl Sink for Draw {
    fn text(&mut self, record: &Record) -> Result<()> {
        if let Some(sample) = self.sources[record.source].as_mut().or(self.whole.as_mut()) {
            sample.push(record.hash);
        }
        Ok(())
    }
}

/// The texts that are further to others.
struct Furthering<'a> {
    give: Further<'a>,
    exclusion: &'a Exclusion,
    count: u64,
    /// The hashes of those given.
    given: HashSet64,
    /// The hashes of the texts held out so far.
    held_out: HashSet64,
}

impl Furthering<'_> {
    /// The one to `text`, if it may be trained on.
    fn of(&mut self, text: &str) -> Option<String> {
        let further = (self.give)(text)?;
        let hash = hash(&further);
        let fits = !self.held_out.contains(&hash) && !self.exclusion.contains(&further);
        fits.then(|| {
            self.given.insert(hash);
            self.count += 1;
            further
        })
    }

    /// Whether a text may be held out: it isn't trained on already.
    fn leaves(&mut self, hash: u64) -> bool {
        let leaves = !self.given.contains(&hash);
        if leaves {
            self.held_out.insert(hash);
        }
        leaves
    }
}

/// The last pass: writes what the limits let through.
struct Write<'a> {
    plan: &'a TextPlan,
    further: Furthering<'a>,
    draw: &'a Draw,
    train: TextWriter,
    held_out: TextWriter,
    documents: Option<DocumentWriter>,
}

impl Sink for Write<'_> {
    fn document(&mut self, text: &str, group: u64, label: &str) -> Result<()> {
        let held_out = self.plan.holds_out(group);
        self.documents.as_mut().map_or(Ok(()), |writer| writer.write(text, label, group, held_out))
    }

    fn text(&mut self, record: &Record) -> Result<()> {
        if !self.draw.lets_through(record) {
            return Ok(());
        }
        if self.plan.holds_out(record.group) {
            let leaves = self.further.leaves(record.hash);
            return if leaves { self.held_out.write(record.text, record.group, record.label) } else { Ok(()) };
        }
        self.train.write(record.text, record.group, record.label)?;
        match self.further.of(record.text) {
            Some(text) => self.train.write(&text, record.group, record.label),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
