//! One file of vectors for each piece of an input: `encode --each` and `embed --each`.
//!
//! A process claims a piece by the lock on the temporary file that it writes, so several processes share a folder
//! without a server, and a killed one leaves nothing that the next does not remove. A finished file tells in its own
//! metadata what it was made from, see [`Origin`]: the work goes on wherever it stopped, by content and not by names.

mod origin;
mod piece_writer;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow::array::{Array, BooleanArray, StringArray};
use limbeck_data::files::{PendingFile, remove_leftovers};
use limbeck_data::progress::Bar;
use limbeck_data::text::{PieceColumns, TextPiece, hash, pieces};
use limbeck_data::{Monitor, VectorType};
use limbeck_encoder::Embeddings;

use self::origin::Found;
pub use self::origin::Origin;
use self::piece_writer::PieceWriter;
use crate::error::{Error, Result};

/// How long to wait before pieces that other processes are writing are looked at again.
const PAUSE: Duration = Duration::from_millis(100);

/// Vectors for all pieces of an input.
pub struct EachJob<'a> {
    /// A folder of text files, a Parquet file, or a text file.
    pub input: &'a Path,
    /// The columns that are read and kept.
    pub columns: PieceColumns,
    /// The folder of the files with the vectors.
    pub to: &'a Path,
    /// `(I, N)`: only the pieces k with k % N == I.
    pub shard: Option<(u32, u32)>,
    /// Which rows have a vector.
    pub rows: RowsWanted,
    /// Makes the vectors of some texts.
    pub encode: &'a dyn Fn(&[&str]) -> Result<Embeddings>,
    /// The width of the vectors.
    pub dimension: usize,
    /// The type of their values in the files.
    pub kind: VectorType,
    /// What the vectors depend on beside the text: model and settings.
    pub settings: serde_json::Value,
}

/// Which rows of a piece have a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsWanted {
    /// All, blank ones too.
    All,
    /// Those whose text is not blank and stands in no row of the piece before.
    Distinct,
}

/// What became of the pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EachSummary {
    /// Pieces that this process wrote.
    pub written: usize,
    /// Pieces that were done before.
    pub kept: usize,
    /// Pieces that other processes wrote meanwhile.
    pub others: usize,
    /// Rows that this process wrote.
    pub rows: u64,
    /// Rows left out as blank or as duplicates.
    pub left_out: u64,
}

/// A piece and the place of its vectors.
struct Task {
    piece: TextPiece,
    to: PathBuf,
}

/// What came of one look at a piece.
enum Looked {
    Written(Counts),
    Kept,
    /// Another process is writing it.
    Busy,
}

/// The rows of a piece.
#[derive(Clone, Copy, Default)]
struct Counts {
    rows: u64,
    left_out: u64,
}

/// What looks at piece after piece.
struct Worker<'a> {
    job: &'a EachJob<'a>,
    bar: &'a dyn Bar,
    monitor: Monitor<'a>,
}

/// Writes the vectors of all pieces that have none, and waits for those that other processes are writing.
///
/// # Errors
/// A piece cannot be read, encoded or written; two pieces would have one file; a file of another make lies in the place
/// of one. Finished files stay in every case.
pub fn run(job: &EachJob, monitor: Monitor) -> Result<EachSummary> {
    let mut left = tasks(job)?;
    let folders: BTreeSet<&Path> = left.iter().filter_map(|task| task.to.parent()).collect();
    for folder in folders {
        remove_leftovers(folder)?;
    }
    let bar = monitor.stage("encoding", Some(left.len() as u64), "files");
    let worker = Worker { job, bar: &*bar, monitor };
    let mut summary = EachSummary::default();
    let mut is_first_look = true;
    while !left.is_empty() {
        let mut busy = Vec::new();
        for task in left {
            monitor.check()?;
            match worker.look(&task, is_first_look, summary.rows)? {
                Looked::Busy => {
                    busy.push(task);
                    continue;
                }
                Looked::Written(counts) => {
                    summary.written += 1;
                    summary.rows += counts.rows;
                    summary.left_out += counts.left_out;
                }
                Looked::Kept if is_first_look => summary.kept += 1,
                Looked::Kept => summary.others += 1,
            }
            bar.add(1);
        }
        left = busy;
        is_first_look = false;
        if !left.is_empty() {
            bar.set("waiting for other processes");
            std::thread::sleep(PAUSE);
        }
    }
    Ok(summary)
}

/// The pieces of this process.
fn tasks(job: &EachJob) -> Result<Vec<Task>> {
    let mut places: HashMap<PathBuf, PathBuf> = HashMap::new();
    let mut tasks = Vec::new();
    for (number, piece) in pieces(job.input, &job.columns)?.into_iter().enumerate() {
        let to = job.to.join(piece.output_name());
        if let Some(other) = places.insert(to.clone(), piece.path().to_owned()) {
            let [other, path, to] = [&other, piece.path(), &to].map(Path::display);
            return Err(Error::Usage(format!("--each: {other} and {path} would both become {to}; rename one")));
        }
        if job.shard.is_none_or(|(i, n)| number % n as usize == i as usize) {
            tasks.push(Task { piece, to });
        }
    }
    Ok(tasks)
}

impl Worker<'_> {
    /// Writes the vectors of a piece unless they are there or another process is writing them; `rows_before` is how
    /// many rows this process has written.
    fn look(&self, task: &Task, is_first_look: bool, rows_before: u64) -> Result<Looked> {
        let job = self.job;
        let mut input = None;
        match Origin::found_at(&task.to)? {
            // What another process has finished while this one waited is made from the input as it is.
            Found::Origin(origin) if origin.settings == job.settings && !is_first_look => return Ok(Looked::Kept),
            Found::Origin(origin) if origin.settings == job.settings => {
                let hash = task.piece.sha256(&job.columns)?;
                if origin.input == hash {
                    return Ok(Looked::Kept);
                }
                input = Some(hash);
            }
            Found::Other => return Err(Error::NotEach { path: task.to.clone() }),
            Found::Origin(_) | Found::Nothing => {}
            Found::Damaged => self.monitor.note(&format!("{} is damaged: it is made anew", task.to.display())),
        }
        let claimed = PendingFile::claim(&task.to).map_err(limbeck_data::Error::from)?;
        let Some(file) = claimed else { return Ok(Looked::Busy) };
        let input = input.map_or_else(|| task.piece.sha256(&job.columns), Ok)?;
        let origin = Origin { input, settings: job.settings.clone() };
        // Another process may have finished it between the first look and the claim.
        if matches!(Origin::found_at(&task.to)?, Found::Origin(found) if found == origin) {
            return Ok(Looked::Kept);
        }
        self.write(task, file, &origin, rows_before).map(Looked::Written)
    }

    /// Writes the vectors of a piece.
    fn write(&self, task: &Task, file: PendingFile, origin: &Origin, rows_before: u64) -> Result<Counts> {
        let job = self.job;
        let rows = task.piece.rows(&job.columns)?;
        let mut writer = PieceWriter::new(file, &task.to, &rows.fields, (job.dimension, job.kind), origin)?;
        let mut counts = Counts::default();
        let mut met = HashSet::new();
        for batch in rows.batches {
            self.monitor.check()?;
            let batch = batch?;
            let all = batch.texts.len();
            let batch = match job.rows {
                RowsWanted::All => batch,
                RowsWanted::Distinct => batch.filtered(&is_new(&batch.texts, &mut met))?,
            };
            counts.left_out += (all - batch.texts.len()) as u64;
            if batch.texts.is_empty() {
                continue;
            }
            let texts: Vec<&str> = batch.texts.iter().map(Option::unwrap_or_default).collect();
            let vectors = (job.encode)(&texts)?;
            writer.write(&batch.kept, &vectors)?;
            counts.rows += vectors.rows() as u64;
            self.bar.set(&format!("{} texts", rows_before + counts.rows));
        }
        writer.finish()?;
        Ok(counts)
    }
}

/// Which of the texts are neither blank nor in `met`, to which they are added.
fn is_new(texts: &StringArray, met: &mut HashSet<u64>) -> BooleanArray {
    let is_new = |text: &str| !text.trim().is_empty() && met.insert(hash(text));
    BooleanArray::from_iter(texts.iter().map(Option::unwrap_or_default).map(is_new).map(Some))
}
