//! The metrics log, `metrics.jsonl`: a JSON object a line, a line a step.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Result;

/// An open `metrics.jsonl`, appended to.
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    /// Opens the log at `path` for the lines of `stage` after `step`; for `None`, from step 0 on. Lines of these steps
    /// that an interrupted run wrote, and a torn last line, are removed first, so that resuming ends in the same bytes.
    ///
    /// # Errors
    /// A file that can't be read or written.
    pub fn resume(path: &Path, stage: &str, step: Option<u64>) -> Result<Self> {
        let failed = |operation| limbeck_data::Error::io(operation, path);
        let mut kept = Vec::new();
        let mut length = 0;
        if path.exists() {
            let file = File::open(path).map_err(failed("open"))?;
            length = file.metadata().map_err(failed("read"))?.len();
            let is_later = |logged| step.is_none_or(|step| logged > step);
            for line in BufReader::new(file).split(b'\n') {
                let line = line.map_err(failed("read"))?;
                let Ok(entry) = serde_json::from_slice::<Value>(&line) else { continue };
                if entry["stage"] != stage || !entry["step"].as_u64().is_some_and(is_later) {
                    kept.extend_from_slice(&line);
                    kept.push(b'\n');
                }
            }
        }
        // Lines were left out, or the end of the last line was not written.
        if kept.len() as u64 != length {
            limbeck_data::files::write_bytes(path, &kept)?;
        }
        let folder = limbeck_data::files::folder_of(path);
        std::fs::create_dir_all(&folder).map_err(limbeck_data::Error::io("create the folder", &folder))?;
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed("open"))?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Appends an object as a line.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn log(&mut self, entry: &Value) -> Result<()> {
        let line = format!("{entry}\n");
        Ok(self.file.write_all(line.as_bytes()).map_err(limbeck_data::Error::io("write to", &self.path))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn resuming_removes_later_lines_of_the_stage_and_torn_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::resume(&path, "distil", None).unwrap();
        for step in 0..=4 {
            log.log(&json!({"stage": "distil", "step": step, "loss": 0.5})).unwrap();
        }
        log.log(&json!({"stage": "other", "step": 9})).unwrap();
        log.file.write_all(b"{\"stage\": \"dis").unwrap();
        let mut log = MetricsLog::resume(&path, "distil", Some(2)).unwrap();
        log.log(&json!({"stage": "distil", "step": 3, "loss": 0.25})).unwrap();
        let steps = || -> Vec<Value> {
            let lines = std::fs::read_to_string(&path).unwrap();
            lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["step"].clone()).collect()
        };
        assert_eq!(steps(), [0, 1, 2, 9, 3]);
        MetricsLog::resume(&path, "distil", Some(0)).unwrap();
        assert_eq!(steps(), [0, 9], "a checkpoint at step 0 keeps the line of step 0");
        MetricsLog::resume(&path, "distil", None).unwrap();
        assert_eq!(steps(), [9]);
        // Torn before its end of line only.
        std::fs::write(&path, "{\"stage\":\"distil\",\"step\":1}").unwrap();
        let mut log = MetricsLog::resume(&path, "distil", Some(1)).unwrap();
        log.log(&json!({"stage": "distil", "step": 2})).unwrap();
        assert_eq!(steps(), [1, 2]);
    }
}
