//! Finds the text and the vector column of a Parquet file, and decodes their rows to strings and `f32`.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, GenericListArray, OffsetSizeTrait, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float16Type, Float32Type, Float64Type, Schema};
use half::slice::HalfFloatSliceExt;

use super::error::{CacheError, CacheResult, RowProblem};
use super::shard::Shard;

/// Names of the columns of an external Parquet file. A column that is not named is found by its type.
///
/// The text column is the named one, else the column `text`, else the only column of strings. The vector column is the
/// named one, else the column `embedding`, else the only column of lists of floating-point numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// The name of the column with the texts.
    pub text: Option<String>,
    /// The name of the column with the vectors.
    pub vector: Option<String>,
}

/// The columns of a file, by their index in its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ColumnIndices {
    pub text: usize,
    pub vector: usize,
    /// The vectors' width, where the column's type gives it.
    pub width: Option<usize>,
}

impl Columns {
    /// Finds the two columns in the file at `path`.
    pub(super) fn find(&self, schema: &Schema, path: &Path) -> CacheResult<ColumnIndices> {
        let text = Role { name: "text", usual: "text", fits: is_text };
        let vector = Role { name: "vector", usual: "embedding", fits: is_vector };
        let text = text.find(self.text.as_deref(), schema, path)?;
        let vector = vector.find(self.vector.as_deref(), schema, path)?;
        let width = match schema.field(vector).data_type() {
            DataType::FixedSizeList(_, width) => usize::try_from(*width).ok(),
            _ => None,
        };
        Ok(ColumnIndices { text, vector, width })
    }
}

/// What a column is to hold.
struct Role {
    /// Its name in errors.
    name: &'static str,
    /// The name that such a column usually has.
    usual: &'static str,
    fits: fn(&DataType) -> bool,
}

impl Role {
    /// The index of the column called `wanted`; if no name is given, of the column that fits.
    fn find(&self, wanted: Option<&str>, schema: &Schema, path: &Path) -> CacheResult<usize> {
        let fields = schema.fields();
        let fits = |index: &usize| (self.fits)(fields[*index].data_type());
        let named = |name: &str| (0..fields.len()).find(|index| fields[*index].name() == name && fits(index));
        let describe = |field: &Arc<Field>| format!("{} ({})", field.name(), field.data_type());
        let columns = || fields.iter().map(describe).collect::<Vec<_>>().join(", ");
        let (role, path) = (self.name, path.to_owned());
        if let Some(name) = wanted {
            let missing = || CacheError::NoSuchColumn { path, role, name: name.to_owned(), columns: columns() };
            return named(name).ok_or_else(missing);
        }
        let fitting: Vec<usize> = (0..fields.len()).filter(fits).collect();
        match (named(self.usual), &fitting[..]) {
            (Some(index), _) | (None, &[index]) => Ok(index),
            _ => Err(CacheError::WhichColumn { path, role, found: fitting.len(), columns: columns() }),
        }
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

fn is_vector(data_type: &DataType) -> bool {
    match data_type {
        DataType::FixedSizeList(item, _) | DataType::List(item) | DataType::LargeList(item) => {
            matches!(item.data_type(), DataType::Float16 | DataType::Float32 | DataType::Float64)
        }
        _ => false,
    }
}

/// Decodes the rows of one file, batch by batch, into the texts and embeddings of a shard.
pub(super) struct Decoder<'a> {
    pub path: &'a Path,
    pub columns: ColumnIndices,
    pub dimension: usize,
    /// The row of the file at which the next batch begins.
    pub row: u64,
}

impl Decoder<'_> {
    /// Appends a batch that holds the text and the vector column alone.
    pub(super) fn append(&mut self, batch: &RecordBatch, shard: &mut Shard) -> CacheResult<()> {
        // A projection keeps the order of the file.
        let (text, vector) = if self.columns.text < self.columns.vector { (0, 1) } else { (1, 0) };
        self.texts(batch.column(text), &mut shard.texts)?;
        self.vectors(batch.column(vector), &mut shard.embeddings)?;
        self.row += batch.num_rows() as u64;
        Ok(())
    }

    fn problem(&self, row: usize, problem: RowProblem) -> CacheError {
        CacheError::Row { path: self.path.to_owned(), row: self.row + row as u64, problem }
    }

    fn texts(&self, column: &ArrayRef, texts: &mut Vec<String>) -> CacheResult<()> {
        if column.null_count() > 0
            && let Some(row) = (0..column.len()).find(|&row| column.is_null(row))
        {
            return Err(self.problem(row, RowProblem::NullText));
        }
        let column = cast(column, &DataType::Utf8).map_err(CacheError::arrow(self.path))?;
        texts.extend(column.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()));
        Ok(())
    }

    fn vectors(&self, column: &ArrayRef, numbers: &mut Vec<f32>) -> CacheResult<()> {
        let (values, ends) = values_and_ends(column);
        let start = numbers.len();
        let mut last = 0;
        for (row, &end) in ends.iter().enumerate() {
            let found = end - last;
            if column.is_null(row) || (values.null_count() > 0 && (last..end).any(|value| values.is_null(value))) {
                return Err(self.problem(row, RowProblem::NullVector));
            }
            if found != self.dimension {
                return Err(self.problem(row, RowProblem::Width { found, expected: self.dimension }));
            }
            last = end;
        }
        append_f32(&values, numbers);
        for (row, vector) in numbers[start..].chunks_exact(self.dimension).enumerate() {
            if let Some(problem) = problem_of(vector) {
                return Err(self.problem(row, problem));
            }
        }
        Ok(())
    }
}

/// The width of the first row's vector in a batch that holds the text and the vector column alone.
pub(super) fn first_width(batch: &RecordBatch, columns: ColumnIndices) -> usize {
    let vector = batch.column(usize::from(columns.text < columns.vector));
    if vector.is_empty() || vector.is_null(0) { 0 } else { values_and_ends(vector).1[0] }
}

/// The numbers of a column of lists, and where each row ends in them.
fn values_and_ends(column: &ArrayRef) -> (ArrayRef, Vec<usize>) {
    fn of_lists<O: OffsetSizeTrait>(lists: &GenericListArray<O>) -> (ArrayRef, Vec<usize>) {
        let start = lists.value_offsets()[0].as_usize();
        let ends: Vec<usize> = lists.value_offsets()[1..].iter().map(|end| end.as_usize() - start).collect();
        (lists.values().slice(start, ends.last().copied().unwrap_or_default()), ends)
    }
    match column.data_type() {
        DataType::FixedSizeList(..) => {
            let lists: &FixedSizeListArray = column.as_fixed_size_list();
            let width = lists.value_length() as usize;
            (lists.values().clone(), (1..=lists.len()).map(|row| row * width).collect())
        }
        DataType::LargeList(_) => of_lists(column.as_list::<i64>()),
        _ => of_lists(column.as_list::<i32>()),
    }
}

fn append_f32(values: &ArrayRef, numbers: &mut Vec<f32>) {
    match values.data_type() {
        DataType::Float16 => {
            let halves = values.as_primitive::<Float16Type>().values();
            let start = numbers.len();
            numbers.resize(start + halves.len(), 0.0);
            halves.convert_to_f32_slice(&mut numbers[start..]);
        }
        DataType::Float32 => numbers.extend_from_slice(values.as_primitive::<Float32Type>().values()),
        _ => numbers.extend(values.as_primitive::<Float64Type>().values().iter().map(|&number| number as f32)),
    }
}

/// What is wrong with a vector, if anything.
fn problem_of(vector: &[f32]) -> Option<RowProblem> {
    // One pass rules out both problems: a finite, positive sum has neither.
    let sum: f32 = vector.iter().map(|number| number.abs()).sum();
    if sum.is_finite() && sum > 0.0 {
        return None;
    }
    match vector.iter().position(|number| !number.is_finite()) {
        Some(position) => Some(RowProblem::NotFinite { position }),
        None => vector.iter().all(|&number| number == 0.0).then_some(RowProblem::Zero),
    }
}
