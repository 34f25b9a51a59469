//! Parts of this crate's candle operators: tensors read without a copy, and sums over positions.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor, WithDType, bail};
use limbeck_training::by_type;
use limbeck_training::optimiser::Number;

/// An operation from a table with a row for each distinct token of a batch to rows for its texts or positions.
pub(super) trait TableOperation: Send + Sync {
    const NAME: &'static str;

    /// The shape of the output for a table whose rows have `width` values.
    fn shape(&self, width: usize) -> (usize, usize);

    fn forward<T: Number>(&self, table: &[T], width: usize) -> Vec<T>;

    /// The gradient of the table.
    fn backward<T: Number>(&self, gradient: &[T], width: usize) -> Result<Vec<T>>;
}

/// A [`TableOperation`] as an operator of candle.
pub(super) struct TableOp<O>(pub O);

impl<O: TableOperation> CustomOp1 for TableOp<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = layout.shape().dims2()?.1;
        by_type!(storage.dtype(), T => {
            let output = self.0.forward(values::<T>(storage, layout)?, width);
            Ok((T::to_cpu_storage_owned(output), self.0.shape(width).into()))
        })
    }

    fn bwd(&self, table: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let width = table.dim(1)?;
        by_type!(table.dtype(), T => {
            let sums = with_values::<T, _>(gradient, |gradient| self.0.backward(gradient, width))?;
            Tensor::from_vec(sums, table.shape(), table.device()).map(Some)
        })
    }
}

/// The values of a contiguous tensor in host memory.
pub(super) fn values<'a, T: Number>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("the tensor is not contiguous") };
    Ok(&storage.as_slice::<T>()?[start..end])
}

/// Calls `read` with the values of a tensor in host memory; a tensor that isn't contiguous is copied first.
pub(super) fn with_values<T: Number, R>(tensor: &Tensor, read: impl FnOnce(&[T]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => read(values(storage, layout)?),
        _ => bail!("the tensor is not in host memory"),
    }
}

/// Cuts `all` into one slice for each span, so that several threads can fill them; each position has `per_position`
/// values.
pub(super) fn by_span<T>(
    mut all: &mut [T],
    spans: impl Iterator<Item = std::ops::Range<usize>>,
    per_position: usize,
) -> Vec<(std::ops::Range<usize>, &mut [T])> {
    spans
        .map(|span| {
            let (here, rest) = std::mem::take(&mut all).split_at_mut(span.len() * per_position);
            all = rest;
            (span, here)
        })
        .collect()
}

/// The positions that are summed before their sum is added to the total. A text of 10,000 tokens then has the rounding
/// error of a text of some hundred.
const BLOCK: usize = 64;

/// Adds every position of `span` to `total` with `add_to`, block by block.
pub(super) fn by_blocks<T: Number>(span: std::ops::Range<usize>, total: &mut [T], add_to: impl Fn(usize, &mut [T])) {
    if span.len() <= BLOCK {
        return span.for_each(|position| add_to(position, total));
    }
    let mut sum = vec![T::zero(); total.len()];
    for start in span.clone().step_by(BLOCK) {
        sum.fill(T::zero());
        (start..span.end.min(start + BLOCK)).for_each(|position| add_to(position, &mut sum));
        add(total, &sum);
    }
}

/// `to += factor · from`, element by element.
#[inline(always)]
pub(super) fn add_scaled<T: Number>(to: &mut [T], factor: T, from: &[T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}

/// `to += from`, element by element.
#[inline(always)]
pub(super) fn add<T: Number>(to: &mut [T], from: &[T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

/// The scalar product, in eight interleaved sums so that it vectorises.
#[inline(always)]
pub(super) fn dot<T: Number>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::zero(); 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: T = a_blocks.remainder().iter().zip(b_blocks.remainder()).fold(T::zero(), |sum, (&x, &y)| sum + x * y);
    for (a, b) in a_blocks.zip(b_blocks) {
        for at in 0..8 {
            sums[at] += a[at] * b[at];
        }
    }
    sums.into_iter().fold(rest, |sum, x| sum + x)
}
