//! The texts of a prepared file in random order.

use std::path::Path;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::prepared::{PreparedText, TextBatch, TextWriter};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// About how many texts are in memory at a time.
const PART: usize = 1 << 17;
/// The most parts, each an open file; beyond as many texts as they hold a part is larger.
const MOST_PARTS: usize = 256;
/// Rows read at a time.
const ROWS: usize = 4_096;

/// Rewrites the prepared file at `path` with its texts in an order that depends on texts and seed alone: as the sources come one after
/// another, neighbours in it would be of one kind, and a training that reads it in windows would see one kind at a time.
///
/// In memory are about 130 thousand texts at a time, or a 256th of them where that is more; on disk for a while a second copy.
///
/// # Errors
/// A file that can't be read or written, and a job that was stopped; the file is as it was then.
pub fn shuffle(path: &Path, seed: u64, progress: &dyn Progress, interrupt: &Interrupt) -> Result<()> {
    shuffle_in_parts(path, seed, PART, progress, interrupt)
}

fn shuffle_in_parts(path: &Path, seed: u64, part: usize, progress: &dyn Progress, interrupt: &Interrupt) -> Result<()> {
    let text = PreparedText::open(path)?;
    let rows = text.rows();
    let count = rows.div_ceil(part).clamp(1, MOST_PARTS);
    let key = |text: &str| xxh3_64_with_seed(text.as_bytes(), seed);
    let folder = path.parent().unwrap_or(Path::new("."));
    let parts = tempfile::tempdir_in(folder).map_err(Error::io("make a folder in", folder))?;
    let file = |part: usize| parts.path().join(part.to_string());

    let bar = progress.stage("shuffling the text", Some(2 * rows as u64), "texts");
    let mut writers = (0..count).map(|part| TextWriter::create(&file(part))).collect::<Result<Vec<_>>>()?;
    for batch in text.batches(ROWS)? {
        interrupt.check()?;
        let batch = batch?;
        for (text, group, label) in rows_of(&batch) {
            // The part by the key's size, so that the parts one after another are in order of the keys.
            let part = ((u128::from(key(text)) * count as u128) >> 64) as usize;
            writers[part].write(text, group, label)?;
        }
        bar.add(batch.texts.len() as u64);
    }
    writers.into_iter().try_for_each(TextWriter::finish)?;

    let mut out = TextWriter::create(path)?;
    for part in 0..count {
        interrupt.check()?;
        let part = PreparedText::open(&file(part))?;
        let batch = part.read(0, part.rows())?;
        let mut rows: Vec<_> = rows_of(&batch).collect();
        rows.sort_by_cached_key(|&(text, ..)| (key(text), text));
        rows.iter().try_for_each(|&(text, group, label)| out.write(text, group, label))?;
        bar.add(rows.len() as u64);
    }
    out.finish()
}

fn rows_of(batch: &TextBatch) -> impl Iterator<Item = (&str, u64, Option<&str>)> {
    let rows = batch.texts.iter().zip(&batch.groups).zip(&batch.labels);
    rows.map(|((text, &group), label)| (text.as_str(), group, label.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn every_row_stays_whole_and_the_order_is_that_of_no_source() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, numbers: &mut dyn Iterator<Item = u64>| {
            let path = folder.path().join(name);
            let mut writer = TextWriter::create(&path).unwrap();
            for number in numbers {
                writer.write(&format!("text {number}"), number, (number % 3 == 0).then_some("three")).unwrap();
            }
            writer.finish().unwrap();
            path
        };
        let shuffled = |path: &Path, seed, part| {
            shuffle_in_parts(path, seed, part, &Silent, &Interrupt::new()).unwrap();
            PreparedText::open(path).unwrap().read(0, usize::MAX >> 1).unwrap()
        };
        let one = shuffled(&write("one", &mut (0..3_000)), 1, 5_000);
        // Neither the parts' size nor the order before matters, a seed does.
        assert_eq!(shuffled(&write("parts", &mut (0..3_000)), 1, 700), one);
        assert_eq!(shuffled(&write("back", &mut (0..3_000).rev()), 1, 700), one);
        assert_ne!(shuffled(&write("seed", &mut (0..3_000)), 2, 700), one);
        assert_eq!(one.ids, (0..3_000).collect::<Vec<_>>());
        for ((text, group), label) in one.texts.iter().zip(&one.groups).zip(&one.labels) {
            assert_eq!((text, label.as_deref()), (&format!("text {group}"), (group % 3 == 0).then_some("three")));
        }
        for chunk in one.groups.chunks(300) {
            let low = chunk.iter().filter(|&&group| group < 1_500).count();
            assert!((100..200).contains(&low), "{low} of 300");
        }
        let mut groups = one.groups;
        groups.sort_unstable();
        assert_eq!(groups, (0..3_000).collect::<Vec<_>>());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4, "no folder of parts stays");
    }
}
