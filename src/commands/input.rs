//! Text as commands read it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::cache::SHARD_ROWS;
use limbeck_data::files;
use limbeck_data::text::{PieceColumns, TextPiece, TextReader, hash, left_out_files, pieces, read_texts};

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
        Ok(chunked(distinct(self.read(input)?, left_out.clone())))
    }

    /// As [`TextArguments::chunks`] for a share of the pieces of `input`: those k with k % N == I for `(I, N)`. No
    /// other is read. Gives a hash of the names and sizes of all pieces too.
    pub(super) fn chunks_of_shard(
        &self,
        input: &Path,
        (i, n): (u32, u32),
        left_out: &LeftOutTexts,
    ) -> Result<(impl Iterator<Item = limbeck_data::Result<Vec<String>>> + Send + use<>, String)> {
        let columns =
            PieceColumns { text: self.column.clone(), encoding: self.encoding.clone(), ..PieceColumns::default() };
        let pieces = pieces(input, &columns)?;
        let layout: String = pieces.iter().map(TextPiece::layout).collect::<limbeck_data::Result<_>>()?;
        let hash = files::sha256_bytes(format!("{:?} {:?}\n{layout}", self.column, self.encoding).as_bytes());
        let own = pieces.into_iter().skip(i as usize).step_by(n as usize);
        let batches = own.flat_map(move |piece| match piece.rows(&columns) {
            Ok(rows) => rows.batches,
            Err(error) => Box::new(std::iter::once(Err(error))),
        });
        let texts = batches.flat_map(|batch| {
            let (texts, error) = match batch {
                Ok(batch) => (batch.texts.iter().map(|text| Ok(text.unwrap_or_default().to_owned())).collect(), None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            texts.into_iter().chain(error)
        });
        Ok((chunked(distinct(Box::new(texts), left_out.clone())), hash))
    }
}

/// The texts in chunks of a shard; an error takes the place of the chunk that it stands in.
fn chunked(
    mut texts: impl Iterator<Item = limbeck_data::Result<String>> + Send,
) -> impl Iterator<Item = limbeck_data::Result<Vec<String>>> + Send {
    std::iter::from_fn(move || {
        let chunk: limbeck_data::Result<Vec<String>> = texts.by_ref().take(SHARD_ROWS).collect();
        chunk.map(|chunk| (!chunk.is_empty()).then_some(chunk)).transpose()
    })
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
