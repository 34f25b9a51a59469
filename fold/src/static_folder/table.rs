//! The table of a static model, read from its safetensors file.

use std::ops::Range;
use std::path::Path;

use half::{bf16, f16};
use limbeck_encoder::Tokenizer;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::config::MAX_WIDTH;
use crate::error::{Error, Result};
use crate::tensors::truncated;

/// A row for each token.
pub(super) struct StaticTable {
    /// `tokens × dimension`
    pub values: Vec<f32>,
    pub dimension: usize,
    /// The values in the file: fewer than the table has where tokens share rows.
    pub parameters: u64,
}

impl StaticTable {
    /// Reads a row for each token of `tokenizer` from the matrix with the first of `names` that the file has. The
    /// tensors `mapping` and `weights`, if present, give each token's row and a factor for it.
    pub(super) fn open(path: &Path, names: [&str; 2], tokenizer: &Tokenizer) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::read(path))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| truncated(path, &error))?;
        Self::read(&file, names, tokenizer).map_err(|reason| Error::folder(path, reason))
    }

    fn read(file: &SafeTensors, names: [&str; 2], tokenizer: &Tokenizer) -> std::result::Result<Self, String> {
        let tokens = tokenizer.vocabulary();
        let last = || tokenizer.largest_id().and_then(|id| tokenizer.token(id)).unwrap_or_default();
        let fewer = || format!("the tokenizer makes {tokens} tokens, up to {:?} with the id {}", last(), tokens - 1);
        let tensor = |name: &str| file.tensor(name).ok();
        let found = names.into_iter().find_map(|name| Some((name, tensor(name)?)));
        let (name, matrix) = found.ok_or_else(|| format!("has no tensor {:?}", names[0]))?;
        let &[rows, dimension] = matrix.shape() else {
            return Err(format!("{name} has the shape {:?}, not [tokens, dimension]", matrix.shape()));
        };
        let of_tokens = |name: &str| match tensor(name) {
            Some(found) if tokens > 0 && !matches!(found.shape(), &[length] if length >= tokens) => {
                Err(format!("{name} has the shape {:?}, {}", found.shape(), fewer()))
            }
            found => Ok(found),
        };
        let all = |tensor: &TensorView| values(tensor, 0..tensor.shape().iter().product());
        let weights = of_tokens("weights")?.map(|found| all(&found).map_err(|what| format!("weights {what}")));
        let mapping = of_tokens("mapping")?.map(|found| indices(&found).map_err(|what| format!("mapping {what}")));
        let (weights, mapping) = (weights.transpose()?, mapping.transpose()?);
        if dimension == 0 || tokens == 0 {
            return Err(format!("{name} has the shape [{rows}, {dimension}], the tokenizer makes {tokens} tokens"));
        }
        if mapping.is_none() && rows < tokens {
            return Err(format!("{name} has the shape [{rows}, {dimension}], {}", fewer()));
        }
        if dimension > MAX_WIDTH {
            return Err(format!("{name} has rows of {dimension} numbers; {MAX_WIDTH} are the most"));
        }
        let mut table = Vec::with_capacity(tokens * dimension);
        for token in 0..tokens {
            let row = mapping.as_ref().map_or(Some(token), |mapping| mapping[token]);
            let row = row.filter(|&row| row < rows).ok_or_else(|| {
                format!("mapping sends token {token} to a row that is not among the {rows} of {name}")
            })?;
            let weight = weights.as_ref().map_or(1.0, |weights| weights[token]);
            let row =
                values(&matrix, row * dimension..(row + 1) * dimension).map_err(|what| format!("{name} {what}"))?;
            table.extend(row.into_iter().map(|value| (value * weight) as f32));
        }
        if let Some(at) = table.iter().position(|value| !value.is_finite()) {
            return Err(format!("token {} has a number that isn't finite", at / dimension));
        }
        let parameters = rows * dimension + weights.map_or(0, |weights| weights.len());
        Ok(Self { values: table, dimension, parameters: parameters as u64 })
    }
}

/// The tensor's values in `range`, converted exactly; or what is wrong with the tensor.
fn values(tensor: &TensorView<'_>, range: Range<usize>) -> std::result::Result<Vec<f64>, String> {
    let dtype = tensor.dtype();
    let size = dtype.bitsize() / 8;
    let bytes = tensor.data().get(range.start * size..range.end * size).unwrap_or_default();
    Ok(match dtype {
        Dtype::F64 => each(bytes, f64::from_le_bytes),
        Dtype::F32 => each(bytes, |bytes| f32::from_le_bytes(bytes).into()),
        Dtype::F16 => each(bytes, |bytes| f16::from_le_bytes(bytes).into()),
        Dtype::BF16 => each(bytes, |bytes| bf16::from_le_bytes(bytes).into()),
        Dtype::I8 => each(bytes, |bytes| i8::from_le_bytes(bytes).into()),
        other => return Err(format!("is of type {other:?}; F64, F32, F16, BF16 and I8 are read")),
    })
}

/// The tensor's values as row indices, `None` for one below 0; or what is wrong with the tensor.
fn indices(tensor: &TensorView<'_>) -> std::result::Result<Vec<Option<usize>>, String> {
    let bytes = tensor.data();
    Ok(match tensor.dtype() {
        Dtype::I64 => each(bytes, |bytes| usize::try_from(i64::from_le_bytes(bytes)).ok()),
        Dtype::I32 => each(bytes, |bytes| usize::try_from(i32::from_le_bytes(bytes)).ok()),
        Dtype::I16 => each(bytes, |bytes| usize::try_from(i16::from_le_bytes(bytes)).ok()),
        Dtype::U64 => each(bytes, |bytes| usize::try_from(u64::from_le_bytes(bytes)).ok()),
        Dtype::U32 => each(bytes, |bytes| usize::try_from(u32::from_le_bytes(bytes)).ok()),
        Dtype::U16 => each(bytes, |bytes| Some(u16::from_le_bytes(bytes).into())),
        other => return Err(format!("is of type {other:?}; whole numbers of 16 to 64 bits are read")),
    })
}

fn each<const N: usize, T>(bytes: &[u8], of: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&bytes| of(bytes)).collect()
}
