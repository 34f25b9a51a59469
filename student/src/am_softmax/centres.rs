//! The class centres, in a file that is mapped into memory: of 100 thousand classes a step reads and writes only the
//! pages of the rows that it samples.
//!
//! `centres.f32` holds `classes × dimension` values and nothing else, every row of length 1. Every step changes it in
//! place, so a checkpoint has a copy of its own, `centres.STEP.f32`. The copy is synced and in place before the
//! checkpoint is written, and the copy before it is removed afterwards. A killed training resumes from the copy,
//! whatever the working file holds by then. (A journal of the rows changed since the last checkpoint would save little:
//! between two checkpoints the samples touch most rows.)
#![expect(unsafe_code, reason = "a file is mapped into memory, writable")]

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use limbeck_data::files::{self, PendingFile};
use limbeck_encoder::normalise;
use limbeck_training::random::Random;
use memmap2::MmapMut;

use crate::error::{Error, Result};

/// The random stream of centres that start at random.
const START: u64 = 41;
const WORKING: &str = "centres.f32";
/// The name in errors of how many centres there are.
pub(super) const CLASSES: &str = "the number of classes";

/// How many centres there are, and how wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CentreShape {
    pub(crate) classes: usize,
    pub(crate) dimension: usize,
}

impl CentreShape {
    fn bytes(self) -> u64 {
        self.classes as u64 * self.dimension as u64 * 4
    }
}

/// The centres of all classes.
pub(crate) struct Centres {
    folder: PathBuf,
    /// How many there are, and how wide.
    pub(super) shape: CentreShape,
    map: MmapMut,
}

/// Takes the starting centres, one after another.
pub(crate) struct CentreRows<'a> {
    file: &'a mut PendingFile,
    shape: CentreShape,
    seed: u64,
    /// How many there are so far.
    pub(super) written: usize,
}

impl CentreRows<'_> {
    /// The next centre: `row` scaled to length 1, or a random one where `row` has no direction.
    pub(crate) fn push(&mut self, row: &[f32]) -> Result<()> {
        if row.len() != self.shape.dimension || self.written == self.shape.classes {
            let CentreShape { classes, dimension } = self.shape;
            let reason =
                format!("takes {classes} rows of {dimension} numbers; row {} has {}", self.written + 1, row.len());
            return Err(Error::folder(self.file.path(), reason));
        }
        let mut row = row.to_vec();
        if !normalise(&mut row) {
            let mut random = Random::new(self.seed, &[START, self.written as u64]);
            row.iter_mut().for_each(|x| *x = random.normal() as f32);
            normalise(&mut row);
        }
        self.written += 1;
        let written = self.file.write_all(bytemuck::cast_slice(&row));
        Ok(written.map_err(limbeck_data::Error::io("write", self.file.path()))?)
    }

    /// Random centres for all classes.
    pub(crate) fn fill_random(&mut self) -> Result<()> {
        let no_direction = vec![0.0; self.shape.dimension];
        (0..self.shape.classes).try_for_each(|_| self.push(&no_direction))
    }
}

impl Centres {
    /// New centres in `folder`, with the rows that `fill` pushes. They are written as a plain file before it is mapped,
    /// so that a full disk is an error here and not a fault later.
    pub(crate) fn create(
        folder: &Path,
        shape: CentreShape,
        seed: u64,
        fill: impl FnOnce(&mut CentreRows) -> Result<()>,
    ) -> Result<Self> {
        let valid = shape.classes >= 2 && shape.dimension > 0 && u32::try_from(shape.classes).is_ok();
        Error::require(valid, CLASSES, shape.classes, "at least 2, and at most 4294967295")?;
        let path = folder.join(WORKING);
        files::write_atomically(&path, |file| -> Result<()> {
            let mut rows = CentreRows { file, shape, seed, written: 0 };
            fill(&mut rows)?;
            if rows.written == shape.classes {
                return Ok(());
            }
            Err(Error::folder(&path, format!("got {} of {} centres", rows.written, shape.classes)))
        })?;
        Self::open(folder, shape)
    }

    /// The centres of the checkpoint of `step`.
    pub(crate) fn restore(folder: &Path, shape: CentreShape, step: u64) -> Result<Self> {
        let copy = folder.join(copy_of(step));
        let copied = File::open(&copy).map_err(limbeck_data::Error::io("open", &copy))?;
        files::write_atomically(&folder.join(WORKING), |file| {
            let bytes = std::io::copy(&mut BufReader::with_capacity(1 << 20, copied), file);
            bytes.map_err(limbeck_data::Error::io("copy", &copy))
        })?;
        Self::open(folder, shape)
    }

    fn open(folder: &Path, shape: CentreShape) -> Result<Self> {
        let path = folder.join(WORKING);
        let failed = |operation| limbeck_data::Error::io(operation, &path);
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed("open"))?;
        let length = file.metadata().map_err(failed("look at"))?.len();
        if length != shape.bytes() {
            let reason = format!("has {length} bytes, {} centres need {}", shape.classes, shape.bytes());
            return Err(Error::folder(&path, reason));
        }
        // SAFETY: nothing else writes to the file or truncates it while it is mapped: this training has just put it in
        // place, in a folder that it has locked.
        let map = unsafe { MmapMut::map_mut(&file) }.map_err(failed("map"))?;
        Ok(Self { folder: folder.to_path_buf(), shape, map })
    }

    /// The rows of `classes`, one after another. Panics for a class past the last.
    pub(super) fn rows(&self, classes: &[u32]) -> Vec<f32> {
        let (width, all) = (self.shape.dimension, bytemuck::cast_slice::<u8, f32>(&self.map));
        let mut rows = Vec::with_capacity(classes.len() * width);
        classes.iter().for_each(|&class| rows.extend_from_slice(&all[class as usize * width..][..width]));
        rows
    }

    /// Moves the rows of `classes` by `-rate` times their gradient (`classes.len() × dimension` values), and scales
    /// them back to length 1.
    pub(super) fn update(&mut self, classes: &[u32], gradient: &[f32], rate: f32) {
        let (width, all) = (self.shape.dimension, bytemuck::cast_slice_mut::<u8, f32>(&mut self.map));
        let mut moved = vec![0f32; width];
        for (&class, gradient) in classes.iter().zip(gradient.chunks_exact(width)) {
            let row = &mut all[class as usize * width..][..width];
            moved.iter_mut().zip(row.iter().zip(gradient)).for_each(|(to, (&x, &g))| *to = x - rate * g);
            if normalise(&mut moved) {
                row.copy_from_slice(&moved);
            }
        }
    }

    /// Writes the copy for the checkpoint of `step`.
    pub(crate) fn save_copy(&self, step: u64) -> Result<()> {
        Ok(files::write_bytes(&self.folder.join(copy_of(step)), &self.map)?)
    }

    /// Removes every copy but that of `step`.
    pub(crate) fn remove_other_copies(&self, step: u64) -> Result<()> {
        remove(&self.folder, |name| name != WORKING && name != copy_of(step))
    }
}

/// Removes all centres from `folder`, and their copies.
pub(crate) fn remove_centres(folder: &Path) -> Result<()> {
    remove(folder, |_| true)
}

fn copy_of(step: u64) -> String {
    format!("centres.{step}.f32")
}

fn remove(folder: &Path, unwanted: impl Fn(&str) -> bool) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(limbeck_data::Error::io("list", folder))? {
        let entry = entry.map_err(limbeck_data::Error::io("list", folder))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with("centres.") && name.ends_with(".f32") && unwanted(name) {
            std::fs::remove_file(entry.path()).map_err(limbeck_data::Error::io("remove", &entry.path()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: CentreShape = CentreShape { classes: 50, dimension: 4 };

    fn random(folder: &Path) -> Centres {
        Centres::create(folder, SHAPE, 3, |rows| rows.fill_random()).unwrap()
    }

    #[test]
    fn only_the_rows_of_a_step_move_and_they_stay_of_length_1() {
        let folder = tempfile::tempdir().unwrap();
        let mut centres = random(folder.path());
        let all: Vec<u32> = (0..50).collect();
        let before = centres.rows(&all);
        centres.update(&[3, 40], &[1.0, -2.0, 0.5, 0.0, 0.0, 3.0, 0.0, 1.0], 0.2);
        let after = centres.rows(&all);
        for (at, (before, after)) in before.chunks(4).zip(after.chunks(4)).enumerate() {
            assert_eq!(before != after, [3, 40].contains(&at), "{at}");
            assert!((after.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-6);
        }
        // What the map holds is in the file.
        drop(centres);
        let bytes = std::fs::read(folder.path().join(WORKING)).unwrap();
        assert_eq!(bytemuck::pod_collect_to_vec::<u8, f32>(&bytes), after);
    }

    #[test]
    fn a_copy_is_restored_whatever_the_working_file_holds() {
        let folder = tempfile::tempdir().unwrap();
        let mut centres = random(folder.path());
        let all: Vec<u32> = (0..50).collect();
        centres.save_copy(10).unwrap();
        let copied = centres.rows(&all);
        centres.update(&all, &[1.0; 200], 1.0);
        drop(centres);
        std::fs::write(folder.path().join(WORKING), b"torn").unwrap();
        let centres = Centres::restore(folder.path(), SHAPE, 10).unwrap();
        assert_eq!(centres.rows(&all), copied);
        centres.save_copy(20).unwrap();
        centres.remove_other_copies(20).unwrap();
        let message = Centres::restore(folder.path(), SHAPE, 10).err().unwrap().to_string();
        assert!(message.contains("centres.10.f32"), "{message}");
        remove_centres(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_copy_of_another_size_and_too_few_rows_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let centres = random(folder.path());
        centres.save_copy(1).unwrap();
        let more = CentreShape { classes: 51, ..SHAPE };
        assert!(Centres::restore(folder.path(), more, 1).err().unwrap().to_string().contains("816"));
        let few = Centres::create(folder.path(), more, 1, |rows| rows.push(&[0.0, 1.0, 0.0, 0.0]));
        assert!(few.err().unwrap().to_string().contains("1 of 51"));
        let wide = Centres::create(folder.path(), more, 1, |rows| rows.push(&[1.0; 5]));
        assert!(wide.err().unwrap().to_string().contains("5"));
    }
}
