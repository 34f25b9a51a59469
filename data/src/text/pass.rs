//! [`read`]: gives a [`TextPass`] all fit texts of a plan's sources, and counts the others.

use super::collection::{
    CollectionUnit, CollectionUnits, CutDocument, Document, DocumentColumns, WordBag, collection_files, documents_in,
};
use super::decode::Encodings;
use super::filter::{LeftOutTexts, TextFilter};
use super::format::TextFormat;
use super::open::read_document;
use super::plan::{DocumentCounts, TextPlan, TextSummary};
use super::rows::{TextReader, read_rows};
use super::source::{self, SourceFiles, TextFile, TextSource, TextUnit};
use super::{HashSet64, LeftOutFiles, ReadOptions, SourceCounts, TextError, hash, sentences};
use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::progress::Bar;

/// A text fit to train on.
pub(super) struct FitText<'a> {
    /// The index of its source.
    pub(super) source: usize,
    /// What of its document it is, where the source is a collection.
    pub(super) unit: Option<CollectionUnit>,
    pub(super) text: &'a str,
    pub(super) hash: u64,
    pub(super) group: u64,
    pub(super) label: Option<&'a str>,
}

/// What of the sources a pass needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All texts, and the documents.
    Texts,
    /// The documents of collections only.
    Documents,
}

/// What a pass over the text does with it.
pub(super) trait TextPass {
    fn wanted(&self) -> Wanted {
        Wanted::Texts
    }

    /// Takes a distinct document that has a label.
    fn labelled_document(&mut self, _text: &str, _group: u64, _label: &str) -> Result<()> {
        Ok(())
    }

    /// Takes a distinct document of a collection.
    fn document(&mut self, _document: &Document, _group: u64) -> Result<()> {
        Ok(())
    }

    fn text(&mut self, fit: &FitText) -> Result<()>;
}

/// Gives `pass` all distinct documents and fit texts of the sources, in order, and counts the others.
pub(super) fn read(
    plan: &TextPlan,
    left_out: LeftOutTexts,
    monitor: Monitor,
    stage: &str,
    pass: &mut dyn TextPass,
) -> Result<TextSummary> {
    let mut reading = Reading {
        plan,
        monitor,
        bar: monitor.stage(stage, None, "texts"),
        pass,
        filter: TextFilter::new(plan, left_out),
        counts: TextSummary::default(),
        documents: DocumentCounts::default(),
        known: HashSet64::default(),
        rows: 0,
    };
    for (index, source) in plan.sources.iter().enumerate() {
        reading.read_source(index, source)?;
    }
    Ok(TextSummary { documents: reading.documents, ..reading.counts })
}

/// A source that is being read.
#[derive(Clone, Copy)]
struct OpenSource<'a> {
    index: usize,
    source: &'a TextSource,
    options: &'a ReadOptions,
}

/// Where texts come from.
#[derive(Clone, Copy)]
struct Origin<'a> {
    source: usize,
    label: Option<&'a str>,
    /// The hash of the document; `None` where a text belongs to none.
    group: Option<u64>,
}

/// A pass over the sources, on its way.
struct Reading<'a> {
    plan: &'a TextPlan,
    monitor: Monitor<'a>,
    bar: Box<dyn Bar + 'a>,
    pass: &'a mut dyn TextPass,
    filter: TextFilter<'a>,
    counts: TextSummary,
    documents: DocumentCounts,
    /// The hashes of the documents so far.
    known: HashSet64,
    /// The rows of collections so far, by which documents without ids are numbered.
    rows: u64,
}

impl Reading<'_> {
    fn read_source(&mut self, index: usize, source: &TextSource) -> Result<()> {
        let encodings = Encodings::parse(source.encoding.as_deref())?;
        let options = ReadOptions::new(encodings).for_texts_of(self.plan.max_chars);
        let before = self.told();
        let open = OpenSource { index, source, options: &options };
        let no_text = match &source.collection {
            Some(units) => self.read_collection(open, units)?,
            None if self.pass.wanted() == Wanted::Documents => return Ok(()),
            None => self.read_texts(open)?,
        };
        let after = self.told();
        let [read, blank, too_long, excluded] = std::array::from_fn(|count| after[count] - before[count]);
        self.counts.sources.push(SourceCounts { path: source.path.clone(), read, blank, too_long, excluded, no_text });
        Ok(())
    }

    /// The counts that are told of each source: texts read, blank ones, those that are too long, and those to exclude.
    fn told(&self) -> [u64; 4] {
        let (counts, documents) = (&self.counts, &self.documents);
        let [blank, too_long] = [counts.blank + documents.blank, counts.too_long + documents.too_long];
        [counts.read, blank, too_long, counts.excluded + documents.excluded]
    }

    /// Reads the lines, rows or files of a source; returns the files that hold no text.
    fn read_texts(&mut self, OpenSource { index, source, options }: OpenSource) -> Result<LeftOutFiles> {
        let SourceFiles { files, left_out } = source::files(&source.path, source.column.as_deref(), options)?;
        for file in files {
            let label = if source.label { file.folder_name() } else { None };
            let origin = Origin { source: index, label: label.as_deref(), group: None };
            for (row, text) in texts_of(source, &file, options)?.enumerate() {
                self.count_row(row)?;
                let Some(text) = self.unless_too_long(text, source)? else { continue };
                let text = text.trim();
                if !source.has_documents() {
                    self.admit(origin, None, text)?;
                    continue;
                }
                let group = hash(text);
                if !self.is_new_document(text, group, self.filter.excludes(text)) {
                    continue;
                }
                if let Some(label) = origin.label {
                    self.pass.labelled_document(text, group, label)?;
                }
                let origin = Origin { group: Some(group), ..origin };
                if source.split {
                    sentences(text).try_for_each(|sentence| self.admit(origin, None, sentence))?;
                } else {
                    self.admit(origin, None, text)?;
                }
            }
        }
        Ok(left_out)
    }

    /// Reads the documents of a collection; returns the files that hold no text.
    fn read_collection(
        &mut self,
        OpenSource { index, source, options }: OpenSource,
        units: &CollectionUnits,
    ) -> Result<LeftOutFiles> {
        let columns = DocumentColumns { text: source.column.clone(), title: units.title.clone(), id: units.id.clone() };
        let found = collection_files(&source.path, &columns, options)?;
        let mut bag = WordBag::default();
        for file in found.files {
            let label = if source.label { file.file.folder_name() } else { None };
            for (row, document) in documents_in(&file, &columns, options)?.enumerate() {
                self.count_row(row)?;
                let number = self.rows;
                self.rows += 1;
                let Some(document) = self.unless_too_long(document, source)? else { continue };
                let document = document.numbered(number);
                let whole = document.whole();
                let group = hash(&whole);
                if !self.is_new_document(&whole, group, self.filter.excludes_part_of(&whole)) {
                    continue;
                }
                self.pass.document(&document, group)?;
                if self.pass.wanted() == Wanted::Documents {
                    continue;
                }
                if let Some(label) = &label {
                    self.pass.labelled_document(&whole, group, label)?;
                }
                let origin = Origin { source: index, label: label.as_deref(), group: Some(group) };
                if units.units.contains(&CollectionUnit::Mixture) {
                    bag.take(&whole);
                }
                let cut = CutDocument { document: &document, whole: &whole, group, bag: &bag, seed: self.plan.seed };
                cut.each_text(units, |unit, text| self.admit(origin, Some(unit), text))?;
            }
        }
        Ok(found.left_out)
    }

    fn count_row(&self, row: usize) -> Result<()> {
        if row.is_multiple_of(256) {
            self.monitor.check()?;
        }
        self.bar.add(1);
        Ok(())
    }

    /// What was read; `None` for a row that is too long, which is counted.
    fn unless_too_long<T>(&mut self, read: Result<T>, source: &TextSource) -> Result<Option<T>> {
        match read {
            Err(Error::Text(TextError::TooLong { .. })) => {
                if source.has_documents() {
                    self.documents.read += 1;
                    self.documents.too_long += 1;
                } else {
                    self.filter.refuse_unread(&mut self.counts);
                }
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// Counts a document; whether it has text that was not met before and isn't to be excluded.
    fn is_new_document(&mut self, whole: &str, group: u64, is_excluded: bool) -> bool {
        self.documents.read += 1;
        if whole.is_empty() {
            self.documents.blank += 1;
            return false;
        }
        if is_excluded {
            self.documents.excluded += 1;
            return false;
        }
        let is_new = self.known.insert(group);
        self.documents.duplicate += u64::from(!is_new);
        is_new
    }

    /// Gives the pass a text, if it is fit.
    fn admit(&mut self, origin: Origin, unit: Option<CollectionUnit>, text: &str) -> Result<()> {
        let Some(hash) = self.filter.admit(text, unit, &mut self.counts) else { return Ok(()) };
        let Origin { source, label, group } = origin;
        self.pass.text(&FitText { source, unit, text, hash, group: group.unwrap_or(hash), label })
    }
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
