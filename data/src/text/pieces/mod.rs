//! [`TextPiece`]: a file of text or a row group of one, whose rows are read with columns beside the text.
//!
//! Work on a large input is done piece by piece, in any order and by several processes.

mod parquet_piece;
mod table_piece;

use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::compute::filter;
use arrow::datatypes::FieldRef;
use arrow::error::ArrowError;

use self::parquet_piece::ParquetPiece;
use super::decode::Encodings;
use super::format::{TextFormat, format_of};
use super::source::TextFile;
use super::{ReadOptions, TextError, source};
use crate::error::{Error, Result};
use crate::files;

/// A file of text, or a row group of a Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPiece {
    file: TextFile,
    row_group: Option<usize>,
    name: PathBuf,
}

/// The columns that are read of a piece.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PieceColumns {
    /// The column or field with the text; [`super`] says which one serves if none is named.
    pub text: Option<String>,
    /// The encoding of the text, if it is not UTF-8.
    pub encoding: Option<String>,
    /// The columns that are kept beside the vectors.
    pub kept: KeptColumns,
    /// Whether a column `text` holds the text if the column of the text is not kept by its own name.
    pub with_text: bool,
}

/// Columns of the input that are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KeptColumns {
    /// None.
    #[default]
    None,
    /// The named ones, in this order.
    Named(Vec<String>),
    /// All, in the order of the file.
    All,
}

/// The rows of a piece.
pub struct PieceRows {
    /// The kept columns, in order.
    pub fields: Vec<FieldRef>,
    /// The rows, some at a time. How many depends on the piece alone.
    pub batches: Box<dyn Iterator<Item = Result<RowBatch>> + Send>,
}

/// Some rows of a piece.
#[derive(Debug, Clone, PartialEq)]
pub struct RowBatch {
    /// The texts; a missing one is empty.
    pub texts: StringArray,
    /// The kept columns, as [`PieceRows::fields`] has them.
    pub kept: Vec<ArrayRef>,
}

/// The most rows of a [`RowBatch`].
const BATCH_ROWS: usize = 1024;
/// About how many bytes of a text file a batch holds at most.
const BATCH_BYTES: usize = 32 << 20;

/// The name of the column with the text where it is kept by no other name.
const TEXT: &str = "text";

/// Whether `path` is read in pieces: the files of a folder, or the row groups of a Parquet file.
pub fn has_pieces(path: &Path) -> bool {
    path.is_dir() || format_of(path) == Some(TextFormat::Parquet)
}

/// The pieces of `path`: the files of a folder, the row groups of a Parquet file, or any other file as a whole.
///
/// # Errors
/// There is no text file, or a Parquet file cannot be read.
pub fn pieces(path: &Path, columns: &PieceColumns) -> Result<Vec<TextPiece>> {
    let options = columns.options()?;
    let files = source::files(path, columns.text.as_deref(), &options)?.files;
    if path.is_dir() {
        let piece = |file: TextFile| {
            let name = file.path.strip_prefix(path).unwrap_or(&file.path).to_owned();
            TextPiece { file, row_group: None, name }
        };
        return Ok(files.into_iter().map(piece).collect());
    }
    let mut pieces = Vec::new();
    for file in files {
        let name = PathBuf::from(file.path.file_name().unwrap_or_default());
        if file.format != TextFormat::Parquet {
            pieces.push(TextPiece { file, row_group: None, name });
            continue;
        }
        let stem = name.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for group in 0..parquet_piece::row_groups(&file.path)? {
            let name = PathBuf::from(format!("{stem}-{group:05}.parquet"));
            pieces.push(TextPiece { file: file.clone(), row_group: Some(group), name });
        }
    }
    Ok(pieces)
}

impl TextPiece {
    /// The file that the piece lies in.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// The name of the file that the piece becomes: below the input's folder that of the file, with `.parquet` behind
    /// the name of a file in another format; of a row group, the name of its file with the number of the group.
    pub fn output_name(&self) -> PathBuf {
        if self.file.format == TextFormat::Parquet {
            return self.name.clone();
        }
        let mut name = self.name.clone().into_os_string();
        name.push(".parquet");
        name.into()
    }

    /// The piece's name and the size of its file: enough to tell that an input is another one, without reading it.
    ///
    /// # Errors
    /// The file is gone.
    pub fn layout(&self) -> Result<String> {
        let bytes = std::fs::metadata(&self.file.path).map_err(Error::io("read", &self.file.path))?.len();
        Ok(format!("{}\t{bytes}\n", self.name.display()))
    }

    /// The sha256 of what is read of the piece: of a Parquet file the stored bytes of its read columns, else of the
    /// file.
    ///
    /// # Errors
    /// The file cannot be read or lacks a column.
    pub fn sha256(&self, columns: &PieceColumns) -> Result<String> {
        match self.parquet(columns)? {
            Some(piece) => piece.sha256(),
            None => files::sha256_file(&self.file.path),
        }
    }

    /// The rows; a piece without any is no error.
    ///
    /// # Errors
    /// The file cannot be read or lacks a column.
    pub fn rows(&self, columns: &PieceColumns) -> Result<PieceRows> {
        match self.parquet(columns)? {
            Some(piece) => piece.rows(),
            None => table_piece::rows(&self.file, columns),
        }
    }

    fn parquet(&self, columns: &PieceColumns) -> Result<Option<ParquetPiece>> {
        let is_parquet = self.file.format == TextFormat::Parquet;
        is_parquet.then(|| ParquetPiece::open(&self.file.path, self.row_group, columns)).transpose()
    }
}

impl RowBatch {
    /// The rows for which `is_wanted` holds true.
    ///
    /// # Errors
    /// `is_wanted` has another length.
    pub fn filtered(&self, is_wanted: &BooleanArray) -> Result<Self> {
        let failed = || Error::read_parquet::<ArrowError>(Path::new("a batch of rows"));
        let texts = filter(&self.texts, is_wanted).map_err(failed())?.as_string::<i32>().clone();
        let kept = self.kept.iter().map(|column| filter(column, is_wanted).map_err(failed()));
        Ok(Self { texts, kept: kept.collect::<Result<_>>()? })
    }
}

impl PieceColumns {
    fn options(&self) -> Result<ReadOptions> {
        Ok(ReadOptions::new(Encodings::parse(self.encoding.as_deref())?))
    }

    /// The names of the kept columns of a file that has the columns `all`.
    fn kept_of(&self, all: &[String]) -> Vec<String> {
        match &self.kept {
            KeptColumns::None => Vec::new(),
            KeptColumns::Named(names) => names.clone(),
            KeptColumns::All => all.to_vec(),
        }
    }
}

#[cfg(test)]
#[path = "pieces_tests.rs"]
mod tests;
