//! AdamW's update in host memory: every number where it lies, on all threads, nothing allocated.

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var, WithDType, bail};
use rayon::prelude::*;

use super::Number;
use super::adamw::{Change, Moments};

/// Numbers a task.
const TASK: usize = 16_384;

/// Updates the moments with the gradient, then the variable with the moments. All are contiguous and of one shape.
pub fn step(
    variable: &Var,
    mean: &Tensor,
    square: &Tensor,
    gradient: &Tensor,
    moments: Moments,
    change: Change,
) -> Result<()> {
    let Moments { beta1, beta2, scale } = moments;
    mean.inplace_op2(gradient, &Follow { beta: beta1, scale, squared: false })?;
    square.inplace_op2(gradient, &Follow { beta: beta2, scale, squared: true })?;
    variable.inplace_op3(mean, square, &change)
}

/// A running mean that follows the gradient, or its square.
struct Follow {
    beta: f64,
    scale: f64,
    squared: bool,
}

impl InplaceOp2 for Follow {
    fn name(&self) -> &'static str {
        "AdamW's moments"
    }

    fn cpu_fwd(&self, to: &mut CpuStorage, to_at: &Layout, from: &CpuStorage, from_at: &Layout) -> Result<()> {
        match to {
            CpuStorage::F32(to) => self.follow(part(to, to_at)?, whole(from, from_at)?),
            CpuStorage::F64(to) => self.follow(part(to, to_at)?, whole(from, from_at)?),
            _ => bail!("AdamW computes in f32 and f64"),
        }
    }
}

impl Follow {
    fn follow<T: Number>(&self, to: &mut [T], from: &[T]) -> Result<()> {
        match self.squared {
            false => follow(to, from, self, |g| g),
            true => follow(to, from, self, |g| g * g),
        }
    }
}

impl InplaceOp3 for Change {
    fn name(&self) -> &'static str {
        "AdamW's step"
    }

    fn cpu_fwd(
        &self,
        to: &mut CpuStorage,
        to_at: &Layout,
        mean: &CpuStorage,
        mean_at: &Layout,
        square: &CpuStorage,
        square_at: &Layout,
    ) -> Result<()> {
        match to {
            CpuStorage::F32(to) => move_by(part(to, to_at)?, whole(mean, mean_at)?, whole(square, square_at)?, self),
            CpuStorage::F64(to) => move_by(part(to, to_at)?, whole(mean, mean_at)?, whole(square, square_at)?, self),
            _ => bail!("AdamW computes in f32 and f64"),
        }
    }
}

fn follow<T: Number>(to: &mut [T], from: &[T], by: &Follow, term: impl Fn(T) -> T + Sync) -> Result<()> {
    let (beta, new, scale) = (number::<T>(by.beta), number::<T>(1.0 - by.beta), number::<T>(by.scale));
    (to.par_chunks_mut(TASK), from.par_chunks(TASK)).into_par_iter().for_each(|(to, from)| {
        to.iter_mut().zip(from).for_each(|(to, &g)| *to = beta * *to + new * term(scale * g));
    });
    Ok(())
}

fn move_by<T: Number>(to: &mut [T], mean: &[T], square: &[T], change: &Change) -> Result<()> {
    let [rate, root, epsilon, kept] = [change.rate, change.root, change.epsilon, change.kept].map(number::<T>);
    (to.par_chunks_mut(TASK), mean.par_chunks(TASK), square.par_chunks(TASK)).into_par_iter().for_each(
        |(to, mean, square)| {
            for ((to, &mean), &square) in to.iter_mut().zip(mean).zip(square) {
                *to = kept * *to - rate * mean / (root * square.sqrt() + epsilon);
            }
        },
    );
    Ok(())
}

fn number<T: Number>(x: f64) -> T {
    <T as WithDType>::from_f64(x)
}

fn whole<'a, T: Number>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("a tensor of AdamW is not contiguous") };
    Ok(&storage.as_slice()?[start..end])
}

fn part<'a, T>(numbers: &'a mut [T], layout: &Layout) -> Result<&'a mut [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("a tensor of AdamW is not contiguous") };
    Ok(&mut numbers[start..end])
}
