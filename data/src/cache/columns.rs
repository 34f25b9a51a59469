//! Which columns of a Parquet file are the text and the vector, and their rows as strings and `f32`.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float16Type, Float32Type, Float64Type, Schema};
use half::slice::HalfFloatSliceExt;

use super::error::{CacheError, CacheResult, RowProblem};

/// Names of the columns of a Parquet file made elsewhere; what isn't named is found by its type.
///
/// The text column is the one named, else one called `text`, else the only one of strings. The vector column is the one
/// named, else one called `embedding`, else the only one of lists of floating-point numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// The name of the column with the texts.
    pub text: Option<String>,
    /// The name of the column with the vectors.
    pub vector: Option<String>,
}

/// The columns found in a file, by their place in its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub text: usize,
    pub vector: usize,
    /// The vectors' width where the type says it.
    pub width: Option<usize>,
}

impl Columns {
    pub(super) fn find(&self, schema: &Schema, path: &Path) -> CacheResult<Found> {
        let text = find(schema, path, ("text", self.text.as_deref(), "text"), is_text)?;
        let vector = find(schema, path, ("vector", self.vector.as_deref(), "embedding"), is_vector)?;
        let width = match schema.field(vector).data_type() {
            DataType::FixedSizeList(_, width) => usize::try_from(*width).ok(),
            _ => None,
        };
        Ok(Found { text, vector, width })
    }
}

fn find(
    schema: &Schema,
    path: &Path,
    (kind, wanted, usual): (&'static str, Option<&str>, &str),
    fits: fn(&DataType) -> bool,
) -> CacheResult<usize> {
    let fitting = |field: &&Field| fits(field.data_type());
    let fields = || schema.fields().iter().map(|field| field.as_ref());
    let columns =
        || fields().map(|field| format!("{} ({})", field.name(), field.data_type())).collect::<Vec<_>>().join(", ");
    let named = |name: &str| fields().position(|field| field.name() == name && fits(field.data_type()));
    if let Some(name) = wanted {
        let missing =
            || CacheError::NoSuchColumn { path: path.to_owned(), kind, name: name.to_owned(), columns: columns() };
        return named(name).ok_or_else(missing);
    }
    let found = fields().filter(fitting).count();
    match (named(usual), found) {
        (Some(index), _) => Ok(index),
        (None, 1) => Ok(fields().position(|field| fits(field.data_type())).unwrap_or_default()),
        _ => Err(CacheError::WhichColumn { path: path.to_owned(), kind, found, columns: columns() }),
    }
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

fn is_vector(kind: &DataType) -> bool {
    match kind {
        DataType::FixedSizeList(item, _) | DataType::List(item) | DataType::LargeList(item) => {
            matches!(item.data_type(), DataType::Float16 | DataType::Float32 | DataType::Float64)
        }
        _ => false,
    }
}

/// Rows being read from one file.
pub(super) struct Decoder<'a> {
    pub path: &'a Path,
    pub found: Found,
    pub dimension: usize,
    /// The row of the file at which the next batch begins.
    pub row: u64,
}

impl Decoder<'_> {
    /// Appends a batch that holds the text and the vector column alone.
    pub fn append(&mut self, batch: &RecordBatch, texts: &mut Vec<String>, numbers: &mut Vec<f32>) -> CacheResult<()> {
        // A projection keeps the order of the file.
        let (text, vector) = if self.found.text < self.found.vector { (0, 1) } else { (1, 0) };
        self.texts(batch.column(text), texts)?;
        self.vectors(batch.column(vector), numbers)?;
        self.row += batch.num_rows() as u64;
        Ok(())
    }

    fn problem(&self, row: usize, problem: RowProblem) -> CacheError {
        CacheError::Row { path: self.path.to_owned(), row: self.row + row as u64, problem }
    }

    fn texts(&self, column: &ArrayRef, texts: &mut Vec<String>) -> CacheResult<()> {
        if let Some(row) =
            (column.null_count() > 0).then(|| (0..column.len()).find(|&row| column.is_null(row))).flatten()
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
        // Row by row only where widths can differ.
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
pub(super) fn first_width(batch: &RecordBatch, found: Found) -> usize {
    let vector = batch.column(usize::from(found.text < found.vector));
    if vector.is_empty() || vector.is_null(0) { 0 } else { values_and_ends(vector).1[0] }
}

/// The numbers of a column of lists, and where each row ends in them.
fn values_and_ends(column: &ArrayRef) -> (ArrayRef, Vec<usize>) {
    fn cut(values: &ArrayRef, ends: Vec<usize>, start: usize) -> (ArrayRef, Vec<usize>) {
        let length = ends.last().map_or(0, |end| end - start);
        (values.slice(start, length), ends.into_iter().map(|end| end - start).collect())
    }
    match column.data_type() {
        DataType::FixedSizeList(..) => {
            let lists: &FixedSizeListArray = column.as_fixed_size_list();
            let width = lists.value_length() as usize;
            (lists.values().clone(), (1..=lists.len()).map(|row| row * width).collect())
        }
        DataType::LargeList(_) => {
            let lists = column.as_list::<i64>();
            let start = lists.value_offsets()[0] as usize;
            cut(lists.values(), lists.value_offsets()[1..].iter().map(|&end| end as usize).collect(), start)
        }
        _ => {
            let lists = column.as_list::<i32>();
            let start = lists.value_offsets()[0] as usize;
            cut(lists.values(), lists.value_offsets()[1..].iter().map(|&end| end as usize).collect(), start)
        }
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

/// Why a vector can't serve, if it can't.
fn problem_of(vector: &[f32]) -> Option<RowProblem> {
    // A sum that is finite and positive rules both out in one pass; only then look closer.
    let sum: f32 = vector.iter().map(|number| number.abs()).sum();
    if sum.is_finite() && sum > 0.0 {
        return None;
    }
    match vector.iter().position(|number| !number.is_finite()) {
        Some(position) => Some(RowProblem::NotFinite { position }),
        None => vector.iter().all(|&number| number == 0.0).then_some(RowProblem::Zero),
    }
}
