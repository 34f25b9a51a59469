//! Text as commands read it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::cache::SHARD_ROWS;
use limbeck_data::text::{TextReader, hash, left_out_files, read_texts};

use crate::error::Result;

// How text is read.
#[derive(Args)]
pub(super) struct TextArguments {
    /// The column or field with the text
    #[arg(long, value_name = "NAME")]
    pub(super) column: Option<String>,

    /// The text's encoding where it isn't UTF-8
    #[arg(long, value_name = "NAME")]
    pub(super) encoding: Option<String>,
}

impl TextArguments {
    /// All texts of a file or folder, one after another.
    pub(super) fn read(&self, input: &Path) -> Result<TextReader> {
        Ok(read_texts(input, self.column.as_deref(), self.encoding.as_deref())?)
    }

    /// Notes the files of a folder that hold no text.
    pub(super) fn note_other_files(&self, input: &Path, monitor: Monitor) -> Result<()> {
        let others = left_out_files(input, self.column.as_deref())?;
        if !others.is_empty() {
            monitor.note(&format!("{}: {others}", input.display()));
        }
        Ok(())
    }

    /// The texts without blank ones and duplicates, which are counted in `left_out`, in chunks of a shard; an error
    /// takes the place of the chunk that it stands in.
    pub(super) fn chunks(
        &self,
        input: &Path,
        left_out: &LeftOutTexts,
    ) -> Result<impl Iterator<Item = limbeck_data::Result<Vec<String>>> + Send + use<>> {
        let mut texts = distinct(self.read(input)?, left_out.clone());
        Ok(std::iter::from_fn(move || {
            let chunk: limbeck_data::Result<Vec<String>> = texts.by_ref().take(SHARD_ROWS).collect();
            chunk.map(|chunk| (!chunk.is_empty()).then_some(chunk)).transpose()
        }))
    }
}

/// How many texts were left out so far; clones count together.
#[derive(Clone, Default)]
pub(super) struct LeftOutTexts {
    blank: Arc<AtomicU64>,
    duplicate: Arc<AtomicU64>,
}

impl LeftOutTexts {
    /// Notes the counts of `input`, if any.
    pub(super) fn note(&self, input: &Path, monitor: Monitor) {
        let counts = [("blank", &self.blank), ("duplicate", &self.duplicate)];
        let counts = counts.map(|(name, count)| (name, count.load(Ordering::Relaxed)));
        let told: Vec<String> =
            counts.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{n} {name}")).collect();
        if !told.is_empty() {
            monitor.note(&format!("{}: texts left out: {}", input.display(), told.join(", ")));
        }
    }
}

/// The texts without blank ones and duplicates, which are counted in `left_out`.
pub(super) fn distinct(
    texts: TextReader,
    left_out: LeftOutTexts,
) -> impl Iterator<Item = limbeck_data::Result<String>> + Send {
    let mut met = HashSet::new();
    let mut is_new = move |text: &String| {
        let count = match (text.trim().is_empty(), met.insert(hash(text))) {
            (true, _) => &left_out.blank,
            (false, false) => &left_out.duplicate,
            (false, true) => return true,
        };
        count.fetch_add(1, Ordering::Relaxed);
        false
    };
    texts.filter(move |text| text.as_ref().map_or(true, &mut is_new))
}
