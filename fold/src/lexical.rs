//! `lexical.safetensors`: the lexical half in a student's folder.

use std::io::Write;
use std::path::Path;

use limbeck_encoder::LexicalHalf;
use limbeck_encoder::files::{FileError, PendingFile};
use limbeck_encoder::lexical::LexicalTable;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tensors::truncated;

/// The file's name.
pub const FILE: &str = "lexical.safetensors";
/// The tensor of the words: UTF-8, a line for each.
const WORDS: &str = "words";
/// The tensor of the rows.
const ROWS: &str = "rows";

/// What a student's `config.json` says of its lexical half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LexicalConfig {
    /// The number of words.
    words: usize,
    /// The width of the half.
    dimension: usize,
}

impl LexicalConfig {
    /// The shape of `half`.
    pub fn of(half: &LexicalHalf) -> Self {
        Self { words: half.words(), dimension: half.dimension() }
    }
}

/// Writes the half to the file `path`, whole or not at all.
///
/// # Errors
/// A file that can't be written.
pub fn write(path: &Path, half: &LexicalHalf) -> Result<()> {
    let LexicalTable { words, rows, dimension } = half.table();
    let lines = words.join("\n");
    let view = |dtype, shape, bytes| TensorView::new(dtype, shape, bytes);
    let tensors = view(Dtype::U8, vec![lines.len()], lines.as_bytes()).and_then(|lines| {
        let rows = view(Dtype::F32, vec![words.len(), dimension], bytemuck::cast_slice(&rows))?;
        safetensors::serialize([(ROWS, rows), (WORDS, lines)], None)
    });
    let bytes = tensors.map_err(|error| Error::folder(path, error))?;
    let mut file = PendingFile::create(path)?;
    let written = file.write_all(&bytes);
    written.map_err(|source| FileError { operation: "write", path: path.to_path_buf(), source })?;
    file.commit()?;
    Ok(())
}

/// Reads the half that `config` tells of.
///
/// # Errors
/// A missing, truncated or damaged file, or one of another half; each error names the file.
pub fn read(path: &Path, config: LexicalConfig) -> Result<LexicalHalf> {
    let bytes = std::fs::read(path).map_err(Error::read(path))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| truncated(path, &error))?;
    let tensor = |name: &str, dtype| tensors.tensor(name).ok().filter(|tensor| tensor.dtype() == dtype);
    let shape = [config.words, config.dimension];
    let missing = || Error::folder(path, format!("has no {ROWS} of shape {shape:?} and {WORDS} in UTF-8"));
    let rows = tensor(ROWS, Dtype::F32).filter(|rows| rows.shape() == shape).ok_or_else(missing)?;
    let words =
        tensor(WORDS, Dtype::U8).and_then(|words| std::str::from_utf8(words.data()).ok()).ok_or_else(missing)?;
    let table = LexicalTable {
        words: words.split('\n').map(str::to_owned).collect(),
        rows: bytemuck::pod_collect_to_vec(rows.data()),
        dimension: config.dimension,
    };
    LexicalHalf::new(table).map_err(|error| Error::folder(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half() -> LexicalHalf {
        let words = ["cell", "wing", "高兴"].map(String::from).to_vec();
        LexicalHalf::new(LexicalTable { words, rows: vec![1.0, -2.0, 0.5, 3.0, 0.0, 1e-3], dimension: 2 }).unwrap()
    }

    #[test]
    fn a_half_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        write(&path, &half()).unwrap();
        let found = read(&path, LexicalConfig::of(&half())).unwrap();
        assert_eq!(found.table(), half().table());
    }

    #[test]
    fn a_damaged_file_and_one_of_another_half_are_errors_that_name_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        write(&path, &half()).unwrap();
        let config = LexicalConfig::of(&half());
        assert!(read(&path, LexicalConfig { words: 4, ..config }).unwrap_err().to_string().contains(FILE));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(read(&path, config).unwrap_err().to_string().contains("whole safetensors"));
        let place = bytes.windows(4).position(|window| window == b"cell").unwrap();
        let mut disordered = bytes;
        disordered[place] = b'z';
        std::fs::write(&path, &disordered).unwrap();
        assert!(read(&path, config).unwrap_err().to_string().contains("ascending"));
        std::fs::remove_file(&path).unwrap();
        assert!(read(&path, config).unwrap_err().to_string().contains(FILE));
    }
}
